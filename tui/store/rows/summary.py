"""The summary of a job from one pass over its rows, and its progress over time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from tui.core.jobs import RemoteCounts
from tui.core.summary import Summarizer, Summary, Throughput
from tui.progress import NO_PROGRESS, Progress, Throttle
from tui.store.job_records import JobData, read_batches
from tui.store.rows.reader import RowReader

_MAX_SAMPLES = 240
"""Maximum number of samples per batch; beyond it, every second one is deleted."""


def add_sample(
    connection: sqlite3.Connection, batch_pk: int, at: float, counts: RemoteCounts
) -> None:
    """Store a progress sample of a batch if the number of rows has changed; in a transaction."""
    done = counts.ended
    if done is None:
        return
    last = connection.execute(
        "SELECT done FROM samples WHERE batch=? ORDER BY at DESC LIMIT 1", (batch_pk,)
    ).fetchone()
    if last is not None and last[0] == done:
        return
    connection.execute("INSERT OR REPLACE INTO samples VALUES (?,?,?)", (batch_pk, at, done))
    (number,) = connection.execute(
        "SELECT count(*) FROM samples WHERE batch=?", (batch_pk,)
    ).fetchone()
    if number > _MAX_SAMPLES:
        times = connection.execute(
            "SELECT at FROM samples WHERE batch=? ORDER BY at", (batch_pk,)
        ).fetchall()
        # Keep the first and the last sample: they are the ends of the curve.
        connection.executemany(
            "DELETE FROM samples WHERE batch=? AND at=?",
            [(batch_pk, time) for (time,) in times[1:-1:2]],
        )


def read_samples(data: JobData) -> list[tuple[float, int]]:
    """Progress of the first attempt of a job, as reported by the provider.

    Returns:
        Pairs of Unix seconds and finished rows, summed over all parts of the attempt.
    """
    rows = data.connection.execute(
        "SELECT s.batch, s.at, s.done FROM samples s JOIN batches b ON b.pk=s.batch"
        " WHERE b.job=? AND b.attempt=1 ORDER BY s.at",
        (data.pk,),
    )
    newest: dict[int, int] = {}
    found: list[tuple[float, int]] = []
    for batch, at, done in rows:
        newest[batch] = done
        found.append((at, sum(newest.values())))
    return found


_PAGE = 500

_FIRST_SECONDS = 0.4
"""Seconds until the first partial summary."""

_PARTIAL_SECONDS = 1.0
"""Minimum number of seconds between two partial summaries."""

_PARTIAL_SHARE = 20
"""Partial summaries may take at most one part in 20 of the time."""


def summarize(
    data: JobData,
    seqs: Sequence[int],
    field: str = "",
    *,
    stop_words: bool = False,
    progress: Progress = NO_PROGRESS,
    partial: Callable[[Summary], None] | None = None,
) -> Summary:
    """Summarize rows of a job; reads them once, so call it in a thread.

    Args:
        data: The job.
        seqs: The rows.
        field: Path of the answer field whose values and words are counted; see ``Summarizer``.
        stop_words: Leave out stop words such as "the".
        progress: Told the rows read and their total; when it is stopped, the rows read so far
            are summarized.
        partial: Called from time to time with the summary of the rows read so far.
    """
    job = data.job
    summarizer = Summarizer(field, stop_words=stop_words)
    pace = throughput_of(data)
    told = _told_tokens(data)

    def so_far() -> Summary:
        return summarizer.summary(job.id, job.name, job.counts, job.cost, pace, told)

    throttle = Throttle(_FIRST_SECONDS, _PARTIAL_SECONDS, _PARTIAL_SHARE)
    with RowReader(data) as reader:
        for start in range(0, len(seqs), _PAGE):
            page = seqs[start : start + _PAGE]
            summarizer.add(reader.lines(page))
            done = start + len(page)
            progress.update(done, len(seqs))
            if done == len(seqs) or progress.stopped:
                break
            if partial is not None:
                throttle.run(lambda: partial(so_far()))
    return so_far()


def _told_tokens(data: JobData) -> RemoteCounts:
    """The tokens that the provider counts for all batches of a job."""
    batches = read_batches(data.connection, "j.pk=?", (data.pk,))
    # A batch that was retried in place has the tokens of both attempts.
    counts = [batch.remote_counts for batch in batches if batch.native_of is None]
    inputs = [each.input_tokens for each in counts if each.input_tokens is not None]
    outputs = [each.output_tokens for each in counts if each.output_tokens is not None]
    return RemoteCounts(
        input_tokens=sum(inputs) if inputs else None,
        output_tokens=sum(outputs) if outputs else None,
    )


def throughput_of(data: JobData) -> Throughput:
    """Throughput of a job over time, from the progress that the provider reported."""
    job = data.job
    if job.submitted_at is None:
        return Throughput()
    samples = read_samples(data)
    start = job.submitted_at
    points = [(max(0.0, at - start), done) for at, done in samples]
    last = job.ended_at or (samples[-1][0] if samples else None)
    seconds = None if last is None else max(0.0, last - start)
    rate = job.counts.ended / seconds if seconds and job.ended_at is not None else None
    return Throughput(points=tuple(points), seconds=seconds, rows_per_second=rate)
