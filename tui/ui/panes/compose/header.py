"""The head of Compose: what is opened, for which account and window, and under which name."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Grid
from textual.message import Message
from textual.widgets import Input, Label, Select

from tui.core.text import one_line, visible
from tui.errors import BatchdeckError
from tui.ui.screens.compose.step import Desk


def cleaned(typed: str) -> str:
    """A path as it was pasted, without the quotes and escapes that shells and desktops add."""
    text = typed.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    if text.startswith("file://"):
        from urllib.parse import unquote

        text = unquote(text.removeprefix("file://"))
    return text


class ComposeHead(Grid):
    """Fields above all steps; what they say is on the desk.

    Args:
        desk: What the steps share.
    """

    DEFAULT_CSS = """
    ComposeHead {
        grid-size: 4; grid-columns: 9 1fr 8 1fr; grid-rows: 1; grid-gutter: 0 1; height: 3;
    }
    ComposeHead #compose-source, ComposeHead #compose-name { column-span: 3; }
    ComposeHead.-no-window #compose-account { column-span: 3; }
    ComposeHead.-no-window .for-window { display: none; }
    """

    @dataclass
    class SourceEntered(Message):
        """Posted when something is to be opened."""

        spec: str

    class Chosen(Message):
        """Posted when another account or window was chosen."""

    class Left(Message):
        """Posted when a field was done with."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._spec = self._shown = ""
        self._names: list[str] = []

    def compose(self) -> ComposeResult:
        """Source, account, window, name."""
        yield Label("Source")
        yield Input(
            placeholder="a path, docs/*.txt, shop.db::SELECT …, builder.py, requests.jsonl",
            compact=True,
            id="compose-source",
        )
        yield Label("Account")
        yield Select[str]([], allow_blank=True, compact=True, id="compose-account")
        yield Label("Window", classes="for-window")
        yield Select[str](
            [], allow_blank=True, compact=True, id="compose-window", classes="for-window"
        )
        yield Label("Name")
        yield Input(compact=True, id="compose-name")

    def show_source(self, spec: str, name: str = "") -> None:
        """Show what is open, and the name that it has."""
        self._spec, self._shown = spec, visible(spec)
        field = self.query_one("#compose-source", Input)
        field.value = self._shown
        field.cursor_position = len(field.value)
        # The end of a path tells more than its beginning, and its width is known only then.
        field.call_after_refresh(
            lambda: field.scroll_to(x=field.virtual_size.width, animate=False, force=True)
        )
        self.show_name(name)

    def show_name(self, name: str) -> None:
        """Show another name."""
        self._desk.name = name
        self.query_one("#compose-name", Input).value = visible(name)

    def type_source(self, begin: str) -> None:
        """Begin to type another source."""
        field = self.query_one("#compose-source", Input)
        # At once: the rest of a path that comes in one breath is for the field, too.
        self.screen.set_focus(field)
        field.value = begin
        field.cursor_position = len(begin)

    def list_accounts(self, names: list[str], chosen: str) -> None:
        """Offer accounts."""
        self._names = list(names)
        self.choose_account(chosen)

    def choose_account(self, name: str) -> None:
        """Choose an account; one that is not listed is added."""
        if name not in self._names:
            self._names.append(name)
        field = self.query_one("#compose-account", Select)
        with self.prevent(Select.Changed):
            field.set_options([(one_line(each, 40), each) for each in self._names])
            field.value = name
        self._desk.account = name
        self._list_windows()

    def _list_windows(self) -> None:
        engine = self._desk.engine
        if engine is None:
            return
        windows: tuple[str, ...] = ("24h",)
        direct = False
        with contextlib.suppress(BatchdeckError):
            account = engine.account(self._desk.account)
            windows, direct = account.windows or windows, account.direct
        # Rows that are sent one by one are answered as they come: there is no window.
        self.set_class(direct, "-no-window")
        if direct:
            self._desk.window = ""
            return
        field = self.query_one("#compose-window", Select)
        with self.prevent(Select.Changed):
            field.set_options([(one_line(window, 20), window) for window in windows])
            field.value = self._desk.window = windows[0]

    @on(Select.Changed)
    def _select_changed(self, event: Select.Changed) -> None:
        event.stop()
        if not isinstance(event.value, str):
            return
        if event.select.id == "compose-account" and event.value != self._desk.account:
            self._desk.account = event.value
            self._list_windows()
            self.post_message(self.Chosen())
        elif event.select.id == "compose-window" and event.value != self._desk.window:
            self._desk.window = event.value
            self.post_message(self.Chosen())

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.input.id == "compose-name" and event.value != visible(self._desk.name):
            self._desk.name = event.value.strip()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if event.input.id == "compose-name":
            self.post_message(self.Left())
            return
        # What is shown written out is still what it was.
        spec = self._spec if event.value == self._shown else cleaned(event.value)
        if spec:
            self.post_message(self.SourceEntered(spec))
