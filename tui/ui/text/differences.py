"""Two answers as texts to read side by side, with what only one of them says made plain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from tui.core import differences
from tui.core.differences import word_diff
from tui.core.filtering import RowSelection
from tui.core.outcome import ANSWERED
from tui.core.rows import RowLine
from tui.store.comparing import NOWHERE, Comparison
from tui.store.history import History
from tui.ui import formatting
from tui.ui.reading import CAP, Piece, Reading


@dataclass(frozen=True)
class Difference:
    """Both answers, and a word about each."""

    left: Reading
    right: Reading
    notes: tuple[str, str] = ("", "")


def read_difference(history: History, found: Comparison, place: int) -> Difference:
    """The answers of one id; blocking, for a thread.

    Raises:
        HistoryError: A result file is not what it was.
    """
    left = _line(history, found.left.job_id, found.left_seqs[place])
    right = _line(history, found.right.job_id, found.right_seqs[place])
    as_data = found.options.as_data
    ours, theirs = _text(left, as_data), _text(right, as_data)
    notes = (_note(left), _note(right))
    pieces = None
    if left is not None and right is not None and _is_answer(left) and _is_answer(right):
        pieces = word_diff(ours, theirs)
    if pieces is None:
        return Difference(_plain(left, ours), _plain(right, theirs), notes)
    pieces = list(pinpointed(pieces))
    return Difference(_marked(pieces, "removed"), _marked(pieces, "added"), notes)


def pinpointed(pieces: Iterable[differences.Piece]) -> Iterator[differences.Piece]:
    """The same pieces, where a change of words leaves out what is around them in both.

    White space, quotes and commas that both sides have are no part of what differs.
    """
    waiting = ""
    for which, text in pieces:
        if which == "removed":
            waiting = text
            continue
        if which == "added" and waiting:
            yield from _bared(waiting, text)
            waiting = ""
            continue
        if waiting:
            yield ("removed", waiting)
            waiting = ""
        yield (which, text)
    if waiting:
        yield ("removed", waiting)


def _bared(removed: str, added: str) -> Iterator[differences.Piece]:
    """Two sides of a change, without what is alike around their words."""
    shorter = min(len(removed), len(added))
    start = end = 0
    while start < shorter and removed[start] == added[start] and not removed[start].isalnum():
        start += 1
    while (
        end < shorter - start
        and removed[-1 - end] == added[-1 - end]
        and not removed[-1 - end].isalnum()
    ):
        end += 1
    parts: list[differences.Piece] = [
        ("same", removed[:start]),
        ("removed", removed[start : len(removed) - end]),
        ("added", added[start : len(added) - end]),
        ("same", removed[len(removed) - end :]),
    ]
    yield from (part for part in parts if part[1])


def _marked(pieces: list[differences.Piece], side: Literal["removed", "added"]) -> Reading:
    """One of two texts, with what the other does not have in a colour of its own."""
    return _reading(
        Piece(text, "" if which == "same" else side)
        for which, text in pieces
        if which in ("same", side)
    )


def _line(history: History, job_id: str, seq: int) -> RowLine | None:
    if seq == NOWHERE:
        return None
    selection = RowSelection(seqs=(seq,), total=1)
    return next(history.row_lines(job_id, selection), None)


def _is_answer(line: RowLine) -> bool:
    return line.outcome in ANSWERED


def _text(line: RowLine | None, as_data: bool) -> str:
    """The answer; JSON in one order of keys, so that only what differs is told."""
    if line is None:
        return ""
    if as_data and line.data is not None and len(line.text) <= CAP:
        ordered = msgspec.json.encode(line.data, order="deterministic")
        return msgspec.json.format(ordered, indent=2).decode()
    return line.text


def _plain(line: RowLine | None, text: str) -> Reading:
    if line is None:
        return Reading([Piece("This job does not have the row.", "muted")])
    if _is_answer(line):
        return _reading([Piece(text)])
    pieces = [Piece(line.outcome.value, "bad" if line.error is not None else "muted")]
    if line.error is not None:
        pieces.append(Piece("\n\n" + line.error.message))
    return Reading(pieces)


def _reading(pieces: Iterable[Piece]) -> Reading:
    made = Reading(pieces)
    return made if made.length else Reading([Piece("The answer is empty.", "muted")])


def _note(line: RowLine | None) -> str:
    if line is None:
        return ""
    tokens = line.usage.output_tokens
    out = "" if tokens is None else f"{tokens:,} tokens out"
    cost = "" if line.cost is None else formatting.money(line.cost)
    return " · ".join(part for part in (out, cost) if part)
