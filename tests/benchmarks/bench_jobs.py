"""How the list of jobs feels with a long history: read, worked out, searched, sorted.

    python -m tests.benchmarks.bench_jobs [jobs] [rounds]

Reading is done in a thread by the dashboard; all else is done on the event loop, where 50 ms
is the most that anything may take. Medians of some rounds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tui.core.jobs import BatchStatus, Cost, Counts, Job, new_job_id
from tui.core.rows import OUTCOMES, Outcome
from tui.paths import Paths
from tui.store.history import History
from tui.store.job_records import add_counts, insert_job
from tui.ui.models.job_list import JobFilter, JobList, JobOrder

NOW = 1_795_000_000.0


def fill(history: History, count: int) -> None:
    """Jobs of some years, with counts and tags."""
    with history._database.write() as connection:
        for number in range(count):
            job = Job(
                id=new_job_id(),
                name=f"reviews {number} of the shop",
                account=f"account-{number % 5}",
                provider="openai",
                endpoint="/v1/chat/completions",
                model=f"model-{number % 7}",
                status=BatchStatus.COMPLETED,
                counts=Counts(total=1000),
                cost=Cost(estimated=number % 97),
                created_at=NOW - 600 * number,
            )
            pk = insert_job(connection, job)
            connection.execute("UPDATE jobs SET status='completed' WHERE pk=?", (pk,))
            failed = number % 50
            counts = {Outcome.SUCCEEDED: 1000 - failed, Outcome.FAILED: failed}
            add_counts(connection, pk, {OUTCOMES.index(kind): n for kind, n in counts.items()})
            if number % 10 == 0:
                tags = f"weekly tag{number % 30}"
                connection.execute("UPDATE jobs SET tags=?, note='a note' WHERE pk=?", (tags, pk))


def main(count: int, rounds: int) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(prefix="batchdeck-jobs-") as folder:
        history = History(Paths.find(Path(folder)))
        fill(history, count)
        board = JobList(history, lambda: NOW)
        jobs = history.jobs.list()
        board.take(jobs)
        acts: dict[str, Callable[[], object]] = {
            "read all from the history (thread)": history.jobs,
            "work out all, the first time": lambda: JobList(history, lambda: NOW).take(jobs),
            "work out all again, nothing new": lambda: board.take(jobs),
            "search a word": lambda: board.ids(JobFilter(text="8191")),
            "search a tag in one account": lambda: board.ids(
                JobFilter(text="#tag20", account="account-0")
            ),
            "sort by cost": lambda: board.ids(JobFilter(), JobOrder("cost", True)),
            "one job has changed": lambda: board.update([jobs[count // 2].id]),
            "search in the history (list --search)": lambda: history.jobs.list(search="8191"),
        }
        for name, act in acts.items():
            times = []
            for _ in range(rounds):
                begun = time.perf_counter()
                act()
                times.append(1000 * (time.perf_counter() - begun))
            print(f"{name:<40} {statistics.median(times):8.1f} ms")
        history.close()


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(given[0] if given else 10_000, given[1] if len(given) > 1 else 7)
