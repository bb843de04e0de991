"""The filter of the job list, and its sections: filters that are kept by name."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from tui.core.alerts import Flag, most_urgent, retention_flags, stuck_flags
from tui.core.jobs import Batch, BatchStatus, Job, is_terminal, parse_moment
from tui.core.text import quoted
from tui.errors import UsageError

MOST_SECTIONS = 20
"""Sections of the user's own."""

_NAME = re.compile(r"[\w][\w \-]{0,23}")


@dataclass(frozen=True)
class Section:
    """A section: its name and the filter of the job list, as it is typed."""

    name: str
    text: str


BUILT_IN = (
    Section("All jobs", ""),
    Section("Running", "is:running"),
    Section("Needs me", "needs:me"),
    Section("This week", "since:7d"),
)
"""The sections that are always there."""


def sections(own: Mapping[str, str]) -> tuple[Section, ...]:
    """All sections: the built-in ones, then the user's own (name to filter)."""
    return (*BUILT_IN, *(Section(name, " ".join(text.split())) for name, text in own.items()))


def section_of(text: str, known: tuple[Section, ...]) -> Section | None:
    """The section with a filter; ``None`` if the filter is not kept."""
    return next((section for section in known if section.text == text), None)


def section_named(name: str, known: tuple[Section, ...]) -> Section:
    """The section of a name as it is typed in a shell: ``Needs me``, ``needs-me``.

    Raises:
        UsageError: There is none.
    """

    def plain(text: str) -> str:
        return text.casefold().replace("-", " ")

    alike = [section for section in known if plain(section.name) == plain(name)]
    # Two sections may differ by their case only.
    for section in sorted(alike, key=lambda section: section.name != name):
        return section
    names = ", ".join(section.name for section in known)
    raise UsageError(f"there is no section {quoted(name)}", f"The sections are: {names}.")


def check_section_name(name: str, own: Mapping[str, str]) -> str:
    """The name under which a filter can be kept.

    Raises:
        UsageError: It cannot.
    """
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise UsageError(
            "not a name for a section", "Use up to 24 letters, digits, spaces, '-' and '_'."
        )
    if any(name.casefold() == section.name.casefold() for section in BUILT_IN):
        raise UsageError(f"{name} is a section already", "Choose another name.")
    if name not in own and len(own) >= MOST_SECTIONS:
        raise UsageError(f"there are {MOST_SECTIONS} sections already", "Remove one in [sections].")
    return name


RECENT_SECONDS = 7 * 86_400.0
"""For how long a job that ended with failed rows asks for attention."""


@dataclass
class ListedJob:
    """A job as the filter sees it.

    ``kept_until`` is when the provider deletes results that are not downloaded yet. ``batches``
    are those of a job that is live.
    """

    job: Job
    kept_until: float | None = None
    batches: list[Batch] = field(default_factory=list)

    @cached_property
    def search_text(self) -> str:
        """The text that the filter searches, case-folded."""
        job = self.job
        parts = (job.name, job.id, job.account, job.provider, job.model, job.status.value)
        tags = " ".join(f"#{tag}" for tag in job.tags)
        return " ".join((*parts, tags, job.note)).casefold()

    @property
    def trouble(self) -> str:
        """What is wrong with one of the batches, or with the job; empty if nothing is."""
        return next((batch.trouble for batch in self.batches if batch.trouble), self.job.trouble)

    def flags(self, now: float) -> list[Flag]:
        """Warnings about the job, most urgent first."""
        flags = stuck_flags(self.batches, now) if self.is_live else []
        return most_urgent([*flags, *retention_flags(self.kept_until, now)])

    @property
    def is_live(self) -> bool:
        """Will the job make progress without action by the user?"""
        return not is_terminal(self.job.status) and self.job.status != BatchStatus.DRAFT


def created_range(word: str, now: float) -> tuple[float, float] | None:
    """The times of creation that ``since:7d`` or ``before:2026-11-20`` asks for.

    Args:
        word: A word of the filter; see ``parse_moment``.
        now: The current time, in Unix seconds.

    Returns:
        The first time, and the one after the last, in Unix seconds; ``None`` for another word,
        and while a date is being typed.
    """
    key, _, value = word.partition(":")
    if key not in ("since", "before"):
        return None
    moment = parse_moment(value, now)
    if moment is None:
        return None
    return (moment, math.inf) if key == "since" else (-math.inf, moment)


def needs_me(view: ListedJob, now: float) -> bool:
    """Whether somebody should do something about a job.

    It has a warning or a problem, is not sent, or ended with failed rows in the last days.
    """
    job = view.job
    if job.status == BatchStatus.DRAFT or view.trouble or view.flags(now):
        return True
    ended = job.ended_at
    is_recent = ended is not None and ended > now - RECENT_SECONDS
    return is_recent and not view.is_live and job.counts.unanswered > 0


JOB_WORDS: dict[str, Callable[[ListedJob, float], bool]] = {
    "is:running": lambda view, now: view.is_live,
    "is:draft": lambda view, now: view.job.status == BatchStatus.DRAFT,
    "is:ended": lambda view, now: not view.is_live and view.job.status != BatchStatus.DRAFT,
    "needs:me": needs_me,
}
"""Words of the filter of the job list that are about the state of a job."""


def depends_on_state(text: str) -> bool:
    """Whether other jobs may match a filter text when jobs go on."""
    return not JOB_WORDS.keys().isdisjoint(text.casefold().split())


_Listed = TypeVar("_Listed", bound=ListedJob)


def matching(views: Sequence[_Listed], text: str, now: float) -> list[_Listed]:
    """The jobs that match every word of a filter text, in the same order.

    Args:
        views: The jobs.
        text: What is typed in the job list.
        now: Unix seconds.
    """
    # One plain loop per condition is fastest: there may be thousands of jobs.
    found = list(views)
    for word in text.casefold().split():
        created = created_range(word, now)
        if (fits := JOB_WORDS.get(word)) is not None:
            found = [view for view in found if fits(view, now)]
        elif created is not None:
            first, last = created
            found = [view for view in found if first <= view.job.created_at < last]
        else:
            found = [view for view in found if word in view.search_text]
    return found
