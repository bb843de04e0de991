"""Taking the rows out of a JSON document as it comes, without ever holding it whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')


class ArraySplitter:
    r"""Cuts the elements out of an array that stands at a key of a JSON object.

    Fed with pieces of the document, it gives each object of the array as one line, and keeps
    what is around it (``rest``), with an empty array in its place. The whole document may be
    the array itself. Line ends within an element, which JSON has only between its words, are
    left out.

    Args:
        keys: The keys of the outermost object that may hold the array.
    """

    def __init__(self, *keys: str) -> None:
        self._keys = {key.encode() for key in keys}
        self._depth = 0
        self._array_depth: int | None = None
        self._in_string = False
        self._escaped = False
        self._string = bytearray()
        self._last_string = b""
        self._colon = False
        self._element = bytearray()
        self._rest = bytearray()
        self.rows = 0
        self.found = False

    @property
    def rest(self) -> bytes:
        """The document without the elements: small, and JSON once it has come whole."""
        return bytes(self._rest)

    @property
    def complete(self) -> bool:
        """Did the document end where it should?"""
        return self._depth == 0 and not self._in_string and bool(self._rest.strip())

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The elements that end in this piece, each without line ends."""
        position = 0
        while position < len(data):
            if self._in_string:
                position = self._through_string(data, position)
                continue
            match = _OUTSIDE.search(data, position)
            stop = match.start() if match else len(data)
            self._keep(data[position:stop], between=True)
            if match is None:
                return
            position = stop + 1
            element = self._mark(data[stop : stop + 1])
            if element is not None:
                self.rows += 1
                yield element

    def _through_string(self, data: bytes, position: int) -> int:
        if self._escaped:
            self._escaped = False
            self._keep_text(data[position : position + 1])
            return position + 1
        match = _INSIDE.search(data, position)
        stop = match.end() if match else len(data)
        self._keep_text(data[position:stop])
        if match is not None and match[0] == b"\\":
            self._escaped = True
        elif match is not None:
            self._in_string = False
            self._last_string = bytes(self._string[:-1])
        return stop

    def _mark(self, mark: bytes) -> bytes | None:
        if mark == b'"':
            self._keep(mark)
            self._in_string = True
            self._string.clear()
            return None
        if mark in (b"{", b"["):
            opens_rows = mark == b"[" and self._is_the_array()
            self._keep(mark)
            self._depth += 1
            if opens_rows:
                self._array_depth = self._depth
                self.found = True
            return None
        if self._depth == self._array_depth:
            self._array_depth = None
            self._keep(mark)
            self._depth -= 1
            return None
        self._keep(mark)
        self._depth = max(self._depth - 1, 0)
        if self._depth != self._array_depth:
            return None
        element = bytes(self._element).translate(None, b"\r\n")
        self._element.clear()
        return element

    def _is_the_array(self) -> bool:
        if self._array_depth is not None or self.found:
            return False
        if self._depth == 0:
            return True
        return self._depth == 1 and self._colon and self._last_string in self._keys

    def _keep(self, data: bytes, *, between: bool = False) -> None:
        """Put bytes outside of strings where they belong."""
        if between and (words := data.strip()):
            self._colon = words.endswith(b":")
        if self._array_depth is None:
            self._rest += data
        elif self._depth > self._array_depth or data in (b"{", b"["):
            self._element += data

    def _keep_text(self, data: bytes) -> None:
        if self._array_depth is None:
            self._rest += data
            self._string += data
        elif self._depth > self._array_depth:
            self._element += data
