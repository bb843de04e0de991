"""``AsyncBatchClient``: submit requests and read rows, for any provider."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack, overload

import msgspec

from tui.client.frames.run import FrameOptions, run_frame
from tui.client.job import ClientJob
from tui.client.runtime import with_base_url
from tui.compose.requests import scaledown
from tui.compose.sources.base import Source
from tui.compose.templates.model import Template
from tui.config.settings import Config, load_config
from tui.core.analysis.comparison import CompareOptions
from tui.core.analysis.evaluation import Evaluation
from tui.core.analysis.experiment import ExperimentReport
from tui.core.analysis.facets import Facet
from tui.core.analysis.views import View
from tui.core.jobs import Deadline
from tui.core.query import INPUT_ORDER, RowFilter, query_filter
from tui.core.reviews.review import Review
from tui.core.rows import RowLine
from tui.core.send_plans import ReuseOptions, Saving
from tui.engine.costs.spent import SpentReport
from tui.engine.engine import Engine
from tui.engine.experiments.matrix import MatrixOptions
from tui.engine.experiments.service import ExperimentFacts, plan_deadlines
from tui.errors import UsageError
from tui.paths import Paths
from tui.store.history import EvaluationOptions
from tui.temporary import folder_of_task, temporary_folder

Request = Mapping[str, Any]
"""A dict with ``custom_id``, ``method``, ``url`` and ``body``, like a line of
``requests.jsonl``; for Anthropic ``custom_id`` and ``params``."""

Item = Request | scaledown.BatchInputItem
"""What can be submitted: a request, or one of ScaleDown's typed items."""

_RUN_OPTIONS = {"name", "window", "poll_interval", "budget"}
"""Options of ``run`` without a template."""


class AsyncBatchClient:
    """Client for batch jobs in async code; an async context manager.

    Args:
        account: A configured account, or a provider's name; by default the default account.
        home: Folder for history and configuration; by default ``$BATCHDECK_HOME`` or the
            platform's folders.
        config: Settings to use instead of ``config.toml``.
        api_key: The account's key; by default from the environment or the keyring.
        base_url: Overrides the provider's base URL.
        keep: Keep the jobs in the history, where the dashboard shows them. If false, they are
            deleted when the client is closed, even if they have not ended. What they cost stays
            in the home's ledger, for the budgets.
        ledger: The home whose ledger of costs is used, if it is another one.
    """

    def __init__(
        self,
        account: str | None = None,
        *,
        home: Path | None = None,
        config: Config | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        keep: bool = True,
        ledger: Path | None = None,
    ) -> None:
        self._account = account
        self._paths = Paths.find(home)
        self._config = config
        self._api_key = api_key
        self._base_url = base_url
        self._keep = keep
        self._ledger = None if ledger is None else Paths.find(ledger)
        self._stack = AsyncExitStack()
        self._opened: tuple[Engine, str] | None = None

    async def __aenter__(self) -> Self:
        config, name = with_base_url(
            self._config or load_config(self._paths), self._account, self._base_url
        )
        async with AsyncExitStack() as stack:
            paths = self._paths
            if not self._keep:
                folder = stack.enter_context(temporary_folder("client"))
                paths = Paths.find(folder)
            # What is thrown away with the jobs must not be forgotten by the budgets.
            ledger = self._ledger or (None if self._keep else self._paths)
            engine = await Engine.open(paths, config, ledger=ledger)
            stack.push_async_callback(engine.close)
            if self._api_key is not None:
                engine.accounts.set_key(name, self._api_key)
            self._stack = stack.pop_all()
        self._opened = engine, name
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the client; running jobs continue at the provider."""
        self._opened = None
        await self._stack.aclose()

    @property
    def engine(self) -> Engine:
        """The engine behind the client, for everything else."""
        return self._open[0]

    @property
    def account(self) -> str:
        """Name of the account that jobs are submitted with."""
        return self._open[1]

    @property
    def _open(self) -> tuple[Engine, str]:
        if self._opened is None:
            raise RuntimeError("the client is not open: use it in a `with` block")
        return self._opened

    async def submit(
        self,
        items: Iterable[Item],
        *,
        name: str | None = None,
        window: str | None = None,
        dedupe: bool = False,
        reuse: bool = False,
        reuse_since: float = 0.0,
        prime: bool = False,
        deadline: float | None = None,
        budget: float | None = None,
    ) -> str:
        """Submit requests as one job.

        The job is split into several batches when it exceeds the provider's batch limits.

        Args:
            items: Requests, or ScaleDown's typed items.
            name: The job's name; by default ``requests`` with a number.
            window: The completion window; by default the provider's first one.
            dedupe: Send requests that are equal but for their ids once; all get the answer.
            reuse: Use the good answers that earlier jobs have for the same requests.
            reuse_since: The oldest answer that is used, in Unix seconds.
            prime: Send the first row alone, the rest when it has ended (Anthropic's prompt cache).
            deadline: When the batches are cancelled that run, Unix seconds; rows without an answer
                are then sent one by one, at the price of single requests, while ``wait`` or another
                program runs.
            budget: The most that the job may cost, with what is sent after the deadline.

        Returns:
            The job's id.

        Raises:
            UsageError: The provider does not allow a deadline, or it has passed.
            InputError: A request is invalid; nothing was sent.
            BudgetError: The job is over a budget; nothing was sent.
            BatchdeckError: The provider did not accept the job; it stays in the history.
        """
        async with folder_of_task("requests") as folder:
            path = folder / "requests.jsonl"
            await asyncio.to_thread(_write, path, items)
            job = await self.engine.requests.import_file(
                path, account=self.account, name=name, window=window
            )
        options = ReuseOptions(reuse_since) if reuse else None
        saving = Saving(dedupe, options, prime=prime)
        if deadline is not None:
            await self.set_deadline(job.id, deadline, budget=budget)
        await self.engine.submit(job.id, budget=budget, saving=saving)
        return job.id

    async def set_deadline(
        self, job_id: str, at: float | None, *, budget: float | None = None
    ) -> None:
        """Set, change or remove the deadline of a job.

        Args:
            job_id: The job.
            at: The time, Unix seconds; ``None`` to remove the deadline.
            budget: The most that the job may cost; what it has cost already counts.

        Raises:
            UsageError: The job has ended, the time has passed, or the provider does not allow it.
            BudgetError: There is a budget, and the cost of single requests is not known.
        """
        deadlines = self.engine.deadlines
        planned = None if at is None else await deadlines.plan_for(job_id, at, budget=budget)
        await deadlines.set(job_id, planned)

    async def job(self, reference: str) -> ClientJob:
        """A job by its id, the start of its id, or its name.

        Raises:
            UnknownJobError: There is no such job, or several.
        """
        return ClientJob.of(self.engine.history.jobs.find(reference), self.engine.history)

    async def wait(self, job_id: str, poll_interval: float | None = None) -> ClientJob:
        """Wait until a job has ended and all its results are downloaded.

        Args:
            job_id: The id returned by ``submit``.
            poll_interval: Seconds between polls; by default the interval of the provider's
                profile.

        Raises:
            UnknownJobError: There is no such job.
            AccountKeyError: The provider keeps rejecting the key.
            UsageError: ``poll_interval`` is not positive.
        """
        history = self.engine.history
        if poll_interval is not None and not poll_interval > 0:
            raise UsageError("poll_interval must be positive", "Pass a number of seconds.")
        await self.engine.wait([history.jobs.get(job_id).id], every=poll_interval)
        return ClientJob.of(history.jobs.get(job_id), history)

    async def results(
        self, job_id: str, rows: RowFilter | None = None, *, view: str = ""
    ) -> list[RowLine]:
        """The job's rows, in the order of the requests; rows without a result are pending.

        Args:
            job_id: The job.
            rows: Only these rows.
            view: Name of a view whose rows and order are used instead of ``rows``.

        Raises:
            UsageError: There is no such view.
        """
        return await asyncio.to_thread(lambda: list(self.iter_results(job_id, rows, view=view)))

    def iter_results(
        self, job_id: str, rows: RowFilter | None = None, *, view: str = ""
    ) -> Iterator[RowLine]:
        """Iterate over a job's rows, for jobs that do not fit in memory; reads the disk."""
        history = self.engine.history
        order = INPUT_ORDER
        if view:
            used = history.views.get(view)
            rows, order = query_filter(used.where), used.order
        selection = history.rows.select(job_id, rows or RowFilter(), order)
        yield from history.rows.lines(job_id, selection)

    async def views(self) -> dict[str, View]:
        """The views by name: filters, orders and columns that were saved in the dashboard."""
        return await asyncio.to_thread(self.engine.history.views.all)

    async def facets(
        self, job_id: str, *columns: str, where: str = "", view: str = ""
    ) -> list[Facet]:
        """Count the values of columns; without one, of all columns of the job.

        Args:
            job_id: The job.
            columns: Names as in a query: ``@label``, ``in.lang``, ``outcome``.
            where: Count only the rows that match this query.
            view: Count only the rows of the view of this name.

        Raises:
            UsageError: The job does not have one of the columns, or the query is not valid, or
                there is no such view.
        """
        if view:
            used = await asyncio.to_thread(self.engine.history.views.get, view)
            where = f"{used.where} {where}"
        rows = query_filter(where)
        if not columns:
            return await self.engine.results.describe(job_id, rows)
        return await self.engine.results.facets(job_id, columns, rows)

    async def costs(
        self, *by: str, since: float | None = None, before: float | None = None
    ) -> SpentReport:
        """Where the money of this home went; deleted jobs are counted.

        Args:
            by: One or several of month, account, provider, model, tag and job; by default the
                months (UTC).
            since: Count batches that were sent at this time or later, Unix seconds.
            before: Count batches that were sent before this time.

        Raises:
            UsageError: A group is unknown.
        """
        return await self.engine.costs.spent(by or ("month",), since=since, before=before)

    async def reviews(self, job_id: str) -> list[Review]:
        """What reviewers said about the job's answers: the current reviews, by row and reviewer."""
        find = self.engine.history.reviews.all
        return await asyncio.to_thread(lambda: list(find(job_id)))

    async def add_reviews(self, job_id: str, reviews: Iterable[Review]) -> None:
        """Store reviews; each replaces the one of the same reviewer on the same row.

        Raises:
            UnknownJobError: There is no such job.
            HistoryError: They cannot be written; none of them is stored.
        """
        await asyncio.to_thread(self.engine.history.reviews.add, job_id, list(reviews))

    async def evaluate(
        self,
        job_id: str,
        answer: str = "answer",
        gold: str = "",
        *,
        gold_file: Path | None = None,
        rows: RowFilter | None = None,
        normalise: bool = False,
        classes: int = 20,
    ) -> Evaluation:
        """Compare a column of a job with the true values in another column, or in a file.

        Args:
            job_id: The job.
            answer: The column that is evaluated: ``answer``, or a field such as ``@label``.
            gold: The column with the true values, such as ``in.label``; with ``gold_file`` a
                column of that file.
            gold_file: A table with the true values, and the ids in the column ``custom_id``.
            rows: The rows to evaluate; by default all.
            normalise: Ignore case, surrounding space and quotation marks.
            classes: Most classes in the lists of the result.

        Raises:
            UsageError: The job or the file does not have one of the columns.
        """
        return await self.engine.results.evaluate(
            job_id,
            answer,
            gold,
            rows or RowFilter(),
            gold_file=gold_file,
            options=EvaluationOptions(normalise=normalise, most=classes),
        )

    async def submit_experiment(
        self,
        name: str,
        source: str | Source,
        templates: Sequence[str | Template],
        models: Sequence[str] = (),
        *,
        custom_id: str | None = None,
        limit: int | None = None,
        budget: float | None = None,
        deadline: float | None = None,
    ) -> list[str]:
        """Submit each template with each model over one table, as one job each.

        Jobs of this experiment that were sent before are not sent again.

        Args:
            name: The name of the experiment.
            source: A path or other source, as for ``batchdeck compose``, or an open source.
            templates: Templates, or their names, paths or prompts.
            models: Models, each as ``MODEL`` or ``MODEL@ACCOUNT``; by default those of the
                templates.
            custom_id: The column with the ids; by default that of the templates, else a hash of
                each row.
            limit: The maximum number of rows.
            budget: A cost limit for all jobs together; if they may cost more, nothing is sent. With
                a deadline it is divided among the jobs, and includes what is sent after it.
            deadline: When the batches are cancelled that run, Unix seconds; rows without an answer
                are then sent one by one. Jobs that were sent before keep theirs.

        Returns:
            The ids of all jobs of the experiment, the oldest first.

        Raises:
            InputError: The source, a template or a row is invalid; nothing was sent.
            UsageError: A provider does not allow a deadline, or it has passed; nothing was sent.
            BudgetError: Together they are over a budget; nothing was sent.
            BatchdeckError: A job was not accepted. The others were sent; call it again to send
                what is missing.
        """
        planned: Mapping[str, Deadline] = {}

        async def ask(facts: ExperimentFacts) -> bool:
            nonlocal planned
            if deadline is not None:
                planned = plan_deadlines(self.engine.deadlines, facts, deadline, budget)
            return True

        made = await self.engine.experiments.make(
            name,
            source,
            templates,
            models,
            account=self.account,
            ask=ask,
            budget=budget,
            custom_id=custom_id,
            limit=limit,
        )
        errors = await self.engine.submit_experiment(made.jobs, budget=budget, deadlines=planned)
        for error in errors.values():
            raise error
        return [job.id for job in self.engine.experiments.jobs(name)]

    async def compare(
        self,
        *job_ids: str,
        answer: str = "",
        gold: str = "",
        gold_file: Path | None = None,
        normalise: bool = False,
        judge: str = "",
    ) -> ExperimentReport:
        """Compare two or more jobs over the same rows: agreement, truth, judges, cost, tokens.

        Args:
            job_ids: The jobs, such as those of an experiment.
            answer: The column that is compared, such as ``@label``; by default the whole answer.
            gold: The column with the true values; see ``evaluate``.
            gold_file: A table with the true values, and the ids in the column ``custom_id``.
            normalise: Ignore case, surrounding space and quotation marks in true values.
            judge: The field with the scores in the answers of judges; by default ``@score``.

        Raises:
            UsageError: A job is given twice, or no job has a column that was asked for.
        """
        options = MatrixOptions(
            compare=CompareOptions(column=answer),
            gold=gold,
            gold_file=gold_file,
            normalise=normalise,
            judge=judge,
        )
        return (await self.engine.experiments.compare(job_ids, options))[0]

    @overload
    async def run(
        self,
        items: Iterable[Item],
        template: None = None,
        *,
        name: str | None = None,
        window: str | None = None,
        poll_interval: float | None = None,
        budget: float | None = None,
    ) -> list[RowLine]: ...

    @overload
    async def run(
        self, items: Any, template: str | Template, **options: Unpack[FrameOptions]
    ) -> Any: ...

    async def run(self, items: Any, template: str | Template | None = None, **options: Any) -> Any:
        """Submit requests, wait for the job and return its rows; or run a template over a frame.

        With a template, ``items`` is a data frame (pandas, polars, Arrow) or an iterable of dicts,
        and the result is a frame of the same kind with the same rows, and the answers as columns.
        If the same call was made before, also by a program that was killed, its job is found and
        nothing is sent again; see ``run_frame`` and ``FrameOptions``.

        Args:
            items: Requests; with a template the rows of a frame.
            template: The template, or its name or path, or a prompt with ``{column}``.
            options: ``name``, ``window``, ``poll_interval`` and ``budget``; with a template see
                ``FrameOptions``.

        Raises:
            InputError: A request, or the template, is invalid; nothing was sent.
            UsageError: An account that costs money has neither ``budget`` nor ``yes``.
            BudgetError: The job is over a budget; nothing was sent.
        """
        if template is not None:
            return await run_frame(self.engine, self.account, items, template, **options)
        others = options.keys() - _RUN_OPTIONS
        if others or hasattr(items, "columns"):
            what = f"the option {min(others)}" if others else "a frame"
            raise UsageError(
                f"{what} needs a template", 'Pass a prompt: client.run(frame, "Good? {text}").'
            )
        poll_interval = options.pop("poll_interval", None)
        job_id = await self.submit(items, **options)
        await self.wait(job_id, poll_interval)
        return await self.results(job_id)


def _write(path: Path, items: Iterable[Item]) -> None:
    encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
    with path.open("wb") as stream:
        for item in items:
            if isinstance(
                item, (scaledown.SummarizeItem, scaledown.ExtractItem, scaledown.ClassifyItem)
            ):
                item = scaledown.item_request(item)
            stream.write(encode(item))
            stream.write(b"\n")
