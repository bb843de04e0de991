"""What is told between the frame, the panes and the app, and needed for the first paint."""

from __future__ import annotations

from dataclasses import dataclass, field

from textual.message import Message


class WorkRequested(Message):
    """Something that the app is to do; what, says the class below."""


class EngineChanged(Message):
    """The engine told something; what, is collected in the bridge."""

    def can_replace(self, message: Message) -> bool:
        """One of these is as good as many."""
        return isinstance(message, EngineChanged)


@dataclass
class JobHighlighted(Message):
    """Another job is under the cursor of the list."""

    job_id: str | None

    def can_replace(self, message: Message) -> bool:
        """Only the last one matters."""
        return isinstance(message, JobHighlighted)


@dataclass
class JobOpened(Message):
    """The results of a job are to be read."""

    job_id: str


class RowFilled(Message):
    """One row fills the pane of the results now, or no longer."""


class StateChanged(Message):
    """Something that is remembered from one run to the next should be written down now."""


@dataclass
class CopyRequested(Message):
    """A text is to go to the clipboard; ``what`` names it in the note that follows."""

    text: str
    what: str


@dataclass
class Changes:
    """What the engine told since the last look."""

    jobs: set[str] = field(default_factory=set)
    collected: set[str] = field(default_factory=set)
    ended: dict[str, str] = field(default_factory=dict)
    transfers: dict[str, tuple[str, int, int | None] | None] = field(default_factory=dict)
    listed: bool = False

    def __bool__(self) -> bool:
        return bool(self.jobs or self.listed)
