"""A ScaleDown server written from the vendor's guide alone, in both generations of its wire.

It shares nothing with ``tui.sandbox``: what both get wrong together would not be seen.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sd-7c1f09ab"


class FakeScaleDown:
    """A server and what was asked of it.

    Attributes:
        url: Its address.
        generation: 1: ``batch_id``, counts at the top; 2: OpenAI's batch object.
        asked: Method, path and body of each call.
        polls: How often a batch is said to be at work before it has ended.
        broken: By route (``create``, ``get``, ``output``), how many calls get a 503.
        ends: How batches end.
        failing: Ids of rows that come back with an error.
        refuses: A status and a body for every create.
    """

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.asked: list[tuple[str, str, bytes]] = []
        self.polls = 1
        self.broken: dict[str, int] = {}
        self.ends = "completed"
        self.failing: set[str] = set()
        self.refuses: tuple[int, str] | None = None
        self.batches: dict[str, list[dict[str, Any]]] = {}
        self._left: dict[str, int] = {}
        self.url = ""

    def count(self, method: str, end: str) -> int:
        return sum(m == method and path.endswith(end) for m, path, _ in self.asked)

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        self.asked.append((method, path, body))
        if headers.get("x-api-key") != KEY:
            return 401, b'{"detail":"Invalid API key"}'
        if method == "POST" and path == "/v1/batches":
            return self._broken("create") or self._create(headers, body)
        batch_id, _, rest = path.removeprefix("/v1/batches/").partition("/")
        if method != "GET" or batch_id not in self.batches:
            return 404, b'{"detail":"Batch not found"}'
        if rest == "output":
            return self._broken("output") or self._output(batch_id)
        return self._broken("get") or (200, self._object(batch_id, advance=True))

    def _broken(self, route: str) -> tuple[int, bytes] | None:
        if self.broken.get(route, 0) <= 0:
            return None
        self.broken[route] -= 1
        return 503, b'{"detail":"upstream unavailable"}'

    def _create(self, headers: Any, body: bytes) -> tuple[int, bytes]:
        if self.refuses is not None:
            return self.refuses[0], self.refuses[1].encode()
        assert headers.get("content-type") == "application/jsonl"
        rows = [json.loads(line) for line in body.decode().split("\n") if line]
        for row in rows:
            assert set(row) == {"custom_id", "method", "url", "body"}
            assert (row["method"], row["url"]) == ("POST", "/v1/chat/completions")
            if row["body"]["model"] not in ("summarize", "extract", "classify"):
                return 400, b'{"detail":"unknown model"}'
        batch_id = f"batch_{len(self.batches) + 1:04d}"
        self.batches[batch_id] = rows
        self._left[batch_id] = self.polls
        return 200, self._object(batch_id)

    def _object(self, batch_id: str, *, advance: bool = False) -> bytes:
        total = len(self.batches[batch_id])
        left = self._left[batch_id]
        if advance and left > 0:
            self._left[batch_id] -= 1
        done = left == 0
        failed = sum(row["custom_id"] in self.failing for row in self.batches[batch_id])
        good = (total - failed) if done and self.ends == "completed" else 0
        begun = advance and not done
        if self.generation == 1:
            word = self.ends if done else "processing" if begun else "queued"
            document: dict[str, Any] = {"batch_id": batch_id, "status": word, "total_count": total}
            if advance:
                document |= {"completed_count": good, "failed_count": failed if done else 0}
            return json.dumps(document).encode()
        word = self.ends if done else "in_progress" if begun else "validating"
        ready = done and self.ends == "completed"
        counts = {"total": total, "completed": good, "failed": failed if done else 0}
        return json.dumps(
            {
                "id": batch_id, "object": "batch", "endpoint": "/v1/chat/completions",
                "input_file_id": None, "completion_window": "24h", "status": word,
                "output_file_id": f"{batch_id}_output" if ready else None, "error_file_id": None,
                "created_at": 1_795_000_000, "request_counts": counts, "metadata": None,
            }
        ).encode()  # fmt: skip

    def _output(self, batch_id: str) -> tuple[int, bytes]:
        if self._left[batch_id] or self.ends != "completed":
            return 404, b'{"detail":"output not ready"}'
        # Not in the order of the input: nobody promises that.
        rows = [self._line(row) for row in reversed(self.batches[batch_id])]
        return 200, "\n".join(rows).encode()

    def _line(self, row: dict[str, Any]) -> str:
        if row["custom_id"] in self.failing:
            error = {"code": "model_error", "message": "upstream failed"}
            return json.dumps({"custom_id": row["custom_id"], "response": None, "error": error})
        body = row["body"]
        text = body["text"]
        content: dict[str, Any]
        if body["model"] == "summarize":
            content = {"summary": text[:12], "input_chars": len(text), "output_chars": 12}
        elif body["model"] == "extract":
            label = next(iter(body["entities"]))
            if self.generation == 1:
                found = {"type": label, "text": text[:5], "confidence": 0.99, "start": 0, "end": 5}
            else:
                found = {"type": label, "value": text[:5], "score": 0.99}
            content = {"entities": [found]}
        else:
            names = [label["name"] for label in body["labels"]]
            scores = {name: 1 / len(names) for name in names}
            content = {"top_label": names[0], "scores": scores, "reasoning": "it fits"}
        message = {"role": "assistant", "content": json.dumps(content)}
        answer = {"model": body["model"], "choices": [{"message": message}]}
        response = {"status_code": 200, "body": answer}
        return json.dumps({"custom_id": row["custom_id"], "response": response, "error": None})


@contextmanager
def fake_scaledown(generation: int) -> Iterator[FakeScaleDown]:
    """Serve on a port of this machine while the block runs."""
    fake = FakeScaleDown(generation)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _act(self) -> None:
            if self.headers.get("transfer-encoding") == "chunked":
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, answer = fake.answer(self.command, self.path, self.headers, body)
            kind = "application/jsonl" if self.path.endswith("/output") else "application/json"
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = _act

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        fake.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
