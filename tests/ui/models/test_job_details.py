"""Groups and timeline of the job under the cursor: at once, or from a thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import msgspec

from tests.ui.fakes import NOW, a_job
from tui.core.jobs import Batch, Counts, ErrorGroup, Job, RemoteCounts, TimelineEntry
from tui.errors import UnknownJobError
from tui.ui.models.job_details import JobDetails, JobDetailsLoader, job_text
from tui.ui.models.job_list import JobView


@dataclass
class Reader:
    """Tells who has read what, and in which thread."""

    reads: list[tuple[str, bool]] = field(default_factory=list)
    gone: bool = False

    @property
    def rows(self) -> Reader:
        return self

    @property
    def jobs(self) -> Reader:
        return self

    def error_groups(self, job_id: str) -> list[ErrorGroup]:
        if self.gone:
            raise UnknownJobError("gone")
        self.reads.append((job_id, threading.current_thread() is threading.main_thread()))
        return []

    def timeline(self, job_id: str) -> list[TimelineEntry]:
        return [TimelineEntry(at=NOW, batch_id=None, what=f"{job_id} {len(self.reads)}")]


def job_with(job_id: str, failed: int) -> Job:
    counts = Counts(total=1_000_000, succeeded=1_000_000 - failed, failed=failed)
    return msgspec.structs.replace(a_job(1), id=job_id, counts=counts)


async def test_few_groups_are_read_at_once_and_again_only_after_a_change() -> None:
    reader, told, started = Reader(), [], []
    story = JobDetailsLoader(reader, started.append, lambda: told.append(1))
    job = job_with("a", 3)
    assert story.of(job).timeline[0].what == "a 1"
    assert story.of(job).timeline[0].what == "a 1"
    story.mark_stale()
    assert story.of(job).timeline[0].what == "a 2"
    assert (told, started) == ([], [])


async def test_many_are_counted_in_one_thread_while_the_old_story_stays() -> None:
    reader, told, started = Reader(), [], []
    story = JobDetailsLoader(reader, started.append, lambda: told.append(1))
    job = job_with("a", 300_000)
    assert story.of(job) == JobDetails()
    assert story.of(job) == JobDetails()
    assert started == [story]
    await story.read()
    assert reader.reads == [("a", False)] and told == [1]
    assert story.of(job).timeline[0].what == "a 1"
    story.mark_stale()
    assert story.of(job).timeline[0].what == "a 1"
    assert len(started) == 2
    await story.read()
    assert story.of(job).timeline[0].what == "a 2"
    assert len(started) == 2


async def test_the_job_that_is_looked_at_last_is_told() -> None:
    reader, started = Reader(), []
    story = JobDetailsLoader(reader, started.append, lambda: None)
    story.of(job_with("a", 300_000))
    story.of(job_with("b", 300_000))
    await story.read()
    assert len(started) == 1 and reader.reads == [("b", False)]
    assert story.of(job_with("b", 300_000)).timeline[0].what == "b 1"


async def test_a_job_that_was_deleted_meanwhile_has_no_story() -> None:
    reader, started = Reader(gone=True), []
    story = JobDetailsLoader(reader, started.append, lambda: None)
    story.of(job_with("a", 300_000))
    await story.read()
    assert story.of(job_with("a", 300_000)) == JobDetails("a")
    assert len(started) == 1


def test_the_tokens_that_the_provider_counts_are_shown() -> None:
    view = JobView(job=job_with("a", 0))
    counts = RemoteCounts(input_tokens=1200, output_tokens=30)
    batch = Batch(id="b", job_id="a", account="x", rows=1, remote_counts=counts)
    assert "provider tokens 1,200 in, 30 out" in job_text(view, [batch], [], [], NOW)
    without = msgspec.structs.replace(batch, remote_counts=RemoteCounts())
    assert "provider tokens" not in job_text(view, [without], [], [], NOW)
