"""Derived columns: captured from another column by a regular expression, or an expression."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from tui.core.analysis.columns import ColumnKind, parse_column
from tui.core.text import PatternSizeError, check_pattern_size, quoted
from tui.errors import UsageError

MOST_DERIVED = 50
"""Derived columns of a job."""

_TIMEOUT_SECONDS = 0.25
"""Time limit of a pattern for one value."""

_MAX_CHARACTERS = 1 << 20
"""Characters of a value that a pattern searches, from its start."""

_NAME = re.compile(r"[^\W\d]\w{0,39}")


VARIABLES = {
    "answer": "the answer as text",
    "data": "the answer as JSON",
    "row": "the input columns: row.lang, row['Price (EUR)']",
    "custom_id": "the id of the row",
    "outcome": "result of the row",
    "model": "the model that answered",
}
"""The variables of an expression, with a line of help each."""


class Computed(msgspec.Struct, frozen=True):
    """The value of an expression for a row, or why there is none."""

    value: str | None = None
    problem: str = ""


class Expression(Protocol):
    """An expression that is ready to be computed."""

    @property
    def names(self) -> frozenset[str]:
        """The variables that it uses."""
        ...

    def values(self, rows: Sequence[Mapping[str, Any]]) -> list[Computed]:
        """The values for rows, each given by its variables.

        Raises:
            UsageError: It takes too much time or memory.
        """
        ...


CompileExpression = Callable[[str], Expression]
"""Compiles an expression; raises ``UsageError`` if it is not valid."""


class DerivedColumn(msgspec.Struct, frozen=True):
    """A column whose values are computed from those of others.

    Attributes:
        name: Its name; in queries ``calc.NAME``.
        of: The name of the column that ``pattern`` searches, such as ``answer`` or ``@reason``.
        pattern: A regular expression. The value is what its first group matched, or the whole
            match if it has no group; rows that do not match have no value.
        expression: In place of ``of`` and ``pattern``: a Jinja expression, or a template, with the
            ``VARIABLES`` and the fields of the answer. Rows for which it fails, or that it gives
            no text, have no value.
        table: In place of both: where the values came from, such as ``labels.csv, column label``.
            They are kept in a file of the job.
    """

    name: str
    of: str = ""
    pattern: str = ""
    expression: str = ""
    table: str = ""

    @property
    def about(self) -> str:
        """How its values are made, in one line."""
        return self.table or self.expression or f"{self.pattern} in {self.of}"

    def check(self) -> None:
        """Check that it can be computed.

        Raises:
            UsageError: The name, the other column or the pattern is not valid.
        """
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                f"{quoted(self.name)} cannot be the name of a column",
                "Use a letter, then up to 39 letters, digits and underscores.",
            )
        if self.table:
            return
        if self.expression:
            if self.pattern:
                raise UsageError(
                    "a column is made by a pattern or by an expression", "Use only one of them."
                )
            return
        if parse_column(self.of).kind is ColumnKind.DERIVED:
            raise UsageError(
                f"{self.of} is a derived column itself",
                "Derive from a field, an input column or a fact.",
            )
        self.capture()

    def capture(self) -> Callable[[str | None], str | None]:
        """A function that takes the value out of a text.

        It raises ``UsageError`` if the pattern takes too long for a text.

        Raises:
            UsageError: The pattern is not valid, or too large.
        """
        # Unlike `re`, it has a timeout, and other threads can run while it searches.
        import regex

        try:
            check_pattern_size(self.pattern)
            search = regex.compile(self.pattern, regex.MULTILINE).search
        except PatternSizeError as error:
            raise UsageError(f"the pattern is too large: {error}", "Use a simpler one.") from None
        except (regex.error, ValueError, OverflowError, RecursionError) as error:
            raise UsageError(
                f"the pattern is not a regular expression: {error}",
                "Example: --match 'Score: (\\d+)'",
            ) from None

        def take(text: str | None) -> str | None:
            if text is None:
                return None
            try:
                found = search(text[:_MAX_CHARACTERS], timeout=_TIMEOUT_SECONDS)
            except TimeoutError:
                raise UsageError(
                    f"the pattern of {self.name} takes too long", "Use a simpler one."
                ) from None
            if found is None:
                return None
            value = found[1] if found.re.groups else found[0]
            return None if value is None else str(value)

        return take
