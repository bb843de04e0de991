"""Reports, costs, trials."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
from textual.content import Content
from textual.highlight import highlight

from tui.compose.estimate import Estimate
from tui.compose.preview import ComposePreview, RowPreview
from tui.compose.requests.report import CheckReport
from tui.core import formatting
from tui.core.rows import ANSWERED
from tui.core.text import one_line, visible
from tui.engine.costs.budget import cost_text
from tui.engine.try_request import TryResult
from tui.errors import BatchdeckError
from tui.ui.text.rows import read_request
from tui.ui.text.status import outcome_parts
from tui.ui.text.tones import Part, content

CAP = 16 * 1024
"""Maximum characters of a request or an answer shown next to the form."""

MUTED_DOT: Part = (" · ", "muted")


def answer_parts(estimate: Estimate) -> list[Part]:
    """Output tokens, or a warning if ``max_tokens`` is not set."""
    low, high = estimate.output_tokens_low, estimate.output_tokens_high
    if high is None:
        return [MUTED_DOT, ("no max_tokens set", "warn")]
    if not high:
        return []
    least = f"{formatting.short_number(low)} to " if low and low != high else "≤ "
    return [MUTED_DOT, (f"{least}{formatting.short_number(high)}", "strong"), (" out", "muted")]


def cost_parts(estimate: Estimate, *, free: bool) -> list[Part]:
    """The estimated cost, low to high; ``cost unknown`` without a price."""
    if free:
        return [("free", "good")]
    if estimate.low is None:
        return [("cost unknown", "warn")]
    return [(cost_text(estimate), "strong")]


def _tokens_in(tokens: float) -> str:
    """The unit of a number of input tokens, which is shown rounded."""
    return " token in" if round(tokens) == 1 else " tokens in"


def preview_parts(sketch: ComposePreview, *, free: bool) -> list[Part]:
    """Rows, tokens and cost on one line."""
    parts: list[Part] = [*count_parts(sketch.count, exact=sketch.exact), MUTED_DOT]
    tokens = formatting.short_number(sketch.estimate.input_tokens)
    parts += [(f"~{tokens}", "strong"), (_tokens_in(sketch.estimate.input_tokens), "muted")]
    parts += [*answer_parts(sketch.estimate), MUTED_DOT]
    parts += cost_parts(sketch.estimate, free=free)
    if sketch.count is None:
        parts.append((f" for the first {sketch.estimate.rows:,}", "muted"))
    if sketch.is_constant:
        parts.append((" · ! all rows make the same request: insert a {column}", "warn"))
    return parts


def count_parts(count: int | None, *, exact: bool) -> list[Part]:
    """The number of rows, with ``~`` if it is estimated."""
    if count is None:
        return [("-", "strong"), (" rows", "muted")]
    approx = "" if exact else "~"
    return [(f"{approx}{count:,}", "strong"), (" row" if count == 1 else " rows", "muted")]


def preview_head(rows: tuple[RowPreview, ...], chosen: int) -> list[Part]:
    """The names of the sample rows, with a mark at the one shown."""
    parts: list[Part] = []
    for index, row in enumerate(rows):
        words = f"{row.why} · {'row ' if index == chosen else ''}{row.number:,}"
        parts.append((f" ▸ {words} " if index == chosen else f"   {words} ",
                      "strong" if index == chosen else "muted"))  # fmt: skip
    return parts


def request_text(row: RowPreview) -> Content:
    """A request as readable text if possible, followed by its JSON body."""
    line = msgspec.json.encode(row.request)
    words = read_request(line, as_json=False)
    body = row.request.get("body")
    whole = visible(json.dumps(body, indent=2, ensure_ascii=False), newlines=True)
    url = one_line(str(row.request.get("url")), 60)
    head = content(
        [(f"{one_line(row.custom_id, 80)}", "strong"),
         (f"  {formatting.size(row.size)} to {url}", "muted")]
    )  # fmt: skip
    coloured = _json(whole)
    if words.suffix == ".json":
        return head + content([("\n", "")]) + coloured
    shown = words.shown[:CAP]
    if (gap := shown.plain.find("\n\n")) >= 0:
        # Save a line: on a small screen the question should be visible without scrolling.
        shown = shown[:gap] + shown[gap + 1 :]
    asked = head + content([(" · ", "muted")]) + shown
    return asked + content([("\n\n── request body ──\n", "muted")]) + coloured


def _json(text: str) -> Content:
    shown = highlight(text[:CAP], language="json")
    return shown + content([("\n…", "muted")]) if len(text) > CAP else shown


def trial_text(trial: TryResult) -> Content:
    """The result of a tried request: outcome, usage and answer, or the error."""
    result = trial.result
    facts: list[Part] = [*outcome_parts(result.outcome)]
    usage = result.usage
    for count, what in ((usage.input_tokens, "in"), (usage.output_tokens, "out")):
        if count is not None:
            facts += [MUTED_DOT, (f"{count:,} {what}", "")]
    facts += [MUTED_DOT, (f"{trial.seconds:.1f} s", "")]
    if result.model:
        facts += [MUTED_DOT, (one_line(result.model, 60), "muted")]
    facts.append(("\n\n", ""))
    if result.outcome not in ANSWERED and result.error is not None:
        facts.append((visible(result.error.message[:CAP], newlines=True), "bad"))
        return content(facts)
    text = result.text
    if not text:
        return content([*facts, ("The answer is empty.", "muted")])
    if text.lstrip()[:1] in ("{", "["):
        try:
            value = msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            pass
        else:
            whole = json.dumps(value, indent=2, ensure_ascii=False)
            return content(facts) + _json(visible(whole, newlines=True))
    shown = visible(text[:CAP], newlines=True)
    return content([*facts, (shown, ""), ("\n…" if len(text) > CAP else "", "muted")])


def why_not_submittable(report: CheckReport, fix: bool) -> str:
    """Why the file cannot be submitted; empty if it can."""
    if report.stops:
        return f"Fix {formatting.counted(report.stops, 'problem')} in the file first."
    if report.fixable and not fix:
        return "Some lines must be fixed first: press F."
    return ""


def most_frequent(names: dict[str, int]) -> str:
    """The most frequent name, and the number of others."""
    if not names:
        return ""
    first = max(names, key=names.__getitem__)
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"


def report_figures(report: CheckReport) -> list[Part]:
    """Requests, endpoint, model, size and tokens on one line."""
    values = [
        (formatting.number(report.rows), " requests" if report.rows != 1 else " request"),
        (one_line((most_frequent(report.endpoints) or "-").removeprefix("/v1/"), 50), ""),
        (one_line(most_frequent(report.models) or "-", 50), ""),
        (formatting.size(report.size), ""),
        (f"~{formatting.short_number(report.input_tokens)}", _tokens_in(report.input_tokens)),
    ]
    parts: list[Part] = []
    for value, unit in values:
        if parts:
            parts.append((" · ", "muted"))
        parts += [(value, "strong"), (unit, "muted")]
    return parts


def submit_state(report: CheckReport, fix: bool) -> list[Part]:
    """Whether the file can be submitted, and which key helps if not."""
    if report.stops:
        problems = formatting.counted(report.stops, "problem")
        return [
            (f"✗ {problems} to fix in the file", "bad"),
            ("   o", "accent"),
            (" opens it, ", "muted"),
            ("ctrl+r", "accent"),
            (" checks again", "muted"),
        ]
    if report.fixable and fix:
        lines = formatting.counted(report.fixable, "fix", "fixes")
        return [(f"✓ Ready to submit with {lines}; your file is not changed", "good")]
    if report.fixable:
        problems = formatting.counted(report.fixable, "problem")
        return [
            (f"◐ {problems} can be fixed automatically", "warn"),
            ("   F", "accent"),
            (" fixes", "muted"),
        ]
    return [("✓ Ready to submit", "good")]


def progress_parts(
    verb: str, done: int, total: int | None, amount: Callable[[int], str] = formatting.number
) -> list[Part]:
    """How far a piece of work is, and the key that stops it.

    Args:
        verb: What is done, such as ``Checking``.
        done: What is done in all.
        total: How much there is, if that is known.
        amount: Formats both.
    """
    of = f" of {amount(total)}" if total else ""
    figures = f"  {amount(done)}{of}" if done or total else ""
    return [(verb + figures, "live"), ("   esc", "accent"), (" stop", "muted")]


def check_error(error: BatchdeckError) -> list[Part]:
    """Why the file could not be checked at all."""
    parts: list[Part] = [(f"✗ {one_line(error.message, 300)}", "bad")]
    if error.hint:
        parts.append((f"   {one_line(error.hint, 300)}", "muted"))
    return parts
