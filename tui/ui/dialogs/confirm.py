"""Confirmations: facts, options and two buttons, of which Cancel has the focus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Button, Checkbox, Static

from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.ui.dialogs.base import Answer, Dialog
from tui.ui.dialogs.input import DEADLINE_HINT, InputDialog
from tui.ui.text.tones import Part, Parts, content, fact_parts
from tui.ui.widgets.basics import DotCheckbox

Facts = Sequence[tuple[str, str | Parts]]
"""Name and value, one per line."""


class KeySwitch(DotCheckbox):
    """An option of a dialog.

    Args:
        key: Identifies the option.
        label: What it does when it is on.
        value: Whether it is on initially.
        show_key: Whether the key toggles it, and is shown after the label.
    """

    def __init__(self, key: str, label: str, value: bool = False, *, show_key: bool = True) -> None:
        super().__init__(f"{label}  {key}" if show_key else label, value, id=f"switch-{key}")
        self.key = key


class Confirmation(Dialog[Answer]):
    """Facts and two buttons: ``y`` confirms, enter and escape cancel.

    Args:
        title: The question.
        verb: The label of the confirming button.
        switches: Options below the facts.
        dangerous: Whether the action destroys data or may cost twice.
    """

    DEFAULT_CSS = """
    Confirmation .last-switch { margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "confirm", "Yes"),
        Binding("n", "leave", "No"),
        Binding("left,right,up,down,h,l", "other_button", show=False),
    ]

    def __init__(
        self,
        title: str,
        verb: str,
        switches: Sequence[KeySwitch] = (),
        *,
        dangerous: bool = False,
    ) -> None:
        super().__init__(title)
        self._verb = verb
        self._switches = switches
        self._dangerous = dangerous
        for switch in switches:
            self._bindings.bind(switch.key, f"toggle_switch('{switch.key}')", show=False)

    def compose_content(self) -> ComposeResult:
        """The facts, the options and the buttons."""
        yield Static("", classes="dialog-text", markup=False)
        for switch in self._switches:
            yield switch.set_class(switch is self._switches[-1], "last-switch")
        yield from self.buttons(f"{self._verb}  y", dangerous=self._dangerous)

    def on_mount(self) -> None:
        """Show the facts and focus Cancel."""
        self.draw()
        self.query_one("#no").focus()

    def text(self) -> list[Part]:
        """What is shown above the options."""
        return []

    def draw(self) -> None:
        """Show the text for the current options."""
        self.query_one(".dialog-text", Static).update(content(self.text()).rstrip())

    def is_on(self, key: str) -> bool:
        """Whether an option is on; an option that is not offered is off."""
        return any(switch.value for switch in self._switches if switch.key == key)

    @on(Checkbox.Changed)
    def _switched(self, event: Checkbox.Changed) -> None:
        event.stop()
        self.draw()

    def action_toggle_switch(self, key: str) -> None:
        """Toggle an option."""
        self.query_one(f"#switch-{key}", KeySwitch).toggle()

    def action_other_button(self) -> None:
        """Focus the other button."""
        self.focus_next(Button)


class ConfirmDialog(Confirmation[bool]):
    """Asks whether to do something.

    Args:
        title: The question.
        facts: Name and value, one per line.
        verb: The label of the confirming button.
        note: A sentence below the facts.
        switches: Options below the note.
        dangerous: Whether the action destroys data or may cost twice.
    """

    def __init__(
        self,
        title: str,
        facts: Facts,
        verb: str,
        note: str = "",
        switches: Sequence[KeySwitch] = (),
        *,
        dangerous: bool = False,
    ) -> None:
        super().__init__(title, verb, switches, dangerous=dangerous)
        self._facts = facts
        self._note = note

    def text(self) -> list[Part]:
        """The facts and the note."""
        gap = "\n" if self._facts and self._note else ""
        return [*fact_parts(self._facts), (gap, ""), (self._note, "muted")]

    def action_confirm(self) -> None:
        """Confirm."""
        self.dismiss(True)


def overwrite_dialog(kind: str, name: str) -> ConfirmDialog:
    """The question before something of the same name is replaced.

    Args:
        kind: What it is, such as "file".
        name: Its name, safe to show.
    """
    return ConfirmDialog(f"Overwrite the {kind}?", [(kind, name)], "Overwrite", dangerous=True)


class DeleteDialog(ConfirmDialog):
    """Facts about a job; the result is whether to delete at the provider too, ``None`` to cancel.

    Args:
        facts: Name and value, one per line.
        there: What can be deleted at the provider, such as "its files at OpenAI"; may be empty.
        why_disabled: Why nothing can be deleted at the provider.
    """

    def __init__(self, facts: Facts, there: str, why_disabled: str = "") -> None:
        note = "Its requests and answers are deleted from this machine."
        super().__init__(
            "Delete from the history?",
            facts,
            "Delete",
            note if there else f"{note}\n\n{why_disabled}",
            [KeySwitch("p", f"also {there}")] if there else (),
            dangerous=True,
        )

    def action_confirm(self) -> None:
        """Delete."""
        self.dismiss(self.is_on("p"))


class DeadlineDialog(ConfirmDialog):
    """Asks whether to submit, with an option for a deadline.

    Args:
        title: The question.
        facts: Name and value, one per line.
        note: A sentence below the facts.
        switches: Other options.
        describe_deadline: Says what happens at a time that the user typed; raises if there can be
            no such deadline. ``None`` if the account has none.
    """

    def __init__(
        self,
        title: str,
        facts: Facts,
        note: str = "",
        switches: Sequence[KeySwitch] = (),
        *,
        describe_deadline: Callable[[str], str] | None = None,
    ) -> None:
        if describe_deadline is not None:
            words = "set a deadline, at which the rest is sent one by one"
            switches = [*switches, KeySwitch("t", words)]
        super().__init__(title, facts, "Submit", note, switches)
        self._describe = describe_deadline
        self._deadline = ""

    @property
    def deadline(self) -> str:
        """The time that the user typed for a deadline; empty for none."""
        return self._deadline if self.is_on("t") else ""

    @property
    def deadline_facts(self) -> Facts:
        """The deadline, and what happens then; empty without one."""
        if not self.deadline or self._describe is None:
            return []
        try:
            return [("deadline", one_line(self._describe(self.deadline), 300))]
        except BatchdeckError as error:
            return [("deadline", ((one_line(error.message, 300), "bad"),))]

    def text(self) -> list[Part]:
        """The facts, those of the deadline, and the note."""
        return [*fact_parts([*self._facts, *self.deadline_facts]), (f"\n{self._note}", "muted")]

    @on(Checkbox.Changed, "#switch-t")
    def _deadline_switched(self, event: Checkbox.Changed) -> None:
        if event.value and not self._deadline:
            dialog = InputDialog("Deadline", DEADLINE_HINT, "", "Set", "deadline")
            self.app.push_screen(dialog, self._set_deadline)

    def _set_deadline(self, text: str | None) -> None:
        """Take the time that was typed; a text that is none, or an empty one, sets no deadline."""
        assert self._describe is not None
        try:
            if text:
                self._describe(text)
            self._deadline = text or ""
        except BatchdeckError as error:
            self.app.notify(f"{error.message}. {error.hint}", markup=False, severity="error")
        if not self._deadline:
            self.query_one("#switch-t", KeySwitch).value = False
        self.draw()


@dataclass(frozen=True)
class ShownCost:
    """Figures of a submit, for all rows or for the sample.

    ``stop`` is the reason why a budget does not allow it; empty when it does.
    """

    rows: str
    input: str
    cost: str
    stop: str = ""


_COUNTING = ShownCost("counting…", "-", "-")

SubmitChoice = Literal["whole", "sample", "distinct", "rest"]
"""What is sent: all rows, a sample, each distinct request, or what no earlier job answered."""


class SubmitDialog(DeadlineDialog):
    """A confirmation that a budget can block, with the ways to send less.

    Args:
        title: The question.
        facts: Name and value of what holds for both, one per line.
        whole: The figures of all rows.
        few: The figures of a sample; ``None`` when the job is too small for one.
        distinct: The figures if each distinct request is sent once; ``None`` without repeats.
        note: A sentence below the facts.
        sample: Whether the sample is chosen initially.
        count_reusable: Finds the answers of earlier jobs to these requests: returns the figures of
            the rest, and a text about what was found. It may take a while; ``None`` if there are
            no earlier jobs.
        can_prime: Whether a first row can fill the prompt cache of the others.
        describe_deadline: Says what happens at a time that the user typed, if so much is sent;
            raises if there can be no such deadline. ``None`` if the account has none.
    """

    DEFAULT_CSS = "SubmitDialog > .dialog { width: 72; overflow-y: auto; }"

    def __init__(
        self,
        title: str,
        facts: Facts,
        whole: ShownCost,
        few: ShownCost | None,
        distinct: ShownCost | None = None,
        note: str = "",
        *,
        sample: bool = False,
        count_reusable: Callable[[], Awaitable[tuple[ShownCost, str]]] | None = None,
        can_prime: bool = False,
        describe_deadline: Callable[[str, SubmitChoice], str] | None = None,
    ) -> None:
        words = "send a random sample first; keep the other rows as a draft"
        switches = [] if few is None else [KeySwitch("s", words, sample)]
        if distinct is not None:
            once = "send equal requests once; all their rows get the answer"
            switches.append(KeySwitch("d", once, False))
        if count_reusable is not None:
            copied = "copy answers of earlier jobs to the same requests"
            switches.append(KeySwitch("r", copied, False))
        if can_prime:
            switches.append(KeySwitch("p", "send the first row alone; the others read its cache"))
        describe = None
        if (of_choice := describe_deadline) is not None:
            describe = lambda text: of_choice(text, self.choice)  # noqa: E731
        super().__init__(title, facts, note, switches, describe_deadline=describe)
        self._whole = whole
        self._few = few
        self._distinct = distinct
        self._count_reusable = count_reusable
        self._rest: ShownCost | None = None
        self._found = ""
        self._is_counting = False

    @property
    def reuse(self) -> bool:
        """Whether to use answers of earlier jobs."""
        return self.is_on("r")

    @property
    def distinct(self) -> bool:
        """Whether to send each distinct request once."""
        return self.is_on("d")

    @property
    def sample(self) -> bool:
        """Whether to send a sample first."""
        return self.is_on("s")

    @property
    def stop(self) -> str:
        """Why a budget blocks the current choice; empty when it does not."""
        return self._chosen.stop

    @property
    def prime(self) -> bool:
        """Whether to send the first row alone."""
        return self.is_on("p")

    @property
    def choice(self) -> SubmitChoice:
        """What is sent."""
        if self.sample and self._few is not None:
            return "sample"
        if self.reuse:
            return "rest"
        return "distinct" if self.distinct and self._distinct is not None else "whole"

    @property
    def _chosen(self) -> ShownCost:
        figures = {
            "whole": self._whole,
            "sample": self._few,
            "distinct": self._distinct,
            "rest": self._rest,
        }
        return figures[self.choice] or _COUNTING

    def text(self) -> list[Part]:
        """The figures of the current choice, and whether the budget allows it."""
        chosen = self._chosen
        facts: Facts = [
            ("requests", chosen.rows),
            *self._facts,
            ("input", chosen.input),
            ("cost", ((chosen.cost, "strong"),)),
        ]
        if self.reuse and self._found:
            facts = [*facts, ("reused", one_line(self._found, 200))]
        facts = [*facts, *self.deadline_facts]
        if chosen.stop:
            note: Part = (f"\n✗ Over budget: {one_line(chosen.stop, 300)}", "bad")
        else:
            note = (f"\n{self._note}", "muted")
        return [*fact_parts(facts), note]

    def draw(self) -> None:
        """Show the figures; a budget disables the button."""
        super().draw()
        self.query_one("#yes", Button).disabled = self._blocked
        if self.reuse and not self._is_counting and self._rest is None:
            self._is_counting = True
            self.run_worker(self._count(), group="reuse", exit_on_error=False)

    async def _count(self) -> None:
        assert self._count_reusable is not None
        try:
            self._rest, self._found = await self._count_reusable()
        except BatchdeckError as error:
            self._found = error.message
        if self.is_attached:
            self.draw()

    @property
    def _blocked(self) -> bool:
        """Whether the current choice cannot be confirmed: by a budget, or until it is counted."""
        return bool(self.stop) or (self.reuse and self._rest is None)

    def action_confirm(self) -> None:
        """Confirm, unless that is not possible."""
        if self._blocked:
            self.app.bell()
        else:
            super().action_confirm()
