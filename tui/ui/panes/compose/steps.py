"""The steps of the Compose pane: what they share, and the one that it starts with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from tui.addresses import is_address, shown_address
from tui.core import formatting
from tui.core.jobs import is_job_source
from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.paths import expand_home, split_part, working_folder
from tui.ui.commands.dispatch import ShowsWorkerErrors
from tui.ui.session import Session
from tui.ui.text.tones import Part, content
from tui.ui.widgets.basics import PlainList

if TYPE_CHECKING:
    from tui.engine.accounts import AccountInfo
    from tui.engine.engine import Engine
    from tui.ui.drafts import Draft
    from tui.ui.widgets.compose_inputs import PlainTextArea


@dataclass
class ComposeContext:
    """Shared by all steps: the session, and the values of the header."""

    session: Session
    account: str = ""
    window: str = ""
    name: str = ""

    @property
    def engine(self) -> Engine:
        """The engine; sources are opened only once it is open."""
        return self.session.engine

    @property
    def info(self) -> AccountInfo | None:
        """The properties of the account; ``None`` if it does not exist."""
        try:
            return self.engine.account(self.account)
        except BatchdeckError:
            return None

    @property
    def is_free(self) -> bool:
        """Whether requests to the account are free."""
        return self.info is not None and self.info.is_free


class Step(ShowsWorkerErrors, Vertical):
    """One step. ``do_x`` handles command ``x``; ``why_disabled`` explains the others.

    Args:
        context: The shared context of the steps.
    """

    DEFAULT_CSS = """
    Step { height: 1fr; }
    Step .step-line { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    Step .step-buttons { height: 1; margin-top: 1; }
    Step .step-buttons Button { margin-right: 1; }
    """

    class CommandsChanged(Message):
        """Posted when the availability of commands may have changed."""

    @dataclass
    class SourceChosen(Message):
        """Posted when something should be opened: an entry id of the start step, or a source."""

        what: str

    @dataclass
    class FileWritten(Message):
        """Posted when a step wrote a file of requests; ``submit``: submit it if it is valid."""

        path: Path
        submit: bool = False

    def __init__(self, context: ComposeContext) -> None:
        super().__init__()
        self.context = context

    @property
    def path(self) -> Path | None:
        """The file of requests of this step."""
        return None

    @property
    def area(self) -> PlainTextArea | None:
        """The text that is edited, if the step has only one."""
        return None

    @property
    def draft(self) -> Draft | None:
        """What was typed in this step; ``None`` if that is nothing."""
        return None

    def why_disabled(self, command_id: str) -> str:
        """Why a command is unavailable; empty if it is available."""
        return "" if hasattr(self, f"do_{command_id}") else "Not available here."

    def do(self, command_id: str) -> None:
        """Run a command, or show why it is unavailable."""
        if reason := self.why_disabled(command_id):
            self.notify(reason, markup=False, timeout=3)
        else:
            getattr(self, f"do_{command_id}")()

    def focus_first(self) -> None:
        """Focus the most useful widget of the step."""
        self.screen.focus_next()

    def go_back(self) -> bool:
        """Go one level back within the step; ``False`` if there is none."""
        return False

    def context_changed(self) -> None:
        """Handle a change of account or window."""

    def update_buttons(self, *command_ids: str) -> None:
        """Disable the buttons whose command is unavailable: these, or all."""
        for button in self.query(Button):
            command_id = str(button.id).removeprefix("do-")
            if not command_ids or command_id in command_ids:
                button.disabled = bool(self.why_disabled(command_id))
        self.post_message(self.CommandsChanged())


MAX_RECENT = 6
"""Number of recent sources offered."""

_FIXED = (
    ("pick_file", "Choose a file…", "f", "table, text, requests, database"),
    ("documents", "Five documents to summarise", "", "sample, free on the sandbox"),
    ("products", "Ten products to write copy for", "", "sample, free on the sandbox"),
    ("sample", "200 requests, some of which fail", "T", "sample for trying out retries"),
    ("request", "Write a single request", "E", "in a validating JSON editor"),
)


class StartStep(Step):
    """A list to start from: choose a file, a sample, or a recent source."""

    DEFAULT_CSS = """
    StartStep { align: center middle; }
    StartStep > Vertical { width: 76; max-width: 100%; height: auto; max-height: 100%; }
    StartStep Static { height: auto; margin-bottom: 1; }
    StartStep PlainList { max-height: 14; background: transparent; }
    """

    def __init__(self, context: ComposeContext) -> None:
        super().__init__(context)
        self._recent: list[str] = []
        self._list = PlainList(id="start-list")

    def compose(self) -> ComposeResult:
        """The text and the list."""
        with Vertical():
            yield Static(_words(), markup=False)
            yield self._list

    def on_mount(self) -> None:
        """List what can be opened."""
        self.show_recent()

    def _options(self) -> list[Content | Option]:
        session = self.context.session
        drafts = {
            draft.place: f"draft of {formatting.moment(draft.at, session.now())}"
            for draft in session.drafts.newest()
        }
        made: list[Content | Option] = [
            Option(_prompt(name, key, drafts.get(id) or what), id=id)
            for id, name, key, what in _FIXED
        ]
        # Drafts first; a source is recent only once its dashboard was quit.
        places = [place for place in drafts if place not in (id for id, *_ in _FIXED)]
        recent = [spec for spec in session.state.sources if place_of(spec) not in places]
        self._recent = [*places, *recent][:MAX_RECENT]
        for place, spec in enumerate(self._recent):
            what = drafts.get(spec, "")
            room = 34 if what else 60
            name = spec if len(spec) <= room else "…" + spec[1 - room :]
            made.append(Option(_prompt(one_line(name, room), "", what), id=f"recent-{place}"))
        return made

    def show_recent(self) -> None:
        """List the drafts and the recent sources, also when the step is shown again."""
        self._list.fill(self._options())
        self.post_message(self.CommandsChanged())

    def focus_first(self) -> None:
        """Focus the list."""
        self._list.focus()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        id = event.option_id or ""
        if id.startswith("recent-"):
            id = self._recent[int(id.removeprefix("recent-"))]
        self.post_message(self.SourceChosen(id))


def place_of(spec: str) -> str:
    """A source with an absolute path, so that it is found again from another folder.

    Rows of a job, which are found by its id, and rows that cannot be opened again (an empty
    ``spec``) are unchanged. An address has no query, which may be a key.
    """
    if not spec or is_job_source(spec):
        return spec
    if is_address(spec):
        return shown_address(spec)
    path, _ = split_part(spec)
    return f"{working_folder() / expand_home(path)}{spec[len(path) :]}"


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
