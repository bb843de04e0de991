"""The help of the dashboard: all keys, and a field that searches them and the pages of help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from tui.docs.topics import Match, search, topics
from tui.ui.commands.command_table import COMMANDS, Command, Scope
from tui.ui.dialogs.help.keys import KeyTexts, field_text
from tui.ui.dialogs.help.topic import TopicDialog
from tui.ui.dialogs.text import TextDialog
from tui.ui.text.field_help import FieldHelp
from tui.ui.text.tones import Part, content
from tui.ui.widgets.basics import Field, PlainList

_WIDTH = 84
_MOST_SECTIONS = 40


class HelpDialog(TextDialog):
    """The commands with their current keys; typing searches them and the pages of help.

    Args:
        here: The scope to list first; ``None`` to explain the field alone.
        keys: Command id to its current keys.
        why_disabled: Command id to the reason why it is unavailable.
        field: The field to explain first.
        commands: All commands, those of the user too.
    """

    DEFAULT_CSS = """
    HelpDialog > .dialog { width: 84; height: 92%; padding: 0 1 0 2; }
    HelpDialog #help-search { margin: 0 1 1 0; }
    HelpDialog #help-topics { max-height: 9; margin-bottom: 1; display: none; }
    HelpDialog #help-topics.-found { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "leave", show=False),
        Binding("down,ctrl+n", "move(1)", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
    ]

    def __init__(
        self,
        here: Scope | None,
        keys: dict[str, str],
        why_disabled: dict[str, str],
        field: FieldHelp | None = None,
        commands: Sequence[Command] = COMMANDS,
    ) -> None:
        hints = () if here is None else (("↑↓ pgdn", "move"), ("enter", "read"), ("esc", "close"))
        super().__init__("Help", *hints)
        self._here = here
        self._field = field
        self._texts = KeyTexts(keys, why_disabled, commands)
        self._found: list[Match] = []
        self._search = Field(
            placeholder="Type to search all keys and topics", compact=True, id="help-search"
        )
        self._topics = PlainList(id="help-topics")
        self._topics.can_focus = False

    def compose_content(self) -> ComposeResult:
        """The field, the topics that match, the text and the key hints."""
        if self._here is not None:
            yield self._search
            yield self._topics
        yield from super().compose_content()

    def on_mount(self) -> None:
        """Let typing search, where there is something to search."""
        if self._here is not None:
            self._search.focus()

    def text(self) -> list[Part]:
        """The field, then the commands, grouped by scope."""
        parts = [] if self._field is None else field_text(self._field, self._width)
        if self._here is None:
            return parts
        names = ", ".join(one.name for one in topics())
        keys = self._texts.all(self._here, self._width)
        return [*parts, *keys, ("Topics\n", "accent"), (f"{names}\n", "muted")]

    @property
    def _width(self) -> int:
        """The width of the text in cells."""
        return max(30, min(_WIDTH, self.app.size.width - 4) - 8)

    # The search

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        query = event.value
        if query == "?":
            # The key that opened the help closes it.
            self.dismiss(None)
            return
        self._found = search(query)[:_MOST_SECTIONS]
        self._topics.fill([self._line(match) for match in self._found])
        self._topics.set_class(bool(self._found), "-found")
        scroll = self.query_one(VerticalScroll)
        scroll.query_one(Static).update(content(self._shown(query)).rstrip())
        scroll.scroll_home(animate=False)

    def _shown(self, query: str) -> list[Part]:
        if not query.strip() or self._here is None:
            return self.text()
        keys = self._texts.matching(query, self._here, self._width)
        if keys or self._found:
            return keys
        return [("Nothing in the keys and topics has these words.", "muted")]

    def _line(self, match: Match) -> Content:
        heading = "" if match.heading == match.topic.title else f" › {match.heading}"
        line: list[Part] = [(match.topic.name, "accent"), (heading, "")]
        return content([*line, (f"  {match.line}", "muted")]).truncate(
            self._width - 1, ellipsis=True
        )

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if self._topics.highlighted is not None and self._found:
            self._read(self._topics.highlighted)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._read(event.option_index)

    def _read(self, index: int) -> None:
        match = self._found[index]
        self.app.push_screen(TopicDialog(match.topic, match.heading))

    def action_move(self, step: int) -> None:
        """Move the highlight of the topics, else scroll."""
        if self._found:
            index = (self._topics.highlighted or 0) + step
            self._topics.highlighted = max(0, min(index, len(self._found) - 1))
        else:
            self.query_one(VerticalScroll).scroll_relative(y=3 * step, animate=False)

    def action_page(self, step: int) -> None:
        """Scroll the text by a page."""
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_relative(y=step * max(1, scroll.size.height - 1), animate=False)
