"""Values of data frames as the plain values that templates and JSON have."""

from __future__ import annotations

import base64
import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

from tui.core.text import quoted
from tui.errors import InputError

_PLAIN = (str, bool, int)
_NUMPY_TIMES = ("datetime64", "timedelta64")


def plain_value(value: Any) -> Any:
    """A value as text, number, boolean, list, dict or ``None``.

    ``None``, NaN, NaT and ``pandas.NA`` are missing: ``None``. Times are ISO texts, decimals keep
    their digits as text, bytes are read as UTF-8, or else become base64.
    """
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    if isinstance(value, Decimal):
        return None if value.is_nan() else str(value)
    if isinstance(value, Enum):
        return plain_value(value.value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _text_of_bytes(bytes(value))
    if isinstance(value, datetime.date | datetime.time):
        return _time_text(value)
    if isinstance(value, Mapping):
        return {str(key): plain_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_value(inner) for inner in value]
    if (converted := _from_numpy(value)) is not value:
        return plain_value(converted)
    # pandas.NA can be neither compared nor tested; it is recognised by the name of its type.
    return None if type(value).__name__ == "NAType" else str(value)


def _time_text(value: datetime.date | datetime.time) -> str | None:
    # NaT is a datetime that is not equal to itself.
    return None if value != value else value.isoformat()


def _text_of_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _from_numpy(value: Any) -> Any:
    """A number or an array of NumPy, or a series, as Python's own; others unchanged."""
    if type(value).__name__ in _NUMPY_TIMES:
        text = str(value)
        return None if text == "NaT" else text
    if hasattr(value, "__array__"):
        if hasattr(value, "tolist"):
            return value.tolist()
        if hasattr(value, "to_list"):
            return value.to_list()
    return value


def column_names(labels: Iterable[Any]) -> tuple[str, ...]:
    """The names of columns as texts; the parts of several levels are joined by dots.

    Raises:
        InputError: Two columns would have the same name.
    """
    names = tuple(
        ".".join(str(part) for part in label if str(part))
        if isinstance(label, tuple)
        else str(label)
        for label in labels
    )
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(
                f"two columns of the frame are called {quoted(name, 40)}",
                "Rename one of them: a template knows columns by their names.",
            )
        seen.add(name)
    return names


def free_names(wanted: Sequence[str], taken: Iterable[str], suffix: str) -> list[str]:
    """Names for new columns beside others: with the suffix, and a number, where one is taken.

    Args:
        wanted: The names of the new columns.
        taken: The names that are in use.
        suffix: What is added to a name that is taken.
    """
    used = set(taken)
    names = []
    for name in wanted:
        free, number = name, 1
        while free in used:
            free = f"{name}{suffix}" if number == 1 else f"{name}{suffix}_{number}"
            number += 1
        used.add(free)
        names.append(free)
    return names
