"""Mending a file of requests: a new file, in which a few things are changed and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from tui.compose.atomic import atomic_file
from tui.compose.blocks import open_bytes
from tui.compose.duplicates import DuplicateFinder
from tui.compose.explain import Explainer
from tui.compose.ids import IdMaker
from tui.compose.limits import Limits
from tui.compose.settings import apply_settings
from tui.core.lines import BOM, lines_of
from tui.core.refusals import is_path, remove_at
from tui.core.text import quoted
from tui.errors import InputError, UsageError

LENGTH_FIELDS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""Where a body says how long the answer may be."""

_EVERY = 1000
_encode = msgspec.json.Encoder().encode
_decode_row = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any = msgspec.json.Decoder().decode


class Fixes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be changed. Byte order marks, CRs and blank lines are left out always.

    Attributes:
        ids: ``bad``: only those that are missing, repeated or not legal everywhere get
            another; ``all``: they become ``row-1``, ``row-2`` and so on.
        drop_repeated: Leave out rows whose id was there before, rather than rename them.
        drop_empty: Leave out rows whose prompt, or whose user's message, says nothing.
        model: For every row.
        max_tokens_least: Lift lower lengths to this.
        max_tokens_most: Lower higher ones to this.
        settings: Further fields of the body.
        unset: Fields to take out of the body, by path (see ``tui.core.refusals``).
    """

    ids: Literal["keep", "bad", "all"] = "keep"
    drop_repeated: bool = False
    drop_empty: bool = False
    model: str = ""
    max_tokens_least: int | None = None
    max_tokens_most: int | None = None
    settings: dict[str, Any] = {}
    unset: tuple[str, ...] = ()


class FixReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was changed: rows written, and rows or lines for each kind of change."""

    path: str
    rows: int = 0
    blank_dropped: int = 0
    repeated_dropped: int = 0
    empty_dropped: int = 0
    ids_changed: int = 0
    bodies_changed: int = 0


def apply_fixes(
    path: Path, out_path: Path, fixes: Fixes, *, stop: Callable[[], bool] | None = None
) -> FixReport:
    """Write a mended copy of a file, streamed; it appears as a whole or not at all.

    Values that are not to be changed keep their very bytes.

    Args:
        path: The file; ``out_path`` may be the same.
        out_path: The file to write.
        fixes: What to change.
        stop: Asked now and then; true ends the work.

    Raises:
        InputError: A line is no JSON object (it is named), a file cannot be read or written,
            or the work was stopped.
        UsageError: The fixes contradict each other, or a setting leads nowhere.
    """
    least, most = fixes.max_tokens_least, fixes.max_tokens_most
    if least is not None and most is not None and least > most:
        raise UsageError("max_tokens cannot be lifted above where it is lowered to", "Swap them.")
    for field in fixes.unset:
        if not is_path(field):
            raise UsageError(f"{quoted(field)} names no field", "Write a path, such as top_p.")
    work = _Work(fixes)
    with open_bytes(path) as source, atomic_file(out_path) as target:
        work.expect(path.stat().st_size)
        for number, (_, line) in enumerate(lines_of(source), 1):
            try:
                made = work.mend(line, number)
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"line {number} of {quoted(path.name)} is no JSON object: {error}",
                    "Mend or remove the line.",
                    path=path,
                    line=number,
                ) from None
            if made is not None:
                target.write(made)
                target.write(b"\n")
            if number % _EVERY == 0 and stop is not None and stop():
                raise InputError("the work was stopped; no file was written", path=path)
    return work.report(out_path)


class _Work:
    """One pass: what was seen, and what was changed."""

    def __init__(self, fixes: Fixes) -> None:
        self._fixes = fixes
        self._explain = Explainer(Limits()).explain
        self._settings = dict(fixes.settings)
        if fixes.model:
            self._settings["model"] = fixes.model
        self._edits_body = bool(
            self._settings
            or fixes.unset
            or fixes.max_tokens_least is not None
            or fixes.max_tokens_most is not None
        )
        self._rows = self._blank = self._repeated = self._ids = self._bodies = 0
        self._empty = 0
        self.expect(0)

    def expect(self, size: int) -> None:
        """Make room for the ids of a file of so many bytes."""
        rows = size // 300
        self._made = IdMaker(rows)
        self._given = DuplicateFinder(rows)

    def mend(self, line: bytes, number: int) -> bytes | None:
        line = line.removeprefix(BOM).strip()
        if not line:
            self._blank += 1
            return None
        fixes = self._fixes
        if (
            fixes.ids == "keep"
            and not fixes.drop_repeated
            and not fixes.drop_empty
            and not self._edits_body
        ):
            self._rows += 1
            return line
        row = _decode_row(line)
        if fixes.drop_empty and self._says_nothing(line, number):
            self._empty += 1
            return None
        if not self._mend_id(row, number):
            self._repeated += 1
            return None
        if self._edits_body:
            self._mend_body(row)
        self._rows += 1
        return _encode(row)

    def _says_nothing(self, line: bytes, number: int) -> bool:
        problems = self._explain(line, number).problems
        return any(problem.code == "empty_prompt" for problem in problems)

    def _mend_id(self, row: dict[str, msgspec.Raw], number: int) -> bool:
        """Give the row its id; false when it is to be left out."""
        fixes = self._fixes
        value = _decode_any(row["custom_id"]) if "custom_id" in row else None
        old = value if isinstance(value, str) else "" if value is None else str(value)
        if fixes.drop_repeated and old and not self._given.is_new(old):
            return False
        if fixes.ids == "keep":
            return True
        new = f"row-{self._rows + 1}" if fixes.ids == "all" else self._made.make(old, number)
        if new != value:
            self._ids += 1
            rest = {name: raw for name, raw in row.items() if name != "custom_id"}
            row.clear()
            row["custom_id"] = msgspec.Raw(_encode(new))
            row.update(rest)
        return True

    def _mend_body(self, row: dict[str, msgspec.Raw]) -> None:
        name = "params" if "params" in row and "body" not in row else "body"
        if name not in row:
            return
        raw = row[name]
        body = _decode_any(raw)
        if not isinstance(body, dict):
            return
        before = _encode(body)
        for field in self._fixes.unset:
            remove_at(body, field)
        apply_settings(body, self._settings)
        for field in LENGTH_FIELDS:
            length = body.get(field)
            if isinstance(length, int) and not isinstance(length, bool):
                least, most = self._fixes.max_tokens_least, self._fixes.max_tokens_most
                length = length if least is None else max(length, least)
                body[field] = length if most is None else min(length, most)
        after = _encode(body)
        if after != before:
            self._bodies += 1
            row[name] = msgspec.Raw(after)

    def report(self, path: Path) -> FixReport:
        return FixReport(
            path=str(path),
            rows=self._rows,
            blank_dropped=self._blank,
            repeated_dropped=self._repeated,
            empty_dropped=self._empty,
            ids_changed=self._ids,
            bodies_changed=self._bodies,
        )
