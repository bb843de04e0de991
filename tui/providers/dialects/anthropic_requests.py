"""A chat completion said as a Messages request, or a reason why that would lose something.

What is translated:

====================================  =====================================================
chat completion                       Messages
====================================  =====================================================
leading system, developer messages    ``system``
user, assistant text                  the same; parts become text blocks
``image_url``                         an image block, by address or as base64
``tool_calls``, tool messages         ``tool_use`` and ``tool_result`` blocks
``max_completion_tokens``             ``max_tokens``, which must be there in one of both names
``stop``                              ``stop_sequences``
``temperature`` up to 1, ``top_p``    the same
function ``tools``, ``tool_choice``   ``tools`` with ``input_schema``, ``tool_choice``
``parallel_tool_calls: false``        ``disable_parallel_tool_use``
``response_format: json_schema``      ``output_config.format``
``user``                              ``metadata.user_id``
====================================  =====================================================

Values that only state a default (``n: 1``, ``stream: false``, nulls) are left out. Anthropic's
own words (``top_k``, ``thinking``, ``output_config`` …) are passed on. Everything else is
refused by name rather than dropped.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

Table = dict[str, Any]


class Untranslatable(ValueError):
    """Something that cannot be said to Anthropic; completes "Request 'x' …"."""


_OWN_WORDS = ("top_k", "thinking", "output_config", "context_management", "container", "system")
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "stream": (False,),
    "n": (1,),
    "store": (False,),
    "logprobs": (False,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "metadata": ({},),
    "parallel_tool_calls": (True,),
    "tools": ([],),
    "stop": ([],),
}
_TAKEN = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "temperature",
        "top_p",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "user",
        *_OWN_WORDS,
    }
)
_DATA_URL = re.compile(r"data:(image/[a-z0-9.+-]+);base64,(.*)", re.DOTALL | re.IGNORECASE)


def chat_to_messages(body: Table) -> Table:
    """The params of a Messages request that says what a chat completion says.

    Raises:
        Untranslatable: Something would be lost.
    """
    chat = {
        name: value
        for name, value in body.items()
        if value is not None and not _is_default(name, value)
    }
    for name in chat:
        if name not in _TAKEN:
            raise Untranslatable(f"holds {name}, which Anthropic has no word for")
    params: Table = {"model": chat.get("model")}
    params["max_tokens"] = _max_tokens(chat)
    system, messages = _conversation(chat.get("messages"))
    if system is not None:
        params["system"] = system
    params["messages"] = messages
    if system is not None and "system" in chat:
        raise Untranslatable("has a system prompt in two places")
    params |= {name: chat[name] for name in _OWN_WORDS if name in chat}
    params |= _sampling(chat)
    params |= _tools(chat)
    if "response_format" in chat and (form := _output_format(chat["response_format"])):
        params["output_config"] = {**params.get("output_config", {}), "format": form}
    if "user" in chat:
        params["metadata"] = {"user_id": chat["user"]}
    return params


def _is_default(name: str, value: Any) -> bool:
    return value in _DEFAULTS.get(name, ())


def _max_tokens(chat: Table) -> Any:
    old, new = chat.get("max_tokens"), chat.get("max_completion_tokens")
    if old is not None and new is not None and old != new:
        raise Untranslatable("says max_tokens and max_completion_tokens differently")
    return new if old is None else old


def _sampling(chat: Table) -> Table:
    found: Table = {name: chat[name] for name in ("temperature", "top_p") if name in chat}
    temperature = found.get("temperature")
    if isinstance(temperature, (int, float)) and temperature > 1:
        raise Untranslatable(f"has temperature {temperature}; Anthropic's ends at 1")
    if "stop" in chat:
        stop = chat["stop"]
        found["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    return found


def _conversation(messages: Any) -> tuple[Any, list[Table]]:
    """The system prompt, ``None`` without one, and the turns."""
    if not isinstance(messages, list) or not messages:
        raise Untranslatable("has no messages")
    system: list[Any] = []
    turns: list[Table] = []
    for message in messages:
        if not isinstance(message, dict):
            raise Untranslatable("has a message that is no object")
        role = message.get("role")
        if role in ("system", "developer"):
            if turns:
                raise Untranslatable("has a system message after the first turn")
            system.append(_only(message, "role", "content").get("content"))
        elif role == "user":
            content = _only(message, "role", "content").get("content")
            turns.append({"role": "user", "content": _content(content, images=True)})
        elif role == "assistant":
            turns.append(_assistant(message))
        elif role == "tool":
            _add_tool_result(turns, message)
        else:
            raise Untranslatable(f"has a message of role {role!r}")
    if not system:
        return None, turns
    if len(system) == 1 and isinstance(system[0], str):
        return system[0], turns
    return [block for part in system for block in _blocks(part, images=False)], turns


def _assistant(message: Table) -> Table:
    kept = _only(message, "role", "content", "tool_calls")
    calls = kept.get("tool_calls") or []
    content = kept.get("content")
    if not calls:
        return {"role": "assistant", "content": _content(content, images=False)}
    blocks = _blocks(content, images=False) if content else []
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise Untranslatable("has a tool call that is not one of a function")
        blocks.append(
            {
                "type": "tool_use",
                "id": call.get("id"),
                "name": function.get("name"),
                "input": _arguments(function.get("arguments")),
            }
        )
    return {"role": "assistant", "content": blocks}


def _arguments(text: Any) -> Table:
    try:
        value = msgspec.json.decode(text or "{}")
    except (msgspec.MsgspecError, TypeError):
        value = None
    if not isinstance(value, dict):
        raise Untranslatable("has a tool call whose arguments are no JSON object")
    return value


def _add_tool_result(turns: list[Table], message: Table) -> None:
    """All results of one answer stand in one user turn, as Anthropic wants it."""
    kept = _only(message, "role", "content", "tool_call_id")
    block = {
        "type": "tool_result",
        "tool_use_id": kept.get("tool_call_id"),
        "content": _content(kept.get("content"), images=False),
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
            return {"type": "text", "text": _only(part, "type", "text").get("text")}
        if kind == "image_url" and images:
            return _image(_only(part, "type", "image_url").get("image_url"))
        raise Untranslatable(f"has a part of type {kind!r} that Anthropic does not take there")
    raise Untranslatable("has a part that is no object")


def _image(image: Any) -> Table:
    table = image if isinstance(image, dict) else {"url": image}
    url = table.get("url")
    if table.get("detail") not in (None, "auto"):
        raise Untranslatable("asks for a detail of an image, which Anthropic has no word for")
    if not isinstance(url, str):
        raise Untranslatable("has an image without an address")
    if match := _DATA_URL.fullmatch(url):
        source = {"type": "base64", "media_type": match[1].lower(), "data": match[2]}
    elif url.startswith(("https://", "http://")):
        source = {"type": "url", "url": url}
    else:
        raise Untranslatable("has an image that is neither an address nor base64")
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
    kept = _only(function, "name", "description", "parameters", "strict")
    found: Table = {"name": kept.get("name")}
    if kept.get("description"):
        found["description"] = kept["description"]
    found["input_schema"] = kept.get("parameters") or {"type": "object", "properties": {}}
    if kept.get("strict"):
        found["strict"] = True
    return found


def _tool_choice(choice: Any) -> Table:
    words = {"auto": "auto", "none": "none", "required": "any"}
    if isinstance(choice, str) and choice in words:
        return {"type": words[choice]}
    function = choice.get("function") if isinstance(choice, dict) else None
    if isinstance(function, dict) and function.get("name"):
        return {"type": "tool", "name": function["name"]}
    raise Untranslatable("chooses a tool in a way that Anthropic has no word for")


def _output_format(form: Any) -> Table | None:
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "text":
        return None
    wrapped = form.get("json_schema") if kind == "json_schema" else None
    if isinstance(wrapped, dict) and isinstance(wrapped.get("schema"), dict):
        # The name is a label for caches and logs; Anthropic is always strict about the schema.
        _only(wrapped, "name", "schema", "strict")
        return {"type": "json_schema", "schema": wrapped["schema"]}
    raise Untranslatable(f"asks for answers of the form {kind!r}, which Anthropic does not offer")


def _only(table: Table, *names: str) -> Table:
    """The table, if it says nothing beside these names and nulls."""
    for name, value in table.items():
        if name not in names and value is not None:
            raise Untranslatable(f"has {name!r} where Anthropic has no word for it")
    return table
