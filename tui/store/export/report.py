"""A job as a page to send to somebody: one HTML file with nothing outside of it.

There is no script and no address in it, so it may be opened anywhere and passes the
strictest content policy. Whatever people, models and providers wrote is shown as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import BinaryIO

from tui.core.grouping import ADVICE
from tui.core.jobs import ErrorGroup, Job
from tui.core.money import money
from tui.core.outcome import Outcome
from tui.core.summary import Summarizer, Summary
from tui.core.tally import Spread, Tally
from tui.core.text import one_line, visible
from tui.core.times import pace_words, rfc3339, span
from tui.store.export.drawing import curve, histogram, outcome_bar, shares
from tui.store.export.reading import Record, Records
from tui.store.summarizing import pace_of

_EXAMPLES = 5
_EXAMPLE_LENGTH = 2000
_MOST_GROUPS = 100

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_STYLE = """
:root{color-scheme:light dark;--ink:#1d242c;--soft:#5d6875;--paper:#fbfbfc;--line:#d7dbe1;
--bar:#5b46d6;--good:#257a3e;--bad:#b8262e;--warn:#a86b00;--card:#f3f4f7}
@media(prefers-color-scheme:dark){:root{--ink:#d5dbe3;--soft:#8a97a8;--paper:#0f1318;
--line:#2b3540;--bar:#a99bff;--good:#7cc48a;--bad:#f0767a;--warn:#e2b45c;--card:#141a21}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);
max-width:1000px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p.soft,td.soft,th,dt{color:var(--soft)}
table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:normal}
td,th{padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top;
overflow-wrap:anywhere}td.n,th.n{text-align:right;white-space:nowrap}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.25rem;margin:1rem 0}dd{margin:0;
overflow-wrap:anywhere}pre{background:var(--card);padding:.75rem;overflow-x:auto;
white-space:pre-wrap;overflow-wrap:anywhere;max-height:24rem}
svg{display:block;max-width:100%;height:auto}svg text{fill:var(--soft);font-size:12px}
.bar,.succeeded{fill:var(--bar)}.succeeded{fill:var(--good)}.axis{stroke:var(--line)}
.area{fill:var(--bar);opacity:.18}.line{fill:none;stroke:var(--bar);stroke-width:2}
.failed,.missing,.expired{fill:var(--bad)}.truncated,.refused,.cancelled{fill:var(--warn)}
.pending{fill:var(--line)}
"""


def write_report(
    stream: BinaryIO,
    records: Records,
    *,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int], None] | None = None,
) -> bool:
    """Write the page about some rows of a job.

    Args:
        stream: Where to.
        records: The rows that it speaks of.
        stop: Asked now and then; true ends it.
        progress: Told how many rows were read.

    Returns:
        Whether it got to its end.
    """
    job = records.history.job(records.job_id)
    summarizer = Summarizer()
    examples: list[Record] = []
    done = 0
    for page in records.pages():
        summarizer.add(record.line for record in page)
        for record in page:
            if len(examples) < _EXAMPLES and record.line.text:
                examples.append(record)
        done += len(page)
        if done < len(records) and stop is not None and stop():
            return False
        if progress is not None:
            progress(done)
    pace = pace_of(records.history, job)
    summary = summarizer.summary(job.id, job.name, job.counts, job.cost, pace)
    groups = records.history.error_groups(job.id)
    for part in _page(job, summary, groups, examples):
        # What cannot be encoded is written out by `visible`; names may be older than it.
        stream.write(part.encode("utf-8", "replace"))
    return True


def _page(
    job: Job, summary: Summary, groups: list[ErrorGroup], examples: list[Record]
) -> Iterator[str]:
    title = _shown(job.name)
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n"
    )
    yield f"<h1>{title}</h1>\n"
    if not summary.is_whole:
        yield (
            f'<p class="soft">About {summary.rows:,} of {summary.counts.total:,} rows: '
            "plots and figures of answers are of these.</p>\n"
        )
    yield from _outcomes(summary)
    yield _facts(job, summary)
    yield from _groups(groups)
    yield from _plots(summary)
    yield from _models(summary)
    yield from _examples(examples)
    yield "</body></html>\n"


def _outcomes(summary: Summary) -> Iterator[str]:
    counts = [(outcome.value, summary.counts.get(outcome)) for outcome in Outcome]
    counts = [entry for entry in counts if entry[1]]
    yield outcome_bar(sorted(counts, key=lambda entry: -entry[1]), summary.counts.total)
    words = ", ".join(f"{count:,} {name}" for name, count in counts)
    yield f"<p>{summary.counts.total:,} rows: {escape(words) or 'none'}</p>\n"


def _facts(job: Job, summary: Summary) -> str:
    currency = job.cost.currency
    pace = summary.pace
    facts = {
        "job": job.id,
        "model": job.model,
        "provider": job.provider,
        "endpoint": job.endpoint,
        "status": job.status.value.replace("_", " "),
        "created": rfc3339(job.created_at) or "",
        "ended": rfc3339(job.ended_at) or "",
        "took": "" if pace.seconds is None else span(pace.seconds),
        "pace": "" if pace.rows_per_second is None else pace_words(pace.rows_per_second),
        "input tokens": _number(summary.input_tokens),
        "output tokens": _number(summary.output_tokens),
        "cached tokens": _number(summary.cached_tokens),
        "cost, estimated": _money(job.cost.estimated, currency),
        "cost, actual": _money(job.cost.actual, currency),
    }
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{_shown(value) or '-'}</dd>" for name, value in facts.items()
    )
    return f"<dl>{items}</dl>\n"


def _groups(groups: list[ErrorGroup]) -> Iterator[str]:
    if not groups:
        return
    yield (
        "<h2>Errors</h2><table><tr><th class=n>Rows</th><th>Trouble</th><th>Code</th>"
        "<th>Message</th><th>What helps</th><th>Example</th></tr>\n"
    )
    for group in groups[:_MOST_GROUPS]:
        code = " ".join(
            str(part) for part in (group.http_status, group.code) if part not in (None, "")
        )
        yield (
            f"<tr><td class=n>{group.count:,}</td><td>{escape(group.kind.value)}</td>"
            f"<td>{_shown(code) or '-'}</td><td>{_shown(group.message)}</td>"
            f"<td class=soft>{escape(ADVICE[group.kind])}</td>"
            f"<td>{_shown(group.example_custom_id)}</td></tr>\n"
        )
    yield "</table>\n"
    if len(groups) > _MOST_GROUPS:
        yield f'<p class="soft">and {len(groups) - _MOST_GROUPS:,} more groups</p>\n'


def _plots(summary: Summary) -> Iterator[str]:
    pace = summary.pace
    if pace.seconds:
        drawn = curve(pace.points, summary.counts.total, pace.seconds)
        if drawn:
            yield f"<h2>Rows done over time</h2>{drawn}\n"
    if summary.field:
        yield from _tally(f"Values of {summary.field}", summary.labels)
    yield from _tally("Finish reasons", summary.finish)
    yield from _spread("Length of answers", summary.lengths, "characters")
    yield from _spread("Output tokens", summary.output, "tokens")


def _tally(title: str, tally: Tally) -> Iterator[str]:
    if not tally.items:
        return
    shown = tally.items[:20]
    yield f"<h2>{_shown(title)}</h2>{shares(shown, tally.total)}\n"
    left = tally.distinct - len(shown)
    if left > 0 or not tally.exact:
        rest = tally.total - sum(count for _, count in shown)
        least = "" if tally.exact else "at least "
        yield f'<p class="soft">and {least}{left:,} more values in {rest:,} places</p>\n'


def _spread(title: str, spread: Spread, unit: str) -> Iterator[str]:
    if not spread.count:
        return
    yield f"<h2>{escape(title)}</h2>{histogram(spread.bars, unit)}\n"
    yield (
        f'<p class="soft">{spread.count:,} answers; least {spread.least:,}, median about '
        f"{spread.median:,}, 95% below about {spread.p95:,}, most {spread.most:,}</p>\n"
    )


def _models(summary: Summary) -> Iterator[str]:
    if len(summary.models) < 2:
        return
    yield (
        "<h2>Models</h2><table><tr><th>Model</th><th class=n>Rows</th><th class=n>Answered</th>"
        "<th class=n>Input tokens</th><th class=n>Output tokens</th><th class=n>Cost</th></tr>\n"
    )
    for share in summary.models:
        cells = (
            f"{share.rows:,}",
            f"{share.answered:,}",
            _number(share.input_tokens) or "-",
            _number(share.output_tokens) or "-",
            _money(share.cost, summary.cost.currency) or "-",
        )
        numbers = "".join(f"<td class=n>{cell}</td>" for cell in cells)
        yield f"<tr><td>{_shown(share.model)}</td>{numbers}</tr>\n"
    yield "</table>\n"


def _examples(examples: list[Record]) -> Iterator[str]:
    if not examples:
        return
    yield "<h2>The first answers</h2>\n"
    for record in examples:
        text = record.line.text
        shown = escape(visible(text[:_EXAMPLE_LENGTH], newlines=True))
        more = f"\n… {len(text):,} characters in all" if len(text) > _EXAMPLE_LENGTH else ""
        yield f"<p>{_shown(record.line.custom_id)}</p><pre>{shown}{more}</pre>\n"


def _shown(text: str) -> str:
    return escape(one_line(text, 500))


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _money(amount: float | None, currency: str) -> str:
    return "" if amount is None else money(amount, currency)
