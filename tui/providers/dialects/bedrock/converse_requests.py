"""Translates chat completion requests into Bedrock's Converse requests, without loss.

Supported fields:

====================================  =====================================================
chat completion                       Converse
====================================  =====================================================
leading system, developer messages    ``system``
user, assistant text                  ``messages`` of content blocks; turns of one role are
                                      joined, because the roles must alternate
``image_url``                         an image block, from base64 or from an object in S3
``file``                              a document block, from base64
``tool_calls``, tool messages         ``toolUse`` and ``toolResult`` blocks
``max_tokens``, ``stop`` …            ``inferenceConfig``
``temperature``, ``top_p`` up to 1    ``inferenceConfig``
function ``tools``, ``tool_choice``   ``toolConfig``
``response_format: json_schema``      ``outputConfig.textFormat``
====================================  =====================================================

Values that only state a default are omitted. Converse's own fields (``inferenceConfig`` excepted)
are passed through, among them ``additionalModelRequestFields`` for the parameters of a model. Any
other field raises ``Untranslatable`` instead of being dropped. The shapes are those of botocore's
service model ``bedrock-runtime/2023-09-30``.
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

_NATIVE = (
    "additionalModelRequestFields", "additionalModelResponseFieldPaths", "guardrailConfig",
    "outputConfig", "performanceConfig", "promptVariables", "requestMetadata", "serviceTier",
)  # fmt: skip
_READER = ChatRequests(
    "Bedrock's Converse",
    {
        "model", "messages", "max_tokens", "max_completion_tokens", "stop", "temperature", "top_p",
        "tools", "tool_choice", "parallel_tool_calls", "response_format", *_NATIVE,
    },
    {"n": (1,), "frequency_penalty": (0,), "presence_penalty": (0,)},
)  # fmt: skip
_require_only = _READER.require_only
_DATA_URL = re.compile(r"data:([a-z0-9.+-]+/[a-z0-9.+-]+);base64,(.*)", re.DOTALL | re.IGNORECASE)
_IMAGES = {f"image/{kind}": kind for kind in ("png", "jpeg", "gif", "webp")}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
_NOT_IN_NAMES = re.compile(r"[^\w\-()\[\]]+", re.ASCII)
_LONGEST_NAME = 200
_CALL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")


def chat_to_converse(body: Table) -> Table:
    """Translate the body of a chat completion request; the model is left out.

    Raises:
        Untranslatable: Something would be lost.
    """
    chat = _READER.stated(body)
    system, messages = _conversation(chat.get("messages"))
    request: Table = {"messages": messages}
    if system:
        request["system"] = system
    if options := _options(chat):
        request["inferenceConfig"] = options
    if tools := _tools(chat):
        request["toolConfig"] = tools
    request |= {name: chat[name] for name in _NATIVE if name in chat}
    if "response_format" in chat and (form := _output_format(chat["response_format"])):
        if "outputConfig" in chat:
            raise Untranslatable("sets response_format and outputConfig")
        request["outputConfig"] = {"textFormat": form}
    return request


def _options(chat: Table) -> Table:
    options: Table = {}
    if (limit := longest_answer(chat)) is not None:
        options["maxTokens"] = limit
    for name, new in (("temperature", "temperature"), ("top_p", "topP")):
        if name not in chat:
            continue
        value = chat[name]
        if isinstance(value, (int, float)) and value > 1:
            raise Untranslatable(f"has {name} {value}; Converse's maximum is 1")
        options[new] = value
    if "stop" in chat:
        options["stopSequences"] = stop_sequences(chat)
    return options


def _output_format(form: Any) -> Table | None:
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "text":
        return None
    if (schema := _READER.schema(form)) is not None:
        written = {"schema": msgspec.json.encode(schema).decode()}
        if isinstance(name := form["json_schema"].get("name"), str):
            written["name"] = name
        return {"type": "json_schema", "structure": {"jsonSchema": written}}
    raise Untranslatable(f"has the response_format {kind!r}, which Converse does not support")


def _conversation(messages: Any) -> tuple[list[Table], list[Table]]:
    """Split messages into the blocks of the system prompt and the turns."""
    prompts, asked = _READER.conversation(messages)
    system = [block for content in prompts for block in _blocks(content, texts=True)]
    turns: list[Table] = []
    for message in asked:
        if message["role"] == "user":
            _add(turns, "user", _blocks(_require_only(message, "role", "content").get("content")))
        elif message["role"] == "assistant":
            _add(turns, "assistant", _answer(message))
        else:
            _add(turns, "user", [_tool_result(message)])
    if not turns:
        raise Untranslatable("has no message besides the system prompt")
    if turns[0]["role"] != "user":
        raise Untranslatable("begins with an answer; Converse begins with a user message")
    return system, turns


def _add(turns: list[Table], role: str, blocks: list[Table]) -> None:
    """Add a turn, or add to the last one if it has the same role."""
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": blocks})


def _answer(message: Table) -> list[Table]:
    checked = _require_only(message, "role", "content", "tool_calls")
    content, calls = checked.get("content"), checked.get("tool_calls") or []
    blocks = _blocks(content, texts=True) if content or not calls else []
    for call in calls:
        call_id, name, arguments = function_call(call)
        made = {"toolUseId": _call_id(call_id), "name": name, "input": arguments}
        blocks.append({"toolUse": made})
    return blocks


def _tool_result(message: Table) -> Table:
    checked = _require_only(message, "role", "content", "tool_call_id")
    content = _blocks(checked.get("content"), texts=True)
    return {"toolResult": {"toolUseId": _call_id(checked.get("tool_call_id")), "content": content}}


def _call_id(value: Any) -> str:
    if isinstance(value, str) and _CALL_ID.fullmatch(value):
        return value
    raise Untranslatable(
        f"has the id {value!r} of a tool call; Converse takes 1 to 64 letters, digits and _.:-"
    )


def _blocks(content: Any, *, texts: bool = False) -> list[Table]:
    if isinstance(content, str):
        return [{"text": content}]
    if not isinstance(content, list) or not content:
        raise Untranslatable("has a message without content")
    return [_block(part, texts=texts) for part in content]


def _block(part: Any, *, texts: bool) -> Table:
    if not isinstance(part, dict):
        raise Untranslatable("has a content part that is not an object")
    kind = part.get("type")
    if kind == "text" and isinstance(part.get("text"), str):
        return {"text": _require_only(part, "type", "text")["text"]}
    if kind == "image_url" and not texts:
        return {"image": _image(_require_only(part, "type", "image_url").get("image_url"))}
    if kind == "file" and not texts:
        return {"document": _document(_require_only(part, "type", "file").get("file"))}
    raise Untranslatable(
        f"has a content part of type {kind!r}, which Converse does not support there"
    )


def _image(image: Any) -> Table:
    table = image if isinstance(image, dict) else {"url": image}
    _require_only(table, "url", "detail")
    if table.get("detail") not in (None, "auto"):
        raise Untranslatable("sets the detail of an image, which Converse does not support")
    url = str(table.get("url"))
    if match := _DATA_URL.fullmatch(url):
        if (kind := _IMAGES.get(match[1].lower())) is None:
            raise Untranslatable(f"has an image of type {match[1]}; Converse takes png, jpeg, gif"
                                 " and webp")  # fmt: skip
        return {"format": kind, "source": {"bytes": match[2]}}
    kind = _IMAGES.get(f"image/{url.rpartition('.')[2].lower().replace('jpg', 'jpeg')}")
    if url.startswith("s3://") and kind is not None:
        return {"format": kind, "source": {"s3Location": {"uri": url}}}
    raise Untranslatable(
        "has an image by its address; Converse takes data: URLs with base64, and s3:// with .png,"
        " .jpg, .gif or .webp"
    )


def _document(file: Any) -> Table:
    """A document; its name, which the model sees, has the characters that Converse allows."""
    table = _require_only(file if isinstance(file, dict) else {}, "file_data", "filename")
    match = _DATA_URL.fullmatch(str(table.get("file_data")))
    kind = _DOCUMENTS.get(match[1].lower()) if match else None
    if match is None or kind is None:
        raise Untranslatable(
            "has a file that is not a data: URL of a type that Converse takes"
            f" ({', '.join(_DOCUMENTS.values())})"
        )
    name = str(table.get("filename") or "document").removesuffix(f".{kind}")
    name = _NOT_IN_NAMES.sub("-", name)[:_LONGEST_NAME].strip("-") or "document"
    return {"format": kind, "name": name, "source": {"bytes": match[2]}}


def _tools(chat: Table) -> Table:
    if chat.get("parallel_tool_calls") is False:
        raise Untranslatable("sets parallel_tool_calls to false, which Converse does not support")
    choice = _tool_choice(chat["tool_choice"]) if "tool_choice" in chat else None
    tools = [_tool(tool) for tool in chat.get("tools", ())]
    if not tools:
        if choice is not None and "auto" not in choice:
            raise Untranslatable("sets tool_choice without tools")
        return {}
    found: Table = {"tools": tools}
    if choice is not None:
        found["toolChoice"] = choice
    return found


def _tool(tool: Any) -> Table:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        raise Untranslatable("has a tool that is not a function")
    function = tool.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Untranslatable("has a function without a name")
    checked = _require_only(function, "name", "description", "parameters", "strict")
    spec: Table = {"name": checked["name"]}
    if checked.get("description"):
        spec["description"] = checked["description"]
    schema = checked.get("parameters") or {"type": "object", "properties": {}}
    spec["inputSchema"] = {"json": schema}
    if checked.get("strict"):
        spec["strict"] = True
    return {"toolSpec": spec}


def _tool_choice(choice: Any) -> Table:
    kinds: dict[str, Table] = {"auto": {"auto": {}}, "required": {"any": {}}}
    if isinstance(choice, str) and choice in kinds:
        return kinds[choice]
    function = choice.get("function") if isinstance(choice, dict) else None
    if isinstance(function, dict) and isinstance(function.get("name"), str):
        return {"tool": {"name": function["name"]}}
    raise Untranslatable(f"has the tool_choice {choice!r}, which Converse does not support")
