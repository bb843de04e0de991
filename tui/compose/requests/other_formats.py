"""Requests in the forms of Gemini and Bedrock, translated to chat or Messages requests or counted.

Only what can be said without loss is translated: Gemini's texts and sampling options (Gemini API
and Vertex AI, reference ``GenerateContentRequest``), and Anthropic's bodies inside Bedrock's rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ROLES = {"user": "user", "model": "assistant", None: "user"}
_OPTIONS = {
    "temperature": "temperature",
    "topP": "top_p",
    "top_p": "top_p",
    "maxOutputTokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "stopSequences": "stop",
    "stop_sequences": "stop",
    "candidateCount": "n",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
}


def chat_of_gemini(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The chat body of a ``GenerateContentRequest`` of texts; ``None`` if it has more than that."""
    options = request.get("generationConfig", request.get("generation_config", {}))
    system = request.get("systemInstruction", request.get("system_instruction"))
    known = {
        "contents", "generationConfig", "generation_config", "systemInstruction",
        "system_instruction", "model",
    }  # fmt: skip
    if set(request) - known or not isinstance(options, dict) or set(options) - set(_OPTIONS):
        return None
    messages: list[dict[str, str]] = []
    if system is not None:
        text = _text(system)
        if text is None:
            return None
        messages.append({"role": "system", "content": text})
    contents = request.get("contents")
    for content in contents if isinstance(contents, list) else [contents]:
        text = _text(content)
        role = _ROLES.get(content.get("role")) if isinstance(content, dict) else "user"
        if text is None or role is None:
            return None
        messages.append({"role": role, "content": text})
    body: dict[str, Any] = {"messages": messages}
    if isinstance(request.get("model"), str):
        body = {"model": request["model"].removeprefix("models/"), **body}
    return body | {_OPTIONS[name]: value for name, value in options.items()}


def _text(content: Any) -> str | None:
    if isinstance(content, str):
        return content
    parts = content.get("parts") if isinstance(content, dict) else None
    parts = [parts] if isinstance(parts, dict) else parts
    if not isinstance(parts, list) or not parts:
        return None
    texts = [part.get("text") for part in parts if isinstance(part, dict) and set(part) == {"text"}]
    if len(texts) != len(parts) or not all(isinstance(text, str) for text in texts):
        return None
    return "".join(map(str, texts))


def is_gemini(body: Mapping[str, Any]) -> bool:
    """Whether a body is a request of Gemini, for an answer or for an embedding."""
    return "messages" not in body and ("contents" in body or isinstance(body.get("content"), dict))


def counted_view(request: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be counted of a request of Gemini, in the fields of a chat request."""
    config = _table(request.get("generationConfig", request.get("generation_config")))
    contents = request.get("contents", request.get("content"))
    system = request.get("systemInstruction", request.get("system_instruction"))
    turns = contents if isinstance(contents, list) else [contents]
    messages = [
        {"role": "user", "content": [_counted_part(part) for part in _parts_of(turn)]}
        for turn in (turns if system is None else [system, *turns])
    ]
    tools: list[Any] = []
    for tool in request.get("tools") or ():
        declared = _table(tool).get(
            "functionDeclarations", _table(tool).get("function_declarations")
        )
        tools += declared if isinstance(declared, list) else [tool]
    schema = config.get("responseJsonSchema", config.get("responseSchema"))
    return {
        "messages": messages,
        "tools": tools or None,
        "response_format": schema,
        "previous_response_id": request.get("cachedContent", request.get("cached_content")),
        "modalities": config.get("responseModalities", config.get("response_modalities")),
    }


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _parts_of(content: Any) -> list[Any]:
    parts = content.get("parts") if isinstance(content, Mapping) else content
    return parts if isinstance(parts, list) else [parts]


def _counted_part(part: Any) -> Any:
    if not isinstance(part, Mapping):
        return part
    if isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    data = _table(part.get("inlineData", part.get("inline_data")))
    kind = str(data.get("mimeType", data.get("mime_type", "")))
    if kind.startswith("image/"):
        url = f"data:{kind};base64,{data.get('data')}"
        return {"type": "image_url", "image_url": {"url": url}}
    if kind.startswith(("audio/", "video/")):
        return {"type": "input_audio"}
    if data or "fileData" in part or "file_data" in part:
        return {"type": "file"}
    return {"type": "text", "input": dict(part)}


def converse_view(body: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be counted of a Converse request of Bedrock, in the fields of a chat request."""
    messages = body.get("messages")
    turns = [_table(turn).get("content") for turn in messages] if isinstance(messages, list) else []
    system = body.get("system")
    tools = _table(body.get("toolConfig")).get("tools")
    return {
        "messages": [
            {"role": "user", "content": [_counted_block(block) for block in _parts_of(turn)]}
            for turn in (turns if system is None else [system, *turns])
        ],
        "tools": [
            {"type": "function", "function": _table(tool).get("toolSpec", tool)}
            for tool in (tools if isinstance(tools, list) else ())
        ]
        or None,
        "response_format": _table(body.get("outputConfig")).get("textFormat"),
    }


def _counted_block(block: Any) -> Any:
    if not isinstance(block, Mapping):
        return block
    if isinstance(block.get("text"), str):
        return {"type": "text", "text": block["text"]}
    image = _table(block.get("image"))
    if image:
        data = _table(image.get("source")).get("bytes")
        url = f"data:image/{image.get('format')};base64,{data}"
        return {"type": "image_url", "image_url": {"url": url}}
    if "document" in block:
        return {"type": "file"}
    if "video" in block or "audio" in block:
        return {"type": "input_audio"}
    results = _table(block.get("toolResult")).get("content")
    if isinstance(results, list):
        return {"type": "text", "content": [_counted_block(each) for each in results]}
    return {"type": "text", "input": dict(block)}


def messages_of_bedrock(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The Messages body inside a Bedrock row; ``None`` if it is not Anthropic's."""
    if not isinstance(body.get("messages"), list) or "anthropic_version" not in body:
        return None
    return {name: value for name, value in body.items() if name != "anthropic_version"}
