"""Work in the background that fails in a way nobody thought of is told, not lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from textual.worker import Worker, WorkerState

if TYPE_CHECKING:
    from textual.widget import Widget

    from tui.ui.themed import ThemedApp


class TellsFailures:
    """For what has workers: a worker that ends by an error is told to the person.

    The framework posts how a worker ends to its owner alone, and is silent otherwise.
    """

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Tell what went wrong."""
        error = event.worker.error
        if event.state is WorkerState.ERROR and error is not None:
            app: Any = cast("Widget", self).app
            cast("ThemedApp", app).tell_failure(error)
