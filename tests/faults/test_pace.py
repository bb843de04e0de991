"""A download that only trickles is given up; a slow one is not."""

from __future__ import annotations

import httpx
import pytest

from tui.providers.wire.retry import MinimumSpeed


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_kibibyte_per_interval_is_enough() -> None:
    clock = Clock()
    pace = MinimumSpeed(60.0, clock)
    for spell in range(1, 100):
        clock.now = 60.0 * spell
        pace.check(1024 * spell)


@pytest.mark.parametrize("received", [0, 60, 1023])
def test_a_trickle_is_given_up(received: int) -> None:
    clock = Clock()
    pace = MinimumSpeed(60.0, clock)
    clock.now = 59.9
    pace.check(received)
    clock.now = 60.0
    with pytest.raises(httpx.ReadTimeout):
        pace.check(received)
