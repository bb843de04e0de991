"""What panes ask of the app; they never do the work themselves.

The app takes every ``WorkRequested`` and hands it on, so that a new one is added here and in
``tui/ui/work.py`` alone. Those that the frame takes itself are in ``tui/ui/signals.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tui.ui.signals import WorkRequested

if TYPE_CHECKING:
    from tui.compose.estimate import Estimate
    from tui.compose.report import CheckReport
    from tui.core.filtering import RowFilter
    from tui.core.media import Medium
    from tui.engine.trying import Trial
    from tui.errors import BatchdeckError


@dataclass
class SubmitRequested(WorkRequested):
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
class ComposeRequested(WorkRequested):
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
class DraftSubmitRequested(WorkRequested):
    """A job that was not sent yet is to be sent."""

    job_id: str


@dataclass
class RetryRequested(WorkRequested):
    """Rows are to be sent again; ``rows`` is ``None`` for all without an answer."""

    job_id: str
    rows: RowFilter | Sequence[int] | None = None
    edit: bool = False
    subject: str = "every row without an answer"


@dataclass
class JobRequested(WorkRequested):
    """Something simple is to be done with a job.

    ``verb`` is ``cancel``, ``collect``, ``delete``, ``summary`` or ``compare``; ``other`` is the
    job to compare with, empty for one that is still to be chosen.
    """

    verb: str
    job_id: str
    other: str = ""


@dataclass
class RemoteRequested(WorkRequested):
    """The provider's own list of batches is to be shown, of this account at first."""

    account: str | None = None


@dataclass
class AnnotateRequested(WorkRequested):
    """Something is to be written on a job: its ``tags`` or its ``note``."""

    job_id: str
    what: str


@dataclass
class DetailsRequested(WorkRequested):
    """All facts about a job are to be shown."""

    job_id: str


@dataclass
class SettingsRequested(WorkRequested):
    """Settings are to be changed."""


@dataclass
class AccountFilterRequested(WorkRequested):
    """An account is to be chosen whose jobs are listed."""


@dataclass
class ExportRequested(WorkRequested):
    """Rows of a job are to be written to a file.

    ``shown`` are the rows that a filter lets through, in the order on the screen, and
    ``marked`` those with a mark; ``None`` where there is no filter, or no mark.
    """

    job_id: str
    shown: Sequence[int] | None = None
    marked: Sequence[int] | None = None


@dataclass
class MediaRequested(WorkRequested):
    """Images and sounds of an answer are to be saved; ``name`` is the id of its row."""

    media: Sequence[Medium]
    name: str


@dataclass
class SchemaRequested(WorkRequested):
    """The answers of a job are to be checked by a schema."""

    job_id: str


@dataclass
class FileRequested(WorkRequested):
    """A file of requests is to be chosen."""


@dataclass
class SampleRequested(ComposeRequested):
    """A sample file for the sandbox is to be made and shown in Compose."""


@dataclass
class ExternalRequested(WorkRequested):
    """A text is to be shown in another program: ``pager`` or ``editor``."""

    program: str
    text: str = ""
    path: Path | None = None
    suffix: str = ".txt"
