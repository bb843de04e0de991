"""``engine.reviews``: queues of rows for a reviewer, and what the reviewer says about them."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import msgspec

from tui.compose.sources.base import Source
from tui.config.settings import ReviewConfig
from tui.core.analysis.columns import parse_column
from tui.core.analysis.sample import Stratum, sample_rows, sample_strata
from tui.core.query import ALL_ROWS, RowFilter
from tui.core.results.json_answers import extract_json
from tui.core.results.openai_lines import UnreadableLineError
from tui.core.results.readers import READERS
from tui.core.results.schema import AnswerChecker, Schema, SchemaError
from tui.core.reviews.review import VERDICTS, Review, check_label, check_reviewer, known_label
from tui.core.rows import ANSWERED, RowDetail
from tui.core.text import one_line
from tui.engine.context import Context, run_in_thread
from tui.engine.events import JobChanged
from tui.engine.reviews.labels import ImportedReviews, import_reviews
from tui.engine.reviews.queue import ReviewQueue
from tui.errors import UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.store.history import UNLISTED, ReviewSummary

_LONGEST_VALUE = 60
_NOTHING = "none"
_OTHER = "other"
"""Stands for values that are too long to be listed, or too many."""

_UNKNOWN_REVIEWER = "me"


class Answer:
    """The answer of a row, as text to edit: JSON is indented.

    Args:
        detail: The row.

    Attributes:
        text: The text.
        is_json: Whether it is JSON.
    """

    def __init__(self, detail: RowDetail) -> None:
        self._shown = detail.attempts[0] if detail.attempts else None
        self._request = detail.request
        try:
            self._checker = AnswerChecker(Schema(detail.schema) if detail.schema else None)
        except SchemaError:
            self._checker = AnswerChecker()
        self.text = ""
        if self._shown is not None and self._shown.style in READERS:
            with suppress(UnreadableLineError):
                self.text = READERS[self._shown.style](self._shown.line, None).text
        found = extract_json(self.text)
        self.is_json = found is not None
        if found is not None:
            self.text = msgspec.json.format(found, indent=2)

    def problems(self, text: str) -> Sequence[str]:
        """What is wrong with another text in its place: not JSON, or not as the schema says."""
        edits = None if self._shown is None else self._shown.edits
        checked = self._checker.judge_text(text, self._request, edits)
        if checked.verdict.is_bad:
            return checked.problems
        if self.is_json and extract_json(text) is None:
            return ("This is not JSON, but the answer is.",)
        return ()


class Reviews:
    """Reviews of the answers of jobs.

    Args:
        context: The engine context.
        config: The settings: the name of the reviewer and the labels.
    """

    def __init__(self, context: Context, config: ReviewConfig) -> None:
        self._context = context
        self._history = context.history
        self.config = config

    @property
    def reviewer(self) -> str:
        """The name of the reviewer: as configured, else that of the system's user."""
        if self.config.name:
            return check_reviewer(self.config.name)
        # Raised where the user has no name: KeyError, since Python 3.13 OSError.
        with suppress(KeyError, OSError, ImportError, UsageError):
            return check_reviewer(getpass.getuser())
        return _UNKNOWN_REVIEWER

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels to choose from: as configured, else ``right`` and ``wrong``."""
        return tuple(check_label(label) for label in self.config.labels) or VERDICTS

    async def queue(
        self,
        job_id: str,
        rows: RowFilter | Sequence[int] = ALL_ROWS,
        *,
        reviewer: str = "",
        sample: int | None = None,
        seed: int = 0,
        by: str = "",
        progress: Progress = NO_PROGRESS,
    ) -> ReviewQueue | None:
        """Make the queue of a reviewer.

        Args:
            job_id: The job.
            rows: The rows: a filter, or row numbers in the order of the review.
            reviewer: The name; by default that of ``reviewer``.
            sample: Choose so many of the rows that have an answer, in random order.
            seed: Another number gives another sample; the same one gives the same sample.
            by: Choose the same number of rows with each value of this column, such as
                ``@label``, ``in.lang`` or ``model``.
            progress: Counts the rows that are read for ``by``; can stop that.

        Returns:
            The queue; ``None`` if it was stopped.

        Raises:
            UsageError: The column is unknown or has too many values, or there is no sample to
                stratify.
        """
        if by and sample is None:
            raise UsageError("a column needs the size of a sample", "Give the number of rows.")
        name = check_reviewer(reviewer) if reviewer else self.reviewer
        if by:
            parse_column(by)

        def work(running: Progress) -> ReviewQueue | None:
            history = self._history
            answered = history.rows.select(job_id, RowFilter(outcomes=ANSWERED)).seqs
            seqs = rows
            if isinstance(seqs, RowFilter):
                seqs = history.rows.select(job_id, seqs, progress=running).seqs
            strata: list[Stratum] = []
            if sample is not None:
                has_answer = bytearray(history.jobs.get(job_id).counts.total)
                for seq in answered:
                    has_answer[seq] = 1
                wanted = (seq for seq in seqs if has_answer[seq])
                if not by:
                    seqs = sample_rows(wanted, sample, seed)
                else:
                    values = self._values(job_id, wanted, by, running)
                    seqs, strata = sample_strata(values, sample, seed)
            if running.stopped:
                return None
            return ReviewQueue(
                job_id,
                name,
                seqs,
                answered=answered,
                labelled=history.reviews.labelled_rows(job_id, name),
                strata=strata,
            )

        return await run_in_thread(work, progress)

    def _values(
        self, job_id: str, seqs: Iterable[int], by: str, progress: Progress
    ) -> Iterator[tuple[int, str]]:
        """The value of a column in each row, as one short line."""
        values = self._history.rows.column(job_id, by, progress=progress)
        shown = [one_line(text, _LONGEST_VALUE) or _NOTHING for text in values.texts]
        shown[UNLISTED] = _OTHER
        for seq in seqs:
            yield seq, shown[values.codes[seq]]

    async def store(self, job_id: str, review: Review) -> None:
        """Store one act of a reviewer; it is on the disk when this returns.

        Raises:
            UnknownJobError: The job was deleted.
            HistoryError: It cannot be written.
        """
        stored = self._history.reviews.add
        await self._context.shielded(asyncio.to_thread(stored, job_id, [review]))

    def make(
        self,
        detail: RowDetail,
        reviewer: str,
        *,
        label: str = "",
        correction: str | None = None,
        note: str = "",
    ) -> Review:
        """A review of the answer of a row that is shown.

        Raises:
            UsageError: The row has no answer, or the label is not valid.
        """
        row = detail.row
        if row.outcome not in ANSWERED:
            raise UsageError("this row has no answer", "Go on to the next one.")
        return Review(
            custom_id=row.custom_id,
            reviewer=reviewer,
            at=self._context.clock(),
            label=check_label(known_label(label, self.labels)) if label else "",
            # Answers may hold lone surrogates, which no file can.
            correction=None if correction is None else _storable(correction),
            note=_storable(note),
            batch_id=row.batch_id,
            attempt=row.attempt,
        )

    def answer_of(self, detail: RowDetail) -> Answer:
        """The answer of a row that is shown, to be edited. Blocking for long answers."""
        return Answer(detail)

    def undone(self, review: Review, before: Review | None) -> Review:
        """The act that undoes a review: it restores the review before, if there was one."""
        empty = Review(custom_id=review.custom_id, reviewer=review.reviewer, at=0)
        return msgspec.structs.replace(before or empty, at=self._context.clock(), undo=True)

    async def summary(self, job_id: str) -> ReviewSummary:
        """The reviews of a job in figures."""
        return await asyncio.to_thread(self._history.reviews.summary, job_id)

    async def import_table(
        self, job_id: str, source: Source, *, reviewer: str = "", progress: Progress = NO_PROGRESS
    ) -> ImportedReviews:
        """Store the reviews of a table; see ``import_reviews``.

        Raises:
            InputError: The file cannot be read, or lacks the columns.
        """
        name = check_reviewer(reviewer) if reviewer else self.reviewer
        labels = self.labels
        clock = self._context.clock
        try:
            return await run_in_thread(
                lambda running: import_reviews(
                    self._history,
                    job_id,
                    source,
                    reviewer=name,
                    labels=labels,
                    clock=clock,
                    progress=running,
                ),
                progress,
            )
        finally:
            self._context.publish(JobChanged(job_id))


def column_problem(by: str) -> str:
    """Why a sample cannot be stratified by a column; empty if it can."""
    try:
        parse_column(by)
    except UsageError as error:
        return f"{error.message}. {error.hint}"
    return ""


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
