"""What composing gives, in words: figures of a sketch, what it costs, an answer that was tried."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from textual.content import Content
from textual.highlight import highlight

from tui.core.outcome import ANSWERED
from tui.core.text import one_line, visible
from tui.ui import formatting
from tui.ui.status import outcome_parts
from tui.ui.tones import Part, content

if TYPE_CHECKING:
    from tui.compose.estimate import Estimate
    from tui.compose.preview import Preview
    from tui.engine.sketch import Sketch
    from tui.engine.trying import Trial

CAP = 16 * 1024
"""Characters of a request or an answer that are shown beside the form."""

MUTED_DOT: Part = (" · ", "muted")


def answer_parts(estimate: Estimate) -> list[Part]:
    """Tokens of the answers; that there is no upper bound is said, not left out."""
    low, high = estimate.output_tokens_low, estimate.output_tokens_high
    if high is None:
        return [MUTED_DOT, ("no longest answer", "warn")]
    if not high:
        return []
    least = f"{formatting.short_number(low)} to " if low and low != high else "≤ "
    return [MUTED_DOT, (f"{least}{formatting.short_number(high)}", "strong"), (" out", "muted")]


def cost_parts(estimate: Estimate, *, free: bool) -> list[Part]:
    """What it costs: low to high; ``cost unknown`` where nobody knows."""
    if free:
        return [("free", "good")]
    from tui.engine.budgeting import cost_range

    if estimate.low is None:
        return [("cost unknown", "warn")]
    return [(cost_range(estimate), "strong")]


def sketch_parts(sketch: Sketch, *, free: bool) -> list[Part]:
    """Rows, tokens and cost in a line."""
    parts: list[Part] = [*count_parts(sketch.count, exact=sketch.exact), MUTED_DOT]
    tokens = formatting.short_number(sketch.estimate.input_tokens)
    parts += [(f"~{tokens}", "strong"), (" tokens in", "muted")]
    parts += [*answer_parts(sketch.estimate), MUTED_DOT]
    parts += cost_parts(sketch.estimate, free=free)
    if sketch.count is None:
        parts.append((f" for the first {sketch.estimate.rows:,}", "muted"))
    return parts


def count_parts(count: int | None, *, exact: bool) -> list[Part]:
    """How many rows there are."""
    if count is None:
        return [("-", "strong"), (" rows", "muted")]
    about = "" if exact else "~"
    return [(f"{about}{count:,}", "strong"), (" row" if count == 1 else " rows", "muted")]


def preview_head(rows: tuple[Preview, ...], chosen: int) -> list[Part]:
    """The three rows by name, the shown one marked."""
    parts: list[Part] = []
    for place, row in enumerate(rows):
        words = f"{row.why} · {'row ' if place == chosen else ''}{row.number:,}"
        parts.append((f" ▸ {words} " if place == chosen else f"   {words} ",
                      "strong" if place == chosen else "muted"))  # fmt: skip
    return parts


def request_words(row: Preview) -> Content:
    """A request as words where it has some, and below as it is sent."""
    from tui.ui.rowtext import read_request

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
        # Every line counts on a small screen, where what is asked is to be seen at once.
        shown = shown[:gap] + shown[gap + 1 :]
    asked = head + content([(" · ", "muted")]) + shown
    return asked + content([("\n\n── as it is sent ──\n", "muted")]) + coloured


def _json(text: str) -> Content:
    shown = highlight(text[:CAP], language="json")
    return shown + content([("\n…", "muted")]) if len(text) > CAP else shown


def trial_words(trial: Trial) -> Content:
    """The answer to a request that was tried: how it went, and what it says."""
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
