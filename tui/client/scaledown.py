"""ScaleDown batches under the names of the vendor's guide."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tui.client.batches import AsyncBatchClient, Item
from tui.client.handlers import answer_content, models_by_id
from tui.client.runtime import run_blocking, with_base_url
from tui.compose.requests.scaledown import BatchInputItem
from tui.config.api_keys import find_key
from tui.config.settings import Config, load_config
from tui.core.jobs import BatchStatus, is_terminal
from tui.core.remote_batches import RemoteBatch
from tui.core.rows import ANSWERED, RowLine
from tui.engine.accounts import Accounts
from tui.errors import BatchdeckError, KeyMissingError
from tui.paths import Paths
from tui.temporary import temporary_folder


@dataclass(frozen=True)
class BatchItemResult:
    """Result of one item.

    Attributes:
        custom_id: The item's id.
        model: ``summarize``, ``extract`` or ``classify``.
        content: ``summarize``: ``summary``, ``input_chars``, ``output_chars``; ``extract``:
            ``entities``; ``classify``: ``top_label``, ``scores``, ``reasoning``, ``labels``.
            Empty if there is an error.
        error: ``code`` and ``message``; ``None`` on success.
    """

    custom_id: str
    model: str
    content: dict[str, Any]
    error: dict[str, Any] | None


@dataclass(frozen=True)
class BatchResult:
    """Results of a batch, one per item in the order of the items."""

    batch_id: str
    items: list[BatchItemResult]


T = TypeVar("T")

ACCOUNT = "scaledown"
KEY_VARIABLE = "SCALEDOWN_API_KEY"


class ScaleDownBatchError(BatchdeckError, RuntimeError):
    """A call to ScaleDown failed.

    Args:
        status_code: The HTTP status of the response; 0 if there was no response, or if the
            failure was not reported by an HTTP status.
        message: What happened.
        hint: What to do next.
    """

    def __init__(self, status_code: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status_code = self.status = status_code


class ScaleDownKeyError(KeyMissingError, ValueError):
    """No API key for ScaleDown was found."""


class ScaleDownBatchClient:
    """Client for ScaleDown batches; needs no ``with``, nothing stays open between calls.

        client = ScaleDownBatchClient()
        result = client.run([SummarizeItem("a", text), ExtractItem("b", text, {"who": "A name"})])

    Fetching is retried after a 5xx response. Submitting is not: the service may have made the
    batch, which would be paid twice, and it cannot be asked. The methods block, even inside a
    running event loop; async code can use ``run_batch`` or ``AsyncBatchClient("scaledown")``.

    Args:
        api_key: The key; by default ``$SCALEDOWN_API_KEY``, or the key stored for the account.
        base_url: Overrides the service's base URL.
        account: Name of a configured account.
        home: Folder for history and configuration.
        keep: Keep the jobs in the history, where the dashboard shows them.

    Raises:
        ValueError: No key was found.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        account: str = ACCOUNT,
        home: Path | None = None,
        keep: bool = True,
    ) -> None:
        paths = Paths.find(home)
        self._config = load_config(paths)
        self._key = (api_key or "").strip() or _find_key(account, paths, self._config, base_url)
        self._account = account
        self._base_url = base_url
        # A temporary history for the life of the client: later calls look up earlier batches.
        self._folder = None if keep else _Folder()
        # The budgets are those of the home, and must not forget what was spent.
        self._ledger = None if keep else paths.data
        self._home = home if self._folder is None else self._folder.path

    def submit(self, items: Sequence[BatchInputItem]) -> str:
        """Submit items as a batch.

        Returns:
            The provider's batch id; the job's id if the items were split into several
            batches. The other methods accept both.

        Raises:
            ScaleDownBatchError: The service rejected the batch.
            InputError: An item is invalid for its model; nothing was sent.
        """
        return run_blocking(self.submit_async(items))

    def wait(self, batch_id: str, poll_interval: float = 5.0) -> dict[str, Any]:
        """Poll every ``poll_interval`` seconds until the batch has ended.

        Returns:
            The service's batch object, with ``batch_id``, ``status`` (``completed`` or
            ``failed``), ``total_count``, ``completed_count`` and ``failed_count``.

        Raises:
            ScaleDownBatchError: The status could not be fetched.
        """
        return run_blocking(self.wait_async(batch_id, poll_interval))

    def results(self, batch_id: str) -> BatchResult:
        """Fetch the results of a batch.

        Raises:
            ScaleDownBatchError: The results could not be fetched.
        """
        return run_blocking(self.results_async(batch_id))

    def run(self, items: Sequence[BatchInputItem], poll_interval: float = 5.0) -> BatchResult:
        """Submit items, wait for the batch and fetch its results.

        Raises:
            ScaleDownBatchError: A call failed, or the whole batch failed.
        """
        batch_id = self.submit(items)
        status = self.wait(batch_id, poll_interval)
        if status["status"] == BatchStatus.FAILED and not status.get("completed_count"):
            raise ScaleDownBatchError(0, f"batch {batch_id} failed", "Submit the items again.")
        return self.results(batch_id)

    async def submit_async(self, items: Iterable[Item]) -> str:
        """``submit`` for async code."""
        async with self._opened() as client:
            job_id = await client.submit(items)
            ids = [batch.remote_id for batch in client.engine.history.batches.of_job(job_id)]
        return ids[0] if len(ids) == 1 and ids[0] is not None else job_id

    async def wait_async(self, batch_id: str, poll_interval: float = 5.0) -> dict[str, Any]:
        """``wait`` for async code."""
        async with self._opened() as client:
            dialect = await client.engine.accounts.dialect(client.account)
            pending = _remote_ids(client, batch_id)
            ended: list[RemoteBatch] = []
            while True:
                remote = await dialect.retrieve(pending[0])
                if not is_terminal(remote.status):
                    await asyncio.sleep(poll_interval)
                    continue
                ended.append(remote)
                del pending[0]
                if not pending:
                    return _status_document(batch_id, ended)

    async def results_async(self, batch_id: str) -> BatchResult:
        """``results`` for async code."""
        async with self._opened() as client:
            engine = client.engine
            job_id = _job_id(client, batch_id)
            if job_id is None:
                # Created elsewhere: the output names the rows.
                job_id = (await engine.remote.adopt(batch_id, account=client.account)).id
            await engine.collect(job_id)
            rows = await client.results(job_id)
            models = await asyncio.to_thread(models_by_id, client, job_id)
        return BatchResult(batch_id, [_item(row, models.get(row.custom_id, "")) for row in rows])

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[AsyncBatchClient]:
        """A client for one call; its errors become ``ScaleDownBatchError``."""
        try:
            async with AsyncBatchClient(
                self._account,
                home=self._home,
                config=self._config,
                api_key=self._key,
                base_url=self._base_url,
                ledger=self._ledger,
            ) as client:
                yield client
        except BatchdeckError as error:
            status = _status_of(error)
            if status is None and error.exit_code == 2:
                raise
            raise ScaleDownBatchError(status or 0, error.message, error.hint) from error


def submit_batch(
    items: list[dict[str, Any]],
    api_key: str,
    *,
    base_url: str | None = None,
    home: Path | None = None,
    keep: bool = True,
) -> str:
    """Submit items as a batch and return its id.

    Args:
        items: Dicts with ``custom_id``, ``method``, ``url`` and ``body``.
        api_key: The key.
        base_url: Overrides the service's base URL.
        home: Folder for history and configuration.
        keep: Keep the job in the history.

    Raises:
        ValueError: An item is invalid, or the service gave a non-2xx response; the message
            holds its status and body.
    """
    client = ScaleDownBatchClient(api_key, base_url=base_url, home=home, keep=keep)
    return _run_or_value_error(client.submit_async(items))


def poll_until_done(
    batch_id: str,
    api_key: str,
    interval: float = 5,
    *,
    base_url: str | None = None,
    home: Path | None = None,
) -> dict[str, Any]:
    """Poll every ``interval`` seconds until the batch is ``completed`` or ``failed``.

    Returns:
        The service's batch object; see ``ScaleDownBatchClient.wait``.

    Raises:
        ValueError: The service gave a non-2xx response.
    """
    client = ScaleDownBatchClient(api_key, base_url=base_url, home=home)
    return _run_or_value_error(client.wait_async(batch_id, interval))


def get_results(
    batch_id: str,
    api_key: str,
    *,
    base_url: str | None = None,
    home: Path | None = None,
    keep: bool = True,
) -> list[dict[str, Any]]:
    """Fetch results as dicts with ``custom_id``, ``model``, ``content`` and ``error``.

    Raises:
        ValueError: The service gave a non-2xx response.
    """
    client = ScaleDownBatchClient(api_key, base_url=base_url, home=home, keep=keep)
    result = _run_or_value_error(client.results_async(batch_id))
    return [
        {
            "custom_id": item.custom_id,
            "model": item.model,
            "content": item.content if item.error is None else None,
            "error": item.error,
        }
        for item in result.items
    ]


def _run_or_value_error(call: Coroutine[Any, Any, T]) -> T:
    """Run one call; errors become a ValueError with the status and body of the response."""
    try:
        return run_blocking(call)
    except BatchdeckError as error:
        cause = _http_error(error)
        message = f"{cause.status} {cause.body}" if cause is not None else error.message
        raise ValueError(message) from error


class _Folder:
    """A temporary folder that is removed with the client."""

    def __init__(self) -> None:
        stack = ExitStack()
        self.path = stack.enter_context(temporary_folder("client"))
        weakref.finalize(self, stack.close)


def _find_key(account: str, paths: Paths, config: Config, base_url: str | None) -> str:
    changed, name = with_base_url(config, account, base_url)
    address = Accounts(paths, changed).info(name).base_url
    try:
        found = find_key(account, (KEY_VARIABLE,), address=address)
    except KeyMissingError:
        found = None
    if found is None:
        raise ScaleDownKeyError(
            f"no API key for ScaleDown: {KEY_VARIABLE} is not set",
            f"Set {KEY_VARIABLE}, or pass api_key.",
        )
    return found.value


def _http_error(error: BaseException | None) -> BatchdeckError | None:
    """The first error in the chain of causes that has an HTTP status."""
    while error is not None:
        wraps = isinstance(error, ScaleDownBatchError)
        if isinstance(error, BatchdeckError) and error.status and not wraps:
            return error
        error = error.__cause__
    return None


def _status_of(error: BatchdeckError) -> int | None:
    http_error = _http_error(error)
    return None if http_error is None else http_error.status


def _job_id(client: AsyncBatchClient, batch_id: str) -> str | None:
    history = client.engine.history
    known = history.batches.job_of_remote(client.account, batch_id)
    if known is not None:
        return known
    return batch_id if any(job.id == batch_id for job in history.jobs.list()) else None


def _remote_ids(client: AsyncBatchClient, batch_id: str) -> list[str]:
    """Batch ids at the provider: the id itself, or those of all batches of a job."""
    history = client.engine.history
    if _job_id(client, batch_id) != batch_id:
        return [batch_id]
    return [
        batch.remote_id for batch in history.batches.of_job(batch_id) if batch.remote_id is not None
    ]


def _status_document(batch_id: str, ended: list[RemoteBatch]) -> dict[str, Any]:
    failed = any(remote.status is not BatchStatus.COMPLETED for remote in ended)
    counts = [remote.counts for remote in ended]
    document: dict[str, Any] = dict(ended[0].raw) if len(ended) == 1 else {}
    document |= {"batch_id": batch_id, "status": "failed" if failed else "completed"}
    for name, values in (
        ("total_count", [count.total for count in counts]),
        ("completed_count", [count.completed for count in counts]),
        ("failed_count", [count.failed for count in counts]),
    ):
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            document[name] = sum(known)
    if len(ended) > 1:
        document["batches"] = [remote.raw for remote in ended]
    return document


def _item(row: RowLine, model: str) -> BatchItemResult:
    error = None
    if row.outcome not in ANSWERED:
        failure = row.error
        error = {
            "code": (failure.code if failure else None) or row.outcome.value,
            "message": (failure.message if failure else "")
            or "the output has no line for this item",
        }
    return BatchItemResult(
        custom_id=row.custom_id,
        model=row.model or model,
        content={} if error else answer_content(row),
        error=error,
    )
