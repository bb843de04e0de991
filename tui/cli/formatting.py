"""Jobs, batches, errors and costs as the cells of tables and pairs: colour and layout only.

The words are those of ``tui.core.formatting`` and ``tui.core.status_words``, which the dashboard
uses too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tui.cli.output import Cell, Colour, glyph
from tui.core import status_words
from tui.core.formatting import describe_cost, local_time, percent
from tui.core.text import one_line

if TYPE_CHECKING:
    from tui.compose.estimate import Estimate
    from tui.core.jobs import Batch, Counts, ErrorGroup, Job, TimelineEntry
    from tui.engine.accounts import AccountInfo


_COLOURS: dict[status_words.StatusTone, Colour] = {
    "muted": "dim",
    "live": "blue",
    "good": "green",
    "warn": "yellow",
    "bad": "red",
}


def status_cell(status: str, raw: str = "") -> Cell:
    """A status as sign and word, plus the provider's own word if that differs."""
    sign = status_words.STATUS_SIGNS[status]
    mark = glyph(sign.glyph, sign.ascii, sys.stdout)
    return Cell(f"{mark} {status_words.status_text(status, raw)}", _COLOURS[sign.tone])


def failed_cell(counts: Counts) -> Cell:
    """The number of failed rows, red if there are any."""
    return Cell(f"{counts.unanswered:,}", "red" if counts.unanswered else "dim")


def retention_fact(batches: Sequence[Batch], now: float) -> Cell | str:
    """Until when the provider keeps results; red if some are not downloaded and expire soon."""
    from tui.core.alerts import retention_text, retention_warning

    known = [batch for batch in batches if batch.results_expire_at is not None]
    if not known:
        return ""
    first = min(known, key=lambda batch: (batch.collected, batch.results_expire_at))
    until = first.results_expire_at or 0.0
    if flag := retention_warning(until, now, collected=first.collected):
        return Cell(flag, "red")
    return retention_text(until, now).removeprefix("results ")


def job_pairs(job: Job) -> dict[str, Cell | str]:
    """The main fields of a job, by label."""
    from tui.core.jobs import format_tags

    return {
        "job": Cell(job.id, "bold"),
        "name": job.name,
        "status": status_cell(job.status),
        "rows": f"{job.counts.total:,}: {status_words.counts_text(job.counts)}",
        "account": f"{job.account} ({job.provider})",
        "model": job.model,
        "endpoint": job.endpoint,
        "cost": describe_cost(job.cost),
        "deadline": status_words.deadline_text(job, time.time()),
        "created": local_time(job.created_at),
        "ended": local_time(job.ended_at),
        "ran": status_words.ran_text(job),
        "error": Cell(job.trouble, "red"),
        "tags": format_tags(job.tags),
        "note": one_line(job.note, 400),
        "experiment": job.experiment,
        "part": "" if job.sample is None else one_line(job.sample.text, 400),
    }


def batch_rows(batches: Sequence[Batch]) -> list[list[Cell | str]]:
    """The table rows for the batches of a job."""
    return [
        [
            f"{batch.attempt}.{batch.part}",
            status_cell(batch.status, batch.raw_status),
            status_words.batch_rows(batch),
            batch.provider_id or "",
            local_time(batch.submitted_at),
            local_time(batch.ended_at),
        ]
        for batch in batches
    ]


_MESSAGE_CELLS = 120
"""The width of a message in a table, also in a pipe; all of it is in the JSON document."""


def group_rows(groups: Sequence[ErrorGroup]) -> list[list[Cell | str]]:
    """The table rows for the error groups of a job."""
    return [
        [
            f"{group.count:,}",
            percent(group.share),
            Cell(group.kind.value, "yellow"),
            status_words.error_code_text(group),
            one_line(group.message, _MESSAGE_CELLS),
            group.example_custom_id,
            local_time(group.last_seen),
        ]
        for group in groups
    ]


def group_advice(groups: Sequence[ErrorGroup]) -> list[str]:
    """Advice for each kind of error that occurs, the most frequent first."""
    from tui.core.retry_rules import ADVICE

    return [f"{kind}: {ADVICE[kind]}" for kind in dict.fromkeys(group.kind for group in groups)]


def timeline_rows(entries: Sequence[TimelineEntry]) -> list[list[Cell | str]]:
    """The table rows for the timeline of a job."""
    return [[local_time(entry.at, seconds=True), entry.what] for entry in entries]


def cost_document(estimate: Estimate) -> dict[str, Any]:
    """The JSON document of an estimate; ``null`` means unknown."""
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(estimate)
    low, high, currency = (document.pop(key) for key in ("low", "high", "currency"))
    return {
        "low": low,
        "expected": estimate.expected,
        "high": high,
        "currency": currency,
        **document,
    }


def cost_pairs(estimate: Estimate, account: AccountInfo) -> dict[str, Cell | str]:
    """The fields of an estimate for an account, by label."""
    from tui.engine.costs.budget import cost_text

    low, high = estimate.output_tokens_low, estimate.output_tokens_high
    if high is None:
        answers = f"about {low:,}" if estimate.calibrated else "no upper bound"
    elif low == high:
        answers = f"about {low:,}" if low else ""
    else:
        answers = f"{low:,} to {high:,}"
    free = account.is_free
    cost = "free" if free else cost_text(estimate)
    return {
        "input tokens": f"{'' if estimate.exact_tokens else 'about '}{estimate.input_tokens:,}",
        "output tokens": answers,
        "cost": Cell(cost, "" if free or estimate.low is not None else "yellow"),
        "prices": "" if free else "; ".join(estimate.notes),
    }
