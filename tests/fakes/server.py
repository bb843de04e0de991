"""A sandbox on TCP, in a thread of the test's process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.threads import in_thread, join_all
from tui.sandbox.options import SandboxOptions
from tui.sandbox.serve import configure


class SteppingClock:
    """Unix seconds for a server: each look is a moment later, however much time really passes.

    Args:
        step: Seconds from one look to the next.
    """

    def __init__(self, step: float) -> None:
        self._step = step
        self._now = time.time()

    def __call__(self) -> float:
        self._now += self._step
        return self._now


@contextmanager
def sandbox(home: Path, **options: Any) -> Iterator[str]:
    """Serve a sandbox that answers at once; yields its address, without ``/v1``."""
    settings = SandboxOptions(**{"home": home, "rows_per_second": 0, **options})
    with in_thread(configure(settings)) as url:
        yield url
    # The same home may be served again at once.
    join_all()


def batches_at(url: str) -> list[dict[str, Any]]:
    """Every batch that the server has, newest first."""
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    with httpx.Client() as client:
        while True:
            answer = client.get(f"{url}/v1/batches", params={"limit": "100", **after})
            page = answer.raise_for_status().json()
            found += page["data"]
            if not page.get("has_more"):
                return found
            after = {"after": found[-1]["id"]}
