"""Runs a sandbox inside this process, on a Unix domain socket."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import weakref
from pathlib import Path

from .options import SandboxOptions
from .serve import Server, address, configure, listen

_START_SECONDS = 20.0
_LONGEST_PATH = 100


class LocalSandbox:
    """A sandbox in a daemon thread of this process.

    Attributes:
        uds: The socket, for `httpx.AsyncHTTPTransport(uds=str(uds))`; `None` on a loopback port.
        base_url: `http://sandbox/v1` on a socket, else `http://127.0.0.1:PORT/v1`.
    """

    def __init__(self, sock: socket.socket, folder: Path | None, options: SandboxOptions) -> None:
        """Use `start` instead."""
        self.uds = folder / "s" if folder else None
        self.base_url = "http://sandbox/v1" if folder else f"{address(sock)}/v1"
        self._socket = sock
        # Also runs when the process ends without a stop.
        self._tidy = weakref.finalize(self, _remove, folder)
        self._ready = threading.Event()
        self._server = Server(configure(options, str(self.uds or "")), self._ready.set)
        self._thread = threading.Thread(target=self._run, name="batchdeck-sandbox", daemon=True)

    @classmethod
    def start(cls, options: SandboxOptions | None = None) -> LocalSandbox:
        """Start a sandbox; blocks until it takes connections.

        Raises:
            OSError: No socket could be opened.
            RuntimeError: It did not start.
        """
        folder = _socket_folder()
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
        self._tidy()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


def _remove(folder: Path | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _socket_folder() -> Path | None:
    if not hasattr(socket, "AF_UNIX"):
        return None
    # A socket path holds about 100 bytes, which a deep TMPDIR can exceed.
    for parent in (None, "/tmp"):
        folder = Path(tempfile.mkdtemp(prefix="bd-", dir=parent))
        if len(str(folder)) < _LONGEST_PATH - 2:
            return folder
        folder.rmdir()
    return None
