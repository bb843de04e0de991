"""Values of YAML files, whose texts stay as they are written.

``no``, ``1.10``, ``0x1F`` and ``2024-01-02`` are texts: only what is written as JSON would write it
(``true``, ``null``, ``3``, ``0.5``) is a value of another type. PyYAML parses the file.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_MOST_NODES = 20_000_000
"""What a file may expand to: its nodes and characters, each alias counted as what it stands for."""

_LITERALS = {"null": None, "Null": None, "NULL": None, "~": None, "": None}
_BOOLEANS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False")}
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,4000})")
_TAGS = "tag:yaml.org,2002:"
_TEXT_TAG = "tag:yaml.org,2002:str"
_MERGE_TAG = "tag:yaml.org,2002:merge"


class YamlValues(NamedTuple):
    """What a YAML file holds.

    Attributes:
        documents: The values of its documents, which ``---`` separates.
        doubled: Names that an object has twice, of which the last value is read.
    """

    documents: list[Any]
    doubled: list[str]


class YamlError(ValueError):
    """A text is not YAML, or is not read; ``line`` is its line, from 1, if it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def read_yaml(text: str) -> YamlValues:
    """Read the documents of a YAML text; empty ones are left out.

    Raises:
        YamlError: It is not YAML, or expands to more than can be read.
        ImportError: PyYAML is not installed.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=loader) if node is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(error.problem or "invalid", mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:
        raise YamlError(str(error).partition("\n")[0]) from None
    except RecursionError:
        raise YamlError("nested too deeply") from None
    reader = _Reader()
    try:
        return YamlValues([reader.value(node) for node in nodes], reader.doubled)
    except RecursionError:
        raise YamlError("nested too deeply") from None


class _Reader:
    """Makes values of nodes; an alias is the same value as its anchor."""

    def __init__(self) -> None:
        self.doubled: list[str] = []
        self._made: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()

    def value(self, node: Any) -> Any:
        return self._sized(node)[0]

    def _sized(self, node: Any) -> tuple[Any, int]:
        """The value of a node, and what it expands to."""
        if node.id == "scalar":
            return _scalar(node), len(node.value) + 1
        number = id(node)
        if number in self._made:
            return self._made[number]
        if number in self._open:
            raise YamlError("an alias stands inside its own anchor", node.start_mark.line + 1)
        self._open.add(number)
        made = self._list(node) if node.id == "sequence" else self._object(node)
        if made[1] > _MOST_NODES:
            raise YamlError("its aliases expand to too much", node.start_mark.line + 1)
        self._open.discard(number)
        self._made[number] = made
        return made

    def _list(self, node: Any) -> tuple[list[Any], int]:
        values, size = [], 1
        for inner in node.value:
            value, its_size = self._sized(inner)
            values.append(value)
            size += its_size
            if size > _MOST_NODES:
                break
        return values, size

    def _object(self, node: Any) -> tuple[dict[str, Any], int]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        size = 1
        for name_node, inner in node.value:
            if name_node.id != "scalar":
                raise YamlError("a name is a list or an object", name_node.start_mark.line + 1)
            value, its_size = self._sized(inner)
            size += its_size + len(name_node.value)
            if size > _MOST_NODES:
                break
            if name_node.tag == _MERGE_TAG:
                for base in value if isinstance(value, list) else [value]:
                    merged = {**base, **merged} if isinstance(base, dict) else merged
                continue
            if name_node.value in values:
                self.doubled.append(name_node.value)
            values[name_node.value] = value
        return ({**merged, **values} if merged else values), size


def _scalar(node: Any) -> Any:
    text: str = node.value
    if node.style or node.tag == _TEXT_TAG or not node.tag.startswith(_TAGS):
        return text
    if text in _LITERALS:
        return _LITERALS[text]
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _WHOLE.fullmatch(text) and text != "-0":
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if repr(number) == text and text not in ("inf", "-inf", "nan") else text
