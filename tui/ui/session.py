"""What panes, screens, dialogs and tasks share: one ``Session``, made by the app at its start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from textual.message import Message

from tui.config.settings import Config
from tui.core.analysis.views import View
from tui.errors import BatchdeckError, UnknownJobError
from tui.paths import Paths
from tui.ui.activity_log import ActivityLog
from tui.ui.commands.own_commands import own_commands
from tui.ui.state import State

if TYPE_CHECKING:
    from textual.app import App

    from tui.compose.estimate import Estimate
    from tui.compose.requests.report import CheckReport
    from tui.compose.sources.base import Source
    from tui.compose.templates.model import Template
    from tui.core.query import RowFilter
    from tui.core.results.media import Medium
    from tui.engine.engine import Engine
    from tui.engine.try_request import TryResult
    from tui.store.history import History
    from tui.ui.drafts import Drafts
    from tui.ui.models.row_search import FacetAnswer, RowQuery

T = TypeVar("T")


class Tasks(Protocol):
    """The work that panes and dialogs start with a call.

    Each call returns at once. The work asks what it needs to know, runs as a worker of the app
    (so it goes on when a dialog is closed or another pane is shown), and shows its own result and
    errors. Work that is started before the engine is open waits for it.
    """

    def pick_file(self) -> None:
        """Choose a file and open it in Compose."""

    def open_archive(self, path: Path) -> None:
        """Make a job of an archive that another Batchdeck wrote."""

    def import_results(self, path: Path) -> None:
        """Make a job of the results of a batch that ran elsewhere, and of its requests."""

    def run_action(self, name: str, job_id: str, rows: Sequence[int] | None = None) -> None:
        """Run an action of the user on a job, or on rows of it; stop it if it runs already."""

    def sample(self) -> None:
        """Create a sample file for the sandbox and open it in Compose."""

    def submit(
        self,
        path: Path,
        report: CheckReport,
        *,
        account: str,
        name: str,
        window: str = "",
        fix: bool = False,
        estimate: Estimate | None = None,
        repeated: Estimate | None = None,
        sample: int = 0,
    ) -> None:
        """Import a checked file as a job and submit it; with ``sample`` that many rows first."""

    def submit_experiment(
        self,
        source: Source,
        name: str,
        templates: Sequence[Template],
        models: Sequence[str],
        *,
        account: str,
        window: str = "",
    ) -> None:
        """Submit each template with each model over a table, after one question."""

    def fix(self, path: Path, report: CheckReport, account: str) -> None:
        """Write a fixed copy of a file, after asking which fixes to apply."""

    def try_row(
        self,
        row: bytes | Path,
        account: str,
        done: Callable[[TryResult | BatchdeckError], None] | None = None,
    ) -> None:
        """Send one request now, outside any batch.

        Args:
            row: A request line, or a file whose first request is sent.
            account: The account to send it with.
            done: Receives the answer or the error; without it, a dialog shows them.
        """

    def submit_draft(self, job_id: str) -> None:
        """Submit a draft job, or ask about its unconfirmed batches."""

    def retry(
        self,
        job_id: str,
        rows: RowFilter | Sequence[int] | None = None,
        *,
        edit: bool = False,
        subject: str = "all failed rows",
    ) -> None:
        """Retry rows, with an edit if ``edit``; ``rows`` is ``None`` for all failed rows."""

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""

    def collect(self, job_id: str) -> None:
        """Download the results that are available now."""

    def delete(self, job_id: str) -> None:
        """Delete a job."""

    def facets(
        self,
        job_id: str,
        query: RowQuery,
        column: str,
        answered: Callable[[str, FacetAnswer], None],
    ) -> None:
        """Show the values of a job's columns; ``answered`` gets the job and what was chosen."""

    def summary(self, job_id: str) -> None:
        """Show the summary of a job."""

    def evaluate(self, job_id: str) -> None:
        """Compare the answers of a job with true values; in Results, those of the filter."""

    def compare(self, job_id: str, *others: str) -> None:
        """Compare jobs; ask for the second one if none is given."""

    def experiment(self, job_id: str) -> None:
        """Compare the jobs of the experiment that a job belongs to."""

    def costs(self) -> None:
        """Show where the money went."""

    def add_account(self) -> None:
        """Ask for a new account and its key, add it, and test it."""

    def set_key(self) -> None:
        """Choose an account and give it a key."""

    def list_remote(self, account: str = "") -> None:
        """Show the provider's list of batches, starting with this account."""

    def edit_deadline(self, job_id: str) -> None:
        """Edit the deadline of a job."""

    def edit_tags(self, job_id: str) -> None:
        """Edit the tags of a job."""

    def edit_note(self, job_id: str) -> None:
        """Edit the note of a job."""

    def details(self, job_id: str) -> None:
        """Show the details of a job."""

    def choose_account(self) -> None:
        """Choose the account whose jobs are listed."""

    def sections(self) -> None:
        """Choose a section of the job list, keep the filter as one, or remove one."""

    def settings(self) -> None:
        """Show and change the settings."""

    def export(
        self,
        job_id: str,
        shown: Sequence[int] | None = None,
        marked: Sequence[int] | None = None,
    ) -> None:
        """Export rows of a job to a file.

        Args:
            job_id: The id of the job.
            shown: The rows that match the filter, in the order on the screen; ``None`` without
                a filter.
            marked: The marked rows; ``None`` without marks.
        """

    def review(
        self,
        job_id: str,
        shown: Sequence[int] | None = None,
        marked: Sequence[int] | None = None,
    ) -> None:
        """Review the answers of rows; takes the arguments of ``export``."""

    def compose_rows(self, job_id: str, marked: Sequence[int] | None, where: str) -> None:
        """Open rows of a job in Compose: the marked ones, else those of the query."""

    def save_media(self, media: Sequence[Medium], name: str) -> None:
        """Save the images and audio of an answer; ``name`` is the id of its row."""

    def check_schema(self, job_id: str) -> None:
        """Check the answers of a job against a JSON schema."""


class ConfigChanged(Message):
    """The settings changed."""


@dataclass
class JobGone(Message):
    """A job was read that no longer exists: another program has deleted it."""

    job_id: str


class Session:
    """What panes, screens, dialogs and tasks may use.

    Args:
        app: The app, for its screens, notifications and workers.
        paths: Paths of the Batchdeck home.
        config: The settings.
        load_tasks: Makes the tasks, when the first one is started.
        now: The clock for ages, in Unix seconds.
    """

    def __init__(
        self,
        app: App[Any],
        paths: Paths,
        config: Config,
        load_tasks: Callable[[], Tasks],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.app = app
        self.paths = paths
        self.config = config
        self.now = now
        self.state = State.load(paths)
        self.log = ActivityLog(paths.log_file, now)
        self.ready = asyncio.Event()
        """Set once the engine is open and the panes are there."""
        self.own = own_commands(config.actions, config.keymap, paths.config_file)
        """The commands of the user's own actions."""
        self.is_previewing_theme = False
        """Whether the theme shown is one under the cursor of a list, which is not saved."""
        self._load_tasks = load_tasks
        self._engine: Engine | None = None

    @property
    def is_open(self) -> bool:
        """Whether the engine is open."""
        return self._engine is not None

    @property
    def engine(self) -> Engine:
        """The engine.

        Raises:
            RuntimeError: It is not open yet (see ``is_open``).
        """
        if self._engine is None:
            raise RuntimeError("the engine is not open yet")
        return self._engine

    def open(self, engine: Engine) -> None:
        """Set the engine once it is open."""
        self._engine = engine
        if self.state.filters:
            self._keep_filters(engine)

    def _keep_filters(self, engine: Engine) -> None:
        """Turn saved filters into views."""
        try:
            known = engine.history.views.all()
            for name, where in self.state.filters.items():
                if name not in known:
                    engine.history.views.save(name, View(where=where))
        except BatchdeckError as error:
            self.log.note(f"Saved filters: {error.message}", bad=True)
            return
        self.state.filters = {}
        self.save_state()

    def read_job(self, job_id: str, read: Callable[[History], T], gone: T) -> T:
        """Read something of the job that a pane shows; another program may have deleted it.

        Args:
            job_id: The job.
            read: Reads it.
            gone: What to return if the job no longer exists. ``JobGone`` is posted then.

        Raises:
            BatchdeckError: The job is there, and cannot be read.
            OSError: The same, for one of its files.
        """
        history = self.engine.history
        try:
            return read(history)
        except (BatchdeckError, OSError) as error:
            if not isinstance(error, UnknownJobError):
                try:
                    history.jobs.get(job_id)
                except UnknownJobError:
                    pass
                else:
                    raise
            self.app.post_message(JobGone(job_id))
            return gone

    def set_config(self, config: Config) -> None:
        """Use new settings."""
        self.config = config
        if self._engine is not None:
            self._engine.apply_config(config)
        self.app.post_message(ConfigChanged())

    @cached_property
    def drafts(self) -> Drafts:
        """What was typed in Compose and not submitted."""
        from tui.ui.drafts import Drafts

        return Drafts(self.paths, self.now)

    @cached_property
    def tasks(self) -> Tasks:
        """Starts the work that outlives a pane."""
        return self._load_tasks()

    def save_state(self) -> None:
        """Save the state that is kept between runs."""
        self.state.save(self.paths)
