"""What a request sends to a model: its tokens, and its parts that nobody can count beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from tui.compose.requests.media_tokens import (
    AUDIO_TYPES,
    FILE_TYPES,
    IMAGE_TYPES,
    is_defined_tool,
    is_hosted_tool,
    tokens_of_image_part,
)
from tui.compose.requests.other_formats import converse_view, counted_view, is_gemini
from tui.compose.requests.prompts import is_converse
from tui.compose.requests.token_weights import Family
from tui.compose.requests.tokens import (
    MESSAGE_TOKENS,
    NO_TOKENS,
    REQUEST_TOKENS,
    Tokens,
    family_of,
    tokens_of_json,
    tokens_of_texts,
)
from tui.core.formatting import counted

PROMPT_FIELDS = ("messages", "input", "prompt", "text")
EXTRA_FIELDS = (
    "tools", "functions", "response_format", "output_format", "output_config", "documents",
)  # fmt: skip
"""Fields whose JSON is part of the input, besides the prompt."""

STORED_FIELDS = ("previous_response_id", "conversation", "cachedContent")
"""Fields that add input which the provider keeps."""

HOSTED_FIELDS = (
    "web_search_options", "search_parameters", "plugins", "mcp_servers", "container",
)  # fmt: skip
"""Fields that make the provider run something, whose results it adds to the input: searches of
OpenAI, xAI and OpenRouter, MCP servers and skills of Anthropic."""

MODALITIES = "modalities"
"""The field that asks for answers which are not text, with prices of their own."""


class Uncounted(NamedTuple):
    """How many parts could not be counted, by kind."""

    images: int = 0
    files: int = 0
    audio: int = 0
    tools: int = 0
    stored: int = 0
    media: int = 0

    def plus(self, other: Uncounted) -> Uncounted:
        """The sum of both."""
        return Uncounted(*(a + b for a, b in zip(self, other, strict=True)))

    def times(self, rows: int) -> Uncounted:
        """The same parts in several rows."""
        return Uncounted(*(number * rows for number in self))

    def __bool__(self) -> bool:
        return any(self)

    @property
    def text(self) -> str:
        """The parts as a sentence: ``1 image and 2 files are not counted``."""
        parts = [
            counted(number, *nouns) for number, nouns in zip(self, _NOUNS, strict=True) if number
        ]
        joined = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
        verb = "is" if sum(self) == 1 else "are"
        return f"{joined} {verb} not counted, so there is no upper bound"


_NOUNS: tuple[tuple[str, str], ...] = (
    ("image", ""),
    ("file", ""),
    ("audio or video part", ""),
    ("tool that the provider runs", "tools that the provider runs"),
    ("stored conversation", ""),
    ("answer with audio or images", "answers with audio or images"),
)

NOTHING_UNCOUNTED = Uncounted()


class Amount(NamedTuple):
    """The input of some requests."""

    tokens: Tokens = NO_TOKENS
    uncounted: Uncounted = NOTHING_UNCOUNTED

    def plus(self, other: Amount) -> Amount:
        """The sum of both."""
        if not other.uncounted:
            return Amount(self.tokens.plus(other.tokens), self.uncounted)
        return Amount(self.tokens.plus(other.tokens), self.uncounted.plus(other.uncounted))

    def times(self, rows: int) -> Amount:
        """The same input in several requests."""
        return Amount(self.tokens.times(rows), self.uncounted.times(rows))


NO_AMOUNT = Amount()


def request_amount(body: Mapping[str, Any], model: str) -> Amount:
    """The input of one request: prompt, instructions, tools, schemas, images and files."""
    if is_gemini(body):
        body = counted_view(body)
    elif is_converse(body):
        body = converse_view(body)
    elif isinstance(body.get("inputText"), str):
        # Titan's own form.
        body = {**body, "prompt": body["inputText"]}
    prompt = next((body[name] for name in PROMPT_FIELDS if body.get(name) is not None), None)
    collected = _Collected(model)
    for part in (prompt, body.get("system"), body.get("instructions")):
        collected.add(part)
    tokens = tokens_of_texts(collected.texts, family_of(model)).plus(collected.tokens)
    amount = Amount(tokens, collected.uncounted)
    for name in (*EXTRA_FIELDS, "text"):
        if body.get(name) is not None and not isinstance(body[name], str):
            amount = amount.plus(extra_amount(name, msgspec.json.encode(body[name]), model))
    messages = len(prompt) if isinstance(prompt, list) else 1
    amount = amount.plus(framing(1, messages))
    stored = sum(body.get(name) is not None for name in STORED_FIELDS)
    stored += isinstance(body.get("prompt"), dict)
    uncounted = Uncounted(
        tools=sum(body.get(name) not in (None, []) for name in HOSTED_FIELDS),
        stored=stored,
        media=_has_media(body.get(MODALITIES)),
    )
    return amount.plus(Amount(NO_TOKENS, uncounted)) if uncounted else amount


def _has_media(modalities: Any) -> bool:
    """Whether an answer may have other parts than text."""
    if not isinstance(modalities, list):
        return modalities is not None
    return any(str(one).lower() != "text" for one in modalities)


@lru_cache(256)
def framing(requests: int, messages: int) -> Amount:
    """What requests have besides their texts."""
    return Amount(REQUEST_TOKENS.times(requests).plus(MESSAGE_TOKENS.times(messages)))


_TOOL_USE = Tokens(346.0, 150.0, 560.0)
"""What Anthropic adds to a request with tools: 159 to 530 tokens by model, 346 for most.

Source: platform.claude.com, "Tool use with Claude", "Pricing". The margin is for the next model.
"""

_CLIENT_TOOL = Tokens(245.0, 0.0, 800.0)
"""What a tool adds that Anthropic defines and the user runs: bash 245, text editor 700 tokens."""


@lru_cache(4096)
def extra_amount(name: str, value: bytes, model: str) -> Amount:
    """The input of one of ``EXTRA_FIELDS``, whose value is given as JSON."""
    tokens = tokens_of_json(len(value))
    if name != "tools":
        return Amount(tokens)
    tools = msgspec.json.decode(value)
    if not isinstance(tools, list) or not tools:
        return Amount(tokens)
    if "claude" in model:
        defined = sum(map(is_defined_tool, tools))
        tokens = tokens.plus(_TOOL_USE).plus(_CLIENT_TOOL.times(defined))
    return Amount(tokens, Uncounted(tools=sum(map(is_hosted_tool, tools))))


class _Collected:
    """The texts of a prompt, and the tokens of its other parts."""

    def __init__(self, model: str) -> None:
        self.texts: list[str] = []
        self.tokens = NO_TOKENS
        self.uncounted = NOTHING_UNCOUNTED
        self._model = model

    def add(self, value: Any) -> None:
        """Add a prompt, a message, or a part of one."""
        pending = [value]
        while pending:
            item = pending.pop()
            if isinstance(item, str):
                self.texts.append(item)
            elif isinstance(item, list):
                pending.extend(item)
            elif isinstance(item, dict):
                pending.extend(self._parts(item))
            elif isinstance(item, int) and not isinstance(item, bool):
                self.tokens = self.tokens.plus(Tokens(1, 1, 1))

    def _parts(self, item: dict[str, Any]) -> Iterable[Any]:
        """Count an item; what is left of it is to be added."""
        kind = item.get("type")
        if kind in IMAGE_TYPES:
            tokens = tokens_of_image_part(item, self._model)
            if tokens is None:
                self.uncounted = self.uncounted.plus(Uncounted(images=1))
            else:
                self.tokens = self.tokens.plus(tokens)
            return ()
        if kind in FILE_TYPES:
            source = item.get("source")
            if isinstance(source, dict) and source.get("type") in ("text", "content"):
                about = (item.get("title"), item.get("context"))
                return (source.get("data"), source.get("content"), *about)
            self.uncounted = self.uncounted.plus(Uncounted(files=1))
            return ()
        if kind in AUDIO_TYPES:
            self.uncounted = self.uncounted.plus(Uncounted(audio=1))
            return ()
        rest: list[Any] = []
        for name, inner in item.items():
            if name in _NO_INPUT or inner is None:
                continue
            if name in _NESTED or isinstance(inner, str):
                rest.append(inner)
            else:
                size = len(msgspec.json.encode(inner))
                self.tokens = self.tokens.plus(tokens_of_json(size))
            if name in _REFERENCES:
                self.uncounted = self.uncounted.plus(Uncounted(files=1))
        return rest


_NESTED = frozenset({"content", "text", "refusal"})
_NO_INPUT = frozenset(
    {"role", "type", "id", "call_id", "tool_call_id", "tool_use_id", "status", "index",
     "cache_control", "is_error", "signature", "citations", "annotations", "phase", "prefix"}
)  # fmt: skip
"""Fields of messages and their parts that are no input, or a few tokens at most.

All others are counted, whatever they are called: a bound must not miss a part.
"""

_REFERENCES = frozenset({"url", "uri", "file_id", "file_uri", "fileUri"})
"""Fields of a part that refer to something which the provider reads."""


def texts_amount(texts: Iterable[str], family: Family) -> Amount:
    """The input of texts."""
    return Amount(tokens_of_texts(texts, family))
