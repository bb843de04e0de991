"""What a person writes on a job: tags to find it by, and a note."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tui.core.jobs import Job
from tui.core.tags import LONGEST_NOTE, parse_tags
from tui.engine.context import Context
from tui.engine.events import JobChanged
from tui.store.jobs import annotate


async def annotate_job(
    context: Context, job_id: str, tags: Sequence[str] | None, note: str | None
) -> Job:
    """Write tags or a note on a job; ``None`` leaves what there is.

    Raises:
        UnknownJobError: There is no such job.
    """
    kept = None if tags is None else parse_tags(" ".join(tags))
    text = None if note is None else note.strip()[:LONGEST_NOTE]

    def write() -> None:
        with context.history.database.write() as connection:
            annotate(connection, job_id, kept, text)

    await asyncio.to_thread(write)
    context.publish(JobChanged(job_id))
    return context.history.job(job_id)
