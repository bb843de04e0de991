"""The text of the help: a field, then commands with their keys, all or those of a search."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence

from tui.ui.commands.command_table import Command, Scope, of_scope
from tui.ui.text.field_help import FieldHelp
from tui.ui.text.tones import Part, Tone

_PURPOSES = {
    Scope.COMPOSE: "Turn a table, a text or a file of requests into a job.",
    Scope.BATCHES: "All jobs of all accounts, live. Enter opens the results of a job.",
    Scope.RESULTS: "The rows of a job: find failed rows, read them, retry them.",
    Scope.TABLE: "Works in every list. So does the mouse: click, double click, wheel, header.",
    Scope.SUMMARY: "The summary of a job (u in Batches and Results).",
    Scope.COMPARE: "Jobs, row by row (= in Batches).",
    Scope.EXPERIMENT: "Several jobs over the same rows (X, or = with three marks, in Batches).",
    Scope.REVIEW: "One answer at a time, one key for each verdict (V in Results).",
    Scope.FACETS: "How often each value of a column occurs (f in Results).",
    Scope.EVALUATION: "Answers compared with true values (U in Batches and Results).",
    Scope.COSTS: "Where the money went ($ in Batches).",
    Scope.PIVOT: "Rows by the values of two columns (p in the values of a column).",
    Scope.MAIN: "Works everywhere. Hold shift to select text with the mouse.",
}


_MARGIN = 2
_MOST_KEYS = 24
"""The widest column of keys, in cells; longer ones have a line of their own."""


KeyLine = tuple[str, str, Tone, Tone]
"""Keys, what they do, and the tones of both."""


def key_lines(rows: Sequence[KeyLine], width: int, *, keys: int = 0) -> list[Part]:
    """Keys and what they do in two columns; the texts wrap with a hanging indent.

    Args:
        rows: The keys and their texts.
        width: The width of the page in cells.
        keys: The width of the column of keys; as wide as its widest one by default.
    """
    keys = keys or min(_MOST_KEYS, max((len(key) for key, *_ in rows), default=0))
    indent = _MARGIN + keys + _MARGIN
    parts: list[Part] = []
    for key, text, key_tone, tone in rows:
        lines = textwrap.wrap(text, max(20, width - indent)) or [""]
        parts.append((" " * _MARGIN + f"{key:<{keys}}" + " " * _MARGIN, key_tone))
        if len(key) > keys:
            parts.append(("\n" + " " * indent, ""))
        parts.append((("\n" + " " * indent).join(lines) + "\n", tone))
    return parts


def _in_order(here: Scope) -> list[Scope]:
    """The scopes as the help lists them: the current pane, tables, global ones, the others."""
    first = [here, Scope.TABLE, Scope.MAIN]
    return [*first, *(scope for scope in Scope if scope not in first)]


class KeyTexts:
    """What the commands do, as text.

    Args:
        keys: Command id to its current keys.
        why_disabled: Command id to the reason why it is unavailable.
        commands: All commands, those of the user too.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        why_disabled: Mapping[str, str],
        commands: Sequence[Command],
    ) -> None:
        self._commands = commands
        self._keys = keys
        self._why_not = why_disabled

    def all(self, here: Scope, width: int) -> list[Part]:
        """All commands: those of the current pane, of tables, global ones, then the others.

        Args:
            here: The scope of the current pane.
            width: The width of the text in cells.
        """
        parts: list[Part] = []
        for scope in _in_order(here):
            parts += [(scope.value + "\n", "accent"), (_PURPOSES[scope] + "\n\n", "muted")]
            parts += [*self._lines(scope, width), ("\n", "")]
        return parts

    def matching(self, query: str, here: Scope, width: int) -> list[Part]:
        """The commands in whose keys, names or help all words of a query occur."""
        words = query.casefold().split()

        def matches(command: Command) -> bool:
            keys = self._keys.get(command.id, "").split()
            if words and words == query.split() and query in keys:
                return True
            text = f"{command.title} {command.help} {command.id} {' '.join(keys)}".casefold()
            return all(word in text for word in words)

        parts: list[Part] = []
        for scope in _in_order(here):
            if lines := self._lines(scope, width, matches):
                parts += [(scope.value + "\n", "accent"), *lines, ("\n", "")]
        return parts

    def _lines(
        self, scope: Scope, width: int, matches: Callable[[Command], bool] = lambda _: True
    ) -> list[Part]:
        """Available commands first, then the unavailable ones, grouped by reason."""
        available: list[KeyLine] = []
        unavailable: dict[str, list[Command]] = {}
        for command in filter(matches, of_scope(scope, self._commands)):
            reason = self._why_not.get(command.id)
            if reason:
                unavailable.setdefault(reason, []).append(command)
            else:
                available.append((self._keys.get(command.id, ""), command.help, "strong", ""))
        keys = min(_MOST_KEYS, max((len(key) for key in self._keys.values()), default=0))
        parts = key_lines(available, width, keys=keys)
        for reason, commands in unavailable.items():
            rows: list[KeyLine] = [
                (self._keys.get(command.id, ""), command.help, "muted", "muted")
                for command in commands
            ]
            parts += [("\n", ""), (f"  Unavailable: {reason}\n", "warn")]
            parts += key_lines(rows, width, keys=keys)
        return parts


def field_text(field: FieldHelp, width: int) -> list[Part]:
    """The help of a field."""
    parts: list[Part] = [(field.title + "\n", "accent")]
    for paragraph in field.text.split("\n\n"):
        parts.append((textwrap.fill(paragraph, width) + "\n\n", ""))
    keys: list[KeyLine] = [(key, text, "strong", "") for key, text in field.keys]
    return [*parts, *key_lines(keys, width), ("\n", "")]
