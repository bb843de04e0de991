"""How a table is read, where what was found out is wrong: delimiter, header and encoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Select

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
"""Name to character; further ones can be given on the command line."""

_HEADERS = {"header row": True, "no header": False}


@dataclass(frozen=True)
class TableReading:
    """How to read a table; ``None``: that is found out."""

    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None


class TableOptions(Horizontal):
    """Three fields that leave all to be found out at first, and show what that is.

    Args:
        found: What was found out of a table (see ``Source.notes``): encoding, delimiter, header.
    """

    DEFAULT_CSS = """
    TableOptions { height: 1; width: 1fr; }
    TableOptions > Select { width: 1fr; margin-right: 1; }
    TableOptions > Input { width: 1fr; }
    """

    @dataclass
    class Changed(Message):
        """Posted when the table is to be read otherwise."""

        reading: TableReading

    def __init__(self, found: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        encoding, cells, header = found
        self._found = encoding, cells.partition(" ")[0], header
        self._told = TableReading()

    def compose(self) -> ComposeResult:
        """Delimiter, header, encoding."""
        encoding, cells, header = self._found
        header = header if header in _HEADERS else next(iter(_HEADERS))
        fields: tuple[Widget, ...] = (
            Select[str](list(DELIMITERS.items()), prompt=cells, compact=True, id="table-delimiter"),
            Select[bool](list(_HEADERS.items()), prompt=header, compact=True, id="table-header"),
            Input(placeholder=encoding, compact=True, id="table-encoding"),
        )
        for field, what in zip(fields, ("Between cells", "Header", "Encoding"), strict=True):
            field.tooltip = f"{what}: found out, unless it is said here"
            yield field

    @property
    def reading(self) -> TableReading:
        """What is chosen."""
        delimiter = self.query_one("#table-delimiter", Select).value
        header = self.query_one("#table-header", Select).value
        encoding = self.query_one("#table-encoding", Input).value.strip()
        return TableReading(
            delimiter=None if delimiter is Select.NULL else cast(str, delimiter),
            encoding=encoding or None,
            header=None if header is Select.NULL else cast(bool, header),
        )

    def _tell(self) -> None:
        reading = self.reading
        if reading != self._told:
            self._told = reading
            self.post_message(self.Changed(reading))

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        self._tell()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        # Half of a name is no encoding: it is taken with enter, or when the field is left.
        event.stop()

    @on(Input.Submitted)
    @on(Input.Blurred)
    def _entered(self, event: Input.Submitted | Input.Blurred) -> None:
        event.stop()
        self._tell()
