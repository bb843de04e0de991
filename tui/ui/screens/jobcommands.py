"""What can be asked of the job under the cursor, and why not just now."""

from __future__ import annotations

from tui.core.jobs import Job
from tui.ui.board import Board, JobFilter
from tui.ui.jobrules import why_not_job
from tui.ui.messages import (
    AccountFilterRequested,
    AnnotateRequested,
    DetailsRequested,
    DraftSubmitRequested,
    ExportRequested,
    JobRequested,
    RemoteRequested,
    RetryRequested,
)
from tui.ui.signals import CopyRequested
from tui.ui.targets import CommandTarget
from tui.ui.widgets.job_table import MOST_MARKS


class JobCommands(CommandTarget):
    """The commands of a list of jobs; what they ask for, the app does."""

    @property
    def job(self) -> Job | None:
        """The job under the cursor."""
        raise NotImplementedError

    @property
    def board(self) -> Board | None:
        """All jobs; ``None`` until the history is open."""
        raise NotImplementedError

    @property
    def marked_jobs(self) -> list[str]:
        """The ids of the marked jobs."""
        raise NotImplementedError

    def is_unsent(self, job: Job) -> bool:
        """Is a part of the job not sent, or not certainly?"""
        raise NotImplementedError

    def why_not(self, command_id: str) -> str | None:
        """Why a command is off in this pane."""
        job, jobs = self.job, 0 if self.board is None else len(self.board)
        if command_id in ("filter", "errors_only", "accounts"):
            return "" if jobs else "There are no jobs yet."
        if command_id == "remote":
            return "" if self.board is not None else "The history is not open yet."
        if job is None:
            return "No job is chosen."
        if command_id == "compare" and jobs < 2:
            return "There is no other job to compare with."
        return why_not_job(command_id, job, lambda: self.is_unsent(job))

    def action_accounts(self) -> None:
        """Ask for an account whose jobs are listed."""
        self.post_message(AccountFilterRequested())

    def action_tags(self) -> None:
        """Ask for tags."""
        self._annotate("tags")

    def action_note(self) -> None:
        """Ask for a note."""
        self._annotate("note")

    def _annotate(self, what: str) -> None:
        if self.job is not None:
            self.post_message(AnnotateRequested(self.job.id, what))

    def action_details(self) -> None:
        """Show all facts."""
        if self.job is not None:
            self.post_message(DetailsRequested(self.job.id))

    def action_submit(self) -> None:
        """Ask to send a job that was not sent."""
        if self.job is not None:
            self.post_message(DraftSubmitRequested(self.job.id))

    def action_retry(self) -> None:
        """Ask to send the failed rows again."""
        if self.job is not None:
            self.post_message(RetryRequested(self.job.id))

    def action_retry_edit(self) -> None:
        """The same, with other parameters."""
        if self.job is not None:
            self.post_message(RetryRequested(self.job.id, edit=True))

    def action_cancel(self) -> None:
        """Ask to stop the job."""
        self._ask("cancel")

    def action_collect(self) -> None:
        """Ask to fetch what there is."""
        self._ask("collect")

    def action_delete(self) -> None:
        """Ask to remove the job."""
        self._ask("delete")

    def action_remote(self) -> None:
        """Ask for the provider's own list."""
        self.post_message(RemoteRequested(self.job.account if self.job is not None else None))

    def _ask(self, verb: str) -> None:
        if self.job is not None:
            self.post_message(JobRequested(verb, self.job.id))

    def action_export(self) -> None:
        """Ask to write all rows to a file."""
        if self.job is not None:
            self.post_message(ExportRequested(self.job.id))

    def action_summary(self) -> None:
        """Look at the whole job."""
        self._ask("summary")

    def action_compare(self) -> None:
        """Compare the marked jobs, or one with the one under the cursor, or with one to choose."""
        pair = self.marked_jobs
        if len(pair) == 1 and self.job is not None and self.job.id not in pair:
            pair.append(self.job.id)
        if self.board is not None and len(pair) == MOST_MARKS:
            # The newer one is held against the older one; the newest job is the first.
            newest_first = self.board.ids(JobFilter())
            left, right = sorted(pair, key=newest_first.index, reverse=True)
            self.post_message(JobRequested("compare", left, right))
        else:
            self._ask("compare")

    def action_copy(self) -> None:
        """Copy the id of the job."""
        if self.job is not None:
            self.post_message(CopyRequested(self.job.id, "the id of the job"))
