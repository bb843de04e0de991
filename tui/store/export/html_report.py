"""The HTML report of a job: figures, plots, errors and rows in one file, from a template.

The rows can be searched and sorted by a script in the file. It is the only one that may run: the
page names its hash, and loads nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from tui.core.formatting import UNKNOWN, format_rate, money, number, rfc3339, span
from tui.core.jobs import Job
from tui.core.retry_rules import ADVICE
from tui.core.rows import Outcome
from tui.core.status_words import status_text
from tui.core.summary import Summarizer, Summary
from tui.core.text import one_line, visible
from tui.store.export.rows import ExportRow, ExportRows, review_cells
from tui.store.rows.error_groups import read_groups
from tui.store.rows.summary import throughput_of

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATE = Path(__file__).with_name("report.html.jinja")
_SCRIPT = Path(__file__).with_name("report.js")

MOST_ROWS = 10_000
"""Rows of the table; a browser shows them at once."""

_LONGEST_ANSWER = 1000
_WRITE_CHARACTERS = 1 << 16


class ReportRow(NamedTuple):
    """A row of the table.

    ``tokens`` are those of request and answer; ``review`` is the newest label, with the correction.
    """

    custom_id: str
    outcome: str
    text: str
    error: str
    review: str
    tokens: int | None
    cost: float | None


def write_report(
    stream: BinaryIO, records: ExportRows, pages: Iterable[Sequence[ExportRow]]
) -> int:
    """Write the report on the selected rows of a job.

    Args:
        stream: The output.
        records: The rows that the report covers.
        pages: The same rows, page by page.

    Returns:
        Number of rows that the report covers.
    """
    data = records.data
    job = data.job
    summarizer = Summarizer()
    rows: list[ReportRow] = []
    cut = False
    for page in pages:
        summarizer.add(record.line for record in page)
        for record in page[: max(0, MOST_ROWS - len(rows))]:
            rows.append(_row(record))
            cut = cut or len(record.line.text) > _LONGEST_ANSWER
    # Imported here: only a report needs it.
    from markupsafe import Markup

    summary = summarizer.summary(job.id, job.name, job.counts, job.cost, throughput_of(data))
    counts = [(outcome.value, summary.counts.get(outcome)) for outcome in Outcome]
    script = _SCRIPT.read_text("utf-8")
    parts = _template(job.cost.currency).generate(
        job=job,
        summary=summary,
        outcomes=[(name, count) for name, count in counts if count],
        facts=_facts(job, summary),
        groups=read_groups(data.connection, data.pk),
        advice=ADVICE,
        rows=rows,
        covered=len(records),
        cut=cut,
        longest=_LONGEST_ANSWER,
        has_reviews=records.has_reviews,
        script=Markup(script),
        script_hash=base64.b64encode(sha256(script.encode()).digest()).decode(),
    )
    for text in _joined(parts):
        # `visible` escapes characters that cannot be encoded; names stored by older versions may
        # still contain them.
        stream.write(text.encode("utf-8", "replace"))
    return len(records)


def _joined(parts: Iterator[str]) -> Iterator[str]:
    """The parts of the page, many of them at a time."""
    waiting: list[str] = []
    length = 0
    for part in parts:
        waiting.append(part)
        length += len(part)
        if length >= _WRITE_CHARACTERS:
            yield "".join(waiting)
            waiting, length = [], 0
    yield "".join(waiting)


def _row(record: ExportRow) -> ReportRow:
    line = record.line
    text = line.text
    if len(text) > _LONGEST_ANSWER:
        text = f"{text[:_LONGEST_ANSWER]}…"
    error = ""
    if line.error is not None:
        words = (str(line.http_status or ""), line.error.code or "", line.error.message)
        error = " ".join(filter(None, words))
    label, _, correction, _ = review_cells(record.reviews)
    usage = (line.usage.input_tokens, line.usage.output_tokens)
    known = [tokens for tokens in usage if tokens is not None]
    return ReportRow(
        custom_id=line.custom_id,
        outcome=line.outcome.value,
        text=text,
        error=error,
        review=" → ".join(filter(None, (label, correction))),
        tokens=sum(known) if known else None,
        cost=line.cost,
    )


@lru_cache(maxsize=4)
def _template(currency: str) -> Template:
    # Imported here: only a report needs it.
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters |= {
        "fixed": _fixed,
        "line": _line,
        "lines": partial(visible, newlines=True),
        "money": partial(money, currency=currency),
        "number": _number,
    }
    return environment.from_string(_TEMPLATE.read_text("utf-8"))


def _fixed(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}f}"


def _line(text: str, width: int = 500) -> str:
    return one_line(text, width)


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def _facts(job: Job, summary: Summary) -> dict[str, str]:
    pace = summary.pace
    return {
        "job": job.id,
        "model": job.model,
        "provider": job.provider,
        "endpoint": job.endpoint,
        "status": status_text(job.status),
        "created": rfc3339(job.created_at) or "",
        "ended": rfc3339(job.ended_at) or "",
        "took": "" if pace.seconds is None else span(pace.seconds),
        "pace": "" if pace.rows_per_second is None else format_rate(pace.rows_per_second),
        "input tokens": number(summary.input_tokens),
        "output tokens": number(summary.output_tokens),
        "cached tokens": number(summary.cached_tokens),
        "cost, estimated": money(job.cost.estimated, job.cost.currency),
        "cost, actual": money(job.cost.actual, job.cost.currency),
    }
