"""Request lines for Google's APIs: in OpenAI's form, or in Gemini's own."""

from __future__ import annotations

from typing import Any

import msgspec

from tui.errors import InputError


class RequestRow(msgspec.Struct):
    """A request line: ``{custom_id, method, url, body}``, or ``{key, request}``."""

    custom_id: str = ""
    method: str = "POST"
    url: str = ""
    body: msgspec.Raw = msgspec.Raw()
    key: str = ""
    request: msgspec.Raw = msgspec.Raw()

    @property
    def id(self) -> str:
        """Its id; empty if it has none."""
        return self.custom_id or self.key

    @property
    def subject(self) -> str:
        """The subject of a sentence about it."""
        return f"Request {self.id!r}" if self.id else "The request"


_decode = msgspec.json.Decoder(RequestRow).decode
_decode_table = msgspec.json.Decoder(dict[str, Any]).decode


def read_row(line: bytes) -> tuple[RequestRow, dict[str, Any]]:
    """Read a request line, and its body or request.

    Raises:
        InputError: It is no request, or has neither.
    """
    try:
        row = _decode(line)
        given = row.request or row.body
        body = _decode_table(given) if given else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"A request cannot be read: {error}", "Check the file.") from None
    if body is None:
        raise InputError(f"{row.subject} has no body", "Check the file.")
    return row, body
