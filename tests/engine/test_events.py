from __future__ import annotations

import asyncio

import pytest

from tui.core.status import BatchStatus
from tui.engine import events
from tui.engine.events import (
    BatchEnded,
    DownloadProgressed,
    EventBus,
    JobChanged,
    JobEvent,
    StatusChanged,
)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    time = [100.0]
    monkeypatch.setattr(events.time, "monotonic", lambda: time[0])
    return time


def test_subscribers_hear_in_order_until_they_stop(now: list[float]) -> None:
    bus = EventBus()
    heard: list[tuple[str, JobEvent]] = []
    stop = bus.subscribe(lambda event: heard.append(("first", event)))
    bus.subscribe(lambda event: heard.append(("second", event)))
    event = JobChanged("j")
    bus.publish(event)
    stop()
    stop()
    bus.publish(event)
    assert heard == [("first", event), ("second", event), ("second", event)]


def test_frequent_events_are_thinned_by_batch_and_kind(now: list[float]) -> None:
    bus = EventBus()
    heard: list[JobEvent] = []
    bus.subscribe(heard.append)
    for batch in ("a", "b"):
        for received in range(100):
            bus.publish(DownloadProgressed("j", batch, received=received, total=None))
    assert len(heard) == 2
    now[0] += 0.11
    bus.publish(DownloadProgressed("j", "a", received=100, total=None))
    assert len(heard) == 3
    bus.publish(BatchEnded("j", "a", status=BatchStatus.COMPLETED))
    bus.publish(DownloadProgressed("j", "a", received=101, total=None))
    assert len(heard) == 5


async def test_the_last_of_a_burst_is_told_a_moment_later() -> None:
    bus = EventBus()
    heard: list[JobEvent] = []
    told = asyncio.Event()

    def hear(event: JobEvent) -> None:
        heard.append(event)
        if len(heard) == 2:
            told.set()

    bus.subscribe(hear)
    for received in range(5):
        bus.publish(DownloadProgressed("j", "a", received=received, total=None))
    async with asyncio.timeout(5):
        await told.wait()
    received = [event.received for event in heard if isinstance(event, DownloadProgressed)]
    assert received == [0, 4]


async def test_what_waits_is_dropped_when_the_batch_is_over() -> None:
    bus = EventBus()
    heard: list[JobEvent] = []
    bus.subscribe(heard.append)
    for received in range(2):
        bus.publish(DownloadProgressed("j", "a", received=received, total=None))
    bus.publish(BatchEnded("j", "a", status=BatchStatus.COMPLETED))
    assert bus._waiting == {}
    assert [type(event) for event in heard] == [DownloadProgressed, BatchEnded]


def test_what_matters_is_never_thinned(now: list[float]) -> None:
    bus = EventBus()
    heard: list[JobEvent] = []
    bus.subscribe(heard.append)
    for _ in range(5):
        bus.publish(StatusChanged("j", "a", status=BatchStatus.QUEUED, raw_status="queued"))
        bus.publish(JobChanged("j"))
    assert len(heard) == 10


def test_a_subscriber_may_stop_or_start_another_meanwhile(now: list[float]) -> None:
    bus = EventBus()
    heard: list[str] = []
    stops = [bus.subscribe(lambda _: stops[1]()), bus.subscribe(lambda _: heard.append("two"))]
    bus.publish(JobChanged("j"))
    bus.publish(JobChanged("j"))
    assert heard == ["two"]
