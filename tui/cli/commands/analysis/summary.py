"""``summary``: statistics over all answers of a job."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import Settings, job_argument, shared
from tui.cli.output import Cell, glyph, pairs, print_result, say, table
from tui.cli.progress import file_progress
from tui.cli.session import run
from tui.core.formatting import format_rate, money, number, span
from tui.core.status_words import counts_text
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.core.counters import Distribution, Tally
    from tui.core.summary import Summary
    from tui.engine.engine import Engine

_BAR_CELLS = 24
_MAX_LINES = 15
_MAX_FIELDS = 20


@click.command(short_help="Show statistics over all answers of a job.")
@job_argument
@click.option("--field", default="", metavar="PATH",
              help="Count the values of this field, such as data.label or text.")  # fmt: skip
@click.option("--stop-words", is_flag=True, help="Ignore common English words.")
@shared
def summary(settings: Settings, job: str, field: str, stop_words: bool) -> None:
    """Show statistics over all answers of a JOB: outcomes, tokens, lengths, labels, words."""

    async def work(engine: Engine) -> None:
        found = engine.history.jobs.find(job)
        with file_progress("reading", plural_of="row") as progress:
            report = await engine.results.summary(
                found.id, field, stop_words=stop_words, progress=progress
            )
        if field and not report.labels.total:
            known = [entry.path for entry in report.fields]
            raise UsageError(
                f"no answer has the field {field!r}",
                f"Available: {', '.join(known[:8])}." if known else "The answers are not JSON.",
            )
        print_result(settings, lambda: summary_document(report), lambda: _lines(report))
        if report.fields and not field and not settings.json:
            say("Add --field PATH to count the values of a field.")

    run(settings, work)


def summary_document(report: Summary) -> dict[str, Any]:
    """The JSON document of a summary."""
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(report)
    for name in ("finish", "labels", "words"):
        tally = document[name]
        tally["items"] = [{"value": value, "count": count} for value, count in tally["items"]]
    for name in ("lengths", "output"):
        bars = document[name]["bars"]
        document[name]["bars"] = [{"from": low, "below": high, "n": n} for low, high, n in bars]
    points = report.pace.points
    document["pace"]["points"] = [{"seconds": at, "done": done} for at, done in points]
    return document


def _lines(report: Summary) -> list[str]:
    pace = report.pace
    cost = report.cost
    currency = cost.currency
    facts: dict[str, Cell | str] = {
        "job": Cell(report.job_id, "bold"),
        "name": report.name,
        "rows": f"{report.counts.total:,}: {counts_text(report.counts)}",
        "input tokens": number(report.input_tokens),
        "output tokens": number(report.output_tokens),
        "prompt cache": "-" if report.cache is None else report.cache.text,
        **_savings(report),
        "cost": money(cost.actual, currency),
        "estimated": money(cost.estimated, currency),
        "took": "-" if pace.seconds is None else span(pace.seconds, exact=True),
        "pace": "-" if pace.rows_per_second is None else format_rate(pace.rows_per_second),
        "JSON answers": f"{report.json_rows:,} of {report.answered:,}",
    }
    lines = pairs(facts)
    lines += _spread("answer length, characters", report.lengths)
    lines += _spread("output tokens", report.output)
    lines += _tally("FINISH REASON", report.finish)
    if report.field:
        lines += _tally(report.field.upper(), report.labels)
    lines += _tally("WORD", report.words)
    if len(report.models) > 1:
        lines += ["", *_models(report)]
    if report.fields:
        paths = [f"{field.path} ({field.rows:,})" for field in report.fields[:_MAX_FIELDS]]
        more = len(report.fields) - len(paths) + report.more_fields
        lines += ["", *pairs({"fields": ", ".join(paths) + (f" and {more} more" if more else "")})]
    return lines


def _savings(report: Summary) -> dict[str, Cell | str]:
    """What the prompt cache saved, if it was used and the bill says so."""
    cache = report.cache
    if cache is None or not (cache.read or cache.written or cache.written_1h):
        return {}
    if cache.saved is None:
        return {"cache saved": "not known"}
    amount = money(abs(cache.saved), report.cost.currency)
    if cache.saved < 0:
        return {"cache lost": Cell(f"{amount}: writing cost more than reading saved", "yellow")}
    return {"cache saved": amount}


def _bar(part: int, highest: int) -> str:
    return glyph("█", "#", sys.stdout) * max(1 if part else 0, round(_BAR_CELLS * part / highest))


def _tally(title: str, tally: Tally) -> list[str]:
    if not tally.items:
        return []
    shown = tally.items[:_MAX_LINES]
    most = shown[0][1]
    rows: list[Sequence[Cell | str]] = [
        [value or "(empty)", f"{count:,}", f"{100 * count / tally.total:.1f}%", _bar(count, most)]
        for value, count in shown
    ]
    lines = ["", *table((title, "COUNT", "SHARE", ""), rows, right=frozenset({1, 2}))]
    more = tally.distinct - len(shown)
    if more > 0 or not tally.exact:
        least = "" if tally.exact else "at least "
        rest = tally.total - sum(count for _, count in shown)
        lines.append(f"and {least}{more:,} more, {rest:,} times")
    return lines


def _spread(title: str, spread: Distribution) -> list[str]:
    if not spread.count:
        return []
    bars = _merge_bars(spread.bars)
    most = max(count for _, _, count in bars)
    rows: list[Sequence[Cell | str]] = []
    for low, high, count in bars:
        scale = f"{low:,} - {high - 1:,}" if high - low > 1 else f"{low:,}"
        rows.append([scale, f"{count:,}", _bar(count, most)])
    figures = f"median {spread.median:,}  p95 {spread.p95:,}  max {spread.most:,}"
    lines = table((title.upper(), "ANSWERS", ""), rows, right=frozenset({0, 1}), elastic=2)
    return ["", *lines, figures]


def _merge_bars(bars: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Merge neighbouring bars until there are at most 12."""
    step = -(-len(bars) // 12)
    groups = [bars[start : start + step] for start in range(0, len(bars), step)]
    return [(group[0][0], group[-1][1], sum(n for _, _, n in group)) for group in groups]


def _models(report: Summary) -> list[str]:
    rows: list[Sequence[Cell | str]] = [
        [
            share.model,
            f"{share.rows:,}",
            f"{share.answered:,}",
            number(share.input_tokens),
            number(share.output_tokens),
            money(share.cost, report.cost.currency),
        ]
        for share in report.models
    ]
    titles = ("MODEL", "ROWS", "ANSWERED", "INPUT", "OUTPUT", "COST")
    return table(titles, rows, right=frozenset({1, 2, 3, 4, 5}))
