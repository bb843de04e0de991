"""Bodies with status 200 that hold an answer in another shape than the documented one.

The shapes of gateways in front of streams (OpenRouter's remarks, the events of the Responses API
and of Anthropic), Hugging Face's text generation (a list of one), Cloudflare (``result.response``),
DashScope (tokens beside the output), Ollama, Cohere, DeepSeek and Moonshot (cached tokens), Mistral
and LM Studio (thoughts as parts of the content), vLLM (scores), and servers that send an error
object which says 200 beside an answer.

Right: The answer is read, without the thoughts, and its tokens are counted; a stream that broke off
is cut.
"""

from __future__ import annotations

import json
from typing import Any

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider

MESSAGE = {"role": "assistant", "content": "hi"}
CHAT: Json = {"choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}]}


def stream(*events: Any, head: str = "", tail: str = "") -> str:
    lines = (
        event if isinstance(event, str) else f"data: {json.dumps(event)}\n" for event in events
    )
    return head + "\n".join(lines) + tail


def delta(text: str, reason: str | None = None) -> Json:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]}


def parts(kind: str, **values: Any) -> Json:
    thought = {"type": kind, **values}
    message = {"role": "assistant", "content": [thought, {"type": "text", "text": "hi"}]}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


OUTPUT = [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}]
BOTH = {"prompt_tokens": 5, "completion_tokens": 3}

ROWS: dict[str, Any] = {
    "remark": stream(delta("hi", "stop"), head=": OPENROUTER PROCESSING\n\n"),
    "done": stream(delta("hi"), "data: [DONE]\n"),
    "cut": stream(delta("half of"), tail='data: {"choi'),
    "error": stream(delta("half of"), {"error": {"message": "away", "code": 500}}),
    "only-error": stream({"error": {"message": "away", "code": 500}}, "data: [DONE]\n"),
    "responses": stream(
        {"type": "response.created", "response": {"status": "in_progress", "output": []}},
        {"type": "response.output_text.delta", "delta": "hi"},
        {"type": "response.completed", "response": {"status": "completed", "output": OUTPUT}},
        head="event: response.created\n",
    ),
    "responses-cut": stream(
        {"type": "response.output_text.delta", "delta": "half of"}, head="event: delta\n"
    ),
    "claude": stream(
        {"type": "message_start", "message": {"model": "m", "content": [], "stop_reason": None,
                                              "usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
         "usage": {"output_tokens": 3}},
        head="event: message_start\n",
    ),
    "claude-cut": stream(
        {"type": "content_block_delta", "index": 0,
         "delta": {"type": "text_delta", "text": "half of"}},
        head="event: content_block_delta\n",
    ),
    "list": [{"generated_text": "hi"}],
    "cloudflare": {"result": {"response": "hi", "usage": BOTH}, "success": True, "errors": []},
    "dashscope": {"output": CHAT, "usage": {"input_tokens": 5, "output_tokens": 3}},
    "ollama": {"message": MESSAGE, "done": True, "done_reason": "stop",
               "prompt_eval_count": 5, "eval_count": 3},
    "cohere": {"message": {"role": "assistant", "content": [{"type": "text", "text": "hi"}]},
               "finish_reason": "COMPLETE",
               "usage": {"billed_units": {"input_tokens": 5, "output_tokens": 3},
                         "tokens": {"input_tokens": 70, "output_tokens": 3}}},
    "camel": CHAT | {"usage": {"inputTokens": 5, "outputTokens": 3, "totalTokens": 8}},
    "no-output": CHAT | {"usage": {"prompt_tokens": 5, "total_tokens": 8}},
    "deepseek": CHAT | {"usage": BOTH | {"prompt_cache_hit_tokens": 4}},
    "moonshot": CHAT | {"usage": BOTH | {"cached_tokens": 4}},
    "thought": parts("thinking", text="hm"),
    "reasoning": parts("reasoning_text", text="hm"),
    "score": {"object": "list", "data": [{"index": 0, "object": "score", "score": 0.9}]},
    "fine": CHAT,
}  # fmt: skip

CUT = ("cut", "error", "responses-cut", "claude-cut")
COUNTED = ("claude", "cloudflare", "dashscope", "ollama", "cohere", "camel", "no-output")


class Server(Provider):
    """Each row has a body of its own, with status 200."""

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        name = row["custom_id"]
        line = {"custom_id": name, "response": {"status_code": 200, "body": ROWS[name]}}
        if name == "fine":
            line["error"] = {"code": "200", "message": "Request succeeded"}
        return line, None


def test_answers_in_other_shapes(start: Start) -> None:
    case = start(Server(), *ROWS)
    case.submit(exits=(1,))
    right: dict[str, dict[str, Any]] = {
        name: {"outcome": "succeeded", "text": "^hi$"} for name in ROWS
    }
    right |= {name: {"outcome": "truncated", "text": "^half of$"} for name in CUT}
    right["score"] = {"outcome": "succeeded", "text": '"score":0.9'}
    right["only-error"] = {"outcome": "failed", "message": "away", "retryable": True}
    said = case.step("results", "input", rows=right)
    usage = {row["custom_id"]: row["usage"] for row in map(json.loads, said.splitlines())}
    for name in COUNTED:
        tokens = (usage[name]["input_tokens"], usage[name]["output_tokens"])
        assert tokens == (5, 3), name
    assert usage["deepseek"]["cached_tokens"] == usage["moonshot"]["cached_tokens"] == 4
