"""Kill the real program at every step of every command, restart it, and count what was paid.

The program is ``python -m tui`` in a process of its own; ``BATCHDECK_KILL_AT`` lets it die by
SIGKILL at a named step. The provider is a sandbox on TCP, which outlives it and knows the
truth: exactly the batches that were wanted, and every row of every job here at the end.

Run it with ``python -m tests.faults.kill [--short] [--times N] [WORD…]``; it prints a table.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.end_to_end.rows import chat, own_models, params
from tests.fakes.bucket import BUCKET, KEY_PAIR, REGION
from tests.fakes.gcs import GCS_BUCKET, GCS_REGION
from tests.faults.kill_cases import AT_ONCE, CASES, DISTINCT, SHORT, Case
from tests.faults.kill_server import ProviderRecord, served
from tui.engine.context import KILL_VARIABLE

CONFIG = """
[providers.{provider}]
[providers.{provider}.limits]
rows = {rows}
[providers.{provider}.poll]
min_seconds = 0.05
max_seconds = 0.2
confirm_seconds = 1
[accounts.far]
provider = "{provider}"
base_url = "{url}"
"""

GOOGLE_BUCKET = """
[accounts.far.params]
project = "our-project"
region = "{region}"
bucket = "{bucket}"
endpoint_url = "{url}"
"""

AWS_BUCKET = """
[accounts.far.params]
region = "{region}"
bucket = "{bucket}"
endpoint_url = "{url}"
role_arn = "arn:aws:iam::111122223333:role/bd"
[providers.bedrock.auth]
ways = ["aws"]
"""


def gemini(number: int, text: str) -> dict[str, Any]:
    """A chat request for a model of Google's."""
    row = chat(number, text)
    return {**row, "body": {**row["body"], "model": "gemini-3.5-flash"}}


CACHE = {"type": "ephemeral"}

BODY_BUILDERS = {"scaledown": own_models, "anthropic": params, "vertex": gemini}


@dataclass
class Found:
    """What was found after the program was restarted."""

    wrong: list[str] = field(default_factory=list)
    batches: int = 0
    rows: int = 0
    seconds: float = 0.0

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Record a failed expectation."""
        if found != wanted:
            self.wrong.append(f"{what}: {found!r} and not {wanted!r}")


class Program:
    """The program with one home, started for each command."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *arguments: str, kill_at: str = "", may: tuple[int, ...] = (0, 1)) -> Any:
        """Run a command; returns its JSON document, or ``None`` if it was killed.

        Raises:
            AssertionError: Its exit code is not one that ``may`` allows.
        """
        environment = {
            **{name: value for name, value in os.environ.items() if "_API_KEY" not in name},
            "BATCHDECK_HOME": str(self.home),
            "BATCHDECK_KEY_FAR": "none",
            "FIREWORKS_ACCOUNT_ID": "acme",
            **KEY_PAIR,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            KILL_VARIABLE: kill_at,
        }
        done = subprocess.run(
            [sys.executable, "-m", "tui", *arguments, "--json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if kill_at:
            assert done.returncode == -9, f"{kill_at!r} was not reached: {done.stderr}"
            return None
        assert done.returncode in may, f"{arguments}: {done.returncode}\n{done.stderr}"
        lines = [json.loads(line) for line in done.stdout.split("\n") if line.strip()]
        # Rows come one to a line, everything else as one document.
        return lines if arguments[0] == "results" else next(iter(lines), None)

    def jobs(self) -> list[dict[str, Any]]:
        """The documents of all jobs."""
        return [self.run("show", job["id"]) for job in self.run("list")]


def run_case(case: Case, folder: Path) -> Found:
    """Kill the program, restart it, and check the result."""
    began = time.monotonic()
    program = Program(folder / "home")
    # What is cancelled must still run then.
    rate = 1.0 if case.doing in ("cancel", "deadline") else 0.0
    with served(case.system.like, folder / "far", rate) as truth:
        _configure(program.home, case, truth)
        file = _requests(folder / "job.jsonl", case)
        submit = ["submit", str(file), "--account", "far", "--yes"]
        submit += ["--dedupe"] if case.dedupes else []
        submit += ["--prime"] if case.doing == "prime" else []
        submit += ["--deadline", "+9s"] if case.doing == "deadline" else []
        found = Found()
        target = folder / "rows.jsonl"
        if case.doing in ("submit", "split", "dedupe", "prime", "deadline"):
            program.run(*submit, "--wait", kill_at=case.step)
        else:
            program.run(*submit, *([] if case.doing == "cancel" else ["--wait"]))
            verbs = {
                "retry": ["retry", "job", "--wait", "--yes"],
                "again": ["retry", "job", "--wait", "--yes"],
                "cancel": ["cancel", "job", "--yes"],
                "delete": ["delete", "job", "--yes"],
                "export": ["export", "job", "-o", str(target), "--yes"],
            }
            verb = verbs[case.doing]
            if case.doing == "delete" and case.system.deletes:
                verb.append("--remote")
            program.run(*verb, kill_at=case.step)
            if case.doing == "export":
                if target.exists():
                    found.expect("lines", len(target.read_bytes().splitlines()), case.system.rows)
                program.run(*verb)
                found.expect("lines", len(target.read_bytes().splitlines()), case.system.rows)
                found.expect("left beside it", list(target.parent.glob(".*.part*")), [])
            elif case.doing == "delete" and program.run("list"):
                program.run(*verb)
        _restart(program, case, truth, submit)
        _check(program, case, truth, found)
        found.seconds = time.monotonic() - began
    return found


def _configure(home: Path, case: Case, truth: ProviderRecord) -> None:
    home.mkdir(mode=0o700)
    rows = case.system.part if case.parts > 1 and case.doing != "prime" else 1000
    text = CONFIG.format(provider=case.system.provider, rows=rows, url=truth.url)
    if truth.gcs is not None:
        text += GOOGLE_BUCKET.format(region=GCS_REGION, bucket=GCS_BUCKET, url=truth.gcs.url)
    if truth.store_url:
        text += AWS_BUCKET.format(region=REGION, bucket=BUCKET, url=truth.store_url)
    (home / "config.toml").write_text(text, "utf-8")


def _requests(file: Path, case: Case) -> Path:
    make = BODY_BUILDERS.get(case.system.like, chat)
    with file.open("w", encoding="utf-8") as stream:
        for number in range(case.system.rows):
            of = number % DISTINCT if case.dedupes else number
            word = " sandbox:flaky=500" if case.flakes and of % 4 == 0 else ""
            row = {**make(of, f"Say {of}{word}"), "custom_id": f"row-{number}"}
            if case.doing == "prime":
                mark = {"type": "text", "text": "Be short.", "cache_control": CACHE}
                row["params"] = {**row["params"], "system": [mark]}
            stream.write(json.dumps(row) + "\n")
    return file


def _restart(program: Program, case: Case, truth: ProviderRecord, submit: list[str]) -> None:
    """Do what a user does: watch, resolve unconfirmed batches, submit drafts."""
    program.run("watch", may=(0, 1, 3))
    jobs = program.jobs()
    if not jobs and case.step == "checked":
        program.run(*submit, "--wait")
    for job in jobs:
        states = {batch["submission"] for batch in job["batches"]}
        if "uncertain" in states:
            _resolve(program, case, truth, job)
        elif job["status"] == "draft" and case.doing != "cancel":
            again = ["--dedupe"] if case.dedupes else []
            again += ["--prime"] if case.doing == "prime" else []
            program.run("submit", job["id"], "--wait", "--yes", *again)
        elif job["counts"]["failed"] and case.flakes:
            # It died before it had noted the retry.
            program.run("retry", job["id"], "--wait", "--yes")


def _resolve(program: Program, case: Case, truth: ProviderRecord, job: dict[str, Any]) -> None:
    """Resolve an unconfirmed batch as a user who looks at the provider's web page."""
    known = {batch["remote_id"] for batch in job["batches"]}
    strange = [remote_id for remote_id in truth.created if remote_id not in known]
    if strange:
        program.run("adopt", strange[0], "--job", job["id"])
        program.run("watch", job["id"])
    else:
        program.run("submit", job["id"], "--resend", "--wait", "--yes")
    (after,) = program.jobs()
    if any(batch["submission"] in ("draft", "uploading") for batch in after["batches"]):
        program.run("submit", job["id"], "--wait", "--yes")


def _check(program: Program, case: Case, truth: ProviderRecord, found: Found) -> None:
    found.batches = len(truth.created)
    found.expect("batches at the provider", found.batches, case.batches)
    jobs = program.jobs()
    if case.doing == "delete":
        found.expect("jobs", jobs, [])
        if case.system.deletes:
            found.expect("left at the provider", truth.kept(), [])
        return
    found.expect("jobs", len(jobs), 1)
    (job,) = jobs
    intents = {batch["remote_id"] for batch in job["batches"] if batch["remote_id"]}
    found.expect("batches known here", intents, set(truth.created))
    rows = program.run("results", "job", "--limit", str(case.system.rows + 1))
    outcomes = Counter(row["outcome"] for row in rows)
    found.rows = len(rows)
    found.expect("rows", found.rows, case.system.rows)
    counts = {name: n for name, n in job["counts"].items() if n and name != "total"}
    found.expect("counts", counts, dict(outcomes))
    found.expect("strays", sum(job["strays"].values()), 0)
    if case.doing == "deadline":
        _check_deadline(case, truth, found, job, rows)
    if case.dedupes:
        sent = sum(batch["rows"] for batch in job["batches"] if batch["attempt"] == 1)
        found.expect("rows sent", sent, DISTINCT)
        of = {row["custom_id"]: row["text"] for row in rows}
        alike = all(of[f"row-{n}"] == of[f"row-{n % DISTINCT}"] for n in range(case.system.rows))
        found.expect("equal answers", alike, True)
    if case.doing == "cancel":
        found.expect("status", job["status"], "cancelled")
        found.expect("pending", outcomes["pending"], 0)
        found.expect("asked to stop", truth.cancelled, set(truth.created))
    else:
        # What was under way one by one may be paid: it is not sent again without a yes.
        lost = [row for row in rows if (row.get("error") or {}).get("code") == "no_answer"]
        most = AT_ONCE if case.step.startswith("row written") else 0
        found.expect("lost under way", len(lost) <= most, True)
        outcomes["failed"] -= len(lost)
        found.expect("outcomes", dict(+outcomes), {"succeeded": case.system.rows - len(lost)})


def _check_deadline(
    case: Case,
    truth: ProviderRecord,
    found: Found,
    job: dict[str, Any],
    rows: list[dict[str, Any]],
) -> None:
    """Compare the rows that were sent one by one with those that the batch had answered."""
    found.expect("phase", job["deadline"]["phase"], "sent")
    by_batch = {f"Say {row['custom_id'][4:]}" for row in rows if row["attempt"] == 1}
    found.expect("answered by the batch and sent again", by_batch & set(truth.single), set())
    lost = [row for row in rows if (row.get("error") or {}).get("code") == "no_answer"]
    left = case.system.rows - len(by_batch)
    found.expect("sent one by one", left - len(lost) <= len(truth.single) <= left, True)
    found.expect("sent twice", truth.single.total() - len(truth.single), 0)


def main() -> int:
    """Run the cases and print a table; returns 0 if all passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only cases whose name has all of these")
    parser.add_argument("--short", action="store_true", help="only some of the cases")
    parser.add_argument("--times", type=int, default=1, help="how often each case is run")
    chosen = parser.parse_args()
    bad: Counter[str] = Counter()
    ran: Counter[str] = Counter()
    print(f"{'doing':8} {'provider':11} {'killed at':22} {'batches':>7} {'rows':>5}  {'s':>5}")
    for case in SHORT if chosen.short else CASES:
        if not all(word in str(case) for word in chosen.words):
            continue
        for _ in range(chosen.times):
            with tempfile.TemporaryDirectory(prefix="batchdeck-kill-") as folder:
                try:
                    found = run_case(case, Path(folder))
                except (AssertionError, subprocess.TimeoutExpired) as error:
                    found = Found(wrong=[str(error)])
            ran[case.system.like] += 1
            bad[case.system.like] += bool(found.wrong)
            line = f"{case.doing:8} {case.system.like:11} {case.step:22} {found.batches:7}"
            said = "; ".join(found.wrong) or "ok"
            print(f"{line} {found.rows:5}  {found.seconds:5.1f}  {said}", flush=True)
    for like, n in ran.items():
        print(f"{like:11} {n:4} kills, {bad[like]} wrong")
    print(f"{ran.total()} kills, {bad.total()} wrong")
    return 1 if bad.total() else 0


if __name__ == "__main__":
    sys.exit(main())
