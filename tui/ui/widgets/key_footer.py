"""The footer of the main screen: the keys that work now, and more of them where there is room."""

from __future__ import annotations

from collections.abc import Iterator

from textual import events
from textual.app import ComposeResult
from textual.binding import ActiveBinding
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


class KeyFooter(Footer):
    """A footer with the keys that work: a disabled command is not in it.

    The commands of the table's ``footer`` come first; the user's own and those of ``IF_ROOM`` fill
    the rest.
    """

    def compose(self) -> ComposeResult:
        """The keys."""
        if not self._bindings_ready:
            return
        chosen = list(self._chosen())
        self.styles.grid_size_columns = len(chosen)
        for active in chosen:
            binding = active.binding
            yield FooterKey(
                binding.key,
                self.app.get_key_display(binding),
                _SHORT.get(binding.id or "", binding.description),
                binding.action,
                tooltip=active.tooltip,
            ).data_bind(compact=Footer.compact)

    def on_resize(self, event: events.Resize) -> None:
        """Show more or fewer keys for another width."""
        self.call_after_refresh(self.recompose)

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

    def _width(self, active: ActiveBinding) -> int:
        binding = active.binding
        return (
            len(self.app.get_key_display(binding))
            + 1
            + len(_SHORT.get(binding.id or "", binding.description))
        )
