"""A request line with holes: what is the same in every row is encoded only once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec

from tui.compose.shapes import Slot

_encode = msgspec.json.Encoder().encode


class Skeleton:
    """A JSON document cut at its slots.

    Args:
        document: JSON values, with ``Slot`` objects where rows differ.
        constants: What stands in slots, by name, that are the same in every row after all.

    Attributes:
        slots: The names of the slots in the order in which they stand in the line.
    """

    def __init__(self, document: dict[str, Any], *, constants: Mapping[str, str]) -> None:
        secret = secrets.token_hex(12)
        head, *pieces = _encode(_marked(document, secret, constants)).split(f'"{secret}:'.encode())
        self.slots: list[str] = []
        self._pieces = [head]
        for piece in pieces:
            name, _, rest = piece.partition(b'"')
            self.slots.append(name.decode())
            self._pieces += [b"null", rest]
        self._pieces[-1] += b"\n"

    @property
    def fixed(self) -> list[bytes]:
        """What stands before, between and behind the slots."""
        return self._pieces[::2]

    def line(self, values: list[bytes]) -> bytes:
        r"""The line with its ``\n``, from the JSON of each slot in the order of ``slots``."""
        pieces = self._pieces.copy()
        pieces[1::2] = values
        return b"".join(pieces)


def _marked(value: Any, secret: str, constants: Mapping[str, str]) -> Any:
    if isinstance(value, Slot):
        return constants.get(value.name, f"{secret}:{value.name}")
    if isinstance(value, dict):
        return {key: _marked(inner, secret, constants) for key, inner in value.items()}
    if isinstance(value, list):
        return [_marked(inner, secret, constants) for inner in value]
    return value
