"""The verbs about what the provider keeps: list it, bring a batch in, delete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from tui.core.jobs import Job
from tui.core.status import is_terminal
from tui.engine.adopter import RemoteEntry, adopt, list_remote
from tui.engine.context import Context
from tui.engine.counting import TokenCount, count_tokens
from tui.engine.events import JobDeleted, JobImported
from tui.engine.remover import remove_remote
from tui.errors import UsageError
from tui.store.deleting import delete_job

if TYPE_CHECKING:
    from tui.engine.watcher import Watcher


class Remoting:
    """What the engine can do with batches beyond sending and watching its own."""

    _context: Context
    _watcher: Watcher

    async def count_tokens(
        self, path: Path, rows: int, *, account: str | None = None
    ) -> TokenCount:
        """Let the provider count the input tokens of some rows of a file, for free.

        Raises:
            UsageError: The provider does not count.
        """
        context = self._context
        return await count_tokens(context, path, account or context.accounts.default, rows)

    async def sync(self, account: str | None = None) -> list[RemoteEntry]:
        """The batches that the provider has, with the jobs that they belong to here."""
        return [entry async for entry in self.walk_remote(account)]

    def walk_remote(self, account: str | None = None) -> AsyncIterator[RemoteEntry]:
        """The same one by one, newest first: what is not taken is not asked for.

        Raises:
            UsageError: The provider has no list.
        """
        return list_remote(self._context, account or self._context.accounts.default)

    async def adopt(
        self, remote_id: str, *, account: str | None = None, name: str | None = None
    ) -> Job:
        """Bring a batch that was not made here into the history, and watch it.

        Raises:
            UsageError: It is here already, or its rows cannot be known yet.
        """
        context = self._context
        batch = await context.shielded(
            adopt(context, account or context.accounts.default, remote_id, name=name)
        )
        self._watcher.adopt([batch])
        context.publish(JobImported(batch.job_id))
        return context.history.job(batch.job_id)

    def deletable(self, job_id: str) -> tuple[bool, bool]:
        """Can files, and batches, of a job be deleted at its provider?"""
        history = self._context.history
        sent = [batch for batch in history.batches(job_id) if batch.remote_id is not None]
        can = [self._context.accounts.profile(batch.account) for batch in sent]
        own = [profile for profile in can if not profile.direct]
        files = any(profile.can.delete_file and profile.paths.file_delete for profile in own)
        batches = any(profile.can.delete_batch and profile.paths.delete for profile in own)
        return files, batches

    async def delete(self, job_id: str, *, remote: bool = False) -> None:
        """Take a job out of the history, with its files.

        Args:
            job_id: The job.
            remote: Delete the files and batches at the provider first, where that can be.

        Raises:
            UsageError: A batch of it still runs.
        """
        context = self._context
        history = context.history
        batches = history.batches(job_id)
        if any(batch.is_under_way and not is_terminal(batch.status) for batch in batches):
            raise UsageError("a batch of this job still runs", "Cancel it first.")
        if remote:
            for batch in batches:
                if not context.accounts.profile(batch.account).direct:
                    await context.shielded(remove_remote(context, batch))
        await asyncio.to_thread(delete_job, history.database, context.paths, job_id)
        context.publish(JobDeleted(job_id))
