"""``BatchClient``: the client for code without an event loop, and for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack, overload

from tui.client.batches import AsyncBatchClient, Item
from tui.client.frames.run import FrameOptions
from tui.client.job import ClientJob
from tui.client.runtime import LoopThread
from tui.compose.sources.base import Source
from tui.compose.templates.model import Template
from tui.config.settings import Config
from tui.core.analysis.evaluation import Evaluation
from tui.core.analysis.experiment import ExperimentReport
from tui.core.analysis.facets import Facet
from tui.core.analysis.views import View
from tui.core.query import RowFilter
from tui.core.reviews.review import Review
from tui.core.rows import RowLine
from tui.engine.costs.spent import SpentReport


class BatchClient:
    """Client for batch jobs; a context manager. Takes the arguments of ``AsyncBatchClient``.

    It runs an event loop in a thread, so it also works where an event loop is already running
    (a notebook); its methods block.
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
    ) -> None:
        self._client = AsyncBatchClient(
            account, home=home, config=config, api_key=api_key, base_url=base_url, keep=keep
        )
        self._thread: LoopThread | None = None

    def __enter__(self) -> Self:
        thread = LoopThread()
        try:
            thread.run(self._client.__aenter__())
        except BaseException:
            thread.stop()
            raise
        self._thread = thread
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the client; running jobs continue at the provider."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.run(self._client.aclose())
            finally:
                thread.stop()

    def submit(
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
        """Submit requests as one job and return its id; see ``AsyncBatchClient.submit``."""
        return self._loop.run(
            self._client.submit(
                items,
                name=name,
                window=window,
                dedupe=dedupe,
                reuse=reuse,
                reuse_since=reuse_since,
                prime=prime,
                deadline=deadline,
                budget=budget,
            )
        )

    def set_deadline(self, job_id: str, at: float | None, *, budget: float | None = None) -> None:
        """Set, change or remove a deadline; see ``AsyncBatchClient.set_deadline``."""
        self._loop.run(self._client.set_deadline(job_id, at, budget=budget))

    def job(self, reference: str) -> ClientJob:
        """A job by its id, the start of its id, or its name."""
        return self._loop.run(self._client.job(reference))

    def wait(self, job_id: str, poll_interval: float | None = None) -> ClientJob:
        """Wait until a job has ended and all its results are downloaded."""
        return self._loop.run(self._client.wait(job_id, poll_interval))

    def results(
        self, job_id: str, rows: RowFilter | None = None, *, view: str = ""
    ) -> list[RowLine]:
        """The job's rows, in the order of the requests; see ``AsyncBatchClient.results``."""
        return self._loop.run(self._client.results(job_id, rows, view=view))

    def views(self) -> dict[str, View]:
        """The views by name."""
        return self._loop.run(self._client.views())

    def facets(self, job_id: str, *columns: str, where: str = "", view: str = "") -> list[Facet]:
        """Count the values of columns; see ``AsyncBatchClient.facets``."""
        return self._loop.run(self._client.facets(job_id, *columns, where=where, view=view))

    def costs(
        self, *by: str, since: float | None = None, before: float | None = None
    ) -> SpentReport:
        """Where the money of this home went; see ``AsyncBatchClient.costs``."""
        return self._loop.run(self._client.costs(*by, since=since, before=before))

    def reviews(self, job_id: str) -> list[Review]:
        """What reviewers said about the job's answers: the current reviews, by row and reviewer."""
        return self._loop.run(self._client.reviews(job_id))

    def add_reviews(self, job_id: str, reviews: Iterable[Review]) -> None:
        """Store reviews; see ``AsyncBatchClient.add_reviews``."""
        self._loop.run(self._client.add_reviews(job_id, reviews))

    @overload
    def run(
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
    def run(self, items: Any, template: str | Template, **options: Unpack[FrameOptions]) -> Any: ...

    def run(self, items: Any, template: str | Template | None = None, **options: Any) -> Any:
        """Submit requests and return their rows, or run a template over a data frame.

            with BatchClient("sandbox") as client:
                rows = [{"text": "Good, and on time."}, {"text": "Broke."}]
                answers = client.run(rows, "Good or bad? {text}", model="gpt-5-mini", budget=1)

        See ``AsyncBatchClient.run``.
        """
        return self._loop.run(self._client.run(items, template, **options))

    def evaluate(
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
        """Compare answers with true values; see ``AsyncBatchClient.evaluate``."""
        coroutine = self._client.evaluate(
            job_id,
            answer,
            gold,
            gold_file=gold_file,
            rows=rows,
            normalise=normalise,
            classes=classes,
        )
        return self._loop.run(coroutine)

    def submit_experiment(
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
        """Submit the jobs of an experiment; see ``AsyncBatchClient.submit_experiment``."""
        coroutine = self._client.submit_experiment(
            name,
            source,
            templates,
            models,
            custom_id=custom_id,
            limit=limit,
            budget=budget,
            deadline=deadline,
        )
        return self._loop.run(coroutine)

    def compare(
        self,
        *job_ids: str,
        answer: str = "",
        gold: str = "",
        gold_file: Path | None = None,
        normalise: bool = False,
        judge: str = "",
    ) -> ExperimentReport:
        """Compare jobs over the same rows; see ``AsyncBatchClient.compare``."""
        coroutine = self._client.compare(
            *job_ids,
            answer=answer,
            gold=gold,
            gold_file=gold_file,
            normalise=normalise,
            judge=judge,
        )
        return self._loop.run(coroutine)

    @property
    def _loop(self) -> LoopThread:
        if self._thread is None:
            raise RuntimeError("the client is not open: use it in a `with` block")
        return self._thread
