"""Costs and tokens in the history: estimates, actual costs, and usage of past jobs."""

from __future__ import annotations

import sqlite3

import msgspec

from tui.core.retry_rules import MAY_BE_PAID
from tui.core.rows import OUTCOME_CODES, Outcome
from tui.store.database import Database, maps_sqlite_errors, records
from tui.store.job_records import job_pk

_ANSWERED = ",".join(
    str(OUTCOME_CODES[o]) for o in (Outcome.SUCCEEDED, Outcome.TRUNCATED, Outcome.REFUSED)
)
_WITH_TEXT = ",".join(str(OUTCOME_CODES[o]) for o in (Outcome.SUCCEEDED, Outcome.TRUNCATED))
_COLUMNS = (
    "job, seq, batch, model, outcome, input_tokens, output_tokens, cached_tokens, cost,"
    " cache_writes, long_writes, tier, error_group"
)
_EVERY_ATTEMPT = (
    f"(SELECT {_COLUMNS} FROM results WHERE job=:job UNION ALL"
    f" SELECT {_COLUMNS} FROM attempts WHERE job=:job)"
)
_TOKENS = ", ".join(
    f"CAST(total(r.{name}) AS INTEGER) AS {name}"
    for name in ("input_tokens", "output_tokens", "cached_tokens", "cache_writes", "long_writes")
)
_IS_SENT = (
    "b.reuses=0 AND (b.repeats=0 OR r.seq NOT IN (SELECT seq FROM repeats p WHERE p.batch=b.pk))"
)
"""Repeats share what was paid for once, and reused answers were paid for elsewhere."""

_SAMPLED_ROWS = 2000
"""Rows sampled from the start of a past job to learn how long its answers are."""

_PAST_JOBS = 20


class RowPrices(msgspec.Struct, frozen=True, kw_only=True):
    """Prices per million tokens of rows, in tiers by the length of the prompt.

    Each tier has the number of prompt tokens above which it applies, and the prices of input,
    output, cached input, input written to a cache, and input written for an hour.
    """

    tiers: tuple[tuple[int, float, float, float, float, float], ...]


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens and cost of the rows of one batch with one model and tier, over all attempts.

    ``model`` is the name that the provider reported, ``tier`` the service tier, if it has prices
    of its own. ``answered`` counts rows with an answer;
    ``with_input``, ``with_output`` and ``with_cost`` count rows whose input tokens, output
    tokens or cost are known, ``with_cached`` those that say how many were read from a cache.
    """

    batch_id: str
    batch_pk: int
    model: str | None
    model_pk: int | None
    tier: str | None
    answered: int
    with_input: int
    with_output: int
    with_cost: int
    with_cached: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_writes: int
    long_writes: int
    cost: float


class PastJob(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of the first rows of an earlier job, by the model that the provider reported.

    ``models`` maps each name to: rows with output tokens, their sum, rows with input tokens,
    their sum. ``guessed`` is the estimated number of input tokens of the whole job.
    """

    model: str
    rows: int
    guessed: int | None
    models: dict[str, tuple[int, int, int, int]]


_OF_USAGE = "job=:job AND batch=:batch AND model IS :model AND tier IS :tier"
_BILLED_TOKENS = (
    "max(input_tokens - ifnull(cached_tokens, 0) - ifnull(cache_writes, 0)"
    " - ifnull(long_writes, 0), 0)",
    "ifnull(output_tokens, 0)",
    "ifnull(cached_tokens, 0)",
    "ifnull(cache_writes, 0)",
    "ifnull(long_writes, 0)",
)
"""The tokens of a row that have prices of their own, in the order of ``RowPrices``."""


def _amount(prices: RowPrices) -> str:
    """An SQL expression: a million times what a row costs."""
    amounts = [
        (
            start,
            " + ".join(
                f"{count} * {price!r}" for count, price in zip(_BILLED_TOKENS, each, strict=True)
            ),
        )
        for start, *each in prices.tiers
    ]
    amount = f"({amounts[0][1]})"
    for start, words in amounts[1:]:
        amount = f"(CASE WHEN input_tokens > {int(start)} THEN {words} ELSE {amount} END)"
    return amount


@maps_sqlite_errors
class StoredCosts:
    """Costs and tokens of jobs; ``history.costs``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set_estimate(self, job_id: str, amount: float | None, currency: str) -> None:
        """Store the estimated cost of a job."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE jobs SET cost_estimated=?, currency=? WHERE id=?",
                (amount, currency, job_id),
            )

    def set_actual(self, job_id: str, amount: float | None, currency: str) -> None:
        """Store the actual cost of a job."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE jobs SET cost_actual=?, currency=? WHERE id=?", (amount, currency, job_id)
            )

    def usage(self, job_id: str) -> list[Usage]:
        """Usage of a job by batch and model; reads every row, so call it in a thread."""
        rows = records(
            self._database.read,
            "SELECT b.id AS batch_id, b.pk AS batch_pk, t.text AS model, r.model AS model_pk,"
            " r.tier AS tier,"
            f" sum(r.outcome IN ({_ANSWERED})) AS answered, count(r.input_tokens) AS with_input,"
            " count(r.output_tokens) AS with_output, count(r.cost) AS with_cost,"
            " count(r.cached_tokens) AS with_cached, total(r.cost) AS cost,"
            f" {_TOKENS} FROM {_EVERY_ATTEMPT} r JOIN batches b ON b.pk=r.batch"
            " LEFT JOIN terms t ON t.pk=r.model"
            f" WHERE {_IS_SENT} GROUP BY b.pk, r.model, r.tier",
            {"job": job_pk(self._database.read, job_id)},
        )
        return [Usage(**row) for row in rows]

    def lost_rows(self, job_id: str) -> dict[str, int]:
        """How many rows of each batch may have been answered, and billed, without a trace.

        Batches without such rows are left out.
        """
        codes = sorted(MAY_BE_PAID)
        with_code = (
            "SELECT g.pk FROM error_groups g"
            f" WHERE g.job=:job AND g.code IN ({', '.join(map(repr, codes))})"
        )
        rows = self._database.read.execute(
            f"SELECT b.id, count(*) FROM {_EVERY_ATTEMPT} r JOIN batches b ON b.pk=r.batch"
            f" WHERE (r.outcome={OUTCOME_CODES[Outcome.MISSING]} OR r.error_group IN ({with_code}))"
            f" AND {_IS_SENT} GROUP BY b.pk",
            {"job": job_pk(self._database.read, job_id)},
        )
        return dict(rows.fetchall())

    def cost_of_shared(self, job_id: str) -> dict[str, float | None]:
        """What the repeats of each batch would have cost: the costs of the rows that were sent.

        Batches without repeats are left out; ``None`` if none of these rows has a cost.
        """
        rows = self._database.read.execute(
            "SELECT b.id, total(r.cost), count(r.cost) FROM batches b"
            " JOIN repeats p ON p.batch=b.pk"
            f" JOIN {_EVERY_ATTEMPT} r ON r.batch=p.batch AND r.seq=p.of_seq"
            " WHERE b.job=:job GROUP BY b.pk",
            {"job": job_pk(self._database.read, job_id)},
        )
        return {batch: cost if known else None for batch, cost, known in rows}

    def set_row_costs(self, job_id: str, usage: Usage, prices: RowPrices) -> float:
        """Compute and store the cost of the rows of a ``Usage`` that have none.

        Returns:
            The cost of all rows of the ``Usage``.
        """
        with self._database.write() as connection:
            values = self._keys(connection, job_id, usage)
            total = 0.0
            for table in ("results", "attempts"):
                connection.execute(
                    f"UPDATE {table} SET cost={_amount(prices)} / 1e6"
                    f" WHERE {_OF_USAGE} AND cost IS NULL AND input_tokens IS NOT NULL",
                    values,
                )
                (found,) = connection.execute(
                    f"SELECT total(cost) FROM {table} WHERE {_OF_USAGE}", values
                ).fetchone()
                total += found
        return total

    def price_rows(self, job_id: str, usage: Usage, prices: RowPrices) -> float:
        """What the rows of a ``Usage`` cost at some prices; nothing is stored."""
        values = self._keys(self._database.read, job_id, usage)
        (total,) = self._database.read.execute(
            f"SELECT total({_amount(prices)}) / 1e6 FROM {_EVERY_ATTEMPT}"
            f" WHERE {_OF_USAGE} AND input_tokens IS NOT NULL",
            values,
        ).fetchone()
        return float(total)

    @staticmethod
    def _keys(connection: sqlite3.Connection, job_id: str, usage: Usage) -> dict[str, object]:
        return {
            "job": job_pk(connection, job_id),
            "batch": usage.batch_pk,
            "model": usage.model_pk,
            "tier": usage.tier,
        }

    def share_among_rows(self, job_id: str, batch_pk: int, amount: float) -> None:
        """Share what a provider billed for a batch among its rows.

        The shares are those of the costs of the rows, or of their tokens if they have no cost.
        """
        tokens = "ifnull(input_tokens, 0) + ifnull(output_tokens, 0)"
        with self._database.write() as connection:
            values = {"job": job_pk(connection, job_id), "batch": batch_pk, "amount": amount}
            (costs, weight) = connection.execute(
                f"SELECT total(cost), total({tokens}) FROM {_EVERY_ATTEMPT} WHERE batch=:batch",
                values,
            ).fetchone()
            share = f"cost * :amount / {costs!r}" if costs else f"({tokens}) * :amount / {weight!r}"
            if not costs and not weight:
                return
            for table in ("results", "attempts"):
                connection.execute(
                    f"UPDATE {table} SET cost={share} WHERE job=:job AND batch=:batch"
                    f" AND ({tokens}) > 0",
                    values,
                )

    def past_jobs(self, account: str) -> list[PastJob]:
        """The newest jobs of an account that have answers; fast for a history of any size."""
        jobs = self._database.read.execute(
            "SELECT pk, model, total, input_tokens FROM jobs"
            " WHERE account=? AND submitted_at IS NOT NULL ORDER BY created_at DESC LIMIT ?",
            (account, _PAST_JOBS),
        ).fetchall()
        past: list[PastJob] = []
        for pk, model, total, guessed in jobs:
            rows = self._database.read.execute(
                "SELECT t.text, count(r.output_tokens), total(r.output_tokens),"
                " count(r.input_tokens), total(r.input_tokens) FROM results r"
                " LEFT JOIN terms t ON t.pk=r.model"
                f" WHERE r.job=? AND r.seq<? AND r.outcome IN ({_WITH_TEXT}) GROUP BY r.model",
                (pk, _SAMPLED_ROWS),
            )
            models = {
                name or "": (outs, round(out_sum), ins, round(in_sum))
                for name, outs, out_sum, ins, in_sum in rows
            }
            if models:
                past.append(PastJob(model=model, rows=total, guessed=guessed, models=models))
        return past
