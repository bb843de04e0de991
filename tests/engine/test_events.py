from __future__ import annotations

from tui.core.jobs import BatchStatus
from tui.engine.events import (
    DownloadProgressed,
    EventBus,
    JobChanged,
    JobEvent,
    StatusChanged,
)


def test_subscribers_hear_in_order_until_they_stop() -> None:
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


def test_every_event_is_delivered() -> None:
    bus = EventBus()
    heard: list[JobEvent] = []
    bus.subscribe(heard.append)
    for _ in range(5):
        bus.publish(StatusChanged("j", "a", status=BatchStatus.QUEUED, raw_status="queued"))
        bus.publish(JobChanged("j"))
        bus.publish(DownloadProgressed("j", "a", received=1, total=None))
    assert len(heard) == 15


def test_a_subscriber_may_stop_or_start_another_meanwhile() -> None:
    bus = EventBus()
    heard: list[str] = []
    stops = [bus.subscribe(lambda _: stops[1]()), bus.subscribe(lambda _: heard.append("two"))]
    bus.publish(JobChanged("j"))
    bus.publish(JobChanged("j"))
    assert heard == ["two"]
