"""Money and tokens in the history: what was thought, what was billed, what past answers took."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from tui.core.outcome import OUTCOME_CODES, Outcome
from tui.store.database import Database
from tui.store.jobs import job_pk

_ANSWERED = ",".join(
    str(OUTCOME_CODES[o]) for o in (Outcome.SUCCEEDED, Outcome.TRUNCATED, Outcome.REFUSED)
)
_FULL = ",".join(str(OUTCOME_CODES[o]) for o in (Outcome.SUCCEEDED, Outcome.TRUNCATED))
_COLUMNS = "job, batch, model, outcome, input_tokens, output_tokens, cached_tokens, cost"
_EVERY_ATTEMPT = (
    f"(SELECT {_COLUMNS} FROM results WHERE job=:job UNION ALL"
    f" SELECT {_COLUMNS} FROM attempts WHERE job=:job)"
)
_LOOKED_AT = 2000
"""Rows of a past job that are enough to know how long its answers are."""

_PAST_JOBS = 20


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of one batch with one model took, every attempt counted.

    ``model`` is the name that the provider gave. ``answered`` are rows with an answer;
    ``with_input``, ``with_output`` and ``with_cost`` are rows of which the figure is known.
    """

    batch_id: str
    batch_pk: int
    model: str | None
    model_pk: int | None
    answered: int
    with_input: int
    with_output: int
    with_cost: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: float


class PastJob(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of the first rows of an earlier job, by the model that the provider named.

    ``models`` holds for each name: rows with output tokens, their sum, rows with input
    tokens, their sum. ``guessed`` is the estimate that the job's whole input was given.
    """

    model: str
    rows: int
    guessed: int | None
    models: dict[str, tuple[int, int, int, int]]


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """What the jobs of a time cost in one currency, and how many have no known cost in it."""

    amount: float
    currency: str
    unknown: int


def store_estimate(database: Database, job_id: str, amount: float | None, currency: str) -> None:
    """Keep what a job is thought to cost."""
    with database.write() as connection:
        connection.execute(
            "UPDATE jobs SET cost_estimated=?, currency=? WHERE id=?", (amount, currency, job_id)
        )


def store_actual(database: Database, job_id: str, amount: float | None, currency: str) -> None:
    """Keep what a job has cost."""
    with database.write() as connection:
        connection.execute(
            "UPDATE jobs SET cost_actual=?, currency=? WHERE id=?", (amount, currency, job_id)
        )


def read_usage(connection: sqlite3.Connection, job_id: str) -> list[Usage]:
    """What a job took, by batch and model; looks at every row, so call it in a thread."""
    rows = connection.execute(
        "SELECT b.id, b.pk, t.text, r.model,"
        f" sum(r.outcome IN ({_ANSWERED})), count(r.input_tokens), count(r.output_tokens),"
        " count(r.cost), total(r.input_tokens), total(r.output_tokens), total(r.cached_tokens),"
        f" total(r.cost) FROM {_EVERY_ATTEMPT} r JOIN batches b ON b.pk=r.batch"
        " LEFT JOIN terms t ON t.pk=r.model GROUP BY b.pk, r.model",
        {"job": job_pk(connection, job_id)},
    )
    return [
        Usage(
            batch_id=row[0],
            batch_pk=row[1],
            model=row[2],
            model_pk=row[3],
            answered=row[4],
            with_input=row[5],
            with_output=row[6],
            with_cost=row[7],
            input_tokens=round(row[8]),
            output_tokens=round(row[9]),
            cached_tokens=round(row[10]),
            cost=row[11],
        )
        for row in rows
    ]


def read_tiers(
    connection: sqlite3.Connection, job_id: str, usage: Usage, starts: Sequence[int]
) -> list[tuple[int, int, int, int]]:
    """The same tokens by the length of the prompt.

    Args:
        connection: For reading.
        job_id: The job.
        usage: Which of its rows.
        starts: Tokens above which each tier begins, the first tier left out.

    Returns:
        Number of the tier, input, output and cached tokens.
    """
    tier = " + ".join(f"(ifnull(input_tokens, 0) > {int(start)})" for start in starts) or "0"
    rows = connection.execute(
        f"SELECT {tier} AS tier, total(input_tokens), total(output_tokens), total(cached_tokens)"
        f" FROM {_EVERY_ATTEMPT} WHERE batch=:batch AND model IS :model GROUP BY tier",
        {"job": job_pk(connection, job_id), "batch": usage.batch_pk, "model": usage.model_pk},
    )
    return [(row[0], round(row[1]), round(row[2]), round(row[3])) for row in rows]


def read_past(connection: sqlite3.Connection, account: str) -> list[PastJob]:
    """The newest jobs of an account with answers; cheap, whatever the size of the history."""
    jobs = connection.execute(
        "SELECT pk, model, total, input_tokens FROM jobs"
        " WHERE account=? AND submitted_at IS NOT NULL ORDER BY created_at DESC LIMIT ?",
        (account, _PAST_JOBS),
    ).fetchall()
    past: list[PastJob] = []
    for pk, model, total, guessed in jobs:
        rows = connection.execute(
            "SELECT t.text, count(r.output_tokens), total(r.output_tokens),"
            " count(r.input_tokens), total(r.input_tokens) FROM results r"
            " LEFT JOIN terms t ON t.pk=r.model"
            f" WHERE r.job=? AND r.seq<? AND r.outcome IN ({_FULL}) GROUP BY r.model",
            (pk, _LOOKED_AT),
        )
        models = {
            name or "": (outs, round(out_sum), ins, round(in_sum))
            for name, outs, out_sum, ins, in_sum in rows
        }
        if models:
            past.append(PastJob(model=model, rows=total, guessed=guessed, models=models))
    return past


def read_spending(
    connection: sqlite3.Connection,
    since: float,
    currency: str,
    *,
    free: str,
    without: str = "",
) -> Spending:
    """What jobs that were sent since a moment cost: what was billed, else what was thought.

    While a job runs the larger of both counts.

    Args:
        connection: For reading.
        since: Unix seconds.
        currency: The one to sum in; a job that is paid in another one counts as unknown.
        free: The provider whose jobs cost nothing.
        without: The id of a job to leave out.
    """
    rows = connection.execute(
        "SELECT j.cost_actual, j.cost_estimated, j.currency, EXISTS (SELECT 1 FROM batches b"
        "   WHERE b.job=j.pk AND b.ended_at IS NULL) FROM jobs j"
        " WHERE coalesce(j.submitted_at, j.created_at)>=? AND j.provider<>? AND j.id<>?"
        " AND EXISTS (SELECT 1 FROM batches b WHERE b.job=j.pk"
        "   AND b.submission NOT IN ('draft', 'refused'))",
        (since, free, without),
    )
    amount = 0.0
    unknown = 0
    for actual, estimated, paid_in, runs in rows:
        known = [figure for figure in (actual, estimated) if figure is not None]
        if not known or paid_in != currency:
            unknown += 1
        else:
            amount += max(known) if runs else known[0]
    return Spending(amount=amount, currency=currency, unknown=unknown)
