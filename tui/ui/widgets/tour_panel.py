"""The panel of the guided first run: which step it is, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from textual.widgets import Static

from tui.ui.models.tour import END, STEPS, TourProgress, tour_parts
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
