"""Serves a sandbox on a port, or on a socket in a thread of this process."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from tui.sandbox.app import create_app
from tui.sandbox.backend import claimed_folder, release_folder
from tui.sandbox.options import SandboxOptions

_BACKLOG = 512
_GRACE_SECONDS = 2


class Server(uvicorn.Server):
    """A uvicorn server that reports when it accepts connections and exits quietly on a signal."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        """Create a server that calls `ready` once it accepts connections."""
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then call `ready`."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Exit on SIGINT and SIGTERM without raising them again afterwards."""
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
    """Configure uvicorn to serve a sandbox without logging.

    Args:
        options: The settings of the sandbox.
        where: Path of a Unix domain socket, for uvicorn's messages.
    """
    # It warns about broken uploads, which would be printed over the dashboard.
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
    """Listen on an address; port 0 selects a free port.

    Raises:
        OSError: The address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm (40 ms per response) only if the protocol is given.
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
    """Print a line and flush."""
    print(text, flush=True)


def serve(
    options: SandboxOptions | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    announce: Callable[[str], None] = announce_on_stdout,
) -> None:
    """Serve a sandbox until SIGINT or SIGTERM.

    Args:
        options: The settings of the sandbox.
        host: Address to listen on.
        port: Port to listen on; 0 selects a free port.
        announce: Called with the address, such as `http://127.0.0.1:8080`, once it is ready.

    Raises:
        OSError: The address cannot be used.
    """
    with listen(host, port) as sock:
        server = Server(configure(options or SandboxOptions()), lambda: announce(address(sock)))
        server.run(sockets=[sock])


_START_SECONDS = 20.0
_MAX_PATH = 100


class LocalSandbox:
    """A sandbox in a daemon thread of this process.

    Attributes:
        uds: The socket, for `httpx.AsyncHTTPTransport(uds=str(uds))`; `None` on a loopback port.
        base_url: `http://sandbox/v1` on a socket, otherwise `http://127.0.0.1:PORT/v1`.
        key: The key that it requires; empty if it accepts any.
    """

    def __init__(self, sock: socket.socket, folder: Path | None, options: SandboxOptions) -> None:
        """Use `start` instead."""
        self.uds = folder / "s" if folder else None
        self.base_url = "http://sandbox/v1" if folder else f"{address(sock)}/v1"
        self.key = options.key or ""
        self._socket = sock
        # Also runs when the process ends without stop().
        self._cleanup = weakref.finalize(self, _remove, folder)
        self._ready = threading.Event()
        self._server = Server(configure(options, str(self.uds or "")), self._ready.set)
        self._thread = threading.Thread(target=self._run, name="batchdeck-sandbox", daemon=True)

    @classmethod
    def start(cls, options: SandboxOptions | None = None, *, on_port: bool = False) -> LocalSandbox:
        """Start a sandbox and block until it accepts connections.

        Args:
            options: Its settings.
            on_port: Listen on a port of this machine, for providers that answer with addresses of
                their own. Everybody on the machine can connect to it: require a key.

        Raises:
            OSError: No socket could be opened.
            RuntimeError: The server did not start in time.
        """
        folder = None if on_port else _socket_folder()
        if folder is None:
            sock = listen("127.0.0.1", 0)
        else:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.bind(str(folder / "s"))
            sock.listen(512)
        sandbox = cls(sock, folder, options or SandboxOptions())
        sandbox._thread.start()
        if not sandbox._ready.wait(_START_SECONDS):
            sandbox.stop()
            raise RuntimeError("the local sandbox did not start")
        return sandbox

    def stop(self) -> None:
        """Stop serving and remove the socket; safe to call twice."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_START_SECONDS)
        self._socket.close()
        self._cleanup()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


def _remove(folder: Path | None) -> None:
    if folder is not None:
        release_folder(folder)


def _socket_folder() -> Path | None:
    if not hasattr(socket, "AF_UNIX"):
        return None
    # A socket path is limited to about 100 bytes, which a deep TMPDIR can exceed.
    for parent in (None, "/tmp"):
        folder = claimed_folder("bd-", parent)
        if len(str(folder)) < _MAX_PATH - 2:
            return folder
        release_folder(folder)
    return None
