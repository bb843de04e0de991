"""What of a request line decides about its cost: the model, the prompt, the longest answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tui.compose.endpoints import MESSAGES_URL
from tui.compose.tokens import prompt_tokens, tokens_of
from tui.core.lines import BOM

_MISSES = 50
"""Rows in a row of another form, after which none is expected to be a plain one."""


class AnyBody(msgspec.Struct):
    """A body of any form; what it holds may be of any type."""

    model: Any = None
    messages: Any = None
    input: Any = None
    prompt: Any = None
    text: Any = None
    system: Any = None
    instructions: Any = None
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    n: Any = None


class _Row(msgspec.Struct):
    url: Any = None
    body: AnyBody | None = None
    params: AnyBody | None = None


class _PlainMessage(msgspec.Struct, gc=False):
    content: str


class PlainBody(msgspec.Struct, gc=False):
    """The body of nearly every chat request; any other has the long way."""

    model: str
    messages: list[_PlainMessage]
    system: str | None = None
    instructions: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    n: int | None = None


class _PlainRow(msgspec.Struct, gc=False):
    url: str
    body: PlainBody


Body = AnyBody | PlainBody
"""A body as far as its cost goes."""


def bodies_of(lines: Iterable[bytes]) -> Iterator[tuple[str, Body]]:
    """The urls and bodies of those lines that are requests."""
    plain = msgspec.json.Decoder(_PlainRow).decode
    any_row = msgspec.json.Decoder(_Row).decode
    misses = 0
    for line in lines:
        line = line.removeprefix(BOM)
        if misses < _MISSES:
            try:
                found = plain(line)
            except (ValueError, RecursionError):
                misses += 1
            else:
                misses = 0
                yield found.url, found.body
                continue
        try:
            row = any_row(line)
        except (ValueError, RecursionError):
            continue
        body = row.body or row.params
        if body is not None:
            yield row.url if isinstance(row.url, str) else MESSAGES_URL, body


def input_tokens(body: Body) -> float:
    """About how many tokens the prompt has."""
    if type(body) is PlainBody and body.system is None and body.instructions is None:
        tokens = 0.0
        for message in body.messages:
            tokens += tokens_of(message.content)
        return tokens
    return _any_tokens(msgspec.structs.asdict(body))


def _any_tokens(body: Mapping[str, Any]) -> float:
    """The tokens of a prompt in any field and form, with what is said beside it."""
    names = ("messages", "input", "prompt", "text")
    prompt = next((body[name] for name in names if body.get(name) is not None), None)
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], _PlainMessage):
        prompt = [message.content for message in prompt]
    tokens = prompt_tokens(prompt)[0]
    for name in ("system", "instructions"):
        if body.get(name) is not None:
            tokens += prompt_tokens(body[name])[0]
    return tokens
