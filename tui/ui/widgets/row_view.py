"""One row to read: the request beside what came back for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.widgets import Static

from tui.core.media import Medium, media_of_line
from tui.core.outcome import Outcome
from tui.core.rows import Attempt, RowDetail
from tui.core.schemas import Schema, SchemaError
from tui.core.text import one_line
from tui.core.verdicts import Judge, Judgement, Verdict
from tui.errors import BatchdeckError
from tui.ui import formatting
from tui.ui.failures import TellsFailures
from tui.ui.reading import Piece, Reading
from tui.ui.rowfacts import describe_attempts, describe_row
from tui.ui.rowtext import read_attempt, read_request, request_of
from tui.ui.status import outcome_parts
from tui.ui.tones import Part, content
from tui.ui.widgets.row_page import Cut, Page

BESIDE_WIDTH = 88
"""Cells from which on request and answer stand side by side."""

_LEAST_ID = 24
"""Characters of an id that are shown however little room there is."""

_SUBTITLES = {
    Outcome.TRUNCATED: "cut off: R asks for more tokens",
    Outcome.REFUSED: "declined: R changes the request",
}
"""What is said below an answer that is not all that was asked for."""

ReadRow = Callable[[], RowDetail | None]
"""Reads a row; called in a thread."""


@dataclass(frozen=True)
class _Wish:
    """What is to be shown next."""

    read: ReadRow
    shown: int
    as_json: bool


@dataclass(frozen=True)
class _Drawing:
    """All that is shown of one row, made in a thread."""

    detail: RowDetail
    shown: int
    request: Cut
    answer: Cut
    judgement: Judgement | None = None
    facts: tuple[Part, ...] = ()
    attempts: tuple[Part, ...] = field(default=())


class RowView(TellsFailures, Vertical):
    """The row under the cursor: a line of facts, its request, and its answer or error.

    Reading and cutting happen in a thread, one row at a time; of rows that were passed
    meanwhile only the last one is read.
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

    def __init__(self, *, id: str | None = None, now: Callable[[], float] = time.time) -> None:
        super().__init__(id=id)
        self.as_json = False
        self._now = now
        self._judge = (b"", Judge())
        self._detail: RowDetail | None = None
        self._drawing: _Drawing | None = None
        self._shown = 0
        self._wish: _Wish | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._request = Page("Request", "row-request")
        self._answer = Page("Answer", "row-answer")
        self._facts = Static("", id="row-facts", markup=False)
        self._place = Static("", id="row-place", markup=False)
        self._attempts = Static("", id="row-attempts", markup=False)
        self._attempts_told: tuple[Part, ...] = ()

    def compose(self) -> ComposeResult:
        """Facts above, request and answer below."""
        with Horizontal(id="row-head"):
            yield self._facts
            yield self._place
        yield self._attempts
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
    def answer_reading(self) -> Reading | None:
        """The answer that is shown."""
        return None if self._drawing is None else self._drawing.answer.reading

    @property
    def has_attempts(self) -> bool:
        """Was the row sent more than once?"""
        return self._detail is not None and len(self._detail.attempts) > 1

    def show(self, detail: RowDetail | None) -> None:
        """Show a row that was read already, with its newest outcome; nothing for ``None``."""
        self.read(None if detail is None else lambda: detail)

    def read(self, read: ReadRow | None) -> None:
        """Read a row and show it, with its newest outcome."""
        if read is None:
            self._wish = None
            self._take(None)
            return
        self._ask(read)

    def show_place(self, place: int, shown: int, total: int) -> None:
        """Tell where among the rows this one stands.

        Args:
            place: Its place among those shown, from 1.
            shown: Rows that the filter lets through.
            total: Rows of the job.
        """
        parts: list[Part] = [(f"{place:,}", "strong"), (f" of {shown:,}", "muted")]
        if shown != total:
            parts.append((f", {total:,} in all", "muted"))
        self._place.update(content(parts))

    async def settled(self) -> None:
        """Wait until what was asked for is shown."""
        await self._idle.wait()

    def toggle_json(self) -> None:
        """Words, or the JSON as it came."""
        self.as_json = not self.as_json
        self._draw_anew()

    def next_attempt(self) -> None:
        """Show the attempt before, and after the first one the newest again."""
        if self._detail is not None and self._detail.attempts:
            self._shown = (self._shown + 1) % len(self._detail.attempts)
            self._draw_anew()

    async def whole_text(self) -> str:
        """Answer and request, nothing left out; empty without a row."""
        await self.settled()
        drawing = self._drawing
        if drawing is None:
            return ""
        rule = "─" * 40

        def joined() -> str:
            answer, request = drawing.answer.reading.whole, drawing.request.reading.whole
            return f"{answer}\n\n{rule}\n{request}\n"

        return await asyncio.to_thread(joined)

    async def media(self) -> list[Medium]:
        """The images and sounds of the answer that is shown."""
        await self.settled()
        drawing = self._drawing
        if drawing is None or drawing.shown >= len(drawing.detail.attempts):
            return []
        line = drawing.detail.attempts[drawing.shown].line
        return await asyncio.to_thread(media_of_line, line)

    def focus_answer(self) -> None:
        """Let the keys scroll the answer."""
        self._answer.focus()

    def _draw_anew(self) -> None:
        if self._detail is not None:
            detail = self._detail
            self._ask(lambda: detail)

    def _ask(self, read: ReadRow) -> None:
        # One thread at a time: of rows that are passed quickly only the last one is read.
        self._wish = _Wish(read, self._shown, self.as_json)
        if self._idle.is_set():
            self._idle.clear()
            self.run_worker(self._carry_out(), group="row", exit_on_error=False)

    async def _carry_out(self) -> None:
        try:
            while (wish := self._wish) is not None:
                self._wish = None
                drawing = await asyncio.to_thread(self._made, wish, self._detail)
                if self._wish is None:
                    self._take(drawing)
        finally:
            self._idle.set()

    def _made(self, wish: _Wish, before: RowDetail | None) -> _Drawing | None:
        """Read and cut; in a thread."""
        try:
            detail = wish.read()
        except BatchdeckError as error:
            return None if before is None else self._unreadable(before, error)
        if detail is None:
            return None
        shown = wish.shown if _is_same_row(detail, before) else 0
        shown = shown if shown < max(1, len(detail.attempts)) else 0
        attempt = detail.attempts[shown] if shown < len(detail.attempts) else None
        sent = request_of(detail.request, detail.edits if attempt is None else attempt.edits)
        judgement = None
        if attempt is not None:
            judgement = self._judgement(detail.schema, attempt, sent)
        request = read_request(sent, as_json=wish.as_json)
        answer = read_attempt(attempt, as_json=wish.as_json, request=sent, judgement=judgement)
        row = detail.row if attempt is None else attempt.row
        id = one_line(detail.row.custom_id, max(_LEAST_ID, self.size.width // 3))
        facts: list[Part] = [(id, "strong"), ("  ", "")]
        facts += [*outcome_parts(row.outcome), *describe_row(detail, shown, judgement)]
        return _Drawing(
            detail=detail,
            shown=shown,
            request=Cut.of(request, self._request.text_width),
            answer=Cut.of(answer, self._answer.text_width),
            judgement=judgement,
            facts=tuple(facts),
            attempts=tuple(describe_attempts(detail, shown, self._moment)),
        )

    def _judgement(self, schema: bytes, attempt: Attempt, sent: bytes) -> Judgement:
        """Whether an answer has the form that was asked for; one thread at a time."""
        if schema != self._judge[0]:
            try:
                self._judge = (schema, Judge(Schema(schema)) if schema else Judge())
            except SchemaError as error:
                return Judgement(Verdict.UNUSABLE, (str(error),))
        return self._judge[1].judge(attempt.row.outcome, sent, attempt.line, attempt.style)

    def _unreadable(self, before: RowDetail, error: BatchdeckError) -> _Drawing:
        reading = Reading([Piece(error.message, "bad"), Piece(f"\n\n{error.hint}", "muted")])
        cut = Cut.of(reading, self._answer.text_width)
        return _Drawing(before, 0, Cut.of(Reading([]), 80), cut)

    def _moment(self, at: float) -> str:
        return formatting.moment(at, self._now())

    def _take(self, drawing: _Drawing | None) -> None:
        """Show what was made."""
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
            # Other rows of the job have changed: this one stays where it was scrolled to.
            self._detail = drawing.detail
            return
        self._detail, self._shown = drawing.detail, drawing.shown
        self._facts.update(content(drawing.facts), layout=False)
        if drawing.attempts != self._attempts_told:
            # The whole screen is laid out for it, which a row on the way has no time for.
            self._attempts_told = drawing.attempts
            self._attempts.update(content(drawing.attempts))
        self._attempts.display = bool(drawing.attempts)
        self._request.show(drawing.request)
        self._answer.show(drawing.answer)
        attempts = drawing.detail.attempts
        row = attempts[drawing.shown].row if attempts else drawing.detail.row
        self._answer.border_title = "Answer" if row.error is None else "Error"
        told = [_SUBTITLES.get(row.outcome, ""), "a: other attempts" if len(attempts) > 1 else ""]
        self._answer.border_subtitle = " · ".join(filter(None, told))


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
