"""The Compose pane: from a file of requests to a job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Grid, Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Button, Input, Label, Select, Static

from tui.compose.report import CheckReport
from tui.core.text import one_line, visible
from tui.errors import BatchdeckError
from tui.ui import formatting
from tui.ui.commands import Scope, bindings
from tui.ui.messages import ExternalRequested, FileRequested, SubmitRequested
from tui.ui.reporttext import figures, most, refusal, verdict, why_no_submit
from tui.ui.targets import CommandTarget
from tui.ui.tones import Part, content
from tui.ui.widgets.empty_state import EmptyState
from tui.ui.widgets.problem_source import PROBLEM_COLUMNS, ProblemSource
from tui.ui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from tui.engine.engine import Engine


class ComposePane(CommandTarget, Vertical):
    """A file, what a check says of it, where it goes, and the way to send it."""

    SCOPE = Scope.COMPOSE
    BINDING_GROUP_TITLE = "Compose"
    BINDINGS = bindings(Scope.COMPOSE)
    BORDER_TITLE = "Compose"
    DEFAULT_CSS = """
    ComposePane { padding: 0 1; }
    ComposePane Grid {
        grid-size: 4; grid-columns: 9 1fr 8 1fr; grid-rows: 1; grid-gutter: 0 1; height: 3;
    }
    ComposePane #compose-file, ComposePane #compose-name { column-span: 3; }
    ComposePane #compose-file { text-wrap: nowrap; text-overflow: ellipsis; }
    ComposePane #compose-figures { height: 1; margin-top: 1; }
    ComposePane #compose-verdict { height: 1; }
    ComposePane #problems { height: 1fr; display: none; margin-top: 1; }
    ComposePane #problem { height: 3; display: none; padding: 0 2; }
    ComposePane.-problems #problems, ComposePane.-problems #problem { display: block; }
    ComposePane #compose-buttons { height: 1; margin-top: 1; }
    ComposePane #compose-buttons Button { margin-right: 2; }
    ComposePane EmptyState { display: none; }
    ComposePane.-empty > * { display: none; }
    ComposePane.-empty EmptyState { display: block; }
    """

    can_focus = True

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._engine: Engine | None = None
        self._path: Path | None = None
        self._report: CheckReport | None = None
        self._fix = False
        self._generation = 0
        self._progress: tuple[int, int] | None = None
        self._progress_timer: Timer | None = None
        self._verdict = Static("", id="compose-verdict", markup=False)
        self._figures = Static("", id="compose-figures", markup=False)
        self._problems = VirtualTable(PROBLEM_COLUMNS, openable=False, id="problems")
        self._problem = Static("", id="problem", markup=False)

    def compose(self) -> ComposeResult:
        """The form, what the check says, and the buttons."""
        with Grid():
            yield Label("File")
            yield Static("", id="compose-file", markup=False)
            yield Label("Account")
            yield Select[str]([], allow_blank=True, compact=True, id="compose-account")
            yield Label("Window")
            yield Select[str]([], allow_blank=True, compact=True, id="compose-window")
            yield Label("Name")
            yield Input(compact=True, id="compose-name")
        yield self._figures
        yield self._verdict
        yield self._problems
        yield self._problem
        with Horizontal(id="compose-buttons"):
            yield Button("Submit…  S", id="compose-submit", variant="primary", compact=True)
            yield Button("Fix  F", id="compose-fix", compact=True)
            yield Button("Other file  f", id="compose-pick", compact=True)
        yield EmptyState("Start with a file of requests", _START)

    def on_mount(self) -> None:
        """Nothing is chosen yet."""
        self.add_class("-empty")

    def set_engine(self, engine: Engine) -> None:
        """Take the engine that checks, and its accounts."""
        self._engine = engine
        accounts = self.query_one("#compose-account", Select)
        names = engine.account_names()
        with self.prevent(Select.Changed):
            accounts.set_options([(one_line(name, 40), name) for name in names])
            default = engine.config.default_account
            accounts.value = default if default in names else names[0]
        self._list_windows()

    @property
    def path(self) -> Path | None:
        """The file."""
        return self._path

    @property
    def account(self) -> str:
        """The chosen account."""
        value = self.query_one("#compose-account", Select).value
        return value if isinstance(value, str) else ""

    def open_file(self, path: Path, account: str = "") -> None:
        """Take a file and check it, for an account if one is named."""
        if account:
            field = self.query_one("#compose-account", Select)
            with self.prevent(Select.Changed):
                field.value = account
            self._list_windows()
        self._path = path
        self._fix = False
        self.remove_class("-empty")
        self._draw_path()
        self.query_one("#compose-name", Input).value = visible(path.stem)
        self._check()

    def on_resize(self) -> None:
        """Show as much of the path as fits."""
        self._draw_path()

    def _draw_path(self) -> None:
        if self._path is not None:
            width = max(20, self.content_size.width - _LABEL)
            self.query_one("#compose-file", Static).update(formatting.path(self._path, width))

    def clear(self) -> None:
        """Forget the file: it has become a job."""
        self._path = None
        self._report = None
        self.add_class("-empty")
        self.update_commands()

    def focus_rows(self) -> None:
        """Give the keys to what comes next."""
        if self._path is None:
            self.focus()
        elif self.query_one("#compose-submit", Button).disabled:
            self._problems.focus()
        else:
            self.query_one("#compose-submit", Button).focus()

    def go_back(self) -> bool:
        """Stop a check that runs, or leave an input; false when there is nothing to leave."""
        if self._progress is not None:
            self._generation += 1
            return True
        if isinstance(self.screen.focused, Input):
            self.focus_rows()
            return True
        return False

    def why_not(self, command_id: str) -> str | None:
        """Why a command is off in this pane."""
        if command_id == "pick_file":
            return ""
        if self._path is None:
            return "No file is chosen: press f."
        report = self._report
        if report is None:
            return "The file is being checked." if command_id in ("fix", "submit") else ""
        if command_id == "fix":
            return "" if report.fixable else "There is nothing to fix without changing requests."
        if command_id == "submit":
            return why_no_submit(report, self._fix)
        return ""

    def _list_windows(self) -> None:
        if self._engine is None or not self.account:
            return
        try:
            windows = self._engine.account(self.account).windows or ("24h",)
        except BatchdeckError:
            windows = ("24h",)
        field = self.query_one("#compose-window", Select)
        with self.prevent(Select.Changed):
            field.set_options([(one_line(window, 20), window) for window in windows])
            field.value = windows[0]

    def _check(self) -> None:
        self._generation += 1
        self._report = None
        self._progress = (0, 0)
        self.remove_class("-problems")
        self._figures.update("")
        if self._progress_timer is None:
            self._progress_timer = self.set_interval(0.1, self._draw_progress)
        self._draw_progress()
        self._draw_buttons()
        self._check_file(self._generation)

    @work(group="check", exclusive=True, exit_on_error=False)
    async def _check_file(self, generation: int) -> None:
        if self._engine is None or self._path is None:
            return

        def seen(done: int, total: int) -> None:
            self._progress = (done, total)

        error: BatchdeckError | None = None
        report: CheckReport | None = None
        try:
            report = await self._engine.check(
                self._path,
                account=self.account or None,
                stop=lambda: generation != self._generation,
                progress=seen,
            )
        except BatchdeckError as caught:
            error = caught
        stopped = generation != self._generation
        if stopped and self._progress is None:
            return
        self._progress = None
        if self._progress_timer is not None:
            self._progress_timer.stop()
            self._progress_timer = None
        if stopped:
            self._verdict.update(
                content([("The check was stopped. ctrl+r starts it anew", "warn")])
            )
        elif error is not None:
            self._verdict.update(content(refusal(error)))
        elif report is not None:
            self._report = report
            self._draw_report()
        self._draw_buttons()

    def _draw_progress(self) -> None:
        if self._progress is None:
            return
        done, total = self._progress
        parts: list[Part] = [("Checking", "live")]
        if total:
            parts.append((f"  {formatting.size(done)} of {formatting.size(total)}", "live"))
        parts += [("   esc", "accent"), (" stops", "muted")]
        self._verdict.update(content(parts))

    def _draw_report(self) -> None:
        report = self._report
        if report is None:
            return
        self._figures.update(content(figures(report)))
        self._verdict.update(content(verdict(report, self._fix)))
        source = ProblemSource(report, fixed=self._fix)
        self._problems.set_source(source)
        self.set_class(bool(source.row_count()), "-problems")

    def _draw_buttons(self) -> None:
        submit = self.query_one("#compose-submit", Button)
        fix = self.query_one("#compose-fix", Button)
        submit.disabled = bool(self.why_not("submit"))
        fix.disabled = bool(self.why_not("fix"))
        if self.has_focus_within or self.screen.focused is None:
            self.call_after_refresh(self.focus_rows)
        self.update_commands()

    @on(VirtualTable.CursorMoved, "#problems")
    def _problem_under_cursor(self, event: VirtualTable.CursorMoved) -> None:
        source = self._problems.source
        if isinstance(source, ProblemSource) and isinstance(event.row_id, int):
            self._problem.update(content(source.describe(event.row_id)))

    @on(Select.Changed, "#compose-account")
    def _account_changed(self) -> None:
        self._list_windows()
        if self._path is not None:
            self._check()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        actions = {
            "compose-submit": self.action_submit,
            "compose-fix": self.action_fix,
            "compose-pick": self.action_pick_file,
        }
        actions[str(event.button.id)]()

    @on(Input.Submitted)
    def _name_entered(self) -> None:
        self.focus_rows()

    def action_pick_file(self) -> None:
        """Ask for a file."""
        self.post_message(FileRequested())

    def action_check(self) -> None:
        """Check once more."""
        self._check()

    def action_fix(self) -> None:
        """Fix what can be fixed without changing a request, or leave it."""
        self._fix = not self._fix
        self._draw_report()
        self._draw_buttons()

    def action_submit(self) -> None:
        """Ask to send."""
        report = self._report
        if report is None or self._path is None:
            return
        window: Any = self.query_one("#compose-window", Select).value
        name = self.query_one("#compose-name", Input).value.strip()
        self.post_message(
            SubmitRequested(
                path=self._path,
                account=self.account,
                name=name or self._path.stem,
                window=window if isinstance(window, str) else "",
                fix=self._fix,
                rows=report.rows,
                model=most(report.models),
                input_tokens=report.input_tokens,
            )
        )

    def action_editor(self) -> None:
        """Open the file in the editor."""
        self.post_message(ExternalRequested("editor", path=self._path))

    def action_pager(self) -> None:
        """Read the file in the pager."""
        self.post_message(ExternalRequested("pager", path=self._path))


_LABEL = 10
"""Cells that the names of the form take."""

_START = (
    ("f", "choose a JSONL file: it is checked before anything is sent"),
    ("T", "make a sample for the sandbox: free, without a key"),
)
