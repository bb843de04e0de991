"""All keys, those of the pane in use first."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.ui.commands import Command, Scope, of_scope
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, Tone, content

_PURPOSES = {
    Scope.COMPOSE: "From a file of requests to a job: choose, check, fix, send.",
    Scope.BATCHES: "All jobs of all accounts, live. Enter opens the results of one.",
    Scope.RESULTS: "The rows of a job: find what failed, read it, send it again.",
    Scope.TABLE: "In every list. The mouse works too: click, double click, wheel, header.",
    Scope.MAIN: "Wherever you are. Hold shift to select text with the mouse.",
}


_KEYS = 16
_WIDTH = 84


def _indented(text: str, width: int, tone: Tone) -> list[Part]:
    """A text in lines that all begin below the first."""
    return [(("\n" + " " * _KEYS).join(textwrap.wrap(text, width)) + "\n", tone)]


class HelpDialog(Dialog[None]):
    """The keys of all commands, as they are mapped now.

    Args:
        here: The scope whose keys come first.
        keys: Command id to the keys that run it now.
        why_not: Command id to the reason why it is off, for those that are.
    """

    TITLE_TEXT = "Help"
    DEFAULT_CSS = """
    HelpDialog > .dialog { width: 84; height: 92%; padding: 1 1 0 2; }
    HelpDialog VerticalScroll { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,question_mark,f1", "leave", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, here: Scope, keys: dict[str, str], why_not: dict[str, str]) -> None:
        super().__init__()
        self._here = here
        self._keys = keys
        self._why_not = why_not

    def compose_inside(self) -> ComposeResult:
        """One list of headings and keys."""
        # What has the keys, the pane around it, what works everywhere, then the rest.
        first = [self._here, Scope.TABLE, Scope.MAIN]
        scopes = [*first, *(scope for scope in Scope if scope not in first)]
        parts: list[Part] = []
        for scope in scopes:
            parts += [(scope.value + "\n", "accent"), (_PURPOSES[scope] + "\n\n", "muted")]
            parts += [*self._lines(scope), ("\n", "")]
        with VerticalScroll(can_focus=True):
            yield Static(content(parts).rstrip(), markup=False)

    def _lines(self, scope: Scope) -> list[Part]:
        """What can be done first; then what cannot, below its reason."""
        parts: list[Part] = []
        off: dict[str, list[Command]] = {}
        for command in of_scope(scope):
            reason = self._why_not.get(command.id)
            if reason:
                off.setdefault(reason, []).append(command)
            else:
                parts += self._line(command, "strong", "")
        for reason, commands in off.items():
            parts += [("\n", ""), (f"  Not now: {reason}\n", "warn")]
            for command in commands:
                parts += self._line(command, "muted", "muted")
        return parts

    def _line(self, command: Command, keys: Tone, words: Tone) -> list[Part]:
        width = max(20, min(_WIDTH, self.app.size.width - 4) - _KEYS - 8)
        shown = f"  {self._keys.get(command.id, ''):<{_KEYS - 2}}"
        return [(shown, keys), *_indented(command.help, width, words)]

    def action_scroll(self, step: int) -> None:
        """Scroll by a few lines."""
        self.query_one(VerticalScroll).scroll_relative(y=3 * step, animate=False)
