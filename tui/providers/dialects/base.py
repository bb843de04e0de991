"""The base of the dialects: what all batch APIs do alike, by the routes of a profile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from tui.core.jobs import is_terminal
from tui.core.remote_batches import RemoteBatch
from tui.errors import (
    ProviderError,
    RequestRejectedError,
    UnexpectedResponseError,
    UsageError,
)
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft, Capabilities, ResultStyle
from tui.providers.dialects.batch_responses import (
    as_number,
    number_at,
    read_batch,
    text_at,
    unwrap_object,
    value_at,
)
from tui.providers.dialects.paging import iter_pages
from tui.providers.dialects.requests import LineEncoder, single_request_call
from tui.providers.profiles.model import Listing
from tui.providers.wire.client import Call, HttpClient, Reply
from tui.providers.wire.download import Downloader
from tui.providers.wire.upload import RowBody

T = TypeVar("T")

_CLOCK_TOLERANCE = 300.0
"""Tolerated difference in seconds between the provider's clock and ours when a list is cut."""


class BatchDialect:
    """Retrieves, lists, cancels and deletes batches; subclasses create them and fetch results.

    Args:
        client: The HTTP client of the account.
    """

    uploads = False

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._profile = client.profile
        self._writer = LineEncoder(client.profile.row, client.profile.name)
        self._downloader = Downloader(client)
        self._rows: dict[str, int] = {}
        self._kept_in_ids = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._profile.id})"

    @property
    def capabilities(self) -> Capabilities:
        """The features that the profile enables."""
        can = self._profile.can
        return Capabilities(
            uploads=self.uploads,
            lists=can.list and bool(self._profile.paths.list),
            cancels=can.cancel and bool(self._profile.paths.cancel),
            metadata=bool(self._profile.create.metadata.field or self._profile.create.name_field),
            partial_results=can.partial_results,
            native_retry=can.native_retry,
            deletes_files=self.uploads
            and can.delete_file
            and bool(self._profile.paths.file_delete),
            deletes_batches=can.delete_batch and bool(self._profile.paths.delete),
            answers_single_requests=can.ask,
            counts_tokens=bool(self._profile.paths.count_tokens),
            estimates_cost=self.uploads and bool(self._profile.paths.estimate),
        )

    @property
    def result_style(self) -> ResultStyle:
        """OpenAI's format."""
        return "openai"

    @property
    def retry_rules(self) -> Mapping[str, bool]:
        """The profile's error codes, including prefixes such as ``SYSTEM_9*``."""
        return self._client.rules

    @property
    def passes_through(self) -> bool:
        """Whether ``requests.jsonl`` can be sent unchanged."""
        return self._writer.is_identity

    def encode_line(self, request: bytes) -> bytes:
        """Encode a request line as the profile requires; see ``LineEncoder.write``."""
        return self._writer.write(request)

    async def upload(self, path: Path, *, name: str, progress: Progress = NO_PROGRESS) -> str:
        """Not supported where the create call contains the rows; see ``Dialect.upload``."""
        raise self.unsupported("file uploads")

    async def delete_file(self, file_id: str) -> None:
        """Not supported where there are no files; see ``Dialect.delete_file``."""
        raise self.unsupported("deleting files")

    async def files_named(self, name: str, *, created_after: float) -> list[str] | None:
        """Nothing is known where files are not listed; see ``Dialect.files_named``."""
        return None

    def create_call(self, draft: BatchDraft) -> Call:
        """Build a create call without its body; it is never retried blindly."""
        header = self._profile.create.idempotency_header
        own = {header: draft.intent} if header and draft.intent else {}
        for name, text in self._profile.create.headers.items():
            own[name] = text.replace("{model}", draft.model or "")
        call = self.build_call("create", "", "create the batch", idempotent=False)
        seconds = self._profile.http.send_seconds
        return replace(call, headers={**call.headers, **own}, read_timeout=seconds)

    async def create_call_with_rows(
        self,
        draft: BatchDraft,
        progress: Progress,
        *,
        head: bytes = b"",
        separator: bytes = b",",
        tail: bytes = b"]}",
        content_type: str = "application/json",
    ) -> Call:
        """Build a create call that contains the rows, which are streamed from disk.

        Args:
            draft: The batch to create.
            progress: Told about the bytes that are sent.
            head: The bytes before the rows.
            separator: The bytes between two rows.
            tail: The bytes after the rows.
            content_type: The media type of the whole body.
        """
        rows = RowBody(draft.path, head=head, separator=separator, tail=tail)
        await rows.measure()
        call = self.create_call(draft)
        headers = {**call.headers, "Content-Type": content_type, **rows.headers}
        return replace(call, body=lambda: rows.body(progress), headers=headers)

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """Fetch the current state of a batch."""

        async def ask() -> Reply:
            call = Call("GET", self.route("get", batch_id), "retrieve the batch")
            return await self._client.ask(call)

        return self.batch_from(await self.with_either_slash(batch_id, ask), batch_id)

    async def with_either_slash(self, item: str, act: Callable[[], Awaitable[T]]) -> T:
        """Make a call about an id, whose slashes some servers only know unescaped.

        Args:
            item: The id.
            act: Makes the call, with a route that is built anew each time.
        """
        try:
            return await act()
        except RequestRejectedError as error:
            parts = item.split("/")
            if error.status not in (400, 404) or len(parts) == 1 or self._kept_in_ids:
                raise
            if any(part.strip(".") == "" for part in parts):
                raise
            self._kept_in_ids = "/"
            try:
                return await act()
            except RequestRejectedError:
                self._kept_in_ids = ""
                raise error from None

    async def list_batches(
        self, *, created_after: float | None = None
    ) -> AsyncIterator[RemoteBatch]:
        """List the provider's batches, newest first; see ``Dialect.list_batches``.

        Stops after the first page on which every batch is older than ``created_after``, so lists
        that are not strictly ordered are still read correctly.
        """
        if not self.capabilities.lists:
            raise self.unsupported("listing batches")
        async for items in self.pages(self._profile.paths.list, "list batches", whole=True):
            found = [batch for item in items if (batch := self._read(item)) is not None]
            fresh = [batch for batch in found if not is_older(batch.created_at, created_after)]
            for batch in fresh:
                yield batch
            is_past = found and not fresh and not _is_ascending(found)
            if is_past and self._profile.listing.newest_first:
                return

    def pages(
        self, path: str, what: str, listing: Listing | None = None, *, whole: bool = False
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """The pages of a list, each a list of objects; ``what`` is the action, for errors.

        With ``whole`` a list that has no end raises ``UnfinishedListError`` after its pages.
        """
        return iter_pages(
            self._client,
            path,
            listing or self._profile.listing,
            what=what,
            headers=self.extra_headers(),
            whole=whole,
        )

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Request cancellation.

        With ``guard_cancel`` a batch that has already ended is left alone, because Doubleword
        would mark a completed batch as cancelled. If the response contains no batch, the batch is
        retrieved.
        """
        if not self.capabilities.cancels:
            raise self.unsupported("cancelling batches")
        if self._profile.can.guard_cancel:
            before = await self.retrieve(batch_id)
            if is_terminal(before.status):
                return before
        call = self.build_call("cancel", batch_id, "cancel the batch")
        try:
            reply = await self._client.ask(call)
        except ProviderError as error:
            if error.status not in (400, 404, 409, 422):
                raise
            after = await self.retrieve(batch_id)
            if not is_terminal(after.status):
                raise
            return after
        try:
            stopped = self.batch_from(reply, batch_id)
        except UnexpectedResponseError:
            return await self.retrieve(batch_id)
        return stopped if stopped.raw_status else await self.retrieve(batch_id)

    async def delete_batch(self, batch_id: str) -> None:
        """Delete a batch and its results at the provider. Requires ``deletes_batches``."""
        if not self.capabilities.deletes_batches:
            raise self.unsupported("deleting batches")
        await self._delete(self.build_call("delete", batch_id, "delete the batch", method="DELETE"))

    @property
    def client(self) -> HttpClient:
        """The HTTP client of the account."""
        return self._client

    async def ask(self, request: bytes) -> bytes:
        """Send one request synchronously; see ``Dialect.ask``."""
        reply = await self._client.ask(self.single_request(request))
        reply.table()
        return reply.body

    def single_request(self, request: bytes) -> Call:
        """Build the call for a single request; raises what ``Dialect.ask`` raises."""
        if not self.capabilities.answers_single_requests:
            raise self.unsupported("single requests")
        has_path = self._client.address.base.path.strip("/") != ""
        return single_request_call(self._profile, request, has_path=has_path)

    async def models(self) -> list[str]:
        """List the ids of the models that the account may use, in the provider's order."""
        if not (self._profile.can.models and self._profile.paths.models):
            return []
        reply = await self._client.ask(Call("GET", self._profile.paths.models, "list models"))
        return model_ids(reply)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def route(self, name: str, item: str = "") -> str:
        """A route of the profile, without its method and with the escaped id filled in."""
        _, path = split_route(getattr(self._profile.paths, name))
        return path.replace("{id}", quote(item, safe=self._kept_in_ids))

    def build_call(
        self,
        name: str,
        item: str,
        what: str,
        *,
        method: str = "POST",
        idempotent: bool | None = None,
    ) -> Call:
        """Build the call of a profile route, whose own method takes precedence over ``method``."""
        verb = split_route(getattr(self._profile.paths, name))[0] or method
        can_repeat = verb in ("GET", "DELETE")
        return Call(
            verb,
            self.route(name, item),
            what,
            headers=self.extra_headers(),
            idempotent=can_repeat if idempotent is None else idempotent,
        )

    def batch_from(
        self, reply: Reply, batch_id: str = "", *, rows: int | None = None
    ) -> RemoteBatch:
        """Read the batch in a response, unwrapping it where needed.

        Args:
            reply: The response.
            batch_id: The requested batch, used when the response omits the id.
            rows: The number of rows sent, for the response of a create call.

        Raises:
            UnexpectedResponseError: The response contains no batch.
        """
        profile = self._profile
        value = unwrap_object(reply.table(), profile.create.unwrap, profile.batch.id)
        if batch_id and text_at(value, profile.batch.id) is None:
            # ScaleDown's first API generation may return only the status.
            value = {"id": batch_id, **value} if text_at(value, profile.batch.status) else value
        found_id = text_at(value, profile.batch.id)
        if rows is not None and found_id is not None:
            self._rows[found_id] = rows
        batch = self._read(value, reply.sent_at)
        if batch is None:
            raise reply.unexpected("contains no batch")
        return batch

    def extra_headers(self) -> Mapping[str, str]:
        """Headers that the dialect adds to every call, besides the key."""
        return {}

    async def count_tokens(self, request: bytes) -> int:
        """Not supported by default; see ``Dialect.count_tokens``."""
        raise self.unsupported("counting tokens")

    def unsupported(self, what: str) -> UsageError:
        """The error for a feature that the provider lacks; ``what`` ends "does not support …"."""
        return UsageError(f"{self._profile.name} does not support {what}")

    def _read(self, value: Mapping[str, Any], now: float | None = None) -> RemoteBatch | None:
        """Read a batch; ``now`` is the time by the provider's clock, in Unix seconds."""
        batch_id = text_at(value, self._profile.batch.id) or ""
        return read_batch(value, self._profile, self._rows.get(batch_id), now)

    async def _delete(self, call: Call) -> Reply:
        """Make a delete call; an item that no longer exists counts as deleted."""
        accept = frozenset({404, 410, *self._profile.upload.delete_means_done})
        return await self._client.ask(replace(call, accept=accept))


def split_route(text: str) -> tuple[str, str]:
    """Split ``POST /x`` into method and path; the method is ``""`` when the route has none."""
    method, blank, path = text.partition(" ")
    return (method.upper(), path.strip()) if blank else ("", text)


def model_ids(reply: Reply) -> list[str]:
    """Read the ids of a model list: objects or plain strings, bare or under a usual key."""
    value = reply.value()
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("data", "models", "value") if key in value), None)
    if not isinstance(value, list):
        raise reply.unexpected("contains no list of models")
    found = [item if isinstance(item, str) else text_at(item, ("id", "name")) for item in value]
    return list(dict.fromkeys(name for name in found if name))


def is_older(created_at: float | None, created_after: float | None) -> bool:
    """Whether an item of a list was certainly created before a time, whatever the clocks say."""
    if created_after is None or created_at is None:
        return False
    return created_at < created_after - _CLOCK_TOLERANCE


def _is_ascending(batches: list[RemoteBatch]) -> bool:
    """Whether the list starts with the oldest batch."""
    times = [batch.created_at for batch in batches if batch.created_at is not None]
    return len(times) > 1 and times[0] < times[-1]


@dataclass(frozen=True)
class CostEstimate:
    """A provider's rough estimate; figures that it omits are ``None``.

    ``cost`` is in the account's currency; 0 may also mean that a model has no price.
    """

    requests: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None


def read_estimate(value: Mapping[str, Any]) -> CostEstimate:
    """Read Doubleword's cost estimate, in which the cost is a string."""
    return CostEstimate(
        requests=number_at(value, "total_requests"),
        input_tokens=number_at(value, "total_estimated_input_tokens"),
        output_tokens=number_at(value, "total_estimated_output_tokens"),
        cost=as_number(value_at(value, "total_estimated_cost")),
    )
