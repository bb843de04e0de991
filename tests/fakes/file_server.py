"""Files over HTTP on a port of this machine, by a server that can be told to misbehave."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Hosted:
    """One file of the server, and how it is sent.

    Attributes:
        data: Its bytes.
        etag: Its ETag; empty for none.
        media_type: Its media type.
        status: The status of the answer; 200 becomes 206 or 304 where asked for.
        location: Where it redirects to; empty for nowhere.
        cut_at: Each answer ends after so many bytes, though it promises all; ``None`` for never.
        ranges: Whether it honours ranges.
        honest: Whether it honours ``If-Range``.
        packed: Whether the body is compressed with gzip on the way.
        stalls: It sends nothing more after ``cut_at``, and keeps the connection until the end.
        length: What ``Content-Length`` says, if that is not the truth; -1 for a body in chunks.
    """

    data: bytes = b""
    etag: str = '"v1"'
    media_type: str = "text/csv"
    status: int = 200
    location: str = ""
    cut_at: int | None = None
    ranges: bool = True
    honest: bool = True
    packed: bool = False
    stalls: bool = False
    length: int | None = None


@dataclass
class FileServer:
    """The running server.

    Attributes:
        url: Its address.
        files: What it has, by path.
        asked: The path and the headers of each request, names in small letters.
        ends: Set when the server ends.
    """

    url: str = ""
    files: dict[str, Hosted] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    ends: threading.Event = field(default_factory=threading.Event)


@contextmanager
def file_server() -> Iterator[FileServer]:
    """Serve files while the block runs."""
    hosted = FileServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *_: Any) -> None:
            """Print nothing."""

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            hosted.asked.append((self.path, headers))
            file = hosted.files.get(
                self.path.partition("?")[0], Hosted(b"no such file", status=404)
            )
            _send(self, file, headers)
            if file.stalls:
                hosted.ends.wait()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hosted.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hosted
    finally:
        hosted.ends.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _send(to: BaseHTTPRequestHandler, file: Hosted, asked: dict[str, str]) -> None:
    status, start = file.status, 0
    found = re.fullmatch(r"bytes=(\d+)-", asked.get("range", ""))
    same = asked.get("if-range") in (None, file.etag)
    if status == 200 and file.etag and asked.get("if-none-match") == file.etag:
        status = 304
    elif status == 200 and found and file.ranges and (same or not file.honest):
        status, start = 206, int(found[1])
    body = b"" if status == 304 else file.data[start:]
    sent = gzip.compress(body) if file.packed else body
    to.send_response(status)
    if file.location:
        to.send_header("Location", file.location)
    if file.etag:
        to.send_header("ETag", file.etag)
    if status == 206:
        whole = len(file.data)
        to.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
    if file.packed:
        to.send_header("Content-Encoding", "gzip")
    to.send_header("Content-Type", file.media_type)
    if file.length == -1:
        to.send_header("Transfer-Encoding", "chunked")
        sent = b"".join(
            b"%x\r\n%s\r\n" % (len(piece), piece)
            for piece in (sent[at : at + 4096] for at in range(0, len(sent), 4096))
        )
        sent += b"0\r\n\r\n"
    else:
        to.send_header("Content-Length", str(len(sent) if file.length is None else file.length))
    to.end_headers()
    cut = file.cut_at is not None and len(sent) > file.cut_at
    to.wfile.write(sent[: file.cut_at] if cut else sent)
    if cut or (file.length or 0) > len(sent):
        to.close_connection = True
