"""Two answers side by side, with the differences highlighted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from tui.core import comparison, formatting
from tui.core.comparison import word_diff
from tui.core.query import RowSelection
from tui.core.rows import ANSWERED, RowLine
from tui.store.history import NO_ROW, Comparison, History
from tui.ui.text.paged import CAP, PagedText, Piece


@dataclass(frozen=True)
class AnswerDiff:
    """Both answers, each with a short note (tokens and cost)."""

    left: PagedText
    right: PagedText
    notes: tuple[str, str] = ("", "")


def read_answers(history: History, found: Comparison, place: int) -> AnswerDiff:
    """Read both answers of one id. Blocking: call it in a thread.

    Raises:
        HistoryError: A result file has been changed.
    """
    left = _line(history, found.left.job_id, found.seqs[0][place])
    right = _line(history, found.right.job_id, found.seqs[1][place])
    as_data = found.options.as_data
    ours, theirs = _text(left, as_data), _text(right, as_data)
    notes = (_note(left), _note(right))
    pieces = None
    if left is not None and right is not None and _is_answer(left) and _is_answer(right):
        pieces = word_diff(ours, theirs)
    if pieces is None:
        return AnswerDiff(_plain(left, ours), _plain(right, theirs), notes)
    pieces = list(narrow_changes(pieces))
    return AnswerDiff(_marked(pieces, "removed"), _marked(pieces, "added"), notes)


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
