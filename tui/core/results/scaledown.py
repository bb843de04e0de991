"""ScaleDown's answers in pieces: a summary, entities in their text, labels with scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tui.core.blocks import Bar, Block, Mark, json_block
from tui.core.entities import with_both_spellings

_MOST_MARKS = 2000


def scaledown_blocks(data: Any, source: str) -> list[Block] | None:
    """The pieces of one answer; ``None`` when it is none of ScaleDown's.

    Args:
        data: The answer's JSON.
        source: The text of the request.
    """
    if not isinstance(data, dict):
        return None
    if isinstance(data.get("summary"), str):
        blocks = list(_summary(data, source))
        used = {"summary", "input_chars", "output_chars"}
    elif isinstance(data.get("entities"), list):
        blocks = list(_entities(with_both_spellings(data)["entities"], source))
        used = {"entities"}
    elif isinstance(data.get("scores"), dict) or isinstance(data.get("labels"), list):
        blocks = list(_labels(data))
        used = {"scores", "labels", "top_label", "reasoning"}
    else:
        return None
    rest = {name: value for name, value in data.items() if name not in used}
    return blocks + ([json_block(rest, "Further")] if rest else [])


def _summary(data: dict[str, Any], source: str) -> Iterator[Block]:
    before = _count(data.get("input_chars"), len(source))
    after = _count(data.get("output_chars"), len(data["summary"]))
    words = f"{before:,} characters became {after:,}"
    if before and after:
        words += f": {100 * after / before:.0f}% of the text, {before / after:.1f} to 1"
    yield Block(kind="note", text=words)
    if before:
        yield Block(kind="bars", bars=(Bar("kept", min(1.0, after / before), True),))
    yield Block(title="Summary", text=data["summary"])


def _count(told: Any, counted: int) -> int:
    return told if type(told) is int and told >= 0 else counted


def _entities(entities: list[Any], source: str) -> Iterator[Block]:
    found = [entity for entity in entities if isinstance(entity, dict)]
    marks, lost = marks_of(entities, source)
    if not found:
        yield Block(kind="note", text="No entity was found.")
    yield Block(kind="marked", title="In the text", text=source, marks=marks)
    if lost:
        words = (
            "1 entity has no place of its own"
            if lost == 1
            else (f"{lost:,} entities have no place of their own")
        )
        yield Block(kind="note", text=f"{words} in the text.")
    if found:
        rows: list[tuple[str, ...]] = [("type", "text", "confidence")]
        for entity in found[:_MOST_MARKS]:
            sure = _share(entity.get("confidence"))
            rows.append(
                (
                    str(entity.get("type", "-")),
                    str(entity.get("text", "-")),
                    "-" if sure is None else f"{sure:.2f}",
                )
            )
        yield Block(kind="table", title=f"Entities: {len(found):,}", cells=tuple(rows))


def marks_of(entities: list[Any], source: str) -> tuple[tuple[Mark, ...], int]:
    """Where entities stand in a text, and how many of them have no place there.

    Offsets are believed when the text there is the entity's; else the text is looked for, each
    time at the next place that is free.
    """
    places: dict[int, tuple[int, int]] = {}
    asked = [entity if isinstance(entity, dict) else {} for entity in entities[:_MOST_MARKS]]
    for number, entity in enumerate(asked):
        place = _told_place(entity, source)
        if place is not None:
            places[number] = place
    taken = {start for start, _ in places.values()}
    # Letters that change their number when they are folded would move all places after them.
    folded = source.casefold() if source.isascii() else ""
    after: dict[str, int] = {}
    for number, entity in enumerate(asked):
        text = entity.get("text")
        if number in places or not isinstance(text, str) or not text:
            continue
        found = _find(text, source, folded, after.get(text, 0))
        while found in taken:
            found = _find(text, source, folded, found + len(text))
        after[text] = found + len(text) if found >= 0 else len(source)
        if found >= 0:
            taken.add(found)
            places[number] = (found, found + len(text))
    candidates = [
        Mark(*place, str(asked[number].get("type", "")), _share(asked[number].get("confidence")))
        for number, place in places.items()
    ]
    lost = len(asked) - len(candidates)
    marks: list[Mark] = []
    for mark in sorted(candidates, key=lambda mark: (mark.start, -mark.end)):
        if marks and mark.start < marks[-1].end:
            lost += 1
        else:
            marks.append(mark)
    return tuple(marks), lost + max(0, len(entities) - _MOST_MARKS)


def _told_place(entity: dict[str, Any], source: str) -> tuple[int, int] | None:
    """The offsets of an entity, where its text stands there."""
    text, start, end = entity.get("text"), entity.get("start"), entity.get("end")
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(source):
        return None
    stands = source[start:end]
    if isinstance(text, str) and stands.casefold() != text.casefold():
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
            score = _share(label.get("score", label.get("confidence")))
            if score is not None:
                scores[str(label.get("name", label.get("label", "?")))] = score
    told = data.get("scores")
    for name, value in told.items() if isinstance(told, dict) else ():
        share = _share(value)
        if share is not None:
            scores[name] = share
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
        yield Block(title="Why", text=data["reasoning"])


def _share(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and 0 <= value <= 1 else None
