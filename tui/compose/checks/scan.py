"""The one streaming pass over a file of requests, which check, estimate and import share."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from tui.compose.checks.line import CheckedLine, LineChecker, has_errors
from tui.compose.checks.statistics import OTHERS, CostInputs, FileFigures, LineSizes
from tui.compose.checks.typed_decoder import UniformRows
from tui.compose.requests.block_reader import (
    BLOCK_BYTES,
    SkippedLine,
    open_bytes,
    read_blocks,
    split_block,
)
from tui.compose.requests.duplicates import DuplicateFinder
from tui.compose.requests.recognition import recognize
from tui.compose.requests.report import SHOWN_PER_CODE, CheckReport, Problem, ProblemCode
from tui.compose.requests.rules import MAX_LINE_BYTES, RequestLimits
from tui.compose.requests.signatures import Recognition
from tui.core.formatting import counted
from tui.core.requests import CONVERSE_URL, INVOKE_URL
from tui.core.text import quoted
from tui.errors import InputError
from tui.progress import NO_PROGRESS, Progress


class Block:
    r"""Some lines of the file with their ids and problems.

    ``ids`` holds the ``custom_id`` of each line, ``None`` if it is not a valid request.
    ``offset`` is the byte offset of the end of the block. ``crlf`` lists the lines that end
    with ``\r\n``. ``ready_made``: there may be ``{custom_id, params}`` rows.
    """

    __slots__ = ("crlf", "first_line", "ids", "lines", "offset", "problems", "ready_made")

    def __init__(self, first_line: int, lines: list[bytes], offset: int) -> None:
        self.first_line = first_line
        self.lines = lines
        self.offset = offset
        self.ids: list[str | None] = []
        self.problems: list[Problem] = []
        self.crlf: list[int] = []
        self.ready_made = False


class Scanner:
    """Reads and checks requests block by block.

    Blocks whose rows all have the form of earlier ones are decoded fast (see ``UniformRows``);
    all other blocks are checked line by line (see ``LineChecker``).

    Args:
        limits: The provider's limits.
        with_costs: Whether the figures say what decides the cost.

    Attributes:
        size: The size of the file in bytes, once reading has begun.
        figures: The figures so far.
        sizes: The lengths of the lines so far.
    """

    def __init__(self, limits: RequestLimits, *, with_costs: bool = True) -> None:
        self.size = 0
        self.figures = FileFigures(one_model=limits.one_model, with_costs=with_costs)
        self.sizes = LineSizes()
        self._ready_made = False
        self._limits = limits
        self._max_line = limits.line_bytes or MAX_LINE_BYTES
        self._explainer = LineChecker(limits)
        self._uniform: UniformRows | None = None

    def blocks(self, path: Path) -> Iterator[Block]:
        """Yield the blocks of a file in order.

        Raises:
            InputError: The file is missing, is a folder, or cannot be read.
        """
        number = 1
        offset = 0
        seen: DuplicateFinder | None = None
        with open_bytes(path) as file:
            self.size = os.fstat(file.fileno()).st_size
            for piece in read_blocks(file, self._max_line + 1):
                if isinstance(piece, SkippedLine):
                    offset += piece.length + 1
                    block = Block(number, [b""], min(offset, self.size))
                    block.ids.append(None)
                    block.problems.append(self._too_long(number, piece.length))
                    self.figures.rows += 1
                    self.figures.longest_line = max(self.figures.longest_line, piece.length)
                    number += 1
                    yield block
                    continue
                offset += len(piece)
                block = self.read(split_block(piece), number, piece, offset)
                if seen is None:
                    rows = len(block.lines)
                    seen = DuplicateFinder(rows * (self.size // max(len(piece), 1) + 1))
                self._find_duplicates(block, seen)
                number += len(block.lines)
                yield block

    def read(self, lines: list[bytes], first_line: int, piece: bytes, offset: int = 0) -> Block:
        """Check some lines; ``piece`` is all of them together."""
        block = Block(first_line, lines, offset)
        lengths = list(map(len, lines))
        self.sizes.add(lengths, first_line)
        longest = max(lengths) - 1
        if len(lines[-1]) > longest and not piece.endswith(b"\n"):
            longest = len(lines[-1])
        self.figures.longest_line = max(self.figures.longest_line, longest)
        if b"\r" in piece:
            block.crlf = [
                number
                for number, line in enumerate(lines, first_line)
                if line.endswith((b"\r\n", b"\r"))
            ]
        uniform = self._uniform if longest <= self._max_line else None
        is_typed = uniform is not None and self._read_typed(block, piece, uniform, longest)
        if not is_typed:
            self._read_line_by_line(block)
        if uniform is None or not is_typed or uniform.may_mark:
            self.figures.costs.find_marks(piece)
        block.ready_made = self._ready_made
        return block

    def _read_typed(self, block: Block, piece: bytes, uniform: UniformRows, longest: int) -> bool:
        """Decode a block with the typed decoder; false if that rejects a row."""
        is_ascii = piece.isascii()
        if not is_ascii:
            try:
                piece.decode()
            except UnicodeDecodeError:
                return False
        rows = uniform.decode(block.lines)
        if rows is None:
            return False
        ids = [row.custom_id for row in rows]
        if not self._are_valid_ids(ids, is_ascii):
            return False
        block.ids = ids
        block.problems += self.figures.add_uniform(
            uniform,
            rows,
            longest=longest,
            line=block.first_line,
        )
        return True

    def _are_valid_ids(self, ids: list[str], is_ascii: bool) -> bool:
        matches = self._explainer.id_matches
        if matches is not None and not all(map(matches, ids)):
            return False
        if is_ascii or not self._limits.custom_id_max:
            return True
        return not any(map(self._explainer.id_fault, ids))

    def _read_line_by_line(self, block: Block) -> None:
        correct = True
        last: CheckedLine | None = None
        for number, line in enumerate(block.lines, block.first_line):
            line = line.removesuffix(b"\n")
            length = len(line) - line.endswith(b"\r")
            if length > self._max_line:
                block.problems.append(self._too_long(number, length))
                block.ids.append(None)
                self.figures.rows += 1
                continue
            row = self._explainer.explain(line, number)
            block.problems += row.problems
            block.ids.append(row.custom_id)
            self._ready_made = self._ready_made or row.ready_made
            if row.blank:
                continue
            block.problems += self.figures.add(row, number)
            if has_errors(row.problems):
                correct = False
            else:
                last = row
        self._make_decoder(last, correct)

    def _make_decoder(self, row: CheckedLine | None, correct: bool) -> None:
        """Make the typed decoder, or a looser one if the strict one rejected a correct row."""
        uniform = self._uniform
        if row is None or row.endpoint is None or row.body is None:
            return
        if row.endpoint != self.figures.first_endpoint:
            return
        if uniform is not None and (uniform.loose or not correct):
            return
        self._uniform = UniformRows(
            ready_made=row.ready_made,
            url=row.endpoint,
            model=row.model,
            body=row.body,
            limits=self._limits,
            loose=uniform is not None,
        )

    def _find_duplicates(self, block: Block, seen: DuplicateFinder) -> None:
        if None not in block.ids:
            for suspect in seen.add(block.ids):
                custom_id = block.ids[suspect] or ""
                block.problems.append(duplicate(custom_id, block.first_line + suspect))
            return
        positions = [place for place, custom_id in enumerate(block.ids) if custom_id is not None]
        present = [custom_id for custom_id in block.ids if custom_id is not None]
        for suspect in seen.add(present):
            block.problems.append(
                duplicate(present[suspect], block.first_line + positions[suspect])
            )

    def _too_long(self, number: int, length: int) -> Problem:
        return Problem(
            line=number,
            code="line_too_long",
            severity="error",
            what=f"the line has {length:,} bytes; the limit is {self._max_line:,}",
            fix="Shorten the request, or refer to images and files by URL.",
        )


def duplicate(custom_id: str, line: int, first: int | None = None) -> Problem:
    """The problem for a duplicate id, whose first use is on line ``first`` if known."""
    where = f", first used on line {first}" if first is not None else ""
    return Problem(
        line=line,
        code="duplicate_custom_id",
        severity="error",
        what=f"duplicate custom_id {quoted(custom_id)}{where}",
        fix="Give every request a unique id, or renumber the ids.",
    )


class _Identified(msgspec.Struct, gc=False):
    custom_id: str


def ids_of(path: Path, limits: RequestLimits) -> Iterator[tuple[int, str]]:
    """Yield the ids of a file as the scanner reads them, each with its line number."""
    explain = LineChecker(limits).explain
    decode = msgspec.json.Decoder(_Identified).decode
    longest = limits.line_bytes or MAX_LINE_BYTES
    number = 0
    with open_bytes(path) as file:
        for piece in read_blocks(file, longest + 1):
            if isinstance(piece, SkippedLine):
                number += 1
                continue
            is_ascii = piece.isascii()
            for line in split_block(piece):
                number += 1
                try:
                    custom_id = decode(line).custom_id if is_ascii else None
                except (ValueError, RecursionError):
                    custom_id = None
                custom_id = custom_id or explain(line.removesuffix(b"\n"), number).custom_id
                if custom_id and len(line.rstrip(b"\r\n")) <= longest:
                    yield number, custom_id


class Scan(NamedTuple):
    """What one pass over a file found: the report of the check, and what decides the cost.

    ``repeated`` is the part of the costs that is not paid if each distinct request is sent once;
    ``None`` if it was not looked for (see ``repeats.with_repeats``).
    """

    report: CheckReport
    costs: CostInputs
    repeated: CostInputs | None = None


_VERIFIED = 10_000
"""At most this many suspected duplicate ids are verified; further ones are only counted."""


def scan_file(
    path: Path,
    *,
    limits: RequestLimits = RequestLimits(),  # noqa: B008 - frozen
    progress: Progress = NO_PROGRESS,
) -> Scan:
    """Read a requests file, with one JSON object per line, once.

    Rows are ``{"custom_id", "method", "url", "body"}``, or in Anthropic's form
    ``{"custom_id", "params"}``. Memory use does not grow with the file.

    Args:
        path: The file.
        limits: The provider's limits.
        progress: Gets the bytes read.

    Returns:
        The report of the check, and what decides the cost. An empty file is a problem.

    Raises:
        InputError: The file is missing, is a folder or cannot be read, or reading was stopped.
    """
    found = recognize(path)
    if found.kind not in ("requests", "other") or (found.kind == "other" and found.can):
        report = _not_requests(path, found)
        if report is not None:
            return Scan(report, CostInputs())
    if found.form in ("gemini", "vertex") and limits.endpoints and limits.check_line is None:
        # Only accounts of Gemini and Vertex AI translate rows, or take these.
        what = f"{found.what}, which {limits.provider_name} does not take"
        return Scan(_other_form(path, found._replace(kind="foreign", what=what)), CostInputs())
    if found.form == "bedrock" and limits.endpoints and INVOKE_URL not in limits.endpoints:
        what = f"{found.what}, which {limits.provider_name} does not take"
        return Scan(_other_form(path, found._replace(kind="foreign", what=what)), CostInputs())
    scanner = Scanner(limits)
    log = _ProblemLog()
    crlf_line = crlf_count = 0
    suspects: set[str] = set()
    unlisted = 0
    for block in scanner.blocks(path):
        for problem in block.problems:
            if problem.code == "duplicate_custom_id" and problem.line is not None:
                custom_id = block.ids[problem.line - block.first_line] or ""
                if custom_id in suspects or len(suspects) < _VERIFIED:
                    suspects.add(custom_id)
                else:
                    unlisted += 1
                continue
            log.add(problem)
        if block.crlf:
            crlf_line = crlf_line or block.crlf[0]
            crlf_count += len(block.crlf)
        progress.update(block.offset, scanner.size)
        if progress.stopped:
            raise _stopped(path)
    if suspects:
        _report_duplicates(path, limits, suspects, log, progress)
        log.count("duplicate_custom_id", unlisted)
    if crlf_count:
        log.add(
            Problem(
                line=crlf_line,
                code="crlf",
                severity="fixable",
                what=f"Windows line endings (CR LF) on {counted(crlf_count, 'line')}",
                fix="Fixing the file removes the CRs.",
            )
        )
    _check_whole_file(scanner, limits, log)
    figures = scanner.figures
    report = CheckReport(
        path=str(path),
        size=scanner.size,
        rows=figures.rows,
        endpoints=figures.endpoints,
        models=figures.models,
        problems=tuple(sorted(log.problems, key=lambda problem: problem.line or 0)),
        found={code: count for code, count in log.found.items() if count},
        input_tokens=math.ceil(figures.costs.tokens),
        longest_line=figures.longest_line,
        stops=log.stops,
        fixable=log.fixable,
    )
    return Scan(report, figures.costs)


def _not_requests(path: Path, found: Recognition) -> CheckReport | None:
    """The report for a file of another form: one problem that says what it is."""
    if found.kind == "other" and path.suffix.lower() in (".jsonl", ".ndjson"):
        # Its lines are meant to be requests, and each is reported.
        return None
    return _other_form(path, found)


def _other_form(path: Path, found: Recognition) -> CheckReport:
    problem = Problem(
        line=None,
        code="other_form",
        severity="error",
        what=f"{found.what}, not requests"
        if found.kind not in ("foreign", "convertible") and "not requests" not in found.what
        else found.what,
        fix=f"{found.can}.",
    )
    return CheckReport(
        path=str(path),
        size=path.stat().st_size,
        rows=0,
        endpoints={},
        models={},
        problems=(problem,),
        found={"other_form": 1},
        input_tokens=0,
        stops=1,
        form=found.form or found.kind,
    )


def check_file(
    path: Path,
    *,
    limits: RequestLimits = RequestLimits(),  # noqa: B008 - frozen
    progress: Progress = NO_PROGRESS,
) -> CheckReport:
    """Check a requests file; see ``scan_file``."""
    return scan_file(path, limits=limits, progress=progress).report


def scan_lines(lines: Iterable[bytes]) -> CostInputs:
    """Find what decides the cost of request lines; other lines are ignored."""
    scanner = Scanner(RequestLimits())
    block: list[bytes] = []
    size = 0
    for line in lines:
        block.append(line)
        size += len(line)
        if size >= BLOCK_BYTES:
            scanner.read(block, 1, b"".join(block))
            block, size = [], 0
    if block:
        scanner.read(block, 1, b"".join(block))
    return scanner.figures.costs


class _ProblemLog:
    """Counts all problems and keeps the first few of each code."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.found: Counter[str] = Counter()
        self._shown: Counter[tuple[str, str]] = Counter()
        self._rules: set[str] = set()
        self.stops = 0
        self.fixable = 0

    def add(self, problem: Problem) -> None:
        if problem.severity == "warning" and problem.code == "refused_field":
            # A rule for a family of models holds for all rows alike: it counts and is listed once.
            if problem.what in self._rules:
                return
            self._rules.add(problem.what)
        self.found[problem.code] += 1
        self._shown[problem.code, problem.severity] += 1
        self.stops += problem.severity == "error"
        self.fixable += problem.severity == "fixable"
        if self._shown[problem.code, problem.severity] <= SHOWN_PER_CODE:
            self.problems.append(problem)

    def count(self, code: ProblemCode, errors: int) -> None:
        """Count errors without listing them."""
        if errors:
            self.found[code] += errors
            self.stops += errors


def _stopped(path: Path) -> InputError:
    return InputError(f"reading {quoted(str(path), 200)} was stopped", path=path)


def _report_duplicates(
    path: Path,
    limits: RequestLimits,
    suspects: set[str],
    log: _ProblemLog,
    progress: Progress,
) -> None:
    """Read the ids again and report each duplicate with the line of its first use."""
    first: dict[str, int] = {}
    for number, custom_id in ids_of(path, limits):
        if custom_id not in suspects:
            continue
        if custom_id in first:
            log.add(duplicate(custom_id, number, first[custom_id]))
        else:
            first[custom_id] = number
            if progress.stopped:
                raise _stopped(path)


def _check_whole_file(scanner: Scanner, limits: RequestLimits, log: _ProblemLog) -> None:
    """Report problems of the file as a whole."""
    rows, size = scanner.figures.rows, scanner.size
    _check_sizes(scanner.sizes, log)
    _check_endpoints(scanner.figures.endpoints, limits, log)
    if rows == 0:
        log.add(
            Problem(
                line=None,
                code="empty_file",
                severity="error",
                what="the file contains no requests" if size else "the file is empty",
                fix="Write one request per line.",
            )
        )
    if 0 < rows < limits.min_rows:
        log.add(
            Problem(
                line=None,
                code="too_few_rows",
                severity="error",
                what=f"{counted(rows, 'row')}; {limits.provider_name or 'the provider'} requires at"
                f" least {limits.min_rows:,} in a batch",
                fix="Send them one by one instead: account NAME+direct.",
            )
        )
    if limits.rows and rows > limits.rows:
        log.add(_over_limit("too_many_rows", f"{rows:,} rows", rows, limits.rows, limits.splits))
    if limits.bytes and size > limits.bytes:
        log.add(_over_limit("too_large", f"{size:,} bytes", size, limits.bytes, limits.splits))


def _check_endpoints(found: dict[str, int], limits: RequestLimits, log: _ProblemLog) -> None:
    """Report each endpoint that the account does not have, once."""
    if not limits.endpoints or limits.check_line is not None:
        # Rows that are translated are judged one by one.
        return
    for endpoint, rows in found.items():
        if endpoint in limits.endpoints or endpoint == OTHERS:
            continue
        path = _without_version(endpoint)
        same = next((each for each in limits.endpoints if _without_version(each) == path), "")
        owner = next((name for end, name in _OWNERS if path.endswith(end)), "")
        whose = f" (it is {owner}'s)" if owner else ""
        fix = f'Write "url": "{same}".' if same else f"Endpoints: {', '.join(limits.endpoints)}."
        if owner and not same:
            fix = f"Send these rows with an account of {owner}."
        log.add(
            Problem(
                line=None,
                code="unknown_endpoint",
                severity="error" if limits.endpoints_known else "warning",
                what=f"{limits.provider_name} has no endpoint {quoted(endpoint)}{whose};"
                f" {counted(rows, 'row')}",
                fix=fix,
            )
        )


_OWNERS = (
    ("/messages", "Anthropic"),
    (":generateContent", "Gemini"),
    (":embedContent", "Gemini"),
    (INVOKE_URL, "Bedrock"),
    (CONVERSE_URL, "Bedrock"),
)
"""Whose endpoint a path is, where only one provider has it."""


def _without_version(path: str) -> str:
    return re.sub(r"^/v\d+(?=/)", "", path)


def _check_sizes(sizes: LineSizes, log: _ProblemLog) -> None:
    """Warn about rows that are much larger than the others."""
    median, count, listed = sizes.outliers()
    for number, size in listed:
        log.add(
            Problem(
                line=number,
                code="odd_size",
                severity="warning",
                what=f"the row has {size:,} bytes, {size // median:,} times the median {median:,}",
                fix="Check whether a whole file ended up in one cell.",
            )
        )
    log.found["odd_size"] += count - len(listed)


def _over_limit(code: ProblemCode, what: str, amount: int, limit: int, splits: bool) -> Problem:
    parts = math.ceil(amount / limit)
    return Problem(
        line=None,
        code=code,
        severity="warning" if splits else "error",
        what=f"{what}; the limit per batch is {limit:,}",
        fix=f"It will be split into {parts} batches."
        if splits
        else f"Split the file into {parts} parts.",
    )
