"""What requests may cost: their tokens, measured by past results, times the account's prices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tui.compose.estimate import Estimate, estimate_file, estimate_lines
from tui.compose.prices import PriceSource, rates_of
from tui.core.editing import edit_request
from tui.core.jobs import Job
from tui.engine.calibration import calibrate
from tui.engine.context import Context
from tui.engine.retrier import RetryPlan
from tui.engine.threads import Stop
from tui.errors import InputError, UsageError
from tui.store.costs import store_estimate
from tui.store.importing import REQUESTS


class Estimator:
    """Estimates for one engine. All methods block: call them in a thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[str, Estimate] = {}

    def file(
        self,
        path: Path,
        account: str,
        *,
        window: str | None = None,
        edits: Mapping[str, Any] | None = None,
        stop: Stop | None = None,
    ) -> Estimate:
        """What a file of requests may cost.

        Raises:
            InputError: It cannot be read, or the work was stopped.
            UsageError: There is no such account.
        """
        source = self._source(account, window)
        past = calibrate(self._context.history.database.read, account)
        if not edits:
            return estimate_file(path, source, answers=past.answers, inputs=past.inputs, stop=stop)
        with path.open("rb") as file:
            lines = (_edited(line, edits) for line in file)
            return estimate_lines(lines, source, answers=past.answers, inputs=past.inputs)

    def lines(self, lines: Iterable[bytes], account: str, *, window: str | None = None) -> Estimate:
        """What request lines may cost."""
        past = calibrate(self._context.history.database.read, account)
        source = self._source(account, window)
        return estimate_lines(lines, source, answers=past.answers, inputs=past.inputs)

    def job(self, job: Job, *, stop: Stop | None = None) -> Estimate:
        """What a job may cost; its requests are read once in the life of the program."""
        known = self._known.get(job.id)
        if known is None:
            path = self._context.paths.job_folder(job.id) / REQUESTS
            known = self.file(path, job.account, window=job.window, stop=stop)
            self._known[job.id] = known
        return known

    def retry(self, plan: RetryPlan, *, stop: Stop | None = None) -> Estimate:
        """What the rows of a retry may cost.

        Raises:
            UsageError: A row cannot be changed so.
            InputError: The work was stopped.
        """

        def changed() -> Iterator[bytes]:
            for _, line in self._context.history.newest_requests(plan.job_id, plan.seqs):
                if stop is not None and stop():
                    raise InputError("Stopped")
                yield _edited(line, plan.edits)

        lines = changed()
        return self.lines(lines, plan.account, window=plan.window)

    def keep(self, job: Job) -> None:
        """Store what a new job may cost, where its model has a price."""
        source = self._source(job.account, job.window)
        if rates_of(job.model, source) is None:
            return
        figure = self.job(job).figure
        if figure is not None:
            database = self._context.history.database
            store_estimate(database, job.id, figure, source.currency)

    def _source(self, account: str, window: str | None) -> PriceSource:
        accounts = self._context.accounts
        chosen = window or next(iter(accounts.info(account).windows), "")
        return accounts.price_source(account, chosen)


def _edited(line: bytes, edits: Mapping[str, Any]) -> bytes:
    if not edits or not line.strip():
        return line
    try:
        return edit_request(line.removeprefix(b"\xef\xbb\xbf"), edits)
    except ValueError as error:
        raise UsageError(f"the change cannot be made: {error}") from None
