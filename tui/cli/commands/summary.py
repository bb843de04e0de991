"""``summary``: a job as a whole."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tui.cli import words
from tui.cli.meter import Meter
from tui.cli.options import job_argument, shared
from tui.cli.output import Cell, glyph, pairs, print_json, print_lines, say, table
from tui.cli.session import run, stop_at_exit
from tui.cli.settings import Settings
from tui.core.money import money
from tui.core.times import pace_words
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.core.summary import Summary
    from tui.core.tally import Spread, Tally
    from tui.engine.engine import Engine

_BAR = 24
_LINES = 15
_FIELDS = 20


@click.command(short_help="Look at the answers of a job as a whole.")
@job_argument
@click.option("--field", default="", metavar="PATH", help="Count this field: data.label, text.")
@click.option("--stop-words", is_flag=True, help="Leave out English words that say little.")
@shared
def summary(settings: Settings, job: str, field: str, stop_words: bool) -> None:
    """Look at the answers of a JOB as a whole: outcomes, tokens, lengths, labels, words."""

    async def work(engine: Engine) -> None:
        found = engine.history.find_job(job)
        meter = Meter("reading", plural_of="row")
        with stop_at_exit() as stop:
            made = await engine.summary(
                found.id, field, stop_words=stop_words, stop=stop, progress=meter.show
            )
        if field and not made.labels.total:
            known = [entry.path for entry in made.fields]
            raise UsageError(
                f"no answer has the field {field!r}",
                f"There are {', '.join(known[:8])}." if known else "The answers are not JSON.",
            )
        if settings.json:
            print_json(summary_document(made))
        else:
            print_lines(_story(made))
            if made.fields and not field:
                say("--field PATH counts the words of a field.")

    run(settings, work)


def summary_document(made: Summary) -> dict[str, Any]:
    """A summary, ready for JSON."""
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(made)
    for name in ("finish", "labels", "words"):
        tally = document[name]
        tally["items"] = [{"value": value, "count": count} for value, count in tally["items"]]
    for name in ("lengths", "output"):
        bars = document[name]["bars"]
        document[name]["bars"] = [{"from": low, "below": high, "n": n} for low, high, n in bars]
    points = made.pace.points
    document["pace"]["points"] = [{"seconds": at, "done": done} for at, done in points]
    return document


def _story(made: Summary) -> list[str]:
    pace = made.pace
    cost = made.cost
    currency = cost.currency
    facts: dict[str, Cell | str] = {
        "job": Cell(made.job_id, "bold"),
        "name": made.name,
        "rows": f"{made.counts.total:,}: {words.count_words(made.counts)}",
        "input tokens": _known(made.input_tokens),
        "output tokens": _known(made.output_tokens),
        "cached tokens": _known(made.cached_tokens),
        "cost": money(cost.actual, currency),
        "estimated": money(cost.estimated, currency),
        "took": "-" if pace.seconds is None else words.duration_words(pace.seconds),
        "pace": "-" if pace.rows_per_second is None else pace_words(pace.rows_per_second),
        "JSON answers": f"{made.json_rows:,} of {made.answered:,}",
    }
    lines = pairs(facts)
    lines += _spread("answer length, characters", made.lengths)
    lines += _spread("output tokens", made.output)
    lines += _tally("FINISH REASON", made.finish)
    if made.field:
        lines += _tally(made.field.upper(), made.labels)
    lines += _tally("WORD", made.words)
    if len(made.models) > 1:
        lines += ["", *_models(made)]
    if made.fields:
        paths = [f"{field.path} ({field.rows:,})" for field in made.fields[:_FIELDS]]
        more = len(made.fields) - len(paths) + made.more_fields
        lines += ["", *pairs({"fields": ", ".join(paths) + (f" and {more} more" if more else "")})]
    return lines


def _known(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _bar(part: int, most: int) -> str:
    return glyph("█", "#", sys.stdout) * max(1 if part else 0, round(_BAR * part / most))


def _tally(title: str, tally: Tally) -> list[str]:
    if not tally.items:
        return []
    shown = tally.items[:_LINES]
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


def _spread(title: str, spread: Spread) -> list[str]:
    if not spread.count:
        return []
    bars = _coarser(spread.bars)
    most = max(count for _, _, count in bars)
    rows: list[Sequence[Cell | str]] = []
    for low, high, count in bars:
        scale = f"{low:,} - {high - 1:,}" if high - low > 1 else f"{low:,}"
        rows.append([scale, f"{count:,}", _bar(count, most)])
    figures = f"median {spread.median:,}, 95% below {spread.p95:,}, most {spread.most:,}"
    lines = table((title.upper(), "ANSWERS", ""), rows, right=frozenset({0, 1}), elastic=2)
    return ["", *lines, figures]


def _coarser(bars: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """At most a dozen bars: two or more together."""
    step = -(-len(bars) // 12)
    groups = [bars[start : start + step] for start in range(0, len(bars), step)]
    return [(group[0][0], group[-1][1], sum(n for _, _, n in group)) for group in groups]


def _models(made: Summary) -> list[str]:
    rows: list[Sequence[Cell | str]] = [
        [
            share.model,
            f"{share.rows:,}",
            f"{share.answered:,}",
            _known(share.input_tokens),
            _known(share.output_tokens),
            money(share.cost, made.cost.currency),
        ]
        for share in made.models
    ]
    titles = ("MODEL", "ROWS", "ANSWERED", "INPUT", "OUTPUT", "COST")
    return table(titles, rows, right=frozenset({1, 2, 3, 4, 5}))
