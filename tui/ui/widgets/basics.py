"""Small parts of widgets, panes and dialogs: a check box, a list, an empty state, a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Checkbox, Input, OptionList, RadioButton, Static
from textual.widgets.option_list import Option

from tui.core.text import visible
from tui.ui.models.dropped_paths import existing_paths
from tui.ui.text.tones import Part, content

_ON, _OFF = "●", "○"


@dataclass
class WidgetMessage(Message):
    """A message of a widget, which ``@on`` can select by the id of the widget."""

    widget: Widget

    @property
    def control(self) -> Widget:
        """The widget."""
        return self.widget


class Field(Input):
    """A text field; its style covers the whole line.

    Textual 8.2 leaves the rest of an empty field without it: an underlined one had no edge.
    """

    def render_line(self, y: int) -> Strip:
        """The text or the placeholder, up to the end of the line."""
        return super().render_line(y).extend_cell_length(self.size.width, self.rich_style)


class TextInput(Field):
    r"""An input whose value comes from elsewhere: shown written out, kept as it is.

    Args:
        value: Any text; control characters are shown as ``\x1b``.
        options: The options of ``Input``.
    """

    def __init__(self, value: str = "", **options: Any) -> None:
        self._original = value
        self._shown = visible(value)
        super().__init__(self._shown, **options)

    @property
    def text(self) -> str:
        """The value: as it came if it was not edited, else what is shown."""
        return self._original if self.value == self._shown else self.value


class DotCheckbox(Checkbox):
    """A check box drawn as a dot that is filled when on: the states differ in shape."""

    BUTTON_LEFT = BUTTON_RIGHT = ""
    DEFAULT_CSS = """
    DotCheckbox { width: 1fr; height: 1; border: none; padding: 0; }
    """

    def __init__(self, label: str, value: bool = False, *, id: str | None = None) -> None:
        # Content rather than text: a label may contain a name, and text is parsed as markup.
        super().__init__(Content(label), value, compact=True, id=id)

    def render(self) -> Content:
        """The dot and the label."""
        self.BUTTON_INNER = _ON if self.value else _OFF
        return super().render()


class DotRadioButton(RadioButton):
    """A radio button drawn as a dot, filled when selected."""

    BUTTON_LEFT = BUTTON_RIGHT = ""

    def render(self) -> Content:
        """The dot and the label."""
        self.BUTTON_INNER = _ON if self.value else _OFF
        return super().render()


class PlainList(OptionList):
    """Options without a border; the letters of lists and pagers move the cursor, too."""

    DEFAULT_CSS = """
    PlainList, PlainList:focus { height: auto; border: none; padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("g", "first", show=False),
        Binding("G", "last", show=False),
    ]

    def __init__(self, *options: Option, id: str | None = None) -> None:
        super().__init__(*options, compact=True, markup=False, id=id)

    def fill(self, options: Sequence[Content | Option], at: int = 0) -> None:
        """Replace the options and put the cursor on one of them."""
        self.clear_options()
        self.add_options(options)
        self.highlighted = at if options else None


class DropInput(Field):
    """A field for a path: a file that is dropped on it, in whatever form, replaces its text."""

    def replace_text(self, text: str) -> None:
        """Replace the text, with the cursor at its end."""
        self.value = text
        self.cursor_position = len(text)

    def _on_paste(self, event: events.Paste) -> None:
        paths = existing_paths(event.text)
        if not paths:
            return
        # Without Textual's own handler, which would insert the first line as it is.
        event.prevent_default()
        event.stop()
        self.replace_text(visible(paths[0]))
        if words := several_dropped(paths):
            self.notify(words, markup=False)


def several_dropped(paths: Sequence[str]) -> str:
    """What to say when several files were dropped where one is wanted; empty for one."""
    return f"{len(paths)} files were dropped; only the first is used" if len(paths) > 1 else ""


class EmptyState(Container):
    """A heading and a few key hints, centred in a pane.

    Args:
        heading: What is missing.
        keys: Keys and what they do.
        note: A line below them.
    """

    DEFAULT_CSS = """
    EmptyState { align: center middle; height: 1fr; }
    EmptyState Static { width: auto; height: auto; }
    """

    def __init__(self, heading: str, keys: Sequence[tuple[str, str]], note: str = "") -> None:
        super().__init__(classes="empty-state")
        parts: list[Part] = [(heading, "strong"), ("\n", "")]
        for key, what in keys:
            parts += [(f"\n{key:<7}", "accent"), (what, "muted")]
        if note:
            parts += [(f"\n\n{note}", "muted")]
        self._text = content(parts)

    def compose(self) -> ComposeResult:
        """The text."""
        yield Static(self._text)
