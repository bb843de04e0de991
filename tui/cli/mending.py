"""What `check` can write: a mended copy of a file, and its parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tui.cli.options import edits_of, set_option
from tui.cli.session import stop_at_exit
from tui.cli.words import plural
from tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tui.compose.fixes import FixReport
    from tui.compose.split import PartFile
    from tui.engine.engine import Engine

Function = TypeVar("Function", bound="Callable[..., Any]")

_OPTIONS = (
    click.option("--fix-to", type=click.Path(path_type=Path), metavar="FILE",
                 help="Write a mended copy: no BOM, CR or blank lines, ids legal and different."),
    click.option("--renumber", is_flag=True, help="In the copy: ids row-1, row-2 and so on."),
    click.option("--drop-repeated", is_flag=True,
                 help="In the copy: leave out rows whose id was there before."),
    click.option("--drop-empty", is_flag=True,
                 help="In the copy: leave out rows whose prompt is empty."),
    click.option("--unset", multiple=True, metavar="PATH",
                 help="In the copy: take a field out of the bodies, such as temperature."),
    click.option("-m", "--model", metavar="MODEL", help="In the copy: the model of every row."),
    click.option("--lift-max-tokens", type=click.IntRange(min=1), metavar="N",
                 help="In the copy: raise lower lengths of answers to N."),
    click.option("--clamp-max-tokens", type=click.IntRange(min=1), metavar="N",
                 help="In the copy: lower higher ones to N."),
    set_option,
    click.option("--split-to", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
                 help="Write parts that the account's provider takes into DIR."),
    click.option("--rows", type=click.IntRange(min=1), metavar="N", help="Rows of a part."),
    click.option("--bytes", "size", type=click.IntRange(min=1), metavar="N",
                 help="Bytes of a part."),
)  # fmt: skip


def mending_options(function: Function) -> Function:
    """Give a command the options of ``Mending``, as keywords of its function."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@dataclass(frozen=True)
class Mending:
    """What is to be written, as the options say it."""

    fix_to: Path | None
    renumber: bool
    drop_repeated: bool
    drop_empty: bool
    unset: tuple[str, ...]
    model: str | None
    lift_max_tokens: int | None
    clamp_max_tokens: int | None
    edits: tuple[tuple[str, Any], ...]
    split_to: Path | None
    rows: int | None
    size: int | None

    def __post_init__(self) -> None:
        """Refuse options that would be passed over.

        Raises:
            UsageError: They belong to a file or a folder that is not named.
        """
        changes = (
            self.renumber, self.drop_repeated, self.drop_empty, self.unset, self.model,
            self.lift_max_tokens, self.clamp_max_tokens, self.edits,
        )  # fmt: skip
        if self.fix_to is None and any(changes):
            raise UsageError("there is no copy to change", "Name a file with --fix-to.")
        if self.split_to is None and (self.rows or self.size):
            raise UsageError("there is no folder for parts", "Name one with --split-to.")

    async def fix(self, engine: Engine, file: Path) -> FixReport | None:
        """Write the mended copy, if one is wanted."""
        if self.fix_to is None:
            return None
        from tui.compose.fixes import Fixes

        fixes = Fixes(
            ids="all" if self.renumber else "bad",
            drop_repeated=self.drop_repeated,
            drop_empty=self.drop_empty,
            unset=self.unset,
            model=self.model or "",
            max_tokens_least=self.lift_max_tokens,
            max_tokens_most=self.clamp_max_tokens,
            settings=dict(edits_of(self.edits)),
        )
        with stop_at_exit() as stop:
            return await engine.fix_file(file, self.fix_to, fixes, stop=stop)

    async def split(self, engine: Engine, file: Path, account: str | None) -> list[PartFile]:
        """Write the parts, if any are wanted.

        Raises:
            UsageError: Nothing says how large a part may be.
        """
        if self.split_to is None:
            return []
        limits = engine.accounts.profile(account or engine.accounts.default).limits
        if not (self.rows or self.size or limits.rows or limits.bytes):
            raise UsageError("the provider has no limits to split by", "Add --rows or --bytes.")
        with stop_at_exit() as stop:
            return await engine.split_file(
                file, self.split_to, account=account, rows=self.rows, size=self.size, stop=stop
            )


def fix_words(report: FixReport) -> str:
    """What was changed, in words."""
    parts = (
        (report.blank_dropped, "blank lines dropped"),
        (report.repeated_dropped, "repeated rows dropped"),
        (report.empty_dropped, "rows with an empty prompt dropped"),
        (report.ids_changed, "ids changed"),
        (report.bodies_changed, "bodies changed"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in parts if count) or "nothing to mend"


def part_lines(parts: list[PartFile]) -> list[str]:
    """A line for each part."""
    return [f"{part.path}  {plural(part.rows, 'row')} from {part.first_row:,}" for part in parts]


def written_document(fixed: FixReport | None, parts: list[PartFile]) -> Mapping[str, Any]:
    """What was written, for scripts; empty when nothing was."""
    import msgspec

    document: dict[str, Any] = {}
    if fixed is not None:
        document["fixed"] = msgspec.to_builtins(fixed)
    if parts:
        document["parts"] = [
            {"path": str(p.path), "first_row": p.first_row, "rows": p.rows, "size": p.size}
            for p in parts
        ]
    return document
