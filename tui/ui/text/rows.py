"""A row's request and answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from rich.cells import cell_len

from tui.core import formatting
from tui.core.requests import describe_edits, edit_request, is_scaledown
from tui.core.results.blocks import Bar, Block, pretty_json, text_or_json
from tui.core.results.display import answer_blocks
from tui.core.results.json_answers import extract_json
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient, response_body
from tui.core.results.readers import READERS
from tui.core.results.scaledown import scaledown_blocks
from tui.core.results.schema import CheckedAnswer, SchemaResult
from tui.core.rows import ANSWERED, Attempt, RowDetail
from tui.core.text import one_line, visible
from tui.ui.text.paged import CAP, PagedText, Piece
from tui.ui.text.status import outcome_parts
from tui.ui.text.tones import Part, Tone

_BAR = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"
_LABEL = 28
_CELL = 40

_TITLE_TONES: dict[str, Tone] = {"thinking": "warn", "refusal": "bad", "note": "muted"}
_TEXT_TONES: dict[str, Tone] = {"thinking": "muted", "note": "muted"}


def pieces_of(blocks: Iterable[Block]) -> Iterator[Piece]:
    """The pieces of all blocks, separated by blank lines."""
    gap = ""
    for block in blocks:
        if gap:
            yield Piece(gap)
        # No blank line after a block that is only a title: it belongs to the next block.
        gap = "\n\n" if block.has_content else "\n"
        if block.title:
            yield Piece(block.title, _TITLE_TONES.get(block.kind, "accent"))
        body = list(_body(block))
        if block.title and body:
            yield Piece("\n")
        yield from body


def _body(block: Block) -> Iterator[Piece]:
    if block.kind == "bars":
        yield from _bars(block.bars, alarming=block.is_warning)
    elif block.kind == "table":
        yield from _table(block.cells)
    elif block.kind == "marked":
        yield from _marked(block)
    elif block.kind == "json":
        yield Piece(block.text, is_json=True)
    elif block.text:
        yield Piece(block.text, _TEXT_TONES.get(block.kind, ""))


def bar(share: float) -> str:
    """A bar padded to a fixed width, in steps of an eighth; a share above 0 is visible."""
    eighths = round(max(0.0, min(1.0, share)) * _BAR * 8)
    if share > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    text = "█" * full + (_EIGHTHS[rest] if rest else "")
    return text + " " * (_BAR - len(text))


def _bars(bars: tuple[Bar, ...], *, alarming: bool) -> Iterator[Piece]:
    labels = [one_line(entry.label, _LABEL) for entry in bars]
    width = max(map(cell_len, labels), default=0)
    chosen: Tone = "bad" if alarming else "good"
    for index, (entry, label) in enumerate(zip(bars, labels, strict=True)):
        tone: Tone = chosen if entry.chosen else "muted"
        padded = label + " " * (width - cell_len(label))
        start = "\n" if index else ""
        yield Piece(f"{start}{padded}  ", "strong" if entry.chosen else "")
        yield Piece(bar(entry.score), tone)
        yield Piece(f" {_score(entry.score)}", tone)


def _score(score: float) -> str:
    """A score with three decimals; a small one is not rounded to zero."""
    return "<0.001" if 0 < score < 0.0005 else f"{score:.3f}"


def _table(cells: tuple[tuple[str, ...], ...]) -> Iterator[Piece]:
    """A table with columns as wide as their cells; the first row is the header."""
    shown = [
        [one_line(cell, _CELL) for cell in row[:-1]] + [one_line(row[-1], 120)] for row in cells
    ]
    widths = [max(cell_len(row[column]) for row in shown) for column in range(len(shown[0]))]
    for index, row in enumerate(shown):
        line = "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        )
        yield Piece(("\n" if index else "") + line.rstrip(), "" if index else "muted")


def _marked(block: Block) -> Iterator[Piece]:
    at = 0
    for mark in block.marks:
        yield Piece(block.text[at : mark.start])
        yield Piece(block.text[mark.start : mark.end], "mark")
        confidence = "" if mark.confidence is None else f" {mark.confidence:.2f}"
        yield Piece(f"[{one_line(mark.label, 24)}{confidence}]", "muted")
        at = mark.end
    yield Piece(block.text[at:])


__all__ = ["CAP", "PagedText", "read_attempt", "read_request"]

ALWAYS_PARSED_BYTES = 2 << 20
"""A line of up to this many bytes is always parsed."""

_MOST_STRINGS = 40_000
_MOST_ITEMS = 200_000
"""A longer line is parsed only if it has few values, such as one image or one long text."""

_ROLE_TONES: dict[str, Tone] = {"system": "warn", "developer": "warn", "user": "live"}

THIS_ROW = "this row"
"""The subject of a retry while one row fills the pane."""


def _advice(retryable: bool | None, subject: str) -> str:
    """What to do about an error, with the keys of the place where it is read."""
    alone = subject == THIS_ROW
    if retryable:
        return f"Temporary error: {'retry this row with r' if alone else f'r retries {subject}'}."
    if retryable is None:
        return "The provider does not say whether a retry can help."
    way = "Edit it (R) or fix the input." if alone else f"R edits and retries {subject}."
    return f"Retrying unchanged will fail again. {way}"


def sent_request(line: bytes, edits: Mapping[str, Any]) -> bytes:
    """The request line as it was sent: with the edits of its retry applied."""
    try:
        return edit_request(line, edits)
    except ValueError:
        return line


_DOCTOR = "batchdeck doctor lists the files that are missing."


def read_request(line: bytes, *, as_json: bool) -> PagedText:
    """The text of a request line; of an empty one, that it cannot be read."""
    if not line:
        words = "The request cannot be read: it is not in the folder of the job."
        return PagedText([Piece(words, "bad"), Piece(f"\n\n{_DOCTOR}", "muted", is_remark=True)])
    value = _decoded(line)
    body = _payload(value)
    if as_json or body is None:
        return _json(value, line)
    pieces = [Piece(_settings(body), "muted")]
    messages = body.get("messages", body.get("input"))
    for name in ("system", "instructions"):
        if body.get(name) and name in body:
            pieces += _message("system", _words(body[name]))
    if isinstance(messages, list) and all(isinstance(entry, dict) for entry in messages):
        for entry in messages:
            role = entry.get("role") or entry.get("type") or "?"
            pieces += _message(str(role), _words(entry.get("content", entry)))
    elif messages is not None:
        pieces += _message("input", _words(messages))
    elif isinstance(body.get("prompt"), str):
        pieces += _message("prompt", body["prompt"])
    elif is_scaledown(body):
        pieces += _scaledown_request(body)
    else:
        return _json(value, line)
    return PagedText(pieces)


def read_attempt(
    attempt: Attempt | None,
    *,
    as_json: bool,
    request: bytes = b"",
    judgement: CheckedAnswer | None = None,
    subject: str = THIS_ROW,
) -> PagedText:
    """The text of an attempt's result: the answer or the error.

    Args:
        attempt: The attempt; ``None`` if there is none yet.
        as_json: Show the result line as JSON.
        request: The request line; ScaleDown entities are marked inside its text.
        judgement: The result of the schema check, if the answer was checked.
        subject: The rows that ``r`` and ``R`` retry, for the advice below an error.
    """
    if attempt is None or not attempt.line:
        return PagedText(_without_line(attempt, subject))
    value = _decoded(attempt.line)
    if as_json:
        return _json(value, attempt.line)
    if attempt.row.outcome in ANSWERED:
        return PagedText([*_schema_problems(judgement), *_answer(attempt, value, request)])
    return PagedText(_failure(attempt, value, subject))


def _answer(attempt: Attempt, value: Any, request: bytes) -> Iterable[Piece]:
    body = response_body(value)
    text = _text_of(attempt)
    request_body = _payload(_decoded(request)) if request else None
    if request_body is not None and is_scaledown(request_body):
        found = extract_json(text)
        data = None if found is None else msgspec.json.decode(found)
        blocks = scaledown_blocks(data, request_body["text"])
        if blocks is not None:
            return pieces_of(blocks)
    blocks = answer_blocks(body) if body else None
    if blocks is None and body and not text:
        blocks = [Block(kind="json", text=pretty_json(body))]
    if blocks is None and value is None and not text:
        # Not JSON, or too many values to parse: show the raw line.
        return _json(None, attempt.line).pieces
    if blocks is None:
        blocks = [text_or_json(text) if text else Block(kind="note", text="The answer is empty.")]
    return pieces_of(blocks)


def _text_of(attempt: Attempt) -> str:
    reader = READERS.get(attempt.style)
    if reader is None:
        return attempt.row.preview
    try:
        return reader(attempt.line, None).text
    except UnreadableLineError:
        return attempt.line.decode("utf-8", "replace")


def _schema_problems(judgement: CheckedAnswer | None) -> list[Piece]:
    if judgement is None or not (
        judgement.verdict.is_bad or judgement.verdict is SchemaResult.UNUSABLE
    ):
        return []
    usable = judgement.verdict is not SchemaResult.UNUSABLE
    title = "Does not match the schema" if usable else "The schema is invalid"
    words: list[Part] = [(title, "bad"), *((f"\n{problem}", "") for problem in judgement.problems)]
    return [Piece(text, tone, is_remark=True) for text, tone in (*words, ("\n\n", ""))]


def _failure(attempt: Attempt, value: Any, subject: str) -> list[Piece]:
    row = attempt.row
    error = row.error
    head = [str(row.http_status)] if row.http_status is not None else []
    if error is not None and error.code:
        head.append(error.code)
    pieces = [Piece(" ".join(head) or row.outcome.value, "bad")]
    if error is not None:
        pieces.append(Piece("\n\n" + error.message))
        advice = _advice(error.retryable, subject)
        pieces.append(Piece("\n\n" + advice, "muted", is_remark=True))
    pieces.append(Piece("\n\nRaw response:\n", "muted"))
    pieces += _json(value, attempt.line).pieces
    return pieces


def _without_line(attempt: Attempt | None, subject: str) -> list[Piece]:
    if attempt is None or attempt.row.outcome.value == "pending":
        return [Piece("No answer yet.", "muted")]
    row = attempt.row
    if row.outcome in ANSWERED:
        # It was answered and paid: only the file with the answer is not where it was.
        words = "The answer cannot be read: its result file is not in the folder of the job."
        return [Piece(words, "bad"), Piece(f"\n\n{_DOCTOR}", "muted", is_remark=True)]
    pieces = [Piece(row.outcome.value, "bad")]
    if row.error is not None:
        pieces.append(Piece("\n\n" + row.error.message))
    else:
        pieces.append(Piece("\n\nNo result for this row in the provider's files."))
    advice = f"A retry can help: r retries {subject}."
    pieces.append(Piece("\n\n" + advice, "muted", is_remark=True))
    return pieces


def _json(value: Any, raw: bytes) -> PagedText:
    if value is None:
        return PagedText([Piece(raw.decode("utf-8", "replace"))], ".json")
    return PagedText([Piece(pretty_json(value), is_json=True)], ".json")


def _decoded(line: bytes) -> Any:
    """The JSON value of a line; ``None`` if it is not JSON, or has too many values to show."""
    if len(line) > ALWAYS_PARSED_BYTES and (
        line.count(b'"') > _MOST_STRINGS or line.count(b",") > _MOST_ITEMS
    ):
        return None
    try:
        return decode_lenient(line)
    except UnreadableLineError:
        return None


def _payload(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    body = value.get("body", value.get("params"))
    return body if isinstance(body, dict) else None


_TEXT_FIELDS = ("prompt", "system", "input", "text", "instructions", "instruction", "system_prompt")


def _settings(body: dict[str, Any]) -> str:
    shown = []
    for name, value in body.items():
        if isinstance(value, (str, int, float, bool)) and name not in _TEXT_FIELDS:
            shown.append(str(value) if name == "model" else f"{name} {value}")
    tools = body.get("tools")
    if isinstance(tools, list) and tools:
        shown.append(f"{len(tools)} tool" + ("s" if len(tools) > 1 else ""))
    if any(isinstance(body.get(name), dict) for name in ("response_format", "output_config")):
        shown.append("with a schema")
    return " · ".join(shown)[:400].replace("\n", " ")


def _scaledown_request(body: dict[str, Any]) -> list[Piece]:
    pieces: list[Piece] = []
    for name in ("instruction", "system_prompt"):
        if isinstance(body.get(name), str) and body[name]:
            pieces += _message("system", body[name])
    entities, labels = body.get("entities"), body.get("labels")
    if isinstance(entities, dict):
        words = "\n".join(f"{name}: {what}" for name, what in entities.items())
        pieces += _message("entities", words)
    if isinstance(labels, list):
        lines = [
            f"{label.get('name')}: {label.get('rubric', '')}"
            for label in labels
            if isinstance(label, dict)
        ]
        pieces += _message("labels", "\n".join(lines))
    return pieces + _message("text", body["text"])


def _message(role: str, text: str) -> list[Piece]:
    tone = _ROLE_TONES.get(role, "accent")
    return [Piece(f"\n\n{role}", tone), Piece(f"\n{text}")]


def _words(value: Any) -> str:
    """The text of a message content; parts that are not text are shown as JSON or by size."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(_words(part) for part in value)
    if isinstance(value, dict):
        text = value.get("text")
        if isinstance(text, str):
            return text
        dumped = pretty_json(value)
        return (
            dumped
            if len(dumped) < 500
            else f"[{value.get('type', 'data')}, {len(dumped):,} characters]"
        )
    return pretty_json(value)


_VERDICTS: dict[SchemaResult, tuple[str, Tone]] = {
    SchemaResult.FITS: ("matches schema", "good"),
    SchemaResult.MISFITS: ("violates schema", "bad"),
    SchemaResult.NOT_JSON: ("not JSON", "bad"),
    SchemaResult.UNUSABLE: ("schema invalid", "warn"),
}

MAX_ATTEMPTS_SHOWN = 4
"""Maximum number of attempts listed; the shown one is always among them."""


def describe_row(
    detail: RowDetail, shown: int, judgement: CheckedAnswer | None = None
) -> list[Part]:
    """The facts about an attempt that follow id and outcome in the header."""
    attempts = detail.attempts
    row = attempts[shown].row if shown < len(attempts) else detail.row
    facts: list[Part] = []

    def add(text: str, tone: Tone = "") -> None:
        facts.extend([(" · ", "muted"), (text, tone)])

    if judgement is not None and judgement.verdict in _VERDICTS:
        add(*_VERDICTS[judgement.verdict])
    if row.usage.input_tokens is not None:
        add(f"{row.usage.input_tokens:,} in")
    if row.usage.output_tokens is not None:
        add(f"{row.usage.output_tokens:,} out")
    if row.usage.cached_tokens:
        add(f"{row.usage.cached_tokens:,} cached")
    if row.finish_reason and row.finish_reason != "stop":
        add(visible(row.finish_reason))
    if row.cost is not None:
        add(formatting.money(row.cost))
    if row.model:
        add(visible(row.model))
    if shown < len(attempts):
        if same_as := attempts[shown].same_as:
            add(f"not sent: same request as {one_line(same_as, 40)}")
        if shared := attempts[shown].shared_with:
            add(f"answer shared with {formatting.counted(shared, 'other row')}")
    return facts


def describe_attempts(detail: RowDetail, shown: int, moment: Callable[[float], str]) -> list[Part]:
    """One line per attempt: number, outcome, time, error and edits.

    Args:
        detail: The row.
        shown: The index of the attempt on the screen.
        moment: Formats a time given in Unix seconds.
    """
    attempts = detail.attempts
    if len(attempts) < 2 and not detail.edits:
        return []
    first = max(0, min(shown - MAX_ATTEMPTS_SHOWN + 1, len(attempts) - MAX_ATTEMPTS_SHOWN))
    parts: list[Part] = []
    for index, attempt in list(enumerate(attempts))[first : first + MAX_ATTEMPTS_SHOWN]:
        row = attempt.row
        parts.append(("\n" if parts else "", ""))
        parts.append(("▸ " if index == shown else "  ", "accent"))
        parts.append((f"attempt {row.attempt}  ", "strong" if index == shown else "muted"))
        parts += outcome_parts(row.outcome)
        facts = [] if attempt.at is None else [moment(attempt.at)]
        if row.error is not None:
            facts.append(one_line(row.error.code or row.error.message, 24))
        facts += describe_edits(attempt.edits)
        if facts:
            parts.append(("  " + one_line(" · ".join(facts), 160), "muted"))
    if len(attempts) > MAX_ATTEMPTS_SHOWN:
        parts.append((f"  ({len(attempts)} in total, press a)", "muted"))
    return parts
