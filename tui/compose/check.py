"""The check before anything is sent: one pass over the file, every problem with its line."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tui.compose.limits import Limits
from tui.compose.report import SHOWN_PER_CODE, CheckReport, Problem, ProblemCode
from tui.compose.scan import Scanner, duplicate, ids_of
from tui.compose.sizes import Sizes
from tui.core.text import quoted
from tui.errors import InputError

_VERIFIED = 10_000
"""So many ids that seem to be there twice are looked up again; further ones are only counted."""


def check_file(
    path: Path,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Look through a file of requests, one JSON object a line.

    Rows are ``{"custom_id", "method", "url", "body"}``, or ready-made for Anthropic
    ``{"custom_id", "params"}``. The memory does not grow with the file.

    Args:
        path: The file.
        limits: What the provider takes.
        stop: Asked now and then; true ends the check.
        progress: Told the bytes done and in all, now and then.

    Returns:
        The problems and the figures. An empty file is a problem of the report.

    Raises:
        InputError: The file is missing, a folder or cannot be read, or the check was stopped.
    """
    scanner = Scanner(path, limits)
    log = _Log()
    suspects: set[str] = set()
    unnamed = 0
    for block in scanner.blocks():
        for problem in block.problems:
            if problem.code == "duplicate_custom_id" and problem.line is not None:
                custom_id = block.ids[problem.line - block.first_line] or ""
                if custom_id in suspects or len(suspects) < _VERIFIED:
                    suspects.add(custom_id)
                else:
                    unnamed += 1
                continue
            log.add(problem)
        if progress is not None:
            progress(block.offset, scanner.size)
        if stop is not None and stop():
            raise stopped(path)
    if suspects:
        _name_duplicates(path, limits, suspects, log, stop)
        log.count("duplicate_custom_id", unnamed)
    _judge_file(scanner, limits, log)
    tally = scanner.tally
    return CheckReport(
        path=str(path),
        size=scanner.size,
        rows=tally.rows,
        endpoints=tally.endpoints,
        models=tally.models,
        problems=tuple(sorted(log.problems, key=lambda problem: problem.line or 0)),
        found={code: count for code, count in log.found.items() if count},
        input_tokens=math.ceil(tally.tokens),
        longest_line=tally.longest_line,
        stops=log.stops,
        fixable=log.fixable,
    )


class _Log:
    """Counts all problems and keeps the first ones of each code."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.found: Counter[str] = Counter()
        self._shown: Counter[tuple[str, str]] = Counter()
        self.stops = 0
        self.fixable = 0

    def add(self, problem: Problem) -> None:
        self.found[problem.code] += 1
        self._shown[problem.code, problem.severity] += 1
        self.stops += problem.severity == "error"
        self.fixable += problem.severity == "fixable"
        if self._shown[problem.code, problem.severity] <= SHOWN_PER_CODE:
            self.problems.append(problem)

    def count(self, code: ProblemCode, errors: int) -> None:
        """Count errors that are not listed."""
        if errors:
            self.found[code] += errors
            self.stops += errors


def stopped(path: Path) -> InputError:
    """The error of a pass that its caller ended."""
    return InputError(f"{quoted(str(path), 200)} was not read to its end", path=path)


def _name_duplicates(
    path: Path, limits: Limits, suspects: set[str], log: _Log, stop: Callable[[], bool] | None
) -> None:
    """Read the ids once more, to say where each of the suspects was first."""
    first: dict[str, int] = {}
    for number, custom_id in ids_of(path, limits):
        if custom_id not in suspects:
            continue
        if custom_id in first:
            log.add(duplicate(custom_id, number, first[custom_id]))
        else:
            first[custom_id] = number
            if stop is not None and stop():
                raise stopped(path)


def _judge_file(scanner: Scanner, limits: Limits, log: _Log) -> None:
    """What is said of the file as a whole."""
    rows, size = scanner.tally.rows, scanner.size
    _judge_sizes(scanner.sizes, log)
    if rows == 0:
        log.add(
            Problem(
                line=None,
                code="empty_file",
                severity="error",
                what="the file holds no requests" if size else "the file is empty",
                fix="Write one request on each line.",
            )
        )
    if scanner.crlf_count:
        log.add(
            Problem(
                line=scanner.crlf_line,
                code="crlf",
                severity="fixable",
                what=f"Windows line ends (CR LF) on {_counted(scanner.crlf_count, 'line')}",
                fix="The CRs are left out when the file is fixed.",
            )
        )
    if limits.rows and rows > limits.rows:
        log.add(_too_much("too_many_rows", f"{rows:,} rows", rows, limits.rows, limits.splits))
    if limits.bytes and size > limits.bytes:
        log.add(_too_much("too_large", f"{size:,} bytes", size, limits.bytes, limits.splits))


def _judge_sizes(sizes: Sizes, log: _Log) -> None:
    """Name the rows that are far larger than the others."""
    median, count, listed = sizes.odd()
    for number, size in listed:
        log.add(
            Problem(
                line=number,
                code="odd_size",
                severity="warning",
                what=f"the row has {size:,} bytes, {size // median:,} times the usual {median:,}",
                fix="Look whether a whole file slipped into a cell.",
            )
        )
    log.found["odd_size"] += count - len(listed)


def _too_much(code: ProblemCode, what: str, amount: int, limit: int, splits: bool) -> Problem:
    parts = math.ceil(amount / limit)
    return Problem(
        line=None,
        code=code,
        severity="warning" if splits else "error",
        what=f"{what}; one batch takes {limit:,}",
        fix=f"It will be split into {parts} batches."
        if splits
        else f"Split the file into {parts} parts.",
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
