"""Named sections of the job list: filters that are kept, those of everybody and one's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

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
