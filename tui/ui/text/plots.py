"""Plots made of characters, for a width in cells: pure functions from figures to lines."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from tui.core.tally import Spread, Tally
from tui.core.text import one_line
from tui.ui import formatting
from tui.ui.tones import Part, Parts, Tone

_STEPS = " ▁▂▃▄▅▆▇█"
_LEAST_NAME, _MOST_NAME = 8, 28
_ALL_DIFFERENT = 3
"""So many values of which none came twice are not worth a list."""


Lines = list[Parts]


def horizontal_bar(share: float, width: int) -> str:
    """A bar of up to ``width`` cells, exact to half a cell; never nothing for some."""
    halves = round(max(0.0, min(share, 1.0)) * width * 2)
    if share > 0:
        halves = max(1, halves)
    full, rest = divmod(halves, 2)
    return "━" * full + ("╸" if rest else "")


def tally_lines(tally: Tally, width: int, most: int, tone: Tone = "accent") -> Lines:
    """A line for each value: name, bar, count and share; what is left out in a last line."""
    shown = tally.items[:most]
    if not shown:
        return [(("nothing to count", "muted"),)]
    if shown[0][1] == 1 and tally.distinct > _ALL_DIFFERENT:
        least = "" if tally.exact else "at least "
        return [((f"{least}{tally.distinct:,} values, none of them twice", "muted"),)]
    figures = [f"{count:,}" for _, count in shown]
    digits = max(map(len, figures))
    names = [one_line(value, _MOST_NAME) or "(empty)" for value, _ in shown]
    longest = max(cell_len(name) for name in names)
    # Long names are told apart by their ends more than by the length of their bars.
    name_width = max(_LEAST_NAME, min(longest, _MOST_NAME, width // 2))
    room = max(1, width - name_width - digits - 8)
    top = shown[0][1] or 1
    lines: Lines = []
    for name, figure, (_, count) in zip(names, figures, shown, strict=True):
        bar = horizontal_bar(count / top, room)
        share = formatting.percent(count, tally.total)
        lines.append(
            (
                (_fitted(name, name_width), ""),
                (" ", ""),
                (bar + " " * (room - len(bar)), tone),
                (f" {figure:>{digits}}", "strong"),
                (f" {share:>4}", "muted"),
            )
        )
    more = tally.distinct - len(shown)
    if more > 0 or not tally.exact:
        least = "" if tally.exact else "at least "
        rest = tally.total - sum(count for _, count in shown)
        lines.append(((f"and {least}{more:,} more, {rest:,} times", "muted"),))
    return lines


def _fitted(text: str, width: int) -> str:
    """The text in exactly ``width`` cells; a cut is shown by an ellipsis."""
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + "…"
    return set_cell_size(text, width)


def histogram_lines(
    spread: Spread, unit: str, width: int, height: int, tone: Tone = "accent"
) -> Lines:
    """Columns side by side over a scale, and a line with the usual figures."""
    if not spread.count:
        return [(("nothing to measure", "muted"),)]
    bars = spread.bars
    across = max(1, width // len(bars))
    if len(bars) > width:
        step = -(-len(bars) // width)
        groups = [bars[at : at + step] for at in range(0, len(bars), step)]
        bars = tuple((one[0][0], one[-1][1], sum(count for _, _, count in one)) for one in groups)
    top = max(count for _, _, count in bars) or 1
    lines: Lines = []
    for line in range(height, 0, -1):
        cells = []
        for _, _, count in bars:
            eighths = max(1, round(count * height * 8 / top)) if count else 0
            step = max(0, min(8, eighths - (line - 1) * 8))
            cells.append(_STEPS[step] * across)
        lines.append((("".join(cells), tone),))
    drawn = across * len(bars)
    low, high = formatting.short_number(bars[0][0]), formatting.short_number(bars[-1][1] - 1)
    scale = low + (high + f" {unit}").rjust(max(drawn - len(low), len(high) + len(unit) + 2))
    lines.append(((scale[:width], "muted"),))
    figures: list[Part] = [("median ", "muted"), (f"{spread.median:,}", "strong")]
    figures += [("  95% below ", "muted"), (f"{spread.p95:,}", "strong")]
    figures += [("  most ", "muted"), (f"{spread.most:,}", "strong")]
    lines.append(tuple(figures))
    return lines


def curve_lines(
    points: Sequence[tuple[float, int]],
    total: int,
    seconds: float,
    width: int,
    height: int,
    tone: Tone = "live",
) -> Lines:
    """Rows done over time, as an area that climbs."""
    if len(points) < 2 or seconds <= 0 or total <= 0 or width < 4:
        return []
    heights: list[int] = []
    place = 0
    done = 0
    for column in range(width):
        until = seconds * (column + 1) / width
        while place < len(points) and points[place][0] <= until:
            done = points[place][1]
            place += 1
        heights.append(round(min(1.0, done / total) * height * 8))
    lines: Lines = []
    for line in range(height, 0, -1):
        cells = [_STEPS[max(0, min(8, eighths - (line - 1) * 8))] for eighths in heights]
        lines.append((("".join(cells), tone),))
    end = formatting.duration(seconds)
    lines.append((("0s" + end.rjust(width - 2), "muted"),))
    return lines


def fact_lines(facts: Sequence[tuple[str, str]]) -> Lines:
    """Names and values in two columns; an empty value is ``-``."""
    widest = max((len(name) for name, _ in facts), default=0)
    return [((f"{name:<{widest}}  ", "muted"), (value or "-", "")) for name, value in facts]
