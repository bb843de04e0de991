"""The user's own commands: what they get, what they do not get, and how they are stopped."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.engine.bench import write_requests
from tests.engine.user_commands.test_hooks import await_end
from tests.waiting import Patience
from tui.config.actions import ActionConfig
from tui.config.settings import AccountConfig, Config
from tui.core.query import query_filter
from tui.engine.engine import Engine
from tui.errors import UsageError
from tui.paths import Paths

TELL = """\
import json, os, sys
rows = [json.loads(line) for line in sys.stdin]
print(json.dumps({"rows": rows, "argv": sys.argv[2:], "environment": dict(os.environ)}))
"""


@asynccontextmanager
async def opened(paths: Paths, **actions: ActionConfig) -> AsyncIterator[tuple[Engine, str]]:
    """An engine with actions, and a job of the sandbox with a row that failed."""
    config = Config(
        actions=actions, accounts={"mine": AccountConfig(provider="openai", key_env="MY_HIDDEN")}
    )
    engine = await Engine.open(paths, config, sandbox_rate=0)
    try:
        texts = ["one", "two sandbox:fail=400", "three"]
        file = write_requests(paths.data / "letters.jsonl", texts)
        job = await engine.requests.import_file(file, name="my letters")
        await engine.submit(job.id)
        await engine.wait([job.id])
        yield engine, job.id
    finally:
        await engine.close()


async def test_an_action_gets_a_job_a_row_or_rows_and_no_key(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "MY_HIDDEN", "BATCHDECK_KEY_MINE", "HF_TOKEN", "PLAIN"):
        monkeypatch.setenv(name, "sk-secret" if name != "PLAIN" else "yes")
    words = (sys.executable, "-c", TELL, "{file}", "{name}", "{job}", "{id}", "{other}")
    env = ("PLAIN", "MY_HIDDEN", "OPENAI_API_KEY", "BATCHDECK_KEY_MINE")
    async with opened(
        paths,
        job=ActionConfig(command=words, env=env),
        row=ActionConfig(command=words, where="row"),
        rows=ActionConfig(command=words, where="rows"),
    ) as (engine, job_id):
        told = json.loads((await engine.actions.run("job", job_id)).output)
        assert [row["id"] for row in told["rows"]] == [job_id]
        assert told["argv"] == ["my letters", job_id, "", "{other}"]
        assert "sk-secret" not in told["environment"].values()
        assert told["environment"]["PLAIN"] == "yes"
        told = json.loads((await engine.actions.run("row", job_id, [1])).output)
        (row,) = told["rows"]
        assert (row["custom_id"], row["outcome"], row["job"]) == ("r1", "failed", job_id)
        assert row["request"]["body"]["messages"] and told["argv"][2] == "r1"
        good = query_filter("outcome:succeeded")
        told = json.loads((await engine.actions.run("rows", job_id, good)).output)
        assert [row["custom_id"] for row in told["rows"]] == ["r0", "r2"]
        told = json.loads((await engine.actions.run("rows", job_id, [2, 0])).output)
        assert [row["custom_id"] for row in told["rows"]] == ["r2", "r0"]
        with pytest.raises(UsageError, match="one row"):
            await engine.actions.run("row", job_id, [0, 1])
        with pytest.raises(UsageError, match="no action 'nope'"):
            await engine.actions.run("nope", job_id)


async def test_an_action_that_hangs_is_stopped_with_all_that_it_started(
    paths: Paths, tmp_path: Path
) -> None:
    child = tmp_path / "child.pid"
    code = (
        "import pathlib, subprocess, sys, time;"
        "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"pathlib.Path({str(child)!r}).write_text(str(c.pid));"
        "time.sleep(600)"
    )
    hang = (sys.executable, "-c", code)
    async with opened(
        paths, hang=ActionConfig(command=hang), late=ActionConfig(command=hang, timeout=0.5)
    ) as (engine, job_id):
        task = asyncio.create_task(engine.actions.run("hang", job_id))
        patience = Patience(20)
        while not (child.exists() and child.read_text()):
            assert not patience.is_over, f"the action did not begin in {patience}"
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(await_end, child)
        result = await engine.actions.run("late", job_id)
        assert result.code is None and not result.good


async def test_what_floods_is_cut_and_what_is_missing_is_told(paths: Paths) -> None:
    flood = "import os; os.close(0); print('x' * 3_000_000)"
    async with opened(
        paths,
        flood=ActionConfig(command=(sys.executable, "-c", flood), where="rows"),
        gone=ActionConfig(command="/no/such/program"),
    ) as (engine, job_id):
        result = await engine.actions.run("flood", job_id)
        assert result.good and result.is_cut and len(result.output) == 64_000
        with pytest.raises(UsageError, match="cannot run '/no/such/program'"):
            await engine.actions.run("gone", job_id)
