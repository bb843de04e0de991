"""What Textual 8.2 lacks so that no event ends or blocks the app: a guard on every message.

Textual closes an app at the first error in a handler, pops whatever screen is on top when a
screen is dismissed twice, and lays a screen out again for every size in its queue. ``install``
replaces the methods concerned, once, for all widgets, Textual's own included; an app that
does not derive from ``GuardedApp`` behaves as before.
"""

from __future__ import annotations

import contextlib
import functools
import time
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from textual import events
from textual._context import active_app, active_message_pump
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.errors import NoWidget
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import OptionList
from textual.worker import NoActiveWorker, WorkerFailed, get_current_worker

from tui.core.text import one_line
from tui.ui.activity_log import ActivityLog
from tui.ui.input_order import InputOrder

ResultT = TypeVar("ResultT")

REPEAT_SECONDS = 5.0
"""Seconds for which the same unexpected error is not shown again."""


class GuardedApp(App[ResultT]):
    """An app that lives on after an unexpected error in a handler.

    Attributes:
        outlives_errors: Whether it does; ``None``: if it has a terminal (a test should fail).
        activity_log: Where errors are logged.
    """

    outlives_errors: bool | None = None
    activity_log = ActivityLog(None)

    def __init__(self, **options: Any) -> None:
        install()
        super().__init__(**options)
        self._shown_errors: dict[str, float] = {}
        self.input_order = InputOrder(self)

    def report_unexpected(self, error: BaseException) -> None:
        """Show an unexpected error; its traceback goes to the log file."""
        text = one_line(self.activity_log.note_crash(error), 160)
        words = f"Unexpected error: {text}\nL shows the log"
        self.notify(words, markup=False, severity="error")

    def report_fatal(self, error: BaseException) -> str:
        """Two lines that say why the app ended, and where the details are."""
        log = self.activity_log
        lines = [f"batchdeck ended by an unexpected error: {one_line(log.note_crash(error), 200)}"]
        if log.file is not None:
            lines.append(f"Details are in {log.file}")
        return "\n".join(lines)

    def survive(self, error: Exception) -> bool:
        """Report an error of a handler; ``False`` if the app cannot go on."""
        outlives = not self.is_headless if self.outlives_errors is None else self.outlives_errors
        if not outlives or not self._running or not self.screen_stack_is_filled:
            return False
        if self._exit:
            return True
        kind = _kind_of(error)
        now = time.monotonic()
        if now - self._shown_errors.get(kind, -REPEAT_SECONDS) >= REPEAT_SECONDS:
            self._shown_errors[kind] = now
            self.report_unexpected(error)
        return True

    @property
    def screen_stack_is_filled(self) -> bool:
        """Whether a screen is there to show anything."""
        return bool(self._screen_stacks.get(self._current_mode))

    def _handle_exception(self, error: Exception) -> None:
        # Called by Textual for errors in callbacks, timers, workers and layouts.
        if isinstance(error, WorkerFailed) and _is_of_closed_widget():
            return
        if _is_leaving(active_message_pump.get(None)) or self.survive(error):
            return
        if self.is_headless:
            super()._handle_exception(error)
            return
        self._return_code = 1
        self._exit_renderables.append(self.report_fatal(error))
        self._close_messages_no_wait()


def _is_leaving(pump: object) -> bool:
    """Whether this is part of a screen that was closed: what its queue still held is over."""
    if not isinstance(pump, Widget):
        return False
    stack = pump.app.screen_stack
    return all(node not in stack for node in pump.ancestors_with_self)


def _is_of_closed_widget() -> bool:
    """Whether this is the worker of a widget that was removed: nobody waits for its result."""
    try:
        worker = get_current_worker()
    except NoActiveWorker:
        return False
    node = worker.node
    return not isinstance(node, App) and (not node.is_attached or _is_leaving(node))


def _kind_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return f"{type(error).__name__} {place}"


_dispatch_message = MessagePump._dispatch_message
_dismiss = Screen.dismiss
_move_page = OptionList._move_page
_forward_event = Screen._forward_event

_results: WeakKeyDictionary[Screen[Any], Any] = WeakKeyDictionary()
"""Screens that were dismissed while another one covered them, and their results."""


@functools.cache
def install() -> None:
    """Replace the methods."""
    MessagePump._dispatch_message = _guarded_dispatch  # type: ignore[method-assign,assignment]
    Screen.dismiss = _dismiss_once  # type: ignore[method-assign,assignment]
    OptionList._on_click = _click_if_there  # type: ignore[method-assign,assignment]
    Screen._forward_event = _forward_unless_removed  # type: ignore[method-assign,assignment]
    OptionList._move_page = _move_page_if_laid_out  # type: ignore[method-assign,assignment]


async def _guarded_dispatch(pump: MessagePump, message: Message) -> None:
    app = active_app.get(None)
    if not isinstance(app, GuardedApp):
        await _dispatch_message(pump, message)
        return
    if isinstance(pump, Screen):
        # A screen posts itself a Resize after each change of its size. Two sizes in its queue
        # would each bring the other back, for ever.
        if isinstance(message, events.Resize) and message.size != app.size:
            return
        if isinstance(message, events.ScreenResume) and pump in _results:
            pump.call_later(_close, pump, _results.pop(pump))
    if pump is app and isinstance(message, events.Event) and app.input_order.holds(message):
        return
    was_forwarded = message.is_forwarded
    try:
        await _dispatch_message(pump, message)
    except Exception as error:
        if not _is_leaving(pump) and not app.survive(error):
            raise
        if isinstance(message, events.Compose | events.Mount) and isinstance(pump, Screen):
            # Half a dialog: without this it would stay, perhaps without anything to focus.
            _close_unless_last(app, pump)
    finally:
        if isinstance(message, events.Key):
            app.input_order.dispatched(pump, message, was_forwarded=was_forwarded)
        elif isinstance(message, events.MouseUp) and pump is app:
            app.input_order.released(message)


def _close_unless_last(app: App[Any], screen: Screen[Any]) -> None:
    if len(app.screen_stack) > 1:
        app.call_later(_close, screen, None)


def _forward_unless_removed(screen: Screen[Any], event: events.Event) -> None:
    """Forward an event; a click on a widget that was removed, and is still drawn, hits nothing."""
    if isinstance(event, events.MouseEvent) and not event.is_forwarded:
        with contextlib.suppress(NoWidget):
            widget, _ = screen.get_widget_at(event.x, event.y)
            if widget is not screen and widget.parent is None:
                return
    _forward_event(screen, event)


_click_option = OptionList._on_click


async def _click_if_there(options: OptionList, event: events.Click) -> None:
    """Take a click on an option, unless it was removed after it was drawn."""
    place = event.style.meta.get("option")
    if place is None or place < options.option_count:
        await _click_option(options, event)


def _move_page_if_laid_out(options: OptionList, direction: Any) -> None:
    """Move by a page; in a list without room the lines that this needs are not known."""
    if (options.highlighted or 0) in options._index_to_line:
        _move_page(options, direction)


def _close(screen: Screen[Any], result: Any) -> None:
    """Dismiss a screen from a callback, which must not wait for it."""
    _dismiss_once(screen, result)


def _dismiss_once(screen: Screen[Any], result: Any = None) -> AwaitComplete:
    """Dismiss a screen, if it is still there, as soon as it is on top."""
    stack = screen.app.screen_stack
    if stack and stack[-1] is screen:
        return _dismiss(screen, result)
    if screen in stack:
        _results.setdefault(screen, result)
    return AwaitComplete()
