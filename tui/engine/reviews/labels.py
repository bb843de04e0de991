"""Read labels, corrections and notes from a file: a table, or JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from tui.compose.sources.base import Source
from tui.core.reviews.review import Review, check_label, check_reviewer, known_label
from tui.core.rows import ANSWERED, Row
from tui.errors import InputError, UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.store.history import History

_SLICE = 500
"""Lines stored in one step."""

_LABEL = ("label", "verdict", "review")
_CORRECTION = ("correction",)
_NOTE = ("note",)
_REVIEWER = ("reviewer",)
_ID = ("custom_id", "id")
_BATCH = ("batch_id",)


class ImportedReviews(msgspec.Struct, kw_only=True):
    """What became of the lines of a file.

    Attributes:
        lines: Lines that were read.
        stored: Reviews that were stored.
        unchanged: Lines that say what was stored already.
        empty: Lines without label, correction and note.
        unknown: Lines with an id that the job does not have.
        unanswered: Lines for rows without an answer.
        invalid: Lines whose label or reviewer is not valid.
        examples: Some ids or messages of lines that were left out.
    """

    lines: int = 0
    stored: int = 0
    unchanged: int = 0
    empty: int = 0
    unknown: int = 0
    unanswered: int = 0
    invalid: int = 0
    examples: list[str] = []


_MAX_EXAMPLES = 5


def import_reviews(
    history: History,
    job_id: str,
    source: Source,
    *,
    reviewer: str,
    labels: Sequence[str],
    clock: Callable[[], float],
    progress: Progress = NO_PROGRESS,
) -> ImportedReviews:
    """Store the reviews of a file. Blocking.

    Reviews are about the answers that are shown now, or about those of the column ``batch_id``, as
    in the lines of ``batchdeck review --sample``. What is stored already is not stored again,
    so an import that was stopped can be repeated.

    Args:
        history: The history.
        job_id: The job.
        source: The table, with the columns ``custom_id``, ``label`` (or ``verdict``, ``review``),
            ``correction``, ``note`` and ``reviewer``, at least the first and one of the others.
        reviewer: The reviewer of lines that name none.
        labels: Known labels, whose spelling is used where only the case differs.
        clock: Returns Unix seconds.
        progress: Counts the lines; can stop the import between two slices.

    Raises:
        InputError: The file cannot be read, or lacks the columns.
    """
    done = ImportedReviews()
    rows = source.rows()
    _check_columns(source)
    while part := list(islice(rows, _SLICE)):
        _store(history, job_id, [_cells(row) for row in part], reviewer, labels, clock, done)
        progress.update(done.lines, source.count or 0)
        if progress.stopped:
            break
    return done


def _check_columns(source: Source) -> None:
    columns = source.columns
    names = {column.strip().casefold() for column in columns}
    if not names & set(_ID) or not names & {*_LABEL, *_CORRECTION, *_NOTE}:
        raise InputError(
            f"{source.name} needs the column custom_id, and one of label, verdict, correction and"
            " note",
            f"It has: {', '.join(columns) or 'no columns'}.",
        )


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name).strip().casefold(): value for name, value in row.items()}


def _text(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of some cells that is not empty; objects and lists are left out."""
    for name in names:
        value = row.get(name)
        if value is not None and value != "" and not isinstance(value, dict | list):
            return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return ""


def _correction(row: Mapping[str, Any]) -> str:
    """The correction; an object or a list is a JSON answer."""
    value = row.get("correction")
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    return _text(row, _CORRECTION)


def _store(
    history: History,
    job_id: str,
    lines: Sequence[Mapping[str, Any]],
    reviewer: str,
    labels: Sequence[str],
    clock: Callable[[], float],
    done: ImportedReviews,
) -> None:
    numbers = history.rows.numbers(job_id, list({_text(line, _ID) for line in lines}))
    rows = {row.seq: row for row in history.rows.page(job_id, sorted(set(numbers.values())))}
    stored = {
        (review.custom_id, review.reviewer): review
        for reviews in history.reviews.of_rows(job_id, list(rows)).values()
        for review in reviews
    }
    new: list[Review] = []
    for review in _reviews(lines, numbers, rows, reviewer, labels, clock, done):
        key = (review.custom_id, review.reviewer)
        if review.says_the_same(stored.get(key)):
            done.unchanged += 1
        else:
            stored[key] = review
            new.append(review)
    history.reviews.add(job_id, new)
    done.stored += len(new)


def _reviews(
    lines: Sequence[Mapping[str, Any]],
    numbers: Mapping[str, int],
    rows: Mapping[int, Row],
    reviewer: str,
    labels: Sequence[str],
    clock: Callable[[], float],
    done: ImportedReviews,
) -> Iterator[Review]:
    """The reviews of some lines; what is left out is counted."""
    for line in lines:
        done.lines += 1
        custom_id = _text(line, _ID)
        row = rows.get(numbers.get(custom_id, -1))
        label, note = _text(line, _LABEL), _text(line, _NOTE)
        correction = _correction(line)
        if row is None:
            done.unknown += 1
            _remember(done, custom_id)
        elif not (label.strip() or correction or note):
            done.empty += 1
        elif row.outcome not in ANSWERED:
            done.unanswered += 1
            _remember(done, custom_id)
        else:
            try:
                word = label.strip() and check_label(known_label(label.strip(), labels))
                name = check_reviewer(_text(line, _REVIEWER) or reviewer)
            except UsageError as error:
                done.invalid += 1
                _remember(done, f"{custom_id}: {error.message}")
                continue
            yield Review(
                custom_id=custom_id,
                reviewer=name,
                at=clock(),
                label=word,
                correction=correction or None,
                note=note,
                batch_id=_text(line, _BATCH) or row.batch_id,
                attempt=row.attempt,
            )


def _remember(done: ImportedReviews, example: str) -> None:
    if len(done.examples) < _MAX_EXAMPLES:
        done.examples.append(example)
