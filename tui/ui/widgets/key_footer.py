"""The footers: the keys that work now; on the main screen more of them where there is room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual import events
from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.screen import Screen
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

from tui.ui.commands.own_commands import PREFIX
from tui.ui.theme import MEDIUM

IF_ROOM = (
    "retry_edit",
    "groups",
    "summary",
    "facets",
    "compare",
    "mark",
    "tags",
    "note",
    "errors_only",
    "columns",
    "log",
    "quit",
)
"""Commands that the footer shows where it is wide enough, the most useful first."""

_SHORT = {"groups": "Groups"}
"""Titles that are shorter here than in the palette."""

_LAST = "help"
_GAP, _WIDE_GAP = 2, 3
"""Cells beside a key and its title, in a narrow terminal and in a wide one."""


class _Key(FooterKey):
    """A key of a footer, which can become another one."""

    def __init__(self) -> None:
        super().__init__("", "", "", "")

    def show(self, active: ActiveBinding, display: str, title: str) -> None:
        """Show this key."""
        shown = (active.binding.key, display, title, active.binding.action, not active.enabled)
        self.tooltip = active.tooltip or None
        self.display = True
        if shown != (self.key, self.key_display, self.description, self.action, self._disabled):
            self.key, self.key_display, self.description, self.action, self._disabled = shown
            self.set_class(self._disabled, "-disabled")
            self.refresh(layout=True)


class SteadyFooter(Footer):
    """A footer whose keys are changed in place.

    Textual's removes all of its keys and mounts others, and a click that comes meanwhile is lost.
    """

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)

    def compose(self) -> ComposeResult:
        """No keys, until it is known which ones work."""
        yield from ()

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Show the keys that work now."""
        self._bindings_ready = True
        if screen.app.app_focus and self.is_attached and screen is self.screen:
            self.call_after_refresh(self._show_keys)

    def on_resize(self, event: events.Resize) -> None:
        """Show more or fewer keys for another width."""
        self.call_after_refresh(self._show_keys)

    def _show_keys(self) -> None:
        if not (self._bindings_ready and self.is_attached):
            return
        self.set_class(self.app.size.width >= MEDIUM, "-airy")
        chosen = list(self._chosen())
        keys = list(self.query_children(_Key))
        if len(keys) < len(chosen):
            more = [_Key() for _ in chosen[len(keys) :]]
            self.mount_all(more)
            keys += more
        for key, active in zip(keys, chosen, strict=False):
            key.show(active, self.app.get_key_display(active.binding), self._title(active))
        for key in keys[len(chosen) :]:
            key.display = False

    def _chosen(self) -> Iterator[ActiveBinding]:
        """The bindings to show, one for each action: where room lacks, the first ones and help."""
        shown: dict[str, ActiveBinding] = {}
        for active in self.screen.active_bindings.values():
            if active.binding.show:
                shown.setdefault(active.binding.action, active)
        last = [active for active in shown.values() if active.binding.id == _LAST]
        first = [active for active in shown.values() if active not in last]
        while len(first) > 1 and not self._fits([*first, *last]):
            first.pop()
        yield from (*first, *last)

    def _fits(self, shown: Sequence[ActiveBinding]) -> bool:
        """Whether these keys fit in the line, which has a blank at both ends if it is airy."""
        width = self.app.size.width
        room, gap = (width - 2, _WIDE_GAP) if width >= MEDIUM else (width, 1)
        return sum(self._width(active) for active in shown) + gap * (len(shown) - 1) <= room

    def _title(self, active: ActiveBinding) -> str:
        return active.binding.description

    def _width(self, active: ActiveBinding) -> int:
        return len(self.app.get_key_display(active.binding)) + 1 + len(self._title(active))


class KeyFooter(SteadyFooter):
    """A footer with the keys that work: a disabled command is not in it.

    The commands of the table's ``footer`` come first; the user's own and those of ``IF_ROOM`` fill
    the rest.
    """

    def _chosen(self) -> Iterator[ActiveBinding]:
        """The bindings to show, one for each action."""
        enabled: dict[str, ActiveBinding] = {}
        for active in self.screen.active_bindings.values():
            if active.enabled:
                enabled.setdefault(active.binding.action, active)
        shown = [active for active in enabled.values() if active.binding.show]
        width = self.app.size.width
        gap = _WIDE_GAP if width >= MEDIUM else _GAP
        left = width - 2 - sum(self._width(active) + gap for active in shown)
        by_id = {active.binding.id: active for active in enabled.values()}
        more: list[ActiveBinding] = []
        own = [name for name in by_id if name is not None and name.startswith(PREFIX)]
        for name in (*own, *IF_ROOM):
            extra = by_id.get(name)
            if extra is None or extra in shown:
                continue
            if (needed := self._width(extra) + gap) <= left:
                left -= needed
                more.append(extra)
        last = [active for active in shown if active.binding.id == _LAST]
        yield from (active for active in shown if active not in last)
        yield from more
        yield from last

    def _title(self, active: ActiveBinding) -> str:
        return _SHORT.get(active.binding.id or "", active.binding.description)
