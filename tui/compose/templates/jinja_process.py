"""Render Jinja templates in a child process with limits; see ``tui.limited_process``."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import msgspec
from jinja2 import TemplateError, TemplateRuntimeError, UndefinedError, nodes

from tui.compose.templates.jinja import (
    RENDER_ERRORS,
    ROW,
    BoundedEnvironment,
    CompiledText,
    TemplateLimitError,
    as_prompt_text,
)
from tui.limited_process import LimitedProcess, LimitReachedError, ProcessLostError

SECONDS = 1.5
"""Processor time to render one row."""

_SECONDS_PER_ROW = 0.05
"""What each further row of a call adds to it."""

_COMPILED = 32
_PLAIN = frozenset({str, int, float, bool, type(None), bytes, date, datetime, time, Decimal})

_PROCESS = LimitedProcess("tui.compose.templates.jinja_process")

_LINEAR_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If,
    nodes.CondExpr, nodes.Getattr, nodes.Getitem, nodes.Compare, nodes.Operand, nodes.And,
    nodes.Or, nodes.Not, nodes.Test, nodes.Filter,
)  # fmt: skip
_LINEAR_FILTERS = frozenset(
    {
        *("abs", "capitalize", "count", "d", "default", "first", "float", "int", "last"),
        *("length", "lower", "string", "trim", "upper"),
    }
)
_LINEAR_TESTS = frozenset(
    {"defined", "undefined", "none", "string", "number", "boolean", "true", "false", "mapping"}
)
_MOST_LINEAR_NODES = 500


def is_linear(tree: nodes.Template) -> bool:
    """Whether each part of a template runs once, in time that grows with the row only.

    Such a template needs no process of its own: it has no loops, calls, lists or operators.
    """
    for count, node in enumerate(tree.find_all(nodes.Node)):
        if count > _MOST_LINEAR_NODES or not isinstance(node, _LINEAR_NODES):
            return False
        if isinstance(node, nodes.Filter) and node.name not in _LINEAR_FILTERS:
            return False
        if isinstance(node, nodes.Test) and node.name not in _LINEAR_TESTS:
            return False
    return True


class ProcessText:
    """A template that a child process compiles and renders.

    Args:
        text: The template.
        tree: The parsed template.
    """

    def __init__(self, text: str, tree: nodes.Template) -> None:
        self._text = text
        self._names = {node.name for node in tree.find_all(nodes.Name)}

    def render(self, row: Mapping[str, Any], number: int) -> str:
        """Render one row; ``number`` is its row number.

        Raises:
            TemplateError: It cannot be rendered, or takes too much time or memory.
        """
        if ROW not in self._names:
            row = {name: value for name, value in row.items() if name in self._names}
        values = {name: _sendable(value) for name, value in row.items()}
        return self._ask((self._text, None, [values], number), 1)[0]

    def render_all(
        self, columns: Sequence[str], cells: Sequence[Sequence[str]], number: int
    ) -> list[str]:
        """Render consecutive rows; ``number`` is the row number of the first."""
        if ROW not in self._names:
            chosen = [index for index, name in enumerate(columns) if name in self._names]
            columns = [columns[index] for index in chosen]
            cells = [[row[index] for index in chosen] for row in cells]
        return self._ask((self._text, list(columns), cells, number), len(cells))

    def _ask(self, request: object, rows: int) -> list[str]:
        seconds = SECONDS + _SECONDS_PER_ROW * (rows - 1)
        try:
            answer = msgspec.msgpack.decode(_PROCESS.call(request, seconds=seconds), type=_Answer)
        except LimitReachedError as error:
            raise TemplateLimitError(
                f"the template takes more than {SECONDS:g} seconds for one row"
                if error.what == "time"
                else "the template takes too much memory for one row"
            ) from None
        except ProcessLostError as error:
            raise TemplateRuntimeError(str(error)) from None
        if answer.undefined:
            raise UndefinedError(answer.error)
        if answer.error:
            raise TemplateError(answer.error)
        return answer.texts


class _Answer(msgspec.Struct):
    texts: list[str] = []
    error: str = ""
    undefined: bool = False


def _sendable(value: Any) -> Any:
    """A value as the child process can read it: values of other types as text."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dict):
        return {str(key): _sendable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_sendable(inner) for inner in value]
    return str(value)


@functools.lru_cache(_COMPILED)
def _compiled(text: str) -> CompiledText:
    environment = BoundedEnvironment(as_prompt_text)
    tree, grows = environment.prepare(text)
    return CompiledText(environment, tree, grows)


def answer(request: tuple[str, list[str] | None, list[Any], int]) -> bytes:
    """Render rows; runs in the child process.

    Args:
        request: The template, the names of the columns, the rows, and the number of the first.
            Rows are lists of cells; without columns they are dictionaries.
    """
    text, columns, rows, number = request
    made = _Answer()
    try:
        compiled = _compiled(text)
        if columns is None:
            made.texts = [compiled.render(row, n) for n, row in enumerate(rows, number)]
        else:
            made.texts = compiled.render_all(columns, rows, number)
    except MemoryError:
        raise
    except UndefinedError as error:
        made = _Answer(error=str(error), undefined=True)
    except (*RENDER_ERRORS, SyntaxError) as error:
        made = _Answer(error=str(error) or "nested too deeply")
    try:
        return msgspec.msgpack.encode(made)
    except UnicodeEncodeError as error:
        return msgspec.msgpack.encode(_Answer(error=f"the text has a lone surrogate: {error}"))
