"""Validates an input file and plans the outcome and finish time of every row, in one pass."""

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

from tui.sandbox import outcomes
from tui.sandbox.outcomes import RowOutcome
from tui.sandbox.plan_file import PlanWriter
from tui.sandbox.rows import Row, RowFormat
from tui.sandbox.state import State, StoredBatch, stage_seconds

_WINDOW = 512
_WINDOW_BYTES = 2_000_000
_MAX_PROBLEMS = 50
_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class _Line:
    row: Row
    offset: int
    length: int


@dataclass(slots=True)
class Planned:
    """The result of planning.

    Attributes:
        problems: Why the file is rejected, each `{code, message, param, line}`; empty if valid.
        rows: The number of lines read.
        model: The model of the first row that names one.
        writer: The records of a valid file.
    """

    problems: list[dict[str, Any]] = field(default_factory=list)
    rows: int = 0
    model: str | None = None
    writer: PlanWriter = field(default_factory=PlanWriter)

    def add_problem(
        self, code: str, message: str, param: str | None = None, line: int | None = None
    ) -> None:
        """Record a problem, if there are not too many already."""
        if len(self.problems) < _MAX_PROBLEMS:
            problem = {"code": code, "message": message, "param": param, "line": line}
            self.problems.append(problem)


def plan(
    source: Path, batch: StoredBatch, row_format: RowFormat, state: State, fail_rate: float = 0.0
) -> Planned:
    """Validate an input file and plan its rows.

    Runs in a thread. Holds at most 512 lines of the input in memory, plus all custom ids.

    Args:
        source: The input, one JSON object per line.
        batch: The batch.
        row_format: The row format of the dialect.
        state: Remembers the sent custom ids for `sandbox:flaky`.
        fail_rate: Fraction of rows that fail without a fault word.
    """
    planned = Planned()
    seen: set[str] = set()
    schedule = _Schedule(batch, row_format, planned.writer)
    chance = random.Random(f"{batch.seed}:{batch.number}")
    for window in _windows(source):
        lines = []
        for index, offset, raw in window:
            planned.rows += 1
            if planned.rows > row_format.max_rows:
                text = f"The batch has more than {row_format.max_rows:,} requests."
                planned.add_problem("too_many_tasks", text, None, index + 1)
                break
            line = _parse_line(raw, index, offset, batch, row_format, seen, planned)
            if line is not None:
                lines.append(line)
                if planned.model is None and isinstance(line.row.body, dict):
                    planned.model = line.row.body.get("model")
        if planned.problems:
            if planned.rows > row_format.max_rows or len(planned.problems) >= _MAX_PROBLEMS:
                break
            continue
        flaky = [line.row.custom_id for line in lines if line.row.words.flaky]
        first = state.first_sends(flaky, batch.id) if flaky else set()
        _shuffle(lines, chance)
        for line in lines:
            row = line.row
            row.outcome = outcomes.decide(
                row.words,
                first_send=row.custom_id in first,
                chance=crc32(f"{batch.seed}:{batch.number}:{row.custom_id}".encode()),
                fail_rate=fail_rate,
                valid=not row_format.fault(row.url, row.body, batch.extra),
            )
            schedule.add(line)
        # Releases the interpreter to other threads of this process, such as the dashboard.
        time.sleep(0.0005)
    if not planned.rows:
        planned.add_problem("empty_file", "The input file is empty.")
    elif planned.rows < row_format.min_rows:
        text = f"The batch has {planned.rows} requests, fewer than {row_format.min_rows}."
        planned.add_problem("too_few_tasks", text)
    if planned.problems:
        state.forget_sends(batch.id)
    else:
        schedule.finish()
    return planned


class _Schedule:
    """Assigns finish times to rows and writes their records in that order."""

    def __init__(self, batch: StoredBatch, row_format: RowFormat, writer: PlanWriter) -> None:
        self._batch = batch
        self._row_format = row_format
        self._writer = writer
        self._start = stage_seconds(batch.rate)
        self._place = 0
        self._slow: list[tuple[float, int, _Line]] = []
        self._never: list[_Line] = []

    def add(self, line: _Line) -> None:
        """Schedule the next row."""
        if line.row.outcome is RowOutcome.NEVER and not self._row_format.unrun_rows_fail:
            self._never.append(line)
            return
        self._place += 1
        rate = self._batch.rate
        finish = self._start + (self._place / rate if rate else 0.0)
        if line.row.words.slow:
            extra = max(outcomes.SLOW_SECONDS, 10 / rate if rate else 0.0)
            heapq.heappush(self._slow, (finish + extra, line.row.index, line))
            return
        self._release(finish)
        self._write(line, finish)

    def finish(self) -> None:
        """Write the remaining rows: the slow ones, then those that never run."""
        self._release(float("inf"))
        for line in self._never:
            self._write(line, float("inf"))

    def _release(self, until: float) -> None:
        while self._slow and self._slow[0][0] <= until:
            finish, _, line = heapq.heappop(self._slow)
            self._write(line, finish)

    def _write(self, line: _Line, finish: float) -> None:
        row = line.row
        not_run = len(self._row_format.not_run(row.custom_id, row.mark, "expired")) + 1
        sizes = {"unrun_end": not_run}
        if finish != float("inf"):
            row.when = int(self._batch.created + finish)
            sizes |= rendered_sizes(row, self._row_format)
        self._writer.add(
            finish=finish,
            offset=line.offset,
            length=line.length,
            index=row.index,
            outcome=row.outcome,
            **sizes,
        )


def rendered_sizes(row: Row, row_format: RowFormat) -> dict[str, int]:
    """What a row that ran adds to the running totals of a plan."""
    made = row_format.render(row)
    size = len(made.line) + 1 if made.line else 0
    return {
        "err_end" if made.in_errors else "out_end": size,
        "tokens_in": made.tokens_in,
        "tokens_out": made.tokens_out,
        "failed": not row.succeeded,
    }


def _windows(source: Path) -> Iterator[list[tuple[int, int, bytes]]]:
    """Yield lists of `(index, offset, line)`, without line ends and trailing blank lines."""
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


def _parse_line(
    raw: bytes, index: int, offset: int, batch: StoredBatch, row_format: RowFormat, seen: set[str],
    planned: Planned,
) -> _Line | None:  # fmt: skip
    try:
        entry = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        entry = None
    if not isinstance(entry, dict):
        text = "This line is not parseable as valid JSON."
        planned.add_problem("invalid_json_line", text, None, index + 1)
        return None
    custom_id = row_format.id_of(entry)
    if not isinstance(custom_id, str) or not custom_id:
        text = "Missing required parameter: 'custom_id'."
        planned.add_problem("missing_required_parameter", text, "custom_id", index + 1)
        return None
    if row_format.unique_ids:
        if custom_id in seen:
            text = (
                "The custom_id for this request is a duplicate of another request. The custom_id "
                "parameter must be unique for each request in a batch."
            )
            planned.add_problem("duplicate_custom_id", text, "custom_id", index + 1)
            return None
        seen.add(custom_id)
    problem = row_format.check(entry, batch.endpoint)
    if problem is not None:
        planned.add_problem(problem.code, problem.message, problem.param, index + 1)
        return None
    return _Line(row_format.row(entry, raw, index, batch), offset, len(raw))


def _shuffle(lines: list[_Line], chance: random.Random) -> None:
    before = [line.row.index for line in lines]
    chance.shuffle(lines)
    if len(lines) > 1 and [line.row.index for line in lines] == before:
        lines.reverse()
