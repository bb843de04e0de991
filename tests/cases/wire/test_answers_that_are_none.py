"""Bodies with status 200 that hold an answer which was cut, refused or never made.

The words of OpenRouter and gateways like it (an error inside a choice, or beside choices without
content), LiteLLM (BerriAI/litellm 38199: a frame in which no token was read), Ollama (``load``),
Gemini (``OTHER``, ``UNEXPECTED_TOOL_CALL``), Cohere, the AI SDK of Vercel (``content-filter``), LM
Studio, vLLM (``repetition``; vectors of NaN), Qianfan (``error_msg``), and queues of Zhipu and of
the Responses API that acknowledge a request.

Right: None of these is a success, an error that passes can be retried, and an answer with a clean
end stays one.
"""

from __future__ import annotations

from typing import Any

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


def chat(text: str | None, reason: str | None = "stop", **choice: Any) -> Json:
    message = {"role": "assistant", "content": text}
    return {"choices": [{"index": 0, "message": message, "finish_reason": reason, **choice}]}


AWAY = {"error": {"code": 502, "message": "Upstream is away"}}

ROWS: dict[str, Json] = {
    "choice-error": chat("", **AWAY),
    "choice-error-null": chat(None, None, **AWAY),
    "choice-error-half": chat("half of", None, **AWAY),
    "choice-error-clean": chat("whole", **AWAY),
    "body-error": chat("") | AWAY,
    "body-error-half": chat("half of", None) | AWAY,
    "nothing": chat(None, None),
    "no-tokens": chat("") | {"usage": {"prompt_tokens": 0, "completion_tokens": 0,
                                       "total_tokens": 0}},
    "load": chat("", "load"),
    "other": chat("", "OTHER"),
    "other-whole": chat("whole", "other"),
    "tool": chat(None, "UNEXPECTED_TOOL_CALL"),
    "hyphen": chat("", "content-filter"),
    "toxic": chat("", "ERROR_TOXIC"),
    "image": chat("", "IMAGE_SAFETY"),
    "camel": chat("half of", "maxTokens"),
    "limit": chat("half of", "ERROR_LIMIT"),
    "context": chat("half of", "contextLengthReached"),
    "repetition": chat("ha ha ha", "repetition"),
    "cancelled": chat("half of", "USER_CANCEL"),
    "server": chat("", "server_error"),
    "qianfan": {"error_code": 17, "error_msg": "Open api daily request limit reached"},
    "qianfan-cut": {"result": "half of", "is_truncated": True, "finish_reason": "normal"},
    "dashscope-cut": {"output": {"text": "half of", "finish_reason": "length"}, "request_id": "q"},
    "gemini-cut": {"candidates": [{"content": {"parts": [{"text": "half of"}]},
                                   "finish_reason": "MAX_TOKENS"}]},
    "zhipu": {"id": "8", "model": "m", "task_status": "PROCESSING", "request_id": "q"},
    "queued": {"id": "r", "object": "response", "status": "queued", "background": True,
               "output": []},
    "vector": {"object": "list", "data": [{"embedding": [None, None]}]},
    "no-vector": {"object": "list", "data": [{"embedding": []}]},
}  # fmt: skip

RIGHT: dict[str, dict[str, Any]] = {
    "choice-error": {"outcome": "failed", "message": "away", "retryable": True},
    "choice-error-null": {"outcome": "failed", "message": "away", "retryable": True},
    "choice-error-half": {"outcome": "truncated", "text": "^half of$"},
    "choice-error-clean": {"outcome": "succeeded", "text": "^whole$"},
    "body-error": {"outcome": "failed", "message": "away", "retryable": True},
    "body-error-half": {"outcome": "truncated", "text": "^half of$"},
    "nothing": {"outcome": "failed", "message": "No answer"},
    "no-tokens": {"outcome": "failed", "message": "No answer"},
    "load": {"outcome": "failed", "retryable": True},
    "other": {"outcome": "failed", "message": "broken off"},
    "other-whole": {"outcome": "succeeded", "text": "^whole$"},
    "tool": {"outcome": "failed", "message": "broken off"},
    "hyphen": {"outcome": "refused"},
    "toxic": {"outcome": "refused"},
    "image": {"outcome": "refused"},
    "camel": {"outcome": "truncated"},
    "limit": {"outcome": "truncated"},
    "context": {"outcome": "truncated"},
    "repetition": {"outcome": "truncated"},
    "cancelled": {"outcome": "truncated"},
    "server": {"outcome": "failed", "retryable": True},
    "qianfan": {"outcome": "failed", "message": "^Open api daily request limit reached$"},
    "qianfan-cut": {"outcome": "truncated", "text": "^half of$"},
    "dashscope-cut": {"outcome": "truncated", "text": "^half of$"},
    "gemini-cut": {"outcome": "truncated", "text": "^half of$"},
    "zhipu": {"outcome": "failed", "message": "No answer"},
    "queued": {"outcome": "failed", "message": "No answer"},
    "vector": {"outcome": "failed"},
    "no-vector": {"outcome": "failed"},
}


class Server(Provider):
    """Each row has a body of its own, with status 200."""

    def result(self, row: Json) -> tuple[Json | None, Json | None]:
        name = row["custom_id"]
        return {"custom_id": name, "response": {"status_code": 200, "body": ROWS[name]}}, None


def test_answers_that_are_none(start: Start) -> None:
    case = start(Server(), *ROWS)
    case.submit(exits=(1,))
    case.step("results", "input", rows=RIGHT)
