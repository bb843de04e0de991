"""The line above the job list: its sections, or the conditions of the filter."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui.core.analysis.sections import Section
from tui.core.text import one_line
from tui.ui.text.tones import Part, content
from tui.ui.widgets.filter_line import FilterLine

_NAME = 24


class SectionBar(Static):
    """One line: the sections as tabs, or a text in their place."""

    DEFAULT_CSS = """
    SectionBar { width: 1fr; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    @dataclass
    class Chosen(Message):
        """Posted when a section is clicked."""

        section: Section

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._places: list[tuple[int, int, Section]] = []
        self._sections: tuple[Section, ...] = ()
        self._active: Section | None = None

    def show_sections(self, sections: tuple[Section, ...], active: Section) -> None:
        """Show the sections; the active one stands out, and is not cut off."""
        self._sections, self._active = sections, active
        self._places = []
        shown: list[tuple[str, str]] = []
        left = 0
        for section in sections:
            label = f" {one_line(section.name, _NAME)} "
            # With attributes, not colours alone: every theme shows them.
            style = "bold $text-accent $tone-chip" if section == active else "$tone-muted"
            shown.append((label, style))
            self._places.append((left, left + cell_len(label), section))
            left += cell_len(label)
        self.update(self._fitted(shown), layout=False)

    def _fitted(self, shown: list[tuple[str, str]]) -> Content:
        """The sections that fit: from the first one on with which the active one is visible."""
        places = self._places
        width = self.size.width or places[-1][1]
        at = next(at for at, place in enumerate(places) if place[2] == self._active)
        first = 0
        while first < at and places[at][1] - places[first][0] > width:
            first += 1
        start = places[first][0]
        last = first
        while last + 1 < len(places) and places[last + 1][1] - start <= width:
            last += 1
        self._places = [(a - start, b - start, one) for a, b, one in places[first : last + 1]]
        return Content.assemble(*shown[first : last + 1])

    def on_resize(self) -> None:
        """Show as many sections as fit now."""
        if self._active is not None and self._places:
            self.show_sections(self._sections, self._active)

    def show_text(self, text: Content) -> None:
        """Show something else in place of the sections."""
        self._places = []
        self.update(text, layout=False)

    def on_click(self, event: events.Click) -> None:
        """Choose a section; the active one, and the rest of the line, let the filter be typed."""
        for left, right, section in self._places:
            if left <= event.x < right and section != self._active:
                event.stop()
                self.post_message(self.Chosen(section))


class SectionLine(FilterLine):
    """The filter line of the job list, with its sections while nothing else is filtered.

    Args:
        placeholder: The text of the empty field.
    """

    DEFAULT_CSS = "SectionLine #filter-count { width: 18; }"

    def __init__(self, placeholder: str, *, id: str | None = None) -> None:
        self._bar = SectionBar(id="job-sections")
        super().__init__(placeholder, summary=self._bar, id=id)

    def show_in_section(
        self, sections: tuple[Section, ...], active: Section, shown: int, total: int
    ) -> None:
        """Show the sections, and how many of how many jobs are in the active one."""
        self._bar.show_sections(sections, active)
        self.show_count(shown, total)

    def show_conditions(self, parts: list[Part]) -> None:
        """Show the conditions in place of the sections."""
        self._bar.show_text(content(parts))
