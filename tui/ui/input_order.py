"""The order of keys and clicks: each begins when the one before it is handled, with its dialog.

Textual 8.2 gives a key to the widget that has the focus when the key is read. Of two keys in one
read the second is then handled before the bindings of the first (``ctrl+u`` would delete the
letters typed after it), and goes to the widget that the first one has just left (a letter after
``/`` would be a command). Likewise a click on a tab is handled before what a double click just
before it opens, which then covers the tab's pane.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from textual import events
from textual.message_pump import MessagePump

if TYPE_CHECKING:
    from textual.app import App
    from textual.widget import Widget

HANDLER_SECONDS = 3.0
"""The next key waits at most so long; a handler that takes longer must not block the keyboard."""

SETTLE_SECONDS = 0.25
"""What a handled key or click has caused is waited for at most so long, in processor time."""

_QUIET_TURNS = 3


class InputOrder:
    """Holds back what is typed and clicked while a key or a click is being handled.

    Args:
        app: The app, whose message loop all methods run in.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._current: events.InputEvent | None = None
        self._held: deque[events.Event] = deque()
        self._released: events.Event | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._settling: asyncio.Task[None] | None = None

    def holds(self, event: events.Event) -> bool:
        """Take an event from the terminal; whether it has to wait."""
        if event.is_forwarded or not isinstance(event, events.InputEvent | events.Paste):
            return False
        if event is self._released:
            self._released = None
        elif self._current is not None:
            self._held.append(event)
            return True
        self._begin(event)
        return False

    def _begin(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.MouseUp):
            self._current = event
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(HANDLER_SECONDS, self._done, event)

    def dispatched(self, pump: MessagePump, event: events.Key, *, was_forwarded: bool) -> None:
        """Follow a key: it is handled when it has bubbled up to the app, or goes no further.

        Args:
            pump: What has dispatched it.
            event: The key.
            was_forwarded: Whether the app had given it to a widget before this.
        """
        if event is not self._current or self._settling is not None:
            return
        if pump is self._app:
            # A priority binding handles a key without forwarding it.
            is_over = was_forwarded or not event.is_forwarded
        else:
            is_over = event._stop_propagation or not (pump.is_parent_active and pump.is_attached)
        if is_over:
            self._settling = asyncio.create_task(self._settle(event, None))

    def released(self, event: events.MouseUp) -> None:
        """Follow a click, which the app has just given to the widget below the mouse."""
        if event is self._current and self._settling is None:
            self._settling = asyncio.create_task(self._settle(event, self._app._mouse_down_widget))

    async def _settle(self, event: events.InputEvent, clicked: Widget | None) -> None:
        """Wait for the messages and the screen that a key or a click has caused."""
        # Not by the clock: on a busy machine the dashboard itself gets few of those seconds.
        end = time.thread_time() + SETTLE_SECONDS
        quiet = 0
        while quiet < _QUIET_TURNS and time.thread_time() < end:
            await asyncio.sleep(0)
            quiet = 0 if self._is_busy(clicked) else quiet + 1
        self._done(event)

    def _is_busy(self, clicked: Widget | None) -> bool:
        app = self._app
        if not app._running or not app.screen_stack:
            return False
        screen = app.screen
        nodes = [*(screen.focused or screen).ancestors_with_self]
        if clicked is not None:
            nodes += clicked.ancestors_with_self
        return not screen.is_mounted or any(node._message_queue.qsize() for node in nodes)

    def _done(self, event: events.InputEvent) -> None:
        if event is self._current:
            # In the app's message loop, behind a change of the focus that the key has caused.
            self._app.call_later(self._next, event)

    async def _next(self, event: events.InputEvent) -> None:
        """Go on with what was held back, up to and including the next key or click."""
        if event is not self._current:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._current = self._settling = self._deadline = None
        while self._held and self._current is None:
            held = self._held.popleft()
            self._released = held
            await self._app._dispatch_message(held)
