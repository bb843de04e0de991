"""A table or a text and a template: the form, what it makes of three rows, and what that costs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Button, Input, Static, TextArea

from tui.core.text import one_line, visible
from tui.errors import BatchdeckError
from tui.ui.composetext import count_parts, sketch_parts, trial_words
from tui.ui.messages import TryRequested
from tui.ui.screens.compose.reading import Reading
from tui.ui.screens.compose.step import Desk, Step
from tui.ui.screens.compose.writing import Writing
from tui.ui.templatetext import TemplateText
from tui.ui.tones import Part, content
from tui.ui.widgets.compose_form import TemplateForm
from tui.ui.widgets.compose_preview import PreviewPanel
from tui.ui.widgets.compose_table import TableOptions, TableReading
from tui.ui.widgets.compose_text import PlainArea, too_long_note

if TYPE_CHECKING:
    from tui.compose.sources.source import Source
    from tui.compose.template import Template
    from tui.engine.sketch import Sketch
    from tui.engine.trying import Trial

PAUSE = 0.15
"""Seconds without a key after which the preview is drawn anew."""

BESIDE_WIDTH = 108
"""Cells from which on the preview stands beside the form."""

TALL, TALLER = 26, 46
"""Lines of the step from which on the prompt has more of them."""


class TemplateStep(Step):
    """A template for a source, with a preview that follows every key.

    Args:
        desk: What the steps share.
        source: The rows.
        text: What stands in the form at first.
        place: What to open to read the rows otherwise.
    """

    DEFAULT_CSS = """
    TemplateStep #template-body { height: 1fr; layout: vertical; margin-top: 1; }
    TemplateStep #template-form { height: 3fr; width: 1fr; }
    TemplateStep #preview { height: 2fr; min-height: 5; }
    TemplateStep.-tried #template-form { height: 2fr; }
    TemplateStep.-tried #preview { height: 3fr; }
    TemplateStep.-wide #template-body { layout: horizontal; }
    TemplateStep.-wide #template-form { width: 1fr; height: 1fr; }
    TemplateStep.-wide #preview { width: 1fr; height: 1fr; margin-left: 2; }
    TemplateStep .step-buttons { margin-top: 0; }
    """

    def __init__(self, desk: Desk, source: Source, text: TemplateText, place: str = "") -> None:
        super().__init__(desk)
        self._reading = Reading(source, place, lambda: not self.is_attached)
        self._writing = Writing(self, self._say)
        self._first_text = text
        self._filled = False
        self._sketch: Sketch | None = None
        self._sketched = False
        self._generation = 0
        self._timer: Timer | None = None
        self._form = TemplateForm(source.columns, table=self._reading.found)
        self._panel = PreviewPanel(id="preview")
        self._figures = Static("", classes="step-line", id="sketch-figures", markup=False)

    def compose(self) -> ComposeResult:
        """Figures, form and preview, buttons."""
        yield self._figures
        with Container(id="template-body"):
            with Vertical(id="template-form"):
                yield self._form
            yield self._panel
        with Horizontal(classes="step-buttons"):
            yield Button("Submit…  S", id="do-submit", variant="primary", compact=True)
            yield Button("Check  ^r", id="do-check", compact=True)
            yield Button("Try  t", id="do-try_row", compact=True)
            yield Button("Next  ^g", id="do-next_preview", compact=True)
            yield Button("Templates  P", id="do-templates", compact=True)

    def on_mount(self) -> None:
        """Show what is known, and draw the first preview."""
        parts = count_parts(self._reading.source.count, exact=False)
        self._say([*parts, (" · reading", "live")])
        self._fill(self._first_text)
        self._ask_models()
        self._draw_buttons()

    def on_resize(self, event: events.Resize) -> None:
        """The preview beside the form where there is room."""
        self.set_class(event.size.width >= BESIDE_WIDTH, "-wide")
        self._form.set_class(event.size.height >= TALL, "-tall")
        self._form.set_class(event.size.height >= TALLER, "-taller")

    @property
    def text(self) -> TemplateText:
        """What stands in the form, or will when it is built."""
        return self._form.text if self._filled else self._first_text

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the source."""
        return self._reading.source.columns

    @property
    def sketch(self) -> Sketch | None:
        """What was drawn last, while it is what the form says."""
        return self._sketch

    def why_not(self, command_id: str) -> str:
        """Why a command is off."""
        if command_id in ("submit", "check", "templates") and self._writing.runs:
            return "The requests are being written: esc stops."
        if command_id in ("submit", "check") and self._sketched and self._sketch is None:
            return "The template cannot be used yet: the preview says why."
        if command_id in ("try_row", "edit_request", "next_preview") and self._sketch is None:
            return "There is no preview yet."
        return super().why_not(command_id)

    def focus_first(self) -> None:
        """To the prompt where it is empty, else to the button that goes on."""
        if self.text.user.strip():
            self.query_one("#do-submit", Button).focus()
        else:
            self._form.focus_first()

    def go_back(self) -> bool:
        """Stop the writing, or leave a field."""
        if self._writing.runs:
            self._writing.stop()
            return True
        if isinstance(self.screen.focused, Input | TextArea):
            self.query_one("#do-submit", Button).focus()
            return True
        return False

    def desk_changed(self) -> None:
        """Other prices and models."""
        self._ask_models()
        self._changed()

    def show_template(self, template: Template) -> None:
        """Fill the form from a template; a model that it does not name stays."""
        text = TemplateText.of(template)
        if not text.model:
            text = TemplateText.of(msgspec.structs.replace(template, model=self._form.text.model))
        self._fill(text)
        self.query_one("#do-submit", Button).focus()

    def _fill(self, text: TemplateText) -> None:
        """Fill the form in; what it posts itself would end here, at its sender."""
        self._form.show(text)
        self._filled = True
        self._changed()

    @work(group="models", exclusive=True, exit_on_error=False)
    async def _ask_models(self) -> None:
        """Complete the model by the provider's list; without an answer the field takes any."""
        engine, account = self.desk.engine, self.desk.account
        if engine is None:
            return
        used = [job.model for job in engine.history.jobs() if job.account == account and job.model]
        try:
            async with asyncio.timeout(15):
                models = await engine.models(account)
        except (BatchdeckError, TimeoutError):
            models = []
        if account != self.desk.account:
            return
        known = list(dict.fromkeys([*used[:5], *models]))
        self._form.suggest_models(known)
        if used[:1] or (self.desk.is_free and models):
            self._form.fill_model((used[:1] or models)[0])
            self._changed()

    @on(TemplateForm.Changed)
    def _changed(self, event: TemplateForm.Changed | None = None) -> None:
        if event is not None:
            event.stop()
        self._generation += 1
        if self._timer is not None:
            self._timer.stop()
        generation = self._generation
        self._timer = self.set_timer(PAUSE, lambda: self._draw(generation))

    @work(group="sketch", exclusive=True, exit_on_error=False)
    async def _draw(self, generation: int) -> None:
        engine = self.desk.engine
        if engine is None:
            return
        text = self._form.text
        try:
            book = await self._reading.looked()
            sketch = await engine.draw(book, text.template, account=self.desk.account)
        except BatchdeckError as error:
            if generation == self._generation:
                self._show_trouble(error, unfinished=not (text.user.strip() and text.model.strip()))
            return
        if generation == self._generation:
            self._show_sketch(sketch)

    def _show_trouble(self, error: BatchdeckError, *, unfinished: bool) -> None:
        self._sketch, self._sketched = None, True
        self.remove_class("-tried")
        self._panel.show_error(error, hint=unfinished)
        known = count_parts(self._reading.count, exact=self._reading.exact)
        self._say([*known, *self._notes()])
        self._draw_buttons()

    def _show_sketch(self, sketch: Sketch) -> None:
        self._sketch, self._sketched = sketch, True
        self._panel.show(sketch)
        self.set_class(self._panel.is_answered, "-tried")
        parts = sketch_parts(sketch, free=self.desk.is_free)
        if sketch.trouble:
            parts.append((f" · ✗ {one_line(sketch.trouble, 200)}", "bad"))
        self._say([*parts, *self._notes()])
        self._draw_buttons()

    def _notes(self) -> list[Part]:
        return [(f" · {one_line(note, 60)}", "muted") for note in self._reading.source.notes]

    def _say(self, parts: list[Part]) -> None:
        self._figures.update(content(parts))

    def _draw_buttons(self) -> None:
        # The others stay on, and say why not: a button that goes off under the keys loses them.
        for name in ("try_row", "next_preview"):
            self.query_one(f"#do-{name}", Button).disabled = bool(self.why_not(name))
        self.post_message(self.Redrawn())

    @on(PlainArea.TooLong)
    def _too_long(self, event: PlainArea.TooLong) -> None:
        event.stop()
        self.app.notify(too_long_note().plain, markup=False, severity="warning")

    def do_next_preview(self) -> None:
        """Show another of the three rows."""
        self._panel.next_row()
        self.remove_class("-tried")

    @work(group="dialog", exclusive=True, exit_on_error=False)
    async def do_templates(self) -> None:
        """Load a template into the form, or save what is in it under a name."""
        from tui.ui.screens.compose.handwork import choose_template

        await choose_template(self.app, self.desk, self)

    def do_next_kind(self) -> None:
        """Choose the next kind of request."""
        self._form.next_kind()

    def do_try_row(self) -> None:
        """Send the row that is shown at once, and show its answer beside it."""
        row = self._panel.row
        if row is None:
            return
        line = msgspec.json.encode(row.request)

        def done(answer: Trial | BatchdeckError) -> None:
            if not self.is_attached or self._panel.row is None:
                return
            if isinstance(answer, BatchdeckError):
                parts: list[Part] = [(visible(answer.message, newlines=True), "bad")]
                parts.append(("\n\n" + visible(answer.hint or "", newlines=True), "muted"))
                self._panel.show_answer(content(parts), "Error")
            else:
                self._panel.show_answer(trial_words(answer))

        self._panel.show_answer(content([("Asking …", "live")]))
        self.add_class("-tried")
        self.post_message(TryRequested(line, self.desk.account, done=done))

    def request(self) -> bytes:
        """The row that is shown, as a request line; empty without one."""
        row = self._panel.row
        return b"" if row is None else msgspec.json.encode(row.request)

    def do_check(self) -> None:
        """Write the requests, and show what a check says of them."""
        self._write(submit=False)

    def do_submit(self) -> None:
        """Write the requests, check them, and ask to send them."""
        self._write(submit=True)

    @work(group="compose", exclusive=True, exit_on_error=False)
    async def _write(self, *, submit: bool) -> None:
        engine = self.desk.engine
        if engine is None:
            return
        self.call_later(self._draw_buttons)
        made = await self._writing.run(engine, self._reading.source, self._form.text)
        if made is not None:
            self.post_message(self.Made(made, submit))
            self._changed()
        self._draw_buttons()

    @on(TableOptions.Changed)
    def _table_changed(self, event: TableOptions.Changed) -> None:
        event.stop()
        self._read_as(event.reading)

    @work(group="read-as", exclusive=True, exit_on_error=False)
    async def _read_as(self, reading: TableReading) -> None:
        """Read the table otherwise, and show its columns and rows."""
        if self.desk.engine is None:
            return
        self._say([("Reading the table …", "live")])
        await self._reading.read_as(self.desk.engine, reading)
        self._form.list_columns(self.columns)
        self._changed()
