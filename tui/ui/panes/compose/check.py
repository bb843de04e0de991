"""The check step: the problems and figures of a file of requests, and how to go on."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Button, Static

from tui.compose.checks.scan import Scan
from tui.compose.estimate import Estimate
from tui.compose.requests.report import CheckReport, Problem
from tui.core.formatting import size
from tui.core.text import BOM, one_line
from tui.engine.engine import Engine
from tui.engine.submit_facts import repeats_text
from tui.errors import BatchdeckError, BudgetError
from tui.progress import Progress
from tui.ui.external_programs import show_file
from tui.ui.panes.compose.steps import ComposeContext, Step
from tui.ui.text import compose
from tui.ui.text.tones import Part, Parts, Tone, content
from tui.ui.widgets.compose_inputs import PreviewPanel
from tui.ui.widgets.table.model import Cells, Column, ListSource
from tui.ui.widgets.table.table import VirtualTable


class SampleRequests(PreviewPanel):
    """The first request of a file, a random one and the longest."""

    HINT = (("   ^g", "accent"), (" next", "muted"))

    class Shown(Message):
        """Posted when the requests are shown."""

    @work(group="peek", exclusive=True, exit_on_error=False)
    async def look(self, engine: Engine, path: Path, account: str) -> None:
        """Read the file and show three of its requests."""
        try:
            sketch = await engine.requests.preview(str(path), None, account=account or None)
        except BatchdeckError:
            # The check reports the problems of the file.
            return
        self.show(sketch)
        self.post_message(self.Shown())


PROBLEM_COLUMNS = (
    Column("line", "Line", 7, align="right"),
    Column("severity", "Kind", 9),
    Column("what", "Problem", 24, flex=1),
    Column("fix", "Fix", 24, flex=1, drop=1),
)

_STYLES: dict[str, tuple[str, Tone]] = {
    "error": ("✗ error", "bad"),
    "fixable": ("◐ fixable", "warn"),
    "warning": ("! warning", "muted"),
}


class ProblemSource(ListSource[int]):
    """The problems of a report, then the counts of those not listed.

    Args:
        report: The report of the check.
        fixed: Whether the fixable ones will be fixed.
    """

    def __init__(self, report: CheckReport, *, fixed: bool) -> None:
        self._problems = report.problems
        rows = [_problem_cells(problem, fixed=fixed) for problem in report.problems]
        listed: Counter[str] = Counter(problem.code for problem in report.problems)
        for code, count in report.found.items():
            more = count - listed[code]
            if more > 0:
                name = code.replace("_", " ")
                rows.append(("", "", ((f"and {more:,} more: {name}", "muted"),), ""))
        super().__init__(range(len(rows)), rows.__getitem__)

    def describe(self, index: int) -> Parts:
        """The full text of a problem, and its fix on the next line."""
        if index >= len(self._problems):
            return ()
        problem = self._problems[index]
        return ((one_line(problem.what, 600), ""), ("\n" + one_line(problem.fix, 300), "muted"))

    def line(self, index: int) -> int | None:
        """The line number of a problem; ``None`` for the whole file."""
        return self._problems[index].line if index < len(self._problems) else None


def _problem_cells(problem: Problem, *, fixed: bool) -> Cells:
    label, tone = _STYLES[problem.severity]
    if fixed and problem.severity == "fixable":
        label, tone = "✓ fixed", "good"
    return (
        f"{problem.line:,}" if problem.line is not None else "file",
        ((label, tone),),
        one_line(problem.what, 300),
        ((one_line(problem.fix, 300), "muted"),),
    )


SAMPLE_ROWS = 20
"""Rows of a sample, unless the user chooses another number."""


class CheckStep(Step):
    """Checks a file of requests and offers to submit it.

    Args:
        context: The shared context of the steps.
        path: The file.
        submit: Ask to submit the file as soon as the check has passed.
    """

    DEFAULT_CSS = """
    CheckStep #compose-verdict { height: auto; max-height: 3; text-wrap: wrap; }
    CheckStep #problems { height: 1fr; display: none; margin-top: 1; }
    CheckStep #problem { height: 3; display: none; padding: 0 2; }
    CheckStep.-problems #problems, CheckStep.-problems #problem { display: block; }
    CheckStep #peek { display: none; margin-top: 1; }
    CheckStep.-peek #peek { display: block; }
    """

    def __init__(self, context: ComposeContext, path: Path, *, submit: bool = False) -> None:
        super().__init__(context)
        self._path = path
        self._submit = submit
        self._report: CheckReport | None = None
        self._estimate: Estimate | None = None
        self._repeated: Estimate | None = None
        self._fix = False
        self._progress: Progress | None = None
        self._figures = Static("", classes="step-line", id="compose-figures", markup=False)
        self._cost = Static("", classes="step-line", id="compose-cost", markup=False)
        self._verdict = Static("", classes="step-line", id="compose-verdict", markup=False)
        self._problems = VirtualTable(PROBLEM_COLUMNS, openable=False, id="problems")
        self._problem = Static("", id="problem", markup=False)
        self._peek = SampleRequests(id="peek")

    def compose(self) -> ComposeResult:
        """The figures, the verdict, the problems, the buttons and the sample requests."""
        yield self._figures
        yield self._cost
        yield self._verdict
        yield self._problems
        yield self._problem
        with Horizontal(classes="step-buttons"):
            yield Button("Submit…  S", id="do-submit", variant="primary", compact=True)
            yield Button("Sample first", id="do-sample_first", compact=True)
            yield Button("Fix…  F", id="do-fix", compact=True)
            yield Button("Try  t", id="do-try_row", compact=True)
            yield Button("Edit  E", id="do-edit_request", compact=True)
        yield self._peek

    def on_mount(self) -> None:
        """Start the check."""
        self.do_check()

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def line(self) -> int:
        """The line of the problem under the cursor, else of the request shown."""
        # Blank lines are problems, so without problems request numbers are line numbers.
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

    def why_disabled(self, command_id: str) -> str:
        """Why a command is unavailable."""
        if command_id in ("submit", "sample_first", "fix", "try_row") and self._report is None:
            return (
                "The check was not completed."
                if self._progress is None
                else "The file is being checked."
            )
        report = self._report
        if report is not None and command_id in ("submit", "sample_first"):
            if command_id == "sample_first" and report.rows < 2:
                return "The file has only one request. Submit it."
            return compose.why_not_submittable(report, self._fix)
        if report is not None and command_id == "fix" and not report.problems:
            return "There is nothing to fix. Other fixes (ctrl+p) edits or splits the file."
        if report is not None and command_id == "try_row" and not report.rows:
            return "The file contains no requests."
        if command_id == "next_preview" and self._shown_line is None:
            return "No requests are shown."
        if command_id == "edit_request":
            # Handled by the pane, which opens another step.
            return ""
        return super().why_disabled(command_id)

    def focus_first(self) -> None:
        """Focus the Submit button, else the problems."""
        button = self.query_one("#do-submit", Button)
        # Synchronously: focus() is deferred, and the check may end before it takes effect.
        self.screen.set_focus(self._problems if button.disabled else button)

    def go_back(self) -> bool:
        """Stop a running check."""
        if self._progress is None:
            return False
        self._progress.stop()
        return True

    def context_changed(self) -> None:
        """Check again, because limits and prices depend on the account."""
        self.do_check()

    def do_check(self) -> None:
        """Read and check the file."""
        self._report = self._estimate = self._repeated = None
        self.workers.cancel_group(self, "price")
        self._progress = Progress(self._draw_progress)
        self.remove_class("-problems", "-peek")
        self._figures.update("")
        self._cost.update("")
        self._draw_progress(0, None)
        self.update_buttons()
        self._check_file(self._progress)

    @work(group="check", exclusive=True, exit_on_error=False)
    async def _check_file(self, progress: Progress) -> None:
        # A worker that is replaced by a new check is cancelled here, and draws nothing.
        scan = await self._scanned(progress)
        self._progress = None
        self._report = None if scan is None else scan.report
        if scan is not None:
            self._draw_report()
            self._price(scan)
        self.update_buttons()
        if self.is_attached and self.screen.focused is self._problems:
            # It had the focus only because Submit was disabled.
            self.focus_first()
        if self._submit and scan is not None and not self.why_disabled("submit"):
            self._submit = False
            self.do_submit()

    async def _scanned(self, progress: Progress) -> Scan | None:
        """Read the file; if that fails or is stopped, show why."""
        account = self.context.account or None
        scan, parts = None, []
        try:
            scan = await self.context.engine.requests.scan(
                self._path, account=account, progress=progress
            )
        except BatchdeckError as error:
            parts = compose.check_error(error)
        if progress.stopped:
            scan, parts = None, [("Check stopped. Press ctrl+r to restart.", "warn")]
        if scan is None:
            self._verdict.update(content(parts))
        return scan

    @work(group="price", exclusive=True, exit_on_error=False)
    async def _price(self, scan: Scan) -> None:
        if not scan.report.rows:
            return
        engine, account = self.context.engine, self.context.account
        window = self.context.window or None
        estimate = await engine.costs.estimate(scan, account, window=window)
        repeated = await engine.costs.price_repeated(scan, self._path, account, window=window)
        parts = [
            *compose.cost_parts(estimate, free=self.context.is_free),
            *compose.answer_parts(estimate),
        ]
        # In 80 columns the end of the line may be cut: what is least important comes last.
        last: list[Part] = []
        if engine.costs.has_budget(account):
            try:
                await asyncio.to_thread(engine.costs.check_budget, estimate, account)
            except BudgetError as error:
                parts += [compose.MUTED_DOT, (f"✗ over budget: {error.message}", "bad")]
            else:
                last = [compose.MUTED_DOT, ("within budget", "good")]
        elif estimate.notes and not self.context.is_free:
            last = [compose.MUTED_DOT, ("; ".join(estimate.notes), "muted")]
        if repeats := repeats_text(scan.report, repeated, free=self.context.is_free):
            parts += [compose.MUTED_DOT, (repeats, "warn")]
        parts += last
        if scan.report is self._report:
            self._estimate, self._repeated = estimate, repeated
            self._cost.update(content(parts))

    def _draw_progress(self, done: int, total: int | None) -> None:
        self._verdict.update(content(compose.progress_parts("Checking", done, total, size)))

    def _draw_report(self) -> None:
        report = self._report
        if report is None:
            return
        self._figures.update(content(compose.report_figures(report)))
        self._verdict.update(content(compose.submit_state(report, self._fix)))
        source = ProblemSource(report, fixed=self._fix)
        self._problems.set_source(source)
        self.set_class(bool(source.row_count()), "-problems")
        if not source.row_count() and report.rows:
            self._peek.look(self.context.engine, self._path, self.context.account)

    @on(SampleRequests.Shown)
    def _peek_shown(self, event: SampleRequests.Shown) -> None:
        event.stop()
        self.set_class(self._report is not None and not self.has_class("-problems"), "-peek")
        self.post_message(self.CommandsChanged())

    def do_next_preview(self) -> None:
        """Show the next of the three requests."""
        self._peek.next_row()

    @on(VirtualTable.CursorMoved, "#problems")
    def _problem_under_cursor(self, event: VirtualTable.CursorMoved) -> None:
        source = self._problems.source
        if isinstance(source, ProblemSource) and isinstance(event.row_id, int):
            self._problem.update(content(source.describe(event.row_id)))

    def do_fix(self) -> None:
        """Toggle the fixes that change no request; if they are not enough, offer all fixes."""
        report = self._report
        if report is None:
            return
        if report.fixable and report.ok_when_fixed:
            self._fix = not self._fix
            self._draw_report()
            self.update_buttons()
        else:
            self.do_fixes()

    def do_fixes(self) -> None:
        """Offer the fixes that write a corrected copy."""
        if self._report is not None:
            tasks = self.context.session.tasks
            tasks.fix(self._path, self._report, self.context.account)

    def do_try_row(self) -> None:
        """Send one request now and show its answer."""
        self._try_line(self._problem_line or self._shown_line)

    @work(group="try-line", exclusive=True, exit_on_error=False)
    async def _try_line(self, number: int | None) -> None:
        """Try the request on a line; ``None`` tries the first request of the file."""
        asked: bytes | Path = self._path
        if number is not None:
            # Line numbers count blank lines, request numbers do not.
            try:
                asked = (
                    await self.context.engine.requests.read_line(self._path, number)
                ).removeprefix(BOM)
            except BatchdeckError as error:
                self.notify(one_line(error.message, 200), markup=False, severity="warning")
                return
            if not asked.strip():
                self.notify(f"Line {number:,} is blank", markup=False, timeout=3)
                return
        self.context.session.tasks.try_row(asked, self.context.account)

    def do_submit(self, sample: int = 0) -> None:
        """Submit the file, after confirmation."""
        report = self._report
        if report is None:
            return
        self.context.session.tasks.submit(
            self._path,
            report,
            account=self.context.account,
            name=self.context.name or self._path.stem,
            window=self.context.window,
            fix=self._fix,
            estimate=self._estimate,
            repeated=self._repeated,
            sample=sample,
        )

    def do_sample_first(self) -> None:
        """Submit a sample, after confirmation, and keep the rest as a draft."""
        rows = 0 if self._report is None else self._report.rows
        self.do_submit(max(1, min(SAMPLE_ROWS, rows // 2)))

    def do_editor(self) -> None:
        """Open the file in the editor."""
        show_file(self.context.session, "editor", self._path)

    def do_pager(self) -> None:
        """Open the file in the pager."""
        show_file(self.context.session, "pager", self._path)
