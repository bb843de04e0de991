"""The line above a table that filters it: a plain filter, or a query with help and chips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.core.analysis.completion import Columns, completed, completions, key_at_end
from tui.core.query import parse_query
from tui.core.text import one_line
from tui.ui.text.tones import Part, Tone, content
from tui.ui.widgets.basics import Field, WidgetMessage

TYPING_DELAY = 0.15
"""Seconds without a key before the search starts."""


class FilterField(Field):
    """The input of a filter line; its bindings appear in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Apply", tooltip="Apply the filter and go to the rows."),
        Binding("escape", "screen.back", "Clear", tooltip="Clear the filter and show all rows."),
    ]

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Treat ``slash`` as text: Textual does not map its name to a character."""
        return key == "slash" or super().check_consume_key(key, character)


class FilterLine(Horizontal):
    """One line: the filter on the left, ``1,204 of 50,000`` on the right.

    Args:
        placeholder: The text of the empty field.
        field: The field; a plain one by default.
        summary: What replaces the field while it is not edited; a text by default.
    """

    DEFAULT_CSS = """
    FilterLine {
        height: 1;
        Input { width: 1fr; height: 1; border: none; padding: 0 1; }
        #filter-slash { width: 2; }
        #filter-what { width: 1fr; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #filter-count { width: 26; height: 1; text-align: right; }
    }
    """

    @dataclass
    class Changed(WidgetMessage):
        """Posted when the text to search for changed."""

        text: str

    class Left(WidgetMessage):
        """Posted when the focus should return to the rows."""

    def __init__(
        self,
        placeholder: str,
        *,
        field: FilterField | None = None,
        summary: Widget | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._timer: Timer | None = None
        self._text = ""
        self._slash = Static("/", id="filter-slash")
        self._field = field or FilterField(placeholder=placeholder, compact=True, id="filter-input")
        self._what = Static("", id="filter-what", markup=False)
        self._summary = summary or self._what
        self._count = Static("", id="filter-count", markup=False)
        self._set_editing(False)

    def compose(self) -> ComposeResult:
        """The field, what replaces it while it is not edited, and the count."""
        yield self._slash
        yield self._field
        yield self._summary
        yield self._count

    def on_click(self) -> None:
        """Start editing."""
        if not self.is_editing:
            self.edit()

    @property
    def text(self) -> str:
        """The text that is searched for."""
        return self._text

    @property
    def is_editing(self) -> bool:
        """Whether the text is being edited."""
        return self._field.display

    def edit(self) -> None:
        """Start editing the text."""
        self._set_editing(True)
        # Synchronously, so that keys typed right after are text, not commands.
        self.screen.set_focus(self._field)

    def is_valid(self, text: str) -> bool:
        """Whether the text is a valid filter."""
        return True

    def set_text(self, text: str) -> None:
        """Set the text without posting ``Changed``."""
        self._text = text
        with self._field.prevent(Input.Changed):
            self._field.value = text

    def clear(self) -> None:
        """Clear the text; posts ``Changed`` if it was not empty."""
        with self._field.prevent(Input.Changed):
            self._field.value = ""
        self._set_editing(False)
        self._set_text("")

    def show(
        self,
        conditions: list[Part],
        shown: int,
        total: int,
        noun: str,
        escape: str = "show all",
    ) -> None:
        """Show the other conditions, and how many of how many entries are shown."""
        parts: list[Part] = []
        for text, tone in conditions:
            parts += [("  ", ""), (one_line(text, 60), tone)]
        if self._text:
            parts += [("  ", ""), (f"contains {one_line(self._text, 40)!r}", "accent")]
        if parts:
            parts += [("   esc ", "accent"), (escape, "muted")]
        else:
            parts = [(f" All {noun}", "muted")]
        self.show_conditions(parts)
        self.show_count(shown, total)

    def show_conditions(self, parts: list[Part]) -> None:
        """Show what is filtered, while the text is not edited."""
        self._what.update(content(parts), layout=False)

    def show_count(self, shown: int, total: int, note: str = "") -> None:
        """Show the number of entries, such as ``1,204 of 50,000``, after an optional note."""
        parts: list[Part] = [(f"{note} ", "live")] if note else []
        parts += [(f"{shown:,}", "strong"), (f" of {total:,} ", "muted")]
        self._count.update(content(parts), layout=False)

    def _set_editing(self, editing: bool) -> None:
        # Set directly rather than by a class: only a displayed widget can take the focus.
        self._slash.display = self._field.display = editing
        self._summary.display = not editing

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._timer is not None:
            self._timer.stop()
        value = event.value
        self._timer = self.set_timer(TYPING_DELAY, lambda: self._set_text(value))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._set_text(event.value)
        if not self.is_valid(event.value):
            self.app.bell()
            return
        self._set_editing(False)
        self.post_message(self.Left(self))

    def _set_text(self, text: str) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        text = text.strip()
        if text != self._text:
            self._text = text
            self.post_message(self.Changed(self, text))


_EXAMPLES = (
    "outcome:failed", "code:429", "tokens:>500", "length:<20", "attempt:2", "finish:length",
    "json:bad", "re:refund.*", "id:rev-*", "cost:>0.01",
)  # fmt: skip
_MAX_COMPLETIONS = 12


class QueryHint(Static):
    """One line of help; hidden when empty."""

    DEFAULT_CSS = """
    QueryHint {
        height: 1; padding: 0 1; display: none; text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)

    def show_help(self, text: str, columns: Columns) -> None:
        """Show how the query can continue, or what is wrong with it.

        Args:
            text: The query.
            columns: The columns of the job, with the values that are known.
        """
        problems = parse_query(text).problems
        choices = [one_line(choice, 60) for choice in completions(text, columns)]
        key = key_at_end(text)
        # An unfinished word is not an error.
        if problems and not choices:
            first = problems[0]
            parts: list[Part] = [(one_line(first.message, 110), "warn")]
            if first.meant:
                parts += [("   tab ", "accent"), (one_line(first.meant, 60), "")]
        elif choices:
            parts = [("tab ", "accent"), (self._join_fitting(choices[:_MAX_COMPLETIONS], 4), "")]
        elif key is not None:
            parts = [(key.help, ""), ("   e.g. ", "muted"), (key.example, "accent")]
        else:
            parts = [("text, or ", "muted"), (self._join_fitting(_EXAMPLES, 10), "")]
        self._show(parts)

    def _join_fitting(self, words: Sequence[str], before: int) -> str:
        """Join as many words as fit after ``before`` cells; no word is cut."""
        # A hidden widget has no size, but its parent does.
        available = self.parent.content_size.width if isinstance(self.parent, Widget) else 0
        width = available - self.gutter.width - before
        kept = list(words[:1])
        for word in words[1:]:
            if len("  ".join([*kept, word])) > width:
                break
            kept.append(word)
        return "  ".join(kept)

    def show_error(self, message: str) -> None:
        """Show an error."""
        self._show([(one_line(message, 200), "warn")])

    def clear(self) -> None:
        """Hide the line."""
        self.display = False

    def _show(self, parts: list[Part]) -> None:
        self.update(content(parts), layout=False)
        self.display = True


_CROSS = "✕"


@dataclass(frozen=True)
class Chip:
    """A filter chip: the key that identifies it, its label and its tone."""

    key: int
    label: str
    tone: Tone = "accent"


class ChipBar(Widget, can_focus=True):
    """One line of chips; ``left`` and ``right`` select one, ``delete`` removes it."""

    DEFAULT_CSS = """
    ChipBar { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "choose(-1)", show=False),
        Binding("right,l", "choose(1)", show=False),
        Binding("delete,backspace,enter,x", "remove", show=False),
        Binding("down,j", "screen.focus_next", show=False),
    ]

    @dataclass
    class Removed(Message):
        """Posted when a chip should be removed."""

        key: int

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._chips: list[Chip] = []
        self._hint = Content("")
        self._selected = 0
        self.can_focus = False

    @property
    def chips(self) -> Sequence[Chip]:
        """The chips."""
        return self._chips

    def show(self, chips: Sequence[Chip], rest: Content) -> None:
        """Show chips, followed by a hint."""
        self._chips = list(chips)
        self._hint = rest
        self._selected = max(0, min(self._selected, len(chips) - 1))
        if not chips and self.has_focus:
            self.screen.focus_next()
        self.can_focus = bool(chips)
        self.refresh()

    def render(self) -> Content:
        """The chips."""
        parts: list[Content | str | tuple[str, str]] = [" "]
        for index, chip in enumerate(self._chips):
            chosen = index == self._selected and self.has_focus
            ground = "$tone-chip-chosen" if chosen else "$tone-chip"
            colour = "$text-warning" if chip.tone == "warn" else "$text-accent"
            parts += [
                (f" {chip.label} ", f"{colour} {ground}"),
                (f"{_CROSS} ", f"$tone-muted {ground}"),
            ]
            parts.append(" ")
        chips = Content.assemble(*parts)
        # The hint is dropped rather than truncated.
        return chips + self._hint if self._hint_fits(chips) else chips

    def _hint_fits(self, chips: Content) -> bool:
        return not self._chips or chips.cell_length + self._hint.cell_length <= self.size.width

    def on_focus(self) -> None:
        """Highlight the selected chip."""
        self.refresh()

    def on_blur(self) -> None:
        """Remove the highlight."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Remove the clicked chip; elsewhere let the click bubble to the line."""
        left = 1
        for chip in self._chips:
            right = left + cell_len(chip.label) + 4
            if left <= event.x < right:
                event.stop()
                self.post_message(self.Removed(chip.key))
                return
            left = right + 1

    def action_choose(self, step: int) -> None:
        """Select the chip to the left or to the right."""
        self._selected = max(0, min(self._selected + step, len(self._chips) - 1))
        self.refresh()

    def action_remove(self) -> None:
        """Remove the selected chip."""
        if self._chips:
            self.post_message(self.Removed(self._chips[self._selected].key))


class QueryField(FilterField):
    """The input of a query; ``up`` and ``down`` go through earlier queries."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *FilterField.BINDINGS,
        Binding("up", "earlier", "Earlier", tooltip="Go to the previous query."),
        Binding("down", "later", "Rows", tooltip="Apply the query and go to the rows."),
    ]
    _history: tuple[str, ...] = ()
    _history_index: int | None = None
    _draft = ""

    def add_history(self, queries: Iterable[str]) -> None:
        """Add earlier queries to the history, the newest last."""
        self._history_index = None
        for query in filter(None, queries):
            self._history = (*(other for other in self._history if other != query), query)

    def replace_text(self, text: str) -> None:
        """Replace the text."""
        self.value = text
        self.cursor_position = len(text)

    def action_earlier(self) -> None:
        """Go to the previous query."""
        if self._history_index is None:
            self._draft, self._history_index = self.value, len(self._history)
        if self._history_index:
            self._history_index -= 1
            self.replace_text(self._history[self._history_index])

    async def action_later(self) -> None:
        """Go to the next query; from the newest one, apply the text and focus the rows."""
        if self._history_index is None:
            await self.action_submit()
            return
        self._history_index += 1
        if self._history_index < len(self._history):
            self.replace_text(self._history[self._history_index])
        else:
            self._history_index = None
            self.replace_text(self._draft)


class QueryLine(FilterLine):
    """A filter line whose text is a query (see ``tui.core.query``).

    ``tab`` completes the last word or corrects it; ``up`` recalls earlier queries; ``down``
    returns from them, then applies the query and goes to the rows.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", tooltip="Complete the last word."),
        Binding("f2", "saved", "Saved", tooltip="Save this query, or load a saved one."),
    ]
    DEFAULT_CSS = "QueryLine #filter-count { width: 30; }"

    class Edited(Message):
        """Posted whenever the text changes."""

        def can_replace(self, message: Message) -> bool:
            """Only the newest message matters."""
            return isinstance(message, QueryLine.Edited)

    class SavedRequested(Message):
        """Posted when the saved queries should be shown."""

    def __init__(self, placeholder: str, *, id: str | None = None) -> None:
        self.columns: Columns = {}
        """The columns that are completed, with their known values."""
        self._chips = ChipBar(id="filter-chips")
        # Typing appends to the current query.
        self._query_field = QueryField(
            placeholder=placeholder, compact=True, select_on_focus=False, id="filter-input"
        )
        super().__init__(placeholder, field=self._query_field, summary=self._chips, id=id)

    @property
    def typed(self) -> str:
        """The text of the input, applied or not."""
        return self._field.value

    @property
    def chips(self) -> ChipBar:
        """The chips."""
        return self._chips

    def edit(self) -> None:
        """Start editing the query."""
        self.set_text(self.text)
        if self.text:
            with self._field.prevent(Input.Changed):
                self._field.value = f"{self.text} "
        super().edit()
        self._field.cursor_position = len(self._field.value)
        self.post_message(self.Edited())

    def show_chips(self, chips: Sequence[Chip], hint: Sequence[Part]) -> None:
        """Show the active conditions."""
        self._chips.show(chips, content(hint))

    def is_valid(self, text: str) -> bool:
        """Whether the query has no errors."""
        return not parse_query(text).problems

    def action_complete(self) -> None:
        """Complete the last word, or apply the suggested correction."""
        text = self._field.value
        problems = parse_query(text).problems
        better = completed(text, self.columns)
        if better == text and problems and problems[0].meant:
            problem = problems[0]
            better = text[: problem.start] + problem.meant + text[problem.stop :]
        self._query_field.replace_text(better)

    def keep(self) -> None:
        """Apply the query, because the focus moved elsewhere."""
        self._set_text(self._field.value)
        self._set_editing(False)

    def add_history(self, queries: Iterable[str]) -> None:
        """Add earlier queries to the history, the newest last."""
        self._query_field.add_history(queries)

    def action_saved(self) -> None:
        """Apply the query and show the saved ones."""
        if not self.is_valid(self._field.value):
            self.app.bell()
            return
        self.keep()
        self.post_message(self.SavedRequested())

    @on(Input.Changed)
    def _edited(self) -> None:
        self.post_message(self.Edited())
