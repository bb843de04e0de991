"""Display blocks of a response body: chat, Responses, Anthropic and legacy completions.

Fields follow the OpenAI and Anthropic references and common extensions (``reasoning_content``
and ``reasoning`` of open models, ``images`` of OpenRouter). Unknown parts are shown as JSON,
never left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tui.core.results.blocks import Block, json_block, text_or_json
from tui.core.results.media import find_media
from tui.core.results.vectors import list_blocks

_NORMAL_REASONS = (None, "stop", "end_turn", "completed")
_MAX_SOURCES = 20


def answer_blocks(body: dict[str, Any]) -> list[Block] | None:
    """Blocks of a body in their original order; ``None`` if it is better shown as JSON."""
    if isinstance(body.get("choices"), list):
        blocks = list(_choices(body["choices"]))
    elif isinstance(body.get("output"), list):
        blocks = list(_output(body))
    elif isinstance(body.get("content"), list):
        blocks = list(_content(body["content"]))
    else:
        listed = list_blocks(body)
        if listed is None:
            return None
        blocks = listed
    blocks += _media_blocks(body)
    return blocks or [Block(kind="note", text="The answer is empty.")]


def _choices(choices: list[Any]) -> Iterator[Block]:
    several = len(choices) > 1
    for number, choice in enumerate(choices, 1):
        if not isinstance(choice, dict):
            yield json_block(choice)
            continue
        if several:
            reason = choice.get("finish_reason")
            suffix = "" if reason in _NORMAL_REASONS else f", {reason}"
            yield Block(title=f"Choice {number} of {len(choices)}{suffix}")
        if isinstance(choice.get("text"), str):
            yield text_or_json(choice["text"])
        message = choice.get("message")
        if isinstance(message, dict):
            yield from _message(message)
        probabilities = choice.get("logprobs")
        if isinstance(probabilities, dict):
            tokens = probabilities.get("content") or probabilities.get("tokens")
            count = len(tokens) if isinstance(tokens, list) else 0
            # One line per token would bury the answer; the JSON view shows them.
            yield Block(kind="note", text=f"Log probabilities of {count:,} tokens (w shows them).")


def _message(message: dict[str, Any]) -> Iterator[Block]:
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str) and message[name]:
            yield Block(kind="thinking", title="Reasoning", text=message[name])
            break
    content = message.get("content")
    if isinstance(content, str) and content:
        yield text_or_json(content)
    elif isinstance(content, list):
        yield from _content(content)
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        yield Block(kind="refusal", title="Refused", text=message["refusal"])
    for call in _list(message.get("tool_calls")):
        yield _chat_call(call)
    if isinstance(message.get("function_call"), dict):
        yield _chat_call({"function": message["function_call"]})
    audio = message.get("audio")
    if isinstance(audio, dict) and isinstance(audio.get("transcript"), str):
        yield Block(title="Transcript", text=audio["transcript"])
    yield from _citations(message.get("annotations"))


def _chat_call(call: Any) -> Block:
    if not isinstance(call, dict):
        return json_block(call, "Tool call")
    function = call.get("function") or call.get("custom")
    if not isinstance(function, dict):
        return json_block(call, "Tool call")
    return _call(function.get("name"), function.get("arguments", function.get("input")))


def _call(name: Any, arguments: Any) -> Block:
    title = f"Tool call: {name}"
    if isinstance(arguments, str):
        return text_or_json(arguments, title)
    return json_block({} if arguments is None else arguments, title)


def _output(body: dict[str, Any]) -> Iterator[Block]:
    """Output items of the Responses API."""
    for item in body["output"]:
        if not isinstance(item, dict):
            yield json_block(item)
            continue
        kind = item.get("type")
        if kind in (None, "message") and isinstance(item.get("content"), list):
            yield from _content(item["content"])
        elif kind == "reasoning":
            yield from _reasoning(item)
        elif kind in ("function_call", "custom_tool_call", "mcp_call"):
            yield _call(item.get("name"), item.get("arguments", item.get("input")))
            if isinstance(item.get("output"), str):
                yield text_or_json(item["output"], f"Result of {item.get('name')}")
        elif kind == "code_interpreter_call":
            yield Block(title="Executed code", text=str(item.get("code") or ""))
            if item.get("outputs"):
                yield json_block(item["outputs"], "Output")
        elif kind != "image_generation_call":
            yield json_block(_folded(item), _title(kind))
    details = body.get("incomplete_details")
    if isinstance(details, dict) and details.get("reason"):
        yield Block(kind="note", text=f"Incomplete: {details['reason']}")
    if isinstance(body.get("error"), dict):
        yield json_block(body["error"], "Error")


def _reasoning(item: dict[str, Any]) -> Iterator[Block]:
    parts = [part for name in ("summary", "content") for part in _list(item.get(name))]
    texts = [
        part["text"]
        for part in parts
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]
    if texts:
        yield Block(kind="thinking", title="Reasoning", text="\n\n".join(texts))
    elif item.get("encrypted_content"):
        yield Block(kind="note", text="The reasoning is encrypted.")


def _content(parts: list[Any]) -> Iterator[Block]:
    """OpenAI content parts and Anthropic content blocks.

    Texts that follow each other are one text. Their sources, and what a search or another tool
    of the provider returned, stand below the answer.
    """
    text: list[str] = []
    sources: list[Any] = []
    below: list[Block] = []
    for part in parts:
        if isinstance(part, str):
            text.append(part)
            continue
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            kind = part.get("type")
            if kind not in ("thinking", "redacted_thinking"):
                text.append(part["text"])
                sources += _list(part.get("annotations") or part.get("citations"))
                continue
        if isinstance(part, dict) and part.get("type") == "reference":
            continue
        if isinstance(part, dict) and str(part.get("type")).endswith("_tool_result"):
            below.append(_tool_result(part))
            continue
        if text:
            yield text_or_json("".join(text))
            text = []
        yield from _part(part)
    if text:
        yield text_or_json("".join(text))
    yield from _citations(sources)
    yield from below


def _part(part: Any) -> Iterator[Block]:
    """A part that is no text."""
    if not isinstance(part, dict):
        yield json_block(part)
        return
    kind = part.get("type")
    if isinstance(part.get("refusal"), str):
        yield Block(kind="refusal", title="Refused", text=part["refusal"])
    elif kind == "thinking":
        yield from _thinking(part)
    elif kind == "redacted_thinking":
        yield Block(kind="note", text="Some of the thinking is encrypted.")
    elif kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        yield _call(part.get("name"), part.get("input"))
    elif kind not in ("image", "image_url", "output_image"):
        yield json_block(_folded(part), _title(kind))


def _tool_result(part: dict[str, Any]) -> Block:
    """What a tool of the provider returned: the titles of a search, else JSON without bulk."""
    title = _title(part.get("type"))
    found = part.get("content")
    if isinstance(found, list) and all(
        isinstance(each, dict) and isinstance(each.get("url"), str) for each in found
    ):
        lines = [f"{each.get('title') or ''}  {each['url']}".strip() for each in found]
        more = [f"… and {len(lines) - _MAX_SOURCES} more"] if len(lines) > _MAX_SOURCES else []
        text = "\n".join([*lines[:_MAX_SOURCES], *more])
        return Block(kind="note", title=f"{title}: {len(lines):,} found", text=text)
    return json_block(_folded(part), title)


def _folded(value: Any) -> Any:
    """A value with encrypted and very long strings replaced by their length."""
    if isinstance(value, dict):
        return {
            name: f"… {len(inner):,} characters …"
            if isinstance(inner, str) and (name.startswith("encrypted_") or len(inner) > 20_000)
            else _folded(inner)
            for name, inner in value.items()
        }
    return [_folded(inner) for inner in value] if isinstance(value, list) else value


def _thinking(part: dict[str, Any]) -> Iterator[Block]:
    """Thinking: a string for Anthropic, a list of text parts for Mistral."""
    thinking = part.get("thinking")
    if isinstance(thinking, list):
        texts = (str(inner.get("text", "")) for inner in thinking if isinstance(inner, dict))
        thinking = "".join(texts)
    if isinstance(thinking, str) and thinking:
        yield Block(kind="thinking", title="Thinking", text=thinking)
    else:
        yield Block(kind="note", text="The thinking is not included.")


def _citations(notes: Any) -> Iterator[Block]:
    found: list[str] = []
    for note in _list(notes):
        inner = note.get("url_citation", note) if isinstance(note, dict) else None
        if isinstance(inner, dict):
            source = inner.get("url") or inner.get("source") or inner.get("filename")
            words = (inner.get("title") or inner.get("document_title"), source)
            line = "  ".join(word for word in words if isinstance(word, str) and word)
            if line and line not in found:
                found.append(line)
    if found:
        more = f"\n… and {len(found) - _MAX_SOURCES} more" if len(found) > _MAX_SOURCES else ""
        lines = [f"[{number}] {line}" for number, line in enumerate(found[:_MAX_SOURCES], 1)]
        yield Block(title="Sources", text="\n".join(lines) + more)


def _media_blocks(body: dict[str, Any]) -> list[Block]:
    """One line per image or audio clip; they can be saved but are not drawn."""
    found = find_media(body)
    lines = [f"{medium.kind}, about {medium.size:,} bytes" for medium in found]
    urls = [
        item["url"]
        for item in _list(body.get("data"))
        if isinstance(item, dict) and isinstance(item.get("url"), str)
    ]
    blocks: list[Block] = []
    if lines:
        hint = "i saves " + ("it" if len(lines) == 1 else f"all {len(lines)}")
        blocks.append(Block(kind="note", title=f"Files in the answer: {hint}"))
        blocks.append(Block(text="\n".join(lines)))
    if urls:
        blocks.append(Block(title="URLs", text="\n".join(urls)))
    for item in _list(body.get("data")):
        if isinstance(item, dict) and isinstance(item.get("revised_prompt"), str):
            blocks.append(Block(title="Revised prompt", text=item["revised_prompt"]))
    return blocks


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _title(kind: Any) -> str:
    return str(kind or "data").replace("_", " ").capitalize()
