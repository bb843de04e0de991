"""Rows say what became of them in words of their own.

Seen at gateways (one-api, new-api, LiteLLM) and at MiniMax, Zhipu, DeepSeek, SGLang and vLLM:
numbers of tokens as texts, reasons of an end in capitals, answers that the server broke off, a
completion without choices beside a code of the server's own, a status with its words, a vector
of null.

Right: Nothing that was cut, refused or never made is a success, and tokens are counted.
"""

from __future__ import annotations

import json
from typing import Any

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


def chat(text: str | None, reason: str = "stop", **body: Any) -> Json:
    message = {"role": "assistant", "content": text}
    return {"choices": [{"index": 0, "message": message, "finish_reason": reason}], **body}


ROWS: dict[str, Json] = {
    "texts": chat("hi", usage={"prompt_tokens": "5", "completion_tokens": 3.0}),
    "negative": chat("hi", usage={"prompt_tokens": -5, "completion_tokens": 3}),
    "zero": chat("hi"),
    "stream": 'data: {"choices": [{"index": 0, "delta": {"content": "hi"}}]}\n\ndata: [DONE]\n',  # type: ignore[dict-item]
    "capitals": chat("half of", "MAX_TOKENS"),
    "enum": chat("half of", "FinishReason.LENGTH"),
    "filter": chat(None, "CONTENT_FILTER"),
    "sensitive": chat("", "sensitive"),
    "abort": chat("", "abort"),
    "broken": chat("half of", "network_error"),
    "minimax": {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}},
    "page": "<html><head><title>502 Bad Gateway</title></head></html>",  # type: ignore[dict-item]
    "object": {"choices": {"0": {"message": {"content": "hi"}, "finish_reason": "stop"}}},
    "vector": {"object": "list", "data": [{"object": "embedding", "embedding": None}]},
}


class Server(Provider):
    """Each row has a body of its own, with status 200; two are only errors."""

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        name = row["custom_id"]
        if name == "status":
            response = {"status_code": "429 Too Many Requests", "body": None}
            return None, {"custom_id": name, "response": response, "error": None}
        if name == "expired":
            return None, {"custom_id": name, "response": None, "error": {"code": "expired"}}
        status = 0 if name == "zero" else 200
        return {"custom_id": name, "response": {"status_code": status, "body": ROWS[name]}}, None


def test_rows_in_other_words(start: Start) -> None:
    case = start(Server(), *ROWS, "status", "expired")
    case.submit(exits=(1,))
    said = case.step(
        "results",
        "input",
        rows={
            "texts": {"outcome": "succeeded", "text": "^hi$"},
            "negative": {"outcome": "succeeded"},
            "stream": {"outcome": "succeeded", "text": "^hi$"},
            "zero": {"outcome": "succeeded", "text": "^hi$"},
            "capitals": {"outcome": "truncated", "text": "^half of$"},
            "enum": {"outcome": "truncated"},
            "filter": {"outcome": "refused"},
            "sensitive": {"outcome": "refused"},
            "abort": {"outcome": "failed", "message": "broken off", "retryable": True},
            "broken": {"outcome": "truncated", "text": "^half of$"},
            "minimax": {"outcome": "failed", "message": "^rate limit$"},
            "page": {"outcome": "failed", "http_status": 502, "retryable": True},
            "object": {"outcome": "succeeded", "text": "^hi$"},
            "vector": {"outcome": "failed"},
            "status": {"outcome": "failed", "http_status": 429, "retryable": True},
            "expired": {"outcome": "expired"},
        },
    )
    usage = {row["custom_id"]: row["usage"] for row in map(json.loads, said.splitlines())}
    assert (usage["texts"]["input_tokens"], usage["texts"]["output_tokens"]) == (5, 3)
    assert (usage["negative"]["input_tokens"], usage["negative"]["output_tokens"]) == (None, 3)
