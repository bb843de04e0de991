"""What a provider has, page by page, and the bringing in of one batch: for the dialog of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tui.core.jobs import Job

if TYPE_CHECKING:
    from tui.engine.adopter import RemoteEntry
    from tui.engine.engine import Engine

PAGE = 100
"""Batches that are asked for at a time."""

Keyed = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Does something; when its key is missing, asks for one and does it again."""


class RemoteDesk:
    """Reads the list of one account at a time.

    Args:
        engine: What asks the providers.
        keyed: Asks for a missing key.
    """

    def __init__(self, engine: Engine, keyed: Keyed) -> None:
        self._engine = engine
        self._keyed = keyed
        self._account = ""
        self._entries: AsyncIterator[RemoteEntry] | None = None

    def accounts(self) -> list[str]:
        """The accounts whose provider makes batches."""
        engine = self._engine
        return [name for name in engine.account_names() if not engine.account(name).direct]

    async def page(self, account: str, *, fresh: bool) -> tuple[list[RemoteEntry], bool]:
        """The next batches of the provider's list, newest first, and whether there may be more.

        Args:
            account: Whose list.
            fresh: Begin with the newest again.

        Raises:
            UsageError: The provider has no list.
            BatchdeckError: It could not be asked.
        """
        page: tuple[list[RemoteEntry], bool] = await self._keyed(
            account, lambda: self._page(account, fresh=fresh)
        )
        return page

    async def _page(self, account: str, *, fresh: bool) -> tuple[list[RemoteEntry], bool]:
        if fresh or self._entries is None or account != self._account:
            self._account, self._entries = account, self._engine.walk_remote(account)
        entries = self._entries
        found: list[RemoteEntry] = []
        async for entry in entries:
            found.append(entry)
            if len(found) == PAGE:
                return found, True
        self._entries = None
        return found, False

    async def adopt(self, account: str, remote_id: str) -> Job:
        """Bring a batch into the history.

        Raises:
            BatchdeckError: It cannot be done.
        """
        job: Job = await self._keyed(
            account, lambda: self._engine.adopt(remote_id, account=account)
        )
        return job
