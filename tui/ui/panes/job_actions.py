"""The commands on one job, wherever it is shown, those of the user too; why one is disabled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.config.actions import ActionConfig
from tui.core.jobs import Batch, BatchStatus, Job, Submission, is_terminal
from tui.ui.commands.dispatch import CommandTarget
from tui.ui.commands.own_commands import PREFIX
from tui.ui.session import Session, Tasks

if TYPE_CHECKING:
    from tui.ui.panes.results.row_table import RowTable


class JobActions:
    """Runs commands on the job that a pane shows, and adds the user's own to the pane.

    Args:
        pane: The pane.
        session: The session.
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
        pane.add_commands(session.own.commands)

    def run(self, command_id: str) -> bool:
        """Run a command; ``False`` if it is not one on a job."""
        job = self._current_job()
        if (action := self._own_action(command_id)) is not None:
            if job is not None:
                self._run_own(command_id.removeprefix(PREFIX), action, job.id)
            return True
        start = STARTS.get(command_id)
        if start is not None and job is not None:
            start(self._session.tasks, job.id)
        return start is not None

    def why_disabled(self, command_id: str) -> str:
        """Why a command on the job is disabled now; empty if it is enabled."""
        job = self._current_job()
        if job is None:
            return "No job selected."
        if (action := self._own_action(command_id)) is not None:
            return "No row is selected." if action.where == "row" and self._row is None else ""
        if command_id == "submit":
            return "" if self._is_unsent(job) else "The job is already submitted."
        if command_id in ("retry", "retry_edit"):
            if job.counts.unanswered:
                return ""
            return "No row has failed so far." if job.counts.pending else "Every row has an answer."
        if command_id == "experiment" and not job.experiment:
            return "The job belongs to no experiment. Mark jobs with space, and press =."
        if command_id == "deadline" and is_terminal(job.status):
            return "The job has ended."
        if command_id == "cancel" and (is_terminal(job.status) or job.status == BatchStatus.DRAFT):
            return "The job is not running."
        return ""

    def _own_action(self, command_id: str) -> ActionConfig | None:
        if not command_id.startswith(PREFIX):
            return None
        return self._session.config.actions.get(command_id.removeprefix(PREFIX))

    def _run_own(self, name: str, action: ActionConfig, job_id: str) -> None:
        start = self._session.tasks.run_action
        if action.where == "job":
            start(name, job_id)
        elif action.where == "rows" and self._rows is not None:
            self._rows.with_chosen_rows(lambda job_id, rows: start(name, job_id, rows))
        elif (number := self._row) is not None:
            start(name, job_id, [number])

    @property
    def _row(self) -> int | None:
        """The number of the row under the cursor."""
        number = None if self._rows is None else self._rows.cursor_id
        return number if isinstance(number, int) else None

    def _is_unsent(self, job: Job) -> bool:
        """Whether the job has a batch that is not submitted, or whose creation is unconfirmed."""
        if job.status == BatchStatus.DRAFT:
            return True
        if is_terminal(job.status):
            return False
        none: list[Batch] = []
        batches = self._session.read_job(
            job.id, lambda history: history.batches.of_job(job.id), none
        )
        unsent = (Submission.DRAFT, Submission.UNCERTAIN)
        return any(batch.submission in unsent for batch in batches)


STARTS: dict[str, Callable[[Tasks, str], None]] = {
    "submit": lambda tasks, job_id: tasks.submit_draft(job_id),
    "retry": lambda tasks, job_id: tasks.retry(job_id),
    "retry_edit": lambda tasks, job_id: tasks.retry(job_id, edit=True),
    "cancel": lambda tasks, job_id: tasks.cancel(job_id),
    "collect": lambda tasks, job_id: tasks.collect(job_id),
    "delete": lambda tasks, job_id: tasks.delete(job_id),
    "export": lambda tasks, job_id: tasks.export(job_id),
    "summary": lambda tasks, job_id: tasks.summary(job_id),
    "evaluate": lambda tasks, job_id: tasks.evaluate(job_id),
    "compare": lambda tasks, job_id: tasks.compare(job_id),
    "experiment": lambda tasks, job_id: tasks.experiment(job_id),
    "details": lambda tasks, job_id: tasks.details(job_id),
    "deadline": lambda tasks, job_id: tasks.edit_deadline(job_id),
    "tags": lambda tasks, job_id: tasks.edit_tags(job_id),
    "note": lambda tasks, job_id: tasks.edit_note(job_id),
    "schema": lambda tasks, job_id: tasks.check_schema(job_id),
}
"""Command id to the task that it starts."""
