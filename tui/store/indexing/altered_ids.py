"""Finds the row of a result line whose id is a changed form of the one that was sent.

Servers write ids in lower case, without the blanks or the zeros in front, or cut at a length. Such
a line belongs to a row only if no other row and no other line could be meant: of the lines of a
whole file that no row has, and the rows of the batch that have no line.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from tui.core.results.openai_lines import SHORTEST_CUT, folded_id
from tui.store.database import chunked

_MOST_LINES = 200_000
"""With more lines that no row has, the file is another one."""


class AlteredLine(NamedTuple):
    """A line that no row has, and the row that it belongs to."""

    stray: int
    offset: int
    seq: int
    custom_id: str


def altered_lines(
    connection: sqlite3.Connection, file: int, lacking: Callable[[], Mapping[int, str]]
) -> list[AlteredLine]:
    """The lines of a file that belong to a row under another form of its id, in their order.

    Args:
        connection: The history.
        file: Primary key of the file, of which every line is indexed.
        lacking: Returns the ``custom_id`` of each row of the batch without a line, by row number.
    """
    strays = connection.execute(
        "SELECT pk, custom_id, offset FROM strays WHERE file=? AND kind='unknown' LIMIT ?",
        (file, _MOST_LINES + 1),
    ).fetchall()
    if not strays or len(strays) > _MOST_LINES:
        return []
    rows = lacking()
    lines = {pk: custom_id for pk, custom_id, _ in strays}
    pairs = _paired(lines, rows, folded_id)
    cut = _length_of_cut(connection, file, [lines[pk] for pk in lines if pk not in pairs])
    if cut is not None:
        longer = {seq: one for seq, one in rows.items() if len(one) > cut}
        left = {pk: one for pk, one in lines.items() if pk not in pairs}
        pairs |= _paired(left, longer, lambda one: one[:cut])
    found = [
        AlteredLine(pk, offset, pairs[pk], rows[pairs[pk]])
        for pk, _, offset in strays
        if pk in pairs
    ]
    return sorted(found, key=lambda line: line.offset)


def ids_of(connection: sqlite3.Connection, job: int, seqs: Iterable[int]) -> dict[int, str]:
    """The ``custom_id`` of rows, by row number."""
    found: dict[int, str] = {}
    for marks, part in chunked(list(seqs)):
        sql = f"SELECT seq, custom_id FROM requests WHERE job=? AND seq IN ({marks})"
        found.update(connection.execute(sql, (job, *part)).fetchall())
    return found


def _paired(
    lines: Mapping[int, str], rows: Mapping[int, str], form: Callable[[str], str]
) -> dict[int, int]:
    """The row of each line, where one line and one row have a form of the id and no others do."""
    by_form = _only({seq: form(custom_id) for seq, custom_id in rows.items()})
    of_line = _only({pk: form(custom_id) for pk, custom_id in lines.items()})
    return {pk: by_form[one] for one, pk in of_line.items() if one in by_form}


def _only(forms: Mapping[int, str]) -> dict[str, int]:
    """What has a form, where nothing else has the same."""
    found: dict[str, int | None] = {}
    for number, form in forms.items():
        found[form] = None if form in found else number
    return {form: number for form, number in found.items() if number is not None}


def _length_of_cut(connection: sqlite3.Connection, file: int, lines: list[str]) -> int | None:
    """The length at which the server cuts ids, if all the rest of a file says that it does."""
    lengths = {len(custom_id) for custom_id in lines}
    if len(lengths) != 1 or (length := lengths.pop()) < SHORTEST_CUT:
        return None
    longer = connection.execute(
        "SELECT 1 FROM results r JOIN requests q ON q.job=r.job AND q.seq=r.seq"
        " WHERE r.job=(SELECT b.job FROM files f JOIN batches b ON b.pk=f.batch WHERE f.pk=?)"
        " AND r.file=? AND length(q.custom_id)>? LIMIT 1",
        (file, file, length),
    ).fetchone()
    return None if longer else length
