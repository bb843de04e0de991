"""The form of a template: its fields for the kind that is chosen, all of them reachable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, VerticalScroll
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input, Label, OptionList, Select, TextArea
from textual.widgets.option_list import Option

from tui.compose.scaledown_items import MOST_LABELS
from tui.compose.template import Kind, Template
from tui.core.text import one_line, visible
from tui.ui.kindtexts import KindTexts, Texts
from tui.ui.templatetext import KINDS, TemplateText, fields_of, in_jinja, name_of, placeholder
from tui.ui.widgets.compose_pairs import PairRows
from tui.ui.widgets.compose_table import TableOptions
from tui.ui.widgets.compose_text import PlainArea

COLUMNS_LISTED = 200
"""So many columns are listed to be put into the text; further ones can be typed."""

_NARROWEST, _WIDEST = 10, 20
"""Cells of the list of columns."""

_INPUTS = ("model", "max_tokens", "temperature", "schema", "id")
_AREAS = ("system", "user", "settings")
_HINTS = {
    "model": "as the provider calls it",
    "max_tokens": "none",
    "temperature": "provider's",
    "schema": "a JSON file, or the schema itself",
    "id": "a column; empty: from the content",
}


class Field(Horizontal):
    """A name and what is filled in."""

    DEFAULT_CSS = """
    Field { height: auto; width: 1fr; }
    Field > Label { width: 11; }
    Field > Input, Field > Select, Field > PlainArea, Field > PairRows { width: 1fr; }
    """


class TemplateForm(VerticalScroll):
    """Fields of a template; ``Changed`` is posted when one of them changes.

    Args:
        columns: What can be put into the texts.
        table: What was found out of a table, where a person may say that it is otherwise.
    """

    can_focus = False
    DEFAULT_CSS = """
    TemplateForm { height: 1fr; width: 1fr; scrollbar-size-vertical: 1; }
    TemplateForm .form-pair { height: auto; layout: horizontal; }
    TemplateForm .form-pair > Field { margin-right: 1; }
    TemplateForm Field { margin-bottom: 0; }
    TemplateForm #form-user { height: 5; }
    TemplateForm #form-user > PlainArea { height: 5; }
    TemplateForm #form-columns {
        height: 5; border: none; padding: 0; margin-left: 1;
    }
    TemplateForm.-tall #form-user, TemplateForm.-tall #form-user > PlainArea,
    TemplateForm.-tall #form-columns { height: 9; }
    TemplateForm.-tall Field { margin-bottom: 1; }
    TemplateForm.-taller #form-user, TemplateForm.-taller #form-user > PlainArea,
    TemplateForm.-taller #form-columns { height: 18; }
    TemplateForm.-taller #field-system { height: 6; }
    """

    class Changed(Message):
        """Posted when something of the template changed."""

    def __init__(self, columns: Sequence[str], *, table: Sequence[str] = ()) -> None:
        super().__init__()
        self._table = table
        self._columns = tuple(columns)
        self._rest = Template()
        self._texts: dict[str, tuple[str, str]] = {}
        self._last_area = "user"
        self._kinds = KindTexts()
        self._kind: Kind = "chat"

    def compose(self) -> ComposeResult:
        """All fields; those that the kind does not have are hidden."""
        with Container(classes="form-pair"):
            with Field(id="form-kind"):
                yield Label("Kind")
                options = [(name, kind) for kind, name in KINDS.items()]
                yield Select[str](
                    options, value="chat", allow_blank=False, compact=True, id="field-kind"
                )
            yield self._input("model")
        with Field(id="form-user"):
            yield Label("Prompt", id="label-user")
            yield PlainArea(id="field-user")
            columns = OptionList(compact=True, markup=False, id="form-columns")
            columns.border_title = "columns"
            yield columns
        with Field(id="form-system"):
            yield Label("System", id="label-system")
            yield PlainArea(id="field-system")
        with Field(id="form-entities"):
            yield Label("Entities")
            yield PairRows(("label", "what it is"), id="field-entities")
        with Field(id="form-labels"):
            yield Label("Labels")
            yield PairRows(("name", "a question for yes or no"), MOST_LABELS, id="field-labels")
        with Container(classes="form-pair"):
            yield self._input("max_tokens")
            yield self._input("temperature")
        yield self._input("id")
        yield self._input("schema")
        with Field(id="form-settings"):
            yield Label("More")
            area = PlainArea(id="field-settings", placeholder="top_p=0.9, one path=value a line")
            yield area
        if self._table:
            with Field(id="form-table"):
                yield Label("Table")
                yield TableOptions(self._table, id="field-table")

    def _input(self, name: str) -> Field:
        return Field(
            Label(name_of(name, "chat")),
            Input(placeholder=_HINTS[name], compact=True, id=f"field-{name}"),
            id=f"form-{name}",
        )

    def on_mount(self) -> None:
        """List the columns."""
        self.query_one("#form-columns").tooltip = "Enter puts the column into the text"
        self.list_columns(self._columns)
        self._show_fields()

    def list_columns(self, columns: Sequence[str]) -> None:
        """Offer other columns."""
        self._columns = tuple(columns)
        shown = self.query_one("#form-columns", OptionList)
        shown.clear_options()
        # The prompt has what room the names leave.
        widest = max((cell_len(one_line(each, 40)) for each in self._columns), default=0)
        shown.styles.width = min(max(widest + 2, _NARROWEST), _WIDEST)
        shown.add_options(Option(one_line(column, 40)) for column in self._columns[:COLUMNS_LISTED])
        if self._columns:
            shown.highlighted = 0
        suggester = SuggestFromList(self._columns, case_sensitive=False)
        self.query_one("#field-id", Input).suggester = suggester

    @property
    def kind(self) -> Kind:
        """The kind that is chosen."""
        return self._kind

    @property
    def text(self) -> TemplateText:
        """What is filled in."""
        values = {name: self._value(name, self.query_one(f"#field-{name}", Input).value)
                  for name in _INPUTS}  # fmt: skip
        values |= {name: self.query_one(f"#field-{name}", PlainArea).text for name in _AREAS}
        return TemplateText(
            kind=self._kind,
            entities=self.query_one("#field-entities", PairRows).pairs,
            labels=self.query_one("#field-labels", PairRows).pairs,
            rest=self._rest,
            **values,
        )

    def show(self, text: TemplateText) -> None:
        """Fill the form in; that is no change of a person's, and not told as one."""
        self._rest = text.rest
        self._kinds.clear()
        with self.prevent(Input.Changed, TextArea.Changed, Select.Changed, PairRows.Changed):
            self._kind = text.kind
            kinds = self.query_one("#field-kind", Select)
            if kinds.value != text.kind:
                kinds.value = text.kind
            for name in _INPUTS:
                value: str = getattr(text, name)
                # What is not to reach the terminal is shown written out, and kept as it is.
                self._texts[name] = (visible(value), value)
                self.query_one(f"#field-{name}", Input).value = visible(value)
            for name in _AREAS:
                self.query_one(f"#field-{name}", PlainArea).text = getattr(text, name)
            self.query_one("#field-entities", PairRows).show(text.entities)
            self.query_one("#field-labels", PairRows).show(text.labels)
        self._show_fields()

    def _value(self, name: str, typed: str) -> str:
        shown, kept = self._texts.get(name, ("", ""))
        return kept if typed == shown else typed

    def suggest_models(self, models: Sequence[str]) -> None:
        """Complete the model by what the provider lists."""
        field = self.query_one("#field-model", Input)
        field.suggester = SuggestFromList([visible(m) for m in models], case_sensitive=False)
        if models:
            field.placeholder = f"{one_line(models[0], 30)} (→ completes)"

    def fill_model(self, model: str) -> None:
        """Name a model where none is named."""
        field = self.query_one("#field-model", Input)
        if not field.value.strip():
            field.value = visible(model)

    def next_kind(self) -> None:
        """Choose the next kind."""
        kinds = list(KINDS)
        place = (kinds.index(self._kind) + 1) % len(kinds)
        self.query_one("#field-kind", Select).value = kinds[place]

    def focus_first(self) -> None:
        """Go to what is still to be said: the prompt, else the kind."""
        area = self.query_one("#field-user", PlainArea)
        (area if not area.text.strip() else self.query_one("#field-kind", Select)).focus()

    def _show_fields(self) -> None:
        fields = fields_of(self._kind)
        for name in (*_INPUTS, *_AREAS, "entities", "labels"):
            self.query_one(f"#form-{name}").display = name in fields
        for name in ("user", "system"):
            self.query_one(f"#label-{name}", Label).update(name_of(name, self._kind))

    @on(Select.Changed, "#field-kind")
    def _kind_chosen(self, event: Select.Changed) -> None:
        event.stop()
        if event.value in KINDS:
            old, self._kind = self._kind, cast(Kind, event.value)
            areas = [self.query_one(f"#field-{name}", PlainArea) for name in ("user", "system")]
            before = Texts(*(area.text for area in areas))
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
        """Remember where a column would go."""
        focused = self.screen.focused
        if isinstance(focused, PlainArea) and focused.id in ("field-user", "field-system"):
            self._last_area = str(focused.id).removeprefix("field-")

    @on(OptionList.OptionSelected, "#form-columns")
    def _column_chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        area = self.query_one(f"#field-{self._last_area}", PlainArea)
        if not area.parent or not area.parent.display:
            area = self.query_one("#field-user", PlainArea)
        put = placeholder(self._columns[event.option_index], area.text)
        if put.startswith("{{") and (text := in_jinja(area.text, self._columns)) != area.text:
            area.text = text
            area.move_cursor(area.document.end)
        area.insert(put)
        area.focus()
