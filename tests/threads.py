"""Servers on a port of this machine, each in a thread of the test's process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from tests.waiting import Patience
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
    patience = Patience(20)
    while not ready.wait(0.1):
        assert not patience.is_over, f"the server does not start, in {patience}"
    try:
        yield address(sock)
    finally:
        server.should_exit = True
        # Uvicorn looks at it ten times a second; nobody has to wait for that here.
        _ending.append(thread)


def join_all() -> None:
    """Wait for the end of every server whose block was left."""
    for thread in _ending:
        patience = Patience(20)
        while thread.is_alive():
            assert not patience.is_over, f"the server does not end, in {patience}"
            thread.join(0.1)
    _ending.clear()
