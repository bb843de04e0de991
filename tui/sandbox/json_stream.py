"""Parses a streamed create body that contains the rows, and writes the rows to a JSONL file."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tui.sandbox.app import in_thread
from tui.sandbox.errors import ApiError

_SPACE = re.compile(r"[ \t\r\n]*")
_KEY = re.compile(r'[ \t\r\n]*"((?:[^"\\]|\\.)*)"[ \t\r\n]*:')
_AFTER = frozenset(",]} \t\r\n")
_PIECE = 1 << 19
_decode = json.JSONDecoder(strict=False).raw_decode


class InlineParser:
    """An incremental parser for `{..., "requests": [row, row, ...], ...}`.

    Holds about one row and one piece of the body in memory.

    Attributes:
        fields: The other keys of the object and their values.
        order: All keys, in order.
        rows: The number of rows written so far.
    """

    def __init__(self, target: BinaryIO, accept: Callable[[int, Any], None]) -> None:
        """Write rows to `target`, one JSON line each, after `accept(index, row)` checked them."""
        self._target = target
        self._accept = accept
        self._text = ""
        self._place = 0
        self._needed = 0
        self._step = self._open
        self._bytes = codecs.getincrementaldecoder("utf-8")()
        self.fields: dict[str, Any] = {}
        self.order: list[str] = []
        self.rows = 0

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        """Parse the next piece of the body.

        Raises:
            ApiError: The body is not such an object, or `accept` rejected a row (400).
        """
        try:
            self._text = self._text[self._place :] + self._bytes.decode(piece, last)
        except UnicodeDecodeError as problem:
            raise _invalid_json() from problem
        self._place = 0
        # A long row is parsed again only when twice as much of it has arrived.
        if len(self._text) < self._needed and not last:
            return
        while self._step(last):
            pass
        self._needed = 2 * (len(self._text) - self._place)
        if last and self._step != self._end:
            raise _invalid_json()

    def _open(self, last: bool) -> bool:
        if not self._take("{"):
            return False
        self._step = self._key
        return True

    def _key(self, last: bool) -> bool:
        if self._peek() == "}":
            self._place += 1
            self._step = self._end
            return True
        if self._peek() == ",":
            self._place += 1
        found = _KEY.match(self._text, self._place)
        if found is None:
            if self._peek() not in ("", '"'):
                raise _invalid_json()
            return False
        self._place = found.end()
        name = json.loads(f'"{found[1]}"')
        self.order.append(name)
        if name == "requests":
            self._step = self._array
        else:
            self._step = self._value
        return True

    def _value(self, last: bool) -> bool:
        found = self._json(last)
        if found is None:
            return False
        self.fields[self.order[-1]] = found[0]
        self._step = self._key
        return True

    def _array(self, last: bool) -> bool:
        if not self._take("["):
            return False
        self._step = self._row
        return True

    def _row(self, last: bool) -> bool:
        sign = self._peek()
        if sign == "]":
            self._place += 1
            self._step = self._key
            return True
        if sign == ",":
            self._place += 1
            return True
        if sign == "":
            return False
        found = self._json(last)
        if found is None:
            return False
        self._accept(self.rows, found[0])
        self._target.write(msgspec.json.encode(found[0]) + b"\n")
        self.rows += 1
        return True

    def _end(self, last: bool) -> bool:
        if self._peek():
            raise _invalid_json()
        return False

    def _json(self, last: bool) -> tuple[Any] | None:
        start = self._skip()
        try:
            value, end = _decode(self._text, start)
        except (json.JSONDecodeError, RecursionError) as problem:
            if last:
                raise _invalid_json() from problem
            return None
        sign = self._text[end : end + 1]
        if sign not in _AFTER:
            # A number may continue in the next piece: `0` and `.5`.
            if last or (sign and not isinstance(value, (int, float))):
                raise _invalid_json()
            return None
        self._place = end
        return (value,)

    def _skip(self) -> int:
        found = _SPACE.match(self._text, self._place)
        assert found is not None
        return found.end()

    def _peek(self) -> str:
        self._place = self._skip()
        return self._text[self._place : self._place + 1]

    def _take(self, sign: str) -> bool:
        found = self._peek()
        if found not in ("", sign):
            raise _invalid_json()
        self._place += len(found)
        return bool(found)


async def parse_inline(
    stream: AsyncIterator[bytes], path: Path, accept: Callable[[int, Any], None], max_bytes: int = 0
) -> InlineParser:
    """Read a body and write its rows to `path`; parsing and writing run in a thread.

    Args:
        stream: The pieces of the body.
        path: The file that gets one line per row.
        accept: Checks each row and may raise.
        max_bytes: The largest body in bytes; 0 means no limit.

    Raises:
        ApiError: The body is malformed (400) or larger than `max_bytes` (413).
    """
    with path.open("wb") as target:
        reader = InlineParser(target, accept)
        kept: list[bytes] = []
        size = whole = 0
        async for piece in stream:
            kept.append(piece)
            size += len(piece)
            whole += len(piece)
            if max_bytes and whole > max_bytes:
                raise ApiError(413, f"The request is larger than {max_bytes // 1_000_000} MB.")
            if size >= _PIECE:
                await in_thread(reader.feed, b"".join(kept))
                kept.clear()
                size = 0

        def finish() -> None:
            reader.feed(b"".join(kept), last=True)

        await in_thread(finish)
    return reader


def _invalid_json() -> ApiError:
    return ApiError(400, "The request body is not valid JSON.")
