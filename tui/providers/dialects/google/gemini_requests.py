"""Translates chat completion and embedding requests into Gemini's, without loss.

Supported fields:

====================================  =====================================================
chat completion                       GenerateContentRequest
====================================  =====================================================
leading system, developer messages    ``systemInstruction``
user, assistant text                  ``contents`` with the roles ``user`` and ``model``
``image_url``, ``file`` with data     ``inlineData``
``input_audio``                       ``inlineData``
``tool_calls``, tool messages         ``functionCall`` and ``functionResponse``
``max_tokens``, ``stop``, ``n`` …     ``generationConfig``
``logprobs``, ``top_logprobs``        ``responseLogprobs``, ``logprobs``
function ``tools``, ``tool_choice``   ``functionDeclarations``, ``functionCallingConfig``
``response_format``                   ``responseMimeType``, ``responseJsonSchema``
``reasoning_effort``                  ``thinkingConfig``, by the table of Google's OpenAI page
====================================  =====================================================

Values that only state a default are omitted. Gemini's own fields (``safetySettings``,
``cachedContent``, ``thinkingConfig``, ``top_k``) and tools are passed through. Any other field
raises ``Untranslatable`` instead of being dropped. The shapes are those of the REST reference
(ai.google.dev/api/generate-content): what the SDK takes in ``config`` is refused there.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tui.providers.dialects.chat_requests import (
    ChatRequests,
    Table,
    function_call,
    longest_answer,
    stop_sequences,
)
from tui.providers.dialects.requests import Untranslatable

_NATIVE = ("safetySettings", "cachedContent", "thinkingConfig", "top_k", "topK")
_OPTIONS = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "topK": "topK",
    "seed": "seed",
    "n": "candidateCount",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
    "thinkingConfig": "thinkingConfig",
}
_READER = ChatRequests(
    "Gemini",
    {
        "model", "messages", "max_tokens", "max_completion_tokens", "stop", "tools", "tool_choice",
        "parallel_tool_calls", "response_format", "reasoning_effort", *_OPTIONS, *_NATIVE,
    },
)  # fmt: skip
_require_only = _READER.require_only
_MOST_STOPS = 5
_EFFORT_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576}
_EFFORT_LEVELS = ("minimal", "low", "medium", "high")
_AUDIO = {"wav": "audio/wav", "mp3": "audio/mp3"}
_DATA_URL = re.compile(r"data:([a-z0-9.+-]+/[a-z0-9.+-]+);base64,(.*)", re.DOTALL | re.IGNORECASE)


def chat_to_gemini(body: Table) -> Table:
    """Translate the body of a chat completion request; the model is left out.

    Raises:
        Untranslatable: Something would be lost.
    """
    chat = _READER.stated(body)
    system, contents = _conversation(chat.get("messages"))
    request: Table = {"contents": contents}
    if system:
        request["systemInstruction"] = {"parts": system}
    request |= _tools(chat)
    request |= {name: chat[name] for name in ("safetySettings", "cachedContent") if name in chat}
    if config := _config(chat):
        request["generationConfig"] = config
    return request


def embedding_to_gemini(body: Table) -> Table:
    """Translate the body of an embedding request of one text; the model is left out.

    Raises:
        Untranslatable: It has several texts, or a field that Gemini does not have.
    """
    known = {"model", "input", "dimensions", "encoding_format", "taskType", "title"}
    for name, value in body.items():
        if name not in known and value is not None:
            raise Untranslatable(f"uses {name}, which Gemini does not support in embeddings")
    if body.get("encoding_format") not in (None, "float"):
        raise Untranslatable("sets encoding_format; Gemini returns numbers only")
    text = body.get("input")
    if isinstance(text, list) and len(text) == 1:
        (text,) = text
    if not isinstance(text, str):
        raise Untranslatable("has an input that is not one text; Gemini embeds one per row")
    request: Table = {"content": {"parts": [{"text": text}]}}
    request |= {name: body[name] for name in ("taskType", "title") if body.get(name) is not None}
    if body.get("dimensions") is not None:
        request["outputDimensionality"] = body["dimensions"]
    return request


def _config(chat: Table) -> Table:
    config = {new: chat[old] for old, new in _OPTIONS.items() if old in chat}
    if (limit := longest_answer(chat)) is not None:
        config["maxOutputTokens"] = limit
    if "stop" in chat:
        stops = stop_sequences(chat)
        if len(stops) > _MOST_STOPS:
            raise Untranslatable(f"has {len(stops)} stop sequences; Gemini takes {_MOST_STOPS}")
        config["stopSequences"] = stops
    if "top_logprobs" in chat and chat.get("logprobs") is not True:
        raise Untranslatable("sets top_logprobs without logprobs")
    if "response_format" in chat:
        config |= _output_format(chat["response_format"])
    if "reasoning_effort" in chat:
        if "thinkingConfig" in chat:
            raise Untranslatable("sets reasoning_effort and thinkingConfig")
        config["thinkingConfig"] = _thinking(chat["reasoning_effort"], str(chat.get("model", "")))
    return config


def _thinking(effort: Any, model: str) -> Table:
    """The thinking of an effort (ai.google.dev/gemini-api/docs/openai, "Thinking")."""
    name = model.rpartition("/")[2]
    if name.startswith("gemini-2.5") and effort in _EFFORT_BUDGETS:
        return {"thinkingBudget": _EFFORT_BUDGETS[effort]}
    if re.match(r"gemini-([3-9]|\d\d)", name) and effort in _EFFORT_LEVELS:
        return {"thinkingLevel": effort}
    raise Untranslatable(
        f"has reasoning_effort {effort!r}, which is not documented for {name or 'this model'};"
        " set thinkingConfig instead"
    )


def _output_format(form: Any) -> Table:
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"responseMimeType": "application/json"}
    if (schema := _READER.schema(form)) is not None:
        return {"responseMimeType": "application/json", "responseJsonSchema": schema}
    raise Untranslatable(f"has the response_format {kind!r}, which Gemini does not support")


def _conversation(messages: Any) -> tuple[list[Table], list[Table]]:
    """Split messages into the parts of the system prompt and the contents."""
    prompts, turns = _READER.conversation(messages)
    system = [part for content in prompts for part in _parts(content, texts=True)]
    contents: list[Table] = []
    names: dict[str, str] = {}
    for message in turns:
        if message["role"] == "user":
            parts = _parts(_require_only(message, "role", "content").get("content"))
            contents.append({"role": "user", "parts": parts})
        elif message["role"] == "assistant":
            contents.append({"role": "model", "parts": _answer_parts(message, names)})
        else:
            _add_tool_result(contents, message, names)
    if not contents:
        raise Untranslatable("has no message besides the system prompt")
    return system, contents


def _answer_parts(message: Table, names: dict[str, str]) -> list[Table]:
    checked = _require_only(message, "role", "content", "tool_calls")
    content, calls = checked.get("content"), checked.get("tool_calls") or []
    parts = _parts(content, texts=True) if content or not calls else []
    for call in calls:
        call_id, name, arguments = function_call(call)
        made: Table = {"name": name, "args": arguments}
        if isinstance(call_id, str):
            names[call_id] = name
            made = {"id": call_id, **made}
        parts.append({"functionCall": made})
    return parts


def _add_tool_result(contents: list[Table], message: Table, names: dict[str, str]) -> None:
    """Add the result of a tool; all results of one turn stand in one content."""
    checked = _require_only(message, "role", "content", "tool_call_id", "name")
    call_id = checked.get("tool_call_id")
    name = names.get(call_id) if isinstance(call_id, str) else None
    if name is None:
        raise Untranslatable("has a tool message that answers no tool call")
    text = "".join(part["text"] for part in _parts(checked.get("content"), texts=True))
    try:
        value = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        value = None
    response = value if isinstance(value, dict) else {"output": text}
    part = {"functionResponse": {"id": call_id, "name": name, "response": response}}
    last = contents[-1] if contents else {}
    if last.get("role") == "user" and "functionResponse" in last["parts"][-1]:
        last["parts"].append(part)
    else:
        contents.append({"role": "user", "parts": [part]})


def _parts(content: Any, *, texts: bool = False) -> list[Table]:
    if isinstance(content, str):
        return [{"text": content}]
    if not isinstance(content, list) or not content:
        raise Untranslatable("has a message without content")
    return [_part(part, texts=texts) for part in content]


def _part(part: Any, *, texts: bool) -> Table:
    if not isinstance(part, dict):
        raise Untranslatable("has a content part that is not an object")
    kind = part.get("type")
    if kind == "text":
        return {"text": _require_only(part, "type", "text").get("text")}
    if not texts:
        if kind == "image_url":
            return _image(_require_only(part, "type", "image_url").get("image_url"))
        if kind == "input_audio" and isinstance(part.get("input_audio"), dict):
            audio = _require_only(part["input_audio"], "data", "format")
            if audio.get("format") in _AUDIO:
                return _inline(_AUDIO[audio["format"]], audio.get("data"))
        if kind == "file" and isinstance(part.get("file"), dict):
            file = _require_only(part["file"], "file_data", "filename")
            if match := _DATA_URL.fullmatch(str(file.get("file_data"))):
                return _inline(match[1], match[2])
    raise Untranslatable(
        f"has a content part of type {kind!r}, which Gemini does not support there"
    )


def _image(image: Any) -> Table:
    table = image if isinstance(image, dict) else {"url": image}
    if table.get("detail") not in (None, "auto"):
        raise Untranslatable("sets the detail of an image, which Gemini does not support")
    match = _DATA_URL.fullmatch(str(table.get("url")))
    if match is None:
        raise Untranslatable("has an image by its address; Gemini takes data: URLs with base64")
    return _inline(match[1], match[2])


def _inline(kind: str, data: Any) -> Table:
    return {"inlineData": {"mimeType": kind.lower(), "data": data}}


def _tools(chat: Table) -> Table:
    found: Table = {}
    declarations: list[Table] = []
    own: list[Table] = []
    strict = False
    for tool in chat.get("tools", ()):
        if not isinstance(tool, dict):
            raise Untranslatable("has a tool that is not an object")
        if tool.get("type") != "function":
            if "type" in tool or len(tool) != 1:
                raise Untranslatable("has a tool that is neither a function nor one of Gemini's")
            own.append(tool)
            continue
        function = tool.get("function")
        if not isinstance(function, dict):
            raise Untranslatable("has a function without a name")
        checked = _require_only(function, "name", "description", "parameters", "strict")
        made: Table = {"name": checked.get("name")}
        if checked.get("description"):
            made["description"] = checked["description"]
        if checked.get("parameters"):
            made["parametersJsonSchema"] = checked["parameters"]
        strict = strict or bool(checked.get("strict"))
        declarations.append(made)
    if declarations or own:
        functions = [{"functionDeclarations": declarations}] if declarations else []
        found["tools"] = [*functions, *own]
    if chat.get("parallel_tool_calls") is False:
        raise Untranslatable("sets parallel_tool_calls to false, which Gemini does not support")
    choice = _tool_choice(chat.get("tool_choice"), strict=strict)
    if choice is not None:
        found["toolConfig"] = {"functionCallingConfig": choice}
    return found


def _tool_choice(choice: Any, *, strict: bool) -> Table | None:
    """How functions are called; ``VALIDATED`` and ``ANY`` keep to the schema of strict ones."""
    if choice is None:
        return {"mode": "VALIDATED"} if strict else None
    if choice == "auto":
        return {"mode": "VALIDATED" if strict else "AUTO"}
    if choice in ("none", "required"):
        return {"mode": "NONE" if choice == "none" else "ANY"}
    function = choice.get("function") if isinstance(choice, dict) else None
    if isinstance(function, dict) and function.get("name"):
        return {"mode": "ANY", "allowedFunctionNames": [function["name"]]}
    raise Untranslatable("has a tool_choice that Gemini does not support")
