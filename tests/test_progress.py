"""One ``Progress`` reports, throttles and stops."""

from __future__ import annotations

import pytest

from tui.progress import NO_PROGRESS, Progress, Throttle


def test_reports_are_throttled_and_the_last_one_always_comes() -> None:
    now = [0.0]
    seen: list[tuple[int, int | None]] = []
    progress = Progress(lambda done, total: seen.append((done, total)), clock=lambda: now[0])
    for done in range(11):
        now[0] = done / 100
        progress.update(done, 10)
    assert seen == [(0, 10), (10, 10)]
    assert (progress.done, progress.total) == (10, 10)


def test_a_total_is_kept_when_it_is_not_given_again() -> None:
    seen: list[tuple[int, int | None]] = []
    progress = Progress(lambda done, total: seen.append((done, total)), seconds=0.0)
    progress.update(1)
    progress.update(2, 3)
    progress.update(3)
    assert seen == [(1, None), (2, 3), (3, 3)]


def test_work_is_stopped_by_the_caller_or_by_its_own_sign() -> None:
    asked = [False]
    progress = Progress(stop=lambda: asked[0])
    assert not progress.stopped
    asked[0] = True
    assert progress.stopped
    own = Progress()
    own.stop()
    assert own.stopped


def test_the_shared_default_cannot_be_stopped() -> None:
    NO_PROGRESS.update(1, 1)
    with pytest.raises(RuntimeError):
        NO_PROGRESS.stop()
    assert not NO_PROGRESS.stopped


def test_what_is_shown_now_and_then_takes_its_share_of_the_time() -> None:
    now = 0.0
    shown: list[float] = []

    def show() -> None:
        nonlocal now
        shown.append(now)
        # The second one is slow: the next has to wait ten times as long.
        now += 3.0 if len(shown) == 2 else 0.0

    throttle = Throttle(first=1.0, seconds=2.0, share=10, clock=lambda: now)
    for second in range(60):
        now = max(now, float(second))
        assert throttle.run(show) is (shown[-1:] == [float(second)])
    assert shown == [1.0, 3.0, 36.0, *range(38, 60, 2)]
