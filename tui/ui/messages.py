"""What panes ask of the app, and what the app tells them; panes never do the work themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from tui.core.filtering import ALL_ROWS, RowFilter

if TYPE_CHECKING:
    from tui.compose.estimate import Estimate
    from tui.compose.report import CheckReport
    from tui.engine.trying import Trial
    from tui.errors import BatchdeckError


@dataclass
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


@dataclass
class SubmitRequested(Message):
    """A checked file is to become a job and be sent; with ``sample`` so many rows of it first."""

    path: Path
    account: str
    name: str
    window: str
    fix: bool
    rows: int
    model: str
    input_tokens: int
    estimate: Estimate | None = None
    sample: int = 0


@dataclass
class ComposeRequested(Message):
    """Something that only Compose asks for."""


@dataclass
class FixesRequested(ComposeRequested):
    """A mended copy of a file is to be made; which fixes, is asked."""

    path: Path
    report: CheckReport
    account: str


@dataclass
class TryRequested(ComposeRequested):
    """One request is to be sent at once, outside any batch.

    ``row`` is a request line, or a file and ``line`` counts its rows from 1. The answer, or why
    there is none, goes to ``done``; without it a dialog shows it.
    """

    row: bytes | Path
    account: str
    line: int = 1
    done: Callable[[Trial | BatchdeckError], None] | None = None


@dataclass
class SourceOpened(ComposeRequested):
    """A source was opened, and is to be offered again."""

    spec: str


@dataclass
class DraftSubmitRequested(Message):
    """A job that was not sent yet is to be sent."""

    job_id: str


@dataclass
class RetryRequested(Message):
    """Rows are to be sent again; ``rows`` is ``None`` for all without an answer."""

    job_id: str
    rows: RowFilter | Sequence[int] | None = None
    edit: bool = False
    subject: str = "every row without an answer"


@dataclass
class JobRequested(Message):
    """Something simple is to be done to a job: ``cancel``, ``collect`` or ``delete``."""

    verb: str
    job_id: str


@dataclass
class ExportRequested(Message):
    """Rows of a job are to be written to a file."""

    job_id: str
    rows: RowFilter = ALL_ROWS
    count: int = 0
    subject: str = "all rows"


@dataclass
class FileRequested(Message):
    """A file of requests is to be chosen."""


@dataclass
class SampleRequested(ComposeRequested):
    """A sample file for the sandbox is to be made and shown in Compose."""


@dataclass
class CopyRequested(Message):
    """A text is to go to the clipboard; ``what`` names it in the note that follows."""

    text: str
    what: str


@dataclass
class ExternalRequested(Message):
    """A text is to be shown in another program: ``pager`` or ``editor``."""

    program: str
    text: str = ""
    path: Path | None = None
    suffix: str = ".txt"


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
