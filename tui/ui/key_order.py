"""The order of keys: each begins when the one before it is handled, with the dialog it opened.

Textual 8.2 gives a key to the widget that has the focus when the key is read. Of two keys in one
read the second is then handled before the bindings of the first (``ctrl+u`` would delete the
letters typed after it), and goes to the widget that the first one has just left (a letter after
``/`` would be a command).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from textual import events
from textual.message_pump import MessagePump

if TYPE_CHECKING:
    from textual.app import App

KEY_SECONDS = 3.0
"""The next key waits at most so long; a handler that takes longer must not block the keyboard."""

SETTLE_SECONDS = 0.25
"""What a handled key has caused is waited for at most so long."""

_QUIET_TURNS = 3


class KeyOrder:
    """Holds back what is typed while a key is being handled.

    Args:
        app: The app, whose message loop all methods run in.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._current: events.Key | None = None
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
        if isinstance(event, events.Key):
            self._current = event
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(KEY_SECONDS, self._done, event)

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
            self._settling = asyncio.create_task(self._settle(event))

    async def _settle(self, event: events.Key) -> None:
        """Wait for the messages and the screen that a key has caused."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SETTLE_SECONDS
        quiet = 0
        while quiet < _QUIET_TURNS and loop.time() < end:
            await asyncio.sleep(0)
            quiet = 0 if self._is_busy() else quiet + 1
        self._done(event)

    def _is_busy(self) -> bool:
        app = self._app
        if not app._running or not app.screen_stack:
            return False
        screen = app.screen
        nodes = (screen.focused or screen).ancestors_with_self
        return not screen.is_mounted or any(node._message_queue.qsize() for node in nodes)

    def _done(self, event: events.Key) -> None:
        if event is self._current:
            # In the app's message loop, behind a change of the focus that the key has caused.
            self._app.call_later(self._next, event)

    async def _next(self, event: events.Key) -> None:
        """Go on with what was held back, up to and including the next key."""
        if event is not self._current:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._current = self._settling = self._deadline = None
        while self._held and self._current is None:
            held = self._held.popleft()
            self._released = held
            await self._app._dispatch_message(held)
