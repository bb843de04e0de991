"""The ledger: what was committed to be spent and what was billed, whatever becomes of the jobs.

Rows are only added. The newest entry of a batch says what it counts: a reservation or a quote
its amount, a bill the billed amount, a release nothing. Entries are not deleted with their job.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from tui.paths import Paths
from tui.store.database import Database, chunked, maps_sqlite_errors, records

EntryKind = Literal["reserved", "quoted", "released", "billed"]


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """Total cost in one currency, and how many jobs have no known cost in it."""

    amount: float
    currency: str
    unknown: int


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch counts.

    Attributes:
        batch: Id of the batch; of what is held for its lost rows, followed by ``:lost``.
        job: Id of its job.
        account: The account that pays.
        provider: Id of its provider.
        submit: Id shared by the batches that were reserved in one step.
        kind: ``reserved`` before it is sent, ``quoted`` by the provider, ``billed`` when it has
            ended, ``released`` if nothing was created.
        amount: The amount; ``None`` if it is not known.
        currency: Currency of the amount.
        spent_at: When it was reserved, Unix seconds: the month in which it counts.
        submit_limit: The limit that the user gave for this submit.
        rows: The rows of the batch.
        model: The model that its requests name.
        estimated: What these rows were estimated to cost; ``None`` if that is not known.
        saved_by_batch: What single requests would have cost more; known of bills only.
        saved_by_cache: What cached prompts saved; negative if writing them cost more.
        saved_by_reuse: What answers cost when they were paid for, that were used again: for repeats
            in the job, or from earlier jobs.
    """

    batch: str
    job: str
    account: str
    provider: str
    submit: str = ""
    kind: EntryKind = "reserved"
    amount: float | None = None
    currency: str = "USD"
    spent_at: float = 0.0
    submit_limit: float | None = None
    rows: int = 0
    model: str = ""
    estimated: float | None = None
    saved_by_batch: float | None = None
    saved_by_cache: float | None = None
    saved_by_reuse: float | None = None


_COLUMNS = LedgerEntry.__struct_fields__


@maps_sqlite_errors
class Ledger:
    """The ledger of one home; ``history.ledger``.

    Args:
        database: The database that holds it, or where it is: opened when it is first needed.
    """

    def __init__(self, database: Database | Paths) -> None:
        self._opened = database if isinstance(database, Database) else None
        self._paths = None if isinstance(database, Database) else database
        self._lock = threading.Lock()

    @property
    def _database(self) -> Database:
        with self._lock:
            if self._opened is None:
                assert self._paths is not None
                self._opened = Database(self._paths.ensure().history_db)
            return self._opened

    def _is_absent(self) -> bool:
        """Whether the other home does not exist yet: then nothing was spent there."""
        with self._lock:
            paths = self._paths
            return self._opened is None and paths is not None and not paths.history_db.exists()

    def close(self) -> None:
        """Close the database, if it was opened for the ledger."""
        if self._paths is not None and self._opened is not None:
            self._opened.close()

    def reserve(
        self,
        entries: Sequence[LedgerEntry],
        *,
        since: float,
        currency: str,
        limit: float | None,
        now: float,
    ) -> Spending | None:
        """Reserve the amounts of some batches, all or none, in one transaction.

        Earlier entries of these batches do not count against them.

        Args:
            entries: What each batch may cost.
            since: Begin of the month, Unix seconds.
            currency: Currency of the limit.
            limit: What may be spent since then; ``None`` for no limit.
            now: Unix seconds.

        Returns:
            ``None`` if they are reserved; what is spent already if they do not fit in. Without a
            limit, another home is not created for them.
        """
        if limit is None and self._is_absent():
            return None
        amount = sum(entry.amount or 0.0 for entry in entries)
        own = {entry.batch for entry in entries}
        with self._database.write(durable=True) as connection:
            if limit is not None:
                others = (e for e in _since(connection, since) if e.batch not in own)
                spent = _total(others, currency)
                if spent.amount + amount > limit:
                    return spent
            _append(connection, entries, now)
        return None

    def entry(self, batch_id: str) -> LedgerEntry | None:
        """The newest entry of a batch, if it has one."""
        if self._is_absent():
            return None
        found = _newest(self._database.read, "batch=?", (batch_id,))
        return found[0] if found else None

    def of_job(self, job: str) -> list[LedgerEntry]:
        """The newest entries of the batches of a job."""
        if self._is_absent():
            return []
        return _newest(self._database.read, "job=?", (job,))

    def reservation(self, batch_id: str) -> LedgerEntry | None:
        """What was last reserved for a batch, whatever became of that."""
        if self._is_absent():
            return None
        where = "batch=? AND kind='reserved'"
        found = _newest(self._database.read, where, (batch_id,))
        return found[0] if found else None

    def position(self) -> int:
        """How many entries there are by now; see ``reserved_after``."""
        if self._is_absent():
            return 0
        (newest,) = self._database.read.execute("SELECT ifnull(max(pk), 0) FROM ledger").fetchone()
        return int(newest)

    def reserved_after(self, position: int, job: str) -> list[LedgerEntry]:
        """The newest entries of those batches of a job that were reserved after a position.

        The order of the entries decides, and no clock.
        """
        if self._is_absent():
            return []
        return _newest(
            self._database.read,
            "job=? AND batch IN (SELECT batch FROM ledger WHERE job=? AND pk>?"
            " AND (kind='reserved' OR batch NOT IN (SELECT batch FROM ledger WHERE pk<=?)))",
            (job, job, position, position),
        )

    def of_submit(self, submit: str) -> list[LedgerEntry]:
        """The newest entries of the batches that were reserved in one step."""
        return _newest(self._database.read, "submit=?", (submit,))

    def held(self, since: float) -> list[str]:
        """Ids of the batches whose newest entry is a reservation or a quote."""
        if self._is_absent():
            return []
        entries = _since(self._database.read, since)
        return [entry.batch for entry in entries if entry.kind in ("reserved", "quoted")]

    def release(self, batch_ids: Iterable[str], now: float) -> None:
        """Give back what was reserved for batches that were not created.

        What was billed stays.
        """
        if self._opened is None:
            return
        with self._database.write(durable=True) as connection:
            for marks, batches in chunked(batch_ids):
                held = [
                    msgspec.structs.replace(entry, kind="released", amount=0.0)
                    for entry in _newest(connection, f"batch IN ({marks})", tuple(batches))
                    if entry.kind in ("reserved", "quoted")
                ]
                _append(connection, held, now)

    def bill(self, entries: Sequence[LedgerEntry], now: float) -> None:
        """Store what batches were billed, in place of what was reserved for them.

        What was reserved and not billed stays reserved with another batch of the job that has no
        bill yet, if there is one: the sum of what was reserved for a job is a bound, and not each
        share of it.

        Args:
            entries: The bills. The month of a batch that has an entry stays what it was.
            now: Unix seconds.
        """
        if self._is_absent():
            return
        with self._database.write() as connection:
            spare: dict[str, float] = {}
            for entry in entries:
                before = _newest(connection, "batch=?", (entry.batch,))
                if before:
                    entry = msgspec.structs.replace(
                        entry,
                        submit=before[0].submit,
                        spent_at=before[0].spent_at,
                        submit_limit=before[0].submit_limit,
                    )
                if [entry] != before:
                    _append(connection, [entry], now)
                    less = (before[0].amount or 0.0) - (entry.amount or 0.0) if before else 0.0
                    spare[entry.job] = spare.get(entry.job, 0.0) + less
            for job, amount in spare.items():
                held = _held_of_job(connection, job) if amount > 0 else []
                more = [msgspec.structs.replace(e, amount=(e.amount or 0.0) + amount) for e in held]
                _append(connection, more[:1], now)

    def hold(self, entries: Sequence[LedgerEntry], now: float) -> None:
        """Store what is held beside bills, under ids of its own, in place of what was held before.

        Args:
            entries: Reservations, and releases of those that may have been made before.
            now: Unix seconds.
        """
        if self._is_absent():
            return
        with self._database.write() as connection:
            for entry in entries:
                before = _newest(connection, "batch=?", (entry.batch,))
                if before != [entry] and (before or entry.kind != "released"):
                    _append(connection, [entry], now)

    def add_missing(self, entries: Sequence[LedgerEntry], now: float) -> None:
        """Add entries of batches that have none; the others are left as they are."""
        with self._database.write() as connection:
            new = [e for e in entries if not _newest(connection, "batch=?", (e.batch,))]
            _append(connection, new, now)

    def entries(self, since: float | None = None, before: float | None = None) -> list[LedgerEntry]:
        """What each batch counts that was reserved in a span of time (Unix seconds)."""
        if self._is_absent():
            return []
        wanted = _newest(self._database.read, "spent_at>=?", (since or 0.0,))
        return [entry for entry in wanted if before is None or entry.spent_at < before]

    def tags_of_deleted_jobs(self) -> dict[str, tuple[str, ...]]:
        """The tags that deleted jobs had, by the id of the job."""
        if self._is_absent():
            return {}
        rows = self._database.read.execute("SELECT job, tags FROM ledger_tags")
        return {job: tuple(tags.split()) for job, tags in rows}

    def spending(self, since: float, currency: str) -> Spending:
        """What was committed or billed since a time (Unix seconds), in one currency."""
        return _total(_since(self._database.read, since), currency)


def reserved_for(connection: sqlite3.Connection, batch_id: str) -> LedgerEntry | None:
    """What is reserved for a batch, or was quoted for it, if that is what it counts now."""
    found = _newest(connection, "batch=?", (batch_id,))
    return found[0] if found and found[0].kind in ("reserved", "quoted") else None


def _append(connection: sqlite3.Connection, entries: Iterable[LedgerEntry], now: float) -> None:
    marks = ", ".join(f":{name}" for name in _COLUMNS)
    connection.executemany(
        f"INSERT INTO ledger (at, {', '.join(_COLUMNS)}) VALUES (:at, {marks})",
        [{"at": now, **msgspec.structs.asdict(entry)} for entry in entries],
    )


def _newest(
    connection: sqlite3.Connection, where: str, values: tuple[object, ...]
) -> list[LedgerEntry]:
    """The newest entry of each batch that matches an SQL condition (trusted text)."""
    # SQLite takes the other columns from the row that has the maximum.
    rows = records(
        connection,
        f"SELECT max(pk) AS pk, {', '.join(_COLUMNS)} FROM ledger WHERE {where} GROUP BY batch",
        values,
    )
    return [msgspec.convert({name: row[name] for name in _COLUMNS}, LedgerEntry) for row in rows]


def _held_of_job(connection: sqlite3.Connection, job: str) -> list[LedgerEntry]:
    """What is reserved for batches of a job at a known amount, without that of lost rows."""
    entries = _newest(connection, "job=? AND batch NOT LIKE '%:lost'", (job,))
    return [e for e in entries if e.kind in ("reserved", "quoted") and e.amount is not None]


def _since(connection: sqlite3.Connection, since: float) -> list[LedgerEntry]:
    return _newest(connection, "spent_at>=?", (since,))


def _total(entries: Iterable[LedgerEntry], currency: str) -> Spending:
    amount = 0.0
    unknown: set[str] = set()
    for entry in entries:
        if entry.kind == "released":
            continue
        if entry.amount is None or entry.currency != currency:
            unknown.add(entry.job)
        else:
            amount += entry.amount
    return Spending(amount=amount, currency=currency, unknown=len(unknown))
