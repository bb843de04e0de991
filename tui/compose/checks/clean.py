"""The requests of a checked file as they are imported: clean lines in one common form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tui.compose.checks.scan import Block, Scanner, ids_of
from tui.compose.requests.prompts import MESSAGES_URL, own_row
from tui.compose.requests.report import Problem
from tui.compose.requests.rules import RequestLimits
from tui.core.text import BOM
from tui.errors import InputError


class CleanRequest(msgspec.Struct, frozen=True, gc=False):
    r"""One request: its id, its line without ``\n``, and the line's number from 1.

    A ``{"custom_id", "params"}`` row in Anthropic's form, or a row in the own form of Gemini,
    Vertex AI or Bedrock, is converted to ``custom_id``, ``method``, ``url`` and ``body``.
    """

    custom_id: str
    line: bytes
    line_number: int


_decode = msgspec.json.Decoder(dict[str, Any]).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NULL = msgspec.Raw(b"null")


def clean_requests(
    path: Path,
    *,
    fix: bool,
    limits: RequestLimits = RequestLimits(),  # noqa: B008 - frozen
) -> Iterator[CleanRequest]:
    """Yield the requests of a valid file; memory use does not grow with the file.

    Args:
        path: The file.
        fix: Remove byte order marks, carriage returns and blank lines; if false, they are
            errors.
        limits: As for ``check_file``; the total rows and bytes are not checked.

    Raises:
        InputError: The file cannot be read, or a line (named by the error) fails the check.
            Requests before that line may already have been yielded.
    """
    empty = True
    for block in Scanner(limits, with_costs=False).blocks(path):
        for problem in block.problems:
            if problem.severity == "error" and _is_confirmed(problem, block, path, limits):
                raise _input_error(path, problem)
            if problem.severity == "fixable" and not fix:
                raise _input_error(path, problem)
        if block.crlf and not fix:
            raise InputError(
                f"line {block.crlf[0]}: Windows line endings (CR LF)",
                "Convert the line endings to LF, or use --fix.",
                path=path,
                line=block.crlf[0],
            )
        needs_cleaning = block.crlf or block.ready_made or block.problems
        for number, (custom_id, line) in enumerate(
            zip(block.ids, block.lines, strict=True), block.first_line
        ):
            if custom_id is not None:
                empty = False
                yield CleanRequest(
                    custom_id,
                    _clean(line, number) if needs_cleaning else line.rstrip(b"\n"),
                    number,
                )
    if empty:
        raise InputError("the file contains no requests", "Write one request per line.", path=path)


def _is_confirmed(problem: Problem, block: Block, path: Path, limits: RequestLimits) -> bool:
    """Confirm a problem; a duplicate is only suspected until the ids are compared."""
    if problem.code != "duplicate_custom_id" or problem.line is None:
        return True
    suspect = block.ids[problem.line - block.first_line]
    for number, custom_id in ids_of(path, limits):
        if number >= problem.line:
            return False
        if custom_id == suspect:
            return True
    return False


def _input_error(path: Path, problem: Problem) -> InputError:
    return InputError(
        f"line {problem.line}: {problem.what}", problem.fix, path=path, line=problem.line
    )


def _clean(line: bytes, number: int) -> bytes:
    r"""Return the line without byte order mark and ``\r``, other forms converted."""
    line = line.removeprefix(BOM).strip()
    if b'"request"' in line or b'"modelInput"' in line:
        given = _decode(line)
        if (own := own_row(given, number)) is not None:
            return msgspec.json.encode(
                {"custom_id": own.custom_id, "method": "POST", "url": own.url, "body": own.body}
            )
    if b'"params"' not in line:
        return line
    row = _decode_fields(line)
    params, body = row.get("params", _NULL), row.get("body", _NULL)
    if params == _NULL or body != _NULL:
        return line
    common = {"custom_id": row["custom_id"], "method": "POST", "url": MESSAGES_URL, "body": params}
    return msgspec.json.encode(common)
