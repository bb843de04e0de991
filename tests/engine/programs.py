"""Several programs in one process: whose task is whose, and how one of them is killed."""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections.abc import Callable
from typing import Any

from tui.engine.engine import Engine

_program: contextvars.ContextVar[int] = contextvars.ContextVar("program", default=-1)


class Killed(BaseException):
    """The program is gone at this moment: nothing that it does afterwards has an effect."""


def stop_writing(engine: Engine) -> None:
    """Let an engine write nothing more to the history, as if its process were gone."""

    def dead(**_: bool) -> Any:
        raise Killed("it writes no more")

    engine.history._database.write = dead  # type: ignore[method-assign,assignment]


def is_dead(engine: Engine) -> bool:
    """Whether an engine was stopped by ``stop_writing``."""
    return "write" in vars(engine.history._database)


def kill_at(engine: Engine, step: str, tell: Callable[[], object] = lambda: None) -> None:
    """Kill an engine when it reaches a step; ``step:2`` at the second time."""
    wanted, _, time = step.partition(":")
    left = int(time or 1)

    def reach(passed: str) -> None:
        nonlocal left
        if passed == wanted:
            left -= 1
            if left == 0:
                stop_writing(engine)
                tell()
                raise Killed(step)

    engine._context.reach = reach  # type: ignore[method-assign]


def _say_nothing_of_kills(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)


class Programs:
    """Knows for every task of a loop which program began it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._tasks: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        loop.set_task_factory(self._new_task)
        loop.set_exception_handler(_say_nothing_of_kills)

    def _new_task(self, loop: Any, coro: Any, **kw: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **kw)
        self._tasks[task] = _program.get()
        return task

    def context(self, program: int) -> contextvars.Context:
        """A context in which everything that begins belongs to a program."""
        context = contextvars.copy_context()
        context.run(_program.set, program)
        return context

    async def kill(self, program: int, engine: Engine) -> None:
        """End all tasks of a program, and close its files."""
        stop_writing(engine)
        tasks = [
            task
            for task in asyncio.all_tasks()
            if self._tasks.get(task) == program and task is not asyncio.current_task()
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(engine.history.close)
