"""Reads an input file once, checks it and decides what becomes of every row, and when."""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec

from . import fates, words
from .fates import Fate
from .planfile import PlanWriter
from .shape import Row, Shape, mark
from .state import State, StoredBatch
from .timeline import stage

_WINDOW = 512
_WINDOW_BYTES = 2_000_000
_SLOW_SECONDS = 10.0
_SHOWN_PROBLEMS = 50
_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class _Line:
    index: int
    offset: int
    raw: bytes
    custom_id: str
    url: str
    body: Any
    words: words.Words


@dataclass(slots=True)
class Planned:
    """The result of planning.

    Attributes:
        problems: Why the file is refused, `{code, message, param, line}` each; empty is good.
        rows: Lines read.
        model: The model of the first row that names one.
        writer: The records of a good file.
    """

    problems: list[dict[str, Any]] = field(default_factory=list)
    rows: int = 0
    model: str | None = None
    writer: PlanWriter = field(default_factory=PlanWriter)


def plan(
    source: Path, batch: StoredBatch, shape: Shape, state: State, fail_rate: float = 0.0
) -> Planned:
    """Check an input file and plan its rows.

    Runs in a thread; holds the input a window of at most 512 lines at a time, plus its custom ids.

    Args:
        source: The input, one JSON object per line.
        batch: The batch that will run it.
        shape: The row rules of the dialect.
        state: Remembers the sent custom ids for `sandbox:flaky`.
        fail_rate: Share of rows that fail without a word.
    """
    planned = Planned()
    seen: set[str] = set()
    schedule = _Schedule(batch, shape, planned.writer)
    chance = random.Random(f"{batch.seed}:{batch.number}")
    for window in _windows(source):
        lines = []
        for index, offset, raw in window:
            planned.rows += 1
            if planned.rows > shape.max_rows:
                text = f"The batch has more than {shape.max_rows:,} requests."
                _refuse(planned, "too_many_tasks", text, None, index + 1)
                break
            line = _read(raw, index, offset, batch, shape, seen, planned)
            if line is not None:
                lines.append(line)
                if planned.model is None and isinstance(line.body, dict):
                    planned.model = line.body.get("model")
        if planned.problems:
            if planned.rows > shape.max_rows or len(planned.problems) >= _SHOWN_PROBLEMS:
                break
            continue
        flaky = [line.custom_id for line in lines if line.words.flaky]
        first = state.first_sends(flaky, batch.id) if flaky else set()
        _shuffle(lines, chance)
        for line in lines:
            fate = fates.decide(
                line.words,
                first_send=line.custom_id in first,
                chance=crc32(f"{batch.seed}:{batch.number}:{line.custom_id}".encode()),
                fail_rate=fail_rate,
                valid=not shape.fault(line.url, line.body, batch.extra),
            )
            schedule.take(line, fate)
        # Lets other threads of this process (a user interface) have the interpreter.
        time.sleep(0.0005)
    if not planned.rows:
        _refuse(planned, "empty_file", "The input file is empty.", None, None)
    if planned.problems:
        state.forget_sends(batch.id)
    else:
        schedule.finish()
    return planned


class _Schedule:
    """Gives rows their finish times and writes their records in that order."""

    def __init__(self, batch: StoredBatch, shape: Shape, writer: PlanWriter) -> None:
        self._batch = batch
        self._shape = shape
        self._writer = writer
        self._start = stage(batch.rate)
        self._place = 0
        self._slow: list[tuple[float, int, _Line, Fate]] = []
        self._never: list[_Line] = []

    def take(self, line: _Line, fate: Fate) -> None:
        """Place the next row."""
        if fate is Fate.NEVER and not self._shape.never_fails:
            self._never.append(line)
            return
        self._place += 1
        rate = self._batch.rate
        finish = self._start + (self._place / rate if rate else 0.0)
        if line.words.slow:
            extra = max(_SLOW_SECONDS, 10 / rate if rate else 0.0)
            heapq.heappush(self._slow, (finish + extra, line.index, line, fate))
            return
        self._release(finish)
        self._write(line, fate, finish)

    def finish(self) -> None:
        """Write the rows that are still held: the slow ones, then those that never run."""
        self._release(float("inf"))
        for line in self._never:
            self._write(line, Fate.NEVER, float("inf"))

    def _release(self, until: float) -> None:
        while self._slow and self._slow[0][0] <= until:
            finish, _, line, fate = heapq.heappop(self._slow)
            self._write(line, fate, finish)

    def _write(self, line: _Line, fate: Fate, finish: float) -> None:
        own = mark(self._batch.id, line.index)
        unrun = len(self._shape.unrun(line.custom_id, own, "expired")) + 1
        if finish == float("inf"):
            self._writer.add(
                finish=finish, offset=line.offset, length=len(line.raw), index=line.index,
                fate=fate, unrun_bytes=unrun,
            )  # fmt: skip
            return
        when = int(self._batch.created + finish)
        made = self._shape.render(
            Row(line.custom_id, line.url, line.body, line.index, fate, line.words, own, when,
                self._batch.seed, self._batch.extra)
        )  # fmt: skip
        size = len(made.line) + 1 if made.line else 0
        self._writer.add(
            finish=finish,
            offset=line.offset,
            length=len(line.raw),
            index=line.index,
            fate=fate,
            out_bytes=0 if made.in_errors else size,
            err_bytes=size if made.in_errors else 0,
            unrun_bytes=unrun,
            tokens_in=made.tokens_in,
            tokens_out=made.tokens_out,
            failed=fate not in fates.GOOD,
        )


def _windows(source: Path) -> Iterator[list[tuple[int, int, bytes]]]:
    """Yield `(index, offset, line)` in lists; line ends and trailing blank lines are left out."""
    window: list[tuple[int, int, bytes]] = []
    blanks: list[tuple[int, int, bytes]] = []
    offset = size = 0
    with source.open("rb") as file:
        for index, raw in enumerate(file):
            line = raw.rstrip(b"\r\n")
            if line.strip():
                window += blanks
                blanks.clear()
                window.append((index, offset, line))
            else:
                blanks.append((index, offset, line))
            offset += len(raw)
            size += len(raw)
            if len(window) >= _WINDOW or (size >= _WINDOW_BYTES and window):
                yield window
                window, size = [], 0
    if window:
        yield window


def _read(
    raw: bytes, index: int, offset: int, batch: StoredBatch, shape: Shape, seen: set[str],
    planned: Planned,
) -> _Line | None:  # fmt: skip
    try:
        entry = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        entry = None
    if not isinstance(entry, dict):
        text = "This line is not parseable as valid JSON."
        _refuse(planned, "invalid_json_line", text, None, index + 1)
        return None
    custom_id = entry.get("custom_id")
    if not isinstance(custom_id, str) or not custom_id:
        text = "Missing required parameter: 'custom_id'."
        _refuse(planned, "missing_required_parameter", text, "custom_id", index + 1)
        return None
    if shape.unique_ids:
        if custom_id in seen:
            text = (
                "The custom_id for this request is a duplicate of another request. The custom_id "
                "parameter must be unique for each request in a batch."
            )
            _refuse(planned, "duplicate_custom_id", text, "custom_id", index + 1)
            return None
        seen.add(custom_id)
    problem = shape.check(entry, batch.endpoint)
    if problem is not None:
        _refuse(planned, problem.code, problem.message, problem.param, index + 1)
        return None
    body = entry.get(shape.body_key)
    url = str(entry.get("url") or batch.endpoint)
    return _Line(index, offset, raw, custom_id, url, body, words.read_line(raw, body))


def _refuse(planned: Planned, code: str, message: str, param: str | None, line: int | None) -> None:
    if len(planned.problems) < _SHOWN_PROBLEMS:
        planned.problems.append({"code": code, "message": message, "param": param, "line": line})


def _shuffle(lines: list[_Line], chance: random.Random) -> None:
    before = [line.index for line in lines]
    chance.shuffle(lines)
    if len(lines) > 1 and [line.index for line in lines] == before:
        lines.reverse()
