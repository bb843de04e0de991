"""Where the money went: what was estimated, billed, reserved and saved, by groups of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from tui.core.formatting import UNKNOWN, counted, money
from tui.errors import UsageError
from tui.store.history import History, LedgerEntry

DIMENSIONS = ("month", "account", "provider", "model", "tag", "job")
"""What costs can be grouped by."""


class KnownSum(msgspec.Struct, frozen=True):
    """A sum of amounts.

    Attributes:
        amount: The sum of those that are known; ``None`` if there are some, and none is known.
        unknown: The number of jobs with an amount that is not known.
    """

    amount: float | None = 0.0
    unknown: int = 0


class SpentGroup(msgspec.Struct, frozen=True, kw_only=True):
    """What the batches of a group cost, in one currency.

    Attributes:
        keys: The value of each dimension; empty for no tag, or a model that is not known.
        currency: Currency of all amounts.
        jobs: The number of jobs.
        rows: The number of requests, those of retries included.
        estimated: What these batches were estimated to cost.
        billed: What those that have ended were billed.
        reserved: The maximum of those that have no bill (yet).
        saved_by_batch: What single requests would have cost more than the bills.
        saved_by_cache: What prompts read from a cache saved, less what writing them cost.
        saved_by_reuse: What answers cost that were used again, for equal requests.
    """

    keys: tuple[str, ...]
    currency: str
    jobs: int
    rows: int
    estimated: KnownSum
    billed: KnownSum
    reserved: KnownSum
    saved_by_batch: KnownSum
    saved_by_cache: KnownSum
    saved_by_reuse: KnownSum

    @property
    def spent(self) -> float:
        """What is known to be billed or reserved."""
        return (self.billed.amount or 0.0) + (self.reserved.amount or 0.0)


class SpentReport(msgspec.Struct, frozen=True, kw_only=True):
    """Where the money went.

    Attributes:
        by: The dimensions.
        groups: The groups: months from the newest on, else the most expensive first.
        totals: One group without keys for each currency. A job with several tags counts in each
            of them, and once here.
        budget: The budget per month; ``None`` if there is none.
        left: What is left of it in this month (UTC).
        budget_currency: Currency of both.
    """

    by: tuple[str, ...]
    groups: tuple[SpentGroup, ...]
    totals: tuple[SpentGroup, ...]
    budget: float | None = None
    left: float | None = None
    budget_currency: str = "USD"


def check_dimensions(by: Sequence[str]) -> tuple[str, ...]:
    """The dimensions without repetitions.

    Raises:
        UsageError: One is unknown, or there is none.
    """
    chosen = tuple(dict.fromkeys(by))
    unknown = [name for name in chosen if name not in DIMENSIONS]
    if unknown or not chosen:
        raise UsageError(
            f"costs cannot be grouped by {unknown[0]!r}" if unknown else "no group was named",
            f"Use one or several of {', '.join(DIMENSIONS)}, separated by commas.",
        )
    return chosen


def spent_report(
    history: History,
    by: Sequence[str],
    since: float | None = None,
    before: float | None = None,
) -> SpentReport:
    """Group what was spent. Blocking; reads the ledger and the list of jobs, but no rows.

    Args:
        history: The history.
        by: Dimensions, one or several of ``DIMENSIONS``.
        since: Count batches that were sent at this time or later, Unix seconds.
        before: Count batches that were sent before this time.

    Raises:
        UsageError: A dimension is unknown.
    """
    chosen = check_dimensions(by)
    entries = [e for e in history.ledger.entries(since, before) if e.kind != "released"]
    jobs = {job.id: job for job in history.jobs.list(search="")}
    tags = history.ledger.tags_of_deleted_jobs()
    tags.update((job.id, job.tags) for job in jobs.values())
    names = {job.id: f"{job.name} ({job.id})" for job in jobs.values()}
    values: Mapping[str, Callable[[LedgerEntry], Sequence[str]]] = {
        "month": lambda entry: (month_of(entry.spent_at),),
        "account": lambda entry: (entry.account,),
        "provider": lambda entry: (entry.provider,),
        "model": lambda entry: (entry.model,),
        "tag": lambda entry: tags.get(entry.job) or ("",),
        "job": lambda entry: (names.get(entry.job, f"deleted ({entry.job})"),),
    }
    sums: dict[tuple[tuple[str, ...], str], _Sums] = {}
    totals: dict[str, _Sums] = {}
    for entry in entries:
        keys: list[tuple[str, ...]] = [()]
        for name in chosen:
            keys = [(*key, value) for key in keys for value in values[name](entry)]
        for key in keys:
            sums.setdefault((key, entry.currency), _Sums()).add(entry)
        totals.setdefault(entry.currency, _Sums()).add(entry)
    groups = [each.group(key, currency) for (key, currency), each in sums.items()]
    return SpentReport(
        by=chosen,
        groups=tuple(_sorted(groups, chosen)),
        totals=tuple(each.group((), currency) for currency, each in sorted(totals.items())),
    )


def sum_text(amounts: KnownSum, currency: str) -> str:
    """A sum as text: ``$4.10``, ``-$0.20``, ``$4.10*`` if some amounts are not known.

    ``-`` if none is known; empty if there is nothing to sum up.
    """
    if amounts.amount is None:
        return UNKNOWN
    if not amounts.amount and not amounts.unknown:
        return ""
    sign = "-" if amounts.amount < 0 else ""
    return f"{sign}{money(abs(amounts.amount), currency)}{'*' if amounts.unknown else ''}"


def unknown_text(group: SpentGroup) -> str:
    """Which amounts of a group are not known, as a sentence; empty if all are."""
    parts = {
        "the cost": max(group.billed.unknown, group.reserved.unknown),
        "the estimate": group.estimated.unknown,
        "what the batch saved": group.saved_by_batch.unknown,
        "what caches saved": group.saved_by_cache.unknown,
        "what reused answers saved": group.saved_by_reuse.unknown,
    }
    words = [f"{what} of {counted(n, 'job')}" for what, n in parts.items() if n]
    return f"* Not known, and not counted: {', '.join(words)}." if words else ""


def month_of(at: float) -> str:
    """The calendar month (UTC) of a time in Unix seconds, as ``2026-11``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m")


class _KnownSums:
    def __init__(self) -> None:
        self.amount = 0.0
        self.known = 0
        self.unknown: set[str] = set()

    def add(self, job: str, amount: float | None) -> None:
        if amount is None:
            self.unknown.add(job)
        else:
            self.amount += amount
            self.known += 1

    def result(self) -> KnownSum:
        nothing_known = self.unknown and not self.known
        return KnownSum(None if nothing_known else self.amount, len(self.unknown))


class _Sums:
    def __init__(self) -> None:
        self.jobs: set[str] = set()
        self.rows = 0
        self.estimated, self.billed, self.reserved = _KnownSums(), _KnownSums(), _KnownSums()
        self.by_batch, self.by_cache, self.by_reuse = _KnownSums(), _KnownSums(), _KnownSums()

    def add(self, entry: LedgerEntry) -> None:
        self.jobs.add(entry.job)
        self.rows += entry.rows
        self.estimated.add(entry.job, entry.estimated)
        if entry.kind != "billed":
            self.reserved.add(entry.job, entry.amount)
            return
        self.billed.add(entry.job, entry.amount)
        self.by_batch.add(entry.job, entry.saved_by_batch)
        self.by_cache.add(entry.job, entry.saved_by_cache)
        self.by_reuse.add(entry.job, entry.saved_by_reuse)

    def group(self, keys: tuple[str, ...], currency: str) -> SpentGroup:
        return SpentGroup(
            keys=keys,
            currency=currency,
            jobs=len(self.jobs),
            rows=self.rows,
            estimated=self.estimated.result(),
            billed=self.billed.result(),
            reserved=self.reserved.result(),
            saved_by_batch=self.by_batch.result(),
            saved_by_cache=self.by_cache.result(),
            saved_by_reuse=self.by_reuse.result(),
        )


def _sorted(groups: Iterable[SpentGroup], by: tuple[str, ...]) -> list[SpentGroup]:
    """Months from the newest on; all else by what it cost, then by name."""
    found = sorted(groups, key=lambda group: (group.keys, group.currency))
    spent: dict[tuple[str, ...], float] = {}
    for group in found:
        for depth in range(1, len(by) + 1):
            spent[group.keys[:depth]] = spent.get(group.keys[:depth], 0.0) + group.spent

    def order(group: SpentGroup) -> tuple[tuple[float, str], ...]:
        # A month as a number, so that the newest is first.
        return tuple(
            (-float(key.replace("-", "")), "") if name == "month" else (-spent[prefix], key)
            for depth, (name, key) in enumerate(zip(by, group.keys, strict=True), start=1)
            for prefix in (group.keys[:depth],)
        )

    return sorted(found, key=order)
