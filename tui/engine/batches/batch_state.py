"""What is true of a batch now, from everything that is known of it.

Providers contradict themselves: a status may say *completed* while the files come minutes later,
a word may be unknown to the profile, a file may be named that was never written, or be there and
hold an error page. One function puts the evidence together; whoever must decide something about a
batch (poll it again, end it, call a row missing, delete the provider's files) asks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

import msgspec

from tui.core.formatting import counted
from tui.core.jobs import BatchStatus, RemoteCounts, is_terminal
from tui.core.remote_batches import FileState, FileVerdict, RemoteBatch
from tui.providers.profiles.load import Profile

_QUIET_LOOKS = 2
"""Looks after the end at which it is usual that no file is named yet."""

_FEW_LOOKS = 5
"""Looks after the end until a provider that counts no answer has no results."""

_NAMELESS_LOOKS = 8
"""Looks after the end until a provider that names no file, and counts nothing, has no results:
some name them minutes later. From the third one on, the pauses grow."""

_REFETCHES = 4
"""Looks until files that stay the same are taken for all that the provider has."""


_BROKEN = frozenset({FileState.UNREADABLE, FileState.CUT, FileState.GROWING})


class BatchState(Enum):
    """What is true of a batch that the provider has, or had.

    Attributes:
        RUNNING: It has not ended; poll it again.
        ENDED: Every row that the provider has a line for is here, and no line is to be expected.
        LATE: It has ended, and the provider has answers that cannot be fetched yet.
        UNREADABLE: A result file was fetched that holds something else than results.
    """

    RUNNING = auto()
    ENDED = auto()
    LATE = auto()
    UNREADABLE = auto()


@dataclass(frozen=True)
class BatchEvidence:
    """What is known of a batch.

    Attributes:
        remote: What the provider says of it, asked by its own id.
        rows: The rows that were sent in it.
        with_line: How many of them have a line in the result files.
        files: What each result file is; ``None`` before they were fetched.
        looks: How often it was looked at since the provider reported its end.
        results_deleted: The time is over for which the provider keeps results.
        answered: How many rows have a line with an answer; ``None``: all that have a line.
    """

    remote: RemoteBatch
    rows: int
    with_line: int
    files: Sequence[FileVerdict] | None = None
    looks: int = 0
    results_deleted: bool = False
    answered: int | None = None


@dataclass(frozen=True)
class BatchVerdict:
    """What is true of a batch, and why.

    Attributes:
        state: What is true.
        reason: Why, as a sentence for the user; empty while nothing is unusual.
        answers_lost: Of an ended batch: the provider counts answers that its files do not have.
            Sending these rows again pays a second time.
    """

    state: BatchState
    reason: str = ""
    answers_lost: int = 0

    @property
    def is_quiet(self) -> bool:
        """Whether it is usual and needs no words: a file often follows the status by seconds."""
        return not self.reason


def believed_status(remote: RemoteBatch) -> RemoteBatch:
    """A batch whose status word is unknown or stale, with the status that everything else proves.

    Only an end is concluded: from a named file with full counts, or with the time at which it
    ended where there are no counts; or from errors of the whole batch of which no row ran. A word
    that says that it runs is not believed against all of these: full counts, a file that does not
    grow, and the time of its end. The provider's own word is kept.
    """
    if is_terminal(remote.status) or remote.status is BatchStatus.CANCELLING:
        return remote
    counts = remote.counts
    over = counts.ended is None and remote.ended_at is not None
    is_unknown = remote.status is BatchStatus.UNKNOWN
    if not is_unknown and not (counts.are_full and remote.ended_at is not None):
        return remote
    if remote.results and (counts.are_full or over):
        results = tuple(msgspec.structs.replace(source, growing=False) for source in remote.results)
        return msgspec.structs.replace(remote, status=BatchStatus.COMPLETED, results=results)
    if is_unknown and remote.issues and not remote.results and not counts.ended:
        return msgspec.structs.replace(remote, status=BatchStatus.FAILED)
    return remote


def judge(evidence: BatchEvidence) -> BatchVerdict:
    """Decide what is true of a batch.

    Before the result files are fetched, ``LATE`` and ``ENDED`` say what is known from the
    provider's words alone: ``ENDED`` then means that there is something to fetch, or nothing.
    """
    evidence = replace(evidence, remote=_with_believed_counts(evidence.remote))
    remote = evidence.remote
    if not is_terminal(remote.status):
        return BatchVerdict(BatchState.RUNNING)
    if evidence.with_line >= evidence.rows:
        # A file may be named that was never written, because there is nothing to say in it.
        return BatchVerdict(BatchState.ENDED)
    # A page of a proxy, or a cut file, is no sign that the results are deleted: clocks are set.
    if evidence.results_deleted and not any(file.state in _BROKEN for file in evidence.files or ()):
        return _ended(evidence)
    if not remote.results:
        return _without_files(evidence)
    if evidence.files is None:
        return BatchVerdict(BatchState.ENDED)
    for file in evidence.files:
        if file.state is FileState.UNREADABLE:
            return BatchVerdict(BatchState.UNREADABLE, _sentence(file))
    for file in evidence.files:
        if file.state in (FileState.CUT, FileState.GROWING):
            return BatchVerdict(BatchState.LATE, _sentence(file))
    answers = remote.counts.completed
    absent = [file for file in evidence.files if file.state is FileState.ABSENT]
    if absent and not (absent[0].kind == "errors" and _has_all_answers(evidence)):
        return BatchVerdict(BatchState.LATE, _sentence(absent[0]))
    finished = min((answers or 0) + (remote.counts.failed or 0), evidence.rows)
    lacking = finished - evidence.with_line
    unread = sum(file.unreadable for file in evidence.files)
    uncounted = not lacking > 0 and not _are_counted(remote)
    if (lacking > 0 or unread or uncounted) and evidence.looks < _REFETCHES:
        if lacking > 0:
            reason = f"the result files lack {counted(lacking, 'row')} that the provider finished"
            if unknown := sum(file.unknown for file in evidence.files):
                reason += f", and have {counted(unknown, 'line')} with ids that were not sent"
        elif uncounted and not unread:
            usual = evidence.looks < _QUIET_LOOKS
            rows = counted(evidence.rows - evidence.with_line, "row")
            reason = f"the result files lack {rows}, and the provider does not say that it is all"
            reason = "" if usual else reason
        else:
            reason = f"{counted(unread, 'line')} of the result files cannot be read"
        return BatchVerdict(BatchState.LATE, reason)
    return _ended(evidence)


def _with_believed_counts(remote: RemoteBatch) -> RemoteBatch:
    """A batch without counts that say nothing: no row in all, although rows were sent.

    So it is said of batches whose counts are filled in after their end.
    """
    counts = remote.counts
    if counts.total != 0 or counts.ended:
        return remote
    return msgspec.structs.replace(remote, counts=RemoteCounts())


def _without_files(evidence: BatchEvidence) -> BatchVerdict:
    """A batch that has ended and names no result file."""
    remote = evidence.remote
    counts = remote.counts
    if counts.completed:
        # Usual for some seconds after the end.
        usual = evidence.looks < _QUIET_LOOKS
        rows = counted(counts.completed, "row")
        reason = f"the provider counts {rows} as answered, but has not named a result file yet"
        return BatchVerdict(BatchState.LATE, "" if usual else reason)
    is_failed = remote.status is BatchStatus.FAILED and not remote.issues and not counts.ended
    is_uncounted = remote.status is not BatchStatus.COMPLETED and counts.ended is None
    if (is_failed or (is_uncounted and not remote.issues)) and evidence.looks < _QUIET_LOOKS:
        # Some servers say that it failed of a batch that then goes on, or name its file later.
        return BatchVerdict(BatchState.LATE)
    if remote.status is not BatchStatus.COMPLETED:
        return _ended(evidence)
    if evidence.looks < (_NAMELESS_LOOKS if counts.completed is None else _FEW_LOOKS):
        usual = evidence.looks < _QUIET_LOOKS
        reason = "the provider says that the batch is done, but has not named a result file yet"
        return BatchVerdict(BatchState.LATE, "" if usual else reason)
    return _ended(evidence)


def _are_counted(remote: RemoteBatch) -> bool:
    """Whether the provider's counts say what became of the rows of an ended batch.

    A batch that is completed has finished every row: smaller counts are of an earlier moment.
    """
    if remote.status is BatchStatus.COMPLETED:
        return remote.counts.are_full
    return remote.counts.ended is not None


def _ended(evidence: BatchEvidence) -> BatchVerdict:
    """The end, with the answers that the provider counts and no file has.

    Rows that it counts as answered may have a line that says otherwise, as those that were being
    answered when the batch was cancelled. Where every row that it counts as finished has a line,
    nothing is lost: some count rows that failed as completed.
    """
    counts = evidence.remote.counts
    finished = min((counts.completed or 0) + (counts.failed or 0), evidence.rows)
    lacking = finished - evidence.with_line
    answered = evidence.with_line if evidence.answered is None else evidence.answered
    unseen = min(counts.completed or 0, evidence.rows) - answered
    return BatchVerdict(BatchState.ENDED, answers_lost=max(0, min(lacking, unseen)))


def _has_all_answers(evidence: BatchEvidence) -> bool:
    """Whether only errors can be in a file that is not there."""
    counts = evidence.remote.counts
    output_is_whole = any(file.kind == "output" and file.is_whole for file in evidence.files or ())
    if counts.completed is None:
        return output_is_whole and evidence.looks >= _FEW_LOOKS
    return counts.completed <= evidence.with_line and evidence.looks >= 1


def _sentence(file: FileVerdict) -> str:
    what = "error file" if file.kind == "errors" else "result file"
    if file.state is FileState.ABSENT:
        return f"the {what} that the provider names is not there yet ({file.reason})"
    return f"the {what} is {file.reason or file.state.value}"


def queue_was_full(profile: Profile, remote: RemoteBatch) -> bool:
    """Whether a batch failed because of a limit on queued work (enqueued tokens).

    The provider reports this in the batch's errors, before any row ran.
    """
    if remote.status is not BatchStatus.FAILED or remote.counts.ended:
        return False
    quota = profile.quota
    for issue in remote.issues:
        message = issue.message.lower()
        if issue.code in quota.codes or any(text.lower() in message for text in quota.text):
            return True
    return False
