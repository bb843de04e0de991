"""Count the rows of a filter by the values of two columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tui.core.analysis.columns import as_number
from tui.core.analysis.pivot import OTHER, Key, Pivot, Sums, make_pivot
from tui.progress import NO_PROGRESS, Progress
from tui.store.columns.reader import ColumnReader, column_of
from tui.store.columns.values import NO_VALUE, UNLISTED, ColumnValues
from tui.store.job_records import JobData


def count_pivot(
    data: JobData,
    reader: ColumnReader,
    down: str,
    across: str,
    seqs: Sequence[int],
    value: str = "",
    progress: Progress = NO_PROGRESS,
) -> Pivot:
    """Count rows by the values of two columns; reads all answers, so call it in a thread.

    Args:
        data: The job.
        reader: Reads the columns.
        down: The column whose values are the lines.
        across: The column whose values are the columns.
        seqs: The rows to count.
        value: The column whose numbers are averaged in each cell; empty for none.
        progress: Told the rows read; if it is stopped, the rows read so far are counted.

    Raises:
        UsageError: The job does not have one of the columns.
    """
    names = [down, across, *([value] if value else [])]
    columns = [column_of(data, name) for name in names]
    read = reader.read(data, columns, progress)
    first, second = read[columns[0]], read[columns[1]]
    sums: dict[tuple[int, int], Sums] = {}
    numbers: Iterable[float | None] = [None] * len(seqs)
    if value:
        third = read[columns[2]]
        known = [as_number(text) for text in third.texts]
        numbers = (
            third.number_of(seq) if (code := third.codes[seq]) == UNLISTED else known[code]
            for seq in seqs
        )
    for seq, number in zip(seqs, numbers, strict=True):
        pair = (first.codes[seq], second.codes[seq])
        found = sums.get(pair)
        if found is None:
            found = sums[pair] = Sums()
        found.rows += 1
        if number is not None:
            found.numbers += 1
            found.total += number
    keyed: dict[tuple[Key, Key], Sums] = {
        (_key(first, one), _key(second, other)): found for (one, other), found in sums.items()
    }
    return make_pivot(str(columns[0]), str(columns[1]), value, keyed)


def _key(values: ColumnValues, code: int) -> Key:
    if code == NO_VALUE:
        return (None, False)
    return (OTHER, True) if code == UNLISTED else (values.texts[code], False)
