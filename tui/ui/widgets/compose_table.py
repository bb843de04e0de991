"""How a table is read, where what was found out is wrong: delimiter, header and encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Select

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
"""Name to character; further ones can be given on the command line."""

_HEADERS = {"first row names the columns": True, "no header": False}


@dataclass(frozen=True)
class TableReading:
    """How to read a table; ``None``: that is found out."""

    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None


class TableOptions(Horizontal):
    """Three fields that leave all to be found out at first."""

    DEFAULT_CSS = """
    TableOptions { height: 1; width: 1fr; }
    TableOptions > Select { width: 1fr; margin-right: 1; }
    TableOptions > Input { width: 1fr; }
    """

    @dataclass
    class Changed(Message):
        """Posted when the table is to be read otherwise."""

        reading: TableReading

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._told = TableReading()

    def compose(self) -> ComposeResult:
        """Delimiter, header, encoding."""
        yield Select[str](
            list(DELIMITERS.items()), prompt="cells: found", compact=True, id="table-delimiter"
        )
        yield Select[bool](
            list(_HEADERS.items()), prompt="header: found", compact=True, id="table-header"
        )
        yield Input(placeholder="encoding: found", compact=True, id="table-encoding")

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
