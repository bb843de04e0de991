"""The template step: a form over the rows of a source, with a preview of its requests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.cells import cell_len
from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Button, Input, Static, TextArea

from tui.compose.build import BuildReport
from tui.compose.preview import ComposePreview, Previewer
from tui.compose.sources.base import Source
from tui.compose.templates.model import Template
from tui.compose.templates.saved import save_template
from tui.core.formatting import counted
from tui.core.text import one_line
from tui.engine.engine import Engine
from tui.engine.try_request import TryResult
from tui.errors import BatchdeckError
from tui.progress import Progress
from tui.ui.dialogs.templates import TemplatesDialog
from tui.ui.drafts import Draft
from tui.ui.models.template_form import TemplateFields
from tui.ui.panes.compose.check import CheckStep
from tui.ui.panes.compose.experiment import (
    ExperimentChoice,
    ExperimentDialog,
    free_experiment_name,
    price_parts,
)
from tui.ui.panes.compose.request import RequestStep, RequestTarget, line_too_long
from tui.ui.panes.compose.steps import ComposeContext, Step, place_of
from tui.ui.text.compose import check_error, count_parts, preview_parts, progress_parts, trial_text
from tui.ui.text.tones import Part, content, error_parts
from tui.ui.widgets.compose_inputs import PreviewPanel, TableFormat, TableOptions
from tui.ui.widgets.template_form import TemplateForm


class SourceRows:
    """A source and the rows for its preview.

    Args:
        source: The source as first opened.
        place: The path to reopen it with another table format; empty if that is not possible.
    """

    def __init__(self, source: Source, place: str) -> None:
        self.source = source
        self._place = place
        self._previewer: Previewer | None = None
        self._error: BatchdeckError | None = None

    @property
    def found(self) -> tuple[str, ...]:
        """The detected table format, if the user may override it."""
        return self.source.notes if self._place and self.source.delimited else ()

    @property
    def count(self) -> int | None:
        """The approximate number of rows; ``None`` if unknown."""
        return self.source.count if self._previewer is None else self._previewer.count

    @property
    def exact(self) -> bool:
        """Whether ``count`` is exact."""
        if self._previewer is None:
            return self.source.exact
        return self._previewer.exact

    def previewer(self) -> Previewer:
        """The previewer of the source; it reads the rows once, whatever is typed meanwhile.

        Raises:
            BatchdeckError: The table could not be reopened with another format.
        """
        if self._error is not None:
            raise self._error
        if self._previewer is None:
            self._previewer = Previewer(self.source)
        return self._previewer

    async def read_as(self, engine: Engine, reading: TableFormat) -> None:
        """Reopen the table with another format; ``previewer`` raises if that failed."""
        try:
            source = await engine.requests.open_source(
                self._place,
                delimiter=reading.delimiter,
                encoding=reading.encoding,
                header=reading.header,
                quoting=reading.quoting,
                fresh=False,
            )
        except BatchdeckError as error:
            self._error = error
            return
        self.source, self._error = source, None
        self._previewer = None


PREVIEW_DELAY = 0.15
"""Seconds without a key before the preview is updated."""

SIDE_BY_SIDE_WIDTH = 108
"""Width in cells from which form and preview are side by side."""

_LONGEST_WORD = 20
"""Cells at the end of a line that wrapped words may leave blank."""

TALL, TALLER = 30, 46
"""Height of the step in lines from which the fields have lines between them, and from which the
system prompt is taller; the prompt takes what is left."""


class TemplateStep(Step):
    """Edits a template for a source, with a live preview.

    Args:
        context: The shared context of the steps.
        source: The source of the rows.
        text: The initial content of the form.
        draft: What was typed for the same source before.
        place: The path to reopen the source with another table format.
    """

    DEFAULT_CSS = """
    TemplateStep #template-body { height: 1fr; layout: vertical; }
    TemplateStep #sketch-figures { height: 2; text-wrap: wrap; }
    TemplateStep #template-form { height: 3fr; width: 1fr; }
    TemplateStep #preview { height: 2fr; min-height: 5; }
    TemplateStep.-tried #template-form { height: 2fr; }
    TemplateStep.-tried #preview { height: 3fr; }
    TemplateStep.-wide #template-body { layout: horizontal; }
    TemplateStep.-wide #template-form { width: 1fr; height: 1fr; }
    TemplateStep.-wide #preview { width: 1fr; height: 1fr; margin-left: 2; }
    TemplateStep .step-buttons { margin-top: 0; }
    TemplateStep #do-make_experiment { display: none; }
    TemplateStep.-wide #do-make_experiment { display: block; }
    """

    def __init__(
        self,
        context: ComposeContext,
        source: Source,
        text: TemplateFields,
        place: str = "",
        *,
        draft: Draft | None = None,
    ) -> None:
        super().__init__(context)
        self._place = place_of(place)
        self._pristine = text
        if draft is not None and draft.fields is not None:
            text = draft.fields
        self._reading = SourceRows(source, place)
        self._writing: Progress | None = None
        self._first_text = text
        self._filled = False
        self._experiment: ExperimentChoice | None = None
        self._models: list[str] = []
        self._sketch: ComposePreview | None = None
        self._sketched = False
        self._generation = 0
        self._timer: Timer | None = None
        self._form = TemplateForm(source.columns, table=self._reading.found)
        self._panel = PreviewPanel(id="preview")
        self._figures = Static("", classes="step-line", id="sketch-figures", markup=False)

    def compose(self) -> ComposeResult:
        """The figures, the form, the preview and the buttons."""
        if alternatives := self._reading.source.alternatives:
            said = content([(f"{alternatives}.", "muted")])
            yield Static(said, classes="step-line", id="alternatives", markup=False)
        # Two lines: in 80 columns a warning needs the second, which is otherwise the distance.
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
            yield Button("Experiment  X", id="do-make_experiment", compact=True)

    def on_mount(self) -> None:
        """Fill the form and start the first preview."""
        parts = count_parts(self._reading.source.count, exact=self._reading.exact)
        self._show_figures([*parts, (" · loading", "live")])
        self._fill(self._first_text)
        if self._first_text == self._pristine:
            self._pristine = self._form.text
        self._load_models()
        self._update_buttons()

    def on_resize(self, event: events.Resize) -> None:
        """Adapt the layout to the size."""
        self.set_class(event.size.width >= SIDE_BY_SIDE_WIDTH, "-wide")
        self._form.set_class(event.size.height >= TALL, "-tall")
        self._form.set_class(event.size.height >= TALLER, "-taller")

    @property
    def text(self) -> TemplateFields:
        """The content of the form; before it is filled, the initial content."""
        return self._form.text if self._filled else self._first_text

    @property
    def draft(self) -> Draft | None:
        """The form, if anything was typed in it, and its source can be opened again."""
        if not self._place or not self._filled or self.text == self._pristine:
            return None
        context = self.context
        return Draft(self._place, fields=self.text, account=context.account, name=context.name)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the source."""
        return self._reading.source.columns

    @property
    def sketch(self) -> ComposePreview | None:
        """The preview of the current content; ``None`` if it cannot be rendered."""
        return self._sketch

    def why_disabled(self, command_id: str) -> str:
        """Why a command is unavailable."""
        if command_id == "make_experiment" and not self._filled:
            return "The form is not open yet."
        if command_id in ("submit", "check", "templates") and self._writing is not None:
            return "The requests are being written. Press esc to stop."
        if command_id in ("submit", "check") and self._sketched and self._sketch is None:
            return "The template is not valid yet. See the preview."
        if command_id in ("try_row", "edit_request", "next_preview") and self._sketch is None:
            return "No preview yet."
        return super().why_disabled(command_id)

    def focus_first(self) -> None:
        """Focus the prompt if it is empty, else the Submit button."""
        if self.text.user.strip():
            self.query_one("#do-submit", Button).focus()
        else:
            self._form.focus_first()

    def go_back(self) -> bool:
        """Stop writing, or leave a field."""
        if self._writing is not None:
            self._writing.stop()
            return True
        if isinstance(self.screen.focused, Input | TextArea):
            self.query_one("#do-submit", Button).focus()
            return True
        return False

    def context_changed(self) -> None:
        """Update models and cost for another account."""
        self._load_models()
        self._changed()

    def show_template(self, template: Template) -> None:
        """Fill the form from a template; keeps the model and the column of ids if it has none."""
        now = self._form.text
        kept = msgspec.structs.replace(
            template, model=template.model or now.model, id=template.id or now.id
        )
        self._fill(TemplateFields.of(kept))
        self.query_one("#do-submit", Button).focus()

    def _fill(self, text: TemplateFields) -> None:
        """Fill the form and update the preview."""
        self._form.show(text)
        self._filled = True
        self._changed()

    @work(group="models", exclusive=True, exit_on_error=False)
    async def _load_models(self) -> None:
        """Complete the model field from past jobs and the provider's list, if it can be loaded."""
        engine, account = self.context.engine, self.context.account
        jobs = engine.history.jobs.list()
        used = [job.model for job in jobs if job.account == account and job.model]
        try:
            models = await engine.accounts.models(account)
        except BatchdeckError:
            models = []
        if account != self.context.account:
            return
        names = list(dict.fromkeys([*used[:5], *models]))
        self._models = names
        self._form.suggest_models(names)
        if used[:1] or (self.context.is_free and models):
            pristine = self.draft is None
            self._form.set_default_model((used[:1] or models)[0])
            if pristine:
                # A model that nobody typed is no draft.
                self._pristine = self._form.text
            self._changed()

    @on(TemplateForm.Changed)
    def _changed(self, event: TemplateForm.Changed | None = None) -> None:
        if event is not None:
            event.stop()
        self._generation += 1
        if self._timer is not None:
            self._timer.stop()
        generation = self._generation
        self._timer = self.set_timer(PREVIEW_DELAY, lambda: self._update_preview(generation))

    @work(group="sketch", exclusive=True, exit_on_error=False)
    async def _update_preview(self, generation: int) -> None:
        text = self._form.text
        try:
            sketch = await self.context.engine.requests.update_preview(
                self._reading.previewer(), text.template, account=self.context.account
            )
        except BatchdeckError as error:
            if generation == self._generation:
                self._show_error(error, unfinished=not (text.user.strip() and text.model.strip()))
            return
        if generation == self._generation:
            self._show_sketch(sketch)
            self._read_on()

    @work(group="read-on", exclusive=True, exit_on_error=False)
    async def _read_on(self) -> None:
        """Count a long source to its end, then show the figures of all its rows."""
        previewer = self._reading.previewer()
        if previewer.is_whole:
            return
        try:
            await self.context.engine.requests.read_whole(previewer)
        except BatchdeckError:
            # The same error is shown when the requests are made.
            return
        self._update_preview(self._generation)

    def _show_error(self, error: BatchdeckError, *, unfinished: bool) -> None:
        self._sketch, self._sketched = None, True
        self.remove_class("-tried")
        self._panel.show_error(error, hint=unfinished)
        rows = count_parts(self._reading.count, exact=self._reading.exact)
        self._show_figures([*rows, *self._notes(rows)])
        self._update_buttons()

    def _show_sketch(self, sketch: ComposePreview) -> None:
        self._sketch, self._sketched = sketch, True
        self._panel.show(sketch)
        self.set_class(self._panel.is_answered, "-tried")
        parts = preview_parts(sketch, free=self.context.is_free)
        if sketch.trouble:
            parts.append((f" · ✗ {one_line(sketch.trouble, 200)}", "bad"))
        if self._experiment is not None:
            self._price_experiment(self._experiment)
        else:
            self._show_figures([*parts, *self._notes(parts)])
        self._update_buttons()

    def _notes(self, figures: Sequence[Part]) -> list[Part]:
        """What is doubtful about the table, and how it was read if there is room left for it."""
        source = self._reading.source
        doubts = (*source.doubts, *source.late_doubts())
        parts: list[Part] = [(f" · ! {one_line(doubt, 160)}", "warn") for doubt in doubts]
        notes: list[Part] = [(f" · {one_line(note, 60)}", "muted") for note in source.notes]
        cells = sum(cell_len(text) for text, _ in (*figures, *parts, *notes))
        lines = 2 if doubts else 1
        # The form has them, too. The end of a line that is wrapped stays blank.
        room = lines * self._figures.size.width - (lines - 1) * _LONGEST_WORD
        return parts + notes if cells <= room else parts

    def _show_figures(self, parts: list[Part]) -> None:
        self._figures.update(content(parts))

    def _update_buttons(self) -> None:
        # The others stay enabled: disabling a focused button loses the focus.
        self.update_buttons("try_row", "next_preview")

    def do_next_preview(self) -> None:
        """Show the next of the three rows."""
        self._panel.next_row()
        self.remove_class("-tried")

    @work(group="dialog", exclusive=True, exit_on_error=False)
    async def do_templates(self) -> None:
        """Load a template into the form, or save the current one under a name."""
        folder = self.context.engine.paths.templates
        dialog = TemplatesDialog(folder, self.text.rest.name)
        answer = await self.app.push_screen_wait(dialog)
        if answer is None:
            return
        if answer.template is not None:
            self.show_template(answer.template)
            return
        try:
            template = await asyncio.to_thread(self.text.template)
            named = msgspec.structs.replace(template, name=answer.save_name)
            path = await asyncio.to_thread(save_template, named, folder)
        except BatchdeckError as error:
            words = one_line(f"{error.message}. {error.hint or ''}", 300)
            self.notify(words, markup=False, severity="warning")
        else:
            self.notify(f"Saved as {one_line(path.name, 60)}", markup=False)

    def do_next_kind(self) -> None:
        """Select the next template kind."""
        self._form.next_kind()

    def do_try_row(self) -> None:
        """Send the row shown now, and show its answer."""
        row = self._panel.row
        if row is None:
            return
        line = msgspec.json.encode(row.request)

        def done(answer: TryResult | BatchdeckError) -> None:
            if not self.is_attached or self._panel.row is None:
                return
            if isinstance(answer, BatchdeckError):
                self._panel.show_answer(content(error_parts(answer, "\n\n")), "Error")
            else:
                self._panel.show_answer(trial_text(answer))

        self._panel.show_answer(content([("Waiting for the answer …", "live")]))
        self.add_class("-tried")
        self.context.session.tasks.try_row(line, self.context.account, done)

    def request(self) -> bytes:
        """The row shown, as a request line; empty without one."""
        row = self._panel.row
        return b"" if row is None else msgspec.json.encode(row.request)

    def do_check(self) -> None:
        """Write the requests and check them."""
        self._write(submit=False)

    def do_submit(self) -> None:
        """Write the requests, check them, and ask to submit them."""
        if self._experiment is None:
            self._write(submit=True)
        else:
            self._submit_experiment(self._experiment)

    # Several models and templates

    @work(group="dialog", exclusive=True, exit_on_error=False)
    async def do_make_experiment(self) -> None:
        """Choose several models and templates, or go back to those of the form."""
        text = self._form.text
        engine = self.context.engine
        chosen = self._experiment or ExperimentChoice(
            name=free_experiment_name(
                self.context.name, await asyncio.to_thread(engine.history.jobs.experiments)
            ),
            models=(text.model,) if text.model else (),
        )
        models = list(dict.fromkeys([*chosen.models, text.model, *self._models]))
        dialog = ExperimentDialog(
            chosen, list(filter(None, models)), text.rest.name, engine.paths.templates
        )
        answer = await self.app.push_screen_wait(dialog)
        if answer is not None:
            self._experiment = answer if answer.jobs > 1 else None
            self._changed()

    @work(group="experiment-price", exclusive=True, exit_on_error=False)
    async def _price_experiment(self, chosen: ExperimentChoice) -> None:
        engine, previewer = self.context.engine, self._reading.previewer()
        try:
            price = await engine.experiments.preview(
                previewer,
                self._reading.source.ids,
                await asyncio.to_thread(chosen.all_templates, self._form.text.template),
                chosen.models,
                account=self.context.account,
            )
        except BatchdeckError as error:
            self._show_figures(check_error(error))
        else:
            self._show_figures(price_parts(chosen, price))

    @work(group="compose", exclusive=True, exit_on_error=False)
    async def _submit_experiment(self, chosen: ExperimentChoice) -> None:
        try:
            templates = await asyncio.to_thread(chosen.all_templates, self._form.text.template)
        except BatchdeckError as error:
            self._show_figures(check_error(error))
            return
        self.context.session.tasks.submit_experiment(
            self._reading.source,
            chosen.name,
            templates,
            chosen.models,
            account=self.context.account,
            window=self.context.window,
        )

    @work(group="compose", exclusive=True, exit_on_error=False)
    async def _write(self, *, submit: bool) -> None:
        source, text = self._reading.source, self._form.text
        self._writing = progress = Progress(self._draw_writing)
        self._draw_writing(0, source.count)
        self.call_later(self._update_buttons)
        try:
            template = await asyncio.to_thread(text.template)
            report = await self.context.engine.requests.compose(source, template, progress=progress)
        except BatchdeckError as error:
            self._show_figures(check_error(error))
        else:
            self._note_changed_ids(report)
            self.post_message(self.FileWritten(Path(report.path), submit))
            self._changed()
        finally:
            self._writing = None
        self._update_buttons()

    def _draw_writing(self, done: int, total: int | None) -> None:
        self._show_figures(progress_parts("Writing requests", done, total))

    def _note_changed_ids(self, report: BuildReport) -> None:
        """Tell the user if ids had to be changed."""
        ids = report.ids
        if ids.changed:
            old, new = (one_line(id, 24) for id in ids.examples[0]) if ids.examples else "--"
            count = counted(ids.changed, "id")
            words = f"{count} changed to be valid and unique, e.g. {old!r} to {new!r}"
            self.notify(words, markup=False)

    @on(TableOptions.Changed)
    def _table_changed(self, event: TableOptions.Changed) -> None:
        event.stop()
        self._read_as(event.reading)

    @work(group="read-as", exclusive=True, exit_on_error=False)
    async def _read_as(self, reading: TableFormat) -> None:
        """Read the table with another format, and show its columns and rows."""
        self._show_figures([("Loading the table …", "live")])
        await self._reading.read_as(self.context.engine, reading)
        self._form.list_columns(self.columns)
        self._changed()


async def new_request_step(context: ComposeContext, step: Step | None) -> RequestStep | None:
    """Create the step that edits a request: a line of the file, the preview, or a new one."""
    if isinstance(step, CheckStep):
        try:
            line = await context.engine.requests.read_line(step.path, step.line)
        except BatchdeckError as error:
            step.notify(one_line(error.message, 200), markup=False, severity="warning")
            return None
        if reason := line_too_long(line):
            step.notify(reason, markup=False, severity="warning")
            return None
        stem = step.path.stem.removesuffix("-edited")
        return RequestStep(context, line, RequestTarget(step.path, step.line), f"{stem}-edited")
    if isinstance(step, TemplateStep):
        line = step.request()
        if not line_too_long(line):
            return RequestStep(context, line, RequestTarget(), f"{context.name}-by-hand")
    return RequestStep(context, b"", RequestTarget(), "by-hand")
