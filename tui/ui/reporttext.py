"""What a check found, in the words of the Compose pane."""

from __future__ import annotations

from tui.compose.report import CheckReport
from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.ui import formatting
from tui.ui.tones import Part


def why_no_submit(report: CheckReport, fix: bool) -> str:
    """Why the file cannot be sent; empty when it can."""
    if report.stops:
        return f"{formatting.counted(report.stops, 'problem')} must be mended in the file first."
    if report.fixable and not fix:
        return "Some lines must be fixed first: F does it."
    return ""


def most(names: dict[str, int]) -> str:
    """The name that most rows have, and how many others there are."""
    if not names:
        return ""
    first = max(names, key=names.__getitem__)
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"


def figures(report: CheckReport) -> list[Part]:
    """Rows, endpoint, model, size, tokens."""
    values = [
        (formatting.number(report.rows), " requests" if report.rows != 1 else " request"),
        (one_line((most(report.endpoints) or "-").removeprefix("/v1/"), 50), ""),
        (one_line(most(report.models) or "-", 50), ""),
        (formatting.size(report.size), ""),
        (f"~{formatting.short_number(report.input_tokens)}", " tokens in"),
    ]
    parts: list[Part] = []
    for value, unit in values:
        if parts:
            parts.append((" · ", "muted"))
        parts += [(value, "strong"), (unit, "muted")]
    return parts


def verdict(report: CheckReport, fix: bool) -> list[Part]:
    """Whether the file can be sent, and what to press if not."""
    if report.stops:
        problems = formatting.counted(report.stops, "problem")
        return [
            (f"✗ {problems} must be mended in the file", "bad"),
            ("   o", "accent"),
            (" opens it, ", "muted"),
            ("ctrl+r", "accent"),
            (" checks again", "muted"),
        ]
    if report.fixable and fix:
        lines = formatting.counted(report.fixable, "fix", "fixes")
        return [(f"✓ Ready to send with {lines}; your file stays as it is", "good")]
    if report.fixable:
        problems = formatting.counted(report.fixable, "problem")
        return [
            (f"◐ {problems} can be fixed without changing a request", "warn"),
            ("   F", "accent"),
            (" fixes", "muted"),
        ]
    return [("✓ Ready to send", "good")]


def refusal(error: BatchdeckError) -> list[Part]:
    """Why the file could not be checked at all."""
    parts: list[Part] = [(f"✗ {one_line(error.message, 300)}", "bad")]
    if error.hint:
        parts.append((f"   {one_line(error.hint, 300)}", "muted"))
    return parts
