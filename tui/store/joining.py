"""Lines for rows that have a result already, from the same batch or from another.

Of several lines that one batch has for a row the best is kept, the first among equals: a
row that failed and was then done all the same at the provider stands in both of its files.
The others are strays. Between batches the best attempt is shown, the rest kept beside it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from tui.core.outcome import OUTCOMES, rank
from tui.store.jobs import add_counts
from tui.store.merging import show_best
from tui.store.slicing import LENGTH, OFFSET

_IDS_AT_ONCE = 500

Joined = tuple[Any, ...]
"""The values of a row as ``slicing`` has them, and behind them its outcome code, …"""

_OUTCOME = 9


class Known(NamedTuple):
    """What a batch has said of a row: in which file and where, and in which table it stands.

    ``file`` is ``None`` when no line spoke of the row and it was given up.
    """

    batch: int
    file: int | None
    outcome: int
    offset: int
    length: int
    table: str


def join_rows(
    connection: sqlite3.Connection,
    job: int,
    batch: int,
    file: int,
    rows: Sequence[Joined],
    ids: dict[int, str],
    insert: str,
) -> None:
    """Store lines of rows of which something may be known, in the running transaction.

    Args:
        connection: In a transaction.
        job: Row number of the job.
        batch: Row number of the batch whose lines these are.
        file: Row number of the file that they stand in.
        rows: The values of each line.
        ids: The ``custom_id`` of each row, by sequence number.
        insert: The statement that stores a line, with places for verb and table.
    """
    shown = _known(connection, job, "results", list(ids))
    own = {seq: known for seq, known in shown.items() if known.batch == batch}
    own |= _known(connection, job, "attempts", list(ids), batch)
    kept: dict[int, Joined] = {}
    strays: list[tuple[int | None, int, int, str]] = []
    for row in rows:
        seq = row[0]
        line = Known(batch, file, row[_OUTCOME], row[OFFSET], row[LENGTH], "")
        before = own.get(seq)
        if before is not None:
            line = line._replace(table=before.table)
            better = rank(OUTCOMES[line.outcome]) > rank(OUTCOMES[before.outcome])
            # A row that was given up has no line: one that comes after all is no second one.
            if before.file is not None:
                worse = before if better else line
                strays.append((worse.file, worse.offset, worse.length, ids[seq]))
                if not better:
                    continue
        own[seq] = line
        kept[seq] = row
    connection.executemany(
        "INSERT INTO strays (file, offset, length, kind, custom_id) VALUES (?,?,?,'duplicate',?)",
        strays,
    )
    counts: Counter[int] = Counter()
    visible: list[Joined] = []
    aside: list[Joined] = []
    competing: list[int] = []
    for seq, row in kept.items():
        holder = shown.get(seq)
        if holder is not None and holder.batch != batch:
            aside.append(row)
        elif holder is None and own[seq].table == "attempts":
            # The row was sent again and waits for that answer.
            aside.append(row)
            continue
        else:
            visible.append(row)
            counts[row[_OUTCOME]] += 1
            if holder is not None:
                counts[holder.outcome] -= 1
        competing.append(seq)
    connection.executemany(insert.format(verb="INSERT OR REPLACE", table="results"), visible)
    connection.executemany(insert.format(verb="INSERT OR REPLACE", table="attempts"), aside)
    add_counts(connection, job, dict(counts))
    show_best(connection, job, competing)


def _known(
    connection: sqlite3.Connection,
    job: int,
    table: Literal["results", "attempts"],
    seqs: list[int],
    batch: int | None = None,
) -> dict[int, Known]:
    """What is stored of rows, by any batch or by one."""
    found: dict[int, Known] = {}
    only = "" if batch is None else f" AND batch={batch}"
    for start in range(0, len(seqs), _IDS_AT_ONCE):
        part = seqs[start : start + _IDS_AT_ONCE]
        marks = ",".join("?" * len(part))
        for seq, holder, file, outcome, offset, length in connection.execute(
            f"SELECT seq, batch, file, outcome, offset, length FROM {table}"
            f" WHERE job=? AND seq IN ({marks}){only}",
            (job, *part),
        ):
            found[seq] = Known(holder, file, outcome, offset, length, table)
    return found
