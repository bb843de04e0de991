"""Derived columns: a part of another column's text, captured by a regular expression."""

from __future__ import annotations

import re
from collections.abc import Callable

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


class DerivedColumn(msgspec.Struct, frozen=True):
    """A column whose values are captured from those of another one.

    Attributes:
        name: Its name; in queries ``calc.NAME``.
        of: The name of the other column, such as ``answer`` or ``@reason``.
        pattern: A regular expression. The value is what its first group matched, or the whole
            match if it has no group; rows that do not match have no value.
    """

    name: str
    of: str
    pattern: str

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
