"""Where the answers of a job are, and fields of some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tui.store.columns.answer_fields import PLACES, FieldDecoder
from tui.store.columns.answer_lines import AnswerLines, Place
from tui.store.database import chunked
from tui.store.job_records import JobData

_FETCH = 2000


def styles(data: JobData) -> dict[int, str]:
    """The style of each result file of a job by its primary key."""
    return dict(
        data.connection.execute(
            "SELECT f.pk, coalesce(b.style, 'openai') FROM files f"
            " JOIN batches b ON b.pk=f.batch WHERE b.job=?",
            (data.pk,),
        ).fetchall()
    )


def read_some(data: JobData, seqs: Sequence[int], path: str, largest: int = 0) -> Iterator[Any]:
    """The values of one field in some rows, in the given order.

    Args:
        data: The job.
        seqs: Row numbers.
        path: Path of the field; ``ANSWER`` for the answer itself.
        largest: Do not decode longer lines, unless it is 0; ``…`` stands for their values.
    """
    decoder = FieldDecoder([path])
    with AnswerLines(data.file, styles(data)) as lines:
        for start in range(0, len(seqs), _FETCH):
            page = seqs[start : start + _FETCH]
            found = {place[0]: place for place in _places_of(data, page)}
            for seq in page:
                place = found.get(seq)
                if place is None:
                    yield None
                elif largest and place[3] > largest:
                    yield "…"
                else:
                    yield decoder.value(lines.text(place))


def _places_of(data: JobData, seqs: Sequence[int]) -> Iterator[Place]:
    for marks, part in chunked(seqs):
        yield from data.connection.execute(f"{PLACES} AND seq IN ({marks})", (data.pk, *part))
