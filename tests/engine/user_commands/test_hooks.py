"""A person's own command at the end of a job: it is told all, waits for nobody, sees no key."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.engine.bench import write_requests
from tests.waiting import Patience, within
from tui.config.settings import AccountConfig, Config, HooksConfig, PriceConfig
from tui.core.jobs import Submission
from tui.engine.engine import Engine
from tui.engine.events import BatchSubmitted, BudgetExceeded, HookEnded, RowsCollected
from tui.engine.user_commands.runner import passed_on
from tui.errors import BudgetError
from tui.paths import Paths

SCRIPT = """\
import json, os, sys
document = json.load(sys.stdin)
with open(sys.argv[1], "a") as out:
    out.write(json.dumps({"document": document, "environment": dict(os.environ)}) + "\\n")
print("said \\x1b[31mthis")
sys.exit(int(sys.argv[2]))
"""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("MY_HIDDEN", "sk-secret")


class Told:
    """The events about hooks, and a way to wait for one."""

    def __init__(self, engine: Engine) -> None:
        self.events: list[HookEnded] = []
        self._came = asyncio.Event()
        engine.events.subscribe(self._take)

    def _take(self, event: object) -> None:
        if isinstance(event, HookEnded):
            self.events.append(event)
            self._came.set()

    async def one(self) -> HookEnded:
        async with within(30):
            await self._came.wait()
        return self.events[-1]


@asynccontextmanager
async def engine_with(
    paths: Paths, command: list[str | Path], seconds: float = 30
) -> AsyncIterator[tuple[Engine, Told]]:
    line = shlex.join(str(word) for word in command)
    config = Config(
        hooks=HooksConfig(on_job_end=line, timeout=seconds),
        accounts={"mine": AccountConfig(provider="openai", key_env="MY_HIDDEN")},
    )
    engine = await Engine.open(paths, config)
    try:
        yield engine, Told(engine)
    finally:
        await engine.close()


async def run_job(engine: Engine, folder: Path, name: str = "letters") -> str:
    file = write_requests(folder / f"{name}.jsonl", ["one", "two sandbox:flaky=429"])
    job = await engine.requests.import_file(file)
    await engine.submit(job.id)
    await engine.wait([job.id])
    return job.id


async def test_the_document_comes_on_stdin_and_the_keys_do_not(
    paths: Paths, tmp_path: Path
) -> None:
    script, out = tmp_path / "a script.py", tmp_path / "out put.jsonl"
    script.write_text(SCRIPT)
    async with engine_with(paths, [sys.executable, script, out, "3"]) as (engine, told):
        job_id = await run_job(engine, tmp_path)
        ended = await told.one()
        assert (ended.job_id, ended.good) == (job_id, False)
        assert ended.what == "exited with code 3: said \\x1b[31mthis"
        (line,) = out.read_text().splitlines()
        got = json.loads(line)
        assert got["document"] == json.loads(json.dumps(engine.history.jobs.document(job_id)))
        assert got["document"]["counts"]["failed"] == 1
        assert "sk-secret" not in got["environment"].values()
        assert got["environment"]["BATCHDECK_JOB"] == job_id
        assert got["environment"]["PATH"] == os.environ["PATH"]
    assert "said" in paths.log_file.read_text()


async def test_it_is_run_again_after_a_retry_and_once_for_each_end(
    paths: Paths, tmp_path: Path
) -> None:
    script, out = tmp_path / "script.py", tmp_path / "out.jsonl"
    script.write_text(SCRIPT)
    async with engine_with(paths, [sys.executable, script, out, "0"]) as (engine, told):
        job_id = await run_job(engine, tmp_path)
        await told.one()
        await engine.retry(await engine.retries.plan(job_id))
        await engine.wait([job_id])
        await engine.collect(job_id)
    documents = [json.loads(line)["document"] for line in out.read_text().splitlines()]
    assert [document["counts"]["succeeded"] for document in documents] == [1, 2]


async def test_one_that_hangs_is_stopped_with_all_that_it_started(
    paths: Paths, tmp_path: Path
) -> None:
    child = tmp_path / "child.pid"
    code = (
        "import pathlib, subprocess, sys, time;"
        "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"pathlib.Path({str(child)!r}).write_text(str(c.pid)); time.sleep(600)"
    )
    async with engine_with(paths, [sys.executable, "-c", code], seconds=4) as (engine, told):
        await run_job(engine, tmp_path)
        ended = await told.one()
    assert not ended.good and "timed out after 4 s" in ended.what
    await asyncio.to_thread(await_end, child)


def await_end(pid_file: Path) -> None:
    patience = Patience(20)
    while runs(pid_file):
        assert not patience.is_over, f"the child of the hook goes on after {patience}"
        time.sleep(0.01)


def runs(pid_file: Path) -> bool:
    """Does the process still run? One that waits to be reaped by whoever adopts it does not."""
    try:
        status = Path(f"/proc/{pid_file.read_text()}/status").read_text()
    except FileNotFoundError:
        return False
    return "State:\tZ" not in status


@pytest.mark.parametrize("command", [["/no/such/program"], ["\0"]])
async def test_one_that_cannot_be_run_is_told(
    paths: Paths, tmp_path: Path, command: list[str | Path]
) -> None:
    async with engine_with(paths, command) as (engine, told):
        await run_job(engine, tmp_path)
        ended = await told.one()
        assert not ended.good and "could not be run" in ended.what


async def test_one_that_floods_and_does_not_read_is_no_trouble(
    paths: Paths, tmp_path: Path
) -> None:
    flood = [sys.executable, "-c", "import os; os.close(0); print('x' * 3_000_000)"]
    async with engine_with(paths, flood) as (engine, told):
        await run_job(engine, tmp_path)
        ended = await told.one()
        assert ended.good
        assert len(ended.what) < 10_000


async def test_each_event_runs_its_command_once(paths: Paths, tmp_path: Path) -> None:
    script, out = tmp_path / "script.py", tmp_path / "out.jsonl"
    script.write_text(SCRIPT)
    line = shlex.join([sys.executable, str(script), str(out), "0"])
    config = Config(
        hooks=HooksConfig(
            on_submit=line, on_first_failure=line, on_flag=line, on_budget=line, on_job_end=line
        ),
        prices={"sandbox-small": PriceConfig(input=1.0, output=2.0)},
    )
    async with opened(paths, config) as engine, opened(paths, config) as other:
        job_id = await run_job(engine, tmp_path)
        await engine.retry(await engine.retries.plan(job_id))
        await engine.wait([job_id])
        # Another program hears of the same.
        batch = engine.history.batches.of_job(job_id)[0]
        for each in (engine, other):
            each.events.publish(BatchSubmitted(job_id, batch.id, "again"))
            each.events.publish(RowsCollected(job_id, batch.id, 2))
            each.events.publish(BudgetExceeded(job_id, "over budget by $1.00"))
            each.events.publish(BudgetExceeded(job_id, "over budget by $2.00"))
        stuck = {"submission": Submission.UNCERTAIN}
        engine.history.batches.update(batch.id, stuck, 1.0)
        for each in (engine, other):
            each._hooks.look_for_flags()
            each._hooks.look_for_flags()
    async with opened(paths, config) as later:
        # What a program stored before it was killed is not run again.
        later.events.publish(RowsCollected(job_id, batch.id, 2))
        later._hooks.look_for_flags()
    told = [json.loads(line)["environment"] for line in out.read_text().splitlines()]
    assert sorted(each["BATCHDECK_EVENT"] for each in told) == [
        "budget", "first_failure", "flag", "job_end", "job_end", "submit",
    ]  # fmt: skip
    said = {each["BATCHDECK_EVENT"]: each.get("BATCHDECK_MESSAGE", "") for each in told}
    assert said["budget"].startswith("over budget by $") and "unconfirmed" in said["flag"]


async def test_a_budget_that_stops_a_submit_is_told(paths: Paths, tmp_path: Path) -> None:
    script, out = tmp_path / "script.py", tmp_path / "out.jsonl"
    script.write_text(SCRIPT)
    config = Config(
        hooks=HooksConfig(on_budget=shlex.join([sys.executable, str(script), str(out), "0"])),
        accounts={"mine": AccountConfig(provider="openai", key_env="MY_HIDDEN")},
        prices={"m": PriceConfig(input=1000.0, output=1000.0)},
    )
    async with opened(paths, config) as engine:
        file = write_requests(tmp_path / "letters.jsonl", ["one", "two"])
        job = await engine.requests.import_file(file, account="mine")
        with pytest.raises(BudgetError):
            await engine.submit_imported([job], budget=0.0001)
    assert json.loads(out.read_text())["document"]["id"] == job.id


@asynccontextmanager
async def opened(paths: Paths, config: Config) -> AsyncIterator[Engine]:
    engine = await Engine.open(paths, config)
    try:
        yield engine
    finally:
        await engine.close()


def test_only_listed_variables_are_passed_on() -> None:
    environment = {
        "PATH": "/bin", "HOME": "/h", "LC_ALL": "C", "OPENAI_API_KEY": "x", "HF_TOKEN": "x",
        "DATABASE_URL": "postgres://u:secret@h/d", "PGPASS": "x", "MY_SETTING": "y",
    }  # fmt: skip
    kept = {"PATH": "/bin", "HOME": "/h", "LC_ALL": "C"}
    assert passed_on(environment) == kept
    assert passed_on(environment, ["MY_SETTING", "NOT_SET"]) == kept | {"MY_SETTING": "y"}
    # Not even a name in the configuration passes the key of an account on.
    listed = ["MY_SETTING", "OPENAI_API_KEY", "BATCHDECK_KEY_WORK"]
    environment["BATCHDECK_KEY_WORK"] = "x"
    assert passed_on(environment, listed, {"OPENAI_API_KEY"}) == kept | {"MY_SETTING": "y"}
