"""What can be written, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tui.errors import UsageError

Format = Literal["jsonl", "csv", "tsv", "sqlite", "parquet", "html"]

FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".sqlite": "sqlite",
    ".db": "sqlite",
    ".parquet": "parquet",
    ".html": "html",
}
"""Endings that decide the format; ``.gz`` may follow those of texts with rows."""

_PACKED = ("jsonl", "csv", "tsv")

_TAKES: dict[str, frozenset[Format]] = {
    "join": frozenset({"jsonl", "csv", "tsv", "sqlite", "parquet"}),
    "attempts": frozenset({"jsonl", "csv", "tsv", "sqlite", "parquet"}),
    "raw": frozenset({"jsonl"}),
    "raw_cells": frozenset({"csv", "tsv"}),
    "expand": frozenset({"csv", "tsv", "parquet"}),
}


@dataclass(frozen=True)
class ExportOptions:
    """How rows are written.

    Attributes:
        join: With the columns of the table that the job was composed of.
        attempts: Every attempt on a line of its own, not the merged outcome. In SQLite they
            have a table of their own beside the merged rows.
        raw: The bytes of the provider's result lines, unchanged; rows without one are left out.
        raw_cells: Cells that a spreadsheet would take for a formula stay as they are.
        expand: The fields of JSON answers as columns.
    """

    join: bool = False
    attempts: bool = False
    raw: bool = False
    raw_cells: bool = False
    expand: bool = False

    def named(self) -> Sequence[str]:
        """The names of the options that are on."""
        return [name for name in _TAKES if getattr(self, name)]


def takes(format: Format, option: str) -> bool:
    """Does an option, named as in ``ExportOptions``, mean something for a format?"""
    return format in _TAKES[option]


def format_of(path: Path) -> tuple[Format, bool]:
    """The format that the end of a name asks for, and whether it is to be compressed.

    Raises:
        UsageError: The ending is not known.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] == ".gz"
    if packed:
        suffixes.pop()
    format = FORMATS.get(suffixes[-1]) if suffixes else None
    if format is None or (packed and format not in _PACKED):
        raise UsageError(
            f"{path.name}: cannot tell the format from the ending",
            f"Use one of {', '.join(FORMATS)}; .gz may follow .jsonl, .csv and .tsv.",
        )
    return format, packed


def check_options(path: Path, options: ExportOptions) -> None:
    """Refuse options that mean nothing together, or for the format.

    Raises:
        UsageError: They do.
    """
    format, _ = format_of(path)
    for name in options.named():
        if not takes(format, name):
            fitting = ", ".join(end for end, kind in FORMATS.items() if kind in _TAKES[name])
            raise UsageError(
                f"{name.replace('_', '-')} means nothing for {path.name}",
                f"It goes with {fitting}.",
            )
    if options.raw and options.join:
        raise UsageError(
            "raw lines are the provider's own bytes and cannot be joined", "Leave one of them out."
        )
