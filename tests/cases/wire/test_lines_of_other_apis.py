"""Result files of a server of OpenAI's form have the lines of the API behind it.

Reported at BerriAI/litellm: Bedrock's records are passed on as they are (litellm-docs 1408), and
those of Vertex AI if the first one was blocked (pull request 25627); the error lines of Anthropic
are those of bespokelabsai/curator (issue 296). The labels of Vertex AI are LiteLLM's and Bifrost's
(maximhq/bifrost, core/providers/vertex).

Right: Each line is its row's, with the reason of its end, its tokens, and its own words of error.
"""

from __future__ import annotations

import json

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider

MESSAGE: Json = {
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "hi"}],
    "usage": {"input_tokens": 5, "output_tokens": 3},
}
CREDIT = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to"
    " upgrade or purchase credits."
)
INVALID = {"error": {"code": 400, "message": "Invalid argument.", "status": "INVALID_ARGUMENT"}}
REFUSED = {"type": "error", "error": {"type": "invalid_request_error", "message": CREDIT}}


def record(name: str, **rest: Json) -> Json:
    return {"recordId": name, "modelInput": {"messages": []}, **rest}


def claude(name: str, kind: str, **rest: Json) -> Json:
    return {"custom_id": name, "result": {"type": kind, **rest}}


def vertex(name: str, response: Json, status: str = "", label: str = "litellm_custom_id") -> Json:
    request = {"contents": [], "labels": {label: name}}
    return {"status": status, "processed_time": "x", "request": request, "response": response}


GOOD = {"candidates": [{"content": {"parts": [{"text": "hi"}]}, "finish_reason": "STOP"}],
        "usage_metadata": {"prompt_token_count": 5, "total_token_count": 8}}  # fmt: skip

ROWS: dict[str, Json] = {
    "bedrock": record("bedrock", modelOutput=MESSAGE | {"stop_reason": "end_turn"}),
    "bedrock-cut": record("bedrock-cut", modelOutput=MESSAGE | {"stop_reason": "max_tokens"}),
    "bedrock-bad": record("bedrock-bad", error={"errorCode": 400, "errorMessage": "Malformed"}),
    "claude": claude("claude", "succeeded", message=MESSAGE | {"stop_reason": "end_turn"}),
    "claude-cut": claude(
        "claude-cut", "succeeded", message=MESSAGE | {"stop_reason": "max_tokens"}
    ),
    "claude-no": claude("claude-no", "succeeded", message=MESSAGE | {"stop_reason": "refusal"}),
    "claude-bad": claude("claude-bad", "errored", error=REFUSED),
    "claude-late": claude("claude-late", "expired"),
    "claude-stopped": claude("claude-stopped", "canceled"),
    "vertex": vertex("vertex", GOOD),
    "vertex-bifrost": vertex("vertex-bifrost", GOOD, label="bifrost_custom_id"),
    "vertex-no": vertex("vertex-no", {"prompt_feedback": {"block_reason": "SAFETY"}}),
    "vertex-bad": vertex("vertex-bad", {}, f"Bad Request: {json.dumps(INVALID)}"),
}

RIGHT: dict[str, Json] = {
    "bedrock": {"outcome": "succeeded", "text": "^hi$"},
    "bedrock-cut": {"outcome": "truncated", "text": "^hi$"},
    "bedrock-bad": {"outcome": "failed", "message": "^Malformed$", "retryable": False},
    "claude": {"outcome": "succeeded", "text": "^hi$"},
    "claude-cut": {"outcome": "truncated", "text": "^hi$"},
    "claude-no": {"outcome": "refused"},
    "claude-bad": {"outcome": "failed", "message": "^Your credit balance"},
    "claude-late": {"outcome": "expired"},
    "claude-stopped": {"outcome": "cancelled"},
    "vertex": {"outcome": "succeeded", "text": "^hi$"},
    "vertex-bifrost": {"outcome": "succeeded", "text": "^hi$"},
    "vertex-no": {"outcome": "refused", "text": "SAFETY"},
    "vertex-bad": {"outcome": "failed", "message": "^Invalid argument.$", "retryable": False},
}
COUNTED = ("bedrock", "bedrock-cut", "claude", "claude-cut", "vertex", "vertex-bifrost")


class Server(Provider):
    """Each row has a line of its own."""

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        return ROWS[row["custom_id"]], None


def test_lines_of_other_apis(start: Start) -> None:
    case = start(Server(), *ROWS)
    case.submit(exits=(1,), counts={"missing": 0})
    said = case.step("results", "input", rows=RIGHT)
    usage = {row["custom_id"]: row["usage"] for row in map(json.loads, said.splitlines())}
    for name in COUNTED:
        assert (usage[name]["input_tokens"], usage[name]["output_tokens"]) == (5, 3), name
    case.step("show", "input", says="out of credit")
