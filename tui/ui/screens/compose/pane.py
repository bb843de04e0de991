"""The Compose pane: from a table, a text or requests to a job, in steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import AwaitMount
from textual.widgets import Button, Input, Static, TextArea

from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.ui.commands import Scope, bindings
from tui.ui.messages import SampleRequested, SourceOpened
from tui.ui.screens.compose.head import ComposeHead, cleaned
from tui.ui.screens.compose.step import Desk, Step
from tui.ui.screens.compose.verbs import ComposeVerbs
from tui.ui.targets import CommandTarget
from tui.ui.tones import content

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.ui.screens.compose.start import StartStep
    from tui.ui.templatetext import TemplateText

# The steps are imported and mounted when the pane is first looked at, after the first paint.


class ComposePane(ComposeVerbs, CommandTarget, Vertical):
    """What is opened and where it goes; below, the step that it is at."""

    SCOPE = Scope.COMPOSE
    BINDING_GROUP_TITLE = "Compose"
    BINDINGS = bindings(Scope.COMPOSE)
    BORDER_TITLE = "Compose"
    DEFAULT_CSS = """
    ComposePane { padding: 0 1; }
    ComposePane #compose-note { height: auto; max-height: 3; display: none; }
    ComposePane #compose-note.-said { display: block; }
    ComposePane #compose-steps { height: 1fr; }
    """

    can_focus = True

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._desk = Desk()
        self._head = ComposeHead(self._desk)
        self._note = Static("", id="compose-note", markup=False)
        self._start: StartStep | None = None
        self._steps: list[Step] = []
        self._mounts: dict[Step, AwaitMount] = {}
        self._last: TemplateText | None = None
        self._early = ""

    def compose(self) -> ComposeResult:
        """The head; the steps follow."""
        yield self._head
        yield self._note
        yield Vertical(id="compose-steps")

    def on_show(self) -> None:
        """Make the start when the pane is first looked at."""
        self._draw()

    def set_engine(self, engine: Engine) -> None:
        """Take the engine that checks, and its accounts."""
        self._desk.engine = engine
        names = engine.account_names()
        default = engine.config.default_account
        self._head.list_accounts(names, default if default in names else names[0])
        if self._early:
            self.open_source(self._early)

    # What is shown

    @property
    def step(self) -> Step | None:
        """The step that is shown; ``None`` while nothing is open."""
        return self._steps[-1] if self._steps else None

    @property
    def path(self) -> Path | None:
        """The file of requests that is shown."""
        return self.step.path if self.step is not None else None

    @property
    def account(self) -> str:
        """The chosen account."""
        return self._desk.account

    def open_file(self, path: Path, account: str = "") -> None:
        """Take a file, for an account if one is named: requests are checked, rows get a form."""
        self.open_source(str(path), account)

    def open_source(self, spec: str, account: str = "") -> None:
        """Open what a person named; a program is run only after a yes."""
        if account:
            self._head.choose_account(account)
        self._head.show_source(spec)
        self._open(spec)

    def show_check(self, path: Path, *, submit: bool = False) -> None:
        """Check a file of requests as the next step; ``esc`` leads back."""
        from tui.ui.screens.compose.check import CheckStep

        self._push(CheckStep(self._desk, path, submit=submit))

    def clear(self) -> None:
        """Forget what is open: it has become a job."""
        self._head.show_source("")
        self._say("")
        self._cut(0)

    def focus_rows(self) -> None:
        """Give the keys to what comes next."""
        self._draw()
        shown = self.step or self._start
        if shown is None or not shown.is_mounted:
            self.focus()
        else:
            shown.focus_first()

    def go_back(self) -> bool:
        """Leave a field, what runs, or the step; false at the start."""
        step, focused = self.step, self.screen.focused
        if isinstance(focused, Input) and self._head in focused.ancestors:
            self.focus_rows()
            return True
        if step is None:
            return False
        if not step.go_back():
            self._cut(len(self._steps) - 1)
            if not self._steps:
                self._head.show_source("")
                self._say("")
            self.call_after_refresh(self.focus_rows)
        return True

    def why_not(self, command_id: str) -> str | None:
        """Why a command is off in this pane."""
        if command_id in ("pick_file", "outside"):
            return ""
        if self.step is None:
            return "" if command_id == "edit_request" else "Nothing is open: press f."
        if command_id == "edit_request":
            return "This is the request." if self.step.path is None and self._by_hand else ""
        return self.step.why_not(command_id) or ""

    # Steps

    @property
    def _by_hand(self) -> bool:
        return hasattr(self.step, "do_another")

    def _draw(self) -> None:
        """Show the step, or the start where nothing is open."""
        if not self._steps and self._start is None and self.is_mounted:
            from tui.ui.screens.compose.start import StartStep

            self._start = StartStep(self._desk, self._recent)
            self.query_one("#compose-steps").mount(self._start)
        elif self._start is not None and self._start.display is bool(self._steps):
            if self._steps:
                self._hold_keys(self._start)
            else:
                self._start.show_recent(self._recent)
            self._start.display = not self._steps
        for step in self._steps:
            step.display = step is self.step
        self.update_commands()

    @property
    def _recent(self) -> list[str]:
        from tui.ui.app import BatchdeckApp

        return self.app.state.sources if isinstance(self.app, BatchdeckApp) else []

    def _push(self, step: Step) -> None:
        self._steps.append(step)
        self._mounts[step] = self.query_one("#compose-steps").mount(step)
        self._draw()
        self._take_keys()

    def _cut(self, keep: int, *, draw: bool = True) -> None:
        """Leave all but the first steps; without ``draw`` another one follows at once."""
        for step in self._steps[keep:]:
            if (text := getattr(step, "text", None)) is not None:
                self._last = text
            self._hold_keys(step)
            step.display = False
            self._retire(step)
        del self._steps[keep:]
        if draw:
            self._draw()

    @work(group="compose-retire", exit_on_error=False)
    async def _retire(self, step: Step) -> None:
        """Take a step away, once it stands: half of a form has no fields to be asked."""
        await self._mounts.pop(step)
        await step.remove()

    def _hold_keys(self, leaving: Step) -> None:
        """Keep the keys of what goes away, until something new can have them."""
        focused = self.screen.focused
        if focused is not None and leaving in focused.ancestors:
            # At once: focus() would come after what gets the keys next.
            self.screen.set_focus(self)

    def _take_keys(self) -> None:
        """Go to what comes next, unless the keys are with another pane or in a field."""
        focused = self.screen.focused
        if not self.display:
            return
        if focused is None or (self.has_focus_within and not isinstance(focused, Input | TextArea)):
            self.call_after_refresh(self.focus_rows)

    def _say(self, text: str, *, bad: bool = False) -> None:
        self._note.update(content([(text, "bad" if bad else "live")]))
        self._note.set_class(bool(text), "-said")

    # Opening

    @work(group="compose-open", exclusive=True, exit_on_error=False)
    async def _open(self, spec: str) -> None:
        from tui.ui.screens.compose.opening import first_text, open_spec

        engine = self._desk.engine
        if engine is None:
            # What is entered while the program starts is opened when it has.
            self._early = spec
            return
        self._cut(0, draw=False)
        self._say("Opening …")
        try:
            opened = await open_spec(self.app, engine, spec)
        except BatchdeckError as error:
            self._say(one_line(f"✗ {error.message}. {error.hint or ''}", 400), bad=True)
            self._draw()
            self._take_keys()
            return
        self._say("")
        if opened is None:
            self._draw()
            return
        self._head.show_name(opened.name)
        self.post_message(SourceOpened(opened.spec))
        if self.screen.focused is not None and self._head in self.screen.focused.ancestors:
            self.focus()
        if opened.path is not None:
            self.show_check(opened.path)
        elif opened.source is not None:
            from tui.ui.screens.compose.template import TemplateStep

            text = first_text(opened.source, opened.template, self._last, self._desk)
            self._push(TemplateStep(self._desk, opened.source, text, opened.place))

    @on(ComposeHead.SourceEntered)
    def _source_entered(self, event: ComposeHead.SourceEntered) -> None:
        event.stop()
        self.open_source(event.spec)

    def on_paste(self, event: events.Paste) -> None:
        """A path that is pasted outside of a field is opened."""
        text = cleaned(event.text)
        if text and "\n" not in text:
            event.stop()
            self.open_source(text)

    def on_key(self, event: events.Key) -> None:
        """A path that is typed outside of a field goes into the source."""
        if event.character in ("/", "~", ".") and not isinstance(
            self.screen.focused, Input | TextArea
        ):
            event.stop()
            event.prevent_default()
            self._head.type_source(event.character)

    # Messages

    @on(ComposeHead.Chosen)
    def _desk_changed(self, event: ComposeHead.Chosen) -> None:
        event.stop()
        for step in self._steps:
            step.desk_changed()

    @on(ComposeHead.Left)
    def _head_left(self, event: ComposeHead.Left) -> None:
        event.stop()
        self.focus_rows()

    @on(Step.Begun)
    def _begun(self, event: Step.Begun) -> None:
        event.stop()
        from tui.compose import samples

        match event.what:
            case "pick_file":
                self.action_pick_file()
            case "sample":
                self.post_message(SampleRequested())
            case "request":
                self.action_edit_request()
            case "documents":
                self.open_source(f"{samples.DOCUMENTS}::paragraphs", "sandbox")
            case "products":
                self.open_source(str(samples.PRODUCTS), "sandbox")
            case spec:
                self.open_source(spec)

    @on(Step.Redrawn)
    def _redrawn(self, event: Step.Redrawn) -> None:
        event.stop()
        self.update_commands()
        focused = self.screen.focused
        lost = focused is None or (isinstance(focused, Button) and focused.disabled)
        if self.display and (lost or focused is self):
            self.focus_rows()

    @on(Step.Made)
    def _made(self, event: Step.Made) -> None:
        event.stop()
        self.show_check(event.path, submit=event.submit)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        command_id = str(event.button.id).removeprefix("do-")
        getattr(self, f"action_{command_id}", lambda: self._do(command_id))()

    def _do(self, command_id: str) -> None:
        step = self.step
        if step is not None:
            # Not from here: what a widget below posts would end at this pane as its sender.
            step.call_later(step.do, command_id)

    # Commands; the others are in ComposeVerbs

    @work(group="compose-edit", exclusive=True, exit_on_error=False)
    async def action_edit_request(self) -> None:
        """Write a request by hand: a new one, the shown one, or a line of the file."""
        from tui.ui.screens.compose.handwork import request_step

        step = await request_step(self.app, self._desk, self.step)
        if step is not None:
            self._push(step)
