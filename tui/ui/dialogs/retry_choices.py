"""What can be chosen of a retry whatever else it changes: which rows, and on which way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from tui.ui import formatting
from tui.ui.widgets.switches import Switch


@dataclass(frozen=True)
class RetryFacts:
    """What the dialogs tell of a retry.

    ``rows`` can succeed as they are; ``permanent`` more would fail again unchanged. ``asks``:
    they may also be sent one by one.
    """

    subject: str
    rows: int
    permanent: int
    provider: str
    account: str
    model: str
    asks: bool = False


@dataclass(frozen=True)
class RetryAnswer:
    """What a person decided: changes to the bodies, whether hopeless rows go along, and the way.

    ``direct``: one by one, to the synchronous endpoint, instead of as a batch.
    """

    edits: dict[str, Any] = field(default_factory=dict)
    with_permanent: bool = False
    direct: bool = False


class RetryChoices(Vertical):
    """Hopeless rows go along or not; as a batch, or one by one. What is no choice is not shown.

    Args:
        facts: What would be sent.
        also: Do hopeless rows go along at first?
        keys: Are letters keys here, which are then named?
    """

    ALSO, DIRECT = "a", "d"
    WAY = "one by one (direct), as long as Batchdeck runs"
    DEFAULT_CSS = """
    RetryChoices { height: auto; }
    """

    class Changed(Message):
        """Posted when something else was chosen."""

    def __init__(self, facts: RetryFacts, *, also: bool, keys: bool) -> None:
        super().__init__(id="retry-choices")
        rows = formatting.counted(facts.permanent, "row")
        words = f"also {rows} that would fail again unchanged"
        self._also = self._switch(words, self.ALSO, keys, bool(facts.permanent), also)
        self._direct = self._switch(self.WAY, self.DIRECT, keys, facts.asks, False)
        self.display = self._also.display or self._direct.display

    @staticmethod
    def _switch(words: str, key: str, keys: bool, is_choice: bool, value: bool) -> Switch:
        label = f"{words}  {key}" if keys else words
        made = Switch(label, value and is_choice, compact=True, classes=f"retry-{key}")
        made.display = is_choice
        return made

    def compose(self) -> ComposeResult:
        """Both."""
        yield self._also
        yield self._direct

    @property
    def also(self) -> bool:
        """Do hopeless rows go along?"""
        return self._also.value

    @property
    def direct(self) -> bool:
        """Are rows sent one by one?"""
        return self._direct.value

    def toggle(self, key: str) -> None:
        """Choose otherwise, where that is a choice."""
        switch = self._also if key == self.ALSO else self._direct
        if switch.display:
            switch.toggle()

    @on(Switch.Changed)
    def _changed(self, event: Switch.Changed) -> None:
        event.stop()
        self.post_message(self.Changed())
