"""The HTML report of a job: its figures, plots and errors in one file, from a template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tui.core.formatting import UNKNOWN, format_rate, money, number, rfc3339, span
from tui.core.jobs import Job
from tui.core.retry_rules import ADVICE
from tui.core.rows import Outcome
from tui.core.status_words import status_text
from tui.core.summary import Summarizer, Summary
from tui.core.text import one_line, visible
from tui.store.export.rows import ExportRow, ExportRows
from tui.store.rows.error_groups import read_groups
from tui.store.rows.summary import throughput_of

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATE = Path(__file__).with_name("report.html.jinja")
_EXAMPLES = 5


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
    examples: list[tuple[str, str]] = []
    for page in pages:
        summarizer.add(record.line for record in page)
        if len(examples) < _EXAMPLES:
            lines = (record.line for record in page)
            examples += ((line.custom_id, line.text) for line in lines if line.text)
            del examples[_EXAMPLES:]
    summary = summarizer.summary(job.id, job.name, job.counts, job.cost, throughput_of(data))
    counts = [(outcome.value, summary.counts.get(outcome)) for outcome in Outcome]
    text = _template(job.cost.currency).render(
        job=job,
        summary=summary,
        outcomes=[(name, count) for name, count in counts if count],
        facts=_facts(job, summary),
        groups=read_groups(data.connection, data.pk),
        advice=ADVICE,
        examples=examples,
    )
    # `visible` escapes characters that cannot be encoded; names stored by older versions may
    # still contain them.
    stream.write(text.encode("utf-8", "replace"))
    return len(records)


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
