"""A view of one row: its request and its answer or error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.widgets import Static

from tui.core import formatting
from tui.core.results.media import Medium, find_media_in_line
from tui.core.results.schema import AnswerChecker, CheckedAnswer, Schema, SchemaError, SchemaResult
from tui.core.reviews.review import Review
from tui.core.rows import Attempt, Outcome, RowDetail
from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.ui.commands.dispatch import ShowsWorkerErrors
from tui.ui.text import rows
from tui.ui.text.paged import PagedText, Piece
from tui.ui.text.reviews import review_facts, review_pieces
from tui.ui.text.status import outcome_parts
from tui.ui.text.tones import Part, content
from tui.ui.widgets.text_page import Page, WrappedText

SIDE_BY_SIDE_WIDTH = 88
"""Width in cells from which request and answer are side by side."""

_MIN_ID = 24
"""Minimum number of characters of an id that are shown."""

_SUBTITLES = {
    Outcome.TRUNCATED: "cut off: R retries with more tokens",
    Outcome.REFUSED: "refused: R edits the request",
}
"""Hints below answers that are incomplete."""

ReadRow = Callable[[], RowDetail | None]
"""Reads a row; called in a thread."""


@dataclass(frozen=True)
class _Request:
    """The row to show next, and how."""

    read: ReadRow
    shown: int
    as_json: bool
    subject: str


@dataclass(frozen=True)
class _Drawing:
    """Everything shown for one row, created in a thread."""

    detail: RowDetail
    shown: int
    request: WrappedText
    answer: WrappedText
    judgement: CheckedAnswer | None = None
    facts: tuple[Part, ...] = ()
    attempts: tuple[Part, ...] = field(default=())


class RowView(ShowsWorkerErrors, Vertical):
    """The row under the cursor: a line of facts, its request, and its answer or error.

    Rows are read and wrapped in a thread, one at a time; when the cursor moves on meanwhile,
    only the newest row is read next.

    Args:
        id: The id of the widget.
        now: The clock, in Unix seconds.
        beside_from: Width in cells from which request and answer are side by side.
        reviewer: Show the reviews of this reviewer alone, so that others do not influence them.
    """

    DEFAULT_CSS = """
    RowView { height: 1fr; }
    RowView #row-head { height: 1; padding: 0 1; }
    RowView #row-facts { width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    RowView #row-place { width: auto; padding-left: 2; display: none; }
    RowView #row-attempts {
        height: auto; max-height: 4; text-wrap: nowrap; text-overflow: ellipsis; padding: 0 1;
        display: none;
    }
    RowView #row-pages { height: 1fr; layout: vertical; }
    RowView #row-answer { height: 1fr; }
    RowView.-beside #row-pages { layout: horizontal; }
    RowView.-beside #row-answer { height: 1fr; width: 3fr; }
    RowView.-beside #row-request { width: 2fr; }
    """

    def __init__(
        self,
        *,
        id: str | None = None,
        now: Callable[[], float] = time.time,
        beside_from: int = SIDE_BY_SIDE_WIDTH,
        reviewer: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._beside_from = beside_from
        self._reviewer = reviewer
        self.as_json = False
        self._now = now
        self._judge = (b"", AnswerChecker())
        self._detail: RowDetail | None = None
        self._drawing: _Drawing | None = None
        self._shown = 0
        self._subject = rows.THIS_ROW
        self._pending: _Request | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._request = Page("Request", "row-request")
        self._answer = Page("Answer", "row-answer")
        self._facts = Static("", id="row-facts", markup=False)
        self._place = Static("", id="row-place", markup=False)
        self._attempts = Static("", id="row-attempts", markup=False)
        self._attempts_shown: tuple[Part, ...] = ()

    def compose(self) -> ComposeResult:
        """The facts, the attempts, the request and the answer."""
        with Horizontal(id="row-head"):
            yield self._facts
            yield self._place
        yield self._attempts
        with Container(id="row-pages"):
            yield self._request
            yield self._answer

    def on_resize(self, event: events.Resize) -> None:
        """Lay out request and answer side by side if the view is wide enough."""
        self.set_class(event.size.width >= self._beside_from, "-beside")

    @property
    def detail(self) -> RowDetail | None:
        """The row shown."""
        return self._detail

    @property
    def answer_reading(self) -> PagedText | None:
        """The answer shown."""
        return None if self._drawing is None else self._drawing.answer.reading

    @property
    def has_attempts(self) -> bool:
        """Whether the row was sent more than once."""
        return self._detail is not None and len(self._detail.attempts) > 1

    def show(self, detail: RowDetail | None) -> None:
        """Show a loaded row with its newest attempt; ``None`` clears the view."""
        self.read(None if detail is None else lambda: detail)

    def read(self, read: ReadRow | None) -> None:
        """Read a row and show it with its newest attempt; ``None`` clears the view."""
        if read is None:
            self._pending = None
            self._show_drawing(None)
            return
        self._request_row(read)

    def show_position(self, place: int, shown: int, total: int) -> None:
        """Show the position of the row.

        Args:
            place: Its position among the rows shown, from 1.
            shown: Number of rows that match the filter.
            total: Number of rows of the job.
        """
        parts: list[Part] = [(f"{place:,}", "strong"), (f" of {shown:,}", "muted")]
        if shown != total:
            parts.append((f", {total:,} in total", "muted"))
        self._place.update(content(parts))

    def show_subject(self, subject: str) -> None:
        """Set the rows that a retry takes here, such as ``this row``, for the advice on errors."""
        if subject != self._subject:
            self._subject = subject
            self._redraw()

    async def wait_until_shown(self) -> None:
        """Wait until the requested row is shown."""
        await self._idle.wait()

    def toggle_json(self) -> None:
        """Toggle between text and raw JSON."""
        self.as_json = not self.as_json
        self._redraw()

    def next_attempt(self) -> None:
        """Show the previous attempt; after the first one, the newest again."""
        if self._detail is not None and self._detail.attempts:
            self._shown = (self._shown + 1) % len(self._detail.attempts)
            self._redraw()

    async def whole_text(self) -> str:
        """Return the full answer and request as text; empty without a row."""
        await self.wait_until_shown()
        drawing = self._drawing
        if drawing is None:
            return ""
        rule = "─" * 40

        def joined() -> str:
            answer, request = drawing.answer.reading.whole, drawing.request.reading.whole
            return f"{answer}\n\n{rule}\n{request}\n"

        return await asyncio.to_thread(joined)

    async def media(self) -> list[Medium]:
        """Return the images and audio of the answer shown."""
        await self.wait_until_shown()
        drawing = self._drawing
        if drawing is None or drawing.shown >= len(drawing.detail.attempts):
            return []
        line = drawing.detail.attempts[drawing.shown].line
        return await asyncio.to_thread(find_media_in_line, line)

    def focus_answer(self) -> None:
        """Focus the answer."""
        self._answer.focus()

    def _redraw(self) -> None:
        if self._detail is not None:
            detail = self._detail
            self._request_row(lambda: detail)

    def _request_row(self, read: ReadRow) -> None:
        # One thread at a time: only the newest of several requested rows is read.
        self._pending = _Request(read, self._shown, self.as_json, self._subject)
        if self._idle.is_set():
            self._idle.clear()
            self.run_worker(self._read_pending(), group="row", exit_on_error=False)

    async def _read_pending(self) -> None:
        try:
            while (request := self._pending) is not None:
                self._pending = None
                drawing = await asyncio.to_thread(self._make_drawing, request, self._detail)
                if self._pending is None:
                    self._show_drawing(drawing)
        finally:
            self._idle.set()

    def _make_drawing(self, pending: _Request, before: RowDetail | None) -> _Drawing | None:
        """Read and wrap a row, in a thread."""
        try:
            detail = pending.read()
        except BatchdeckError as error:
            return None if before is None else self._unreadable(before, error)
        if detail is None:
            return None
        shown = pending.shown if _is_same_row(detail, before) else 0
        shown = shown if shown < max(1, len(detail.attempts)) else 0
        attempt = detail.attempts[shown] if shown < len(detail.attempts) else None
        sent = rows.sent_request(detail.request, detail.edits if attempt is None else attempt.edits)
        judgement = None
        if attempt is not None:
            judgement = self._judgement(detail.schema, attempt, sent)
        request = rows.read_request(sent, as_json=pending.as_json)
        answer = rows.read_attempt(
            attempt,
            as_json=pending.as_json,
            request=sent,
            judgement=judgement,
            subject=pending.subject,
        )
        row = detail.row if attempt is None else attempt.row
        id = one_line(detail.row.custom_id, max(_MIN_ID, self.size.width // 3))
        facts: list[Part] = [(id, "strong"), ("  ", "")]
        reviews = self._reviews(detail)
        facts += [*outcome_parts(row.outcome), *review_facts(reviews, row.batch_id)]
        facts += rows.describe_row(detail, shown, judgement)
        if above := review_pieces(reviews, row.batch_id):
            answer = PagedText([*above, *answer.pieces], answer.suffix)
        return _Drawing(
            detail=detail,
            shown=shown,
            request=WrappedText.of(request, self._request.text_width),
            answer=WrappedText.of(answer, self._answer.text_width),
            judgement=judgement,
            facts=tuple(facts),
            attempts=tuple(rows.describe_attempts(detail, shown, self._moment)),
        )

    def _reviews(self, detail: RowDetail) -> list[Review]:
        """The reviews of a row that are shown."""
        return [each for each in detail.reviews if self._reviewer in (None, each.reviewer)]

    def _judgement(self, schema: bytes, attempt: Attempt, sent: bytes) -> CheckedAnswer:
        """Check an answer against its schema; called from one thread at a time."""
        if schema != self._judge[0]:
            try:
                self._judge = (schema, AnswerChecker(Schema(schema)) if schema else AnswerChecker())
            except SchemaError as error:
                return CheckedAnswer(SchemaResult.UNUSABLE, (str(error),))
        return self._judge[1].judge(attempt.row.outcome, sent, attempt.line, attempt.style)

    def _unreadable(self, before: RowDetail, error: BatchdeckError) -> _Drawing:
        reading = PagedText([Piece(error.message, "bad"), Piece(f"\n\n{error.hint}", "muted")])
        cut = WrappedText.of(reading, self._answer.text_width)
        return _Drawing(before, 0, WrappedText.of(PagedText([]), 80), cut)

    def _moment(self, at: float) -> str:
        return formatting.moment(at, self._now())

    def _show_drawing(self, drawing: _Drawing | None) -> None:
        """Show a drawing."""
        before = self._drawing
        self._drawing = drawing
        if drawing is None:
            self._detail = None
            self._shown = 0
            self._facts.update("")
            self._attempts.display = False
            self._request.show(None)
            self._answer.show(None)
            return
        same = before is not None and _is_same_row(drawing.detail, before.detail)
        if same and before is not None and _looks_alike(drawing, before):
            # Nothing visible has changed: keep the scroll position.
            self._detail = drawing.detail
            return
        self._detail, self._shown = drawing.detail, drawing.shown
        self._facts.update(content(drawing.facts), layout=False)
        if drawing.attempts != self._attempts_shown:
            # This lays out the whole screen, which is too slow for every row.
            self._attempts_shown = drawing.attempts
            self._attempts.update(content(drawing.attempts))
        self._attempts.display = bool(drawing.attempts)
        self._request.show(drawing.request)
        self._answer.show(drawing.answer)
        attempts = drawing.detail.attempts
        row = attempts[drawing.shown].row if attempts else drawing.detail.row
        self._answer.border_title = "Answer" if row.error is None else "Error"
        hints = [_SUBTITLES.get(row.outcome, ""), "a: other attempts" if len(attempts) > 1 else ""]
        self._answer.border_subtitle = " · ".join(filter(None, hints))


def _is_same_row(detail: RowDetail, other: RowDetail | None) -> bool:
    return other is not None and (detail.row.seq, detail.row.custom_id) == (
        other.row.seq,
        other.row.custom_id,
    )


def _looks_alike(drawing: _Drawing, other: _Drawing) -> bool:
    return (
        drawing.detail == other.detail
        and drawing.shown == other.shown
        and drawing.judgement == other.judgement
        and drawing.request.reading.pieces == other.request.reading.pieces
        and drawing.answer.reading.pieces == other.answer.reading.pieces
    )
