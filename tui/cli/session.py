"""Run one command with an open engine or history, and close it cleanly."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from tui.cli.errors import EXIT_INTERRUPTED, DeclinedError, InterruptedWorkError
from tui.cli.input_file import standard_input_was_read
from tui.cli.options import Settings
from tui.cli.output import bottom_lines, clean, is_terminal, say, write_stderr
from tui.errors import UnreachableError, UsageError
from tui.progress import ExitTimer

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.store.history import History

Result = TypeVar("Result")

_NOTICE_SECONDS = 0.5


def read_history(settings: Settings, work: Callable[[History], Result]) -> Result:
    """Run a function on the history without starting the engine, in a third of the time.

    Raises:
        ConfigError: ``config.toml`` is not valid. A command does not run with partial settings.
    """
    from tui.store.history import History

    settings.load_config()
    history = History(settings.paths)
    try:
        return work(history)
    finally:
        history.close()


def run(settings: Settings, work: Callable[[Engine], Coroutine[Any, Any, Result]]) -> Result:
    """Open the engine, run the work, store the answers in flight, and close.

    Raises:
        InterruptedWorkError: SIGINT, SIGTERM or SIGHUP arrived before the work was done.
    """
    import asyncio

    from tui.engine.engine import Engine

    config = settings.load_config()
    leaving = ExitTimer()

    async def run_with_engine() -> Result:
        with _stopped_by_signals():
            engine = await Engine.open(settings.paths, config)
            interrupted = True
            try:
                result = await work(engine)
                interrupted = False
                return result
            except Exception:
                interrupted = False
                raise
            finally:
                await _close(engine)
                if interrupted:
                    # A thread may be busy in a call that nothing can stop.
                    leaving.start(EXIT_INTERRUPTED)

    try:
        return asyncio.run(run_with_engine())
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        raise InterruptedWorkError from error
    except BrokenPipeError as error:
        # A closed stdout raises OutputClosedError, so this is a network connection.
        raise UnreachableError("the connection was lost", "Try again.") from error
    finally:
        leaving.cancel()


async def _close(engine: Engine) -> None:
    """Close the engine, which stores the answers in flight; print a message if that takes long."""
    import asyncio

    closing = asyncio.ensure_future(engine.close())
    await asyncio.wait({closing}, timeout=_NOTICE_SECONDS)
    if not closing.done():
        say("Finishing up… press Ctrl-C to quit now.")
    await closing


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Cancel the current task on SIGTERM and SIGHUP, as asyncio does on SIGINT."""
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


def asks_before_sending(settings: Settings) -> bool:
    """Whether ``confirm`` asks: without ``--yes``, at a terminal.

    Raises:
        UsageError: The requests came from standard input, where no answer can be read any more.
    """
    if settings.yes:
        return False
    if standard_input_was_read():
        raise UsageError(
            "the requests were read from standard input, so Batchdeck cannot ask there whether to"
            " send them",
            "Add -y to send them without asking.",
        )
    return is_terminal(sys.stdin)


async def confirm(settings: Settings, question: str) -> None:
    """Ask for confirmation before spending money or deleting something.

    With ``--yes``, or if stdin is not a terminal, the answer is taken to be yes.

    Raises:
        DeclinedError: The user did not say yes.
    """
    if not asks_before_sending(settings):
        return
    answer = ""
    with bottom_lines():
        write_stderr(f"{clean(question)} [y/N] ")
        try:
            answer = await _line_from_stdin()
        finally:
            if not answer.endswith("\n"):
                # Ctrl-C and Ctrl-D leave the cursor on the line of the question.
                write_stderr("\n")
    if answer.strip().lower() not in ("y", "yes"):
        raise DeclinedError


async def _line_from_stdin() -> str:
    """Read a line from stdin; waits on the event loop so that Ctrl-C takes effect immediately."""
    import asyncio

    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sys.stdin.fileno(), wake)
    try:
        await ready
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline()
