"""The user's own actions in a pane: their keys, when they work, and what they get."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.binding import Binding

from tui.core.jobs import Job
from tui.ui.commands.dispatch import CommandTarget
from tui.ui.commands.own_commands import PREFIX, own_bindings
from tui.ui.session import Session

if TYPE_CHECKING:
    from tui.ui.panes.results.row_table import RowTable


class OwnActions:
    """Runs the user's actions on what a pane shows, and adds their keys to the pane.

    Args:
        pane: The pane.
        session: The session, which has the commands.
        current_job: Returns the job; ``None`` if there is none.
        rows: The table of rows, in the pane that has one.
    """

    def __init__(
        self,
        pane: CommandTarget,
        session: Session,
        current_job: Callable[[], Job | None],
        rows: RowTable | None = None,
    ) -> None:
        self._session = session
        self._current_job = current_job
        self._rows = rows
        keys = pane._bindings.key_to_bindings
        for binding in Binding.make_bindings(own_bindings(session.own.commands, pane.SCOPE)):
            keys[binding.key] = [*keys.get(binding.key, ()), binding]

    def why_disabled(self, command_id: str) -> str | None:
        """Why an action is disabled now; empty if it is enabled, ``None`` if it is none of these.

        ``None`` is for the commands of the table.
        """
        if not command_id.startswith(PREFIX):
            return None
        if self._current_job() is None:
            return "No job selected."
        if self._where(command_id) == "row" and self._number is None:
            return "No row is selected."
        return ""

    def run(self, command_id: str) -> bool:
        """Run an action; ``False`` if the command is none."""
        job = self._current_job()
        if not command_id.startswith(PREFIX) or job is None:
            return False
        name = command_id.removeprefix(PREFIX)
        start = self._session.tasks.run_action
        where = self._where(command_id)
        if where == "rows" and self._rows is not None:
            self._rows.with_chosen_rows(lambda job_id, rows: start(name, job_id, rows))
        elif where == "row" and (number := self._number) is not None:
            start(name, job.id, [number])
        elif where == "job":
            start(name, job.id)
        return True

    def _where(self, command_id: str) -> str:
        action = self._session.config.actions.get(command_id.removeprefix(PREFIX))
        return "" if action is None else action.where

    @property
    def _number(self) -> int | None:
        number = None if self._rows is None else self._rows.cursor_id
        return number if isinstance(number, int) else None
