"""From conditions and an order to the SQL that finds sequence numbers."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from tui.core.filtering import ANY, RowFilter, RowSort, Span
from tui.core.outcome import ANSWERED, OUTCOME_CODES, Outcome
from tui.store.groups import NO_STATUS, ids_of_keys

_ANSWERED = ",".join(str(OUTCOME_CODES[outcome]) for outcome in sorted(ANSWERED))

LENGTH = (
    f"CASE WHEN r.outcome IN ({_ANSWERED}) THEN coalesce(r.chars,"
    " CASE WHEN length(r.preview)<160 THEN length(r.preview) END) END"
)
"""Characters of the answer; rows of an older schema know it when the preview holds all of it."""

_TOKENS = (
    "CASE WHEN r.input_tokens IS NOT NULL OR r.output_tokens IS NOT NULL"
    " THEN coalesce(r.input_tokens, 0)+coalesce(r.output_tokens, 0) END"
)
_ATTEMPT = "coalesce(r.attempt, 1)"

_SORTS: dict[str, tuple[str, ...]] = {
    "custom_id": ("q.custom_id",),
    "outcome": ("coalesce(r.outcome, 0)",),
    "status": ("r.http_status",),
    "code": ("coalesce(g.code, '')", "coalesce(g.http_status, 0)"),
    "attempt": (_ATTEMPT,),
    "input_tokens": ("r.input_tokens",),
    "output_tokens": ("r.output_tokens",),
    "finish": ("(SELECT text FROM terms WHERE pk=r.finish)",),
    "model": ("(SELECT text FROM terms WHERE pk=r.model)",),
    "cost": ("r.cost",),
    "length": (LENGTH,),
}

_ENDED_BADLY = frozenset(OUTCOME_CODES) - {Outcome.PENDING, Outcome.SUCCEEDED}


@dataclass
class _Where:
    """Conditions, their values, and which tables they need."""

    parts: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    needs_groups: bool = False
    needs_ids: bool = False
    results_only: bool = False
    badly_ended_only: bool = False

    def among(self, column: str, name: str, words: frozenset[str]) -> str:
        """The condition that a column holds one of some words."""
        names = []
        for index, word in enumerate(sorted(words)):
            self.values[f"{name}{index}"] = word
            names.append(f":{name}{index}")
        return f"{column} IN ({','.join(names)})"

    def within(self, expression: str, name: str, span: Span) -> None:
        """The condition that a number lies in a span; one that is not known does not."""
        if span == ANY:
            return
        for sign, bound in ((">=", span.least), ("<=", span.most)):
            if bound is not None:
                key = f"{name}{'0' if sign == '>=' else '1'}"
                self.parts.append(f"{expression}{sign}:{key}")
                self.values[key] = bound


def needs_sql(rows: RowFilter, order: RowSort) -> bool:
    """Must the database be asked, or are these simply all rows in the order of the input?"""
    bare = RowFilter(text=rows.text, texts=rows.texts, checks=rows.checks)
    return rows != bare or order.column != "seq"


def query_of(
    connection: sqlite3.Connection,
    job_pk: int,
    rows: RowFilter,
    order: RowSort,
    *,
    all_ended: bool = False,
) -> tuple[str, dict[str, Any]]:
    """The statement that gives the sequence numbers in order, and its values.

    Texts and checks are not part of it: they look into the files.

    Args:
        connection: For reading; the keys of groups are looked up.
        job_pk: The job.
        rows: The conditions.
        order: The order.
        all_ended: Every row has a result, so that the results name them all.
    """
    where = _conditions(connection, job_pk, rows)
    keys = _SORTS.get(order.column, ())
    if all_ended and not where.needs_ids and order.column != "custom_id":
        # A third of the time of a sort is the way from each request to its result.
        where.results_only = True
    if where.badly_ended_only:
        # `outcome > 1` word for word is what lets SQLite use the partial index; left to
        # itself it reads all rows of the job.
        source, seq = "results r INDEXED BY results_to_look_at", "r.seq"
        where.parts.insert(0, "r.job=:job AND r.outcome>1")
    elif where.results_only:
        source, seq = "results r", "r.seq"
        where.parts.insert(0, "r.job=:job")
    else:
        source, seq = "requests q LEFT JOIN results r ON r.job=q.job AND r.seq=q.seq", "q.seq"
        where.parts.insert(0, "q.job=:job")
    if seq == "r.seq" and (where.needs_ids or order.column == "custom_id"):
        source += " JOIN requests q ON q.job=r.job AND q.seq=r.seq"
    if where.needs_groups or order.column == "code":
        source += " LEFT JOIN error_groups g ON g.pk=r.error_group"
    down = " DESC" if order.descending else ""
    by = ", ".join([*(f"{key}{down}" for key in keys), seq + (down if not keys else "")])
    text = f"SELECT {seq} FROM {source} WHERE {' AND '.join(where.parts)} ORDER BY {by}"
    return text, where.values | {"job": job_pk}


def _conditions(connection: sqlite3.Connection, job_pk: int, rows: RowFilter) -> _Where:
    where = _Where()
    if rows.outcomes:
        codes = ",".join(str(OUTCOME_CODES[outcome]) for outcome in sorted(rows.outcomes))
        where.parts.append(f"coalesce(r.outcome, 0) IN ({codes})")
        where.badly_ended_only = rows.outcomes <= _ENDED_BADLY
        where.results_only = Outcome.PENDING not in rows.outcomes
    if rows.error_group is not None:
        where.parts.append(_in_groups(where, [rows.error_group]))
    if rows.groups:
        where.parts.append(_in_groups(where, ids_of_keys(connection, job_pk, rows.groups)))
    codes_wanted = [frozenset({rows.code})] if rows.code else []
    if rows.codes:
        codes_wanted.append(rows.codes)
    for number, wanted in enumerate(codes_wanted):
        code = where.among("g.code", f"code{number}_", wanted)
        status = where.among("CAST(g.http_status AS TEXT)", f"code{number}_", wanted)
        where.parts.append(f"({code} OR (g.http_status<>:none AND {status}))")
        where.values["none"] = NO_STATUS
        where.needs_groups = where.badly_ended_only = True
    for column, name, words in (("finish", "finish", rows.finish), ("model", "model", rows.models)):
        if words:
            among = where.among("text", name, words)
            where.parts.append(f"r.{column} IN (SELECT pk FROM terms WHERE {among})")
            where.results_only = True
    spans = {
        "input_tokens": ("r.input_tokens", rows.input_tokens),
        "output_tokens": ("r.output_tokens", rows.output_tokens),
        "tokens": (_TOKENS, rows.tokens),
        "length": (LENGTH, rows.length),
        "cost": ("r.cost", rows.cost),
    }
    for name, (expression, span) in spans.items():
        where.within(f"({expression})", name, span)
        where.results_only = where.results_only or span != ANY
    where.within(_ATTEMPT, "attempt", rows.attempt)
    if rows.custom_id:
        where.needs_ids = True
        pattern = any(sign in rows.custom_id for sign in "*?")
        where.parts.append("q.custom_id GLOB :id" if pattern else "instr(q.custom_id, :id)>0")
        where.values["id"] = rows.custom_id.replace("[", "[[]") if pattern else rows.custom_id
    return where


def _in_groups(where: _Where, ids: list[int]) -> str:
    """Rows of some groups; a negative id stands for the rows of an outcome without an error."""
    where.badly_ended_only = True
    real = ",".join(str(number) for number in ids if number >= 0)
    silent = ",".join(str(-number) for number in ids if number < 0)
    parts = [f"r.error_group IN ({real})"] if real or not silent else []
    if silent:
        parts.append(f"(r.error_group IS NULL AND r.outcome IN ({silent}))")
    return f"({' OR '.join(parts)})"
