"""Going through two jobs at once, in the order of their ids."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tui.core.comparing import KINDS, CompareOptions, Kind, Passes, Side, is_json, kind_of
from tui.core.filtering import ALL_ROWS, RowSelection, RowSort
from tui.core.rows import RowLine
from tui.errors import UsageError
from tui.store.history import History

_PAGE = 500
_TELL_EVERY = 1000

NOWHERE = -1
"""Stands for a row that a job does not have."""

Stop = Callable[[], bool]


@dataclass
class Comparison:
    """Two jobs beside each other: 13 bytes for each id, whatever the answers weigh.

    Attributes:
        left, right: What each comes to.
        options: When two answers are the same.
        kinds: For each id, in order, the code of its kind.
        left_seqs, right_seqs: For each id the row in either job, or ``NOWHERE``.
        places: For each kind the places of its ids, in order.
        stopped: Did somebody end it before all ids were seen?
    """

    left: Side
    right: Side
    options: CompareOptions
    kinds: bytearray = field(default_factory=bytearray)
    left_seqs: array[int] = field(default_factory=lambda: array("i"))
    right_seqs: array[int] = field(default_factory=lambda: array("i"))
    places: dict[Kind, array[int]] = field(
        default_factory=lambda: {kind: array("i") for kind in KINDS}
    )
    stopped: bool = False

    def __len__(self) -> int:
        return len(self.kinds)

    def count(self, kind: Kind) -> int:
        """How many ids are of a kind."""
        return len(self.places[kind])

    @property
    def is_same(self) -> bool:
        """Are all answers the same, and no id missing on either side?"""
        return not self.stopped and self.count(Kind.SAME) == len(self)

    def add(self, kind: Kind, left: int, right: int) -> None:
        """Take the next id."""
        code = _CODES[kind]
        self.places[kind].append(len(self.kinds))
        self.kinds.append(code)
        self.left_seqs.append(left)
        self.right_seqs.append(right)


_CODES = {kind: code for code, kind in enumerate(KINDS)}

Placed = tuple[int, RowLine]


def compare_jobs(
    history: History,
    left_id: str,
    right_id: str,
    options: CompareOptions = CompareOptions(),  # noqa: B008 - frozen
    *,
    passes: Passes = is_json,
    stop: Stop | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Compare the answers of two jobs; call it in a thread.

    Args:
        history: Where they are.
        left_id: One job.
        right_id: Another.
        options: When two answers are the same.
        passes: Tells whether an answer passes its schema.
        stop: Asked now and then; true ends it, and what was seen so far is the answer.
        progress: Called with rows read and rows in all, of both jobs together.

    Raises:
        UsageError: It is one and the same job.
    """
    if left_id == right_id:
        raise UsageError("a job cannot be compared with itself", "Name two jobs.")
    found = Comparison(_side(history, left_id), _side(history, right_id), options)
    total = history.job(left_id).counts.total + history.job(right_id).counts.total
    if progress is not None:
        progress(0, total)
    order = RowSort(column="custom_id")
    ours = history.select(left_id, ALL_ROWS, order, stop=stop)
    theirs = history.select(right_id, ALL_ROWS, order, stop=stop)
    if stop is not None and stop() and len(ours) + len(theirs) < total:
        # Ids that were not put in order yet say nothing of what is missing.
        found.stopped = True
        return found
    told = 0
    merged = _merged(_rows(history, left_id, ours), _rows(history, right_id, theirs))
    for left, right in merged:
        if left is not None:
            found.left.add(left[1], passes)
        if right is not None:
            found.right.add(right[1], passes)
        _take(found, left, right)
        done = found.left.rows + found.right.rows
        if done - told >= _TELL_EVERY:
            told = done
            if progress is not None:
                progress(done, total)
            if stop is not None and stop():
                found.stopped = True
                return found
    if progress is not None:
        progress(total, total)
    return found


def _take(found: Comparison, left: Placed | None, right: Placed | None) -> None:
    if right is None:
        assert left is not None
        found.add(Kind.ONLY_LEFT, left[0], NOWHERE)
    elif left is None:
        found.add(Kind.ONLY_RIGHT, NOWHERE, right[0])
    else:
        found.add(kind_of(left[1], right[1], found.options), left[0], right[0])


def _side(history: History, job_id: str) -> Side:
    job = history.job(job_id)
    cost = job.cost.actual if job.cost.actual is not None else None
    return Side(
        job_id=job.id, name=job.name, model=job.model, cost=cost, currency=job.cost.currency
    )


def _rows(history: History, job_id: str, selection: RowSelection) -> Iterator[Placed]:
    for start in range(0, len(selection), _PAGE):
        seqs = selection.seqs[start : start + _PAGE]
        page = RowSelection(seqs=seqs, total=selection.total)
        yield from zip(seqs, history.row_lines(job_id, page), strict=False)


def _merged(
    lefts: Iterator[Placed], rights: Iterator[Placed]
) -> Iterator[tuple[Placed | None, Placed | None]]:
    """Rows of both in the order of their ids, those with one id together.

    SQLite orders texts by their UTF-8 bytes, which is the order of Python's texts too.
    """
    left, right = next(lefts, None), next(rights, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[1].custom_id < right[1].custom_id):
            yield left, None
            left = next(lefts, None)
        elif left is None or right[1].custom_id < left[1].custom_id:
            yield None, right
            right = next(rights, None)
        else:
            yield left, right
            left, right = next(lefts, None), next(rights, None)
