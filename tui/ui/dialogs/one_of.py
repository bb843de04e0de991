"""Choosing one of many, by typing a part of its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.core.text import one_line
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content

_MOST = 200
"""Entries that are listed at once; typing finds the others."""


@dataclass(frozen=True)
class Choice:
    """Something to choose: what it is, its name, and a word about it."""

    value: str
    name: str
    about: str = ""


class OneOfDialog(Dialog[str | None]):
    """A text to type, and below it what fits; the answer is the value of a choice.

    Args:
        title: The question.
        choices: What there is, in order.
        note: A line below the list.
        chosen: The value that is highlighted at first.
    """

    DEFAULT_CSS = """
    OneOfDialog > .dialog { width: 72; height: 80%; max-height: 24; }
    OneOfDialog Input { margin-bottom: 1; }
    OneOfDialog OptionList { height: 1fr; border: none; padding: 0; }
    OneOfDialog .dialog-keys { height: 1; margin: 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,ctrl+n", "move(1)", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", show=False, priority=True),
    ]

    def __init__(
        self, title: str, choices: Sequence[Choice], note: str = "", *, chosen: str = ""
    ) -> None:
        super().__init__()
        self.TITLE_TEXT = title
        self._choices = choices
        self._note = note
        self._chosen = chosen
        self._found: list[Choice] = []

    def compose_inside(self) -> ComposeResult:
        """Input, list, keys."""
        yield Input(placeholder="a part of the name", compact=True, id="choose-text")
        listed = OptionList(compact=True, markup=False, id="choose-list")
        listed.can_focus = False
        yield listed
        keys: list[Part] = [("↑↓", "accent"), (" choose   ", "muted"), ("enter", "accent")]
        keys += [(" takes it   ", "muted"), ("esc", "accent"), (" leaves", "muted")]
        if self._note:
            keys.append((f"   {self._note}", "muted"))
        yield Static(content(keys), classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        """List everything."""
        self.query_one(Input).focus()
        self._list("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._list(event.value)

    def _list(self, typed: str) -> None:
        words = typed.casefold().split()
        self._found = []
        for choice in self._choices:
            text = f"{choice.name} {choice.about}".casefold()
            if all(word in text for word in words):
                self._found.append(choice)
                if len(self._found) == _MOST:
                    break
        listed = self.query_one(OptionList)
        listed.clear_options()
        if not self._found:
            listed.add_option(Option("Nothing fits", disabled=True))
            return
        listed.add_options(
            Option(
                content(
                    [
                        (one_line(choice.name, 44), ""),
                        (f"  {one_line(choice.about, 40)}", "muted"),
                    ]
                )
            )
            for choice in self._found
        )
        values = [choice.value for choice in self._found]
        listed.highlighted = values.index(self._chosen) if self._chosen in values else 0

    def action_move(self, step: int) -> None:
        """To another entry."""
        listed = self.query_one(OptionList)
        if self._found:
            place = (listed.highlighted or 0) + step
            listed.highlighted = max(0, min(place, len(self._found) - 1))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        place = self.query_one(OptionList).highlighted
        if self._found and place is not None:
            self.dismiss(self._found[place].value)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_index < len(self._found):
            self.dismiss(self._found[event.option_index].value)
