"""The account's key is taken out of everything that a server sends, before anybody reads it.

Servers repeat keys in batch objects, in errors of rows and in ids. What comes in place of a key
has its length, so that positions in a result file, and with them ranges, stay right.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

_SHORTEST = 12
"""Shorter keys, such as the "EMPTY" of local servers, are words that answers may contain."""


class Mask:
    """Takes a key out of bytes, as it is and as JSON and addresses write it."""

    def __init__(self, key: str | None) -> None:
        forms: set[bytes] = set()
        if key is not None and len(key) >= _SHORTEST:
            forms = {
                key.encode(),
                quote(key, safe="").encode(),
                msgspec.json.encode(key)[1:-1],
                msgspec.json.encode(key)[1:-1].replace(b"/", rb"\/"),
            }
        self._forms = {form: b"[key]".ljust(len(form), b"*") for form in forms}

    def stream(self) -> MaskedStream:
        """A mask for bytes that come in pieces."""
        return MaskedStream(self._forms)


class MaskedStream:
    """Bytes that come in pieces, without the key.

    Attributes:
        rest: The last bytes, which only looked like the start of the key.
    """

    def __init__(self, forms: dict[bytes, bytes]) -> None:
        self._forms = forms
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """The next bytes that are known; those that may be the start of the key are kept back."""
        if not self._forms:
            return data
        data = self.rest + data
        for form, mask in self._forms.items():
            if form in data:
                data = data.replace(form, mask)
        kept = max(_overlap(data, form) for form in self._forms)
        self.rest = data[len(data) - kept :]
        return data[: len(data) - kept]


def _overlap(data: bytes, form: bytes) -> int:
    """How many bytes at the end of data are the start of a form."""
    most = min(len(form) - 1, len(data))
    return next((size for size in range(most, 0, -1) if data.endswith(form[:size])), 0)
