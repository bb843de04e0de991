"""Which row a line of Vertex AI belongs to: labels, ids, and the request that it repeats.

Rows of Gemini have no id at Vertex AI, and results come in any order, but each line repeats its
request with its ``labels``. The id of a row goes there: as it is if a label can hold it, else in
base 32, in as many labels as it takes (LiteLLM does the same under names of its own; PyPI litellm
1.110.2, ``llms/vertex_ai/batches``). No value looks like a number, a date or a truth value: rows
may pass through a table that guesses types. A line whose labels are lost is known by its request.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

import msgspec

_LABEL = "bd"
_PIECES = "bd_raw"
_OWN = re.compile(rf"{_LABEL}|{_PIECES}(?:_\d+)?")
_OTHERS = (
    ("litellm_custom_id", "litellm_custom_id_raw", ""),
    ("bifrost_custom_id", "", ""),  # github.com/maximhq/bifrost, core/providers/vertex
)
_VALUE = re.compile(r"(?!(?:true|false|null|none|nan|inf|infinity)$)[a-z][a-z0-9_-]{0,62}")
"""An id that a label can hold: lowercase letters, digits, ``_`` and ``-``, at most 63
(``aiplatform.v1``), and no other type of a table."""

_MARK = "x"
_PIECE = 62
_MOST_PIECES = 60
_REPEATED = "request:"


def labels_of(custom_id: str) -> dict[str, str]:
    """The labels that hold the id of a row.

    Raises:
        ValueError: It is too long.
    """
    if _VALUE.fullmatch(custom_id):
        return {_LABEL: custom_id}
    text = base64.b32encode(custom_id.encode()).decode().rstrip("=").lower()
    pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
    if len(pieces) > _MOST_PIECES:
        raise ValueError(f"{len(custom_id):,} characters")
    return {_numbered(_PIECES, number): f"{_MARK}{piece}" for number, piece in enumerate(pieces)}


def without_own_labels(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Labels without those of ``labels_of``."""
    return {name: value for name, value in labels.items() if not _OWN.fullmatch(name)}


def id_in(labels: Any) -> str | None:
    """The id that labels hold; ``None`` if they hold none."""
    if not isinstance(labels, Mapping):
        return None
    for plain, pieces, mark in ((_LABEL, _PIECES, _MARK), *_OTHERS):
        if pieces and (found := _joined(labels, pieces, mark)) is not None:
            return found
        value = labels.get(plain)
        if (isinstance(value, str) and value) or type(value) is int:
            return str(value)
    return None


def id_of_line(value: Mapping[str, Any]) -> str | None:
    """The id of a line of Vertex AI: its own, that of its labels, or that of its request.

    Args:
        value: A row that was sent, or a line of results.

    Returns:
        For a line without an id ``request:DIGEST``, see ``digest_of``; ``None`` if it does not
        repeat its request either.
    """
    for name in ("custom_id", "key"):
        if isinstance(value.get(name), str) or type(value.get(name)) is int:
            return str(value[name])
    request = request_of(value)
    if request is None:
        return None
    return id_in(request.get("labels")) or f"{_REPEATED}{digest_of(request)}"


def request_of(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """The request in a line; lines of errors may have it inside ``instance``."""
    for place in (value, value.get("instance")):
        if isinstance(place, Mapping) and isinstance(place.get("request"), dict):
            return dict(place["request"])
    return None


def is_repeated(custom_id: str) -> bool:
    """Whether an id only says which request a line repeats."""
    return custom_id.startswith(_REPEATED)


def digest_of(request: Any) -> str:
    """A digest of what a request says, however it is written.

    The server may change how it is written: names in snake case, numbers, fields that are null or
    empty, the role of a user, the labels.
    """
    text = msgspec.json.encode(_plain(request, top=True), order="sorted")
    return _blake2b(text).hex()


def exact_digest_of(request: Any) -> bytes:
    """A digest of a request as it was sent, without its labels."""
    bare = {name: inner for name, inner in request.items() if name != "labels"}
    text = msgspec.json.encode(bare, order="sorted")
    return _blake2b(text)


def _blake2b(text: bytes) -> bytes:
    # Loading it takes a while.
    from hashlib import blake2b

    return blake2b(text, digest_size=16).digest()


def _plain(value: Any, *, top: bool = False) -> Any:
    if isinstance(value, dict):
        found = {}
        for name, inner in value.items():
            folded = name.replace("_", "").lower()
            if top and folded in ("labels", "model"):
                continue
            if folded == "role" and inner == "user":
                continue
            plain = _plain(inner)
            if plain not in (None, {}, []):
                found[folded] = plain
        return found
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


def _joined(labels: Mapping[str, Any], name: str, mark: str) -> str | None:
    """The id in the pieces of base 32; ``None`` if they are not there or not whole."""
    pieces: list[str] = []
    while isinstance(piece := labels.get(_numbered(name, len(pieces))), str):
        if not piece.startswith(mark):
            return None
        pieces.append(piece.removeprefix(mark))
    if not pieces:
        return None
    text = "".join(pieces).upper()
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8)).decode() or None
    except (binascii.Error, UnicodeDecodeError):
        return None
