"""A page of help, to read."""

from __future__ import annotations

import asyncio

from rich.text import Text
from textual import events, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.docs.terminal import drawn
from tui.docs.topics import Topic
from tui.ui.dialogs.text import TextDialog
from tui.ui.text.tones import content, key_hints


class TopicDialog(TextDialog):
    """A page of help.

    Args:
        topic: The page.
        heading: The heading to scroll to; empty for the beginning.
    """

    DEFAULT_CSS = """
    TopicDialog > .dialog { width: 116; height: 96%; padding: 0 0 0 1; }
    TopicDialog .dialog-keys { margin: 0; padding: 0 1; }
    """

    def __init__(self, topic: Topic, heading: str = "") -> None:
        super().__init__(topic.title)
        self._topic = topic
        self._heading = heading
        self._page = Static("", id="topic-page", markup=False)
        self._width = 0

    def compose_content(self) -> ComposeResult:
        """The page and the key hints."""
        with VerticalScroll(can_focus=True):
            yield self._page
        hints = key_hints(("↑↓", "scroll"), ("esc", "back"))
        shell = [*hints, (f"in a shell: batchdeck help {self._topic.name}", "muted")]
        yield Static(content(shell), classes="dialog-keys", markup=False)

    def on_resize(self, event: events.Resize) -> None:
        """Draw the page for the width that there is."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        # One cell is left free beside the scroll bar.
        width = self.query_one(VerticalScroll).scrollable_content_region.width - 1
        if width > 0 and width != self._width:
            self._width = width
            self._draw_page(width)

    @work(group="topic", exclusive=True, exit_on_error=False)
    async def _draw_page(self, width: int) -> None:
        lines = await asyncio.to_thread(drawn, self._topic.text, width, colours=True)
        texts = [Text.from_ansi(line) for line in lines]
        self._page.update(Content("\n").join([Content.from_rich_text(text) for text in texts]))
        heading, self._heading = self._heading, ""
        if heading and heading != self._topic.title:
            place = next((at for at, text in enumerate(texts) if text.plain.strip() == heading), 0)
            scroll = self.query_one(VerticalScroll)
            self.call_after_refresh(scroll.scroll_to, y=place, animate=False)
