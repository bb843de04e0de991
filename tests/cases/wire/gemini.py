"""A provider of Gemini's batch jobs on loopback, to be changed by a case like ``Provider``."""

from __future__ import annotations

import json
import re

from tests.cases.wire.provider import Json, Provider, Web

BASE_URL = "http://127.0.0.1:{port}/v1beta"


class Gemini(Provider):
    """Files and batch jobs as Gemini serves them; a job ends at its second poll."""

    def take(self, web: Web, data: bytes) -> None:
        """Answer the last call of an upload."""
        name = f"files/in-{len(self.files)}"
        self.files[name] = data
        web.json({"file": {"name": name, "state": "ACTIVE"}}, 200, self.headers("final"))

    def headers(self, status: str) -> dict[str, str]:
        address = f"http://127.0.0.1:{self.port}/bytes"
        return {"X-Goog-Upload-URL": address, "X-Goog-Upload-Status": status}

    def keyed(self, batch: Json) -> list[Json]:
        lines = self.files[batch["input"]].splitlines()
        return [json.loads(line) for line in lines]

    def line(self, row: Json) -> Json | None:
        """The result line of a row."""
        content = {"parts": [{"text": f"answer {row['key']}"}], "role": "model"}
        usage = {"promptTokenCount": 5, "candidatesTokenCount": 3, "totalTokenCount": 8}
        answer = {"candidates": [{"content": content, "finishReason": "STOP"}]}
        return {"key": row["key"], "response": answer | {"usageMetadata": usage}}

    def output(self, batch: Json) -> Json:
        """Where the results of an ended job are."""
        return {"responsesFile": batch["name"].replace("batches/", "files/batch-")}

    def operation(self, batch: Json) -> Json:
        ended = batch["polls"] >= self.ends_at
        count = str(len(self.keyed(batch)))
        metadata = {
            "name": batch["name"],
            "displayName": batch["display"],
            "state": "BATCH_STATE_SUCCEEDED" if ended else "BATCH_STATE_RUNNING",
            "createTime": "2026-11-20T08:01:02.123456789Z",
            "inputConfig": {"fileName": batch["input"]},
        }
        if not ended:
            return {"name": batch["name"], "metadata": metadata}
        metadata |= {"batchStats": {"requestCount": count, "successfulRequestCount": count}}
        output = self.output(batch)
        return {"name": batch["name"], "metadata": metadata, "done": True, "response": output}

    def answer(self, web: Web, method: str, path: str, data: bytes) -> None:
        if path == "/upload/v1beta/files":
            web.json({}, 200, self.headers("active"))
        elif path == "/bytes":
            self.seen["uploads"] += 1
            self.take(web, data)
        elif path.endswith(":batchGenerateContent"):
            self.seen["creates"] += 1
            asked = json.loads(data)["batch"]
            name = f"batches/b{len(self.batches)}"
            self.batches[name] = {
                "name": name,
                "polls": 0,
                "input": asked["inputConfig"]["fileName"],
                "display": asked["displayName"],
            }
            web.json(self.operation(self.batches[name]))
        elif (method, path) == ("GET", "/v1beta/batches"):
            web.json({"operations": [self.operation(one) for one in self.batches.values()]})
        elif (method, path) == ("GET", "/v1beta/files"):
            web.json({"files": []})
        elif found := re.fullmatch(r"/v1beta/(batches/\w+)", path):
            batch = self.batches[found[1]]
            batch["polls"] += 1
            web.json(self.operation(batch))
        elif found := re.fullmatch(r"/download/v1beta/files/batch-(\w+):download", path):
            self.seen["downloads"] += 1
            lines = map(self.line, self.keyed(self.batches[f"batches/{found[1]}"]))
            told = (json.dumps(line).encode() + b"\n" for line in lines if line)
            web.send(b"".join(told), "application/octet-stream")
        else:
            web.json({"error": {"code": 404, "message": path, "status": "NOT_FOUND"}}, 404)
