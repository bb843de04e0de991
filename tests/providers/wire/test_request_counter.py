from __future__ import annotations

from pathlib import Path

import httpx

from tests.sandbox.conftest import Clock
from tui.providers.connect import connect
from tui.providers.profiles.load import load_profiles
from tui.providers.wire.client import RequestCounter


def test_minutes_pass_and_the_clock_may_be_set_back() -> None:
    clock = Clock(60_000.0)
    traffic = RequestCounter(clock)
    for _ in range(3):
        traffic.note()
    clock.now += 60
    traffic.note()
    assert (traffic.last_minute, traffic.last_hour, traffic.total) == (4, 4, 4)
    clock.now += 600
    assert (traffic.last_minute, traffic.last_hour) == (0, 4)
    clock.now -= 3600
    traffic.note()
    assert (traffic.last_minute, traffic.total, traffic.busiest_minute) == (1, 5, 3)
    clock.now += 180 * 60
    assert traffic.last_hour == 0


def test_what_it_keeps_does_not_grow() -> None:
    clock = Clock(0.0)
    traffic = RequestCounter(clock)
    for _ in range(1000):
        clock.now += 60
        traffic.note()
    assert traffic.last_hour == 60
    assert len(traffic._minutes) == 60


async def test_tries_and_redirects_are_counted_too(tmp_path: Path) -> None:
    answers = [
        httpx.Response(307, headers={"location": "/v1/batches/b1?again"}),
        httpx.Response(503),
        httpx.Response(200, json={"id": "b1", "object": "batch", "status": "in_progress"}),
    ]
    transport = httpx.MockTransport(lambda request: answers.pop(0))
    traffic = RequestCounter()
    dialect = connect(load_profiles({})["openai"], key="k", transport=transport, traffic=traffic)
    await dialect.retrieve("b1")
    await dialect.aclose()
    assert traffic.total == 3
