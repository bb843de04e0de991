"""What the dialects that speak of batches as OpenAI does have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from tui.core.remote import RemoteBatch
from tui.core.status import is_terminal
from tui.errors import GarbledAnswerError, ProviderError, UsageError
from tui.providers.asking import ask_call
from tui.providers.base import Capabilities, ResultStyle
from tui.providers.calls import Call, Reply
from tui.providers.downloading import Downloader
from tui.providers.http import Wire
from tui.providers.paging import items_of, pages
from tui.providers.places import text_at
from tui.providers.reading import read_batch, unwrapped
from tui.providers.rowform import RowWriter

_OLDER_MARGIN = 300.0
"""Seconds; how far the provider's clock and ours may differ when a list is cut."""


class BatchDialect:
    """Reading, listing and ending batches; the sending differs by dialect.

    Args:
        wire: The account's way to the provider.
    """

    uploads = True

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._profile = wire.profile
        self._writer = RowWriter(wire.profile.row, wire.profile.name)
        self._downloader = Downloader(wire)
        self._rows: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._profile.id})"

    @property
    def capabilities(self) -> Capabilities:
        """What can be asked for, as the profile says."""
        can = self._profile.can
        return Capabilities(
            uploads=self.uploads,
            lists=can.list and bool(self._profile.paths.list),
            cancels=can.cancel and bool(self._profile.paths.cancel),
            metadata=bool(self._profile.create.metadata.field),
            partial_results=can.partial_results,
            native_retry=can.native_retry,
            deletes_files=self.uploads
            and can.delete_file
            and bool(self._profile.paths.file_delete),
            deletes_batches=can.delete_batch and bool(self._profile.paths.delete),
            asks=can.ask,
            counts_tokens=bool(self._profile.paths.count_tokens),
            tells_cost=self.uploads and bool(self._profile.paths.estimate),
        )

    @property
    def result_style(self) -> ResultStyle:
        """OpenAI's result lines."""
        return "openai"

    @property
    def retry_rules(self) -> Mapping[str, bool]:
        """The profile's codes, families of codes included."""
        return self._wire.rules

    @property
    def passes_through(self) -> bool:
        """Can ``requests.jsonl`` go out as it is?"""
        return self._writer.is_identity

    def encode_line(self, request: bytes) -> bytes:
        """A request line in the form that the profile wants; see ``RowWriter.write``."""
        return self._writer.write(request)

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """The batch as it stands."""
        call = Call("GET", self.route("get", batch_id), "read the batch")
        return self.batch_in(await self._wire.ask(call), batch_id)

    async def list_batches(
        self, *, created_after: float | None = None
    ) -> AsyncIterator[RemoteBatch]:
        """The provider's batches, newest first; see ``Dialect.list_batches``.

        Ends at the first page that holds only batches that are too old, so that a list in
        a slightly different order is read all the same.
        """
        if not self.capabilities.lists:
            raise self.unable("list batches")
        listing = self._profile.listing
        async for items in pages(
            self._wire,
            self._profile.paths.list,
            listing,
            what="list the batches",
            headers=self.own_headers(),
        ):
            found = [batch for item in items if (batch := self._read(item)) is not None]
            fresh = [batch for batch in found if not _is_older(batch, created_after)]
            for batch in fresh:
                yield batch
            if found and not fresh and not _ascends(found):
                return

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Ask for an end.

        A batch that has ended is not asked: Doubleword would turn a finished one into a
        cancelled one. An answer that holds no batch is followed by ``retrieve``.
        """
        if not self.capabilities.cancels:
            raise self.unable("cancel a batch")
        if self._profile.can.guard_cancel:
            before = await self.retrieve(batch_id)
            if is_terminal(before.status):
                return before
        call = self.action("cancel", batch_id, "cancel the batch", patience=None)
        try:
            reply = await self._wire.ask(call)
        except ProviderError as error:
            if error.status not in (400, 404, 409, 422):
                raise
            after = await self.retrieve(batch_id)
            if not is_terminal(after.status):
                raise
            return after
        try:
            stopped = self.batch_in(reply, batch_id)
        except GarbledAnswerError:
            return await self.retrieve(batch_id)
        return stopped if stopped.raw_status else await self.retrieve(batch_id)

    async def delete_batch(self, batch_id: str) -> None:
        """Remove a batch and its results at the provider. Only where ``deletes_batches``."""
        if not self.capabilities.deletes_batches:
            raise self.unable("delete a batch")
        await self._gone(self.action("delete", batch_id, "delete the batch", method="DELETE"))

    @property
    def wire(self) -> Wire:
        """The account's way to the provider."""
        return self._wire

    async def ask(self, request: bytes) -> bytes:
        """The answer to one request, at once; see ``Dialect.ask``."""
        reply = await self._wire.ask(self.question(request))
        reply.table()
        return reply.body

    def question(self, request: bytes) -> Call:
        """The call of a single request; see ``Dialect.ask`` for what it raises."""
        if not self.capabilities.asks:
            raise self.unable("answer a single request")
        has_path = self._wire.address.base.path.strip("/") != ""
        return ask_call(self._profile, request, has_path=has_path)

    async def models(self) -> list[str]:
        """Ids of the models that the account may use, in the provider's order."""
        if not (self._profile.can.models and self._profile.paths.models):
            return []
        reply = await self._wire.ask(Call("GET", self._profile.paths.models, "list the models"))
        return model_ids(reply)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()

    def route(self, name: str, item: str = "") -> str:
        """A route of the profile with the id filled in, escaped, and without its method."""
        text: str = getattr(self._profile.paths, name)
        _, path = split_route(text)
        return path.replace("{id}", quote(item, safe=""))

    def action(
        self,
        name: str,
        item: str,
        what: str,
        *,
        method: str = "POST",
        repeatable: bool | None = None,
        patience: float | None = None,
    ) -> Call:
        """A call of a route that may name its own method."""
        text: str = getattr(self._profile.paths, name)
        chosen = split_route(text)[0] or method
        again = chosen in ("GET", "DELETE") if repeatable is None else repeatable
        return Call(
            chosen,
            self.route(name, item),
            what,
            headers=self.own_headers(),
            repeatable=again,
            patience=patience,
        )

    def batch_in(self, reply: Reply, batch_id: str = "", *, rows: int | None = None) -> RemoteBatch:
        """The batch that an answer holds, taken out of its wrapping.

        Args:
            reply: The answer.
            batch_id: The batch that was asked for; an answer may leave it out.
            rows: How many rows were sent, when the answer is that of a create.

        Raises:
            GarbledAnswerError: It holds none.
        """
        profile = self._profile
        value = unwrapped(reply.table(), profile.create.unwrap, profile.batch.id)
        if batch_id and text_at(value, profile.batch.id) is None:
            # ScaleDown's first generation may answer with the status alone.
            value = {"id": batch_id, **value} if text_at(value, profile.batch.status) else value
        made = text_at(value, profile.batch.id)
        if rows is not None and made is not None:
            self._rows[made] = rows
        batch = self._read(value)
        if batch is None:
            raise reply.garbled("holds no batch")
        return batch

    def own_headers(self) -> Mapping[str, str]:
        """Headers that every call of the dialect needs, beside the key."""
        return {}

    async def count_tokens(self, request: bytes) -> int:
        """Not offered, unless a dialect says otherwise."""
        raise self.unable("count tokens")

    def unable(self, what: str) -> UsageError:
        """The error for something that the provider does not offer."""
        return UsageError(f"{self._profile.name} has no way to {what}")

    def _read(self, value: Mapping[str, Any]) -> RemoteBatch | None:
        batch_id = text_at(value, self._profile.batch.id) or ""
        return read_batch(value, self._profile, self._rows.get(batch_id))

    async def _gone(self, call: Call) -> None:
        """Delete something; that it is not there any more is as good."""
        accept = frozenset({404, 410, *self._profile.upload.delete_means_done})
        await self._wire.ask(replace(call, accept=accept))


def split_route(text: str) -> tuple[str, str]:
    """``POST /x`` into method and path; no method: ``""``."""
    method, blank, path = text.partition(" ")
    return (method.upper(), path.strip()) if blank else ("", text)


def model_ids(reply: Reply) -> list[str]:
    """The ids in a list of models: objects, or bare texts, under the usual keys."""
    value = reply.value()
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("data", "models", "value") if key in value), None)
    if not isinstance(value, list):
        raise reply.garbled("holds no list of models")
    found = [item if isinstance(item, str) else text_at(item, ("id", "name")) for item in value]
    return list(dict.fromkeys(name for name in found if name))


def _is_older(batch: RemoteBatch, created_after: float | None) -> bool:
    if created_after is None or batch.created_at is None:
        return False
    return batch.created_at < created_after - _OLDER_MARGIN


def _ascends(batches: list[RemoteBatch]) -> bool:
    """Does the list begin with the oldest?"""
    times = [batch.created_at for batch in batches if batch.created_at is not None]
    return len(times) > 1 and times[0] < times[-1]


__all__ = ["BatchDialect", "items_of", "model_ids", "split_route"]
