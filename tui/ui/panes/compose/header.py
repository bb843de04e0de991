"""The header of the Compose pane: source, account, window and job name."""

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
from tui.ui.models.dropped_paths import dropped_paths
from tui.ui.panes.compose.steps import ComposeContext
from tui.ui.widgets.basics import DropInput, Field

ADD_ACCOUNT = "+"
"""The entry of the list that is no account: it opens the form for a new one."""


class ComposeHeader(Grid):
    """The fields above all steps; their values are stored in the shared context.

    Args:
        context: The shared context of the steps.
    """

    DEFAULT_CSS = """
    ComposeHeader {
        grid-size: 4; grid-columns: 9 1fr 8 20; grid-rows: 1; grid-gutter: 0 1; height: 3;
    }
    ComposeHeader #compose-source, ComposeHeader #compose-name { column-span: 3; }
    ComposeHeader.-no-window #compose-account { column-span: 3; }
    ComposeHeader.-no-window .for-window { display: none; }
    """

    @dataclass
    class SourceEntered(Message):
        """Posted when a source was entered."""

        spec: str

    class Chosen(Message):
        """Posted when the account or window changed."""

    class Left(Message):
        """Posted when the user left the header with enter."""

    def __init__(self, context: ComposeContext) -> None:
        super().__init__()
        self._shared = context
        self._spec = self._shown = ""
        self._names: list[str] = []

    def compose(self) -> ComposeResult:
        """The fields."""
        yield Label("Source")
        yield DropInput(
            placeholder="path or address (https:// s3:// …) of a table, texts or requests",
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
        yield Field(compact=True, id="compose-name")

    def show_source(self, spec: str) -> None:
        """Show the opened source, and clear the name."""
        self._spec, self._shown = spec, visible(spec)
        field = self.query_one("#compose-source", Input)
        field.value = self._shown
        field.cursor_position = len(field.value)
        # Scroll to the end of the path, which matters more; its width is known after the refresh.
        field.call_after_refresh(
            lambda: field.scroll_to(x=field.virtual_size.width, animate=False, force=True)
        )
        self.show_name("")

    def show_name(self, name: str) -> None:
        """Set the name."""
        self._shared.name = name
        self.query_one("#compose-name", Input).value = visible(name)

    def start_typing_source(self, begin: str) -> None:
        """Focus the source field and start with ``begin``."""
        field = self.query_one("#compose-source", Input)
        # A field selects its text when it gets the focus: the next letter would replace it.
        field.select_on_focus = False
        # Synchronously, so that the rest of the typed path goes to the field, too.
        self.screen.set_focus(field)
        field.call_later(setattr, field, "select_on_focus", True)
        field.value = begin
        field.cursor_position = len(begin)

    def list_accounts(self, names: list[str], chosen: str) -> None:
        """Set the accounts offered and the selected one."""
        self._names = list(names)
        self.choose_account(chosen)

    def choose_account(self, name: str) -> None:
        """Select an account; adds it if it is not listed."""
        if name not in self._names:
            self._names.append(name)
        field = self.query_one("#compose-account", Select)
        with self.prevent(Select.Changed):
            offered = [(one_line(each, 40), each) for each in self._names]
            field.set_options([*offered, ("Add an account…", ADD_ACCOUNT)])
            field.value = name
        self._shared.account = name
        self._list_windows()

    def _list_windows(self) -> None:
        if not self._shared.session.is_open:
            return
        windows: tuple[str, ...] = ("24h",)
        direct = False
        with contextlib.suppress(BatchdeckError):
            account = self._shared.engine.account(self._shared.account)
            windows, direct = account.windows or windows, account.direct
        # Direct mode has no completion window.
        self.set_class(direct, "-no-window")
        if direct:
            self._shared.window = ""
            return
        field = self.query_one("#compose-window", Select)
        with self.prevent(Select.Changed):
            field.set_options([(one_line(window, 20), window) for window in windows])
            field.value = self._shared.window = windows[0]

    @on(Select.Changed)
    def _select_changed(self, event: Select.Changed) -> None:
        event.stop()
        if not isinstance(event.value, str):
            return
        if event.value == ADD_ACCOUNT:
            self.choose_account(self._shared.account)
            self._shared.session.tasks.add_account()
        elif event.select.id == "compose-account" and event.value != self._shared.account:
            self._shared.account = event.value
            self._list_windows()
            self.post_message(self.Chosen())
        elif event.select.id == "compose-window" and event.value != self._shared.window:
            self._shared.window = event.value
            self.post_message(self.Chosen())

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.input.id == "compose-name" and event.value != visible(self._shared.name):
            self._shared.name = event.value.strip()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if event.input.id == "compose-name":
            self.post_message(self.Left())
            return
        # An unedited field stands for the original value, not its escaped form.
        same = event.value == self._shown
        specs = [self._spec] if same else dropped_paths(event.value)
        if specs and specs[0]:
            self.post_message(self.SourceEntered(specs[0]))
