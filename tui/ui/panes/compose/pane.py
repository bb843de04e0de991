"""The Compose pane: a header with source and account, and below it one step at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import AwaitMount
from textual.widgets import Button, Input, Static, TextArea

from tui.core import formatting
from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.ui.commands.command_table import Scope, bindings
from tui.ui.commands.dispatch import CommandTarget
from tui.ui.models.dropped_paths import dropped_paths
from tui.ui.panes.compose.header import ComposeHeader
from tui.ui.panes.compose.steps import ComposeContext, StartStep, Step, place_of
from tui.ui.session import Session
from tui.ui.text.tones import content

if TYPE_CHECKING:
    from tui.compose.sources.base import Source
    from tui.ui.drafts import Draft
    from tui.ui.models.template_form import TemplateFields
    from tui.ui.panes.compose.open_file import OpenedSource


def _for_step(command_id: str) -> Callable[[ComposePane], None]:
    """An action that lets the current step run a command, or show why it is unavailable."""

    def action(pane: ComposePane) -> None:
        pane.run_in_step(command_id)

    return action


SAVE_SECONDS = 2.0
"""Seconds between two looks at what was typed, to keep it as a draft."""

# The steps are imported and mounted when the pane is first shown.


class ComposePane(CommandTarget, Vertical):
    """The header with source and account, and below it the current step."""

    SCOPE = Scope.COMPOSE
    BINDING_GROUP_TITLE = "Compose"
    BINDINGS = bindings(Scope.COMPOSE)
    BORDER_TITLE = "Compose"
    DEFAULT_CSS = """
    ComposePane { padding: 0 1; }
    ComposePane #compose-note { height: auto; max-height: 3; display: none; }
    ComposePane #compose-note.-shown { display: block; }
    ComposePane #compose-steps { height: 1fr; }
    """

    can_focus = True

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.session = session
        self._shared = ComposeContext(session)
        self._head = ComposeHeader(self._shared)
        self._note = Static("", id="compose-note", markup=False)
        self._start: StartStep | None = None
        self._steps: list[Step] = []
        self._mounts: dict[Step, AwaitMount] = {}
        self._last: TemplateFields | None = None
        self._pending_source = ""
        self._kept = False

    def compose(self) -> ComposeResult:
        """The header, the note and the container of the steps."""
        yield self._head
        yield self._note
        yield Vertical(id="compose-steps")

    def on_show(self) -> None:
        """Mount the start step when the pane is first shown."""
        self._draw()

    def open(self) -> None:
        """List the accounts, once the engine is open."""
        engine = self.session.engine
        names = engine.account_names()
        default = engine.config.default_account
        self._head.list_accounts(names, default if default in names else names[0])
        self.set_interval(SAVE_SECONDS, self._save_drafts)
        if self._pending_source:
            self.open_source(self._pending_source)

    def choose_account(self, name: str) -> None:
        """Select an account; a file that is open is checked for it."""
        self._head.choose_account(name)
        self._head.post_message(ComposeHeader.Chosen())

    # Drafts

    def remember(self) -> None:
        """Write what was typed to the disk, before the dashboard ends."""
        self._note_drafts()
        self.session.drafts.save()

    def _note_drafts(self) -> bool:
        return self.session.drafts.keep(
            draft for step in self._steps if (draft := step.draft) is not None
        )

    def _save_drafts(self) -> None:
        if self._note_drafts():
            self.run_worker(
                asyncio.to_thread(self.session.drafts.save), group="drafts", exit_on_error=False
            )

    def _forget_drafts(self) -> None:
        """Remove the drafts of the current steps, because they were submitted."""
        drafts = [draft for step in self._steps if (draft := step.draft) is not None]
        self.session.drafts.forget([draft.place for draft in drafts])
        self._save_drafts()

    # What is shown

    @property
    def step(self) -> Step | None:
        """The current step; ``None`` while nothing is open."""
        return self._steps[-1] if self._steps else None

    @property
    def path(self) -> Path | None:
        """The file of requests of the current step."""
        return self.step.path if self.step is not None else None

    @property
    def account(self) -> str:
        """The selected account."""
        return self._shared.account

    def open_file(self, path: Path, account: str = "") -> None:
        """Open a file for an account: requests are checked, rows get a template form."""
        self.open_source(str(path), account)

    def open_source(self, spec: str, account: str = "") -> None:
        """Open a source; a program is run only after confirmation."""
        if account:
            self._head.choose_account(account)
        self._head.show_source(spec)
        self._open(spec)

    def open_rows(self, spec: str, source: Source | None = None) -> None:
        """Open rows of a job.

        Args:
            spec: The source as it is shown.
            source: The rows, if ``spec`` does not say which they are.
        """
        self._head.show_source(spec)
        self._open(spec, source)

    def show_check(self, path: Path, *, submit: bool = False) -> None:
        """Check a file of requests as the next step; ``esc`` goes back."""
        from tui.ui.panes.compose.check import CheckStep

        self._push(CheckStep(self._shared, path, submit=submit))

    def clear(self) -> None:
        """Close the source after it was submitted."""
        self._forget_drafts()
        self._head.show_source("")
        self._show_note("")
        self._remove_steps(0)

    def focus_rows(self) -> None:
        """Focus the current step."""
        self._draw()
        shown = self.step or self._start
        if shown is None or not shown.is_mounted:
            self.focus()
        else:
            shown.focus_first()

    def go_back(self) -> bool:
        """Leave the field, stop what is running, or leave the step; ``False`` at the start."""
        step, focused = self.step, self.screen.focused
        if isinstance(focused, Input) and self._head in focused.ancestors:
            self.focus_rows()
            return True
        if step is None:
            return False
        if not step.go_back():
            self._remove_steps(len(self._steps) - 1)
            if not self._steps:
                self._head.show_source("")
                self._show_note("")
                if self._kept:
                    self.notify("Draft kept: open the file again to continue", markup=False)
            self.call_after_refresh(self.focus_rows)
        return True

    def why_disabled(self, command_id: str) -> str | None:
        """Why a command is unavailable in this pane."""
        if command_id in ("pick_file", "outside"):
            return ""
        if self.step is None:
            return "" if command_id == "edit_request" else "Nothing is open. Press f."
        if command_id == "edit_request":
            is_editing = self.step.area is not None
            return "Already open." if self.step.path is None and is_editing else ""
        return self.step.why_disabled(command_id) or ""

    # Steps

    def _draw(self) -> None:
        """Show the current step, or the start step if nothing is open."""
        if not self._steps and self._start is None and self.is_mounted:
            self._start = StartStep(self._shared)
            self.query_one("#compose-steps").mount(self._start)
        elif self._start is not None and self._start.display is bool(self._steps):
            if self._steps:
                self._hold_focus(self._start)
            else:
                self._start.show_recent()
            self._start.display = not self._steps
        for step in self._steps:
            step.display = step is self.step
        self.update_commands()

    def _push(self, step: Step) -> None:
        self._steps.append(step)
        self._mounts[step] = self.query_one("#compose-steps").mount(step)
        self._draw()
        self._focus_step()

    def _remove_steps(self, keep: int, *, draw: bool = True) -> None:
        """Remove all but the first ``keep`` steps; pass ``draw=False`` if another one follows."""
        self._kept = any(step.draft is not None for step in self._steps[keep:])
        self._save_drafts()
        for step in self._steps[keep:]:
            if (text := getattr(step, "text", None)) is not None:
                self._last = text
            self._hold_focus(step)
            step.display = False
            self._remove_step(step)
        del self._steps[keep:]
        if draw:
            self._draw()

    @work(group="compose-retire", exit_on_error=False)
    async def _remove_step(self, step: Step) -> None:
        """Remove a step once it is fully mounted: a partly mounted form cannot be queried."""
        await self._mounts.pop(step)
        await step.remove()

    def _hold_focus(self, leaving: Step) -> None:
        """Move the focus from a step that is removed to the pane."""
        focused = self.screen.focused
        if focused is not None and leaving in focused.ancestors:
            # Synchronously: focus() is deferred, and would override the next focus.
            self.screen.set_focus(self)

    def _focus_step(self) -> None:
        """Focus the current step, unless another pane or a field has the focus."""
        focused = self.screen.focused
        if not self.display:
            return
        if focused is None or (self.has_focus_within and not isinstance(focused, Input | TextArea)):
            self.call_after_refresh(self.focus_rows)

    def _show_note(self, text: str, *, bad: bool = False) -> None:
        self._note.update(content([(text, "bad" if bad else "live")]))
        self._note.set_class(bool(text), "-shown")

    # Opening

    @work(group="compose-open", exclusive=True, exit_on_error=False)
    async def _open(self, spec: str, source: Source | None = None) -> None:
        from tui.ui.panes.compose.open_file import initial_text, of_job, open_path

        if not self.session.is_open:
            # Opened when the engine is ready.
            self._pending_source = spec
            return
        engine = self.session.engine
        self._remove_steps(0, draw=False)
        self._show_note("Opening …")
        try:
            if source is not None:
                opened: OpenedSource | None = of_job(spec, source, "")
            else:
                opened = await open_path(self.app, engine, spec)
        except BatchdeckError as error:
            self._show_note(one_line(f"✗ {error.message}. {error.hint or ''}", 400), bad=True)
            self._draw()
            self._focus_step()
            return
        self._show_note("")
        if opened is None:
            self._draw()
            return
        if opened.archive is not None:
            self.clear()
            self.session.tasks.open_archive(opened.archive)
            return
        if opened.results is not None:
            self.clear()
            self.session.tasks.import_results(opened.results)
            return
        self._head.show_name(opened.name)
        if source is None and opened.spec:
            self.session.state.remember_source(opened.spec)
        if self.screen.focused is not None and self._head in self.screen.focused.ancestors:
            self.focus()
        if opened.path is not None:
            self.show_check(opened.path)
        elif opened.source is not None:
            from tui.ui.panes.compose.template import TemplateStep

            info = self._shared.info
            provider = "" if info is None else info.provider
            text = initial_text(opened.source, opened.template, self._last, provider)
            draft = self.session.drafts.find(place_of(opened.place))
            step = TemplateStep(self._shared, opened.source, text, opened.place, draft=draft)
            if draft is not None:
                self._tell_restored(draft)
            self._push(step)

    def _tell_restored(self, draft: Draft) -> None:
        """Show account and name of a draft, and say where the text comes from."""
        if draft.account in self.session.engine.account_names():
            self._head.choose_account(draft.account)
        if draft.name:
            self._head.show_name(draft.name)
        moment = formatting.moment(draft.at, self.session.now())
        self.notify(f"Draft of {moment} restored", markup=False)

    @on(ComposeHeader.SourceEntered)
    def _source_entered(self, event: ComposeHeader.SourceEntered) -> None:
        event.stop()
        self.open_source(event.spec)

    def on_paste(self, event: events.Paste) -> None:
        """Open a path that is pasted outside of a field."""
        paths = dropped_paths(event.text)
        if len(paths) == 1 and "\n" not in paths[0]:
            # What does not exist is opened, too, so that the note says why it cannot be.
            event.stop()
            self.open_source(paths[0])

    def on_key(self, event: events.Key) -> None:
        """Send a path that is typed outside of a field to the source field."""
        if event.character in ("/", "~", ".") and not isinstance(
            self.screen.focused, Input | TextArea
        ):
            event.stop()
            event.prevent_default()
            self._head.start_typing_source(event.character)

    # Messages

    @on(ComposeHeader.Chosen)
    def _header_changed(self, event: ComposeHeader.Chosen) -> None:
        event.stop()
        for step in self._steps:
            step.context_changed()

    @on(ComposeHeader.Left)
    def _head_left(self, event: ComposeHeader.Left) -> None:
        event.stop()
        self.focus_rows()

    @on(Step.SourceChosen)
    def _begun(self, event: Step.SourceChosen) -> None:
        event.stop()
        from tui.compose import samples

        match event.what:
            case "pick_file":
                self.action_pick_file()
            case "sample":
                self.session.tasks.sample()
            case "request":
                self.action_edit_request()
            case "documents":
                self.open_source(f"{samples.DOCUMENTS}::paragraphs", "sandbox")
            case "products":
                self.open_source(str(samples.PRODUCTS), "sandbox")
            case spec:
                self.open_source(spec)

    @on(Step.CommandsChanged)
    def _redrawn(self, event: Step.CommandsChanged) -> None:
        event.stop()
        self.update_commands()
        focused = self.screen.focused
        lost = focused is None or (isinstance(focused, Button) and focused.disabled)
        if self.display and (lost or focused is self):
            self.focus_rows()

    @on(Step.FileWritten)
    def _made(self, event: Step.FileWritten) -> None:
        event.stop()
        self.show_check(event.path, submit=event.submit)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        command_id = str(event.button.id).removeprefix("do-")
        getattr(self, f"action_{command_id}", lambda: self.run_in_step(command_id))()

    # Commands

    def run_in_step(self, command_id: str) -> None:
        """Let the current step run a command."""
        step = self.step
        if step is not None:
            # Deferred: a message posted by a child from here would not bubble past this pane.
            step.call_later(step.do, command_id)

    action_submit = _for_step("submit")
    action_sample_first = _for_step("sample_first")
    action_check = _for_step("check")
    action_fix = _for_step("fix")
    action_fixes = _for_step("fixes")
    action_try_row = _for_step("try_row")
    action_next_preview = _for_step("next_preview")
    action_next_kind = _for_step("next_kind")
    action_editor = _for_step("editor")
    action_pager = _for_step("pager")
    action_templates = _for_step("templates")
    action_make_experiment = _for_step("make_experiment")

    def action_pick_file(self) -> None:
        """Choose a file."""
        self.session.tasks.pick_file()

    def action_outside(self) -> None:
        """Open the focused text in the editor, else the only one."""
        from tui.ui.panes.compose.request import edit_area
        from tui.ui.widgets.compose_inputs import PlainTextArea

        area = self.screen.focused
        if not isinstance(area, PlainTextArea):
            area = None if self.step is None else self.step.area
        if area is None:
            self.notify("Focus a text field first", markup=False, timeout=3)
        else:
            edit_area(self.session, area)

    @work(group="compose-edit", exclusive=True, exit_on_error=False)
    async def action_edit_request(self) -> None:
        """Edit a request: a new one, the one shown, or a line of the file."""
        from tui.ui.panes.compose.template import new_request_step

        step = await new_request_step(self._shared, self.step)
        if step is not None:
            self._push(step)
