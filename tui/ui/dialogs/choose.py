"""Choices: a list to choose one of, and a long list with a field that narrows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.core.text import one_line
from tui.ui.dialogs.base import Answer, Dialog
from tui.ui.text.tones import content, in_cells, key_hints
from tui.ui.widgets.basics import Field, PlainList


@dataclass(frozen=True)
class Choice:
    """One option: its value, its name, and a short description."""

    value: str
    name: str
    about: str = ""


class ListDialog(Dialog[Answer]):
    """A list of options; enter or a click selects one.

    Args:
        title: The title of the dialog.
        prompts: The options.
        at: The index of the option under the cursor.
    """

    DEFAULT_CSS = "ListDialog > .dialog { padding: 1 1 0 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "leave", show=False)]

    def __init__(self, title: str, prompts: Sequence[Content], at: int) -> None:
        super().__init__(title)
        self.list = PlainList(*map(Option, prompts))
        self._at = at

    def compose_content(self) -> ComposeResult:
        """The list."""
        yield self.list

    def on_mount(self) -> None:
        """Put the cursor on the current option."""
        self.list.highlighted = self._at
        self.list.focus()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self.highlighted(event.option_index)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.selected(event.option_index)

    def highlighted(self, index: int) -> None:
        """Follow the cursor."""

    def selected(self, index: int) -> None:
        """Close with the option at an index."""
        self.dismiss(None)


class ChooseDialog(ListDialog[str]):
    """One of a few options; the current one is marked.

    Args:
        title: The title of the dialog.
        choices: The options.
        now: The current value.
        next_key: A key that moves one down, usually the one that opened the dialog.
        preview: Called with the value under the cursor whenever it moves.
    """

    DEFAULT_CSS = """
    ChooseDialog > .dialog { width: 56; }
    ChooseDialog PlainList { max-height: 18; margin-bottom: 1; }
    """

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice],
        now: str,
        *,
        next_key: str = "",
        preview: Callable[[str], object] | None = None,
    ) -> None:
        width = min(max((cell_len(choice.name) for choice in choices), default=0), 30)
        values = [choice.value for choice in choices]
        prompts = [
            content(
                [
                    (" ● " if choice.value == now else "   ", "accent"),
                    (f"{in_cells(choice.name, width)}  ", ""),
                    (one_line(choice.about, 40), "muted"),
                ]
            )
            for choice in choices
        ]
        super().__init__(title, prompts, values.index(now) if now in values else 0)
        self._values = values
        self._preview = preview
        if next_key:
            self.list._bindings.bind(next_key, "cursor_down", show=False)

    def highlighted(self, index: int) -> None:
        """Preview the option under the cursor."""
        if self._preview is not None:
            self._preview(self._values[index])

    def selected(self, index: int) -> None:
        """Close with the value of an option."""
        self.dismiss(self._values[index])


Entry = TypeVar("Entry")


class SearchDialog(Dialog[Answer], Generic[Answer, Entry]):
    """A field above the list of the entries that match it; enter selects one.

    Args:
        title: The title of the dialog.
        field: The field.
        keys: Keys and what they do, shown below the list.
        note: A note after the keys.
    """

    NO_MATCH = "No matches"
    DEFAULT_CSS = """
    SearchDialog > .dialog { width: 84; height: 80%; max-height: 26; }
    SearchDialog Input { margin-bottom: 1; }
    SearchDialog PlainList { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,ctrl+n", "move(1)", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", show=False, priority=True),
    ]

    def __init__(
        self, title: str, field: Input, keys: Sequence[tuple[str, str]] = (), note: str = ""
    ) -> None:
        super().__init__(title)
        self.field = field
        self.list = PlainList(id="choose-list")
        self.list.can_focus = False
        self.found: Sequence[Entry] = ()
        hints = key_hints(*keys, ("↑↓", "move"), ("enter", "select"), ("esc", "cancel"))
        self._keys = content([*hints, (note, "muted")])

    def compose_content(self) -> ComposeResult:
        """The field, the list and the key hints."""
        yield self.field
        yield self.list
        yield Static(self._keys, classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        """List what matches the initial text."""
        self.field.cursor_position = len(self.field.value)
        self.field.focus()
        self.show_matches(self.field.value)

    def matches(self, typed: str) -> Sequence[Entry]:
        """The entries to list."""
        return ()

    def prompt(self, entry: Entry) -> Content:
        """How an entry is shown."""
        return Content(str(entry))

    def select(self, entry: Entry) -> None:
        """Close with an entry."""
        self.dismiss(None)

    def enter(self, typed: str) -> None:
        """Act on ``enter``: select the highlighted entry."""
        if self.chosen is not None:
            self.select(self.chosen)

    @property
    def chosen(self) -> Entry | None:
        """The highlighted entry."""
        index = self.list.highlighted
        return self.found[index] if index is not None and index < len(self.found) else None

    def show_matches(self, typed: str) -> None:
        """List what matches a text."""
        self.found = self.matches(typed)
        prompts = [self.prompt(entry) for entry in self.found]
        self.list.fill(prompts or [Option(self.NO_MATCH, disabled=True)])

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.show_matches(event.value)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.enter(event.value)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.select(self.found[event.option_index])

    def action_move(self, step: int) -> None:
        """Move the highlight."""
        if self.found:
            index = (self.list.highlighted or 0) + step
            self.list.highlighted = max(0, min(index, len(self.found) - 1))


_MAX_LISTED = 200
"""Entries shown at a time; typing narrows the list."""

_MOST_NAME, _ALIGNED = 44, 28
"""Characters of a name that are shown, and cells up to which the descriptions are in a column."""


class SearchChoiceDialog(SearchDialog[str, Choice]):
    """One of many options; the result is its value.

    Args:
        title: The title of the dialog.
        choices: The options, in order.
        note: A note below the list.
        chosen: The value highlighted initially.
    """

    DEFAULT_CSS = "SearchChoiceDialog > .dialog { width: 72; max-height: 24; }"

    def __init__(
        self, title: str, choices: Sequence[Choice], note: str = "", *, chosen: str = ""
    ) -> None:
        field = Field(placeholder="Type to filter", compact=True, id="choose-text")
        super().__init__(title, field, note=note)
        self._choices = choices
        widths = (cell_len(one_line(choice.name, _MOST_NAME)) for choice in choices)
        self._width = min(max(widths, default=0), _ALIGNED)
        self._chosen = chosen

    def matches(self, typed: str) -> list[Choice]:
        """The first options that contain all words."""
        words = typed.casefold().split()
        found: list[Choice] = []
        for choice in self._choices:
            text = f"{choice.name} {choice.about}".casefold()
            if all(word in text for word in words):
                found.append(choice)
                if len(found) == _MAX_LISTED:
                    break
        return found

    def show_matches(self, typed: str) -> None:
        """List what matches, with the cursor on the initial choice while it is among them."""
        super().show_matches(typed)
        values = [choice.value for choice in self.found]
        if self._chosen in values:
            self.list.highlighted = values.index(self._chosen)

    def prompt(self, choice: Choice) -> Content:
        """The name and the description."""
        name = one_line(choice.name, _MOST_NAME)
        if cell_len(name) < self._width:
            name = in_cells(name, self._width)
        return content([(name, ""), (f"  {one_line(choice.about, 40)}", "muted")])

    def select(self, choice: Choice) -> None:
        """Close with the value of an option."""
        self.dismiss(choice.value)
