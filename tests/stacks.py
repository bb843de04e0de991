"""What everybody is waiting for, for the message of a test whose wait ran out."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any


def stacks() -> str:
    """Every task of the running loop and every thread, each with the lines at which it is.

    Tasks that wait at the same lines stand together, the rarest first.
    """
    alike: dict[tuple[str, ...], list[str]] = {}
    for task in asyncio.all_tasks():
        alike.setdefault(tuple(_places(task.get_coro())), []).append(task.get_name())
    lines = [f"load {' '.join(f'{load:.1f}' for load in os.getloadavg())}"]
    for places, names in sorted(alike.items(), key=lambda group: len(group[1])):
        lines.append(f"tasks: {', '.join(sorted(names)):.200}")
        lines += [f"    {place}" for place in places]
    threads = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        lines.append(f"thread {threads.get(ident, ident)}")
        for at in traceback.walk_stack(frame):
            if (place := _place(*at)).startswith("_pytest"):
                break
            lines.append(f"    {place}")
    return "\n".join(lines)


def _places(awaited: Any) -> Iterator[str]:
    """Where a coroutine waits, from the outermost to the innermost."""
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if frame is None:
            return
        yield _place(frame, frame.f_lineno)
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)


def _place(frame: FrameType, line: int) -> str:
    code = frame.f_code
    return f"{code.co_filename.rpartition('site-packages/')[2]}:{line} {code.co_qualname}"
