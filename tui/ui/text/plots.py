"""Text plots: pure functions from figures to styled lines of a given width in cells."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from tui.core import formatting
from tui.core.counters import Distribution, Tally
from tui.core.text import one_line
from tui.ui.text.tones import Part, Parts, Tone, in_cells

_STEPS = " ▁▂▃▄▅▆▇█"
_MIN_NAME, _MAX_NAME = 8, 28
_ALL_DIFFERENT = 3
"""More distinct values than this, each occurring once, are summed up on one line."""

Lines = list[Parts]


def horizontal_bar(share: float, width: int) -> str:
    """A bar of up to ``width`` cells in half-cell steps; a share above 0 is always visible."""
    halves = round(max(0.0, min(share, 1.0)) * width * 2)
    if share > 0:
        halves = max(1, halves)
    full, rest = divmod(halves, 2)
    return "━" * full + ("╸" if rest else "")


def tally_lines(tally: Tally, width: int, most: int, tone: Tone = "accent") -> Lines:
    """One line per value (name, bar, count, share) and a last line for the values left out."""
    shown = tally.items[:most]
    if not shown:
        return [(("no data", "muted"),)]
    if shown[0][1] == 1 and tally.distinct > _ALL_DIFFERENT:
        prefix = "" if tally.exact else "at least "
        return [((f"{prefix}{tally.distinct:,} values, all different", "muted"),)]
    figures = [f"{count:,}" for _, count in shown]
    digits = max(map(len, figures))
    names = [one_line(value, _MAX_NAME) or "(empty)" for value, _ in shown]
    longest = max(cell_len(name) for name in names)
    # Up to half of the width goes to the names: long ones often differ only at their end.
    name_width = max(_MIN_NAME, min(longest, _MAX_NAME, width // 2))
    bar_width = max(1, width - name_width - digits - 8)
    top = shown[0][1] or 1
    lines: Lines = []
    for name, figure, (_, count) in zip(names, figures, shown, strict=True):
        bar = horizontal_bar(count / top, bar_width)
        share = formatting.percent(count, tally.total)
        lines.append(
            (
                (in_cells(name, name_width), ""),
                (" ", ""),
                (bar + " " * (bar_width - len(bar)), tone),
                (f" {figure:>{digits}}", "strong"),
                (f" {share:>4}", "muted"),
            )
        )
    more = tally.distinct - len(shown)
    if more > 0 or not tally.exact:
        prefix = "" if tally.exact else "at least "
        rest = tally.total - sum(count for _, count in shown)
        lines.append(((f"and {prefix}{more:,} more, {rest:,} times", "muted"),))
    return lines


def histogram_lines(
    spread: Distribution, unit: str, width: int, height: int, tone: Tone = "accent"
) -> Lines:
    """A histogram with its axis, and a line with median, p95 and maximum."""
    if not spread.count:
        return [(("no data", "muted"),)]
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
    # The last bar may reach beyond the largest value.
    end = bars[-1][1] - 1 if spread.most is None else min(bars[-1][1] - 1, spread.most)
    low, high = formatting.short_number(bars[0][0]), formatting.short_number(end)
    scale = low + (high + f" {unit}").rjust(max(drawn - len(low), len(high) + len(unit) + 2))
    lines.append(((scale[:width], "muted"),))
    figures: list[Part] = [("median ", "muted"), (f"{spread.median:,}", "strong")]
    figures += [("  p95 ", "muted"), (f"{spread.p95:,}", "strong")]
    figures += [("  max ", "muted"), (f"{spread.most:,}", "strong")]
    lines.append(tuple(figures))
    return lines


def curve_lines(
    points: Sequence[tuple[float, int]], total: int, seconds: float, width: int, height: int
) -> Lines:
    """Rows done over time, as a filled area."""
    if len(points) < 2 or seconds <= 0 or total <= 0 or width < 4:
        return []
    heights: list[int] = []
    index = 0
    done = 0
    for column in range(width):
        until = seconds * (column + 1) / width
        while index < len(points) and points[index][0] <= until:
            done = points[index][1]
            index += 1
        heights.append(round(min(1.0, done / total) * height * 8))
    lines: Lines = []
    for line in range(height, 0, -1):
        cells = [_STEPS[max(0, min(8, eighths - (line - 1) * 8))] for eighths in heights]
        lines.append((("".join(cells), "live"),))
    end = formatting.duration(seconds)
    lines.append((("0s" + end.rjust(width - 2), "muted"),))
    return lines


def fact_lines(facts: Sequence[tuple[str, str]]) -> Lines:
    """Names and values in two columns, with ``-`` for an empty value."""
    widest = max((len(name) for name, _ in facts), default=0)
    return [((f"{name:<{widest}}  ", "muted"), (value or "-", "")) for name, value in facts]
