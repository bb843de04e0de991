"""What a template makes of three rows, and beside it the answer to the one that was tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import Static

from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.ui.composetext import preview_head, request_words
from tui.ui.tones import Part, content
from tui.ui.widgets.text_page import TextPage

if TYPE_CHECKING:
    from tui.compose.preview import Preview
    from tui.engine.sketch import Sketch


class PreviewPanel(Vertical):
    """Three rows as they would be sent, one at a time; errors stand in their place."""

    DEFAULT_CSS = """
    PreviewPanel { height: 1fr; width: 1fr; }
    PreviewPanel #preview-head { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    PreviewPanel #preview-pages { height: 1fr; layout: horizontal; }
    PreviewPanel #preview-answer { display: none; }
    PreviewPanel.-answered #preview-answer { display: block; }
    PreviewPanel.-beside #preview-pages { layout: vertical; }
    """

    HINT: ClassVar[tuple[Part, ...]] = ()
    """What stands behind the names of the rows."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[Preview, ...] = ()
        self._place = 0
        self._head = Static("", id="preview-head", markup=False)
        self._request = TextPage("Request", "preview-request")
        self._answer = TextPage("Answer", "preview-answer")

    def compose(self) -> ComposeResult:
        """The rows' names, the request, the answer."""
        yield self._head
        with Container(id="preview-pages"):
            yield self._request
            yield self._answer

    def on_mount(self) -> None:
        """Say what a click does."""
        self._head.tooltip = "The first row, one at random, the longest: click for the next"

    def on_resize(self, event: events.Resize) -> None:
        """Answer below the request where the panel is high, beside it where it is flat."""
        self.set_class(event.size.height >= 18 and event.size.width < 110, "-beside")

    @property
    def row(self) -> Preview | None:
        """The row that is shown."""
        return self._rows[self._place] if self._place < len(self._rows) else None

    @property
    def is_answered(self) -> bool:
        """Is there an answer beside the request?"""
        return self.has_class("-answered")

    def show(self, sketch: Sketch) -> None:
        """Show other rows; the place among them stays."""
        before = self.row
        self._rows = sketch.rows
        self._place = min(self._place, max(0, len(self._rows) - 1))
        if before is None or self.row is None or before.request != self.row.request:
            self.remove_class("-answered")
        self._draw()

    def next_row(self) -> None:
        """Show the next of the rows."""
        if self._rows:
            self._place = (self._place + 1) % len(self._rows)
            self.remove_class("-answered")
            self._draw()

    def show_error(self, error: BatchdeckError, *, hint: bool = False) -> None:
        """Say why there is nothing to show; ``hint``: it is no mistake, only not finished."""
        self._rows = ()
        self.remove_class("-answered")
        self._head.update("")
        mark, tone = ("· ", "muted") if hint else ("✗ ", "bad")
        parts: list[Part] = [(mark + one_line(error.message, 400), tone)]  # type: ignore[list-item]
        if error.hint:
            parts.append(("\n\n" + one_line(error.hint, 600), "muted"))
        self._request.border_title = "Request"
        self._request.show_content(content(parts))

    def show_answer(self, shown: Content, title: str = "Answer") -> None:
        """Show what came back for the row."""
        self._answer.border_title = title
        self._answer.show_content(shown)
        self.add_class("-answered")

    def _draw(self) -> None:
        row = self.row
        if row is not None:
            self._head.update(content([*preview_head(self._rows, self._place), *self.HINT]))
            self._request.show_content(request_words(row))

    @on(events.Click, "#preview-head")
    def _head_clicked(self) -> None:
        self.next_row()
