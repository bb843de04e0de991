"""Leases among tasks of one program, and among programs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.store.bench import Desk
from tests.waiting import within
from tui.engine import leases
from tui.engine.engine import Engine
from tui.errors import HistoryError
from tui.paths import Paths


async def test_a_released_lease_can_be_acquired_again(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(paths)
    batch = desk.batch(desk.job(["a"]))
    engine = await Engine.open(paths)

    release = engine.history.leases.release

    def slowly(*args: object) -> None:
        time.sleep(0.05)
        release(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(engine.history.leases, "release", slowly)
    assert await engine._leases.acquire(batch.id)
    giving = asyncio.create_task(engine._leases.release([batch.id]))
    await asyncio.sleep(0)
    assert await engine._leases.acquire(batch.id)
    await giving
    taken = desk.history.leases.claim(batch.id, time.time(), 30.0, time.monotonic())
    assert not taken, "another program got it too"
    await engine.close()
    assert desk.history.leases.claim(batch.id, time.time(), 30.0, time.monotonic())
    desk.history.close()


async def test_renewal_survives_a_history_that_is_locked_for_a_while(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(paths)
    batch = desk.batch(desk.job(["a"]))
    engine = await Engine.open(paths)
    renewed = asyncio.Event()
    loop = asyncio.get_running_loop()
    calls = []

    def renew(batch_ids: object, until: float) -> None:
        calls.append(until)
        if len(calls) == 1:
            raise HistoryError("the disk is full")
        loop.call_soon_threadsafe(renewed.set)

    monkeypatch.setattr(engine.history.leases, "renew", renew)
    monkeypatch.setattr(leases, "_RENEW_SECONDS", 0.01)
    assert await engine._leases.acquire(batch.id)
    async with within(5):
        await renewed.wait()
    await engine.close()
    desk.history.close()


_HOLD = """
import sys, time
from tui.paths import Paths
from pathlib import Path
from tui.store.history import History
history = History(Paths.find(Path(sys.argv[1])))
print(history.leases.claim(sys.argv[2], time.time(), 3600.0, time.monotonic()), flush=True)
sys.stdin.read()
"""


def test_the_lease_of_a_killed_program_is_taken_over(paths: Paths, tmp_path: Path) -> None:
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
        assert not desk.history.leases.claim(batch.id, time.time(), 30.0, time.monotonic())
        holder.kill()
        holder.wait()
    # It said an hour, but it is gone.
    assert desk.history.leases.claim(batch.id, time.time(), 30.0, time.monotonic())
    desk.history.close()
