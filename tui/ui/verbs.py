"""What the verbs of the dashboard share, whichever file they are in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.ui.app import BatchdeckApp

T = TypeVar("T")


class Verbs:
    """A part of ``tui.ui.work.Work``, which asks for keys and tells what was done."""

    _app: BatchdeckApp
    _engine: Engine

    async def _keyed(self, account: str, work: Callable[[], Awaitable[T]]) -> T:
        raise NotImplementedError

    def _say(self, text: str, *, warn: bool = False) -> None:
        raise NotImplementedError
