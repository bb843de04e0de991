"""Kill the real program at every step of a job, start it again, and count what was paid.

The program is ``python -m tui`` in a process of its own; ``BATCHDECK_KILL_AT`` lets it die by
SIGKILL at a named step. The provider is a sandbox on TCP, which outlives it and knows the
truth: exactly the batches that were wanted, and every row of every job here at the end.

Run it with ``python -m tests.faults.kill [--short] [--times N]``; it prints a table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.server import batches_at, sandbox
from tui.core.jobs import Job
from tui.core.outcome import Outcome
from tui.engine.context import KILL_VARIABLE
from tui.paths import Paths
from tui.store.history import History

ROWS = 40
PART = 25

CONFIG = """
[providers.far]
base = "{provider}"
[providers.far.limits]
rows = {rows}
[providers.far.poll]
min_seconds = 0.05
max_seconds = 0.2
[accounts.far]
provider = "far"
base_url = "{url}/v1"
"""


@dataclass(frozen=True)
class Case:
    """What is done, and where the program dies.

    ``doing`` is ``submit`` (one batch), ``split`` (two batches) or ``retry`` (of flaky rows);
    ``like`` is the provider that the sandbox plays.
    """

    doing: str
    step: str
    like: str = "openai"

    @property
    def batches(self) -> int:
        """How many batches the provider should have in the end."""
        if self.doing == "submit" or self.like == "doubleword":
            return 1
        return 2


SENDING = ("confirmed", "uploading", "upload answered", "uploaded", "creating", "create answered")
COLLECTING = ("running", "downloaded", "collected", "settled")

CASES = (
    *(Case("submit", step) for step in ("planned", *SENDING, *COLLECTING)),
    *(Case("split", f"{step}:2") for step in (*SENDING[1:], *COLLECTING)),
    *(Case("retry", step) for step in ("retry stored", *SENDING, *COLLECTING)),
    *(
        Case("retry", step, "doubleword")
        for step in ("retry stored", "retrying in place", "retry answered", *COLLECTING)
    ),
)

SHORT = (
    Case("submit", "upload answered"),
    Case("submit", "create answered"),
    Case("split", "uploading:2"),
    Case("split", "downloaded:2"),
    Case("retry", "create answered"),
    Case("retry", "settled"),
    Case("retry", "retry answered", "doubleword"),
)


@dataclass
class Found:
    """What was found after the program was started again."""

    died: bool
    batches: int
    intents: int
    outcomes: Counter[str]
    counted: Counter[str]
    strays: int
    seconds: float

    def trouble(self, case: Case) -> str:
        """What is wrong; empty when all is well."""
        wrong = []
        if not self.died:
            wrong.append("the step was not reached")
        if self.batches != case.batches or self.intents != case.batches:
            wrong.append(f"{self.batches} batches, {self.intents} intents at the provider")
        if self.outcomes != Counter(succeeded=ROWS):
            wrong.append(f"rows: {dict(self.outcomes)}")
        if self.counted != self.outcomes:
            wrong.append(f"counts: {dict(self.counted)}")
        if self.strays:
            wrong.append(f"{self.strays} strays")
        return "; ".join(wrong)


def run_case(case: Case, folder: Path) -> Found:
    """Die, start again, look."""
    began = time.monotonic()
    home = folder / "home"
    with sandbox(folder / "far", like=case.like) as url:
        _configure(home, case, url)
        file = _requests(folder / "job.jsonl", flaky=case.doing == "retry")
        command = ["submit", str(file), "--account", "far", "--wait", "--yes"]
        if case.doing == "retry":
            _program(home, *command)
            command = ["retry", "job", "--wait", "--yes"]
        died = _program(home, *command, kill_at=case.step) == -9
        _start_again(home)
        remote = batches_at(url)
        return _look(home, died, remote, time.monotonic() - began)


def _configure(home: Path, case: Case, url: str) -> None:
    home.mkdir(mode=0o700)
    provider = "doubleword" if case.like == "doubleword" else "openai-compatible"
    rows = PART if case.doing == "split" else 0
    text = CONFIG.format(provider=provider, rows=rows, url=url)
    (home / "config.toml").write_text(text, "utf-8")


def _requests(file: Path, *, flaky: bool) -> Path:
    with file.open("w", encoding="utf-8") as stream:
        for number in range(ROWS):
            word = " sandbox:flaky=500" if flaky and number % 4 == 0 else ""
            body = {"model": "m", "messages": [{"role": "user", "content": f"{number}{word}"}]}
            request = {
                "custom_id": f"row-{number}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": body,
            }
            stream.write(json.dumps(request) + "\n")
    return file


def _program(home: Path, *arguments: str, kill_at: str = "") -> int:
    environment = {
        **{name: value for name, value in os.environ.items() if "_API_KEY" not in name},
        "BATCHDECK_HOME": str(home),
        "BATCHDECK_KEY_FAR": "none",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        KILL_VARIABLE: kill_at,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tui", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if not kill_at and done.returncode not in (0, 1):
        raise AssertionError(f"{arguments}: {done.returncode}\n{done.stderr}")
    return done.returncode


def _start_again(home: Path) -> None:
    """What a person does: look on, and send what was left as a draft."""
    _program(home, "watch")
    for job in _jobs(home):
        if job.status == "draft":
            _program(home, "submit", job.id, "--wait", "--yes")
        elif job.counts.unanswered:
            # It died before it had noted the retry.
            _program(home, "retry", job.id, "--wait", "--yes")


def _jobs(home: Path) -> list[Job]:
    history = History(Paths.find(home))
    try:
        return history.jobs()
    finally:
        history.close()


def _look(home: Path, died: bool, remote: list[dict[str, object]], seconds: float) -> Found:
    history = History(Paths.find(home))
    try:
        (job,) = history.jobs()
        rows = history.rows(job.id, range(job.counts.total))
        strays = history.strays(job.id)
        intents = {batch.remote_id for batch in history.batches(job.id) if batch.remote_id}
        counted = {o.value: job.counts.get(o) for o in Outcome if job.counts.get(o)}
        return Found(
            died=died,
            batches=len(remote),
            intents=len(intents & {str(batch["id"]) for batch in remote}),
            outcomes=Counter(row.outcome.value for row in rows),
            counted=Counter(counted),
            strays=strays.unknown + strays.duplicate + strays.unreadable,
            seconds=seconds,
        )
    finally:
        history.close()


def main() -> int:
    """Run the cases and print a table; the answer is 0 when all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="only some of the cases")
    parser.add_argument("--times", type=int, default=1, help="how often each case is run")
    chosen = parser.parse_args()
    bad = 0
    print(f"{'doing':8} {'provider':11} {'killed at':20} {'batches':>7} {'rows':>5}  {'s':>5}")
    for case in SHORT if chosen.short else CASES:
        for _ in range(chosen.times):
            with tempfile.TemporaryDirectory(prefix="batchdeck-kill-") as folder:
                found = run_case(case, Path(folder))
            trouble = found.trouble(case)
            bad += bool(trouble)
            good = found.outcomes["succeeded"]
            line = f"{case.doing:8} {case.like:11} {case.step:20} {found.batches:7} {good:5}"
            print(f"{line}  {found.seconds:5.1f}  {trouble or 'ok'}", flush=True)
    print("all is well" if not bad else f"{bad} went wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
