"""Telling a full queue from a failure: the provider took nothing, and will later."""

from __future__ import annotations

from tui.core.remote import RemoteBatch
from tui.core.status import BatchStatus
from tui.providers.profile import Profile


def queue_was_full(profile: Profile, remote: RemoteBatch) -> bool:
    """Did a batch fail because too much was waiting already (enqueued-token limit)?

    The provider says so in the batch's errors, before any row ran.
    """
    if remote.status is not BatchStatus.FAILED or remote.counts.ended:
        return False
    quota = profile.quota
    for issue in remote.issues:
        words = issue.message.lower()
        if issue.code in quota.codes or any(text.lower() in words for text in quota.text):
            return True
    return False
