"""An answer's body in pieces to be shown: chat, Responses, Anthropic and older completions.

Fields follow the OpenAI and Anthropic references, and what hosts add to them
(``reasoning_content`` and ``reasoning`` of open models, ``images`` of OpenRouter). What is not
known is shown as JSON, never left out; ``None`` means that the whole body is better seen so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tui.core.blocks import Block, json_block, text_or_json
from tui.core.media import media_in
from tui.core.vectors import listing_blocks

_UNREMARKABLE = (None, "stop", "end_turn", "completed")
_ADDRESSES = 20


def answer_blocks(body: dict[str, Any]) -> list[Block] | None:
    """The pieces of a body, in the order in which they came."""
    if isinstance(body.get("choices"), list):
        blocks = list(_choices(body["choices"]))
    elif isinstance(body.get("output"), list):
        blocks = list(_output(body))
    elif isinstance(body.get("content"), list):
        blocks = list(_content(body["content"]))
    else:
        listed = listing_blocks(body)
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
            told = "" if reason in _UNREMARKABLE else f", {reason}"
            yield Block(title=f"Choice {number} of {len(choices)}{told}")
        if isinstance(choice.get("text"), str):
            yield text_or_json(choice["text"])
        message = choice.get("message")
        if isinstance(message, dict):
            yield from _message(message)
        probabilities = choice.get("logprobs")
        if isinstance(probabilities, dict):
            tokens = probabilities.get("content") or probabilities.get("tokens")
            count = len(tokens) if isinstance(tokens, list) else 0
            # One line for each token would bury the answer; the JSON view has them.
            yield Block(kind="note", text=f"Log probabilities of {count:,} tokens: w shows them.")


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
        return json_block(call, "Call")
    function = call.get("function") or call.get("custom")
    if not isinstance(function, dict):
        return json_block(call, "Call")
    return _call(function.get("name"), function.get("arguments", function.get("input")))


def _call(name: Any, arguments: Any) -> Block:
    title = f"Call of {name}"
    if isinstance(arguments, str):
        return text_or_json(arguments, title)
    return json_block({} if arguments is None else arguments, title)


def _output(body: dict[str, Any]) -> Iterator[Block]:
    """The items of the Responses endpoint."""
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
                yield text_or_json(item["output"], f"Answer of {item.get('name')}")
        elif kind == "code_interpreter_call":
            yield Block(title="Code that was run", text=str(item.get("code") or ""))
            if item.get("outputs"):
                yield json_block(item["outputs"], "Its output")
        elif kind != "image_generation_call":
            yield json_block(_lean(item), _words(kind))
    details = body.get("incomplete_details")
    if isinstance(details, dict) and details.get("reason"):
        yield Block(kind="note", text=f"Incomplete: {details['reason']}")
    if isinstance(body.get("error"), dict):
        yield json_block(body["error"], "Error")


def _reasoning(item: dict[str, Any]) -> Iterator[Block]:
    told = [part for name in ("summary", "content") for part in _list(item.get(name))]
    texts = [
        part["text"]
        for part in told
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]
    if texts:
        yield Block(kind="thinking", title="Reasoning", text="\n\n".join(texts))
    elif item.get("encrypted_content"):
        yield Block(kind="note", text="The reasoning is encrypted.")


def _content(parts: list[Any]) -> Iterator[Block]:
    """Content parts of OpenAI, and content blocks of Anthropic."""
    for part in parts:
        if not isinstance(part, dict):
            yield Block(text=part) if isinstance(part, str) else json_block(part)
            continue
        kind = part.get("type")
        if isinstance(part.get("refusal"), str):
            yield Block(kind="refusal", title="Refused", text=part["refusal"])
        elif kind == "thinking":
            yield from _thinking(part)
        elif kind == "redacted_thinking":
            yield Block(kind="note", text="Some of the thinking is encrypted.")
        elif kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
            yield _call(part.get("name"), part.get("input"))
        elif isinstance(part.get("text"), str):
            yield text_or_json(part["text"])
            yield from _citations(part.get("annotations") or part.get("citations"))
        elif kind not in ("image", "image_url", "output_image"):
            yield json_block(_lean(part), _words(kind))


def _thinking(part: dict[str, Any]) -> Iterator[Block]:
    """Anthropic has a text, Mistral a list of text parts."""
    told = part.get("thinking")
    if isinstance(told, list):
        told = "".join(str(piece.get("text", "")) for piece in told if isinstance(piece, dict))
    if isinstance(told, str) and told:
        yield Block(kind="thinking", title="Thinking", text=told)
    else:
        yield Block(kind="note", text="The thinking is not told.")


def _citations(notes: Any) -> Iterator[Block]:
    found: list[str] = []
    for note in _list(notes):
        inner = note.get("url_citation", note) if isinstance(note, dict) else None
        if isinstance(inner, dict):
            words = (inner.get("title") or inner.get("document_title"), inner.get("url"))
            line = "  ".join(word for word in words if isinstance(word, str) and word)
            if line and line not in found:
                found.append(line)
    if found:
        more = f"\n… and {len(found) - _ADDRESSES} more" if len(found) > _ADDRESSES else ""
        yield Block(title="Sources", text="\n".join(found[:_ADDRESSES]) + more)


def _media_blocks(body: dict[str, Any]) -> list[Block]:
    """One line for each image or sound; they are saved, not drawn."""
    found = media_in(body)
    lines = [f"{medium.kind} of about {medium.size:,} bytes" for medium in found]
    addresses = [
        item["url"]
        for item in _list(body.get("data"))
        if isinstance(item, dict) and isinstance(item.get("url"), str)
    ]
    blocks: list[Block] = []
    if lines:
        hint = "i saves " + ("it" if len(lines) == 1 else f"all {len(lines)}")
        blocks.append(Block(kind="note", title=f"Files in the answer: {hint}"))
        blocks.append(Block(text="\n".join(lines)))
    if addresses:
        blocks.append(Block(title="Addresses", text="\n".join(addresses)))
    for item in _list(body.get("data")):
        if isinstance(item, dict) and isinstance(item.get("revised_prompt"), str):
            blocks.append(Block(title="Prompt as it was revised", text=item["revised_prompt"]))
    return blocks


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _lean(item: dict[str, Any]) -> dict[str, Any]:
    """An unknown item without its very long texts: those are data, and the JSON has them."""
    return {
        name: f"… {len(value):,} characters …"
        if isinstance(value, str) and len(value) > 20_000
        else value
        for name, value in item.items()
    }


def _words(kind: Any) -> str:
    return str(kind or "data").replace("_", " ").capitalize()
