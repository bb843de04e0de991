"""Finding the lines of a file that hold a text, fast, without looking at each line."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator

from tui.store.wanted import Wanted

_WINDOW = 1 << 16
"""Bytes that are folded to lower case at a time: what fits the processor's nearest memory."""

_STOP_EVERY = 32
"""Windows between two questions whether to go on: some ten milliseconds."""


def lines_with(
    mapped: mmap.mmap,
    size: int,
    wanted: Wanted,
    stop: Callable[[], bool] | None = None,
) -> Iterator[tuple[int, int] | None]:
    """Start and end of each line that holds what is wanted, in the order of the file.

    Args:
        mapped: The file.
        size: How much of it to look at, in bytes.
        wanted: With anchors.
        stop: Asked now and then.

    Yields:
        The place of a line, or ``None`` now and then, when there was nothing for a while.
    """
    anchors = wanted.anchors
    overlap = max(map(len, anchors)) - 1
    done = 0
    windows = 0
    while done < size:
        windows += 1
        if windows % _STOP_EVERY == 0:
            if stop is not None and stop():
                return
            yield None
        window = mapped[done : min(done + _WINDOW + overlap, size)].lower()
        following = min(done + _WINDOW, size)
        at = 0
        places = [window.find(anchor) for anchor in anchors]
        while True:
            for number, place in enumerate(places):
                if 0 <= place < at:
                    places[number] = window.find(anchors[number], at)
            place = min((place for place in places if place >= 0), default=-1)
            if place < 0:
                break
            start = done + window.rfind(b"\n", 0, place) + 1
            if start == done:
                # The line began before this window, behind what was done before.
                start = mapped.rfind(b"\n", 0, done + place) + 1
            stops = window.find(b"\n", place)
            end = done + stops if stops >= 0 else mapped.find(b"\n", done + place, size)
            if end < 0:
                end = size
            if wanted.exact or wanted.is_in(mapped, start, end):
                yield start, end
            # No line twice, though the next window begins within this one.
            following = max(following, end + 1)
            at = end + 1 - done
            if at >= len(window):
                break
        done = following
