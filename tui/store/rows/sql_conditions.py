"""Select rows by what SQL can answer: a row filter and a sort order as one statement."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tui.core.analysis.number_range import ANY, NumberRange
from tui.core.query import RowFilter, RowSort
from tui.core.reviews.review import ANY as REVIEWED
from tui.core.reviews.review import CORRECTED, DISAGREE, EARLIER, NONE, NOTED
from tui.core.rows import ANSWERED, OUTCOME_CODES, Outcome
from tui.progress import NO_PROGRESS, Progress
from tui.store.job_records import JobData
from tui.store.reviews.index import CURRENT
from tui.store.rows.error_groups import NO_STATUS, group_ids

_ANSWERED = ",".join(str(OUTCOME_CODES[outcome]) for outcome in sorted(ANSWERED))

ANSWER_LENGTH = (
    f"CASE WHEN r.outcome IN ({_ANSWERED}) THEN coalesce(r.chars,"
    " CASE WHEN length(r.preview)<160 THEN length(r.preview) END) END"
)
"""Characters of the answer; for rows of an older schema known only if the preview is complete."""

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
    "length": (ANSWER_LENGTH,),
}

_ENDED_BADLY = frozenset(OUTCOME_CODES) - {Outcome.PENDING, Outcome.SUCCEEDED}


_STEPS_PER_STOP = 20_000
"""SQLite virtual machine steps between two looks at ``progress.stopped``: about 1 ms."""


@dataclass
class _Where:
    """SQL conditions, their values, and which tables they need."""

    parts: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    needs_groups: bool = False
    needs_ids: bool = False
    results_only: bool = False
    badly_ended_only: bool = False
    reviews: str = ""
    """A condition on the row number, without its left side."""

    def among(self, column: str, name: str, words: frozenset[str]) -> str:
        """The condition that a column has one of some values."""
        names = []
        for index, word in enumerate(sorted(words)):
            self.values[f"{name}{index}"] = word
            names.append(f":{name}{index}")
        return f"{column} IN ({','.join(names)})"

    def within(self, expression: str, name: str, span: NumberRange) -> None:
        """Add the condition that a number lies in a range; unknown numbers do not match."""
        if span == ANY:
            return
        for sign, bound in ((">=", span.least), ("<=", span.most)):
            if bound is not None:
                key = f"{name}{'0' if sign == '>=' else '1'}"
                self.parts.append(f"{expression}{sign}:{key}")
                self.values[key] = bound


def select_by_sql(
    data: JobData, rows: RowFilter, order: RowSort, progress: Progress = NO_PROGRESS
) -> Sequence[int]:
    """Row numbers, in order, that fulfil what SQL can answer of a filter.

    Texts, answer checks and conditions on columns are left out.

    Args:
        data: The job.
        rows: The filter.
        order: The sort order.
        progress: Can stop the query; then no row or a part of them is returned.
    """
    total = data.job.counts.total
    bare = RowFilter(
        text=rows.text,
        texts=rows.texts,
        checks=rows.checks,
        columns=rows.columns,
        differs=rows.differs,
    )
    if rows == bare and order.column == "seq":
        return range(total - 1, -1, -1) if order.descending else range(total)
    connection = data.connection
    all_ended = data.job.counts.pending == 0
    sql, values = build_query(connection, data.pk, rows, order, all_ended=all_ended)
    seqs = array("q")
    connection.set_progress_handler(lambda: int(progress.stopped), _STEPS_PER_STOP)
    try:
        seqs.extend(row[0] for row in connection.execute(sql, values))
    except sqlite3.OperationalError:
        if not progress.stopped:
            raise
    finally:
        connection.set_progress_handler(None, 0)
    return seqs


def build_query(
    connection: sqlite3.Connection,
    job_pk: int,
    rows: RowFilter,
    order: RowSort,
    *,
    all_ended: bool = False,
) -> tuple[str, dict[str, Any]]:
    """Build the statement that selects row numbers in order.

    Texts, answer checks and columns are not part of it: they need the files.

    Args:
        connection: For reading; keys of error groups are looked up.
        job_pk: The job.
        rows: The filter.
        order: The sort order.
        all_ended: Every row has a result, so the table ``requests`` is not needed.

    Returns:
        The SQL text, and its values by name.
    """
    where = _conditions(connection, job_pk, rows)
    keys = _SORTS.get(order.column, ())
    if all_ended and not where.needs_ids and order.column != "custom_id":
        # Joining each request with its result takes a third of the time of a sort.
        where.results_only = True
    if where.badly_ended_only:
        # SQLite can use the partial index only with its literal condition `outcome > 1`;
        # otherwise it reads all rows of the job.
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
    if where.reviews:
        where.parts.append(where.reviews.replace(_SEQ, seq))
    if where.needs_groups or order.column == "code":
        source += " LEFT JOIN error_groups g ON g.pk=r.error_group"
    direction = " DESC" if order.descending else ""
    ordering = ", ".join(
        [*(f"{key}{direction}" for key in keys), seq + (direction if not keys else "")]
    )
    text = f"SELECT {seq} FROM {source} WHERE {' AND '.join(where.parts)} ORDER BY {ordering}"
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
        where.parts.append(_in_groups(where, group_ids(connection, job_pk, rows.groups)))
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
        "length": (ANSWER_LENGTH, rows.length),
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
    if rows.reviews or rows.reviewers:
        where.reviews = _in_reviews(where, rows)
    return where


_SEQ = "{seq}"
"""Stands for the row number of the statement that is built."""

_STATES = {
    REVIEWED: "AND v.label IS NOT NULL",
    CORRECTED: "AND v.corrected",
    NOTED: "AND v.noted",
    DISAGREE: (
        f"AND v.label IS NOT NULL AND v.seq IN (SELECT v.seq FROM {CURRENT}"
        " GROUP BY v.seq HAVING count(DISTINCT v.label)>1)"
    ),
}
"""The condition on a review for each state of a row that has one."""


def _in_reviews(where: _Where, rows: RowFilter) -> str:
    """The condition for rows by what reviewers said about the answers that are shown."""
    by = ""
    if rows.reviewers:
        names = where.among("fold(text)", "reviewer", rows.reviewers)
        by = f" AND v.reviewer IN (SELECT pk FROM terms WHERE {names})"
    current = f"SELECT v.seq FROM {CURRENT}{by}"
    wanted = rows.reviews or {REVIEWED}
    parts = [f"{_SEQ} IN ({current} {_STATES[word]})" for word in sorted(wanted & _STATES.keys())]
    labelled = f"{current} {_STATES[REVIEWED]}"
    if NONE in wanted:
        parts.append(f"{_SEQ} NOT IN ({labelled})")
    if EARLIER in wanted:
        earlier = f"SELECT v.seq FROM reviews v WHERE v.job=:job AND v.label IS NOT NULL{by}"
        parts.append(f"({_SEQ} IN ({earlier}) AND {_SEQ} NOT IN ({labelled}))")
    if labels := wanted - _STATES.keys() - {NONE, EARLIER}:
        among = where.among("fold(text)", "label", frozenset(labels))
        parts.append(f"{_SEQ} IN ({current} AND v.label IN (SELECT pk FROM terms WHERE {among}))")
    return f"({' OR '.join(parts)})"


def _in_groups(where: _Where, ids: list[int]) -> str:
    """The condition for rows of error groups; a negative id means an outcome without an error."""
    where.badly_ended_only = True
    error_ids = ",".join(str(number) for number in ids if number >= 0)
    outcome_codes = ",".join(str(-number) for number in ids if number < 0)
    parts = [f"r.error_group IN ({error_ids})"] if error_ids or not outcome_codes else []
    if outcome_codes:
        parts.append(f"(r.error_group IS NULL AND r.outcome IN ({outcome_codes}))")
    return f"({' OR '.join(parts)})"
