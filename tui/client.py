"""The Python API: send requests as a job, wait for it, read the answers.

Jobs that are made here are ordinary jobs: they stand in the history, the dashboard shows
them, and they go on when the script ends.

    with BatchClient("openai") as client:
        for row in client.run(requests):
            print(row.custom_id, row.outcome, row.text)
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from tui.config import Config
from tui.core.filtering import RowFilter
from tui.core.jobs import Job
from tui.core.rows import RowLine
from tui.engine.engine import Engine
from tui.paths import Paths

T = TypeVar("T")

Request = Mapping[str, Any]
"""``custom_id``, ``method``, ``url`` and ``body``, as a line of ``requests.jsonl``."""


class AsyncBatchClient:
    """Batch jobs from async code; an async context manager.

    Args:
        account: An account of the configuration, or a provider's name; else the default one.
        home: The folder of history and configuration; else ``$BATCHDECK_HOME`` or the
            platform's.
        config: Settings to use in place of ``config.toml``.
    """

    def __init__(
        self,
        account: str | None = None,
        *,
        home: Path | None = None,
        config: Config | None = None,
    ) -> None:
        self._account = account
        self._paths = Paths.find(home)
        self._config = config
        self._engine: Engine | None = None

    async def __aenter__(self) -> Self:
        self._engine = await Engine.open(self._paths, self._config)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._engine is not None:
            await self._engine.close()
            self._engine = None

    @property
    def engine(self) -> Engine:
        """Everything else that can be asked for."""
        if self._engine is None:
            raise RuntimeError("the client is not open: use it in a `with` block")
        return self._engine

    async def submit(
        self, requests: Iterable[Request], *, name: str | None = None, window: str | None = None
    ) -> str:
        """Send requests as one job; the answer is the job's id.

        Raises:
            InputError: A request cannot be sent; nothing was.
            BatchdeckError: The provider did not take it; the job stays in the history.
        """
        with tempfile.TemporaryDirectory(prefix="batchdeck-") as folder:
            path = Path(folder) / "requests.jsonl"
            await asyncio.to_thread(_write, path, requests)
            job = await self.engine.import_file(
                path, account=self._account, name=name, window=window
            )
        await self.engine.submit(job.id)
        return job.id

    async def wait(self, job_id: str) -> Job:
        """Wait until a job has ended and all of it is here."""
        await self.engine.wait([job_id])
        return self.engine.history.job(job_id)

    async def results(self, job_id: str, rows: RowFilter | None = None) -> list[RowLine]:
        """The rows of a job, in the order of the requests."""
        return await asyncio.to_thread(lambda: list(self.iter_results(job_id, rows)))

    def iter_results(self, job_id: str, rows: RowFilter | None = None) -> Iterator[RowLine]:
        """The rows one by one, for jobs that do not fit into memory; reads the disk."""
        history = self.engine.history
        yield from history.row_lines(job_id, history.select(job_id, rows or RowFilter()))

    async def run(self, requests: Iterable[Request], *, name: str | None = None) -> list[RowLine]:
        """Submit, wait and give the rows."""
        job_id = await self.submit(requests, name=name)
        await self.wait(job_id)
        return await self.results(job_id)


class BatchClient:
    """The same from ordinary code; a context manager. Arguments as ``AsyncBatchClient``."""

    def __init__(
        self,
        account: str | None = None,
        *,
        home: Path | None = None,
        config: Config | None = None,
    ) -> None:
        self._client = AsyncBatchClient(account, home=home, config=config)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._do(self._client.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._do(self._client.__aexit__(kind, error, trace))
        finally:
            self._stop()

    def submit(
        self, requests: Iterable[Request], *, name: str | None = None, window: str | None = None
    ) -> str:
        """Send requests as one job; the answer is the job's id."""
        return self._do(self._client.submit(requests, name=name, window=window))

    def wait(self, job_id: str) -> Job:
        """Wait until a job has ended and all of it is here."""
        return self._do(self._client.wait(job_id))

    def results(self, job_id: str, rows: RowFilter | None = None) -> list[RowLine]:
        """The rows of a job, in the order of the requests."""
        return self._do(self._client.results(job_id, rows))

    def run(self, requests: Iterable[Request], *, name: str | None = None) -> list[RowLine]:
        """Submit, wait and give the rows."""
        return self._do(self._client.run(requests, name=name))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _write(path: Path, requests: Iterable[Request]) -> None:
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as stream:
        for request in requests:
            stream.write(encode(request))
            stream.write(b"\n")
