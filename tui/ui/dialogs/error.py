"""What went wrong, what to do next, and the provider's own words."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.core.text import visible
from tui.errors import BatchdeckError, InputError, ProviderError
from tui.ui.dialogs.dialog import Dialog
from tui.ui.signals import CopyRequested
from tui.ui.tones import Part, content

_SCROLL_KEYS = frozenset({"up", "down", "pageup", "pagedown", "home", "end"})


class ErrorDialog(Dialog[None]):
    """An error to read; ``c`` copies it, any other key closes.

    Args:
        error: What happened.
        what: What was being done, as a heading.
    """

    DEFAULT_CSS = """
    ErrorDialog > .dialog { width: 76; }
    ErrorDialog VerticalScroll { height: auto; max-height: 16; }
    ErrorDialog .dialog-keys { height: 1; margin: 1 0; }
    """

    def __init__(self, error: BatchdeckError, what: str = "") -> None:
        super().__init__()
        self.TITLE_TEXT = what or error.title
        self._error = error
        self._heading = error.title if what else ""

    def compose_inside(self) -> ComposeResult:
        """Words, and the two keys."""
        with VerticalScroll(can_focus=True):
            yield Static(content(self._parts()).rstrip(), markup=False)
        keys: list[Part] = [("c", "accent"), (" copies this   ", "muted")]
        keys += [("any other key", "accent"), (" closes", "muted")]
        yield Static(content(keys), classes="dialog-keys")

    def _parts(self) -> list[Part]:
        error = self._error
        parts: list[Part] = []
        if self._heading:
            parts.append((self._heading + "\n", "bad"))
        parts.append((visible(error.message, newlines=True) + "\n", "strong"))
        if error.hint:
            parts.append(("\n" + visible(error.hint, newlines=True) + "\n", ""))
        if isinstance(error, InputError) and error.path is not None:
            line = f", line {error.line:,}" if error.line else ""
            parts.append((f"\n{visible(str(error.path))}{line}\n", "muted"))
        if isinstance(error, ProviderError):
            facts = [f"HTTP {error.status}" if error.status else "", error.code or ""]
            if error.request_id:
                facts.append(f"request {error.request_id}")
            said = " · ".join(visible(fact) for fact in facts if fact)
            if said:
                parts.append((f"\n{said}\n", "muted"))
            if error.body:
                parts.append(("\nThe provider says:\n", "muted"))
                parts.append((visible(error.body, newlines=True), ""))
        return parts

    def on_key(self, event: events.Key) -> None:
        """Copy, scroll, or close."""
        event.stop()
        event.prevent_default()
        if event.key == "c":
            text = "".join(text for text, _ in self._parts())
            self.post_message(CopyRequested(text, "the error"))
        elif event.key in _SCROLL_KEYS:
            scroll = self.query_one(VerticalScroll)
            if event.key in ("up", "pageup", "home"):
                scroll.scroll_page_up(animate=False)
            else:
                scroll.scroll_page_down(animate=False)
        else:
            self.dismiss(None)
