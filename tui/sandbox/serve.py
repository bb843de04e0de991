"""Runs a sandbox on a port until it is told to stop."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from .app import create_app
from .options import SandboxOptions

_BACKLOG = 512
_GRACE_SECONDS = 2


class Server(uvicorn.Server):
    """A uvicorn server that says when it accepts connections and ends quietly on a signal."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        """Keep what is called once connections are accepted."""
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGINT and SIGTERM without raising them again afterwards."""
        names = (signal.SIGINT, signal.SIGTERM)
        try:
            before = {name: signal.signal(name, self.handle_exit) for name in names}
        except ValueError:
            # Only the main thread may set handlers; elsewhere the owner stops the server.
            before = {}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


def configure(options: SandboxOptions, where: str = "") -> uvicorn.Config:
    """Configure uvicorn to serve a sandbox without log lines.

    Args:
        options: The settings of the sandbox.
        where: Path of a Unix domain socket, for uvicorn's messages.
    """
    # It warns about broken uploads, which would land on a screen of this process.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    return uvicorn.Config(
        create_app(options),
        uds=where or None,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        backlog=_BACKLOG,
    )


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address; port 0 is any.

    Raises:
        OSError: The address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without the protocol asyncio does not turn off Nagle's algorithm: 40 ms for each answer.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def address(sock: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def announce_on_stdout(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def serve(
    options: SandboxOptions | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    announce: Callable[[str], None] = announce_on_stdout,
) -> None:
    """Serve a sandbox until SIGINT or SIGTERM; returns then.

    Args:
        options: The settings of the sandbox.
        host: Address to listen on.
        port: Port to listen on; 0 is any.
        announce: Gets the address, such as `http://127.0.0.1:8080`, once connections are taken.

    Raises:
        OSError: The address cannot be used.
    """
    with listen(host, port) as sock:
        server = Server(configure(options or SandboxOptions()), lambda: announce(address(sock)))
        server.run(sockets=[sock])
