"""``history.reviews``: store and read the reviews of the rows of jobs."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from tui.core.reviews.agreement import Agreement
from tui.core.reviews.review import Review
from tui.errors import UnknownJobError
from tui.paths import Paths
from tui.store.database import Database, maps_sqlite_errors
from tui.store.job_records import job_pk
from tui.store.reviews import index
from tui.store.reviews.log import LOG_FILE, append_reviews, read_reviews

_PAGE = 500


class ReviewerCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many answers of a job a reviewer has labelled.

    Attributes:
        reviewer: The name.
        rows: Answers with a label.
        labels: How many have each label.
        corrected: Answers with a correction.
    """

    reviewer: str
    rows: int
    labels: dict[str, int]
    corrected: int = 0


class ReviewSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The reviews of a job in figures.

    Attributes:
        rows: Rows whose shown answer has a label.
        earlier: Rows of which only an earlier attempt has a label.
        reviewers: The reviewers, by name.
        agreements: The agreement of every two of them who have labelled the same answers.
    """

    rows: int
    earlier: int
    reviewers: tuple[ReviewerCounts, ...]
    agreements: tuple[Agreement, ...]


@maps_sqlite_errors
class StoredReviews:
    """The reviews of jobs; ``history.reviews``.

    Several programs may review a job at the same time: acts are stored one after the other, and
    the last one of a reviewer on a row counts.
    """

    def __init__(self, database: Database, paths: Paths) -> None:
        self._database = database
        self._paths = paths

    def log_file(self, job_id: str) -> Path:
        """The log of a job: one JSON line for each act."""
        return self._paths.job_folder(job_id) / LOG_FILE

    def add(self, job_id: str, reviews: Sequence[Review]) -> None:
        """Store reviews; when it returns, they are on the disk. Blocking.

        Each replaces what the same reviewer said about the row before.

        Raises:
            UnknownJobError: There is no job with this id.
            HistoryError: They cannot be written; none of them is stored.
        """
        if not reviews:
            return
        path = self.log_file(job_id)
        with self._database.write() as connection:
            job = job_pk(connection, job_id)
            if not path.parent.is_dir():
                raise UnknownJobError(f"the folder of job {job_id!r} is missing")
            append_reviews(path, reviews)
            index.index_log(connection, job, path)

    def refresh(self, job_id: str) -> None:
        """Index what a killed program has written and not indexed; blocking, usually nothing.

        Raises:
            UnknownJobError: There is no job with this id.
        """
        job, path = job_pk(self._database.read, job_id), self.log_file(job_id)
        if self._database.is_read_only:
            return
        if index.needs_indexing(self._database.read, job, path):
            with self._database.write() as connection:
                index.index_log(connection, job, path)

    def of_rows(self, job_id: str, seqs: Sequence[int]) -> dict[int, tuple[Review, ...]]:
        """The reviews of rows by row number, each row's by reviewer; for a few hundred at most."""
        read = self._database.read
        return index.reviews_of_rows(read, job_pk(read, job_id), self.log_file(job_id), seqs)

    def all(self, job_id: str) -> Iterator[Review]:
        """All current reviews of a job, by row and reviewer; read page by page."""
        self.refresh(job_id)
        job, path = job_pk(self._database.read, job_id), self.log_file(job_id)
        places = index.review_places(self._database.read, job)
        while part := list(islice(places, _PAGE)):
            found = read_reviews(path, [(place.offset, place.length) for place in part])
            yield from (review for review in found if review is not None)

    def count(self, job_id: str) -> int:
        """How many reviews a job has; each reviewer's review of a row counts."""
        self.refresh(job_id)
        read = self._database.read
        return index.count_reviews(read, job_pk(read, job_id))

    def labelled_rows(self, job_id: str, reviewer: str) -> array[int]:
        """Numbers of the rows whose shown answer has a label of a reviewer, in order."""
        self.refresh(job_id)
        read = self._database.read
        return index.labelled_rows(read, job_pk(read, job_id), reviewer)

    def agreements(self, job_id: str) -> list[Agreement]:
        """The agreement of every two reviewers who have labelled the same answers."""
        read = self._database.read
        return index.agreements(read, job_pk(read, job_id))

    def summary(self, job_id: str) -> ReviewSummary:
        """The reviews of a job in figures."""
        self.refresh(job_id)
        read = self._database.read
        job = job_pk(read, job_id)
        labels: dict[str, dict[str, int]] = {}
        corrected: dict[str, int] = {}
        for reviewer, label, rows, with_correction in index.label_counts(read, job):
            own = labels.setdefault(reviewer, {})
            if label:
                own[label] = rows
            corrected[reviewer] = corrected.get(reviewer, 0) + with_correction
        current, earlier = index.count_reviewed(read, job)
        return ReviewSummary(
            rows=current,
            earlier=earlier,
            reviewers=tuple(
                ReviewerCounts(
                    reviewer=name,
                    rows=sum(counts.values()),
                    labels=counts,
                    corrected=corrected[name],
                )
                for name, counts in labels.items()
            ),
            agreements=tuple(index.agreements(read, job)),
        )
