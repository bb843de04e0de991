"""A plain HTTP server of the standard library that hands every call to one ``Shop``."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """A call as it came in; header names are lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What to answer: a dictionary becomes JSON, a text goes as it is."""

    status: int = 200
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False

    @property
    def body(self) -> bytes:
        if isinstance(self.value, bytes):
            return self.value
        if isinstance(self.value, str):
            return self.value.encode()
        return json.dumps(self.value).encode()


class Shop:
    """A provider. Subclasses answer in ``handle``, as their document says.

    Args:
        odd: Also do what the document does not rule out: other types, absent and unknown keys.
    """

    key = "sk-seed-2d711642b726"

    def __init__(self, *, odd: bool = False) -> None:
        self.odd = odd
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self.seen: set[str] = set()

    def handle(self, asked: Asked) -> Reply:
        raise NotImplementedError

    def fails(self, custom_id: str, body: Mapping[str, Any]) -> str:
        """``flaky``, ``bad`` or nothing: why a row fails this time."""
        text = json.dumps(body)
        if "bad" in text:
            return "bad"
        if "flaky" in text and custom_id not in self.seen:
            self.seen.add(custom_id)
            return "flaky"
        return ""

    def count(self, method: str, path: str) -> int:
        """How often a path was asked for."""
        return sum((one.method, one.path) == (method, path) for one in self.asked)

    @contextmanager
    def open(self) -> Iterator[str]:
        """Its address while the block runs."""
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                size = self.headers.get("content-length")
                body = self.rfile.read(int(size)) if size else _chunks(self)
                url = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, url.path, dict(parse_qsl(url.query)), headers, body)
                with shop.lock:
                    shop.asked.append(asked)
                    reply = shop.handle(asked)
                self.send_response(reply.status)
                is_json = isinstance(reply.value, dict) and not shop.odd
                kind = "application/json" if is_json else "text/plain"
                for name, value in {"content-type": kind, **reply.headers}.items():
                    self.send_header(name, value)
                if reply.chunked:
                    self.send_header("transfer-encoding", "chunked")
                    self.end_headers()
                    for start in range(0, len(reply.body), 700):
                        piece = reply.body[start : start + 700]
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.write(b"0\r\n\r\n")
                else:
                    self.send_header("content-length", str(len(reply.body)))
                    self.end_headers()
                    self.wfile.write(reply.body)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_: Any) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)
            server.server_close()


def _chunks(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("transfer-encoding", "").lower() != "chunked":
        return b""
    body = b""
    while size := int(handler.rfile.readline().strip() or b"0", 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


def jsonl(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def form_of(asked: Asked) -> tuple[dict[str, str], str, bytes]:
    """Fields, file name and file of a multipart form."""
    from email.parser import BytesParser

    head = f"content-type: {asked.headers['content-type']}\r\n\r\n".encode()
    parts: Any = BytesParser().parsebytes(head + asked.body).get_payload()
    fields: dict[str, str] = {}
    name, data = "", b""
    for part in parts:
        said = part.get_payload(decode=True)
        if part.get_filename() is None:
            fields[part.get_param("name", header="content-disposition")] = said.decode()
        else:
            name, data = part.get_filename(), said
    return fields, name, data
