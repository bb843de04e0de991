"""Several models and templates over one table: the dialog that chooses them, and their price."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from tui.compose import samples
from tui.compose.templates.model import Template
from tui.compose.templates.saved import list_templates
from tui.core.analysis.comparison import MAX_COMPARED
from tui.core.formatting import counted
from tui.core.text import free_name, one_line, visible
from tui.engine.experiments.service import JointPrice
from tui.engine.experiments.variants import MAX_NAME_LENGTH
from tui.ui.dialogs.base import Dialog
from tui.ui.text.tones import Part, content, in_cells, key_hints
from tui.ui.widgets.basics import Field, PlainList

_FORM = "form"
"""The name of the template in the form, if it has none."""

_MOST_MODELS = 100


@dataclass(frozen=True)
class ExperimentChoice:
    """What the user chose: a name, models, and templates besides or instead of that in the form."""

    name: str
    models: tuple[str, ...] = ()
    templates: tuple[Template, ...] = ()
    with_form: bool = True

    @property
    def jobs(self) -> int:
        """The number of jobs."""
        return max(1, len(self.models)) * (len(self.templates) + self.with_form)

    def all_templates(self, form: Callable[[], Template]) -> list[Template]:
        """The templates; ``form`` returns the one in the form. Blocking.

        Raises:
            BatchdeckError: The form is not valid.
        """
        if not self.with_form:
            return list(self.templates)
        made = form()
        return [msgspec.structs.replace(made, name=made.name or _FORM), *self.templates]


def free_experiment_name(name: str, taken: Container[str]) -> str:
    """A name for a new experiment that no other one has."""
    start = name.strip()[: MAX_NAME_LENGTH - 4] or "experiment"
    return free_name(start, taken.__contains__)


def price_parts(chosen: ExperimentChoice, price: JointPrice) -> list[Part]:
    """Number and price of all jobs, on one line."""
    requests = "" if price.rows is None else f" with {counted(price.rows, 'request')}"
    return [
        (f"{one_line(chosen.name, 30)}: ", "muted"),
        (counted(price.jobs, "job"), "strong"),
        (f"{requests} · ", "muted"),
        (price.text, "good" if price.is_free else "strong"),
        (" together · ", "muted"),
        ("S", "accent"),
        (" submits all", "muted"),
    ]


class MarkList(PlainList):
    """A list whose options are marked with ``space`` or ``enter``; a mark is a filled dot."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "select", "Mark")]

    class Changed(Message):
        """Posted when an option was marked or unmarked."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._prompts: list[Content] = []
        self.marked: set[int] = set()
        """The places of the marked options."""

    def add(self, prompt: Content, *, marked: bool) -> None:
        """Add an option."""
        if marked:
            self.marked.add(len(self._prompts))
        self._prompts.append(prompt)
        self.add_option(Option(self._prompt(len(self._prompts) - 1)))
        if self.highlighted is None:
            self.highlighted = 0

    def mark(self, place: int) -> None:
        """Mark an option, and put the cursor on it."""
        self.marked.add(place)
        self.replace_option_prompt_at_index(place, self._prompt(place))
        self.highlighted = place

    def _prompt(self, place: int) -> Content:
        is_marked = place in self.marked
        dot: Part = (" ● ", "accent") if is_marked else (" ○ ", "muted")
        return content([dot]) + self._prompts[place]

    @on(OptionList.OptionSelected)
    def _toggled(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.marked ^= {event.option_index}
        self.replace_option_prompt_at_index(event.option_index, self._prompt(event.option_index))
        self.post_message(self.Changed())


class ExperimentDialog(Dialog[ExperimentChoice]):
    """Marks models and templates; each template is sent with each model.

    Args:
        chosen: The choice so far.
        models: Models to offer.
        form_name: The name of the template in the form.
        folder: The folder of the saved templates.
    """

    DEFAULT_CSS = """
    ExperimentDialog > .dialog { width: 76; height: 92%; max-height: 30; }
    ExperimentDialog .experiment-line { height: 1; margin-bottom: 1; }
    ExperimentDialog .experiment-line Label { width: 11; }
    ExperimentDialog .experiment-line Input { width: 1fr; }
    ExperimentDialog MarkList, ExperimentDialog MarkList:focus { height: 1fr; min-height: 3; }
    ExperimentDialog #experiment-templates { margin-bottom: 1; }
    ExperimentDialog .experiment-head { height: 1; }
    ExperimentDialog #experiment-other { margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "confirm", "Use", priority=True),
    ]

    def __init__(
        self, chosen: ExperimentChoice, models: Sequence[str], form_name: str, folder: Path
    ) -> None:
        super().__init__("Experiment: several models and templates")
        self._chosen = chosen
        self._form_name = form_name
        self._folder = folder
        self._saved: list[Template] = []
        """The templates after the one in the form, in the order of the list."""
        self._name_field = Field(visible(chosen.name), compact=True, id="experiment-name")
        self._offered = list(models[:_MOST_MODELS])
        self._models = MarkList(id="experiment-models")
        self._templates = MarkList(id="experiment-templates")

    def compose_content(self) -> ComposeResult:
        """The name, the models, the templates, how many jobs they make, and the buttons."""
        with Horizontal(classes="experiment-line"):
            yield Label("Name")
            yield self._name_field
        yield Static(_head("Models"), classes="experiment-head", markup=False)
        yield self._models
        yield Field(
            placeholder="Another model, or MODEL@ACCOUNT: enter adds it",
            compact=True,
            id="experiment-other",
        )
        yield Static(
            _head("Templates: the form, and those saved with P"),
            classes="experiment-head",
            markup=False,
        )
        yield self._templates
        yield Static("", id="experiment-jobs", classes="dialog-text", markup=False)
        yield from self.buttons("Use  ^s")

    def on_mount(self) -> None:
        """List the templates, and focus the models."""
        for model in self._offered:
            self._models.add(_model(model), marked=model in self._chosen.models)
        self._list_templates()
        self._models.focus()
        self._count()

    @work(group="templates", exclusive=True, exit_on_error=False)
    async def _list_templates(self) -> None:
        form = one_line(self._form_name, 24)
        own = content([(f"{form}  (the form)" if form else "the form", "")])
        self._templates.add(own, marked=self._chosen.with_form)
        found = [
            *await asyncio.to_thread(list_templates, self._folder),
            *await asyncio.to_thread(list_templates, samples.FOLDER),
        ]
        marked = {template.name for template in self._chosen.templates}
        for entry in found:
            if entry.template is None or entry.name == self._form_name:
                continue
            words = one_line(entry.template.description or entry.template.user, 40)
            prompt = content([(f"{in_cells(entry.name, 22)}  ", ""), (words, "muted")])
            self._templates.add(prompt, marked=entry.name in marked)
            self._saved.append(msgspec.structs.replace(entry.template, name=entry.name))
        self._count()

    @property
    def choice(self) -> ExperimentChoice:
        """What is marked now."""
        places = sorted(self._templates.marked)
        return replace(
            self._chosen,
            name=self._name_field.value.strip(),
            models=tuple(self._offered[place] for place in sorted(self._models.marked)),
            templates=tuple(self._saved[place - 1] for place in places if place),
            with_form=0 in places,
        )

    def _count(self) -> None:
        trouble = self._trouble()
        chosen = self.choice
        words = (
            f"{counted(max(1, len(chosen.models)), 'model')} × "
            f"{counted(len(chosen.templates) + chosen.with_form, 'template')}"
            f" = {counted(chosen.jobs, 'job')}   "
        )
        parts: list[Part] = [(trouble or words, "warn" if trouble else "strong")]
        if not trouble:
            parts += key_hints(("space", "mark"), ("tab", "next"))
        self.query_one("#experiment-jobs", Static).update(content(parts))

    def _trouble(self) -> str:
        """Why the choice cannot be used; empty if it can."""
        chosen = self.choice
        if not chosen.name or len(chosen.name) > MAX_NAME_LENGTH:
            return f"Type a name of 1 to {MAX_NAME_LENGTH} characters."
        if not chosen.jobs:
            return "Mark at least one template."
        if chosen.jobs > MAX_COMPARED:
            return f"{chosen.jobs} jobs are too many: at most {MAX_COMPARED}."
        return ""

    @on(MarkList.Changed)
    def _marked(self, event: MarkList.Changed) -> None:
        event.stop()
        self._count()

    @on(Input.Changed, "#experiment-name")
    def _named(self, event: Input.Changed) -> None:
        event.stop()
        self._count()

    @on(Input.Submitted, "#experiment-name")
    def _name_entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._models.focus()

    @on(Input.Submitted, "#experiment-other")
    def _model_entered(self, event: Input.Submitted) -> None:
        """Add a model that is typed, or mark it if it is listed."""
        event.stop()
        model = event.value.strip()
        if not model:
            return
        if model not in self._offered:
            self._offered.append(model)
            self._models.add(_model(model), marked=True)
        self._models.mark(self._offered.index(model))
        event.input.value = ""
        self._count()

    def action_confirm(self) -> None:
        """Close with the choice, if it can be used."""
        if self._trouble():
            self.app.bell()
        else:
            self.dismiss(self.choice)


def _model(name: str) -> Content:
    return content([(one_line(name, 60), "")])


def _head(text: str) -> Content:
    return content([(text, "muted")])
