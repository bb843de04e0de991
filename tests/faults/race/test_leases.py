"""Leases between tasks of one program, and between programs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.store.bench import Desk
from tui.engine import holding
from tui.engine.engine import Engine
from tui.errors import HistoryError
from tui.paths import Paths
from tui.store.database import Database
from tui.store.leases import claim, release


async def test_a_lease_that_is_given_back_and_taken_again_is_held(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(paths)
    batch = desk.batch(desk.job(["a"]))
    engine = await Engine.open(paths)

    def slowly(*args: object) -> None:
        time.sleep(0.05)
        release(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(holding, "release", slowly)
    assert await engine._leases.take(batch.id)
    giving = asyncio.create_task(engine._leases.give([batch.id]))
    await asyncio.sleep(0)
    assert await engine._leases.take(batch.id)
    await giving
    assert not claim(desk.database, batch.id, time.time(), 30.0), "another program got it too"
    await engine.close()
    assert claim(desk.database, batch.id, time.time(), 30.0)
    desk.history.close()


async def test_a_history_that_cannot_be_written_for_a_while_does_not_end_the_renewing(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(paths)
    batch = desk.batch(desk.job(["a"]))
    engine = await Engine.open(paths)
    renewed = asyncio.Event()
    loop = asyncio.get_running_loop()
    calls = []

    def renew(database: Database, batch_ids: object, until: float) -> None:
        calls.append(until)
        if len(calls) == 1:
            raise HistoryError("the disk is full")
        loop.call_soon_threadsafe(renewed.set)

    monkeypatch.setattr(holding, "renew", renew)
    monkeypatch.setattr(holding, "_RENEW_SECONDS", 0.01)
    assert await engine._leases.take(batch.id)
    await asyncio.wait_for(renewed.wait(), 5)
    await engine.close()
    desk.history.close()


_HOLD = """
import sys, time
from tui.paths import Paths
from pathlib import Path
from tui.store.history import History
from tui.store.leases import claim
history = History(Paths.find(Path(sys.argv[1])))
print(claim(history.database, sys.argv[2], time.time(), 3600.0), flush=True)
sys.stdin.read()
"""


def test_the_lease_of_a_program_that_was_killed_is_taken_over(paths: Paths, tmp_path: Path) -> None:
    desk = Desk(paths)
    batch = desk.batch(desk.job(["a"]))
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(paths.data), batch.id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert not claim(desk.database, batch.id, time.time(), 30.0)
        holder.kill()
        holder.wait()
    # It said an hour, but it is gone.
    assert claim(desk.database, batch.id, time.time(), 30.0)
    desk.history.close()
