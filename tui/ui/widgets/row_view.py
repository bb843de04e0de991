"""One row to read: the request beside what came back for it."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.widgets import Static

from tui.core.rows import RowDetail
from tui.core.text import one_line
from tui.ui.rowtext import Reading, describe_row, read_attempt, read_request
from tui.ui.status import outcome_parts
from tui.ui.tones import Part, content

BESIDE_WIDTH = 88
"""Cells from which on request and answer stand side by side."""


class Page(VerticalScroll):
    """A text that scrolls."""

    DEFAULT_CSS = """
    Page { height: 1fr; width: 1fr; padding: 0 1; }
    Page Static { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("j", "scroll_down"),
        ("k", "scroll_up"),
        ("ctrl+d", "page_down"),
        ("ctrl+u", "page_up"),
        ("G", "scroll_end"),
        ("g", "scroll_home"),
    ]

    def __init__(self, title: str, id: str) -> None:
        super().__init__(id=id)
        self.border_title = title
        self._body = Static("", markup=False)

    def compose(self) -> ComposeResult:
        """The text."""
        yield self._body

    def show(self, reading: Reading) -> None:
        """Show another text, from its top."""
        self._body.update(reading.shown)
        self.scroll_home(animate=False)


class RowView(Vertical):
    """The row under the cursor: a line of facts, its request, and its answer or error."""

    DEFAULT_CSS = """
    RowView { height: 1fr; }
    RowView #row-facts { height: 1; text-wrap: nowrap; text-overflow: ellipsis; padding: 0 1; }
    RowView #row-pages { height: 1fr; layout: vertical; }
    RowView #row-answer { height: 2fr; }
    RowView.-beside #row-pages { layout: horizontal; }
    RowView.-beside #row-answer { height: 1fr; width: 3fr; }
    RowView.-beside #row-request { width: 2fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.as_json = False
        self._detail: RowDetail | None = None
        self._shown = 0
        self._request = Page("Request", "row-request")
        self._answer = Page("Answer", "row-answer")
        self._facts = Static("", id="row-facts", markup=False)
        self.request_reading: Reading | None = None
        self.answer_reading: Reading | None = None

    def compose(self) -> ComposeResult:
        """Facts above, request and answer below."""
        yield self._facts
        with Container(id="row-pages"):
            yield self._request
            yield self._answer

    def on_resize(self, event: events.Resize) -> None:
        """Side by side where there is room."""
        self.set_class(event.size.width >= BESIDE_WIDTH, "-beside")

    @property
    def detail(self) -> RowDetail | None:
        """The row shown."""
        return self._detail

    @property
    def has_attempts(self) -> bool:
        """Was the row sent more than once?"""
        return self._detail is not None and len(self._detail.attempts) > 1

    def show(self, detail: RowDetail | None) -> None:
        """Show another row, with its newest outcome."""
        if detail == self._detail:
            return
        self._detail = detail
        self._shown = 0
        self._draw()

    def toggle_json(self) -> None:
        """Words, or the JSON as it came."""
        self.as_json = not self.as_json
        self._draw()

    def next_attempt(self) -> None:
        """Show the attempt before, and after the first one the newest again."""
        if self._detail is not None and self._detail.attempts:
            self._shown = (self._shown + 1) % len(self._detail.attempts)
            self._draw()

    def whole_text(self) -> str:
        """Answer and request, nothing left out; empty without a row."""
        if self.request_reading is None or self.answer_reading is None:
            return ""
        rule = "─" * 40
        return f"{self.answer_reading.whole}\n\n{rule}\n{self.request_reading.whole}\n"

    def focus_answer(self) -> None:
        """Let the keys scroll the answer."""
        self._answer.focus()

    def _draw(self) -> None:
        detail = self._detail
        if detail is None:
            empty = Reading(content([("", "")]), "")
            self._facts.update("")
            self._request.show(empty)
            self._answer.show(empty)
            self.request_reading = self.answer_reading = None
            return
        attempts = detail.attempts
        attempt = attempts[self._shown] if self._shown < len(attempts) else None
        row = attempt.row if attempt is not None else detail.row
        facts: list[Part] = [(one_line(detail.row.custom_id, 120), "strong"), ("  ", "")]
        facts += outcome_parts(row.outcome)
        facts += describe_row(detail, self._shown)
        self._facts.update(content(facts), layout=False)
        self.request_reading = read_request(detail.request, as_json=self.as_json)
        self.answer_reading = read_attempt(attempt, as_json=self.as_json)
        self._request.show(self.request_reading)
        self._answer.show(self.answer_reading)
        self._answer.border_title = "Answer" if row.error is None else "Error"
        if len(attempts) > 1:
            order = " ".join(
                f"{'▸' if place == self._shown else ' '}{each.row.attempt} {each.row.outcome.value}"
                for place, each in enumerate(attempts)
            )
            self._answer.border_subtitle = f"attempts:{order}  (a)"
        else:
            self._answer.border_subtitle = ""
