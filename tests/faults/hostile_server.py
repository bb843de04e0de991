"""A server that answers as no provider should: for the memory table. Its cases are paths."""

from __future__ import annotations

import gzip
import json
import socket
import socketserver
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
_END = b"\r\n\r\n"
_MOST = 3 << 30
"""The server gives up after so many bytes, so that a case ends also when the client does not."""

_BATCH = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "status": "completed",
    "input_file_id": "file-in",
    "output_file_id": "file-out",
    "completion_window": "24h",
    "created_at": 1_700_000_000,
    "completed_at": 1_700_000_100,
    "request_counts": {"total": 2, "completed": 2, "failed": 0},
}


def _trickled(head: bytes, piece: bytes) -> Iterator[bytes]:
    yield head
    while True:
        time.sleep(0.1)
        yield piece


def _flood(head: bytes, piece: bytes) -> Iterator[bytes]:
    yield head
    for _ in range(_MOST // len(piece)):
        yield piece


def _packed_zeros() -> Iterator[bytes]:
    """A gzip stream without an end; 64 KiB of it become 64 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    yield gzip.compress(b"")[:10]
    for _ in range(_MOST // (1 << 24) * 8):
        yield block


def _page(path: str) -> bytes:
    number = path.rpartition("after=")[2] if "after=" in path else "0"
    item = {**_BATCH, "id": f"batch_{len(number)}{number}"[:40] + str(time.monotonic_ns())}
    return json.dumps({"data": [item], "has_more": True}).encode()


def _whole(body: bytes) -> Iterator[bytes]:
    yield _OK + b"Content-Length: %d" % len(body) + _END + body


Answer = Callable[[str], Iterator[bytes]]

LISTS: dict[str, Answer] = {
    "trickling headers": lambda _: _trickled(_OK, b"X-A: 1\r\n"),
    "endless headers": lambda _: _flood(_OK, b"X-A: " + b"a" * 60_000 + b"\r\n"),
    "trickling body": lambda _: _trickled(_OK + _END[2:], b" "),
    "trickling error": lambda _: _trickled(b"HTTP/1.1 400 No\r\nConnection: close" + _END, b" "),
    "endless list page": lambda _: _flood(_OK + _END[2:] + b'{"data": [', b'{"id": "x"},' * 5000),
    "list page of empty objects": lambda _: _whole(b'{"data": [' + b"{}," * 20_000_000 + b"{}]}"),
    "list page that is packed zeros": lambda _: _zeros(),
    "list without a last page": lambda path: _whole(_page(path)),
    "redirect loop": lambda path: iter(
        [b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + path.encode() + _END]
    ),
}
"""What a list of batches is answered with."""


def _zeros() -> Iterator[bytes]:
    yield _OK + b"Content-Encoding: gzip" + _END
    yield from _packed_zeros()


def _zeros_as_file() -> Iterator[bytes]:
    yield _OK + _END[2:]
    yield from _packed_zeros()


RESULTS: dict[str, Answer] = {
    "results that are packed zeros": lambda _: _zeros(),
    "a gzip file of zeros as results": lambda _: _zeros_as_file(),
    "trickling results": lambda _: _trickled(_OK + _END[2:], b" "),
}
"""What a result file is answered with."""

_ALL = [*LISTS, *RESULTS]


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        head = b""
        while _END not in head:
            if not (more := self.request.recv(65536)):
                return
            head += more
        path = head.split(b" ", 2)[1].decode()
        case = _ALL[int(path.split("/")[1])]
        try:
            for piece in self._answer(case, path):
                self.request.sendall(piece)
            self.request.shutdown(socket.SHUT_WR)
        except OSError:
            # The client has given up.
            return

    def _answer(self, case: str, path: str) -> Iterator[bytes]:
        if case in LISTS:
            return LISTS[case](path)
        if path.endswith("/batches/batch_1"):
            return _whole(json.dumps(_BATCH).encode())
        if path.endswith("/file-out/content"):
            return RESULTS[case](path)
        return iter([b"HTTP/1.1 404 Not Found\r\nContent-Length: 2" + _END + b"{}"])


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def served(home: Path) -> Iterator[dict[str, tuple[str, ...]]]:
    """Serve all cases, each as an account of a home; yields the arguments that meet each."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        lines = ['[providers.hostile]\nbase = "openai-compatible"\nname = "Hostile"\n']
        lines += ["[providers.hostile.http]\nread_seconds = 1\nattempts = 1\n"]
        runs: dict[str, tuple[str, ...]] = {}
        for number, case in enumerate(_ALL):
            url = f"http://127.0.0.1:{server.server_address[1]}/{number}/v1"
            lines.append(f'[accounts.a{number}]\nprovider = "hostile"\nbase_url = "{url}"\n')
            call = ("sync",) if case in LISTS else ("adopt", "batch_1")
            runs[case] = (*call, "--account", f"a{number}")
        home.mkdir(parents=True, exist_ok=True)
        (home / "config.toml").write_text("".join(lines))
        yield runs
        server.shutdown()
