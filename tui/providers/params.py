"""Request lines for Anthropic's Message Batches: ``{"custom_id", "params"}``.

The provider checks no ``params`` when a batch is made: a batch of broken rows is accepted and
comes back a day later with nothing but errors. What is known to be refused is refused here.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tui.errors import InputError
from tui.providers.translation import Untranslatable, chat_to_messages

_SAMPLING = ("temperature", "top_p", "top_k")
_STRICT_VERSION = "2026-10-21"
_REFUSED = ("fallbacks",)


class _Request(msgspec.Struct):
    custom_id: str
    params: msgspec.Raw = msgspec.Raw()
    url: str = ""
    body: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


class ParamsWriter:
    """Writes request lines as the Messages API wants them in a batch.

    A line may be ``{"custom_id", "params"}``, which stays as it is; a request for
    ``/v1/messages``, of which the body becomes the params; or a chat completion, which is
    translated where nothing is lost.

    Args:
        version: The ``anthropic-version`` that the batch is made with.
        pattern: What a ``custom_id`` must match; a breach is a 400 for the whole batch.
    """

    def __init__(self, version: str, pattern: str) -> None:
        self._strict = version >= _STRICT_VERSION
        self._version = version
        self._pattern = re.compile(pattern) if pattern else None

    def write(self, line: bytes) -> bytes:
        """One request line as ``{"custom_id", "params"}``.

        Raises:
            InputError: The line is no request, cannot be translated without loss, or holds
                what batches are known to refuse.
        """
        try:
            request = _decode(line)
            given = request.params or request.body
            table = msgspec.json.decode(given) if given else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"A request cannot be read: {error}", "Check the file.") from None
        custom_id = request.custom_id
        if self._pattern is not None and not self._pattern.fullmatch(custom_id):
            raise InputError(
                f"The custom_id {custom_id[:80]!r} is not taken by Anthropic",
                "Use 1 to 64 letters, digits, hyphens and underscores.",
            )
        if not isinstance(table, dict):
            raise InputError(
                f"Request {custom_id!r} has neither params nor a body", "Check the file."
            )
        try:
            if request.params or request.url.rstrip("/").endswith("/messages"):
                self._check(table)
                return _encode({"custom_id": custom_id, "params": given})
            if not request.url.rstrip("/").endswith("/chat/completions"):
                raise Untranslatable(
                    f"asks for {request.url or 'no url'!r}, and Anthropic answers messages only"
                )
            params = chat_to_messages(table)
            self._check(params)
        except Untranslatable as error:
            raise InputError(
                f"Request {custom_id!r} {error}",
                "Change it, or write the line as custom_id and params.",
            ) from None
        return _encode({"custom_id": custom_id, "params": params})

    def _check(self, params: dict[str, Any]) -> None:
        for name in ("model", "messages", "max_tokens"):
            if not params.get(name):
                raise Untranslatable(f"lacks {name}, which Anthropic needs in every request")
        if params.get("stream"):
            raise Untranslatable("asks for a stream, which no batch can give")
        for name in _REFUSED:
            if name in params:
                raise Untranslatable(f"holds {name}, which batches do not take")
        if self._strict:
            self._check_strictly(params)

    def _check_strictly(self, params: dict[str, Any]) -> None:
        """What version 2026-10-21 refuses in every row of a batch."""
        for name in _SAMPLING:
            if name in params:
                raise Untranslatable(
                    f"holds {name}, which version {self._version} refuses even at its default"
                )
        for message in params["messages"]:
            if not isinstance(message, dict) or not isinstance(message.get("content"), list):
                continue
            for block in message["content"]:
                if not isinstance(block, dict):
                    continue
                if message.get("role") == "assistant" and block.get("type") == "document":
                    raise Untranslatable(
                        f"has a document in an answer, which version {self._version} refuses"
                    )
                if (
                    message.get("role") == "user"
                    and block.get("type") == "text"
                    and block.get("citations")
                ):
                    raise Untranslatable(
                        f"has citations in a user's text, which version {self._version} refuses"
                    )
