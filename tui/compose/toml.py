"""Writing TOML that people can read and edit; reading is the standard library's."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+").fullmatch
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
_CONTROL = re.compile(r'[\x00-\x09\x0b-\x1f\x7f"\\]')


def to_toml(values: Mapping[str, Any]) -> str:
    """A document of plain values: texts, numbers, true and false, lists and mappings.

    Mappings at the top become tables, deeper ones stay in the line. Long texts with several
    lines are written on several lines.

    Raises:
        ValueError: A value has no form in TOML (``None``, NaN in JSON sense is allowed, half
            of a surrogate pair is not).
    """
    plain = [f"{_key(k)} = {_value(v, top=True)}\n" for k, v in values.items() if not _table(v)]
    tables = [
        f"\n[{_key(name)}]\n" + "".join(f"{_key(k)} = {_value(v)}\n" for k, v in table.items())
        for name, table in values.items()
        if _table(table)
    ]
    return "".join(plain + tables)


def _table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _key(name: str) -> str:
    return name if _BARE(name) else _line(name)


def _value(value: Any, *, top: bool = False) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        return repr(value) if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, str):
        return _lines(value) if top and "\n" in value else _line(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    raise ValueError(f"TOML has no {type(value).__name__}")


def _line(text: str) -> str:
    return '"' + _escaped(text).replace("\n", "\\n") + '"'


def _lines(text: str) -> str:
    # The first line end after the quotes is not part of the text.
    return '"""\n' + _escaped(text) + '"""'


def _escaped(text: str) -> str:
    text.encode("utf-8")
    return _CONTROL.sub(
        lambda found: _ESCAPES.get(found.group(), f"\\u{ord(found.group()):04x}"), text
    )
