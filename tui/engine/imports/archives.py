"""Open an archive of a job: which accounts of this home stand for those of the archive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tui.compose.requests.recognition import recognize
from tui.compose.requests.signatures import JOB_ARCHIVE
from tui.core.jobs import Job
from tui.core.text import quoted
from tui.engine.accounts import base_account, direct_name
from tui.engine.context import Context, run_in_thread
from tui.engine.events import JobImported
from tui.errors import ConfigError, InputError, UsageError
from tui.progress import NO_PROGRESS, Progress


async def open_archive(
    context: Context,
    path: Path,
    *,
    account: str | None = None,
    name: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> Job | None:
    """Make a job of the history of an archive; nothing is sent.

    Its batches ran elsewhere: they are not polled, cancelled or deleted at the provider. A retry
    sends new requests with an account of this home, and costs what it says.

    Args:
        context: The engine context.
        path: The archive.
        account: The account for retries; by default the one of the same name and provider, or one
            of the provider.
        name: The name of the job; by default the one it had.
        progress: Told the bytes that were unpacked; can stop the work.

    Returns:
        The job; ``None`` if it was stopped.

    Raises:
        InputError: The archive cannot be opened; nothing was stored.
        UsageError: The job is in the history already.
    """

    def account_of(found: str, job: Job) -> str:
        base = account or _account_for(context, base_account(found), job.provider)
        return direct_name(base) if found != base_account(found) else base

    def rules_of(found: str) -> Mapping[str, bool]:
        return context.accounts.profile(found).retry_codes

    def work(running: Progress) -> str | None:
        found = recognize(path)
        if found.form != JOB_ARCHIVE:
            raise InputError(
                f"{quoted(path.name)} is {found.what}, not a job archive",
                "For files of a provider give the requests first, then the results:"
                " `batchdeck import-results REQUESTS RESULTS`.",
                path=path,
            )
        if account is not None:
            context.accounts.info(account)
        return context.history.archives.open(
            path,
            account_of=account_of,
            rules_of=rules_of,
            now=context.clock(),
            name=name,
            progress=running,
        )

    job_id = await context.shielded(run_in_thread(work, progress))
    if job_id is None:
        return None
    context.publish(JobImported(job_id))
    return context.history.jobs.get(job_id)


def _account_for(context: Context, name: str, provider: str) -> str:
    """The account of this home with which the requests of an archive could be sent.

    Raises:
        InputError: No account is of its provider.
    """
    accounts = context.accounts
    for candidate in (name, *accounts.names(), provider):
        # An account that cannot be used, or does not exist here, is no other one's trouble.
        try:
            if accounts.profile(candidate).id == provider:
                return candidate
        except (ConfigError, UsageError):
            continue
    raise InputError(
        f"the job ran at the provider {quoted(provider)}, which is not known here",
        "Name the account for retries with --account; `batchdeck accounts list` shows them.",
    )
