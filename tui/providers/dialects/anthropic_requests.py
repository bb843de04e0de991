"""Translates chat completion requests into Anthropic Messages requests, without loss.

Supported fields:

====================================  =====================================================
chat completion                       Messages
====================================  =====================================================
leading system, developer messages    ``system``
user, assistant text                  unchanged; parts become text blocks
``cache_control`` of a text part      unchanged
``image_url``                         an image block, by URL or as base64
``file``                              a document block, by file id or as a PDF in base64
``tool_calls``, tool messages         ``tool_use`` and ``tool_result`` blocks
``max_completion_tokens``             ``max_tokens``; one of the two is required
``stop``                              ``stop_sequences``
``temperature`` up to 1, ``top_p``    unchanged
function ``tools``, ``tool_choice``   ``tools`` with ``input_schema``, ``tool_choice``
``parallel_tool_calls: false``        ``disable_parallel_tool_use``
``response_format: json_schema``      ``output_config.format``
``user``                              ``metadata.user_id``
====================================  =====================================================

Values that only state a default (``n: 1``, ``stream: false``, nulls) are omitted. Anthropic's own
fields (``top_k``, ``thinking``, ``output_config`` …) are passed through. Any other field raises
``Untranslatable`` instead of being dropped.
"""

from __future__ import annotations

import re
from typing import Any

from tui.providers.dialects.chat_requests import (
    ChatRequests,
    Table,
    call_arguments,
    longest_answer,
    stop_sequences,
)
from tui.providers.dialects.requests import Untranslatable

_NATIVE_FIELDS = ("top_k", "thinking", "output_config", "context_management", "container", "system")
_READER = ChatRequests(
    "Anthropic",
    {
        "model", "messages", "max_tokens", "max_completion_tokens", "stop", "temperature", "top_p",
        "tools", "tool_choice", "parallel_tool_calls", "response_format", "user", *_NATIVE_FIELDS,
    },
    {"n": (1,), "frequency_penalty": (0,), "presence_penalty": (0,)},
)  # fmt: skip
_require_only = _READER.require_only
_PDF_URL = re.compile(r"data:application/pdf;base64,(.*)", re.DOTALL | re.IGNORECASE)
_DATA_URL = re.compile(r"data:(image/[a-z0-9.+-]+);base64,(.*)", re.DOTALL | re.IGNORECASE)


def chat_to_messages(body: Table) -> Table:
    """Translate the body of a chat completion request into Messages params.

    Raises:
        Untranslatable: Something would be lost.
    """
    chat = _READER.stated(body)
    params: Table = {"model": chat.get("model")}
    params["max_tokens"] = longest_answer(chat)
    system, messages = _conversation(chat.get("messages"))
    if system is not None:
        params["system"] = system
    params["messages"] = messages
    if system is not None and "system" in chat:
        raise Untranslatable("has a system prompt in two places")
    params |= {name: chat[name] for name in _NATIVE_FIELDS if name in chat}
    params |= _sampling(chat)
    params |= _tools(chat)
    if "response_format" in chat and (form := _output_format(chat["response_format"])):
        params["output_config"] = {**params.get("output_config", {}), "format": form}
    if "user" in chat:
        params["metadata"] = {"user_id": chat["user"]}
    return params


def _sampling(chat: Table) -> Table:
    found: Table = {name: chat[name] for name in ("temperature", "top_p") if name in chat}
    temperature = found.get("temperature")
    if isinstance(temperature, (int, float)) and temperature > 1:
        raise Untranslatable(f"has temperature {temperature}; Anthropic's maximum is 1")
    if "stop" in chat:
        found["stop_sequences"] = stop_sequences(chat)
    return found


def _conversation(messages: Any) -> tuple[Any, list[Table]]:
    """Split messages into the system prompt, ``None`` if there is none, and the turns."""
    system, asked = _READER.conversation(messages)
    turns: list[Table] = []
    for message in asked:
        if message["role"] == "user":
            content = _require_only(message, "role", "content").get("content")
            turns.append({"role": "user", "content": _content(content, images=True)})
        elif message["role"] == "assistant":
            turns.append(_assistant(message))
        else:
            _add_tool_result(turns, message)
    if not system:
        return None, turns
    if len(system) == 1 and isinstance(system[0], str):
        return system[0], turns
    return [block for part in system for block in _blocks(part, images=False)], turns


def _assistant(message: Table) -> Table:
    checked = _require_only(message, "role", "content", "tool_calls")
    calls = checked.get("tool_calls") or []
    content = checked.get("content")
    if not calls:
        return {"role": "assistant", "content": _content(content, images=False)}
    blocks = _blocks(content, images=False) if content else []
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise Untranslatable("has a tool call that is not a function call")
        blocks.append(
            {
                "type": "tool_use",
                "id": call.get("id"),
                "name": function.get("name"),
                "input": call_arguments(function.get("arguments")),
            }
        )
    return {"role": "assistant", "content": blocks}


def _add_tool_result(turns: list[Table], message: Table) -> None:
    """Add a tool result; Anthropic requires all results of one turn in one user message."""
    checked = _require_only(message, "role", "content", "tool_call_id")
    block = {
        "type": "tool_result",
        "tool_use_id": checked.get("tool_call_id"),
        "content": _content(checked.get("content"), images=False),
    }
    last = turns[-1] if turns else {}
    if last.get("role") == "user" and _is_results(last.get("content")):
        last["content"].append(block)
    else:
        turns.append({"role": "user", "content": [block]})


def _is_results(content: Any) -> bool:
    return isinstance(content, list) and all(
        isinstance(block, dict) and block.get("type") == "tool_result" for block in content
    )


def _content(content: Any, *, images: bool) -> Any:
    return content if isinstance(content, str) else _blocks(content, images=images)


def _blocks(content: Any, *, images: bool) -> list[Table]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise Untranslatable("has a message without content")
    return [_block(part, images=images) for part in content]


def _block(part: Any, *, images: bool) -> Table:
    if isinstance(part, dict):
        kind = part.get("type")
        if kind == "text":
            checked = _require_only(part, "type", "text", "cache_control")
            block: Table = {"type": "text", "text": checked.get("text")}
            if checked.get("cache_control"):
                # As LiteLLM, OpenRouter and other gateways write it in chat completions.
                block["cache_control"] = checked["cache_control"]
            return block
        if kind == "image_url" and images:
            return _image(_require_only(part, "type", "image_url").get("image_url"))
        if kind == "file" and images:
            return _document(_require_only(part, "type", "file").get("file"))
        raise Untranslatable(
            f"has a content part of type {kind!r}, which Anthropic does not support there"
        )
    raise Untranslatable("has a content part that is not an object")


def _document(file: Any) -> Table:
    """A document: a file of Anthropic's Files API by its id, or a PDF as base64."""
    table = file if isinstance(file, dict) else {}
    file_id = table.get("file_id")
    if isinstance(file_id, str) and file_id:
        _require_only(table, "file_id")
        return {"type": "document", "source": {"type": "file", "file_id": file_id}}
    checked = _require_only(table, "file_data", "filename")
    match = _PDF_URL.fullmatch(str(checked.get("file_data")))
    if match is None:
        raise Untranslatable("has a file that is neither a file_id nor a PDF as a data: URL")
    source = {"type": "base64", "media_type": "application/pdf", "data": match[1]}
    found: Table = {"type": "document", "source": source}
    return {**found, "title": checked["filename"]} if checked.get("filename") else found


def _image(image: Any) -> Table:
    table = image if isinstance(image, dict) else {"url": image}
    url = table.get("url")
    if table.get("detail") not in (None, "auto"):
        raise Untranslatable("sets the detail of an image, which Anthropic does not support")
    if not isinstance(url, str):
        raise Untranslatable("has an image without a URL")
    if match := _DATA_URL.fullmatch(url):
        source = {"type": "base64", "media_type": match[1].lower(), "data": match[2]}
    elif url.startswith(("https://", "http://")):
        source = {"type": "url", "url": url}
    else:
        raise Untranslatable("has an image that is neither an HTTP URL nor base64")
    return {"type": "image", "source": source}


def _tools(chat: Table) -> Table:
    found: Table = {}
    if "tools" in chat:
        found["tools"] = [_tool(tool) for tool in chat["tools"]]
    choice = _tool_choice(chat["tool_choice"]) if "tool_choice" in chat else None
    if chat.get("parallel_tool_calls") is False:
        if choice is None:
            choice = {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    if choice is not None:
        found["tool_choice"] = choice
    return found


def _tool(tool: Any) -> Table:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        raise Untranslatable("has a tool that is not a function")
    function = tool.get("function")
    if not isinstance(function, dict):
        raise Untranslatable("has a function without a name")
    checked = _require_only(function, "name", "description", "parameters", "strict")
    found: Table = {"name": checked.get("name")}
    if checked.get("description"):
        found["description"] = checked["description"]
    found["input_schema"] = checked.get("parameters") or {"type": "object", "properties": {}}
    if checked.get("strict"):
        found["strict"] = True
    return found


def _tool_choice(choice: Any) -> Table:
    types = {"auto": "auto", "none": "none", "required": "any"}
    if isinstance(choice, str) and choice in types:
        return {"type": types[choice]}
    function = choice.get("function") if isinstance(choice, dict) else None
    if isinstance(function, dict) and function.get("name"):
        return {"type": "tool", "name": function["name"]}
    raise Untranslatable("has a tool_choice that Anthropic does not support")


def _output_format(form: Any) -> Table | None:
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "text":
        return None
    if (schema := _READER.schema(form)) is not None:
        return {"type": "json_schema", "schema": schema}
    raise Untranslatable(f"has the response_format {kind!r}, which Anthropic does not support")
