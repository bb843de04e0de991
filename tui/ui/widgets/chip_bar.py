"""Conditions side by side, each of which a click or a key takes away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui.ui.tones import Tone

_CROSS = "✕"


@dataclass(frozen=True)
class Chip:
    """A condition: what it is called when it is taken away, its words, and their tone."""

    key: int
    label: str
    tone: Tone = "accent"


class ChipBar(Widget, can_focus=True):
    """One line of chips; ``left`` and ``right`` choose one, ``delete`` takes it away."""

    DEFAULT_CSS = """
    ChipBar { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "choose(-1)", show=False),
        Binding("right,l", "choose(1)", show=False),
        Binding("delete,backspace,enter,x", "remove", show=False),
        Binding("down,j", "screen.focus_next", show=False),
    ]

    @dataclass
    class Removed(Message):
        """Posted when a condition is to be taken away."""

        key: int

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._chips: list[Chip] = []
        self._rest = Content("")
        self._chosen = 0
        self.can_focus = False

    @property
    def chips(self) -> Sequence[Chip]:
        """What is shown."""
        return self._chips

    def show(self, chips: Sequence[Chip], rest: Content) -> None:
        """Show conditions, and a few words behind them."""
        self._chips = list(chips)
        self._rest = rest
        self._chosen = max(0, min(self._chosen, len(chips) - 1))
        if not chips and self.has_focus:
            self.screen.focus_next()
        self.can_focus = bool(chips)
        self.refresh()

    def render(self) -> Content:
        """The chips."""
        parts: list[Content | str | tuple[str, str]] = [" "]
        for index, chip in enumerate(self._chips):
            chosen = index == self._chosen and self.has_focus
            ground = "$tone-chip-chosen" if chosen else "$tone-chip"
            colour = "$text-warning" if chip.tone == "warn" else "$text-accent"
            parts += [
                (f" {chip.label} ", f"{colour} {ground}"),
                (f"{_CROSS} ", f"$tone-muted {ground}"),
            ]
            parts.append(" ")
        chips = Content.assemble(*parts)
        # Half a hint is worse than none: the chips are what matters.
        return chips + self._rest if self._has_room(chips) else chips

    def _has_room(self, chips: Content) -> bool:
        return not self._chips or chips.cell_length + self._rest.cell_length <= self.size.width

    def on_focus(self) -> None:
        """Show which one the keys mean."""
        self.refresh()

    def on_blur(self) -> None:
        """The keys mean none."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Take a condition away; elsewhere the click means the line."""
        left = 1
        for chip in self._chips:
            right = left + cell_len(chip.label) + 4
            if left <= event.x < right:
                event.stop()
                self.post_message(self.Removed(chip.key))
                return
            left = right + 1

    def action_choose(self, step: int) -> None:
        """The chip to the left or to the right."""
        self._chosen = max(0, min(self._chosen + step, len(self._chips) - 1))
        self.refresh()

    def action_remove(self) -> None:
        """Take the chosen condition away."""
        if self._chips:
            self.post_message(self.Removed(self._chips[self._chosen].key))
