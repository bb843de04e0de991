"""Jobs, counts, sizes and times in words for a person."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from tui.cli.output import Cell, Colour, glyph
from tui.core.keeping import keeping_flag, keeping_words
from tui.core.money import money
from tui.core.tags import tag_words
from tui.core.text import one_line

if TYPE_CHECKING:
    from tui.core.counts import Counts
    from tui.core.jobs import Batch, Cost, ErrorGroup, Job, Strays, TimelineEntry

_STATUS_SIGNS: dict[str, tuple[str, str, Colour]] = {
    "draft": ("○", "o", "dim"),
    "submitting": ("↑", "^", "blue"),
    "validating": ("◔", "~", "blue"),
    "queued": ("◌", ".", "blue"),
    "in_progress": ("◑", "*", "blue"),
    "finalizing": ("◕", "~", "blue"),
    "completed": ("✓", "+", "green"),
    "failed": ("✗", "x", "red"),
    "expired": ("◷", "x", "yellow"),
    "cancelling": ("⊖", "-", "yellow"),
    "cancelled": ("⊘", "-", "yellow"),
    "unknown": ("?", "?", "yellow"),
}

_OUTCOMES = ("succeeded", "truncated", "refused", "failed", "expired", "cancelled", "missing")


def status_cell(status: str, raw: str = "") -> Cell:
    """A status as sign and word, with the provider's own word where it is another one."""
    sign, plain, colour = _STATUS_SIGNS[status]
    word = status.replace("_", " ")
    own = f" ({raw})" if raw and raw not in (status, word) else ""
    return Cell(f"{glyph(sign, plain, sys.stdout)} {word}{own}", colour)


def count_words(counts: Counts) -> str:
    """``2 succeeded, 1 failed`` and so on; outcomes that no row has are left out."""
    parts = [f"{n:,} {word}" for word in (*_OUTCOMES, "pending") if (n := getattr(counts, word))]
    return ", ".join(parts) or "no rows"


def rows_cell(counts: Counts) -> Cell:
    """How many rows have ended, of how many."""
    return Cell(f"{counts.ended:,}/{counts.total:,}")


def trouble_cell(counts: Counts) -> Cell:
    """How many rows ended without an answer."""
    return Cell(f"{counts.unanswered:,}", "red") if counts.unanswered else Cell("0", "dim")


def plural(number: int, noun: str) -> str:
    """``1 row``, ``3 rows``, ``1,204 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size_words(size: int) -> str:
    """A size in bytes as a person says it; units of a thousand, as disks and providers count."""
    value = float(size)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def duration_words(seconds: float) -> str:
    """``45 s``, ``3 min``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def moment_words(seconds: float | None) -> str:
    """A Unix time as date and time in the person's time zone; empty for none."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def _second_words(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def cost_words(cost: Cost) -> str:
    """What the job cost, or is thought to cost; empty where nobody knows."""
    if cost.actual is not None:
        return money(cost.actual, cost.currency)
    told = "" if cost.told is None else f"the provider expects {money(cost.told, cost.currency)}"
    if cost.estimated is not None:
        about = f"~{money(cost.estimated, cost.currency)}"
        return f"{about}; {told}" if told else about
    return told


def kept_words(batches: Sequence[Batch], now: float) -> Cell | str:
    """Until when the provider keeps results; loud when those that are not here will be lost."""
    known = [batch for batch in batches if batch.results_expire_at is not None]
    if not known:
        return ""
    first = min(known, key=lambda batch: (batch.collected, batch.results_expire_at))
    until = first.results_expire_at or 0.0
    if flag := keeping_flag(until, now, collected=first.collected):
        return Cell(flag, "red")
    return keeping_words(until, now).removeprefix("results ")


def job_pairs(job: Job) -> dict[str, Cell | str]:
    """A job as labelled values."""
    return {
        "job": Cell(job.id, "bold"),
        "name": job.name,
        "status": status_cell(job.status),
        "rows": f"{job.counts.total:,}: {count_words(job.counts)}",
        "account": f"{job.account} ({job.provider})",
        "model": job.model,
        "endpoint": job.endpoint,
        "cost": cost_words(job.cost),
        "created": moment_words(job.created_at),
        "ended": moment_words(job.ended_at),
        "trouble": Cell(job.trouble, "red"),
        "tags": tag_words(job.tags),
        "note": one_line(job.note, 400),
    }


def batch_rows(batches: Sequence[Batch]) -> list[list[Cell | str]]:
    """The batches of a job as cells of a table."""
    return [
        [
            f"{batch.attempt}.{batch.part}",
            status_cell(batch.status, batch.raw_status),
            f"{batch.rows:,}",
            batch.remote_id or "",
            moment_words(batch.submitted_at),
            moment_words(batch.ended_at),
        ]
        for batch in batches
    ]


def group_rows(groups: Sequence[ErrorGroup]) -> list[list[Cell | str]]:
    """The error groups of a job as cells of a table."""
    return [
        [
            f"{group.count:,}",
            share_words(group.share),
            Cell(group.kind.value, "yellow"),
            _code_words(group),
            group.message,
            group.example_custom_id,
            moment_words(group.last_seen),
        ]
        for group in groups
    ]


def group_advice(groups: Sequence[ErrorGroup]) -> list[str]:
    """What helps against each class of trouble that there is, the most frequent first."""
    from tui.core.grouping import ADVICE

    return [f"{kind}: {ADVICE[kind]}" for kind in dict.fromkeys(group.kind for group in groups)]


def share_words(share: float) -> str:
    """A share in percent; 0% and 100% only when it is nothing, or all."""
    if 0 < share < 0.01:
        return "<1%"
    return f"{min(share * 100, 99.4 if share < 1 else 100):.0f}%"


def _code_words(group: ErrorGroup) -> str:
    status = "" if group.http_status is None else str(group.http_status)
    return f"{status} {group.code or ''}".strip()


def timeline_rows(entries: Sequence[TimelineEntry]) -> list[list[Cell | str]]:
    """What happened to a job as cells of a table."""
    return [[_second_words(entry.at), entry.what] for entry in entries]


def stray_words(strays: Strays) -> str:
    """The result lines that belong to no row; empty when there are none."""
    parts = [
        (strays.unknown, "with an id that was not sent"),
        (strays.duplicate, "more than one for a row"),
        (strays.unreadable, "not readable"),
    ]
    return ", ".join(f"{number:,} {what}" for number, what in parts if number)
