"""The guided first run: sees what is done in the dashboard, and says the next step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tui.engine import events
from tui.ui.models.tour import Fact, TourProgress
from tui.ui.panes.compose.template import TemplateStep
from tui.ui.screens.main import MainScreen
from tui.ui.widgets.tour_panel import TourPanel


class TourGuide:
    """Notes the facts that end the steps: events of the engine, and what the screen shows.

    Args:
        main: The main screen.
        keys: Command id to its keys, as they are shown.
    """

    def __init__(self, main: MainScreen, keys: Mapping[str, str]) -> None:
        self._main = main
        self._ended: Counter[str] = Counter()
        self.progress = TourProgress()
        self.panel = TourPanel(self.progress, keys)

    def receive(self, event: events.JobEvent) -> None:
        """Note an event; subscribe this to the event bus of the engine."""
        match event:
            case events.BatchSubmitted():
                self._note(Fact.SUBMITTED)
            case events.BatchEnded(job_id=job_id):
                self._ended[job_id] += 1
                if self._ended[job_id] > 1:
                    self._note(Fact.RETRIED)
            case events.RowsExported():
                self._note(Fact.EXPORTED)

    def look(self) -> None:
        """Note what the screen shows; called after each time that it is drawn."""
        main = self._main
        step, results = main.compose_pane.step, main.results
        if isinstance(step, TemplateStep):
            self._note(Fact.TABLE)
            if step.sketch is not None and not step.sketch.is_constant:
                self._note(Fact.PROMPT)
        if main.pane == "results" and results.job_id in self._ended:
            self._note(Fact.OPENED)
            if results.is_reading:
                self._note(Fact.READ)
            if results.rows_table.asked.errors_only:
                self._note(Fact.ERRORS)

    def skip(self) -> None:
        """Go on without the current step."""
        self.progress.skip()
        self.panel.show()

    def _note(self, fact: Fact) -> None:
        if self.progress.note(fact):
            self._main.app.call_later(self.panel.show)
