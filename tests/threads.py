"""Servers on a port of this machine, each in a thread of the test's process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from tui.sandbox.serve import Server, address, listen

_ending: list[threading.Thread] = []


@contextmanager
def in_thread(config: uvicorn.Config) -> Iterator[str]:
    """Serve an application over TCP while the block runs; yields ``http://127.0.0.1:PORT``."""
    ready = threading.Event()
    sock = listen("127.0.0.1", 0)
    server = Server(config, ready.set)

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
        # Uvicorn looks at it ten times a second; nobody has to wait for that here.
        _ending.append(thread)


def join_all() -> None:
    """Wait for the end of every server whose block was left."""
    for thread in _ending:
        thread.join(20)
        assert not thread.is_alive()
    _ending.clear()
