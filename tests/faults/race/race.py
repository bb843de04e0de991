"""Several programs on one history: ``python -m tests.faults.race.race [--seconds 60] [--programs
2]``.

The programs submit, watch, collect, retry and cancel the same jobs, against one sandbox on a
port; with ``--kill`` one of them is killed and restarted at intervals. Afterwards the
history must be consistent, and agree with the provider: nothing was sent twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from tests.sandbox.conftest import running
from tests.waiting import within
from tui.core.jobs import Submission
from tui.engine.engine import Engine
from tui.errors import BatchdeckError, UnconfirmedError, UsageError
from tui.paths import Paths
from tui.sandbox.options import SandboxOptions

ACCOUNT = """
default_account = "far"
[accounts.far]
provider = "near"
base_url = "{url}/v1"
[providers.near]
base = "sandbox"
poll = {{ min_seconds = 0.1, max_seconds = 0.2, grace_404_seconds = 1 }}
"""


def account(url: str) -> str:
    """A configuration with one account, a sandbox at an address."""
    return ACCOUNT.format(url=url)


class Programs:
    """The racing processes."""

    def __init__(self, home: Path, seconds: float) -> None:
        self._home = home
        self._until = time.monotonic() + seconds
        self._seed = 0
        self.reports: list[dict[str, Any]] = []
        self.wrong: list[str] = []

    def start(self) -> subprocess.Popen[str]:
        """Start a program."""
        self._seed += 1
        left = max(self._until - time.monotonic(), 0.1)
        words = [sys.executable, "-m", "tests.faults.race.racer", self._home, left, self._seed]
        return subprocess.Popen(
            [str(word) for word in words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "BATCHDECK_HOME": str(self._home)},
        )

    def end(self, process: subprocess.Popen[str]) -> None:
        """Wait for a program, and store its report."""
        out, errors = process.communicate(timeout=120)
        if process.returncode != 0 or errors:
            self.wrong.append(f"exit {process.returncode}: {errors[-2000:]}")
        else:
            self.reports.append(json.loads(out))

    def race(self, number: int, kill_every: float | None) -> int:
        """Run all programs to the end; returns how many were killed."""
        processes = [self.start() for _ in range(number)]
        killed = 0
        while kill_every is not None and self._until - time.monotonic() > kill_every:
            try:
                processes[0].wait(kill_every)
            except subprocess.TimeoutExpired:
                processes[0].kill()
                processes[0].communicate()
                killed += 1
                processes[0] = self.start()
            else:
                break
        for process in processes:
            self.end(process)
        return killed


def race(seconds: float, number: int, kill_every: float | None, folder: Path) -> dict[str, Any]:
    """Race, wait for the end, and check; ``wrong`` in the result must be empty."""
    home = folder / "home"
    paths = Paths.find(home).ensure()
    with running(SandboxOptions(home=folder / "provider", rows_per_second=0)) as url:
        paths.config_file.write_text(account(url))
        programs = Programs(home, seconds)
        killed = programs.race(number, kill_every)
        wrong = list(programs.wrong)
        done: Counter[str] = Counter()
        for report in programs.reports:
            done.update(report["done"])
            wrong += report["wrong"]
        judged = asyncio.run(_judge(paths, url, wrong))
    return {"done": dict(done), "killed": killed, "wrong": wrong, **judged}


async def _judge(paths: Paths, url: str, wrong: list[str]) -> dict[str, Any]:
    engine = await Engine.open(paths)
    try:
        jobs = engine.history.jobs.list()
        for job in jobs:
            try:
                await engine.submit(job.id)
            except (UsageError, UnconfirmedError):
                # An unconfirmed batch is looked for while the jobs are waited for.
                pass
            except BatchdeckError as error:
                wrong.append(f"{job.id} cannot be sent on: {error.message}")
        async with within(60):
            await engine.wait([job.id for job in jobs])
        remote = await asyncio.to_thread(_remote_batches, url)
        _compare(engine, remote, wrong)
        _consistent(engine, wrong)
        sent = await asyncio.to_thread(_rows_sent, url, remote)
        cancelled = _cancelled(engine)
        for custom_id, times in sent.items():
            flaky = int(custom_id.rpartition("-")[2]) % 2
            if times > 1 + flaky and custom_id.rpartition("-")[0] not in cancelled:
                wrong.append(f"row {custom_id} was sent {times} times: {_story(engine, custom_id)}")
        return {"jobs": len(jobs), "batches": len(remote), "rows_sent": sum(sent.values())}
    finally:
        await engine.close()


def _compare(engine: Engine, remote: list[dict[str, Any]], wrong: list[str]) -> None:
    """Check that every batch of the provider belongs to one batch of the history."""
    made: defaultdict[str, list[str]] = defaultdict(list)
    for batch in remote:
        made[batch["metadata"]["batchdeck_batch"]].append(batch["id"])
    ours = {
        b.id: b for job in engine.history.jobs.list() for b in engine.history.batches.of_job(job.id)
    }
    for intent, ids in made.items():
        if len(ids) > 1:
            wrong.append(f"batch {intent} was made {len(ids)} times")
        if intent not in ours:
            wrong.append(f"batch {intent} is paid for and not in the history")
        elif ours[intent].remote_id not in ids:
            wrong.append(f"batch {intent} is paid for and not known as sent")
    for batch in ours.values():
        if batch.submission is Submission.RUNNING and batch.id not in made:
            wrong.append(f"batch {batch.id} runs nowhere")


def _consistent(engine: Engine, wrong: list[str]) -> None:
    """Check the counts of the history against its rows, and its files."""
    read = engine.history._database.read
    counted = read.execute(
        "SELECT j.id, c.outcome, c.n FROM outcome_counts c JOIN jobs j ON j.pk=c.job WHERE c.n<>0"
        " EXCEPT SELECT j.id, r.outcome, count(*) FROM results r JOIN jobs j ON j.pk=r.job"
        " GROUP BY r.job, r.outcome"
    ).fetchall()
    wrong += [f"the counts of {job} are off: outcome {code} is {n}" for job, code, n in counted]
    for job in engine.history.jobs.list():
        strays = engine.history.rows.orphan_lines(job.id)
        if strays.unknown or strays.duplicate or strays.unreadable:
            wrong.append(f"job {job.id} has {strays}")
        parts = [(b.attempt, b.part) for b in engine.history.batches.of_job(job.id)]
        if parts.count((1, 1)) > 1:
            wrong.append(f"job {job.id} has its first part twice")
    for name, job_id, received, indexed, complete in read.execute(
        "SELECT f.name, j.id, f.received, f.indexed, f.complete FROM files f"
        " JOIN batches b ON b.pk=f.batch JOIN jobs j ON j.pk=b.job"
    ):
        file = engine.paths.job_folder(job_id) / name
        size = file.stat().st_size if file.exists() else -1
        if not complete or not size == received == indexed:
            wrong.append(f"{name}: {size} bytes, received {received}, indexed {indexed}")
    if read.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
        wrong.append("the database is damaged")


def _story(engine: Engine, custom_id: str) -> str:
    """The timeline of the job of a row, for the report."""
    (job_id,) = engine.history._database.read.execute(
        "SELECT j.id FROM requests q JOIN jobs j ON j.pk=q.job WHERE q.custom_id=?", (custom_id,)
    ).fetchone()
    story = [f"{entry.batch_id} {entry.what}" for entry in engine.history.jobs.timeline(job_id)]
    return f"job {job_id}: " + " | ".join(story)


def _cancelled(engine: Engine) -> set[str]:
    """The ids, without their number, of jobs with cancelled rows."""
    return {
        engine.history.rows.page(job.id, [0])[0].custom_id.rpartition("-")[0]
        for job in engine.history.jobs.list()
        if any("ancel" in entry.what for entry in engine.history.jobs.timeline(job.id))
    }


def _remote_batches(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = _ask(f"{url}/v1/batches?limit=100{after}")
        found += page["data"]
        if not page["has_more"]:
            return found
        after = f"&after={found[-1]['id']}"


def _rows_sent(url: str, remote: list[dict[str, Any]]) -> Counter[str]:
    sent: Counter[str] = Counter()
    for batch in remote:
        with urllib.request.urlopen(f"{url}/v1/files/{batch['input_file_id']}/content") as body:
            sent.update(json.loads(line)["custom_id"] for line in body.read().splitlines())
    return sent


def _ask(url: str) -> Any:
    with urllib.request.urlopen(url) as response:
        return json.load(response)


def main() -> int:
    """Race with the options of the command line; returns 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--programs", type=int, default=2)
    parser.add_argument("--kill", type=float, default=None, help="kill one every so many seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batchdeck-race-") as folder:
        report = race(options.seconds, options.programs, options.kill, Path(folder))
    for name, value in report.items():
        if name != "wrong":
            print(f"{name}: {value}")
    for reason, times in Counter(report["wrong"]).most_common(30):
        print(f"WRONG x{times}: {reason}")
    print(f"{len(report['wrong'])} wrong")
    return 1 if report["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
