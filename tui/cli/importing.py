"""A file that becomes a job, or two, before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.cli.meter import Meter
from tui.cli.session import stop_at_exit

if TYPE_CHECKING:
    from tui.compose.report import CheckReport
    from tui.core.jobs import Job
    from tui.engine.engine import Engine


@dataclass(frozen=True)
class Draft:
    """A file and how it is to be sent; with ``sample`` only so many of its rows now."""

    path: Path
    account: str | None
    name: str | None
    window: str | None
    edits: Mapping[str, Any]
    fix: bool
    sample: int | None

    async def jobs(self, engine: Engine) -> list[Job]:
        """Make a job of the file; with a sample two, the one to be sent first."""
        with stop_at_exit() as stop:
            wishes: dict[str, Any] = {
                "account": self.account,
                "name": self.name,
                "fix": self.fix,
                "window": self.window,
                "edits": self.edits,
                "stop": stop,
                "progress": Meter("importing").show,
            }
            if self.sample is None:
                return [await engine.import_file(self.path, **wishes)]
            return list(await engine.import_sample(self.path, self.sample, **wishes))

    async def in_words(self, engine: Engine, report: CheckReport) -> tuple[int, str, str]:
        """Rows, model and cost of what is to be sent, for the question before it is."""
        from tui.engine.budgeting import cost_range

        model = str(self.edits.get("model", ", ".join(report.models)))
        estimate = await engine.estimate(
            self.path, self.account, window=self.window, edits=self.edits
        )
        rows = report.rows
        if self.sample is not None and rows > self.sample:
            estimate = estimate.times(self.sample / rows)
            rows = self.sample
        return rows, model, cost_range(estimate)
