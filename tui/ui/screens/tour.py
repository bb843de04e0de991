"""The guided first run: sees what is done in the dashboard, and says the next step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from textual.widgets import Static

from tui.engine import events
from tui.ui.models.tour import END, STEPS, Fact, TourProgress, tour_parts
from tui.ui.panes.compose.template import TemplateStep
from tui.ui.screens.main import MainScreen
from tui.ui.text.tones import Part, content


class TourPanel(Static):
    """The current step, where no dialog and no notice of the corner hides it.

    Args:
        progress: Which step it is.
        keys: Command id to its keys, as they are shown.
    """

    DEFAULT_CSS = """
    TourPanel { height: auto; max-height: 4; padding: 0 1; }
    """

    def __init__(self, progress: TourProgress, keys: Mapping[str, str]) -> None:
        super().__init__("", id="tour-panel", markup=False)
        self._progress = progress
        self._keys = keys

    def on_mount(self) -> None:
        """Show the first step."""
        self.show()

    def show(self) -> None:
        """Show the current step."""
        place, step = self._progress.place, self._progress.step
        leave: list[Part] = [(self._keys["leave_tour"], "accent"), (" leaves the tour", "muted")]
        if step is None:
            self.border_title = content([("Tour · the end", "")])
            self.update(content([*tour_parts(END, self._keys), ("  ", ""), *leave]))
            return
        title = f"Tour {place + 1} of {len(STEPS)} · {step.title}"
        self.border_title = content([(title, "")])
        skip: list[Part] = [(self._keys["skip_step"], "accent"), (" skips, ", "muted")]
        self.update(content([*tour_parts(step.text, self._keys), ("  ", ""), *skip, *leave]))


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
