"""Display blocks of ScaleDown's answers: summaries, entities in their text, label scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tui.core.results.blocks import Bar, Block, Mark, json_block
from tui.core.results.json_answers import normalise_entities

_MAX_MARKS = 2000


def scaledown_blocks(data: Any, source: str) -> list[Block] | None:
    """Blocks of an answer; ``None`` if it is not one of ScaleDown's.

    Args:
        data: The decoded JSON of the answer.
        source: The text in the request.
    """
    if not isinstance(data, dict):
        return None
    if isinstance(data.get("summary"), str):
        blocks = list(_summary(data, source))
        used = {"summary", "input_chars", "output_chars"}
    elif isinstance(data.get("entities"), list):
        blocks = list(_entities(normalise_entities(data)["entities"], source))
        used = {"entities"}
    elif isinstance(data.get("scores"), dict) or isinstance(data.get("labels"), list):
        blocks = list(_labels(data))
        used = {"scores", "labels", "top_label", "reasoning"}
    else:
        return None
    rest = {name: value for name, value in data.items() if name not in used}
    return blocks + ([json_block(rest, "Other fields")] if rest else [])


def _summary(data: dict[str, Any], source: str) -> Iterator[Block]:
    before = _count(data.get("input_chars"), len(source))
    after = _count(data.get("output_chars"), len(data["summary"]))
    note = f"{before:,} characters reduced to {after:,}"
    if before and after:
        note += f" ({100 * after / before:.0f}%, {before / after:.1f}:1)"
    yield Block(kind="note", text=note)
    if before:
        yield Block(kind="bars", bars=(Bar("kept", min(1.0, after / before), True),))
    yield Block(title="Summary", text=data["summary"])


def _count(reported: Any, counted: int) -> int:
    return reported if type(reported) is int and reported >= 0 else counted


def _entities(entities: list[Any], source: str) -> Iterator[Block]:
    found = [entity for entity in entities if isinstance(entity, dict)]
    marks, lost = locate_entities(entities, source)
    if not found:
        yield Block(kind="note", text="No entities found.")
    yield Block(kind="marked", title="In the text", text=source, marks=marks)
    if lost:
        count = "1 entity" if lost == 1 else f"{lost:,} entities"
        yield Block(kind="note", text=f"{count} could not be marked in the text.")
    if found:
        rows: list[tuple[str, ...]] = [("type", "text", "confidence")]
        for entity in found[:_MAX_MARKS]:
            confidence = _score(entity.get("confidence"))
            rows.append(
                (
                    str(entity.get("type", "-")),
                    str(entity.get("text", "-")),
                    "-" if confidence is None else f"{confidence:.2f}",
                )
            )
        yield Block(kind="table", title=f"Entities: {len(found):,}", cells=tuple(rows))


def locate_entities(entities: list[Any], source: str) -> tuple[tuple[Mark, ...], int]:
    """Locate entities in a text.

    An entity's offsets are used if they match its text; otherwise its text is searched, each
    occurrence being used once.

    Returns:
        The marks in order, and how many entities could not be marked.
    """
    spans: dict[int, tuple[int, int]] = {}
    shown = [entity if isinstance(entity, dict) else {} for entity in entities[:_MAX_MARKS]]
    for number, entity in enumerate(shown):
        span = _given_offsets(entity, source)
        if span is not None:
            spans[number] = span
    taken = {start for start, _ in spans.values()}
    # Case folding can change the length of non-ASCII text, which would shift later offsets.
    folded = source.casefold() if source.isascii() else ""
    after: dict[str, int] = {}
    for number, entity in enumerate(shown):
        text = entity.get("text")
        if number in spans or not isinstance(text, str) or not text:
            continue
        found = _find(text, source, folded, after.get(text, 0))
        while found in taken:
            found = _find(text, source, folded, found + len(text))
        after[text] = found + len(text) if found >= 0 else len(source)
        if found >= 0:
            taken.add(found)
            spans[number] = (found, found + len(text))
    candidates = [
        Mark(*span, str(shown[number].get("type", "")), _score(shown[number].get("confidence")))
        for number, span in spans.items()
    ]
    lost = len(shown) - len(candidates)
    marks: list[Mark] = []
    for mark in sorted(candidates, key=lambda mark: (mark.start, -mark.end)):
        if marks and mark.start < marks[-1].end:
            lost += 1
        else:
            marks.append(mark)
    return tuple(marks), lost + max(0, len(entities) - _MAX_MARKS)


def _given_offsets(entity: dict[str, Any], source: str) -> tuple[int, int] | None:
    """The entity's offsets, if they are valid and match its text."""
    text, start, end = entity.get("text"), entity.get("start"), entity.get("end")
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(source):
        return None
    if isinstance(text, str) and source[start:end].casefold() != text.casefold():
        return None
    return start, end


def _find(text: str, source: str, folded: str, start: int) -> int:
    found = source.find(text, start)
    return folded.find(text.casefold(), start) if found < 0 and folded else found


def _labels(data: dict[str, Any]) -> Iterator[Block]:
    scores: dict[str, float] = {}
    listed = data.get("labels")
    for label in listed if isinstance(listed, list) else ():
        if isinstance(label, dict):
            score = _score(label.get("score", label.get("confidence")))
            if score is not None:
                scores[str(label.get("name", label.get("label", "?")))] = score
    given = data.get("scores")
    for name, value in given.items() if isinstance(given, dict) else ():
        score = _score(value)
        if score is not None:
            scores[name] = score
    top = data.get("top_label")
    if not isinstance(top, str):
        top = max(scores, key=lambda name: scores[name], default="")
    ordered = sorted(scores.items(), key=lambda pair: -pair[1])
    yield Block(
        kind="bars",
        title=f"Label: {top}" if top else "No label",
        bars=tuple(Bar(name, score, name == top) for name, score in ordered),
    )
    if isinstance(data.get("reasoning"), str) and data["reasoning"]:
        yield Block(title="Reasoning", text=data["reasoning"])


def _score(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and 0 <= value <= 1 else None
