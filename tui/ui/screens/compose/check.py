"""A file of requests: what a check says of it, what it costs, and the way to send it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import Button, Static

from tui.compose.report import CheckReport
from tui.core.lines import BOM
from tui.core.text import one_line
from tui.errors import BatchdeckError, BudgetError, InputError
from tui.ui import formatting
from tui.ui.composetext import MUTED_DOT, answer_parts, cost_parts
from tui.ui.messages import ExternalRequested, FixesRequested, SubmitRequested, TryRequested
from tui.ui.reporttext import figures, most, refusal, verdict, why_no_submit
from tui.ui.screens.compose.peek import RequestPeek
from tui.ui.screens.compose.step import Desk, Step
from tui.ui.tones import Part, content
from tui.ui.widgets.problem_source import PROBLEM_COLUMNS, ProblemSource
from tui.ui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from tui.compose.estimate import Estimate

SAMPLE_ROWS = 20
"""So many rows are sent first when a person wants to see some answers."""


class CheckStep(Step):
    """A file, checked.

    Args:
        desk: What the steps share.
        path: The file.
        submit: Ask to send it as soon as it is found to be in order.
    """

    DEFAULT_CSS = """
    CheckStep #compose-verdict { height: auto; max-height: 3; text-wrap: wrap; }
    CheckStep #problems { height: 1fr; display: none; margin-top: 1; }
    CheckStep #problem { height: 3; display: none; padding: 0 2; }
    CheckStep.-problems #problems, CheckStep.-problems #problem { display: block; }
    CheckStep #peek { display: none; margin-top: 1; }
    CheckStep.-peek #peek { display: block; }
    """

    def __init__(self, desk: Desk, path: Path, *, submit: bool = False) -> None:
        super().__init__(desk)
        self._path = path
        self._submit = submit
        self._report: CheckReport | None = None
        self._estimate: Estimate | None = None
        self._fix = False
        self._generation = 0
        self._progress: tuple[int, int] | None = None
        self._timer: Timer | None = None
        self._figures = Static("", classes="step-line", id="compose-figures", markup=False)
        self._cost = Static("", classes="step-line", id="compose-cost", markup=False)
        self._verdict = Static("", classes="step-line", id="compose-verdict", markup=False)
        self._problems = VirtualTable(PROBLEM_COLUMNS, openable=False, id="problems")
        self._problem = Static("", id="problem", markup=False)
        self._peek = RequestPeek(id="peek")

    def compose(self) -> ComposeResult:
        """What the check says, and the buttons."""
        yield self._figures
        yield self._cost
        yield self._verdict
        yield self._problems
        yield self._problem
        with Horizontal(classes="step-buttons"):
            yield Button("Submit…  S", id="do-submit", variant="primary", compact=True)
            yield Button("Sample 20 first", id="do-sample_first", compact=True)
            yield Button("Fix…  F", id="do-fix", compact=True)
            yield Button("Try  t", id="do-try_row", compact=True)
            yield Button("Edit  E", id="do-edit_request", compact=True)
        yield self._peek

    def on_mount(self) -> None:
        """Check at once."""
        self.do_check()

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def line(self) -> int:
        """The line of the problem under the cursor, or of the request that is shown."""
        # Blank lines are problems, so that without any the requests are the lines.
        return self._problem_line or self._shown_line or 1

    @property
    def _shown_line(self) -> int | None:
        row = self._peek.row
        return row.number if row is not None and self.has_class("-peek") else None

    @property
    def _problem_line(self) -> int | None:
        source = self._problems.source
        place = self._problems.cursor
        if isinstance(source, ProblemSource) and self.has_class("-problems"):
            return source.line(place)
        return None

    def why_not(self, command_id: str) -> str:
        """Why a command is off."""
        if command_id in ("submit", "sample_first", "fix", "try_row") and self._report is None:
            return "The file is being checked." if self._progress else "The check did not end."
        report = self._report
        if report is not None and command_id in ("submit", "sample_first"):
            if command_id == "sample_first" and report.rows <= SAMPLE_ROWS:
                return f"The file has no more than {SAMPLE_ROWS} requests: send all."
            return why_no_submit(report, self._fix)
        if report is not None and command_id == "try_row" and not report.rows:
            return "The file holds no requests."
        if command_id == "next_preview" and self._shown_line is None:
            return "No requests are shown."
        if command_id == "edit_request":
            # The pane does it: it opens another step.
            return ""
        return super().why_not(command_id)

    def focus_first(self) -> None:
        """To the button that sends, else to what is wrong."""
        button = self.query_one("#do-submit", Button)
        # At once: a check that ends before focus() has come about would not see it.
        self.screen.set_focus(self._problems if button.disabled else button)

    def go_back(self) -> bool:
        """Stop a check that runs."""
        if self._progress is None:
            return False
        self._generation += 1
        return True

    def desk_changed(self) -> None:
        """Another provider has other limits and prices."""
        self.do_check()

    def do_check(self) -> None:
        """Read and check the file."""
        self._generation += 1
        self._report = self._estimate = None
        self._progress = (0, 0)
        self.remove_class("-problems", "-peek")
        self._figures.update("")
        self._cost.update("")
        if self._timer is None:
            self._timer = self.set_interval(0.1, self._draw_progress)
        self._draw_progress()
        self._draw_buttons()
        self._check_file(self._generation)

    @work(group="check", exclusive=True, exit_on_error=False)
    async def _check_file(self, generation: int) -> None:
        engine = self.desk.engine
        if engine is None:
            return

        def seen(done: int, total: int) -> None:
            self._progress = (done, total)

        error: BatchdeckError | None = None
        report: CheckReport | None = None
        try:
            report = await engine.check(
                self._path,
                account=self.desk.account or None,
                stop=lambda: generation != self._generation,
                progress=seen,
            )
        except BatchdeckError as caught:
            error = caught
        stopped = generation != self._generation
        if stopped and self._progress is None:
            return
        self._progress = None
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if stopped:
            parts: list[Part] = [("The check was stopped. ctrl+r starts it anew", "warn")]
            self._verdict.update(content(parts))
        elif error is not None:
            self._verdict.update(content(refusal(error)))
        elif report is not None:
            self._report = report
            self._draw_report()
            self._price(generation)
        self._draw_buttons()
        if self.is_attached and self.screen.focused is self._problems:
            # It had the keys because nothing could be sent yet.
            self.focus_first()
        if self._submit and report is not None and not self.why_not("submit"):
            self._submit = False
            self.do_submit()

    @work(group="price", exclusive=True, exit_on_error=False)
    async def _price(self, generation: int) -> None:
        engine, report = self.desk.engine, self._report
        if engine is None or report is None or not report.rows:
            return
        account = self.desk.account
        try:
            estimate = await engine.estimate(
                self._path,
                account,
                window=self.desk.window or None,
                stop=lambda: generation != self._generation,
            )
        except InputError:
            # The check says already what is wrong with the file.
            return
        parts = [*cost_parts(estimate, free=self.desk.is_free), *answer_parts(estimate)]
        if engine.has_budget(account):
            try:
                await asyncio.to_thread(engine.check_budget, estimate, account)
            except BudgetError as error:
                parts += [MUTED_DOT, (f"✗ over the budget: {error.message}", "bad")]
            else:
                parts += [MUTED_DOT, ("within the budget", "good")]
        elif estimate.notes and not self.desk.is_free:
            parts += [MUTED_DOT, ("; ".join(estimate.notes), "muted")]
        if generation == self._generation:
            self._estimate = estimate
            self._cost.update(content(parts))

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
        if not source.row_count() and report.rows and self.desk.engine is not None:
            self._peek.look(self.desk.engine, self._path, self.desk.account)

    @on(RequestPeek.Shown)
    def _peek_shown(self, event: RequestPeek.Shown) -> None:
        event.stop()
        self.set_class(self._report is not None and not self.has_class("-problems"), "-peek")
        self.post_message(self.Redrawn())

    def do_next_preview(self) -> None:
        """Show another of the three requests."""
        self._peek.next_row()

    def _draw_buttons(self) -> None:
        for button in self.query(Button):
            button.disabled = bool(self.why_not(str(button.id).removeprefix("do-")))
        self.post_message(self.Redrawn())

    @on(VirtualTable.CursorMoved, "#problems")
    def _problem_under_cursor(self, event: VirtualTable.CursorMoved) -> None:
        source = self._problems.source
        if isinstance(source, ProblemSource) and isinstance(event.row_id, int):
            self._problem.update(content(source.describe(event.row_id)))

    def do_fix(self) -> None:
        """Apply the fixes that change no request, or leave them; else offer the others."""
        report = self._report
        if report is None:
            return
        if report.fixable and report.ok_when_fixed:
            self._fix = not self._fix
            self._draw_report()
            self._draw_buttons()
        else:
            self.do_fixes()

    def do_fixes(self) -> None:
        """Offer the fixes that write a mended copy."""
        if self._report is not None:
            self.post_message(FixesRequested(self._path, self._report, self.desk.account))

    def do_try_row(self) -> None:
        """Send one request at once, and show its answer."""
        self._try_line(self._problem_line or self._shown_line)

    @work(group="try-line", exclusive=True, exit_on_error=False)
    async def _try_line(self, number: int | None) -> None:
        """Try the line of the problem under the cursor, else the first request of the file."""
        asked: bytes | Path = self._path
        if number is not None and self.desk.engine is not None:
            # Lines are not requests: blank ones are counted by the one and not by the other.
            try:
                asked = (await self.desk.engine.line_of(self._path, number)).removeprefix(BOM)
            except BatchdeckError as error:
                self.app.notify(one_line(error.message, 200), markup=False, severity="warning")
                return
            if not asked.strip():
                self.app.notify(f"Line {number:,} is blank", markup=False, timeout=3)
                return
        self.post_message(TryRequested(asked, self.desk.account))

    def do_submit(self, sample: int = 0) -> None:
        """Ask to send."""
        report = self._report
        if report is None:
            return
        self.post_message(
            SubmitRequested(
                path=self._path,
                account=self.desk.account,
                name=self.desk.name or self._path.stem,
                window=self.desk.window,
                fix=self._fix,
                rows=report.rows,
                model=most(report.models),
                input_tokens=report.input_tokens,
                estimate=self._estimate,
                sample=sample,
            )
        )

    def do_sample_first(self) -> None:
        """Ask to send a few, and let the rest wait."""
        self.do_submit(SAMPLE_ROWS)

    def do_editor(self) -> None:
        """Open the file in the editor."""
        self.post_message(ExternalRequested("editor", path=self._path))

    def do_pager(self) -> None:
        """Read the file in the pager."""
        self.post_message(ExternalRequested("pager", path=self._path))
