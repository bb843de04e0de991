"""ScaleDown's batch API under the names of the vendor's integration guide.

The work is the engine's: what is sent is checked and stored first, a batch of more than the
provider takes at once becomes several, and jobs stand in the history unless ``keep=False``.
Both generations of the wire are understood.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from tui.client.batches import AsyncBatchClient, Item
from tui.client.handlers import content_of, models_of
from tui.client.loop import run_aside
from tui.client.scaledown_results import BatchItemResult, BatchResult
from tui.compose.scaledown_items import BatchInputItem
from tui.core.outcome import ANSWERED
from tui.core.remote import RemoteBatch
from tui.core.rows import RowLine
from tui.core.status import BatchStatus, is_terminal
from tui.errors import BatchdeckError, KeyMissingError
from tui.keys import find_key

T = TypeVar("T")

ACCOUNT = "scaledown"
KEY_VARIABLE = "SCALEDOWN_API_KEY"


class ScaleDownBatchError(BatchdeckError, RuntimeError):
    """The service did not do what it was asked to.

    Args:
        status_code: The HTTP status of the answer; 0 where no answer came, or where it was
            not the answer that told of the failure.
        message: What happened.
        hint: What to do next.
    """

    def __init__(self, status_code: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status_code = self.status = status_code


class ScaleDownKeyError(KeyMissingError, ValueError):
    """No key for ScaleDown is known."""


class ScaleDownBatchClient:
    """Batches of ScaleDown's models; no ``with`` is needed, nothing stays open between calls.

        client = ScaleDownBatchClient()
        result = client.run([SummarizeItem("a", text), ExtractItem("b", text, {"who": "A name"})])

    A 5xx answer to a submit or to the fetching of results is asked again after 2, 4 and
    8 seconds. The methods block, also inside a running event loop; ``async`` code may use
    ``run_batch`` or ``AsyncBatchClient("scaledown")``.

    Args:
        api_key: The key; else ``$SCALEDOWN_API_KEY``, or one that Batchdeck knows.
        base_url: Another address than the service's own.
        account: Another account of the configuration.
        home: The folder of history and configuration.
        keep: Leave the jobs in the history, where the dashboard shows them.

    Raises:
        ValueError: There is no key.
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
        self._key = (api_key or "").strip() or _known_key(account)
        self._account = account
        self._base_url = base_url
        # Without the history, what one call sends is for the next ones to find.
        self._folder = None if keep else TemporaryDirectory(prefix="batchdeck-")
        self._home = home if self._folder is None else Path(self._folder.name)

    def submit(self, items: Sequence[BatchInputItem]) -> str:
        """Send items; the answer is the batch's id.

        It is the provider's, unless the items became several batches: then it is the job's,
        which the other methods take as well.

        Raises:
            ScaleDownBatchError: The service did not take them.
            InputError: An item is not what its model takes; nothing was sent.
        """
        return run_aside(self.submit_async(items))

    def wait(self, batch_id: str, poll_interval: float = 5.0) -> dict[str, Any]:
        """Ask every ``poll_interval`` seconds until the batch has ended.

        Returns:
            What the service says of the batch, with ``batch_id``, ``status`` (``completed``
            or ``failed``), ``total_count``, ``completed_count`` and ``failed_count``.

        Raises:
            ScaleDownBatchError: The service could not be asked.
        """
        return run_aside(self.wait_async(batch_id, poll_interval))

    def results(self, batch_id: str) -> BatchResult:
        """Fetch what a batch gave.

        Raises:
            ScaleDownBatchError: The service did not give it.
        """
        return run_aside(self.results_async(batch_id))

    def run(self, items: Sequence[BatchInputItem], poll_interval: float = 5.0) -> BatchResult:
        """Submit, wait and fetch the results.

        Raises:
            ScaleDownBatchError: The service did not do it, or the batch failed as a whole.
        """
        batch_id = self.submit(items)
        status = self.wait(batch_id, poll_interval)
        if status["status"] == BatchStatus.FAILED and not status.get("completed_count"):
            raise ScaleDownBatchError(0, f"batch {batch_id} failed", "Send the items again.")
        return self.results(batch_id)

    async def submit_async(self, items: Iterable[Item]) -> str:
        """``submit`` for async code."""
        async with self._opened() as client:
            job_id = await client.submit(items)
            ids = [batch.remote_id for batch in client.engine.history.batches(job_id)]
        return ids[0] if len(ids) == 1 and ids[0] is not None else job_id

    async def wait_async(self, batch_id: str, poll_interval: float = 5.0) -> dict[str, Any]:
        """``wait`` for async code."""
        async with self._opened() as client:
            dialect = await client.engine.accounts.dialect(client.account)
            left = _remote_ids(client, batch_id)
            ended: list[RemoteBatch] = []
            while True:
                remote = await dialect.retrieve(left[0])
                if not is_terminal(remote.status):
                    await asyncio.sleep(poll_interval)
                    continue
                ended.append(remote)
                del left[0]
                if not left:
                    return _status_document(batch_id, ended)

    async def results_async(self, batch_id: str) -> BatchResult:
        """``results`` for async code."""
        async with self._opened() as client:
            engine = client.engine
            job_id = _job_id(client, batch_id)
            if job_id is None:
                # Made elsewhere: its output names its rows.
                job_id = (await engine.adopt(batch_id, account=client.account)).id
            await engine.collect(job_id)
            rows = await client.results(job_id)
            models = await asyncio.to_thread(models_of, client, job_id)
        return BatchResult(batch_id, [_item(row, models.get(row.custom_id, "")) for row in rows])

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[AsyncBatchClient]:
        """A client for one call; what goes wrong is told as this service's trouble."""
        try:
            async with AsyncBatchClient(
                self._account, home=self._home, api_key=self._key, base_url=self._base_url
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
    """Send items as lines of a batch; the answer is the batch's id.

    Args:
        items: ``custom_id``, ``method``, ``url`` and ``body`` each.
        api_key: The key.
        base_url: Another address than the service's own.
        home: The folder of history and configuration.
        keep: Leave the job in the history.

    Raises:
        ValueError: The service answered with another status than 2xx: status and body are in
            the message. Or an item cannot be sent.
    """
    client = ScaleDownBatchClient(api_key, base_url=base_url, home=home, keep=keep)
    return _or_value_error(client.submit_async(items))


def poll_until_done(
    batch_id: str,
    api_key: str,
    interval: float = 5,
    *,
    base_url: str | None = None,
    home: Path | None = None,
) -> dict[str, Any]:
    """Ask every ``interval`` seconds until the batch is ``completed`` or ``failed``.

    Returns:
        What the service says of the batch; see ``ScaleDownBatchClient.wait``.

    Raises:
        ValueError: The service answered with another status than 2xx.
    """
    client = ScaleDownBatchClient(api_key, base_url=base_url, home=home)
    return _or_value_error(client.wait_async(batch_id, interval))


def get_results(
    batch_id: str,
    api_key: str,
    *,
    base_url: str | None = None,
    home: Path | None = None,
    keep: bool = True,
) -> list[dict[str, Any]]:
    """Fetch what a batch gave: dicts of ``custom_id``, ``model``, ``content`` and ``error``.

    Raises:
        ValueError: The service answered with another status than 2xx.
    """
    client = ScaleDownBatchClient(api_key, base_url=base_url, home=home, keep=keep)
    result = _or_value_error(client.results_async(batch_id))
    return [
        {
            "custom_id": item.custom_id,
            "model": item.model,
            "content": item.content if item.error is None else None,
            "error": item.error,
        }
        for item in result.items
    ]


def _or_value_error(work: Coroutine[Any, Any, T]) -> T:
    """Run one call; what goes wrong is a ValueError with the status and the answer's body."""
    try:
        return run_aside(work)
    except BatchdeckError as error:
        cause = _answer_of(error)
        said = f"{cause.status} {cause.body}" if cause is not None else error.message
        raise ValueError(said) from error


def _known_key(account: str) -> str:
    try:
        found = find_key(account, (KEY_VARIABLE,))
    except KeyMissingError:
        found = None
    if found is None:
        raise ScaleDownKeyError(
            f"no key for ScaleDown is known: {KEY_VARIABLE} is not set",
            f"Set {KEY_VARIABLE}, or give api_key.",
        )
    return found.value


def _answer_of(error: BaseException | None) -> BatchdeckError | None:
    """The first error of the chain that came with an HTTP status."""
    while error is not None:
        told = isinstance(error, BatchdeckError) and bool(error.status)
        if told and not isinstance(error, ScaleDownBatchError):
            assert isinstance(error, BatchdeckError)
            return error
        error = error.__cause__
    return None


def _status_of(error: BatchdeckError) -> int | None:
    answer = _answer_of(error)
    return None if answer is None else answer.status


def _job_id(client: AsyncBatchClient, batch_id: str) -> str | None:
    history = client.engine.history
    known = history.job_of_remote(client.account, batch_id)
    if known is not None:
        return known
    return batch_id if any(job.id == batch_id for job in history.jobs()) else None


def _remote_ids(client: AsyncBatchClient, batch_id: str) -> list[str]:
    """The provider's batches behind an id: itself, or those of a job."""
    history = client.engine.history
    if _job_id(client, batch_id) != batch_id:
        return [batch_id]
    return [batch.remote_id for batch in history.batches(batch_id) if batch.remote_id is not None]


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
        told = row.error
        error = {
            "code": (told.code if told else None) or row.outcome.value,
            "message": (told.message if told else "") or "the output has no line for this item",
        }
    return BatchItemResult(
        custom_id=row.custom_id,
        model=row.model or model,
        content={} if error else content_of(row),
        error=error,
    )
