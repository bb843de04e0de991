"""Answers side by side, with the differences highlighted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from tui.core import formatting
from tui.core.analysis import comparison
from tui.core.analysis.comparison import word_diff
from tui.core.query import RowSelection
from tui.core.rows import ANSWERED, RowLine
from tui.store.history import NO_ROW, Comparison, History
from tui.ui.text.paged import CAP, PagedText, Piece


@dataclass(frozen=True)
class AnswerDiff:
    """The answers of all jobs to one row, each with a short note (tokens and cost)."""

    answers: tuple[PagedText, ...]
    notes: tuple[str, ...]


def read_answers(history: History, found: Comparison, place: int) -> AnswerDiff:
    """Read the answers of one id. Blocking: call it in a thread.

    Of two answers, both show what the other one does not have; of more, each shows what the first
    one does not have.

    Raises:
        HistoryError: A result file has been changed.
    """
    lines = [
        _line(history, totals.job_id, seqs[place])
        for totals, seqs in zip(found.jobs, found.seqs, strict=True)
    ]
    as_data = found.options.as_data
    texts = [_text(line, as_data) for line in lines]
    answers = [_plain(line, text) for line, text in zip(lines, texts, strict=True)]
    first = lines[0]
    for number, line in enumerate(lines[1:], 1):
        if first is None or line is None or not (_is_answer(first) and _is_answer(line)):
            continue
        pieces = word_diff(texts[0], texts[number])
        if pieces is not None:
            narrowed = list(narrow_changes(pieces))
            answers[number] = _marked(narrowed, "added")
            if len(lines) == 2:
                answers[0] = _marked(narrowed, "removed")
    return AnswerDiff(tuple(answers), tuple(map(_note, lines)))


def narrow_changes(pieces: Iterable[comparison.DiffPiece]) -> Iterator[comparison.DiffPiece]:
    """Narrow each change to the words that differ.

    White space, quotes and commas around a change that are the same on both sides become part
    of the unchanged text.
    """
    pending = ""
    for which, text in pieces:
        if which == "removed":
            pending = text
            continue
        if which == "added" and pending:
            yield from _narrowed(pending, text)
            pending = ""
            continue
        if pending:
            yield ("removed", pending)
            pending = ""
        yield (which, text)
    if pending:
        yield ("removed", pending)


def _narrowed(removed: str, added: str) -> Iterator[comparison.DiffPiece]:
    """Split the common non-word characters off both ends of a change."""
    shorter = min(len(removed), len(added))
    start = end = 0
    while start < shorter and removed[start] == added[start] and not removed[start].isalnum():
        start += 1
    while (
        end < shorter - start
        and removed[-1 - end] == added[-1 - end]
        and not removed[-1 - end].isalnum()
    ):
        end += 1
    parts: list[comparison.DiffPiece] = [
        ("same", removed[:start]),
        ("removed", removed[start : len(removed) - end]),
        ("added", added[start : len(added) - end]),
        ("same", removed[len(removed) - end :]),
    ]
    yield from (part for part in parts if part[1])


def _marked(pieces: list[comparison.DiffPiece], side: Literal["removed", "added"]) -> PagedText:
    """One side of the diff, with the text that only this side has highlighted."""
    return _reading(
        Piece(text, "" if which == "same" else side)
        for which, text in pieces
        if which in ("same", side)
    )


def _line(history: History, job_id: str, seq: int) -> RowLine | None:
    if seq == NO_ROW:
        return None
    selection = RowSelection(seqs=(seq,), total=1)
    return next(history.rows.lines(job_id, selection), None)


def _is_answer(line: RowLine) -> bool:
    return line.outcome in ANSWERED


def _text(line: RowLine | None, as_data: bool) -> str:
    """The answer; JSON is written with sorted keys, as their order is not a difference."""
    if line is None:
        return ""
    if as_data and line.data is not None and len(line.text) <= CAP:
        ordered = msgspec.json.encode(line.data, order="deterministic")
        return msgspec.json.format(ordered, indent=2).decode()
    return line.text


def _plain(line: RowLine | None, text: str) -> PagedText:
    if line is None:
        return PagedText([Piece("This job has no row with this id.", "muted")])
    if _is_answer(line):
        return _reading([Piece(text)])
    pieces = [Piece(line.outcome.value, "bad" if line.error is not None else "muted")]
    if line.error is not None:
        pieces.append(Piece("\n\n" + line.error.message))
    return PagedText(pieces)


def _reading(pieces: Iterable[Piece]) -> PagedText:
    reading = PagedText(pieces)
    return reading if reading.length else PagedText([Piece("The answer is empty.", "muted")])


def _note(line: RowLine | None) -> str:
    if line is None:
        return ""
    tokens = line.usage.output_tokens
    out = "" if tokens is None else f"{tokens:,} tokens out"
    cost = "" if line.cost is None else formatting.money(line.cost)
    return " · ".join(part for part in (out, cost) if part)
