"""``ReviewQueue``: rows to be reviewed by one reviewer, in order, and which of them are done."""

from __future__ import annotations

from collections.abc import Sequence

from tui.core.analysis.sample import Stratum

_OPEN, _DONE, _NO_ANSWER = range(3)


class ReviewQueue:
    """Rows to be reviewed by one reviewer.

    It is made anew from the history at each start, so that a program which was killed goes on
    with the first row that the reviewer has not labelled.

    Args:
        job_id: The job.
        reviewer: The name of the reviewer.
        seqs: Row numbers in the order of the review.
        answered: Row numbers with an answer, in ascending order; others cannot be reviewed.
        labelled: Row numbers whose answers the reviewer has labelled.
        strata: The values of the column that the rows are a sample by; empty without one.

    Attributes:
        seqs: Row numbers in the order of the review.
    """

    def __init__(
        self,
        job_id: str,
        reviewer: str,
        seqs: Sequence[int],
        *,
        answered: Sequence[int],
        labelled: Sequence[int],
        strata: Sequence[Stratum] = (),
    ) -> None:
        self.job_id = job_id
        self.reviewer = reviewer
        self.seqs = seqs
        self.strata = tuple(strata)
        last = max(seqs, default=-1)
        # One byte for each row of the job, then one for each of the queue.
        known = bytearray([_NO_ANSWER]) * (last + 1)
        for rows, state in ((answered, _OPEN), (labelled, _DONE)):
            for seq in rows:
                if seq <= last:
                    known[seq] = state
        self._states = bytearray(known[seq] for seq in seqs)

    def __len__(self) -> int:
        return len(self.seqs)

    @property
    def done(self) -> int:
        """How many answers are labelled."""
        return self._states.count(_DONE)

    @property
    def open(self) -> int:
        """How many answers are not labelled yet."""
        return self._states.count(_OPEN)

    @property
    def without_answer(self) -> int:
        """How many rows have no answer, so that they cannot be reviewed."""
        return self._states.count(_NO_ANSWER)

    def mark(self, index: int, *, done: bool) -> None:
        """Note that the answer at an index was labelled, or that its label was taken back."""
        self._states[index] = _DONE if done else _OPEN

    def next_open(self, start: int = 0) -> int | None:
        """The first index from ``start`` on whose answer is not labelled, then from the beginning.

        Returns:
            The index; ``None`` if no answer is left.
        """
        found = self._states.find(_OPEN, start)
        if found < 0:
            found = self._states.find(_OPEN)
        return None if found < 0 else found
