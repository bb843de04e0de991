"""Compare a column of a job with the true values in another column, or in a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from tui.core.analysis.columns import Column, parse_column
from tui.core.analysis.evaluation import Evaluation, Evaluator
from tui.core.rows import ANSWERED
from tui.progress import NO_PROGRESS, Progress, Throttle
from tui.store.columns.reader import ColumnReader, column_of
from tui.store.columns.values import NO_VALUE, UNLISTED, ColumnValues
from tui.store.job_records import JobData
from tui.store.rows.lookup import find_row_numbers

PartialEvaluation = Callable[[Evaluation], None]
"""Called in the reading thread with the evaluation of the rows read so far."""

_FIRST_SECONDS = 0.1
_PARTIAL_SECONDS = 0.4
_PARTIAL_SHARE = 10
"""Partial results may take at most one part in 10 of the time."""

_PAGE = 500
_PAGE_CHARACTERS = 1 << 22
_COUNTED_AT_ONCE = 1 << 16
"""Rows whose different pairs are in memory together."""

_OUTCOME = parse_column("outcome")
_ANSWERED = frozenset(outcome.value for outcome in ANSWERED)


class EvaluationOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How answers are compared with gold.

    Attributes:
        normalise: Ignore case, surrounding space and quotation marks.
        most: Most classes in the list of classes and in the confusion matrix.
    """

    normalise: bool = False
    most: int = 20


def evaluate_column(
    data: JobData,
    reader: ColumnReader,
    seqs: Sequence[int],
    gold: str,
    answer: str,
    options: EvaluationOptions,
    progress: Progress = NO_PROGRESS,
    partial: PartialEvaluation | None = None,
) -> Evaluation:
    """Compare two columns of a job; reads all answers, so call it in a thread.

    Args:
        data: The job.
        reader: Reads the columns.
        seqs: The rows.
        gold: The column with the true values.
        answer: The column that is evaluated.
        options: How they are compared.
        progress: Told the rows read; if it is stopped, the rows read so far are evaluated.
        partial: Called now and then with the evaluation of the rows read so far.

    Raises:
        UsageError: The job does not have one of the columns.
    """
    truth, guess = column_of(data, gold), column_of(data, answer)
    pairs = _Pairs(data, reader, seqs, truth, guess, options)
    reporting = None
    if partial is not None:
        throttle = Throttle(_FIRST_SECONDS, _PARTIAL_SECONDS, _PARTIAL_SHARE)

        def reporting(read: dict[Column, ColumnValues], _done: int) -> None:
            throttle.run(lambda: partial(pairs.evaluation(read, is_whole=False)))

    columns = reader.read(data, dict.fromkeys((truth, guess, _OUTCOME)), progress, reporting)
    return pairs.evaluation(columns, is_whole=not progress.stopped)


class _Pairs:
    """Evaluates the pairs of two columns, whose values are known by their codes."""

    def __init__(
        self,
        data: JobData,
        reader: ColumnReader,
        seqs: Sequence[int],
        gold: Column,
        answer: Column,
        options: EvaluationOptions,
    ) -> None:
        self._data = data
        self._reader = reader
        self._seqs = seqs
        self._gold = gold
        self._answer = answer
        self._options = options

    def evaluation(
        self, columns: dict[Column, ColumnValues], *, is_whole: bool = True
    ) -> Evaluation:
        """The evaluation; if not ``is_whole``, of the rows whose answer was read."""
        gold, answer = columns[self._gold], columns[self._answer]
        outcomes = columns.get(_OUTCOME)
        evaluator = Evaluator(normalised=self._options.normalise)
        for counts in self._counts(gold, answer, outcomes):
            for (truth, guess, outcome), rows in counts.items():
                if UNLISTED in (truth, guess) or (not is_whole and guess == NO_VALUE):
                    continue
                evaluator.add(
                    None if truth == NO_VALUE else gold.texts[truth],
                    None if guess == NO_VALUE else answer.texts[guess],
                    has_answer=outcomes is None or outcomes.texts[outcome] in _ANSWERED,
                    rows=rows,
                )
        if is_whole:
            self._add_unlisted(evaluator, gold, answer, outcomes)
        found = evaluator.evaluation(self._options.most)
        return msgspec.structs.replace(found, is_whole=is_whole)

    def _counts(
        self, gold: ColumnValues, answer: ColumnValues, outcomes: ColumnValues | None
    ) -> Iterator[Counter[tuple[int, int, int]]]:
        """How often each pair occurs with each outcome, for some thousand rows at a time."""
        codes = (gold.codes, answer.codes, gold.codes if outcomes is None else outcomes.codes)
        for start in range(0, len(self._seqs), _COUNTED_AT_ONCE):
            seqs = self._seqs[start : start + _COUNTED_AT_ONCE]
            picked = [map(column.__getitem__, seqs) for column in codes]
            yield Counter(zip(*picked, strict=True))

    def _add_unlisted(
        self,
        evaluator: Evaluator,
        gold: ColumnValues,
        answer: ColumnValues,
        outcomes: ColumnValues | None,
    ) -> None:
        """Add the rows with a value that is not listed, which is read again from the files."""
        unlisted = (seq for seq in self._seqs if UNLISTED in (gold.codes[seq], answer.codes[seq]))
        for page in _pages(unlisted):
            truths = self._reader.texts(self._data, self._gold, page)
            guesses = self._reader.texts(self._data, self._answer, page)
            for seq, truth, guess in zip(page, truths, guesses, strict=True):
                outcome = None if outcomes is None else outcomes.texts[outcomes.codes[seq]]
                evaluator.add(truth, guess, has_answer=outcome is None or outcome in _ANSWERED)


def evaluate_file(
    data: JobData,
    reader: ColumnReader,
    seqs: Sequence[int],
    gold: Iterable[tuple[str, str | None]],
    answer: str,
    options: EvaluationOptions,
    progress: Progress = NO_PROGRESS,
) -> Evaluation:
    """Compare a column of a job with true values by ``custom_id``; call it in a thread.

    Args:
        data: The job.
        reader: Reads the column.
        seqs: The rows; gold of other rows is left out.
        gold: Ids and true values, in any order.
        answer: The column that is evaluated.
        options: How they are compared.
        progress: Told the rows read; if it is stopped, the rows read so far are evaluated.

    Raises:
        UsageError: The job does not have the column.
    """
    column = column_of(data, answer)
    evaluator = Evaluator(normalised=options.normalise)
    waiting = bytearray(data.job.counts.total)
    for seq in seqs:
        waiting[seq] = _WAITING
    unknown = repeated = done = 0

    def add(truths: Sequence[tuple[int, str | None]]) -> None:
        rows = [seq for seq, _ in truths]
        guesses = reader.texts(data, column, rows)
        outcomes = reader.texts(data, _OUTCOME, rows)
        for (_, truth), guess, outcome in zip(truths, guesses, outcomes, strict=True):
            evaluator.add(truth, guess, has_answer=outcome in _ANSWERED)

    for page in _gold_pages(gold):
        if progress.stopped:
            break
        numbers = find_row_numbers(data.connection, data.pk, [custom_id for custom_id, _ in page])
        truths: list[tuple[int, str | None]] = []
        for custom_id, truth in page:
            if custom_id not in numbers:
                unknown += 1
                continue
            seq = numbers[custom_id]
            if waiting[seq] in (_DONE, _DONE_ELSEWHERE):
                repeated += 1
            elif waiting[seq] == _WAITING:
                waiting[seq] = _DONE
                truths.append((seq, truth or None))
            else:
                waiting[seq] = _DONE_ELSEWHERE
        add(truths)
        done += len(truths)
        progress.update(done, len(seqs))
    for rows in _pages(seq for seq in seqs if waiting[seq] == _WAITING):
        if progress.stopped:
            break
        add([(seq, None) for seq in rows])
        done += len(rows)
        progress.update(done, len(seqs))
    return msgspec.structs.replace(
        evaluator.evaluation(options.most),
        unknown_ids=unknown,
        repeated_ids=repeated,
        is_whole=not progress.stopped,
    )


_WAITING, _DONE, _DONE_ELSEWHERE = 1, 2, 3
"""What is known of a row: it is evaluated and has no gold yet, or its gold was read."""


def _pages(rows: Iterable[int]) -> Iterator[list[int]]:
    found = iter(rows)
    while page := list(islice(found, _PAGE)):
        yield page


def _gold_pages(
    gold: Iterable[tuple[str, str | None]],
) -> Iterator[list[tuple[str, str | None]]]:
    page: list[tuple[str, str | None]] = []
    size = 0
    for custom_id, truth in gold:
        page.append((custom_id, truth))
        size += len(truth or "")
        if len(page) >= _PAGE or size >= _PAGE_CHARACTERS:
            yield page
            page, size = [], 0
    if page:
        yield page
