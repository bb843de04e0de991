"""The line of conditions on rows: chips, the words that they stand for, and the count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from tui.core.querying import completed, read_query
from tui.ui.tones import Part, content
from tui.ui.widgets.chip_bar import Chip, ChipBar
from tui.ui.widgets.filter_line import FilterLine


class QueryLine(FilterLine):
    """A filter line whose text is a query (see ``tui.core.querying``).

    ``tab`` completes the last word, or takes what was probably meant; ``down`` keeps the
    words and goes to the rows.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", show=False),
        Binding("down", "leave", show=False),
    ]
    DEFAULT_CSS = """
    QueryLine #filter-what { display: none; }
    QueryLine #filter-count { width: 30; }
    """

    class Edited(Message):
        """Posted with every key, when the words are others than a moment ago."""

        def can_replace(self, message: Message) -> bool:
            """Only the last words matter."""
            return isinstance(message, QueryLine.Edited)

    def __init__(self, placeholder: str, *, id: str | None = None) -> None:
        self._chips = ChipBar(id="filter-chips")
        super().__init__(placeholder, id=id)
        # What is typed goes on from the conditions that are on.
        self._field.select_on_focus = False

    def compose(self) -> ComposeResult:
        """Slash, input, chips in their place, and the count."""
        yield self._slash
        yield self._field
        yield self._chips
        yield self._count

    @property
    def typed(self) -> str:
        """What stands in the input, kept or not."""
        return self._field.value

    @property
    def chips(self) -> ChipBar:
        """The conditions."""
        return self._chips

    def edit(self) -> None:
        """Let the words be changed."""
        self.restore(self.text)
        if self.text:
            with self._field.prevent(Input.Changed):
                self._field.value = f"{self.text} "
        super().edit()
        self._field.cursor_position = len(self._field.value)
        self.post_message(self.Edited())

    def show_chips(self, chips: Sequence[Chip], hint: Sequence[Part]) -> None:
        """Show the conditions that are on."""
        self._chips.show(chips, content(hint))

    def show_count(self, shown: int, total: int, note: str = "") -> None:
        """Say how many rows are shown: ``1,204 of 50,000``, with a word before it."""
        parts: list[Part] = [(f"{note} ", "live")] if note else []
        parts += [(f"{shown:,}", "strong"), (f" of {total:,} ", "muted")]
        self._count.update(content(parts), layout=False)

    def may_leave(self, text: str) -> bool:
        """Not with a mistake in it: what is meant should be what is shown."""
        return not read_query(text).problems

    def action_complete(self) -> None:
        """Carry on with the last word, or take what was meant."""
        text = self._field.value
        problems = read_query(text).problems
        better = completed(text)
        if better == text and problems and problems[0].meant:
            problem = problems[0]
            better = text[: problem.start] + problem.meant + text[problem.stop :]
        self._field.value = better
        self._field.cursor_position = len(better)

    def keep(self) -> None:
        """Keep the words, because the keys have gone elsewhere."""
        self._look_for(self._field.value)
        self._set_editing(False)

    async def action_leave(self) -> None:
        """Keep the words and give the keys to the rows."""
        await self._field.action_submit()

    def _set_editing(self, editing: bool) -> None:
        super()._set_editing(editing)
        self._chips.display = not editing

    @on(Input.Changed)
    def _edited(self) -> None:
        self.post_message(self.Edited())
