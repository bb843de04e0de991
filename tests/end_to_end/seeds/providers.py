"""The five systems, each behaving as its own document says and not one step further.

A route that the document does not name answers 404. Written from the documents alone.
"""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from tests.end_to_end.seeds.servers import Asked, Reply, Shop, form_of, jsonl

ISO = "2026-11-21T09:03:00Z"
UNIX = 1_795_252_980


class Files(Shop):
    """``/v1/files`` and ``/v1/batches`` as three of the documents have them."""

    batch_name = "batch_{}"
    file_name = "file-{}"
    done = "completed"
    first = "validating"
    error_code: ClassVar[dict[str, str]] = {"flaky": "server_error", "bad": "invalid_request"}
    one_output = False

    def __init__(self, *, odd: bool = False) -> None:
        super().__init__(odd=odd)
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.nameless = False
        """Leave the id out of the answer to a create."""
        self.lists = ""
        """Answer ``GET /v1/batches``: ``bare`` entries, or with what names the batch."""

    def handle(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {self.key}":
            return self.refusal(401, "Invalid key")
        if (asked.method, asked.path) == ("POST", "/v1/files"):
            return self.upload(asked)
        if (asked.method, asked.path) == ("POST", "/v1/batches"):
            return self.create(json.loads(asked.body))
        if (asked.method, asked.path) == ("GET", "/v1/batches") and self.lists:
            return Reply(200, {"data": [self.listed(batch_id) for batch_id in self.batches]})
        if found := re.fullmatch(r"/v1/files/([^/]+)/content", asked.path):
            return self.content(found[1], asked)
        found = re.fullmatch(r"/v1/batches/([^/]+)", asked.path)
        if found and asked.method == "GET" and found[1] in self.batches:
            return self.look(found[1])
        return self.refusal(404, "There is nothing here")

    def refusal(self, status: int, words: str) -> Reply:
        return Reply(status, {"error": {"message": words}})

    def upload(self, asked: Asked) -> Reply:
        fields, name, data = form_of(asked)
        assert fields == {"purpose": "batch"} and name.endswith(".jsonl")
        file_id = self.file_name.format(f"in{len(self.files)}")
        self.files[file_id] = data
        told = {"id": file_id, "object": "file", "bytes": len(data), "purpose": "batch"}
        return Reply(self.made, told | ({"created_at": ISO, "x": None} if self.odd else {}))

    made = 200

    def create(self, body: dict[str, Any]) -> Reply:
        assert body["endpoint"] == "/v1/chat/completions" and body["completion_window"] == "24h"
        batch_id = self.batch_name.format(len(self.batches))
        good, bad = [], []
        for line in self.files[body["input_file_id"]].splitlines():
            row = json.loads(line)
            assert row["method"] == "POST" and row["url"] == "/v1/chat/completions"
            why = self.fails(row["custom_id"], row["body"])
            (bad if why else good).append(self.line(row, why))
        self.batches[batch_id] = {"looks": 0, "good": good, "bad": bad, "input": body}
        told = self.shown(batch_id, 0)
        if self.nameless:
            del told["id"]
        return Reply(self.made, told)

    def listed(self, batch_id: str) -> dict[str, Any]:
        batch = self.batches[batch_id]
        if self.lists == "bare":
            return {"id": batch_id, "status": "in_progress"}
        own = batch["input"]
        named = {"metadata": own["metadata"]} if self.lists == "metadata" else {}
        if self.lists == "file":
            named = {"input_file_id": own["input_file_id"]}
        return self.shown(batch_id, 1) | named

    def line(self, row: dict[str, Any], why: str) -> dict[str, Any]:
        own = row["custom_id"]
        if why:
            error = {"code": self.error_code[why], "message": f"It is {why}"}
            return {"id": f"req-{own}", "custom_id": own, "error": error}
        choice = {"message": {"role": "assistant", "content": f"Answer for {own}"}}
        body = {"id": "chatcmpl-1", "choices": [choice]}
        # The documents' own lines have neither request_id nor "error": null.
        return {
            "id": f"req-{own}",
            "custom_id": own,
            "response": {"status_code": 200, "body": body},
        }

    def look(self, batch_id: str) -> Reply:
        batch = self.batches[batch_id]
        batch["looks"] += 1
        return Reply(200, self.shown(batch_id, batch["looks"]))

    def counts(self, batch: dict[str, Any], step: int) -> dict[str, Any]:
        good, bad = len(batch["good"]), len(batch["bad"])
        over = step > 1
        return {
            "total": good + bad,
            "completed": good if over else 0,
            "failed": bad if over else 0,
        }

    def shown(self, batch_id: str, step: int) -> dict[str, Any]:
        batch = self.batches[batch_id]
        word = [self.first, "in_progress", self.done][min(step, 2)]
        told: dict[str, Any] = {
            "id": batch_id,
            "object": "batch",
            "status": word.upper() if self.odd else word,
            "created_at": ISO if self.odd else UNIX,
            "request_counts": self.counts(batch, step),
        }
        if step > 1:
            told |= self.pointers(batch_id, batch)
        if self.odd:
            told |= {"completed_at": float(UNIX) + 0.5, "made_up": {"a": [None]}, "errors": None}
            if step < 1:
                del told["request_counts"]
        return told

    def pointers(self, batch_id: str, batch: dict[str, Any]) -> dict[str, Any]:
        good, bad = batch["good"], batch["bad"]
        lines = good + bad if self.one_output else good
        told = {"output_file_id": self.file_name.format(f"out-{batch_id}") if lines else None}
        self.files[self.file_name.format(f"out-{batch_id}")] = jsonl(lines[::-1])
        if not self.one_output:
            self.files[self.file_name.format(f"err-{batch_id}")] = jsonl(bad)
            told["error_file_id"] = self.file_name.format(f"err-{batch_id}") if bad else None
        return {k: v for k, v in told.items() if v is not None} if self.odd else told

    def content(self, file_id: str, asked: Asked) -> Reply:
        if file_id not in self.files:
            return self.refusal(404, "No such file")
        kind = "application/octet-stream" if self.odd else "application/jsonl"
        return Reply(200, self.files[file_id], {"content-type": kind}, chunked=self.odd)


class TensorZero(Files):
    """The quick start guide. Row errors are in the error file only."""


class Melious(Files):
    """The batch workflow page: ``succeeded``, counts without a total, one output file."""

    done = "succeeded"
    first = "queued"
    one_output = True
    error_code: ClassVar[dict[str, str]] = {"flaky": "INFERENCE_3107", "bad": "INFERENCE_3207"}

    def refusal(self, status: int, words: str) -> Reply:
        return Reply(status, {"error": {"code": "AUTH_1007", "message": words}})

    def counts(self, batch: dict[str, Any], step: int) -> dict[str, Any]:
        good, bad = len(batch["good"]), len(batch["bad"])
        over = step > 1
        return {
            "processing": 0 if over else good + bad,
            "succeeded": good if over else 0,
            "errored": bad if over else 0,
        }

    def line(self, row: dict[str, Any], why: str) -> dict[str, Any]:
        line = super().line(row, why)
        # The page reads entry["error"] of every line.
        return {"response": None, "error": None, **line}


class Doubleword(Files):
    """The skill page: ids with hyphens, growing output, headers that say how far it is."""

    batch_name = "batch-{}"
    error_code: ClassVar[dict[str, str]] = {"flaky": "Timeout", "bad": "NonRetriableHttpStatus"}

    @property
    def made(self) -> int:  # type: ignore[override]
        return 201 if self.odd else 200

    def refusal(self, status: int, words: str) -> Reply:
        return Reply(status, words if self.odd else {"error": words})

    def shown(self, batch_id: str, step: int) -> dict[str, Any]:
        told = super().shown(batch_id, step)
        if self.odd:
            # The files are named from the creation on, and grow.
            told |= self.pointers(batch_id, self.batches[batch_id])
        return told

    def content(self, file_id: str, asked: Asked) -> Reply:
        reply = super().content(file_id, asked)
        found = re.search(r"(out|err)-(.*)", file_id)
        if found is None or reply.status != 200:
            return reply
        lines = reply.body.splitlines(keepends=True)
        if self.odd and self.batches[found[2]]["looks"] < 2:
            lines = lines[: len(lines) // 2]
            headers = {"X-Incomplete": "true", "X-Last-Line": str(len(lines))}
        else:
            headers = {"X-Incomplete": "false", "X-Last-Line": str(len(lines))}
        skip = int(asked.query.get("skip", 0))
        return Reply(200, b"".join(lines[skip:]), headers, chunked=self.odd)


class Anthropic(Shop):
    """The examples page and what its client calls: no progress before the end."""

    def __init__(self, *, odd: bool = False) -> None:
        super().__init__(odd=odd)
        self.batches: dict[str, dict[str, Any]] = {}

    def handle(self, asked: Asked) -> Reply:
        assert asked.headers["anthropic-version"]
        if asked.headers.get("x-api-key") != self.key:
            error = {"type": "authentication_error", "message": "invalid x-api-key"}
            return Reply(401, {"type": "error", "error": error, "request_id": "req_1"})
        if (asked.method, asked.path) == ("POST", "/v1/messages/batches"):
            return self.create(json.loads(asked.body))
        if found := re.fullmatch(r"/v1/messages/batches/([^/]+)(/results)?", asked.path):
            batch = self.batches.get(found[1])
            if batch is not None and found[2]:
                body = jsonl(batch["lines"][::-1])
                return Reply(200, body, {"content-type": "application/binary"}, chunked=True)
            if batch is not None:
                batch["looks"] += 1
                return Reply(200, self.shown(found[1]))
        error = {"type": "not_found_error", "message": "Not found"}
        return Reply(404, {"type": "error", "error": error})

    def create(self, body: dict[str, Any]) -> Reply:
        assert list(body) == ["requests"]
        batch_id = f"msgbatch_{len(self.batches):02}"
        lines = []
        for row in body["requests"]:
            assert set(row) == {"custom_id", "params"} and row["params"]["max_tokens"]
            why = self.fails(row["custom_id"], row["params"])
            lines.append({"custom_id": row["custom_id"], "result": self.result(row, why)})
        self.batches[batch_id] = {"looks": 0, "lines": lines}
        return Reply(200, self.shown(batch_id))

    def result(self, row: dict[str, Any], why: str) -> dict[str, Any]:
        if not why:
            text = f"Answer for {row['custom_id']}"
            content: list[dict[str, Any]] = [{"type": "text", "text": text}]
            if self.odd:
                content.insert(0, {"type": "thinking", "thinking": "Hm.", "signature": "x"})
            message = {"id": "msg_1", "type": "message", "content": content}
            usage = {"input_tokens": 9, "output_tokens": 4}
            return {"type": "succeeded", "message": message | {"usage": usage}}
        if why == "flaky" and self.odd:
            return {"type": "expired"}
        kind = "api_error" if why == "flaky" else "invalid_request_error"
        error = {"type": "error", "error": {"type": kind, "message": f"It is {why}"}}
        return {"type": "errored", "error": error}

    def shown(self, batch_id: str) -> dict[str, Any]:
        batch = self.batches[batch_id]
        over = batch["looks"] > 1
        kinds = [line["result"]["type"] for line in batch["lines"]]
        names = ("succeeded", "errored", "canceled", "expired")
        told: dict[str, Any] = {
            "id": batch_id,
            "type": "message_batch",
            "processing_status": "ended" if over else "in_progress",
            "request_counts": {
                "processing": 0 if over else len(kinds),
                **{name: kinds.count(name) if over else 0 for name in names},
            },
            "created_at": ISO,
            "expires_at": "2026-11-22T09:03:00.123456789Z",
            "ended_at": ISO if over else None,
            "results_url": f"/v1/messages/batches/{batch_id}/results" if over else None,
        }
        if self.odd:
            told = {k: v for k, v in told.items() if v is not None} | {"new_key": 1}
            told.pop("results_url", None)
        return told


class ScaleDown(Shop):
    """The prompts page: raw JSONL in, ``batch_id`` out, and nothing to list or cancel."""

    def __init__(self, *, odd: bool = False) -> None:
        super().__init__(odd=odd)
        self.batches: dict[str, dict[str, Any]] = {}
        self.nameless = False
        """Leave the id out of the answer to a create."""

    def handle(self, asked: Asked) -> Reply:
        if asked.headers.get("x-api-key") != self.key:
            return Reply(401, "unauthorized")
        if (asked.method, asked.path) == ("POST", "/v1/batches"):
            assert asked.headers["content-type"] == "application/jsonl"
            rows = [json.loads(line) for line in asked.body.splitlines()]
            batch_id = f"b{len(self.batches)}"
            self.batches[batch_id] = {"looks": 0, "lines": [self.line(row) for row in rows]}
            made = {"batch_id": batch_id, "status": "queued", "total_count": len(rows)}
            if self.nameless:
                del made["batch_id"]
            return Reply(202 if self.odd else 200, made)
        if found := re.fullmatch(r"/v1/batches/([^/]+)(/output)?", asked.path):
            batch = self.batches.get(found[1])
            if batch is None:
                return Reply(404, "no such batch")
            if found[2]:
                # Not ready yet looks like unknown.
                if self.odd and not batch.setdefault("asked", 0):
                    batch["asked"] = 1
                    return Reply(404, "not found")
                return Reply(200, jsonl(batch["lines"][::-1]), chunked=self.odd)
            batch["looks"] += 1
            word = ["queued", "processing", "completed"][min(batch["looks"], 2)]
            # The short form of the page has the status alone.
            return Reply(
                200, {"status": word} if self.odd else {"batch_id": found[1], "status": word}
            )
        return Reply(404, "no such route")

    def line(self, row: dict[str, Any]) -> dict[str, Any]:
        own, body = row["custom_id"], row["body"]
        if why := self.fails(own, body):
            error = {"code": why, "message": f"It is {why}"}
            return {"custom_id": own, "response": None, "error": error}
        kind = body["model"]
        entity = {"type": "person", "text": "Ada", "confidence": 0.99}
        if self.odd:
            entity = {"type": "person", "value": "Ada", "score": 0.99}
        content: dict[str, Any] = {
            "summarize": {"summary": f"Answer for {own}", "input_chars": 9, "output_chars": 4},
            "extract": {"entities": [entity]},
            "classify": {"top_label": "refund", "scores": {"refund": 0.9}, "reasoning": "money"},
        }[kind]
        choice = {"message": {"content": json.dumps(content)}}
        answer = {"status_code": 200, "body": {"model": kind, "choices": [choice]}}
        return {"custom_id": own, "response": answer, "error": None}
