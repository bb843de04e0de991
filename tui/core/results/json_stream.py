"""Splits a JSON document with an array of rows into lines while it is being received."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')


class ArraySplitter:
    r"""Extracts the elements of an array at a key of a JSON object.

    ``feed`` takes pieces of the document and yields each object of the array as one line. The
    rest of the document is kept in ``rest``, with an empty array instead of the rows. The
    document may also be the array itself. Line breaks within an element, which JSON allows only
    between tokens, are removed.

    Args:
        keys: The keys of the outermost object that may contain the array.

    Attributes:
        rows: The number of elements so far.
        found: Whether the array has been found.
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
        """The document without the elements; valid JSON once the document is complete."""
        return bytes(self._rest)

    @property
    def complete(self) -> bool:
        """Whether the document is complete."""
        return self._depth == 0 and not self._in_string and bool(self._rest.strip())

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the elements that end in this piece, each without line breaks."""
        position = 0
        while position < len(data):
            if self._in_string:
                position = self._read_string(data, position)
                continue
            match = _OUTSIDE.search(data, position)
            stop = match.start() if match else len(data)
            self._keep(data[position:stop], between=True)
            if match is None:
                return
            position = stop + 1
            element = self._delimiter(data[stop : stop + 1])
            if element is not None:
                self.rows += 1
                yield element

    def _read_string(self, data: bytes, position: int) -> int:
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

    def _delimiter(self, token: bytes) -> bytes | None:
        if token == b'"':
            self._keep(token)
            self._in_string = True
            self._string.clear()
            return None
        if token in (b"{", b"["):
            opens_rows = token == b"[" and self._is_the_array()
            self._keep(token)
            self._depth += 1
            if opens_rows:
                self._array_depth = self._depth
                self.found = True
            return None
        if self._depth == self._array_depth:
            self._array_depth = None
            self._keep(token)
            self._depth -= 1
            return None
        self._keep(token)
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
        """Add bytes outside of strings to the element or to the rest."""
        if between and (tokens := data.strip()):
            self._colon = tokens.endswith(b":")
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
