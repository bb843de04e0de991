"""A sandbox on TCP, in a thread of the test's process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tui.sandbox.options import SandboxOptions
from tui.sandbox.serve import Server, address, configure, listen


@contextmanager
def sandbox(home: Path, **options: Any) -> Iterator[str]:
    """Serve a sandbox that answers at once; yields its address, without ``/v1``."""
    settings = SandboxOptions(**{"home": home, "rows_per_second": 0, **options})
    ready = threading.Event()
    sock = listen("127.0.0.1", 0)
    server = Server(configure(settings), ready.set)

    def run() -> None:
        with sock:
            server.run(sockets=[sock])

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield address(sock)
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


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
