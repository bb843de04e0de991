"""The line of conditions on rows: chips, the words that they stand for, and the count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from tui.core.querying import completed, read_query
from tui.ui.tones import Part, content
from tui.ui.widgets.chip_bar import Chip, ChipBar
from tui.ui.widgets.filter_line import FilterField, FilterLine


class QueryField(FilterField):
    """The words of a query; ``up`` and ``down`` go through those that were asked before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *FilterField.BINDINGS,
        Binding("up", "earlier", "Earlier", tooltip="The query before."),
        Binding("down", "later", "Rows", tooltip="Keep the words, and go to the rows."),
    ]
    _past: tuple[str, ...] = ()
    _place: int | None = None
    _draft = ""

    def recollect(self, queries: Iterable[str]) -> None:
        """Take queries that were asked before, the newest last."""
        self._place = None
        for query in filter(None, queries):
            self._past = (*(other for other in self._past if other != query), query)

    def put(self, text: str) -> None:
        """Put other words in place of these."""
        self.value = text
        self.cursor_position = len(text)

    def action_earlier(self) -> None:
        """Put the query before in place of the words."""
        if self._place is None:
            self._draft, self._place = self.value, len(self._past)
        if self._place:
            self._place -= 1
            self.put(self._past[self._place])

    async def action_later(self) -> None:
        """Come back from an earlier query; else keep the words and give the keys to the rows."""
        if self._place is None:
            await self.action_submit()
            return
        self._place += 1
        if self._place < len(self._past):
            self.put(self._past[self._place])
        else:
            self._place = None
            self.put(self._draft)


class QueryLine(FilterLine):
    """A filter line whose text is a query (see ``tui.core.querying``).

    ``tab`` completes the last word, or takes what was probably meant; ``up`` recalls earlier
    queries; ``down`` comes back from them, and then keeps the words and goes to the rows.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", tooltip="Go on with the last word."),
        Binding("f2", "saved", "Saved", tooltip="Keep the query by a name, or recall one."),
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

    class SavedWanted(Message):
        """Posted when the queries that have a name are to be shown."""

    def __init__(self, placeholder: str, *, id: str | None = None) -> None:
        self._chips = ChipBar(id="filter-chips")
        self._words = QueryField(placeholder=placeholder, compact=True, id="filter-input")
        super().__init__(placeholder, field=self._words, id=id)
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
        self._words.put(better)

    def keep(self) -> None:
        """Keep the words, because the keys have gone elsewhere."""
        self._look_for(self._field.value)
        self._set_editing(False)

    def recollect(self, queries: Iterable[str]) -> None:
        """Take queries that were asked before, the newest last."""
        self._words.recollect(queries)

    def action_saved(self) -> None:
        """Keep the words, and show the queries that have a name."""
        if not self.may_leave(self._field.value):
            self.app.bell()
            return
        self.keep()
        self.post_message(self.SavedWanted())

    def _set_editing(self, editing: bool) -> None:
        super()._set_editing(editing)
        self._chips.display = not editing

    @on(Input.Changed)
    def _edited(self) -> None:
        self.post_message(self.Edited())
