"""``History``: the jobs, batches, rows, costs and files stored on this machine.

It is the only door to the store. Methods are synchronous. Most are fast enough for the event loop:
they read a few hundred rows at most. Those that may read all rows of a job, or write, say so or
take a ``progress``: call them in a thread.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from tui.core.analysis.derived import CompileExpression
from tui.errors import UsageError
from tui.paths import Paths
from tui.progress import NO_PROGRESS, Progress
from tui.store import manifests
from tui.store.archive.opening import AccountOf, added_views, open_archive
from tui.store.archive.provenance import provenance_document
from tui.store.archive.writer import write_archive
from tui.store.batches import Batches, DeadlineStep, NewBatch
from tui.store.columns.evaluation import EvaluationOptions
from tui.store.columns.expressions import no_expressions
from tui.store.columns.tables import TableCounts
from tui.store.columns.values import UNLISTED, ColumnValues
from tui.store.costs import PastJob, RowPrices, StoredCosts, Usage
from tui.store.database import Database, maps_sqlite_errors
from tui.store.indexing.child_process import FileIndexer
from tui.store.indexing.rebuild import RetryRulesOf
from tui.store.indexing.result_files import ResultFiles
from tui.store.integrity import check_integrity, find_open_permissions
from tui.store.job_folder import ResultFile
from tui.store.job_records import JobData
from tui.store.jobs import Jobs
from tui.store.leases import StoredLeases
from tui.store.ledger import Ledger, LedgerEntry, Spending
from tui.store.reuse.answers import ReusePolicy, origin_of, write_lines
from tui.store.reviews.stored_reviews import ReviewerCounts, ReviewSummary, StoredReviews
from tui.store.rows.comparison import NO_ROW, Comparison
from tui.store.rows.importer import ExistingBatch
from tui.store.rows.inputs import InputColumns
from tui.store.search.schema_results import SchemaResults
from tui.store.stored_rows import StoredRows
from tui.store.views import Views

__all__ = [
    "NO_ROW",
    "UNLISTED",
    "ColumnValues",
    "Comparison",
    "DeadlineStep",
    "EvaluationOptions",
    "ExistingBatch",
    "FileIndexer",
    "History",
    "InputColumns",
    "LedgerEntry",
    "NewBatch",
    "PastJob",
    "ResultFile",
    "ReusePolicy",
    "ReviewSummary",
    "ReviewerCounts",
    "RowPrices",
    "SchemaResults",
    "Spending",
    "StoredCosts",
    "TableCounts",
    "Usage",
    "check_integrity",
    "find_open_permissions",
    "origin_of",
    "write_lines",
]


class History:
    """The history: what is stored on this machine, in a database and in plain files.

    Args:
        paths: Where it is stored; missing folders are created.
        ledger: The home whose ledger is used, if it is another one: a history that is thrown
            away must not forget what was spent.
        compile_expression: Compiles the expressions of derived columns.

    Attributes:
        jobs: The jobs.
        batches: Their batches, with their changes of state.
        rows: The rows of a job: read, select, compare, summarize, check, export.
        costs: Costs and tokens.
        ledger: What was committed and billed, whatever becomes of the jobs.
        reviews: What reviewers said about the answers.
        views: Filters, orders and columns by name.
        archives: Jobs as one file.
        files: Result files, and what indexes them.
        leases: Which process works on which batch.

    Raises:
        NewerHistoryError: It was written by a newer version of Batchdeck.
        HistoryError: It cannot be opened.
    """

    def __init__(
        self,
        paths: Paths,
        *,
        ledger: Paths | None = None,
        compile_expression: CompileExpression = no_expressions,
    ) -> None:
        self.paths = paths.ensure()
        self._database = Database(paths.history_db)
        self._database.after_commit = lambda connection, durable: manifests.write_due(
            connection, paths.jobs, durable=durable
        )
        self.jobs = Jobs(self._database, paths)
        self.batches = Batches(self._database)
        self.rows = StoredRows(self._database, paths, compile_expression)
        self.costs = StoredCosts(self._database)
        self.reviews = StoredReviews(self._database, paths)
        self.views = Views(paths)
        self.archives = Archives(self._database, paths, self.views)
        self.files = ResultFiles(self._database, paths)
        self.leases = StoredLeases(self._database)
        self.ledger = Ledger(ledger or self._database)

    @property
    def is_read_only(self) -> bool:
        """Whether the folder cannot be written, so that nothing can be changed or sent."""
        return self._database.is_read_only

    def version(self) -> int:
        """A number that changes whenever another process has written to the history."""
        return self._database.version()

    def close(self) -> None:
        """Close the database."""
        self.ledger.close()
        self._database.close()


@maps_sqlite_errors
class Archives:
    """Jobs as one file, and where their answers come from; ``history.archives``."""

    def __init__(self, database: Database, paths: Paths, views: Views) -> None:
        self._database = database
        self._paths = paths
        self._views = views

    def provenance(self, job_id: str, progress: Progress = NO_PROGRESS) -> dict[str, Any]:
        """Where the answers of a job come from; see ``provenance_document``. Blocking."""
        return provenance_document(JobData(self._database.read, self._paths, job_id), progress)

    def write(self, job_id: str, path: Path, progress: Progress = NO_PROGRESS) -> int | None:
        """Write a job as an archive; see ``write_archive``. Blocking."""
        data = JobData(self._database.read, self._paths, job_id)
        return write_archive(data, path, self._views.all(), progress)

    def open(
        self,
        path: Path,
        *,
        account_of: AccountOf,
        rules_of: RetryRulesOf,
        now: float,
        name: str | None = None,
        progress: Progress = NO_PROGRESS,
    ) -> str | None:
        """Make a job of an archive, and keep its views; see ``open_archive``. Blocking.

        Returns:
            The id of the job; ``None`` if it was stopped.
        """
        opened = open_archive(
            self._database,
            self._paths,
            path,
            account_of=account_of,
            rules_of=rules_of,
            now=now,
            name=name,
            progress=progress,
        )
        if opened is None:
            return None
        for view, found in added_views(self._views.all(), opened.views).items():
            # A view that this version cannot read is not worth the job.
            with suppress(UsageError):
                self._views.save(view, found)
        return opened.job_id
