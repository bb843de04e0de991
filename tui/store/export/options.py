"""Formats and options of an export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from tui.errors import UsageError

Format = Literal["jsonl", "csv", "tsv", "sqlite", "parquet", "html", "archive"]

FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".sqlite": "sqlite",
    ".db": "sqlite",
    ".parquet": "parquet",
    ".html": "html",
    ".batchdeck": "archive",
}
"""Formats by file extension; ``.gz`` may follow those of text formats with rows."""

_COMPRESSIBLE = ("jsonl", "csv", "tsv")

_APPLIES_TO: dict[str, frozenset[Format]] = {
    "join": frozenset({"jsonl", "csv", "tsv", "sqlite", "parquet"}),
    "attempts": frozenset({"jsonl", "csv", "tsv", "sqlite", "parquet"}),
    "raw": frozenset({"jsonl"}),
    "raw_cells": frozenset({"csv", "tsv"}),
    "expand": frozenset({"csv", "tsv", "parquet"}),
    "columns": frozenset({"jsonl", "csv", "tsv"}),
    "reviewed": frozenset({"jsonl", "csv", "tsv", "sqlite", "parquet"}),
}


class ExportOptions(msgspec.Struct, frozen=True):
    """Options of an export.

    Attributes:
        join: Add the input columns of the table that the job was composed from.
        attempts: Write every attempt as a row of its own, instead of the merged outcome. In
            SQLite they are in a separate table, next to the merged rows.
        raw: Write the provider's result lines unchanged; rows without one are left out. With
            all rows of a job, lines that belong to no row follow at the end.
        raw_cells: Keep cells that a spreadsheet would run as a formula.
        expand: Write the fields of JSON answers as columns.
        columns: Write only these columns, named as in a query (``@label``, ``in.lang``,
            ``answer``), or ``review``, ``reviewer``, ``correction``, ``note``.
        reviewed: Write the correction of a reviewer in place of the answer where there is one.
    """

    join: bool = False
    attempts: bool = False
    raw: bool = False
    raw_cells: bool = False
    expand: bool = False
    reviewed: bool = False
    columns: tuple[str, ...] = ()

    def named(self) -> Sequence[str]:
        """Names of the options that are set."""
        return [name for name in _APPLIES_TO if getattr(self, name)]


def option_applies(format: Format, option: str) -> bool:
    """Whether an option, named as in ``ExportOptions``, applies to a format."""
    return format in _APPLIES_TO[option]


def format_of(path: Path) -> tuple[Format, bool]:
    """The format of a file by its extension, and whether it is compressed with gzip.

    Raises:
        UsageError: The extension is unknown.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = bool(suffixes) and suffixes[-1] == ".gz"
    if compressed:
        suffixes.pop()
    format = FORMATS.get(suffixes[-1]) if suffixes else None
    if format is None or (compressed and format not in _COMPRESSIBLE):
        raise UsageError(
            f"{path.name}: unknown file extension",
            f"Use one of {', '.join(FORMATS)}; .gz may follow .jsonl, .csv and .tsv.",
        )
    return format, compressed


def check_options(path: Path, options: ExportOptions) -> None:
    """Check that the options apply to the format, and can be combined.

    Raises:
        UsageError: They do not or cannot.
    """
    format, _ = format_of(path)
    for name in options.named():
        if not option_applies(format, name):
            extensions = ", ".join(
                end for end, kind in FORMATS.items() if option_applies(kind, name)
            )
            raise UsageError(
                f"the option {name.replace('_', '-')} does not apply to {path.name}",
                f"Use it with {extensions}.",
            )
    for one, other in (
        ("columns", "join"),
        ("columns", "raw"),
        ("columns", "expand"),
        ("raw", "join"),
        ("raw", "reviewed"),
        ("attempts", "reviewed"),
    ):
        if getattr(options, one) and getattr(options, other):
            raise UsageError(
                f"the options {one} and {other} cannot be combined", "Use only one of them."
            )
