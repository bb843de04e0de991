"""The start of Compose: what can be opened with one key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.core.text import one_line
from tui.ui.screens.compose.step import Desk, Step
from tui.ui.tones import Part, content

RECENT = 6
"""So many sources are offered again."""

_FIXED = (
    ("pick_file", "Choose a file…", "f", "table, text, requests, database"),
    ("documents", "Five documents to summarise", "", "sample, free on the sandbox"),
    ("products", "Ten products to write copy for", "", "sample, free on the sandbox"),
    ("sample", "200 requests of which some fail", "T", "sample that shows retrying"),
    ("request", "One request by hand", "E", "in an editor with checks"),
)


class StartList(OptionList):
    """The beginnings; letters move as in every list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("g", "first", show=False),
        Binding("G", "last", show=False),
    ]


class StartStep(Step):
    """A list of beginnings: choose a file, a sample, a source that was used before."""

    DEFAULT_CSS = """
    StartStep { align: center middle; }
    StartStep > Vertical { width: 76; max-width: 100%; height: auto; max-height: 100%; }
    StartStep Static { height: auto; margin-bottom: 1; }
    StartStep OptionList { height: auto; max-height: 14; border: none; padding: 0; }
    StartStep OptionList { background: transparent; }
    """

    def __init__(self, desk: Desk, recent: Sequence[str]) -> None:
        super().__init__(desk)
        self._recent = list(recent)[:RECENT]

    def compose(self) -> ComposeResult:
        """The words and the list."""
        with Vertical():
            yield Static(_words(), markup=False)
            yield StartList(*self._options(), compact=True, markup=False, id="start-list")

    def on_mount(self) -> None:
        """The first entry is chosen."""
        self.query_one(OptionList).highlighted = 0
        self.post_message(self.Redrawn())

    def _options(self) -> list[Option]:
        made = [Option(_prompt(name, key, what), id=id) for id, name, key, what in _FIXED]
        for place, spec in enumerate(self._recent):
            name = spec if len(spec) <= 60 else "…" + spec[-59:]
            made.append(Option(_prompt(one_line(name, 60), "", ""), id=f"recent-{place}"))
        return made

    def show_recent(self, recent: Sequence[str]) -> None:
        """Offer other sources, when the start is looked at again."""
        self._recent = list(recent)[:RECENT]
        entries = self.query_one(OptionList)
        entries.clear_options()
        entries.add_options(self._options())
        entries.highlighted = 0
        self.post_message(self.Redrawn())

    def focus_first(self) -> None:
        """The list has the keys."""
        self.query_one(OptionList).focus()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        id = event.option_id or ""
        if id.startswith("recent-"):
            id = self._recent[int(id.removeprefix("recent-"))]
        self.post_message(self.Begun(id))


def _words() -> Content:
    return content(
        [
            ("Start with a file, a table or a text\n", "strong"),
            ("Paste or type its path into Source above, or choose here with ", "muted"),
            ("↑↓", "accent"),
            (" and ", "muted"),
            ("enter", "accent"),
            (".", "muted"),
        ]
    )


def _prompt(name: str, key: str, what: str) -> Content:
    parts: list[Part] = [(f"{name:<34}" if what else name, "")]
    if what:
        parts += [(f"{key:<3}", "accent"), (what, "muted")]
    return content(parts)
