"""The guided first run: its steps, and how far somebody is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from textual.widget import Widget

from tui.ui.text.tones import Part


class Fact(Enum):
    """Something that was done and can be seen."""

    TABLE = auto()
    """A table is open in Compose."""
    PROMPT = auto()
    """The prompt is different for each row."""
    SUBMITTED = auto()
    """The provider has accepted a batch."""
    OPENED = auto()
    """The rows of a job that has ended are shown."""
    READ = auto()
    """A row is read."""
    ERRORS = auto()
    """Only rows with errors are shown."""
    RETRIED = auto()
    """A second batch of a job has ended."""
    EXPORTED = auto()
    """Rows were written to a file."""


@dataclass(frozen=True)
class TourStep:
    """A step: the fact that ends it, its title, and what to do.

    ``<command>`` in the text stands for the first key of a command, ``<command!>`` for the last,
    which works inside fields too; ``[words]`` are keys and words that are typed as they are.
    """

    fact: Fact
    title: str
    text: str


STEPS = (
    TourStep(
        Fact.TABLE,
        "a table",
        "Forty reviews wait in a table. Press <new>, then choose [reviews.csv] with [enter].",
    ),
    TourStep(
        Fact.PROMPT,
        "a prompt",
        "Write a prompt with a column in braces: [Good or bad? {text}]"
        " Each row becomes a request, shown beside or below.",
    ),
    TourStep(
        Fact.SUBMITTED,
        "check, price, submit",
        "<submit!> checks every row and says what the job may cost: this one is free."
        " Then [y] sends it.",
    ),
    TourStep(
        Fact.OPENED,
        "watch",
        "The batch runs at the provider, also while this program is closed."
        " When it is completed, [enter] shows its rows.",
    ),
    TourStep(
        Fact.READ,
        "an answer",
        "[enter] on a row opens it: the request and its answer. <next_row> goes to the next one.",
    ),
    TourStep(
        Fact.ERRORS,
        "what failed",
        "[esc] goes back to the rows. Four of them failed: <errors_only> shows only those,"
        " grouped by their cause.",
    ),
    TourStep(
        Fact.RETRIED,
        "retry",
        "<retry> sends only the failed rows again, as a new batch of the same job."
        " [y] confirms. Nothing is paid twice.",
    ),
    TourStep(
        Fact.EXPORTED,
        "export",
        "Every row has its answer. [esc] shows them all, <export> writes them to a file:"
        " [enter] takes the one proposed.",
    ),
)
"""The steps, in their order."""

END = (
    "That is all there is to it. <help> shows every key and searches the help."
    " <quit> ends the tour; [batchdeck] opens your own history."
)
"""What is said after the last step."""

_MARK = re.compile(r"<(\w+)(!?)>|\[([^\]]+)\]")


class Guide(Protocol):
    """What leads through the tour, as the main screen sees it."""

    @property
    def panel(self) -> Widget:
        """Shows the current step."""

    def look(self) -> None:
        """Note what the screen shows; called after each time that it is drawn."""

    def skip(self) -> None:
        """Go on without the current step."""


class TourProgress:
    """Which step somebody is at; facts may be seen in any order."""

    def __init__(self) -> None:
        self._seen: set[Fact] = set()
        self._skipped = 0

    def note(self, fact: Fact) -> bool:
        """Note a fact; whether another step is the current one now."""
        before = self.place
        self._seen.add(fact)
        return self.place != before

    def skip(self) -> None:
        """Go on without the current step."""
        self._skipped = min(self.place + 1, len(STEPS))

    @property
    def place(self) -> int:
        """The index of the current step; the number of steps after the last one."""
        for place in range(self._skipped, len(STEPS)):
            if STEPS[place].fact not in self._seen:
                return place
        return len(STEPS)

    @property
    def step(self) -> TourStep | None:
        """The current step; ``None`` after the last one."""
        return STEPS[self.place] if self.place < len(STEPS) else None


def tour_parts(text: str, keys: Mapping[str, str]) -> list[Part]:
    """The text of a step with its keys.

    Args:
        text: The text, with the marks of ``TourStep``.
        keys: Command id to its keys, as they are shown, separated by spaces.
    """
    parts: list[Part] = []
    end = 0
    for mark in _MARK.finditer(text):
        parts.append((text[end : mark.start()], ""))
        shown = keys[mark[1]].split(" ")[-1 if mark[2] else 0] if mark[1] else mark[3]
        parts.append((shown, "accent"))
        end = mark.end()
    parts.append((text[end:], ""))
    return parts
