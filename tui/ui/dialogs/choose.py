"""One of a few things to be chosen: an account, a theme, a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.core.text import one_line
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import content


@dataclass(frozen=True)
class Choice:
    """What can be chosen: its value, its name, and a few words on the right."""

    value: str
    name: str
    words: str = ""


class ChooseDialog(Dialog[str]):
    """A list; enter or a click takes one.

    Args:
        title: What is chosen.
        choices: The list.
        now: The value that holds now.
        next_key: A key that goes one down, such as the one that opened the list.
        preview: Called with each value that the cursor comes to.
    """

    DEFAULT_CSS = """
    ChooseDialog > .dialog { width: 56; padding: 1 1 0 1; }
    ChooseDialog OptionList { height: auto; max-height: 18; border: none; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "step(1)", show=False),
        Binding("k", "step(-1)", show=False),
        Binding("q", "leave", show=False),
    ]

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice],
        now: str,
        *,
        next_key: str = "",
        preview: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__()
        self.TITLE_TEXT = title
        self._choices = choices
        self._now = now
        self._preview = preview
        if next_key:
            self._bindings.bind(next_key, "step(1)", show=False)

    def compose_inside(self) -> ComposeResult:
        """The list."""
        width = max((len(choice.name) for choice in self._choices), default=0)
        width = min(width, 30)
        yield OptionList(
            *(
                Option(
                    content(
                        [
                            (" ● " if choice.value == self._now else "   ", "accent"),
                            (f"{one_line(choice.name, width):<{width}}  ", ""),
                            (one_line(choice.words, 40), "muted"),
                        ]
                    )
                )
                for choice in self._choices
            ),
            compact=True,
        )

    def on_mount(self) -> None:
        """On what holds now."""
        options = self.query_one(OptionList)
        values = [choice.value for choice in self._choices]
        options.highlighted = values.index(self._now) if self._now in values else 0
        options.focus()

    def action_step(self, step: int) -> None:
        """One down or up, and round."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if self._preview is not None:
            self._preview(self._choices[event.option_index].value)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._choices[event.option_index].value)
