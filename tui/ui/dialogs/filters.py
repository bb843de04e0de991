"""Queries that were kept by a name: recall one, keep the one that is on, let one go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.core.text import one_line
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content


@dataclass(frozen=True)
class FiltersAnswer:
    """What a person wants: all that is kept now, and the query to use (``None``: as it is)."""

    kept: dict[str, str]
    use: str | None = None


class FilterList(OptionList):
    """The names with their queries."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("d,delete", "screen.forget", show=False),
    ]


class FiltersDialog(Dialog[FiltersAnswer]):
    """A name keeps the query that is on; ``enter`` on a name recalls it.

    Args:
        kept: Queries by their names.
        current: The query that is on; empty for none.
    """

    TITLE_TEXT = "Filters"
    DEFAULT_CSS = """
    FiltersDialog > .dialog { width: 76; }
    FiltersDialog Input { margin-bottom: 1; }
    FiltersDialog OptionList { height: auto; max-height: 12; border: none; margin-bottom: 1; }
    FiltersDialog OptionList:focus { border: none; }
    """

    def __init__(self, kept: Mapping[str, str], current: str) -> None:
        super().__init__()
        self._kept = dict(kept)
        self._current = current
        self._list = FilterList(id="filters")

    def compose_inside(self) -> ComposeResult:
        """The query that is on with a place for its name, and the kept ones."""
        if self._current:
            head: list[Part] = [("Keep ", "muted"), (one_line(self._current, 60), "accent")]
            yield Static(content(head), markup=False)
            yield Input(placeholder="as: a name, then enter", compact=True, id="filter-name")
        yield self._list
        yield Static("", id="filters-keys", classes="dialog-text", markup=False)

    def on_mount(self) -> None:
        """Begin with the kept ones, or with the name where there are none."""
        self._fill()
        if self._kept or not self._current:
            self._list.focus()
        else:
            self.query_one(Input).focus()

    def _fill(self) -> None:
        width = max((len(name) for name in self._kept), default=0)
        self._list.clear_options()
        for name, query in self._kept.items():
            shown = one_line(name, 30).ljust(min(width, 30))
            line: list[Part] = [(shown, "strong"), (f"  {one_line(query, 60)}", "muted")]
            self._list.add_option(Option(content(line)))
        self._list.display = bool(self._kept)
        if self._kept:
            self._list.highlighted = 0
        keys: list[Part] = []
        told = [("enter", "takes it"), ("d", "forgets it")] if self._kept else []
        if not self._kept and not self._current:
            keys.append(("No filter is kept yet. Filter rows with / first, then come back.\n", ""))
        for key, what in (*told, ("tab", "name or list"), ("esc", "leaves")):
            keys += [(key, "accent"), (f" {what}   ", "muted")]
        self.query_one("#filters-keys", Static).update(content(keys))

    @on(OptionList.OptionSelected)
    def _used(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        query = list(self._kept.values())[event.option_index]
        self.dismiss(FiltersAnswer(self._kept, query))

    @on(Input.Submitted)
    def _named(self, event: Input.Submitted) -> None:
        event.stop()
        name = event.value.strip()
        if not name:
            self.app.bell()
            return
        self._kept[name] = self._current
        self.dismiss(FiltersAnswer(self._kept))

    def action_forget(self) -> None:
        """Let the name under the cursor go."""
        at = self._list.highlighted
        if at is not None and at < len(self._kept):
            del self._kept[list(self._kept)[at]]
            self._fill()

    def action_leave(self) -> None:
        """Leave, with what was forgotten forgotten."""
        self.dismiss(FiltersAnswer(self._kept))
