"""Problems of a file as rows of a table."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from tui.compose.report import CheckReport
from tui.core.text import one_line
from tui.ui.tones import Parts, Tone
from tui.ui.widgets.table_model import Cells, Column

PROBLEM_COLUMNS = (
    Column("line", "Line", 7, align="right"),
    Column("severity", "Kind", 9),
    Column("what", "What", 24, flex=1),
    Column("fix", "What to do", 24, flex=1, drop=1),
)

_LOOKS: dict[str, tuple[str, Tone]] = {
    "error": ("✗ error", "bad"),
    "fixable": ("◐ fixable", "warn"),
    "warning": ("! note", "muted"),
}


class ProblemSource:
    """The problems of one report, then what was only counted.

    Args:
        report: What the check found.
        fixed: Are the fixable ones going to be fixed?
    """

    def __init__(self, report: CheckReport, *, fixed: bool) -> None:
        self._rows: list[Cells] = []
        self._texts = [
            (one_line(problem.what, 600), one_line(problem.fix, 300)) for problem in report.problems
        ]
        self._lines = [problem.line for problem in report.problems]
        listed: dict[str, int] = {}
        for problem in report.problems:
            listed[problem.code] = listed.get(problem.code, 0) + 1
            look, tone = _LOOKS[problem.severity]
            if fixed and problem.severity == "fixable":
                look, tone = "✓ fixed", "good"
            line = f"{problem.line:,}" if problem.line is not None else "file"
            self._rows.append(
                (
                    line,
                    ((look, tone),),
                    one_line(problem.what, 300),
                    ((one_line(problem.fix, 300), "muted"),),
                )
            )
        for code, count in report.found.items():
            more = count - listed.get(code, 0)
            if more > 0:
                name = code.replace("_", " ")
                self._rows.append(("", "", ((f"and {more:,} more: {name}", "muted"),), ""))

    def describe(self, index: int) -> Parts:
        """A problem in full: what, and below it what to do."""
        if index >= len(self._texts):
            return ()
        what, fix = self._texts[index]
        return ((what, ""), ("\n" + fix, "muted"))

    def line(self, index: int) -> int | None:
        """The line that a problem is on; ``None`` for the whole file."""
        return self._lines[index] if index < len(self._lines) else None

    def row_count(self) -> int:
        """How many lines there are."""
        return len(self._rows)

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """Some lines."""
        return self._rows[start:stop]

    def row_id(self, index: int) -> Hashable:
        """The place of a line."""
        return index

    def index_of(self, row_id: Hashable) -> int | None:
        """Where a line stands."""
        return row_id if isinstance(row_id, int) and row_id < len(self._rows) else None
