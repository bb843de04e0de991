"""A loop in a thread for blocking calls, and the account of a client."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec

from tui.config.settings import AccountConfig, Config

T = TypeVar("T")


class LoopThread:
    """Runs coroutines in a background event loop until ``stop`` is called."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="batchdeck client", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and return its result; an interrupt also cancels the coroutine."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Stop the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def run_blocking(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to completion, even where an event loop is already running. Blocking."""
    thread = LoopThread()
    try:
        return thread.run(work)
    finally:
        thread.stop()


def with_base_url(config: Config, account: str | None, base_url: str | None) -> tuple[Config, str]:
    """The settings and the name of the account to use with a base URL.

    Jobs sent to another URL get an account of their own in the history, so that they are never
    polled at the usual one: ``scaledown-127-0-0-1-8000``.

    Args:
        config: The settings.
        account: A configured account, or a provider's name; ``None`` for the default account.
        base_url: Overrides the base URL; ``None`` keeps it.
    """
    account = account or config.default_account
    table = config.accounts.get(account) or AccountConfig(provider=account)
    if base_url is None or base_url == table.base_url:
        return config, account
    host = re.sub(r"^https?://", "", base_url, flags=re.IGNORECASE)
    name = f"{account}-{re.sub(r'[^A-Za-z0-9]+', '-', host).strip('-')}"
    changed = msgspec.structs.replace(table, base_url=base_url)
    accounts = {name: changed, **config.accounts}
    return msgspec.structs.replace(config, accounts=accounts), name
