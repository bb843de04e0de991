"""Runs a case: a folder with files that people really have, and a ``case.toml`` with what is right.

``make`` has the files that are long, or not UTF-8, as expressions that give their content.
``step`` holds the commands of a case, in order. The expressions in ``right`` are judged with what
the command gave: ``rc``, ``out``, ``err``, ``js`` (the JSON document), ``rows`` (JSON lines), and
``made`` (the lines of the file of ``-o``) with their ``prompts``. With ``serve``, the account ``t``
talks to a batch server here that gives ``output.jsonl`` as the results of every batch.
"""

from __future__ import annotations

import email
import email.policy
import json
import shutil
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import isolate, run_here

CASES = Path(__file__).parent


class BatchServer(BaseHTTPRequestHandler):
    """A provider with one batch, which has ended when it is first looked at."""

    protocol_version = "HTTP/1.1"
    folder: Path
    sent: dict[str, Any]

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _give(self, document: Any = None, raw: bytes | None = None, status: int = 200) -> None:
        data = json.dumps(document).encode() if raw is None else raw
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if raw is None else "text/plain")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self) -> None:
        raw, sent = self._body(), self.sent
        path = self.path.split("?")[0].removeprefix("/v1").strip("/").split("/")
        output = self.folder / "output.jsonl"
        if path[-1] == "results" or path[-1] == "content":
            self._give(raw=output.read_bytes())
        elif path == ["files"]:
            head = b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n"
            form = email.message_from_bytes(head + raw, policy=email.policy.HTTP)
            part = next(p for p in form.iter_parts() if "filename" in str(p["Content-Disposition"]))
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            sent["rows"] = data.count(b"\n")
            self._give({"id": "file-in", "object": "file", "bytes": len(data), "created_at": 1})
        elif self.command == "POST" and path[-1] == "batches":
            asked = json.loads(raw)
            sent["made"] += 1
            sent["rows"] = len(asked.get("requests", ())) or sent["rows"]
            sent["asked"] = {name: asked.get(name) for name in ("endpoint", "metadata")}
            self._give(self._batch(ended=False))
        elif path[-1] == "batches":
            listed = [self._batch(ended=True)] if sent["made"] else []
            self._give({"object": "list", "data": listed, "has_more": False})
        else:
            self._give(self._batch(ended=True))

    def _batch(self, *, ended: bool) -> dict[str, Any]:
        sent, now = self.sent, int(time.time())
        if sent["shape"] == "anthropic":
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
            names = ("processing", "succeeded", "errored", "canceled", "expired")
            counts = dict.fromkeys(names, 0)
            counts["succeeded" if ended else "processing"] = sent["rows"]
            url = f"http://{self.headers['Host']}/v1/messages/batches/msgbatch_1/results"
            return {
                "id": "msgbatch_1",
                "type": "message_batch",
                "processing_status": "ended" if ended else "in_progress",
                "request_counts": counts,
                "created_at": when,
                "expires_at": when,
                "ended_at": when if ended else None,
                "results_url": url if ended else None,
            }
        done = sent["rows"] if ended else 0
        return {
            "id": "batch_1",
            "object": "batch",
            "input_file_id": "file-in",
            "completion_window": "24h",
            "status": "completed" if ended else "in_progress",
            "created_at": now,
            "expires_at": now + 86_400,
            "completed_at": now if ended else None,
            "output_file_id": "file-out" if ended else None,
            "request_counts": {"total": sent["rows"], "completed": done, "failed": 0},
            **sent["asked"],
        }


@contextmanager
def _served(folder: Path, shape: str) -> Iterator[tuple[str, dict[str, Any]]]:
    sent: dict[str, Any] = {"shape": shape, "rows": 0, "made": 0, "asked": {}}
    handler = type("Handler", (BatchServer,), {"folder": folder, "sent": sent})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()


def wrong_in(case: str, home: Path) -> list[str]:
    """Run a case in a folder of its own; the expressions that are not true, with what was said."""
    spec = tomllib.loads((CASES / case / "case.toml").read_text("utf-8"))
    work = home / "work"
    shutil.copytree(CASES / case, work)
    for name, expression in spec.get("make", {}).items():
        content = eval(f"({expression.strip()})", {})
        (work / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    shape = spec.get("serve", "openai")
    wrong: list[str] = []
    with _served(work, shape) as (url, sent):
        (home / "config.toml").write_text(
            f'[providers.tried]\nbase = "{shape}"\nname = "Tried"\n[providers.tried.poll]\n'
            'min_seconds = 0.2\nmax_seconds = 0.5\n[accounts.t]\nprovider = "tried"\n'
            f'base_url = "{url}{"" if shape == "anthropic" else "/v1"}"\n'
        )
        for step in spec["step"]:
            given = _run(step["run"], work, home) | {"sent": sent}
            for expression in step["right"]:
                try:
                    good = eval(expression, given)
                except (LookupError, TypeError, AttributeError) as error:
                    good, expression = False, f"{expression}  ({error!r})"
                if not good:
                    said = given["out"] + given["err"]
                    wrong.append(f"{' '.join(step['run'])}\nnot so: {expression}\n{said}")
    return wrong


def _run(words: list[str], work: Path, home: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        isolate(home, patch)
        for name, value in (("TERM", "dumb"), ("NO_COLOR", "1"), ("BATCHDECK_KEY_T", "a-key")):
            patch.setenv(name, value)
        patch.chdir(work)
        done = run_here(*words)
    given: dict[str, Any] = {"rc": done.code, "out": done.out, "err": done.err}
    given |= {"json": json, "js": None, "rows": [], "made": [], "prompts": []}
    try:
        given["rows"] = [json.loads(line) for line in done.out.splitlines() if line.strip()]
    except ValueError:
        given["rows"] = []
    try:
        given["js"] = json.loads(done.out)
    except ValueError:
        given["js"] = None
    if "-o" in words and (path := work / words[words.index("-o") + 1]).suffix == ".jsonl":
        if path.exists():
            given["made"] = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        bodies = [made["body"] for made in given["made"]]
        given["prompts"] = [body["messages"][-1]["content"] for body in bodies]
    return given
