"""Expressions in Jinja that give a value for each row, computed in a child process with limits.

An expression is what stands between ``{{`` and ``}}``, as in ``score * 2``, or a whole template.
See ``tui.limited_process`` and ``BoundedEnvironment`` for the limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tui.core.analysis.derived import Computed
from tui.core.text import one_line
from tui.errors import UsageError
from tui.limited_process import LimitedProcess, LimitReachedError, ProcessLostError

SECONDS = 1.5
"""Processor time for one row."""

_SECONDS_PER_ROW = 0.05
_MOST_SLOW_ROWS = 5
"""Rows that may reach a limit before the expression is given up."""

_LONGEST = 20_000
_LONGEST_VALUE = 100_000

_PROCESS = LimitedProcess("tui.compose.templates.expressions")


class _Answer(msgspec.Struct):
    names: list[str] = []
    values: list[Computed] = []
    error: str = ""


class RowExpression:
    """An expression, compiled in a child process.

    Args:
        text: The expression or template.

    Attributes:
        names: The variables that it uses.

    Raises:
        UsageError: It is not valid, or too long.
    """

    def __init__(self, text: str) -> None:
        self._text = text if "{{" in text or "{%" in text else f"{{{{ {text} }}}}"
        self._slow = 0
        if not text.strip() or len(text) > _LONGEST:
            raise UsageError(
                f"an expression has 1 to {_LONGEST:,} characters", "Example: answer | length"
            )
        try:
            answer = _ask((self._text, None), SECONDS)
        except LimitReachedError:
            raise UsageError("the expression is too large", "Use a simpler one.") from None
        if answer.error:
            raise UsageError(
                f"the expression is not valid: {one_line(answer.error, 200)}",
                "Example: 'high' if score > 3 else 'low'",
            )
        self.names = frozenset(answer.names)

    def values(self, rows: Sequence[Mapping[str, Any]]) -> list[Computed]:
        """The values of rows, or why one has none.

        Args:
            rows: The variables of each row: text, numbers, dictionaries and lists.

        Raises:
            UsageError: It takes too much time or memory for several rows.
        """
        if not rows:
            return []
        try:
            seconds = SECONDS + _SECONDS_PER_ROW * (len(rows) - 1)
            return _ask((self._text, [dict(row) for row in rows]), seconds).values
        except LimitReachedError as error:
            what = "time" if error.what == "time" else "memory"
        if len(rows) > 1:
            # Which of the rows it was is found by halves.
            half = len(rows) // 2
            return [*self.values(rows[:half]), *self.values(rows[half:])]
        self._slow += 1
        if self._slow >= _MOST_SLOW_ROWS:
            raise UsageError(
                f"the expression takes too much {what} for a row", "Use a simpler one."
            )
        return [Computed(None, f"it takes too much {what}")]


def _ask(request: object, seconds: float) -> _Answer:
    try:
        return msgspec.msgpack.decode(_PROCESS.call(request, seconds=seconds), type=_Answer)
    except ProcessLostError as error:
        raise UsageError(f"the expression cannot be computed: {error}", "Try again.") from None


_compiled: dict[str, Any] = {}
_MOST_COMPILED = 32


def answer(request: tuple[str, list[dict[str, Any]] | None]) -> bytes:
    """Compute rows; runs in the child process.

    Args:
        request: The template, and the variables of the rows; without rows it is only compiled.
    """
    # Imported here: only the child process needs them.
    from jinja2 import TemplateError, meta

    from tui.compose.templates.jinja import (
        RENDER_ERRORS,
        BoundedEnvironment,
        CompiledText,
        as_prompt_text,
    )

    text, rows = request
    made = _Answer()
    try:
        if text not in _compiled:
            environment = BoundedEnvironment(as_prompt_text)
            tree, grows = environment.prepare(text)
            names = meta.find_undeclared_variables(tree)
            if len(_compiled) >= _MOST_COMPILED:
                _compiled.clear()
            _compiled[text] = CompiledText(environment, tree, grows), sorted(names)
        compiled, made.names = _compiled[text]
    except MemoryError:
        raise
    except (TemplateError, *RENDER_ERRORS, SyntaxError) as error:
        return msgspec.msgpack.encode(_Answer(error=str(error) or "nested too deeply"))
    for number, row in enumerate(rows or ()):
        try:
            value = compiled.render(row, number).strip()
            if len(value) > _LONGEST_VALUE:
                problem = f"the value has more than {_LONGEST_VALUE:,} characters"
                made.values.append(Computed(None, problem))
            else:
                value.encode()
                made.values.append(Computed(value or None))
        except MemoryError:
            raise
        except RENDER_ERRORS as error:
            made.values.append(Computed(None, str(error)[:300] or "it cannot be computed"))
    return msgspec.msgpack.encode(made)
