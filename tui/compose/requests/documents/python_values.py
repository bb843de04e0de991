"""Values that a program wrote with ``print`` or ``str`` in place of JSON: ``{'a': None}``."""

from __future__ import annotations

import ast
import math
from typing import Any

_MOST = 4 << 20
"""The longest text that is read, in characters."""

_FAULTS = (ValueError, SyntaxError, RecursionError, MemoryError, OverflowError)


def python_value(text: str) -> Any:
    """The value of a Python literal of what JSON has; nothing is run.

    Tuples are lists, and ``nan`` and ``inf`` are texts. A set, bytes or an object is not read.

    Raises:
        ValueError: It is something else, or too long or too deep.
    """
    if len(text) > _MOST:
        raise ValueError("too long")
    try:
        tree = _Words().visit(ast.parse(text.strip(), mode="eval"))
        return _as_json(ast.literal_eval(tree.body))
    except _FAULTS as error:
        raise ValueError(str(error) or "nested too deeply") from None


class _Words(ast.NodeTransformer):
    """Makes texts of the numbers that Python writes as words."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(node.id) if node.id in ("nan", "inf", "NaN", "Infinity") else node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        is_infinite = isinstance(node.operand, ast.Name) and node.operand.id == "inf"
        return ast.Constant("-inf") if is_infinite and isinstance(node.op, ast.USub) else node


def looks_like_python(text: str) -> bool:
    """Whether a text starts as a Python object or list of texts does, and JSON does not."""
    return text.lstrip()[:12].replace(" ", "").startswith(("{'", "['", "[{'", "{u'", "[{u'", "[u'"))


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (list, tuple)):
        return [_as_json(inner) for inner in value]
    if isinstance(value, dict) and all(isinstance(name, (str, int)) for name in value):
        return {str(name): _as_json(inner) for name, inner in value.items()}
    raise ValueError(f"a {type(value).__name__} is not read")
