"""The requests of a file one by one, as they go into the history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from tui.compose.endpoints import MESSAGES_URL
from tui.compose.limits import Limits
from tui.compose.report import Problem
from tui.compose.scan import Block, Scanner, ids_of
from tui.core.lines import BOM
from tui.errors import InputError


class CleanRequest(msgspec.Struct, frozen=True, gc=False):
    r"""One request: its id, its line without ``\n``, and the line's number from 1.

    A ready-made ``{"custom_id", "params"}`` row comes in the common form, with ``method``,
    ``url`` and ``body``.
    """

    custom_id: str
    line: bytes
    line_number: int


class _ReadyMade(msgspec.Struct):
    custom_id: str
    params: msgspec.Raw


class _Common(msgspec.Struct):
    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


def clean_requests(
    path: Path,
    *,
    fix: bool,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Iterator[CleanRequest]:
    """The requests of a file that ``check_file`` finds in order, in a flat memory.

    Args:
        path: The file.
        fix: Leave out byte order marks, carriage returns and blank lines; without it they
            are errors.
        limits: The ones of the check. The number of rows and bytes is not looked at.

    Raises:
        InputError: The file cannot be read, or a line (named by the error) is one that the
            check stops on. Requests before the line may have been given out already.
    """
    scanner = Scanner(path, limits)
    previous_crs = 0
    empty = True
    for block in scanner.blocks():
        for problem in block.problems:
            if problem.severity == "error" and _is_so(problem, block, path, limits):
                raise _refusal(path, problem)
            if problem.severity == "fixable" and not fix:
                raise _refusal(path, problem)
        has_crs = scanner.crlf_count > previous_crs
        previous_crs = scanner.crlf_count
        if has_crs and not fix:
            raise InputError(
                f"line {scanner.crlf_line}: Windows line ends (CR LF)",
                "Let the file be fixed.",
                path=path,
                line=scanner.crlf_line,
            )
        mend = has_crs or scanner.ready_made or bool(block.problems)
        for number, (custom_id, line) in enumerate(
            zip(block.ids, block.lines, strict=True), block.first_line
        ):
            if custom_id is not None:
                empty = False
                yield CleanRequest(custom_id, _mended(line) if mend else line.rstrip(b"\n"), number)
    if empty:
        raise InputError("the file holds no requests", "Write one on each line.", path=path)


def _is_so(problem: Problem, block: Block, path: Path, limits: Limits) -> bool:
    """Is the problem real? A duplicate is only suspected until the ids are compared."""
    if problem.code != "duplicate_custom_id" or problem.line is None:
        return True
    wanted = block.ids[problem.line - block.first_line]
    for number, custom_id in ids_of(path, limits):
        if number >= problem.line:
            return False
        if custom_id == wanted:
            return True
    return False


def _refusal(path: Path, problem: Problem) -> InputError:
    return InputError(
        f"line {problem.line}: {problem.what}", problem.fix, path=path, line=problem.line
    )


def _mended(line: bytes) -> bytes:
    r"""The line without its byte order mark and ``\r``, and in the common form."""
    line = line.removeprefix(BOM).strip()
    if b'"params"' not in line:
        return line
    row = msgspec.json.decode(line)
    if row.get("params") is None or row.get("body") is not None:
        return line
    ready = _decode_ready_made(line)
    return msgspec.json.encode(_Common(ready.custom_id, "POST", MESSAGES_URL, ready.params))


_decode_ready_made = msgspec.json.Decoder(_ReadyMade).decode
