"""Where the answer is in a result line, and answers in the shape that is documented.

Documented is ``response.body`` with an object. Servers also send the object as ``response``
itself, as JSON in a text, beside the ``custom_id``, or inside a further object; and inside it
contents and tool arguments as objects where text is documented.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tui.core.results.bedrock import chat_of_bedrock, is_bedrock
from tui.core.results.bodies import is_broken_off
from tui.core.results.chunks import is_stream, joined
from tui.core.results.error_words import is_error
from tui.core.results.google.gemini import chat_of_gemini, is_gemini

_WRAPPERS = (
    "response", "body", "result", "message", "data", "output", "completion", "modelOutput",
)  # fmt: skip
_DEEPEST = 5
_LONGEST_TEXT = 1 << 26
_LONGEST_NUMBER = 19

_ENVELOPE = frozenset(
    {"id", "object", "model", "created", "created_at", "usage", "system_fingerprint", "provider",
     "service_tier", "param", "code", "type", "status", "status_code", "statusCode",
     "success", "request_id", "requestId",
     "timestamp", "path", "trace_id", "error", "errors", "message", "msg", "detail", "details",
     "error_code", "error_type", "prompt_filter_results", "role", "stop_reason", "stop_sequence",
     "messages", "prompt", "input", "instructions", "tools", "tool_choice", "temperature", "top_p",
     "max_tokens", "max_completion_tokens", "max_output_tokens", "stream", "seed", "stop", "n",
     "response_format", "metadata", "method", "url",
     "custom_id", "headers", "title", "retry_after", "incomplete_details", "background",
     "error_msg", "errmsg", "err_msg", "errorMsg", "errorMessage", "error_message", "errcode",
     "err_code", "errorCode", "task_id", "task_status"}
)  # fmt: skip
"""Keys around an answer, and those of a request, which some servers send back in its place.

A body with no other key that has a value holds no answer.
"""

_WORDS = (
    "detail", "message", "msg", "error", "errors", "error_msg", "errmsg", "err_msg", "errorMsg",
    "errorMessage", "error_message",
)  # fmt: skip
_ACCEPTED = frozenset(
    {"queued", "pending", "processing", "in_progress", "running", "submitted", "accepted"}
)
"""Statuses of a request that was taken and not answered yet."""


def find_body(value: Any) -> Any:
    """The response body in a decoded result line; ``None`` if the line has none.

    A body that is documented as the answer of an endpoint is preferred wherever it is; otherwise
    it is ``response.body``, which may be an error of any type.
    """
    if not isinstance(value, dict):
        return None
    if _is_answer(value):
        return normalised({name: inner for name, inner in value.items() if name != "custom_id"})
    found = _answer_in(value, _DEEPEST)
    if found is not None:
        return normalised(found)
    response = value.get("response")
    if isinstance(response, dict) and ("body" in response or "message" in response):
        return _chat_of_text(_without_frame(response.get("body", response.get("message"))))
    result = value.get("result")
    if isinstance(result, dict) and isinstance(result.get("message"), dict):
        return result["message"]
    return _decoded(response) if isinstance(response, str) else None


def _without_frame(body: Any) -> Any:
    """A body out of the text, the stream or the list of one that it is in."""
    body = _decoded(body)
    if is_stream(body):
        return joined(body) or body
    return body[0] if isinstance(body, list) and len(body) == 1 else body


def _chat_of_text(body: Any) -> Any:
    """A body of a server's own shape as a chat completion, if a text in it is the answer.

    The text is at a usual name, beside the reason of its end: in the body (Ollama, Qianfan), or in
    its ``output`` or ``result`` (DashScope, Cloudflare, whose texts stand alone).
    """
    if not isinstance(body, dict) or _is_answer(body) or not has_answer(body):
        return body
    for name in ("output", "result"):
        if isinstance(inner := body.get(name), dict):
            break
    else:
        inner = body
    text = next((inner[name] for name in _TEXTS if isinstance(inner.get(name), str)), None)
    reason = _reason_of(inner)
    if text is None or (reason is None and (inner is body or _has_fields(inner))):
        return body
    message = {"role": "assistant", "content": text, "tool_calls": inner.get("tool_calls")}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return normalised({**_counted(inner), **body, "choices": [choice]})


def _has_fields(inner: dict[str, Any]) -> bool:
    """Whether an object has more values than one text."""
    apart = _ENVELOPE | {"tool_calls"}
    return sum(_is_given(value) for name, value in inner.items() if name not in apart) > 1


def _reason_of(body: dict[str, Any]) -> str | None:
    """Why a text ended, in the words of servers with a shape of their own."""
    if body.get("is_truncated") is True or body.get("stopped_limit") is True:
        return "length"
    for name in ("finish_reason", "done_reason", "stop_reason", "stop_type"):
        if isinstance(body.get(name), str):
            return str(body[name])
    return None


def _counted(body: dict[str, Any]) -> dict[str, Any]:
    """The usage of a body, also from the counts of Ollama."""
    if isinstance(body.get("usage"), dict):
        return {"usage": body["usage"]}
    counts = {
        "prompt_tokens": body.get("prompt_eval_count"),
        "completion_tokens": body.get("eval_count"),
    }
    found = {name: count for name, count in counts.items() if type(count) is int}
    return {"usage": found} if found else {}


def has_answer(body: Any) -> bool:
    """Whether a body holds an answer, not only an error or the frame of an answer.

    The body of an endpoint that is not known has one if it holds anything else than words about
    what went wrong.
    """
    if not isinstance(body, dict):
        return False
    choices = body.get("choices")
    if isinstance(choices, list) and choices:
        return any(_is_choice(choice) for choice in choices) and not _is_hollow(body, choices)
    if _is_answer(body):
        return True
    if is_error(body.get("error")) or _has_words(body) or _is_waiting(body):
        return False
    if body.get("success") is False or "error" in (body.get("object"), body.get("status")):
        return False
    if isinstance(body.get("detail"), dict | list):
        return False
    if "choices" in body and not any(_is_given(body.get(name)) for name in _TEXTS):
        # The frame of a chat completion without one.
        return False
    rest = (inner for name, inner in body.items() if name not in _ENVELOPE)
    return any(_is_given(inner) and (type(inner) is not list or _has_item(inner)) for inner in rest)


def has_content(body: dict[str, Any]) -> bool:
    """Whether a choice of a body has anything that was generated."""
    choices = body.get("choices")
    return isinstance(choices, list) and any(
        _has_content(choice) for choice in choices if isinstance(choice, dict)
    )


def text_of_unknown(body: dict[str, Any]) -> str:
    """The text of an answer in a shape that is not documented: at a usual name, else all of it.

    Empty for the documented answers of endpoints.
    """
    if isinstance(data := body.get("data"), list) and _are_values(data):
        return _json(data)
    if _is_answer(body) or any(name in body for name in _DOCUMENTED):
        return ""
    for name in _TEXTS:
        if isinstance(body.get(name), str) and body[name]:
            return str(body[name])
    return _json({name: inner for name, inner in body.items() if name not in _ENVELOPE})


def _are_values(data: list[Any]) -> bool:
    """Whether a list has scores or labels (vLLM), and no vectors or images."""
    apart = ("embedding", "b64_json", "url")
    return bool(data) and all(
        isinstance(item, dict) and not any(name in item for name in apart) for item in data
    )


def normalised(body: dict[str, Any]) -> dict[str, Any]:
    """A body with its contents and arguments in the documented types; a changed copy if needed."""
    if is_gemini(body):
        return chat_of_gemini(body)
    if is_bedrock(body):
        return chat_of_bedrock(body)
    changed = {**_counted(body), **body}
    if isinstance(changed.get("usage"), dict):
        changed["usage"] = _usage(changed["usage"])
    if (choices := _choices(body.get("choices"))) is not None:
        failed = is_error(body.get("error"))
        changed["choices"] = [_choice(choice, failed=failed) for choice in choices]
    elif isinstance(body.get("message"), dict) and "content" in body["message"]:
        # Ollama's own shape.
        reason = body.get("done_reason") or ("stop" if body.get("done") else None)
        choice = {"message": body["message"], "finish_reason": body.get("finish_reason") or reason}
        changed["choices"] = [_choice(choice)]
    elif isinstance(body.get("content"), str):
        changed["content"] = [{"type": "text", "text": body["content"]}]
        if "stop_reason" not in body:
            # llama.cpp's own shape.
            changed["stop_reason"] = _reason_of(body)
    elif isinstance(body.get("content"), list):
        changed["content"] = [_part(part) for part in body["content"]]
    if isinstance(body.get("output"), list):
        changed["output"] = [_item(item) for item in body["output"]]
    return changed


def _answer_in(value: Any, depth: int) -> dict[str, Any] | None:
    value = joined(value) if is_stream(value) else _decoded(value)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict) or depth == 0:
        return None
    if _is_answer(value):
        return value
    for name in _WRAPPERS:
        if isinstance(value.get(name), dict | str | list):
            found = _answer_in(value[name], depth - 1)
            if found is not None:
                # DashScope counts the tokens beside the output.
                around = _counted(value) if "usage" not in found else {}
                return {**around, **found} if around else found
    return None


def _decoded(value: Any) -> Any:
    """An object that was written as JSON in a text, decoded once."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    if len(value) > _LONGEST_TEXT:
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return value


def _is_answer(value: dict[str, Any]) -> bool:
    """Whether an object is the documented answer of an endpoint."""
    if is_gemini(value) or is_bedrock(value):
        return True
    if "choices" in value and (choices := _choices(value["choices"])) is not None:
        return bool(choices)
    message = value.get("message")
    if isinstance(message, dict) and not _is_message(message):
        return "role" in message and "content" in message
    content = value.get("content")
    if isinstance(content, list):
        return True
    if isinstance(content, str) and content:
        return "role" in value or not _has_words(value)
    if any(isinstance(value.get(name), list) and _has_item(value[name]) for name in _LISTS):
        return True
    return isinstance(value.get("output"), list) and value.get("status") in _ENDED_EARLY


def _is_message(value: dict[str, Any]) -> bool:
    """Whether an object is an answer of Anthropic: a message with the reason of its end."""
    return value.get("type") == "message" or "stop_reason" in value


_TEXTS = (
    "output_text", "generated_text", "completion", "generation", "answer", "text", "content",
    "response", "result", "output",
)  # fmt: skip
_DOCUMENTED = ("choices", "data", "results")
_LISTS = ("output", "data", "results", "embeddings")
_ENDED_EARLY = ("incomplete", "failed", "cancelled")
"""Statuses with which a body of the Responses API may have no output."""


def _has_item(items: list[Any]) -> bool:
    """Whether a list of an answer has anything in it; a vector that could not be made is null."""
    return any(
        _is_made(one.get("embedding", one)) for one in items if isinstance(one, dict)
    ) or any(not isinstance(one, dict) for one in items)


def _is_made(vector: Any) -> bool:
    if isinstance(vector, list):
        # NaN is null in JSON.
        return bool(vector) and None not in vector
    return vector not in (None, "")


def _is_waiting(body: dict[str, Any]) -> bool:
    """Whether a body only says that the request was accepted.

    The answer to the request for a video is a queued job, whose file is fetched by its id.
    """
    if body.get("object") == "video":
        return False
    if any(_is_given(body.get(name)) for name in (*_TEXTS, "choices", "data", "results")):
        return False
    words = (body.get(name) for name in ("status", "task_status", "state"))
    return any(isinstance(word, str) and word.casefold() in _ACCEPTED for word in words)


def _has_words(body: dict[str, Any]) -> bool:
    """Whether a body has words at a place where servers say what went wrong."""
    return any(isinstance(body.get(name), str) and is_error(body[name]) for name in _WORDS)


def _is_choice(choice: Any) -> bool:
    if not isinstance(choice, dict):
        return False
    if isinstance(choice.get("text"), str):
        return True
    message = choice.get("message") or choice.get("delta")
    if not isinstance(message, dict):
        return False
    failed = is_error(choice.get("error")) or is_broken_off(choice.get("finish_reason"))
    return not failed or _has_content(choice)


def _is_hollow(body: dict[str, Any], choices: list[Any]) -> bool:
    """Whether the choices of a body are a frame without content; see ``bodies.holds_answer``."""
    if any(isinstance(choice, dict) and _has_more(choice) for choice in choices):
        return False
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return all(
        not choice.get("finish_reason") for choice in choices if isinstance(choice, dict)
    ) or (usage.get("prompt_tokens") == 0 == usage.get("total_tokens"))


def _has_more(choice: dict[str, Any]) -> bool:
    """Whether a choice has any content, be it only the reasoning or a text without words."""
    message = choice.get("message") or choice.get("delta")
    if not isinstance(message, dict):
        return isinstance(choice.get("text"), str)
    return any(_is_given(inner) for name, inner in message.items() if name != "role")


def _has_content(choice: dict[str, Any]) -> bool:
    message = choice.get("message") or choice.get("delta")
    if not isinstance(message, dict):
        return bool(choice.get("text"))
    return any(_is_given(message.get(name)) for name in ("content", "tool_calls", "refusal"))


def _is_given(value: Any) -> bool:
    return value not in (None, "", [], {}, False)


def _choices(value: Any) -> list[Any] | None:
    """The choices of a body; some servers write one, or several by their number, as an object."""
    if isinstance(value, dict):
        if any(name in value for name in ("message", "delta", "text")):
            return [value]
        value = list(value.values())
        return value if value and all(isinstance(one, dict) for one in value) else None
    return value if isinstance(value, list) else None


def _usage(usage: dict[str, Any]) -> dict[str, Any]:
    """Numbers of tokens that are written as texts or with a fraction, as whole numbers.

    Cohere has them in ``tokens``, beside those that are billed.
    """
    found = {
        name: _usage(value) if isinstance(value, dict) else _whole(value)
        for name, value in usage.items()
    }
    for name in ("billed_units", "tokens"):
        if isinstance(found.get(name), dict) and "input_tokens" not in found:
            found = {**found[name], **found}
    return found


def _whole(value: Any) -> Any:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value) if len(value) < _LONGEST_NUMBER else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _choice(choice: Any, *, failed: bool = False) -> Any:
    """A choice; of a body with an error beside them, one without a reason of its end broke off."""
    if not isinstance(choice, dict):
        return choice
    if "error" in choice and not is_error(choice["error"]):
        choice = {name: value for name, value in choice.items() if name != "error"}
    message = choice.get("message") or choice.get("delta")
    if isinstance(message, str):
        message = {"content": message}
    if isinstance(message, dict):
        choice = {**choice, "message": _message(message)}
    if choice.get("finish_reason") is None and isinstance(choice.get("stop_reason"), str):
        # Mistral's answers at Bedrock.
        choice = {**choice, "finish_reason": choice["stop_reason"]}
    if failed and choice.get("finish_reason") is None:
        choice = {**choice, "finish_reason": "error"}
    return choice


def _message(message: dict[str, Any]) -> dict[str, Any]:
    changed = dict(message)
    content = message.get("content")
    if isinstance(content, list):
        changed["content"] = [_part(part) for part in content]
    elif isinstance(content, dict) and isinstance(content.get("text"), str):
        changed["content"] = content["text"]
    elif content is not None and not isinstance(content, str):
        changed["content"] = _json(content)
    calls = message.get("tool_calls")
    if isinstance(calls, dict) and ("function" in calls or "name" in calls):
        calls = [calls]
    if isinstance(calls, list):
        changed["tool_calls"] = [_tool_call(call) for call in calls]
    if isinstance(message.get("function_call"), dict):
        changed["function_call"] = _function(message["function_call"])
    return changed


def _tool_call(call: Any) -> Any:
    if not isinstance(call, dict):
        return call
    for name in ("function", "custom"):
        if isinstance(call.get(name), dict):
            return {**call, name: _function(call[name])}
    if "name" in call:
        return {**call, "function": _function(call)}
    return call


def _function(function: dict[str, Any]) -> dict[str, Any]:
    texts = {
        name: _json(function[name])
        for name in ("arguments", "input")
        if function.get(name) is not None and not isinstance(function[name], str)
    }
    return {**function, **texts}


def _item(item: Any) -> Any:
    """An output item of the Responses API."""
    if not isinstance(item, dict):
        return item
    changed = _function(item)
    if isinstance(item.get("content"), list):
        changed["content"] = [_part(part) for part in item["content"]]
    elif isinstance(item.get("content"), str):
        changed["content"] = [{"type": "output_text", "text": item["content"]}]
    return changed


def _part(part: Any) -> Any:
    """A part of a content: its text is a text, or an object with a ``value`` (Assistants)."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if not isinstance(part, dict):
        return {"type": "text", "text": _json(part)}
    text = part.get("text")
    if isinstance(text, dict):
        value = text.get("value")
        return {**part, "text": value if isinstance(value, str) else _json(text)}
    return part


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return str(value)
