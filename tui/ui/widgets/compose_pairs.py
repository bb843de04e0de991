"""Rows of two texts: a label and its description, or a class and its rubric."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

Pairs = tuple[tuple[str, str], ...]


class PairRow(Horizontal):
    """One pair: a short name, and what is meant by it."""

    DEFAULT_CSS = """
    PairRow { height: 1; }
    PairRow > .pair-name { width: 1fr; max-width: 24; margin-right: 1; }
    PairRow > .pair-what { width: 2fr; }
    """

    def __init__(self, pair: tuple[str, str], hints: tuple[str, str]) -> None:
        super().__init__()
        name, what = pair
        self.name_field = Input(name, placeholder=hints[0], compact=True, classes="pair-name")
        self.what_field = Input(what, placeholder=hints[1], compact=True, classes="pair-what")

    def compose(self) -> ComposeResult:
        """Both fields."""
        yield self.name_field
        yield self.what_field

    @property
    def pair(self) -> tuple[str, str]:
        """What stands in them."""
        return self.name_field.value, self.what_field.value

    @property
    def is_empty(self) -> bool:
        """Is nothing written?"""
        return not any(map(str.strip, self.pair))


class PairRows(Vertical):
    """As many pairs as are written, and an empty one for the next; emptied ones do not count.

    Args:
        hints: What stands in the empty row.
        most: So many pairs at the most.
    """

    DEFAULT_CSS = """
    PairRows { height: auto; }
    """

    @dataclass
    class Changed(Message):
        """Posted when a pair changed."""

        rows: PairRows

        @property
        def control(self) -> PairRows:
            """The rows."""
            return self.rows

    def __init__(self, hints: tuple[str, str], most: int = 200, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hints = hints
        self._most = most
        self._rows: list[PairRow] = []

    def on_mount(self) -> None:
        """One empty row."""
        if not self._rows:
            self._grow()

    @property
    def pairs(self) -> Pairs:
        """What is written."""
        return tuple(row.pair for row in self._rows if not row.is_empty)

    def show(self, pairs: Pairs) -> None:
        """Show other pairs."""
        for row in self._rows:
            row.remove()
        self._rows = []
        for pair in pairs[: self._most]:
            self._add(pair)
        self._grow()

    def _grow(self) -> None:
        if len(self._rows) < self._most and (not self._rows or not self._rows[-1].is_empty):
            self._add(("", ""))

    def _add(self, pair: tuple[str, str]) -> None:
        row = PairRow(pair, self._hints)
        self._rows.append(row)
        self.mount(row)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._grow()
        self.post_message(self.Changed(self))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()
