"""Template form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input, Label, OptionList, Select, TextArea
from textual.widgets.option_list import Option

from tui.compose.requests.scaledown import MAX_LABELS
from tui.compose.templates.model import Template, TemplateKind
from tui.core.text import one_line, visible
from tui.ui.models import template_form
from tui.ui.widgets.basics import Field, TextInput, WidgetMessage
from tui.ui.widgets.compose_inputs import PlainTextArea, TableOptions

Pairs = tuple[tuple[str, str], ...]


class PairRow(Horizontal):
    """One pair of inputs: a short name and its description."""

    DEFAULT_CSS = """
    PairRow { height: 1; }
    PairRow > .pair-name { width: 1fr; max-width: 24; margin-right: 1; }
    PairRow > .pair-what { width: 2fr; }
    """

    def __init__(self, pair: tuple[str, str], hints: tuple[str, str]) -> None:
        super().__init__()
        name, what = pair
        self.name_field = TextInput(name, placeholder=hints[0], compact=True, classes="pair-name")
        self.what_field = TextInput(what, placeholder=hints[1], compact=True, classes="pair-what")

    def compose(self) -> ComposeResult:
        """Both inputs."""
        yield self.name_field
        yield self.what_field

    @property
    def pair(self) -> tuple[str, str]:
        """The name and the description."""
        return self.name_field.text, self.what_field.text

    @property
    def is_empty(self) -> bool:
        """Whether both inputs are blank."""
        return not any(map(str.strip, self.pair))


class PairRows(Vertical):
    """A growing list of pairs that always ends with an empty row; blank rows are ignored.

    Args:
        hints: The placeholders of an empty row.
        most: The maximum number of pairs.
    """

    DEFAULT_CSS = """
    PairRows { height: auto; }
    """

    class Changed(WidgetMessage):
        """Posted when a pair changed."""

    def __init__(self, hints: tuple[str, str], most: int = 200, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hints = hints
        self._most = most
        self._rows: list[PairRow] = []

    def on_mount(self) -> None:
        """Add an empty row."""
        if not self._rows:
            self._grow()

    @property
    def pairs(self) -> Pairs:
        """The pairs that are not blank."""
        return tuple(row.pair for row in self._rows if not row.is_empty)

    def show(self, pairs: Pairs) -> None:
        """Replace the pairs."""
        for row in self._rows:
            row.remove()
        self._rows = []
        for pair in pairs[: self._most]:
            self._add(pair)
        self._grow()

    def _grow(self) -> None:
        if len(self._rows) < self._most and (not self._rows or not self._rows[-1].is_empty):
            self._add(("", ""))

    def _add(self, pair: tuple[str, str]) -> None:
        row = PairRow(pair, self._hints)
        self._rows.append(row)
        self.mount(row)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._grow()
        self.post_message(self.Changed(self))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()


MAX_LISTED_COLUMNS = 200
"""Maximum number of columns listed; others can be typed."""

_NARROWEST, _WIDEST = 10, 20
"""Minimum and maximum width of the column list, in cells."""

_INPUTS = ("model", "max_tokens", "temperature", "schema", "id")
_AREAS = ("system", "user", "settings")
_HINTS = {
    "model": "such as gpt-5-mini",
    "max_tokens": "no limit",
    "temperature": "provider default",
    "schema": "a JSON file, or the schema as JSON",
    "id": "a column; if empty, from the content",
}


class LabelledField(Horizontal):
    """A label and its input."""

    DEFAULT_CSS = """
    LabelledField { height: auto; width: 1fr; }
    LabelledField > Label { width: 11; }
    LabelledField > Input, LabelledField > Select { width: 1fr; }
    LabelledField > PlainTextArea, LabelledField > PairRows { width: 1fr; }
    """


class TemplateForm(VerticalScroll):
    """The fields of a template; posts ``Changed`` when one of them changes.

    Args:
        columns: The columns that can be inserted into the texts.
        table: The detected table format, if the user may override it (see ``TableOptions``).
    """

    can_focus = False
    DEFAULT_CSS = """
    TemplateForm { height: 1fr; width: 1fr; scrollbar-size-vertical: 1; }
    TemplateForm .form-pair { height: auto; layout: horizontal; }
    TemplateForm .form-pair > LabelledField { margin-right: 1; }
    TemplateForm LabelledField { margin-bottom: 0; }
    TemplateForm #form-user { height: 1fr; min-height: 5; }
    TemplateForm #form-user > PlainTextArea { height: 100%; }
    TemplateForm #form-columns {
        height: 100%; border: none; padding: 0; margin-left: 1;
    }
    TemplateForm.-tall LabelledField { margin-bottom: 1; }
    TemplateForm.-taller #field-system { height: 8; }
    """

    class Changed(Message):
        """Posted when a field changed."""

    def __init__(self, columns: Sequence[str], *, table: Sequence[str] = ()) -> None:
        super().__init__()
        self._table = table
        self._columns = tuple(columns)
        self._rest = Template()
        self._texts: dict[str, tuple[str, str]] = {}
        self._last_area = "user"
        self._kinds = template_form.PromptTexts()
        self._kind: TemplateKind = "chat"

    def compose(self) -> ComposeResult:
        """All fields; those that the kind does not use are hidden."""
        with Container(classes="form-pair"):
            with LabelledField(id="form-kind"):
                yield Label("Kind")
                options = [(name, kind) for kind, name in template_form.KINDS.items()]
                yield Select[str](
                    options, value="chat", allow_blank=False, compact=True, id="field-kind"
                )
            yield self._input("model")
        with LabelledField(id="form-user"):
            yield Label("Prompt", id="label-user")
            yield PlainTextArea(id="field-user")
            columns = OptionList(compact=True, markup=False, id="form-columns")
            columns.border_title = "columns"
            yield columns
        with LabelledField(id="form-system"):
            yield Label("System", id="label-system")
            yield PlainTextArea(id="field-system")
        with LabelledField(id="form-entities"):
            yield Label("Entities")
            yield PairRows(("label", "description"), id="field-entities")
        with LabelledField(id="form-labels"):
            yield Label("Labels")
            yield PairRows(("name", "a yes-or-no question"), MAX_LABELS, id="field-labels")
        with Container(classes="form-pair"):
            yield self._input("max_tokens")
            yield self._input("temperature")
        yield self._input("id")
        yield self._input("schema")
        with LabelledField(id="form-settings"):
            yield Label("More")
            area = PlainTextArea(
                id="field-settings", placeholder="top_p=0.9 (one path=value per line)"
            )
            yield area
        if self._table:
            with LabelledField(id="form-table"):
                yield Label("Table")
                yield TableOptions(self._table, id="field-table")

    def _input(self, name: str) -> LabelledField:
        return LabelledField(
            Label(template_form.name_of(name, "chat")),
            Field(placeholder=_HINTS[name], compact=True, id=f"field-{name}"),
            id=f"form-{name}",
        )

    def on_mount(self) -> None:
        """List the columns."""
        self.query_one("#form-columns").tooltip = "Enter inserts the column into the text"
        self.list_columns(self._columns)
        self._show_fields()

    def list_columns(self, columns: Sequence[str]) -> None:
        """Replace the listed columns."""
        self._columns = tuple(columns)
        shown = self.query_one("#form-columns", OptionList)
        shown.clear_options()
        # The prompt gets the width that the names leave.
        widest = max((cell_len(one_line(each, 40)) for each in self._columns), default=0)
        shown.styles.width = min(max(widest + 2, _NARROWEST), _WIDEST)
        shown.add_options(
            Option(one_line(column, 40)) for column in self._columns[:MAX_LISTED_COLUMNS]
        )
        if self._columns:
            shown.highlighted = 0
        suggester = SuggestFromList(self._columns, case_sensitive=False)
        self.query_one("#field-id", Input).suggester = suggester

    @property
    def kind(self) -> TemplateKind:
        """The selected kind."""
        return self._kind

    @property
    def text(self) -> template_form.TemplateFields:
        """The content of the form."""
        values = {name: self._value(name, self.query_one(f"#field-{name}", Input).value)
                  for name in _INPUTS}  # fmt: skip
        values |= {name: self.query_one(f"#field-{name}", PlainTextArea).text for name in _AREAS}
        return template_form.TemplateFields(
            kind=self._kind,
            entities=self.query_one("#field-entities", PairRows).pairs,
            labels=self.query_one("#field-labels", PairRows).pairs,
            rest=self._rest,
            **values,
        )

    def show(self, text: template_form.TemplateFields) -> None:
        """Fill the form without posting ``Changed``."""
        self._rest = text.rest
        self._kinds.clear()
        with self.prevent(Input.Changed, TextArea.Changed, Select.Changed, PairRows.Changed):
            self._kind = text.kind
            kinds = self.query_one("#field-kind", Select)
            if kinds.value != text.kind:
                kinds.value = text.kind
            for name in _INPUTS:
                value: str = getattr(text, name)
                # Control characters are shown escaped; the original value is kept.
                self._texts[name] = (visible(value), value)
                self.query_one(f"#field-{name}", Input).value = visible(value)
            for name in _AREAS:
                self.query_one(f"#field-{name}", PlainTextArea).text = getattr(text, name)
            self.query_one("#field-entities", PairRows).show(text.entities)
            self.query_one("#field-labels", PairRows).show(text.labels)
        self._show_fields()

    def _value(self, name: str, typed: str) -> str:
        shown, kept = self._texts.get(name, ("", ""))
        return kept if typed == shown else typed

    def suggest_models(self, models: Sequence[str]) -> None:
        """Complete the model field from the provider's list."""
        field = self.query_one("#field-model", Input)
        field.suggester = SuggestFromList([visible(m) for m in models], case_sensitive=False)
        if models:
            field.placeholder = f"{one_line(models[0], 30)} (→ completes)"

    def set_default_model(self, model: str) -> None:
        """Set the model if the field is empty."""
        field = self.query_one("#field-model", Input)
        if not field.value.strip():
            field.value = visible(model)

    def next_kind(self) -> None:
        """Select the next kind."""
        kinds = list(template_form.KINDS)
        place = (kinds.index(self._kind) + 1) % len(kinds)
        self.query_one("#field-kind", Select).value = kinds[place]

    def focus_first(self) -> None:
        """Focus the prompt if it is empty, else the kind."""
        area = self.query_one("#field-user", PlainTextArea)
        (area if not area.text.strip() else self.query_one("#field-kind", Select)).focus()

    def _show_fields(self) -> None:
        fields = template_form.fields_of(self._kind)
        for name in (*_INPUTS, *_AREAS, "entities", "labels"):
            self.query_one(f"#form-{name}").display = name in fields
        for name in ("user", "system"):
            self.query_one(f"#label-{name}", Label).update(template_form.name_of(name, self._kind))

    @on(Select.Changed, "#field-kind")
    def _kind_chosen(self, event: Select.Changed) -> None:
        event.stop()
        if event.value in template_form.KINDS:
            old, self._kind = self._kind, cast(TemplateKind, event.value)
            areas = [self.query_one(f"#field-{name}", PlainTextArea) for name in ("user", "system")]
            before = template_form.FormTexts(*(area.text for area in areas))
            after = self._kinds.changed(old, self._kind, before, self._columns)
            for area, text in zip(areas, (after.user, after.system), strict=True):
                if area.text != text:
                    area.text = text
            self._show_fields()
            self.post_message(self.Changed())

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(PairRows.Changed)
    def _changed(self, event: Message) -> None:
        event.stop()
        self.post_message(self.Changed())

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    def on_descendant_focus(self) -> None:
        """Remember the text area into which a column is inserted."""
        focused = self.screen.focused
        if isinstance(focused, PlainTextArea) and focused.id in ("field-user", "field-system"):
            self._last_area = str(focused.id).removeprefix("field-")

    @on(OptionList.OptionSelected, "#form-columns")
    def _column_chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        area = self.query_one(f"#field-{self._last_area}", PlainTextArea)
        if not area.parent or not area.parent.display:
            area = self.query_one("#field-user", PlainTextArea)
        inserted = template_form.placeholder(self._columns[event.option_index], area.text)
        if (
            inserted.startswith("{{")
            and (text := template_form.to_jinja(area.text, self._columns)) != area.text
        ):
            area.text = text
            area.move_cursor(area.document.end)
        area.insert(inserted)
        area.focus()
