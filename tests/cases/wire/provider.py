"""A provider of batches on loopback, to be changed by a case where the reported server differs."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Json = dict[str, Any]


class Provider:
    """Files and batches as OpenAI serves them; a batch ends at its second poll.

    Attributes:
        seen: How often each kind of call came in; ``keys`` counts those to ``storage``, the
            second origin of the server, that held the key.
        port: Its port on loopback.
    """

    ends_at = 2
    storage_port = 0

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Json] = {}
        self.seen: Counter[str] = Counter()
        self.number = 0
        self.lock = threading.RLock()
        self.servers: list[ThreadingHTTPServer] = []
        self.port = 0

    def __enter__(self) -> Provider:
        self.port = self.listen(self.answer)
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def listen(self, answer: Any) -> int:
        """Serve an origin more; returns its port."""
        handler = type("Handler", (Web,), {"respond": staticmethod(answer), "lock": self.lock})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        self.secure(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.servers.append(server)
        return int(server.server_address[1])

    def secure(self, server: ThreadingHTTPServer) -> None:
        """Wrap the socket of a server, before it serves."""

    def new(self, kind: str) -> str:
        self.number += 1
        return f"{kind}-{self.number:03d}"

    def keep(self, lines: list[Json]) -> str:
        name = self.new("file")
        self.files[name] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        return name

    def rows(self, batch: Json) -> list[Json]:
        lines = self.files[batch["input_file_id"]].split(b"\n")
        return [json.loads(line) for line in lines if line.strip()]

    def chat(self, text: str) -> Json:
        message = {"role": "assistant", "content": text}
        return {
            "object": "chat.completion",
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
        }

    def good(self, row: Json) -> Json:
        body = self.chat(f"answer {row['custom_id']}")
        response = {"status_code": 200, "body": body}
        return {"custom_id": row["custom_id"], "response": response, "error": None}

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        """The lines of a row in the output and in the error file."""
        return self.good(row), None

    def finish(self, batch: Json) -> None:
        pairs = [self.result(row) for row in self.rows(batch)]
        good, bad = [line for line, _ in pairs if line], [line for _, line in pairs if line]
        batch["output_file_id"] = self.keep(good) if good else None
        batch["error_file_id"] = self.keep(bad) if bad else None
        counts = {"total": len(pairs), "completed": len(good), "failed": len(bad)}
        batch |= {"request_counts": counts, "status": "completed"}

    def advance(self, batch: Json) -> None:
        batch["polls"] += 1
        if batch["status"] == "validating":
            batch["status"] = "in_progress"
        if batch["status"] == "in_progress" and batch["polls"] >= self.ends_at:
            self.finish(batch)

    def make(self, body: Json) -> Json:
        self.seen["creates"] += 1
        batch = {
            "id": self.new("batch"),
            "object": "batch",
            "status": "validating",
            "endpoint": body.get("endpoint"),
            "input_file_id": body["input_file_id"],
            "output_file_id": None,
            "error_file_id": None,
            "errors": None,
            "metadata": body.get("metadata"),
            "created_at": int(time.time()),
            "expires_at": int(time.time()) + 86400,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "polls": 0,
            "made": time.time(),
        }
        self.batches[batch["id"]] = batch
        self.seen["rows"] += len(self.rows(batch))
        return batch

    def view(self, batch: Json) -> Json:
        return {name: value for name, value in batch.items() if name not in ("polls", "made")}

    def before(self, web: Web, path: str) -> bool:
        """Answer a call in place of everything else; whether it was answered."""
        return False

    def upload(self, web: Web, data: bytes) -> None:
        self.seen["uploads"] += 1
        name = self.new("file")
        self.files[name] = data
        web.json({"id": name, "object": "file", "bytes": len(data), "purpose": "batch"})

    def create(self, web: Web, body: Json) -> None:
        web.json(self.view(self.make(body)))

    def get(self, web: Web, batch: Json) -> None:
        self.advance(batch)
        web.json(self.view(batch))

    def cancel(self, web: Web, batch: Json) -> None:
        self.finish(batch)
        batch["status"] = "cancelled"
        web.json(self.view(batch))

    def list(self, web: Web) -> None:
        shown = [self.view(batch) for batch in self.batches.values()]
        web.json({"object": "list", "has_more": False, "data": shown})

    def models(self, web: Web) -> None:
        web.json({"object": "list", "data": [{"id": "m", "object": "model"}]})

    def content(self, web: Web, name: str) -> None:
        if name not in self.files:
            web.json({"error": {"message": f"No such File object: {name}"}}, 404)
        else:
            web.send(self.files[name], "application/jsonl")

    def answer(self, web: Web, method: str, path: str, data: bytes) -> None:
        if self.before(web, path):
            return
        path = path.removeprefix("/v1") if path.startswith("/v1/") else f"outside {path}"
        if (method, path) == ("POST", "/files"):
            boundary = re.search(r"boundary=([^;]+)", web.headers["Content-Type"])
            assert boundary is not None
            parts = data.split(b"--" + boundary[1].encode())
            part = next(part for part in parts if b"filename=" in part)
            self.upload(web, part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n"))
        elif (method, path) == ("POST", "/batches"):
            self.create(web, json.loads(data))
        elif (method, path) == ("GET", "/batches"):
            self.seen["lists"] += 1
            self.list(web)
        elif (method, path) == ("GET", "/models"):
            self.models(web)
        elif found := re.fullmatch(r"/files/(.+)/content", path):
            self.seen["downloads"] += 1
            self.content(web, unquote(found[1]))
        elif found := re.fullmatch(r"/batches/([^/]+)(/cancel)?", path):
            batch = self.batches.get(unquote(found[1]))
            if batch is None:
                web.json({"error": {"message": "No batch found with that id."}}, 404)
            elif found[2]:
                self.cancel(web, batch)
            else:
                self.seen["polls"] += 1
                self.get(web, batch)
        else:
            web.json({"error": {"message": f"Invalid URL ({method} {path})"}}, 404)


class Web(BaseHTTPRequestHandler):
    """One call and its answer."""

    protocol_version = "HTTP/1.1"
    lock: threading.RLock
    respond: Any

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send(json.dumps(value).encode(), "application/json", status, headers)

    def send(
        self, data: bytes, kind: str, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        length = str(len(data))
        self._head(status, {"Content-Type": kind, "Content-Length": length, **(headers or {})})
        self.wfile.write(data)

    def cut(self, data: bytes, length: int) -> None:
        """Promise all of the data, send a part of it, and hang up."""
        self._head(200, {"Content-Length": str(len(data))})
        self.wfile.write(data[:length])
        self.hang_up()

    def hang_up(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def serve(self) -> None:
        data = b""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.lock:
            try:
                self.respond(self, self.command, urlsplit(self.path).path, data)
            except OSError:
                # The program was killed or has given up.
                self.close_connection = True

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()

    do_GET = do_POST = do_DELETE = serve
