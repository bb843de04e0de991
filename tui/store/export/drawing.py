"""Plots as SVG that stands by itself: no script, no font, no address."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tui.core.text import one_line

_WIDTH = 640
_HEIGHT = 170
_LEFT = 46
_BOTTOM = 24
_TOP = 8
_LINE = 22
_NAME = 190


def histogram(bars: Sequence[tuple[int, int, int]], unit: str) -> str:
    """Bars side by side, with the edges of the scale below."""
    if not bars:
        return ""
    most = max(count for _, _, count in bars) or 1
    plot_width = _WIDTH - _LEFT - 4
    plot_height = _HEIGHT - _TOP - _BOTTOM
    width = plot_width / len(bars)
    parts = [_head(_HEIGHT, f"{unit}: how many answers have how many")]
    for place, (low, high, count) in enumerate(bars):
        height = plot_height * count / most
        x = _LEFT + place * width
        title = f"{low:,} to {high - 1:,} {unit}: {count:,}"
        parts.append(
            f'<rect class="bar" x="{x + 0.5:.1f}" y="{_TOP + plot_height - height:.1f}"'
            f' width="{max(width - 1, 0.5):.1f}" height="{height:.1f}">'
            f"<title>{escape(title)}</title></rect>"
        )
    parts.append(_axis(plot_height))
    parts.append(_text(_LEFT - 6, _TOP + 10, f"{most:,}", "end"))
    parts.append(_text(_LEFT, _HEIGHT - 6, f"{bars[0][0]:,}", "start"))
    parts.append(_text(_WIDTH - 4, _HEIGHT - 6, f"{bars[-1][1] - 1:,} {unit}", "end"))
    return "".join(parts) + "</svg>"


def shares(items: Sequence[tuple[str, int]], total: int) -> str:
    """A bar for each value, with its name, count and share."""
    if not items or not total:
        return ""
    most = max(count for _, count in items)
    room = _WIDTH - _NAME - 110
    parts = [_head(_LINE * len(items) + 4, "how often which value came up")]
    for place, (name, count) in enumerate(items):
        y = place * _LINE
        width = room * count / most
        parts.append(_text(_NAME - 8, y + 15, one_line(name, 28) or "(empty)", "end"))
        parts.append(
            f'<rect class="bar" x="{_NAME}" y="{y + 3}" width="{width:.1f}" height="{_LINE - 8}"/>'
        )
        words = f"{count:,}  {100 * count / total:.1f}%"
        parts.append(_text(_NAME + width + 6, y + 15, words, "start"))
    return "".join(parts) + "</svg>"


def curve(points: Sequence[tuple[float, int]], total: int, seconds: float) -> str:
    """Rows done over time, as a line that climbs."""
    if len(points) < 2 or seconds <= 0 or total <= 0:
        return ""
    plot_width = _WIDTH - _LEFT - 4
    plot_height = _HEIGHT - _TOP - _BOTTOM
    places = [
        (
            _LEFT + plot_width * min(at / seconds, 1.0),
            _TOP + plot_height * (1 - min(done / total, 1.0)),
        )
        for at, done in points
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    base = _TOP + plot_height
    area = f"{places[0][0]:.1f},{base} {line} {places[-1][0]:.1f},{base}"
    return (
        _head(_HEIGHT, "rows done over time")
        + f'<polygon class="area" points="{area}"/><polyline class="line" points="{line}"/>'
        + _axis(plot_height)
        + _text(_LEFT - 6, _TOP + 10, f"{total:,}", "end")
        + _text(_LEFT, _HEIGHT - 6, "0 s", "start")
        + _text(_WIDTH - 4, _HEIGHT - 6, f"{seconds:,.0f} s", "end")
        + "</svg>"
    )


def outcome_bar(counts: Sequence[tuple[str, int]], total: int) -> str:
    """All rows in one bar, cut by outcome."""
    parts = [_head(26, "rows by outcome")]
    x = 0.0
    for name, count in counts:
        width = _WIDTH * count / total if total else 0.0
        parts.append(
            f'<rect class="{escape(name)}" x="{x:.2f}" y="2" width="{width:.2f}" height="22">'
            f"<title>{escape(name)}: {count:,}</title></rect>"
        )
        x += width
    return "".join(parts) + "</svg>"


def _head(height: int, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        f' role="img" aria-label="{escape(label)}">'
    )


def _axis(plot_height: float) -> str:
    y = _TOP + plot_height
    return f'<line class="axis" x1="{_LEFT}" y1="{y}" x2="{_WIDTH - 4}" y2="{y}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
