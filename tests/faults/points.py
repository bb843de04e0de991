"""What a point with several faults runs in: a provider with books, its key, and no real pauses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from tests.engine.programs import Killed
from tests.faults.kill_server import ProviderRecord, served
from tests.faults.wire_bench import KEY, at_once
from tui.providers.wire import retry

KEY_VARIABLE = "BATCHDECK_KEY_FAR"


class _Judged(Protocol):
    wrong: list[str]
    seconds: float


JudgedT = TypeVar("JudgedT", bound=_Judged)


@contextmanager
def provider(
    like: str, folder: Path, rate: float
) -> Iterator[tuple[ProviderRecord, pytest.MonkeyPatch]]:
    """A provider that answers so many rows a second (0: at once), and what is set for it."""
    with (
        served(like, folder / "provider", rate, key=KEY) as truth,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv(KEY_VARIABLE, KEY)
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        patch.setattr(retry, "sleep", at_once)
        yield truth, patch


def judged(work: Coroutine[Any, Any, JudgedT], make: Callable[[], JudgedT]) -> JudgedT:
    """Run a point to its end; an error of its own is what is wrong with it."""
    began = time.monotonic()
    try:
        result = asyncio.run(work)
    except (Killed, Exception) as error:
        result = make()
        result.wrong.append(f"{type(error).__name__}: {error}")
    result.seconds = time.monotonic() - began
    return result
