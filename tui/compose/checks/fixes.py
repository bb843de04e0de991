"""Write a fixed copy of a requests file, or a copy with one line replaced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec

from tui.compose.checks.line import LineChecker
from tui.compose.requests.block_reader import open_bytes
from tui.compose.requests.custom_ids import IdMaker
from tui.compose.requests.duplicates import DuplicateFinder
from tui.compose.requests.rules import RequestLimits
from tui.core.json_path import apply_settings, is_path, remove
from tui.core.requests import LIMIT_FIELDS
from tui.core.text import BLANKS, BOM, quoted, split_lines
from tui.errors import InputError, UsageError
from tui.files import atomic_file
from tui.progress import NO_PROGRESS, Progress

_BYTES_PER_ROW = 300
_encode = msgspec.json.Encoder().encode
_decode_row = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any = msgspec.json.Decoder().decode


class Fixes(msgspec.Struct, frozen=True, kw_only=True):
    """The changes to make. Byte order marks, CRs and blank lines are always removed.

    Attributes:
        ids: ``keep`` changes none; ``bad`` replaces those that are missing, duplicate or not
            valid at every provider; ``all`` renumbers them as ``row-1``, ``row-2`` and so on.
        drop_duplicates: Drop rows with a duplicate id instead of giving them a new one.
        drop_empty: Drop rows whose prompt, or whose user message, is empty.
        model: The model for every row.
        max_tokens_at_least: Raise lower ``max_tokens`` to this.
        max_tokens_at_most: Reduce higher ``max_tokens`` to this.
        settings: Other fields of the body to set, by path.
        unset: Fields to remove from the body, by path (see ``tui.core.json_path``).
    """

    ids: Literal["keep", "bad", "all"] = "keep"
    drop_duplicates: bool = False
    drop_empty: bool = False
    model: str = ""
    max_tokens_at_least: int | None = None
    max_tokens_at_most: int | None = None
    settings: dict[str, Any] = {}
    unset: tuple[str, ...] = ()


class FixReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was changed: rows written, and the number of rows or lines per kind of change."""

    path: str
    rows: int = 0
    blank_dropped: int = 0
    repeated_dropped: int = 0
    empty_dropped: int = 0
    ids_changed: int = 0
    bodies_changed: int = 0


def apply_fixes(
    path: Path, out_path: Path, fixes: Fixes, *, progress: Progress = NO_PROGRESS
) -> FixReport:
    """Write a fixed copy of a file, streamed and atomically.

    Values that are not changed keep their exact bytes.

    Args:
        path: The file to fix.
        out_path: The file to write; may be the same as ``path``.
        fixes: The changes to make.
        progress: Asked whether to stop.

    Raises:
        InputError: A line is not a JSON object (the error names it), a file cannot be read or
            written, or the work was stopped.
        UsageError: The fixes contradict each other, or the path of a setting does not exist.
    """
    least, most = fixes.max_tokens_at_least, fixes.max_tokens_at_most
    if least is not None and most is not None and least > most:
        raise UsageError("the minimum max_tokens is above the maximum", "Swap the two values.")
    for field in fixes.unset:
        if not is_path(field):
            raise UsageError(f"{quoted(field)} is not a valid path", "Write a path such as top_p.")
    with open_bytes(path) as source, atomic_file(out_path) as target:
        state = _FixPass(fixes, path.stat().st_size)
        for number, line in enumerate(_lines(source, path, progress), 1):
            try:
                fixed = state.fix_line(line, number)
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"line {number} of {quoted(path.name)} is not a JSON object: {error}",
                    "Fix or remove the line.",
                    path=path,
                    line=number,
                ) from None
            if fixed is not None:
                target.write(fixed)
                target.write(b"\n")
    return FixReport(path=str(out_path), **state.counts)


class _FixPass:
    """The state of one pass over a file of ``size`` bytes: the ids seen and the changes made."""

    def __init__(self, fixes: Fixes, size: int) -> None:
        self._fixes = fixes
        self._explain = LineChecker(RequestLimits()).explain
        self._settings = dict(fixes.settings)
        if fixes.model:
            self._settings["model"] = fixes.model
        self._edits_body = bool(
            self._settings
            or fixes.unset
            or fixes.max_tokens_at_least is not None
            or fixes.max_tokens_at_most is not None
        )
        self.counts: Counter[str] = Counter()
        rows = size // _BYTES_PER_ROW
        self._new_ids = IdMaker(rows)
        self._seen_ids = DuplicateFinder(rows)

    def fix_line(self, line: bytes, number: int) -> bytes | None:
        line = line.removeprefix(BOM).strip(BLANKS)
        if not line:
            self.counts["blank_dropped"] += 1
            return None
        fixes = self._fixes
        if (
            fixes.ids == "keep"
            and not fixes.drop_duplicates
            and not fixes.drop_empty
            and not self._edits_body
        ):
            self.counts["rows"] += 1
            return line
        row = _decode_row(line)
        if fixes.drop_empty and self._is_empty(line, number):
            self.counts["empty_dropped"] += 1
            return None
        if not self._fix_id(row, number):
            self.counts["repeated_dropped"] += 1
            return None
        if self._edits_body:
            self._fix_body(row)
        self.counts["rows"] += 1
        return _encode(row)

    def _is_empty(self, line: bytes, number: int) -> bool:
        problems = self._explain(line, number).problems
        return any(problem.code == "empty_prompt" for problem in problems)

    def _fix_id(self, row: dict[str, msgspec.Raw], number: int) -> bool:
        """Set the row's id; false when the row is to be dropped."""
        fixes = self._fixes
        value = _decode_any(row["custom_id"]) if "custom_id" in row else None
        old = value if isinstance(value, str) else "" if value is None else str(value)
        if fixes.drop_duplicates and old and not self._seen_ids.add_if_new(old):
            return False
        if fixes.ids == "keep":
            return True
        new = (
            f"row-{self.counts['rows'] + 1}"
            if fixes.ids == "all"
            else self._new_ids.make(old, number)
        )
        if new != value:
            self.counts["ids_changed"] += 1
            rest = {name: raw for name, raw in row.items() if name != "custom_id"}
            row.clear()
            row["custom_id"] = msgspec.Raw(_encode(new))
            row.update(rest)
        return True

    def _fix_body(self, row: dict[str, msgspec.Raw]) -> None:
        name = "params" if "params" in row and "body" not in row else "body"
        if name not in row:
            return
        raw = row[name]
        body = _decode_any(raw)
        if not isinstance(body, dict):
            return
        before = _encode(body)
        for field in self._fixes.unset:
            remove(body, field)
        apply_settings(body, self._settings)
        for field in LIMIT_FIELDS:
            length = body.get(field)
            if isinstance(length, int) and not isinstance(length, bool):
                least, most = self._fixes.max_tokens_at_least, self._fixes.max_tokens_at_most
                length = length if least is None else max(length, least)
                body[field] = length if most is None else min(length, most)
        after = _encode(body)
        if after != before:
            self.counts["bodies_changed"] += 1
            row[name] = msgspec.Raw(after)


def read_line_at(path: Path, number: int, *, progress: Progress = NO_PROGRESS) -> bytes:
    r"""Read line ``number`` (from 1), without its ``\n``.

    Args:
        path: The file.
        number: The line number.
        progress: Asked whether to stop.

    Raises:
        InputError: The file cannot be read or has fewer lines, or the work was stopped.
    """
    with open_bytes(path) as file:
        for index, line in enumerate(_lines(file, path, progress), 1):
            if index == number:
                return line.removesuffix(b"\r")
    raise InputError(
        f"{quoted(path.name)} has no line {number:,}", "Check the line number.", path=path
    )


def write_line(
    path: Path | None,
    out_path: Path,
    line: bytes,
    number: int | None = None,
    *,
    progress: Progress = NO_PROGRESS,
) -> int:
    r"""Write a copy of a file with one line replaced or appended, atomically.

    The other lines keep their exact bytes.

    Args:
        path: The file; ``None`` for an empty one.
        out_path: The file to write; may be the same as ``path``.
        line: The new line, without ``\n``.
        number: The line to replace, from 1; ``None`` to append.
        progress: Asked whether to stop.

    Returns:
        The number of the written line.

    Raises:
        InputError: A file cannot be read or written, has fewer lines, or the work was stopped.
    """
    index = 0
    written = 0
    with atomic_file(out_path) as target:
        if path is not None:
            with open_bytes(path) as source:
                for index, old in enumerate(_lines(source, path, progress), 1):
                    if index == number:
                        written, old = index, line
                    target.write(old)
                    target.write(b"\n")
        if number is None:
            written = index + 1
            target.write(line + b"\n")
        if not written:
            raise InputError(f"there is no line {number:,}", "Check the line number.", path=path)
    return written


def _lines(file: BinaryIO, path: Path, progress: Progress) -> Iterator[bytes]:
    for _, line in split_lines(file):
        if progress.stopped:
            raise InputError("stopped; no file was written", path=path)
        yield line
