"""The Review screen: one answer at a time beside its prompt, one key for each verdict."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple

import msgspec
from textual import events, work
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from tui.core import formatting
from tui.core.reviews.review import Review
from tui.core.rows import ANSWERED, RowDetail
from tui.core.text import one_line
from tui.engine.reviews.queue import ReviewQueue
from tui.errors import BatchdeckError, UnknownJobError
from tui.ui.commands.command_table import Scope, bindings
from tui.ui.commands.dispatch import CommandTarget
from tui.ui.dialogs.input import InputDialog
from tui.ui.dialogs.review import CorrectionDialog
from tui.ui.dialogs.text import ErrorDialog
from tui.ui.external_programs import show_text
from tui.ui.session import Session
from tui.ui.text.reviews import agreement_text, label_parts
from tui.ui.text.tones import Part, content
from tui.ui.widgets.compose_inputs import MAX_TEXT_LENGTH
from tui.ui.widgets.key_footer import SteadyFooter
from tui.ui.widgets.row_view import RowView

SIDE_BY_SIDE_WIDTH = 100
"""Terminal width from which prompt and answer are side by side."""

_VERDICT_KEYS = ("y", "n")
_LABEL_WIDTH = 16


class _Act(NamedTuple):
    """What was said in this session, to be undone: where, and the reviews after and before."""

    place: int
    review: Review
    before: Review | None
    was_done: bool


class ReviewScreen(CommandTarget, Screen[None]):
    """Shows the rows of a queue one after the other, and stores what the reviewer says.

    A verdict is on the disk before the next row is shown, so nothing is lost when the program is
    killed. The next row is read while the reviewer looks at this one.

    Args:
        session: The session.
        queue: The rows.
        name: The name of the job.
    """

    DEFAULT_CSS = """
    ReviewScreen #review-head, ReviewScreen #review-labels {
        height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis;
    }
    ReviewScreen.-many #review-labels { height: 2; }
    """
    SCOPE = Scope.REVIEW
    BINDINGS = bindings(Scope.REVIEW)

    def __init__(self, session: Session, queue: ReviewQueue, name: str) -> None:
        super().__init__()
        self._session = session
        self._queue = queue
        self._job_name = name
        self._reviews = session.engine.reviews
        self._own_labels = bool(self._reviews.config.labels)
        self._labels = self._reviews.labels
        self._acts: list[_Act] = []
        self._index = 0
        self._ahead: tuple[int, asyncio.Future[RowDetail]] | None = None
        self._agreement = ""
        self._head = Static("", id="review-head", markup=False)
        self._line = Static("", id="review-labels", markup=False)
        self.view = RowView(
            id="review-view", beside_from=SIDE_BY_SIDE_WIDTH, reviewer=queue.reviewer
        )
        self.detail: RowDetail | None = None
        """The row shown; ``None`` if it cannot be read."""

    def compose(self) -> ComposeResult:
        """The head, the labels, prompt and answer, and the footer."""
        yield self._head
        yield self._line
        yield self.view
        yield SteadyFooter()

    async def on_mount(self) -> None:
        """Show the first row that is open."""
        self.view.focus_answer()
        self._read_agreement()
        await self._show(self._queue.next_open() or 0)

    def on_unmount(self) -> None:
        """Forget the row that was read ahead."""
        if self._ahead is not None:
            self._ahead[1].cancel()

    def on_resize(self, event: events.Resize) -> None:
        """Draw the head for another width, and the labels on two lines if one is not enough."""
        needed = sum(min(len(label), _LABEL_WIDTH) + 4 for label in self._labels)
        self.set_class(needed > event.size.width - 2, "-many")
        self._draw()

    # The row shown

    async def _show(self, index: int) -> None:
        """Show the row at an index, and read the one that follows."""
        self._index = index
        try:
            detail = await self._reading(index)
        except UnknownJobError:
            self.app.notify("The job was deleted elsewhere", markup=False, severity="warning")
            self.dismiss(None)
            return
        except (BatchdeckError, OSError) as error:
            self.detail = None
            self.view.show(None)
            self.app.notify(str(error), markup=False, severity="error")
        else:
            self.detail = detail
            self.view.show(detail)
            await self.view.wait_until_shown()
        self._draw()
        follows = self._queue.next_open(index + 1)
        if follows is not None and follows != index:
            self._ahead = (follows, self._start_reading(follows))

    def _reading(self, index: int) -> asyncio.Future[RowDetail]:
        """The row at an index, which may be read already."""
        if self._ahead is not None:
            place, reading = self._ahead
            self._ahead = None
            if place == index:
                return reading
            reading.cancel()
        return self._start_reading(index)

    def _start_reading(self, index: int) -> asyncio.Future[RowDetail]:
        get = self._session.engine.history.rows.get
        reading = asyncio.ensure_future(
            asyncio.to_thread(get, self._queue.job_id, self._queue.seqs[index])
        )
        reading.add_done_callback(_see_error)
        return reading

    @property
    def _latest(self) -> Review | None:
        """What the reviewer has said about the row, maybe about an earlier attempt."""
        reviews = () if self.detail is None else self.detail.reviews
        return next((each for each in reviews if each.reviewer == self._queue.reviewer), None)

    @property
    def _own(self) -> Review | None:
        """What the reviewer has said about the answer shown."""
        review, detail = self._latest, self.detail
        if review is None or detail is None or not review.is_of(detail.row.batch_id):
            return None
        return review

    def _can_review(self) -> bool:
        if self.detail is not None and self.detail.row.outcome in ANSWERED:
            return True
        self.app.notify("This row has no answer: s goes on", markup=False, timeout=3)
        return False

    # Drawing

    def _draw(self) -> None:
        """Draw the head and the labels."""
        queue, short = self._queue, self.size.width < SIDE_BY_SIDE_WIDTH
        total = len(queue)
        parts: list[Part] = [(f"{self._index + 1:,}", "strong"), (f" of {total:,}", "muted")]
        parts += [(f" · {queue.done:,} done", "good" if not queue.open else "")]
        if queue.open and not short:
            parts.append((f" · {queue.open:,} left", "muted"))
        if queue.without_answer:
            words = "no answer" if short else "without an answer"
            parts.append((f" · {queue.without_answer:,} {words}", "warn"))
        parts.append((f" · {one_line(queue.reviewer, 12 if short else 30)}", "accent"))
        if self._agreement:
            parts.append((f" · {self._agreement}", "muted"))
        if not short:
            parts.append((f" · {one_line(self._job_name, 30)}", "muted"))
        self._head.update(content(parts), layout=False)
        self._line.update(content(self._label_line()), layout=False)

    def _label_line(self) -> list[Part]:
        """The labels with their keys, the one of this answer marked; or why there is none."""
        if self.detail is None:
            return [("This row cannot be read: s goes on", "bad")]
        if self.detail.row.outcome not in ANSWERED:
            return [("No answer to review: ", "warn"), ("s", "accent"), (" goes on", "muted")]
        own = self._own
        keys = [str(n) for n in range(1, 10)] if self._own_labels else list(_VERDICT_KEYS)
        parts: list[Part] = []
        for place, (key, label) in enumerate(zip(keys, self._labels, strict=False)):
            if place and place % self._per_line == 0:
                parts.append(("\n", ""))
            parts += [(key, "accent"), (" ", "")]
            if own is not None and own.label == label:
                ((shown, tone),) = label_parts(label)
                parts += [(f"[{one_line(shown, self._label_width)}]", tone), ("  ", "")]
            else:
                parts.append((f"{one_line(label, self._label_width)}  ", ""))
        if own is not None and own.label and own.label not in self._labels:
            parts += [*label_parts(own.label), ("  ", "")]
        if own is not None and own.correction is not None:
            parts.append(("corrected  ", "accent"))
        if own is not None and own.note:
            parts.append((f"note: {one_line(own.note, 60)}", "muted"))
        return parts

    @property
    def _per_line(self) -> int:
        """How many labels one line shows; two lines show all."""
        return (len(self._labels) + 1) // 2 if self.has_class("-many") else len(self._labels)

    @property
    def _label_width(self) -> int:
        """The width of a label."""
        room = (self.size.width - 2) // self._per_line - 5
        return max(3, min(_LABEL_WIDTH, room)) if self.has_class("-many") else _LABEL_WIDTH

    @work(group="agreement", exclusive=True, exit_on_error=False)
    async def _read_agreement(self) -> None:
        """Measure the agreement with the reviewer who has labelled most of the same answers."""
        find, reviewer = self._session.engine.history.reviews.agreements, self._queue.reviewer
        with suppress(UnknownJobError):
            found = await asyncio.to_thread(find, self._queue.job_id)
            own = [each for each in found if reviewer in each.reviewers]
            if own:
                most = max(own, key=lambda each: each.rows)
                short = self.size.width < SIDE_BY_SIDE_WIDTH
                self._agreement = agreement_text(most, reviewer, short=short)
                self._draw()

    # Commands

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys of labels that there are not."""
        if action == "verdict":
            return not self._own_labels
        if action == "label":
            return self._own_labels and int(str(parameters[0])) <= len(self._labels)
        return super().check_action(action, parameters)

    async def action_verdict(self, label: str) -> None:
        """Call the answer right or wrong, and go on."""
        await self._say(label)

    async def action_label(self, number: int) -> None:
        """Give the answer a label, and go on."""
        await self._say(self._labels[number - 1])

    async def _say(self, label: str) -> None:
        own = self._own
        note = "" if own is None else own.note
        correction = None if own is None else own.correction
        if await self._store(label, correction, note):
            await self._go_on()

    async def _store(self, label: str, correction: str | None, note: str) -> bool:
        """Store a review of the answer shown; ``False`` if that failed."""
        detail = self.detail
        if not self._can_review() or detail is None:
            return False
        act = _Act(
            self._index,
            self._reviews.make(
                detail, self._queue.reviewer, label=label, correction=correction, note=note
            ),
            self._latest,
            self._own is not None and bool(self._own.label),
        )
        if not await self._write(act.review, act.place, done=bool(label)):
            return False
        self._acts.append(act)
        self._note(act.review)
        return True

    async def _write(self, review: Review, place: int, *, done: bool) -> bool:
        try:
            await self._reviews.store(self._queue.job_id, review)
        except UnknownJobError:
            self.app.notify("The job was deleted elsewhere", markup=False, severity="warning")
            self.dismiss(None)
            return False
        except BatchdeckError as error:
            self._session.log.note(f"Review: {error.message}", bad=True)
            self.app.push_screen(ErrorDialog(error, "Storing a review"))
            return False
        self._queue.mark(place, done=done)
        self._read_agreement()
        return True

    def _note(self, review: Review) -> None:
        """Show a review that was stored with the row that is shown."""
        detail = self.detail
        if detail is None:
            return
        others = [each for each in detail.reviews if each.reviewer != review.reviewer]
        reviews = others if review.is_empty else [*others, review]
        self.detail = msgspec.structs.replace(detail, reviews=tuple(reviews))

    async def _go_on(self) -> None:
        """Show the next row that is open; stay if there is none."""
        follows = self._queue.next_open(self._index + 1)
        if follows is None:
            self.view.show(self.detail)
            self._draw()
            done = formatting.counted(self._queue.done, "answer")
            self.app.notify(f"All done: {done} reviewed. esc leaves.", markup=False)
            return
        if follows <= self._index:
            left = formatting.counted(self._queue.open, "skipped row")
            self.app.notify(f"End of the queue; now {left}", markup=False)
        await self._show(follows)

    async def action_skip(self) -> None:
        """Go on without a verdict."""
        follows = self._queue.next_open(self._index + 1)
        if follows is None or follows == self._index:
            follows = self._index + 1
            if follows >= len(self._queue):
                self.app.notify("No other row is left", markup=False, timeout=3)
                return
        await self._show(follows)

    async def action_previous_answer(self) -> None:
        """Go back to the row before, whether it is done or not."""
        if self._index:
            await self._show(self._index - 1)

    async def action_undo(self) -> None:
        """Undo the last act of this session, and show its row."""
        if not self._acts:
            self.app.notify("Nothing to undo in this session", markup=False, timeout=3)
            return
        act = self._acts[-1]
        undo = self._reviews.undone(act.review, act.before)
        if await self._write(undo, act.place, done=act.was_done):
            self._acts.pop()
            await self._show(act.place)

    @work(group="dialog", exit_on_error=False)
    async def action_correct(self) -> None:
        """Edit the answer; without labels of one's own, that says it is wrong, and goes on."""
        detail, own = self.detail, self._own
        if not self._can_review() or detail is None:
            return
        answer = await asyncio.to_thread(self._reviews.answer_of, detail)
        text = answer.text if own is None or own.correction is None else own.correction
        if len(text) > MAX_TEXT_LENGTH:
            words = f"The answer is too long to edit here: {len(text):,} characters"
            self.app.notify(words, markup=False, severity="warning")
            return
        remark = "" if self._own_labels else " Saving calls it wrong."
        dialog = CorrectionDialog(
            text,
            f"The original answer is kept.{remark}",
            is_json=answer.is_json,
            check=answer.problems,
        )
        edited = await self.app.push_screen_wait(dialog)
        if edited is None or edited == text:
            return
        correction = None if edited == answer.text else edited
        label, note = ("", "") if own is None else (own.label, own.note)
        if not self._own_labels and correction is not None:
            if await self._store("wrong", correction, note):
                await self._go_on()
        elif await self._store(label, correction, note):
            self.view.show(self.detail)
            self._draw()

    @work(group="dialog", exit_on_error=False)
    async def action_remark(self) -> None:
        """Write a note on the answer; an empty one removes it."""
        own = self._own
        if not self._can_review():
            return
        label, correction, note = (
            ("", None, "")
            if own is None
            else (
                own.label,
                own.correction,
                own.note,
            )
        )
        dialog = InputDialog("Note on this answer", "Exported with the review.", note)
        text = await self.app.push_screen_wait(dialog)
        if text is not None and text != note and await self._store(label, correction, text):
            self.view.show(self.detail)
            self._draw()

    def action_answer_json(self) -> None:
        """Toggle between text and raw JSON."""
        self.view.toggle_json()

    @work(group="outside", exit_on_error=False)
    async def action_answer_pager(self) -> None:
        """Open answer and prompt in the pager."""
        if text := await self.view.whole_text():
            show_text(self._session, "pager", text)

    def action_leave(self) -> None:
        """Leave; what was said is stored."""
        self.dismiss(None)


def _see_error(reading: asyncio.Future[RowDetail]) -> None:
    """Look at the error of a row that was read ahead and is not shown: it is not lost."""
    if not reading.cancelled():
        reading.exception()
