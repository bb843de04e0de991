"""The clients: requests in, rows out, for every provider; in an event loop and without one."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from tui.client.loop import LoopThread
from tui.client.opening import Place
from tui.compose.scaledown_items import (
    BatchInputItem,
    ClassifyItem,
    ExtractItem,
    SummarizeItem,
    request_of,
)
from tui.config import Config
from tui.core.filtering import RowFilter
from tui.core.jobs import Job
from tui.core.rows import RowLine
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.engine.engine import Engine

Request = Mapping[str, Any]
"""``custom_id``, ``method``, ``url`` and ``body``, as a line of ``requests.jsonl``; or
``custom_id`` and ``params`` for Anthropic."""

Item = Request | BatchInputItem
"""What can be sent: a request, or a typed item of ScaleDown's."""


class AsyncBatchClient:
    """Batch jobs from async code; an async context manager.

    Args:
        account: An account of the configuration, or a provider's name; else the default one.
        home: The folder of history and configuration; else ``$BATCHDECK_HOME`` or the
            platform's.
        config: Settings to use in place of ``config.toml``.
        api_key: The account's key; else it is looked for in the environment and the keyring.
        base_url: Another address of the provider.
        keep: Leave the jobs in the history, where the dashboard shows them. Without it they
            are thrown away when the client is closed, whether they have ended or not.
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
        self._place = Place(account, home, config, api_key, base_url, keep)
        self._stack = AsyncExitStack()
        self._opened: tuple[Engine, str] | None = None

    async def __aenter__(self) -> Self:
        self._opened = await self._stack.enter_async_context(self._place.open())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the client; jobs that run go on at the provider, and in the dashboard."""
        self._opened = None
        await self._stack.aclose()

    @property
    def engine(self) -> Engine:
        """Everything else that can be asked for."""
        return self._open[0]

    @property
    def account(self) -> str:
        """The account that jobs are sent with."""
        return self._open[1]

    @property
    def _open(self) -> tuple[Engine, str]:
        if self._opened is None:
            raise RuntimeError("the client is not open: use it in a `with` block")
        return self._opened

    async def submit(
        self, items: Iterable[Item], *, name: str | None = None, window: str | None = None
    ) -> str:
        """Send requests as one job; the answer is the job's id.

        More rows than one batch of the provider takes become several batches of the job.

        Args:
            items: Requests, or ScaleDown's typed items.
            name: The job's name; else ``requests``, with a number.
            window: The completion window; else the provider's first one.

        Raises:
            InputError: A request cannot be sent; nothing was.
            BudgetError: A budget does not allow it; nothing was sent.
            BatchdeckError: The provider did not take it; the job stays in the history.
        """
        with tempfile.TemporaryDirectory(prefix="batchdeck-") as folder:
            path = Path(folder) / "requests.jsonl"
            await asyncio.to_thread(_write, path, items)
            job = await self.engine.import_file(
                path, account=self.account, name=name, window=window
            )
        await self.engine.submit(job.id)
        return job.id

    async def wait(self, job_id: str, poll_interval: float | None = None) -> Job:
        """Wait until a job has ended and all of it is here.

        Args:
            job_id: What ``submit`` gave.
            poll_interval: Seconds between two questions to the provider; else as it advises.

        Raises:
            UnknownJobError: There is no such job.
            AccountKeyError: The provider keeps refusing the key.
        """
        history = self.engine.history
        if poll_interval is not None and not poll_interval > 0:
            raise UsageError("poll_interval is no time", "Give seconds, more than 0.")
        await self.engine.wait([history.job(job_id).id], every=poll_interval)
        return history.job(job_id)

    async def results(self, job_id: str, rows: RowFilter | None = None) -> list[RowLine]:
        """The rows of a job, in the order of the requests, as far as they are here."""
        return await asyncio.to_thread(lambda: list(self.iter_results(job_id, rows)))

    def iter_results(self, job_id: str, rows: RowFilter | None = None) -> Iterator[RowLine]:
        """The rows one by one, for jobs that do not fit into memory; reads the disk."""
        history = self.engine.history
        yield from history.row_lines(job_id, history.select(job_id, rows or RowFilter()))

    async def run(
        self,
        items: Iterable[Item],
        *,
        name: str | None = None,
        window: str | None = None,
        poll_interval: float | None = None,
    ) -> list[RowLine]:
        """Submit, wait and give the rows."""
        job_id = await self.submit(items, name=name, window=window)
        await self.wait(job_id, poll_interval)
        return await self.results(job_id)


class BatchClient:
    """The same from ordinary code; a context manager. Arguments as ``AsyncBatchClient``.

    It works on a thread of its own, so that it can be used inside a running event loop too
    (a notebook), where its methods block.
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
        """Close the client; jobs that run go on at the provider, and in the dashboard."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.run(self._client.aclose())
            finally:
                thread.stop()

    def submit(
        self, items: Iterable[Item], *, name: str | None = None, window: str | None = None
    ) -> str:
        """Send requests as one job; the answer is the job's id."""
        return self._loop.run(self._client.submit(items, name=name, window=window))

    def wait(self, job_id: str, poll_interval: float | None = None) -> Job:
        """Wait until a job has ended and all of it is here."""
        return self._loop.run(self._client.wait(job_id, poll_interval))

    def results(self, job_id: str, rows: RowFilter | None = None) -> list[RowLine]:
        """The rows of a job, in the order of the requests."""
        return self._loop.run(self._client.results(job_id, rows))

    def run(
        self,
        items: Iterable[Item],
        *,
        name: str | None = None,
        window: str | None = None,
        poll_interval: float | None = None,
    ) -> list[RowLine]:
        """Submit, wait and give the rows."""
        work = self._client.run(items, name=name, window=window, poll_interval=poll_interval)
        return self._loop.run(work)

    @property
    def _loop(self) -> LoopThread:
        if self._thread is None:
            raise RuntimeError("the client is not open: use it in a `with` block")
        return self._thread


def _write(path: Path, items: Iterable[Item]) -> None:
    encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
    with path.open("wb") as stream:
        for item in items:
            if isinstance(item, (SummarizeItem, ExtractItem, ClassifyItem)):
                item = request_of(item)
            stream.write(encode(item))
            stream.write(b"\n")
