"""One piece of work with an open engine, ended cleanly whatever happens."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from tui.cli.failures import DeclinedError, InterruptedWorkError
from tui.cli.output import clean, is_terminal, say, write_stderr
from tui.cli.settings import Settings
from tui.errors import UnreachableError

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.store.history import History

Result = TypeVar("Result")

_PATIENCE_SECONDS = 0.5


def look(settings: Settings, work: Callable[[History], Result]) -> Result:
    """Open the history alone, read in it, close: no engine, no provider, a third of the time.

    Raises:
        ConfigError: The settings have a fault; a command is not to go by half of them.
    """
    from tui.config import load_config
    from tui.paths import Paths
    from tui.store.history import History

    paths = Paths.find(settings.home)
    load_config(paths)
    history = History(paths)
    try:
        return work(history)
    finally:
        history.close()


def run(settings: Settings, work: Callable[[Engine], Coroutine[Any, Any, Result]]) -> Result:
    """Open the engine, do the work, let answers under way be stored, close.

    Raises:
        InterruptedWorkError: SIGINT, SIGTERM or SIGHUP came before the work was done.
    """
    import asyncio

    from tui.config import load_config
    from tui.engine.engine import Engine
    from tui.paths import Paths

    paths = Paths.find(settings.home)
    config = load_config(paths)

    async def whole() -> Result:
        with _stopped_by_signals():
            engine = await Engine.open(paths, config)
            try:
                return await work(engine)
            finally:
                await _close(engine)

    try:
        return asyncio.run(whole())
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        raise InterruptedWorkError from error
    except BrokenPipeError as error:
        # Only a reader of stdout may go away in silence, and that is a ReaderGoneError.
        raise UnreachableError("a connection broke", "Try again.") from error


async def _close(engine: Engine) -> None:
    """Close the engine, which lets answers under way be stored; tell it when that takes long."""
    import asyncio

    closing = asyncio.ensure_future(engine.close())
    await asyncio.wait({closing}, timeout=_PATIENCE_SECONDS)
    if not closing.done():
        say("Storing what is under way; Ctrl-C ends at once.")
    await closing


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Cancel the running task on SIGTERM and SIGHUP, as asyncio does on SIGINT by itself."""
    import asyncio

    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    signals = (signal.SIGTERM, signal.SIGHUP)
    if task is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    for number in signals:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def stop_at_exit() -> Iterator[Callable[[], bool]]:
    """A ``stop`` for work in a thread: true once the block was left, by Ctrl-C for one."""
    left = threading.Event()
    try:
        yield left.is_set
    finally:
        left.set()


async def ask(settings: Settings, question: str) -> None:
    """Ask before money is spent or something is lost; go on only when the person says yes.

    Nobody is asked with ``--yes``, or when stdin is no terminal.

    Raises:
        DeclinedError: The person did not say yes.
    """
    if settings.yes or not is_terminal(sys.stdin):
        return
    write_stderr(f"{clean(question)} [y/N] ")
    answer = ""
    try:
        answer = await _line_from_stdin()
    finally:
        if not answer.endswith("\n"):
            # Neither Ctrl-C nor Ctrl-D ends the line of the question.
            write_stderr("\n")
    if answer.strip().lower() not in ("y", "yes"):
        raise DeclinedError


async def _line_from_stdin() -> str:
    """A line typed by the person; waits on the loop, so that Ctrl-C is heard at once."""
    import asyncio

    loop = asyncio.get_running_loop()
    typed: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not typed.done():
            typed.set_result(None)

    loop.add_reader(sys.stdin.fileno(), wake)
    try:
        await typed
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline()
