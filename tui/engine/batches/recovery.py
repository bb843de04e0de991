"""Find out whether a batch was created when the response to the create was lost.

A batch is ours only by something that no other batch can have: our intent in its metadata, or an
input file that was uploaded for it alone. Size and age prove nothing: another program, or another
job, may have sent as many rows at the same time.

That a list does not show a batch proves little: a gateway may still be creating it, and a list may
be minutes behind. The provider is known not to have it after its list was read for as long as a
create takes to show, and only if the list shows batches at all and says whose they are. The account
may have got another address or another key since: a list that shows none of the batches that were
accepted lately is somebody else's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum, auto
from typing import NamedTuple

from tui.core.jobs import Batch, is_terminal
from tui.core.remote_batches import RemoteBatch
from tui.core.results.openai_lines import UnreadableLineError, decode_row
from tui.engine.context import Context
from tui.errors import (
    KeyRejectedError,
    ProviderError,
    RequestRejectedError,
    UnfinishedListError,
    UnreachableError,
    UsageError,
)
from tui.providers.dialect import Capabilities, Dialect, FindsBatches

_FIRST_LOOKS = (0.0, 1.0, 3.0)
"""Seconds before each look right after a create: most lists show the batch by then."""

_OVERLAP = 3600.0
"""Seconds that later looks go back from the newest batch of the first one."""

_CLOCK_MARGIN = 26 * 3600.0
"""Seconds that a batch may seem older than it is: one clock may report local time as UTC."""

_LATELY = 7 * 86_400.0
"""Seconds for which every provider keeps batches in its list, and longer."""

_LONGEST_LINE = 64 << 20
"""Bytes of a result line that is read for its id."""

_NO_LIST = frozenset({404, 405, 501})


class RecoveryOutcome(Enum):
    """What the provider's list proves about a batch.

    Attributes:
        FOUND: The provider has it.
        NOT_YET: The list does not show it, which proves nothing so soon after the create.
        ABSENT: The provider does not have it.
        CANNOT_TELL: The list cannot prove it either way, now or later.
    """

    FOUND = auto()
    NOT_YET = auto()
    ABSENT = auto()
    CANNOT_TELL = auto()


class Look(NamedTuple):
    """The result of looking for a batch.

    Attributes:
        outcome: What is known.
        remote: The batch, if it was found.
        others: Further batches of the provider that carry our intent: they were paid as well.
        candidates: Batches of the same size that nobody can be sure of.
    """

    outcome: RecoveryOutcome
    remote: RemoteBatch | None = None
    others: tuple[RemoteBatch, ...] = ()
    candidates: tuple[RemoteBatch, ...] = ()


class Recovery:
    """Looks for the batches of one engine whose create got no response."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._looking_since: dict[str, float] = {}
        self._newest: dict[str, float] = {}
        self._showed: set[str] = set()

    async def look(self, dialect: Dialect, batch: Batch, *, right_after: bool = False) -> Look:
        """Look for a batch in the provider's list.

        Args:
            dialect: The account.
            batch: The batch, in state ``creating`` or ``uncertain``.
            right_after: The create was sent a moment ago: look three times within four seconds.

        Raises:
            BatchdeckError: The provider cannot be reached; nothing is known.
        """
        if dialect.capabilities.runs_locally:
            # Such a batch exists only in the history: no create was sent.
            return Look(RecoveryOutcome.ABSENT)
        if not dialect.capabilities.lists:
            if dialect.capabilities.creates_once:
                return Look(RecoveryOutcome.ABSENT)
            return Look(RecoveryOutcome.CANNOT_TELL)
        found = Look(RecoveryOutcome.NOT_YET)
        for pause in _FIRST_LOOKS if right_after else (0.0,):
            await self._context.sleep(pause)
            listing = _Listing(self._context, batch, dialect.capabilities)
            # Later looks read the newest part of the list alone.
            listing.shows_known = batch.id in self._showed
            # What a list does not show is as old as the beginning of the call.
            settled = self._is_settled(batch)
            # A create that may be sent again is believed to be absent only by a later look: this
            # one may follow on a create that was sent again and is lost as well.
            settled = settled and not (right_after and dialect.capabilities.creates_once)
            try:
                await listing.read(dialect, self._newest.get(batch.id))
            except RequestRejectedError as error:
                if error.status not in _NO_LIST:
                    raise
                # The profile says that there is a list, but this server does not have it.
                return Look(RecoveryOutcome.CANNOT_TELL)
            if listing.shows_known:
                self._showed.add(batch.id)
            if listing.newest is not None:
                self._newest[batch.id] = listing.newest - _OVERLAP
            found = listing.result(settled=settled)
            if found.outcome in (RecoveryOutcome.FOUND, RecoveryOutcome.CANNOT_TELL):
                break
        if found.outcome is not RecoveryOutcome.NOT_YET:
            self.forget(batch.id)
        return found

    async def find_sent(self, dialect: Dialect, batch: Batch) -> tuple[RemoteBatch, ...]:
        """Batches of the provider that carry the intent of one that seems not to be sent.

        That none is found, or that there is no list, proves nothing and stops nothing.

        Raises:
            BatchdeckError: The provider cannot be reached, or refuses the key.
        """
        can = dialect.capabilities
        if can.runs_locally or not can.lists:
            return ()
        listing = _Listing(self._context, batch, can)
        # A time that is still to come says that the clock was set, and not when it was made.
        is_ahead = batch.created_at > self._context.clock()
        try:
            await listing.read(dialect, None if is_ahead else batch.created_at - _CLOCK_MARGIN)
        except ProviderError as error:
            if isinstance(error, (UnreachableError, KeyRejectedError)):
                raise
            self._context.log.info("looking for %s before it is sent: %s", batch.id, error.message)
        return listing.ours

    def forget(self, batch_id: str) -> None:
        """Drop what is remembered of a batch that is no longer looked for."""
        self._looking_since.pop(batch_id, None)
        self._newest.pop(batch_id, None)
        self._showed.discard(batch_id)

    def pause(self, batch: Batch) -> float:
        """Seconds until the next look: a tenth of the time since the first, 1 s to 5 minutes."""
        now = asyncio.get_running_loop().time()
        since = self._looking_since.get(batch.id, now)
        return min(max(1.0, (now - since) / 10), 300.0)

    def _is_settled(self, batch: Batch) -> bool:
        """Whether a create of this batch would be in the list by now.

        Measured by this program's own looks, however long ago the create seems to be: the clock may
        have been set, or the machine may have slept since it was sent.
        """
        now = asyncio.get_running_loop().time()
        looked = now - self._looking_since.setdefault(batch.id, now)
        return looked >= self._context.accounts.profile(batch.account).poll.confirm_seconds


async def which_batch(
    context: Context, dialect: Dialect, remote: RemoteBatch, batches: Sequence[Batch]
) -> list[Batch]:
    """The one of the batches of a job and of equal size that a batch of the provider is.

    It is told by our intent, by the input file, or by a row in its answers. A single batch is taken
    on the word of the user as long as nothing speaks against it.

    Raises:
        UsageError: Nothing tells it, or it is none of them.
        BatchdeckError: The provider cannot be asked for its answers.
    """
    named = [batch for batch in batches if remote.intent == batch.id]
    if remote.input_file_id is not None:
        named = named or [b for b in batches if b.input_file_id == remote.input_file_id]
    if len(named) == 1:
        return named
    custom_id = await _first_answered(dialect, remote) if is_terminal(remote.status) else None
    if custom_id is None:
        if len(batches) > 1:
            raise UsageError(
                f"{len(batches)} batches of this job may be the provider's batch {remote.id}",
                "Name it when it has ended: its answers say which of them it is.",
            )
        if _is_of_another(remote, batches[0]):
            raise UsageError(
                f"the provider's batch {remote.id} was made from another file",
                "Find the right batch on the provider's website. If it is this one all the same,"
                " name it when it has ended: its answers say so.",
            )
        return [*batches]

    def with_row() -> list[Batch]:
        history = context.history
        seq = history.rows.numbers(batches[0].job_id, [custom_id]).get(custom_id)
        return [batch for batch in batches if seq in history.batches.pending_rows(batch)]

    if found := await asyncio.to_thread(with_row):
        return found[:1]
    raise UsageError(
        f"the provider's batch {remote.id} has answers to other rows",
        "Find the right batch on the provider's website.",
    )


def _is_of_another(remote: RemoteBatch, batch: Batch) -> bool:
    """Whether a batch of the provider carries the mark, or the input file, of another batch."""
    if remote.intent is not None:
        return remote.intent != batch.id
    return None not in (remote.input_file_id, batch.input_file_id)


async def _first_answered(dialect: Dialect, remote: RemoteBatch) -> str | None:
    """The id of the first row in the results of a batch; ``None`` if there is none."""
    for source in remote.results:
        line = b""
        async with dialect.download(source) as download:
            async for chunk in download.chunks:
                line += chunk
                if b"\n" in line or len(line) > _LONGEST_LINE:
                    break
        with suppress(UnreadableLineError):
            return decode_row(line.partition(b"\n")[0])[0]
    return None


class _Listing:
    """One pass through the provider's list in search of a batch."""

    def __init__(self, context: Context, batch: Batch, can: Capabilities) -> None:
        self._context = context
        self._batch = batch
        self._is_identifiable = can.metadata or can.uploads
        self._creates_once = can.creates_once
        batches = context.history.batches
        self._file_is_ours = batch.input_file_id is not None and not batches.shares_input_file(
            batch.id, batch.account, batch.input_file_id
        )
        self._is_complete = self._is_known_to_be_complete()
        self._has_end = True
        self.shows_known = False
        self._ours: list[RemoteBatch] = []
        self._candidates: list[RemoteBatch] = []
        self.newest: float | None = None

    async def read(self, dialect: Dialect, since: float | None) -> None:
        """Read the list, back to ``since`` (Unix seconds of the provider), or whole.

        Where the provider can search, what it finds is enough; that it finds nothing is not.
        """
        batches = self._context.history.batches
        if isinstance(dialect, FindsBatches):
            for remote in await dialect.batches_of(self._batch.id):
                if batches.job_of_remote(self._batch.account, remote.id) is None:
                    self._ours.append(remote)
        if self._ours:
            return
        try:
            async for remote in dialect.list_batches(created_after=since):
                self._see(remote)
        except UnfinishedListError:
            self._has_end = False

    def _see(self, remote: RemoteBatch) -> None:
        """Take in a batch of the list."""
        batches = self._context.history.batches
        if remote.created_at is not None:
            self.newest = max(remote.created_at, self.newest or remote.created_at)
        if batches.job_of_remote(self._batch.account, remote.id) is not None:
            # The history knows this batch, so it is not the one that is looked for; but it
            # shows that this server's list has this account's batches in it.
            self.shows_known = True
        elif self._is_ours(remote):
            self._ours.append(remote)
        elif self._is_candidate(remote):
            self._candidates.append(remote)

    @property
    def ours(self) -> tuple[RemoteBatch, ...]:
        """The batches that carry the intent or the input file; first one that did not fail."""
        # After several creates, one that failed because the queue was full is the worst.
        return tuple(sorted(self._ours, key=lambda remote: remote.status == "failed"))

    def result(self, *, settled: bool) -> Look:
        """What this pass proves.

        Args:
            settled: A create would be in the list by now.
        """
        candidates = tuple(filter(self._is_recent, self._candidates))
        if self._ours:
            first, *others = self.ours
            return Look(RecoveryOutcome.FOUND, first, tuple(others))
        if candidates and not self._is_identifiable:
            return Look(RecoveryOutcome.CANNOT_TELL, candidates=candidates)
        if not settled:
            return Look(RecoveryOutcome.NOT_YET)
        if self._has_moved():
            return Look(RecoveryOutcome.CANNOT_TELL, candidates=candidates)
        if self._creates_once:
            # If the list is wrong, the same create again returns the batch that is there.
            return Look(RecoveryOutcome.ABSENT)
        shows_batches = self._is_complete or self.shows_known
        if candidates or not (shows_batches and self._has_end):
            return Look(RecoveryOutcome.CANNOT_TELL, candidates=candidates)
        return Look(RecoveryOutcome.ABSENT)

    def _is_known_to_be_complete(self) -> bool:
        """Whether the list shows every batch of the account, although it shows none of them."""
        context, batch = self._context, self._batch
        if not context.accounts.list_is_complete(batch.account):
            return False
        if context.accounts.deletes_collected(batch.account):
            return True
        lately = context.clock() - _LATELY
        return not context.history.batches.has_others_since(batch.id, batch.account, lately)

    def _has_moved(self) -> bool:
        """Whether the account had another address when the create was sent."""
        address = self._batch.address
        now = self._context.accounts.info(self._batch.account).base_url
        return bool(address) and address.rstrip("/") != now.rstrip("/")

    def _is_ours(self, remote: RemoteBatch) -> bool:
        if remote.intent:
            return remote.intent == self._batch.id
        # Its metadata would have our intent, if this server returned any.
        if remote.metadata or not self._file_is_ours:
            return False
        return remote.input_file_id == self._batch.input_file_id

    def _is_recent(self, remote: RemoteBatch) -> bool:
        """Whether it may have been created since our create, whatever the two clocks say."""
        began = self._batch.submitted_at or self._batch.created_at
        since = min(began, self.newest or began) - _CLOCK_MARGIN
        return remote.created_at is None or remote.created_at >= since

    def _is_candidate(self, remote: RemoteBatch) -> bool:
        """Whether nothing contradicts that it is ours: it names neither intent nor file."""
        if remote.intent or remote.metadata:
            return False
        if remote.input_file_id is not None and self._file_is_ours:
            return False
        total = remote.counts.total
        return total in (None, 0, self._batch.rows)
