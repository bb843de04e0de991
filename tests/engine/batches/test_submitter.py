"""Sending: paid once, whatever happens to the answers."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.servers import Served, sandbox
from tests.engine.bench import Bench, adds_up, outcomes, timeline, until
from tests.engine.conftest import Opener
from tests.engine.rows import chat, chats, file_of
from tests.fakes.loop import JumpingLoop, run
from tests.fakes.provider import Late, Lost
from tests.waiting import within
from tui.config.settings import AccountConfig, Config
from tui.core.jobs import BatchStatus, Job, Submission, is_terminal
from tui.core.rows import Outcome
from tui.engine.engine import Engine
from tui.engine.events import SendPaused, SubmitFinished, SubmitStarted
from tui.errors import (
    KeyRejectedError,
    ProviderError,
    QuotaError,
    RequestRejectedError,
    ResponseLostError,
    UnconfirmedError,
    UnexpectedResponseError,
    UnreachableError,
    UsageError,
)
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft, Capabilities
from tui.providers.dialects.files import FilesDialect
from tui.providers.wire import retry

GOOD = Outcome.SUCCEEDED


def test_the_whole_way(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.imported(engine, "hello", "fail", "world")
            assert (job.status, job.counts.pending) == (BatchStatus.DRAFT, 3)
            job = await engine.submit(job.id)
            assert job.status is BatchStatus.IN_PROGRESS
            assert bench.provider.only().ids == ["r0", "r1", "r2"]
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, Outcome.FAILED, GOOD]
            assert adds_up(engine, job.id).pending == 0
            (batch,) = engine.history.batches.of_job(job.id)
            assert bench.provider.only().intent == batch.id
            assert (batch.collected, batch.trouble) == (True, "")
            assert engine.history.jobs.get(job.id).status is BatchStatus.COMPLETED
            with pytest.raises(UsageError, match="already submitted"):
                await engine.submit(job.id)
        assert bench.provider.calls["create"] == 1

    run(test)


def test_a_submit_is_told_of_before_it_is_on_the_wire_and_when_it_is_over(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.imported(engine, "hello")
            bench.events.clear()
            await engine.submit(job.id)
            told = [event for event in bench.events if event.job_id == job.id]
            assert told[0] == SubmitStarted(job.id)
            assert told[-1] == SubmitFinished(job.id)
            bench.events.clear()
            with pytest.raises(UsageError):
                await engine.submit(job.id)
            # The watcher may poll meanwhile and publish what it has seen.
            submits = [e for e in bench.events if isinstance(e, SubmitStarted | SubmitFinished)]
            assert submits == [SubmitStarted(job.id), SubmitFinished(job.id)]

    run(test)


@pytest.mark.parametrize(
    "can",
    [Capabilities(), Capabilities(metadata=False), Capabilities(uploads=False)],
    ids=["metadata and files", "files", "metadata"],
)
@pytest.mark.parametrize(
    "fault", [Lost(), None], ids=["answer lost after it was done", "nothing was done"]
)
def test_a_create_without_an_answer_is_looked_up(
    tmp_path: Path, fault: Exception | None, can: Capabilities
) -> None:
    """Known by the intent in its metadata, or by its own input file; else created again."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, can)
        bench.provider.fault("create", fault or ResponseLostError("nobody knows"))
        async with bench.engine() as engine:
            job = await bench.done(engine, "a", "b")
            assert outcomes(engine, job.id) == [GOOD, GOOD]
        assert len(bench.provider.batches) == 1
        assert bench.provider.calls["create"] == (1 if fault else 2)

    run(test)


@pytest.mark.parametrize("lists", [True, False], ids=["with a list", "without a list"])
@pytest.mark.parametrize("of", ["a known job", "a stranger"])
def test_a_create_that_is_answered_with_another_batch_is_not_sent_again(
    tmp_path: Path, of: str, lists: bool
) -> None:
    """A gateway repeats the answer to an earlier create, and the batch was made all the same."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            await bench.done(engine, "a", "b")
            earlier = bench.provider.only()
            if of == "a stranger":
                earlier.id, earlier.intent = "batch-of-theirs", "theirs"
            bench.dialect.capabilities = Capabilities(lists=lists)
            create = bench.dialect.create

            async def repeated(draft: BatchDraft, *, progress: Progress = NO_PROGRESS) -> Any:
                await create(draft, progress=progress)
                return bench.provider.remote(earlier)

            bench.dialect.create = repeated  # type: ignore[method-assign]
            job = await bench.imported(engine, "c", "d")
            if lists:
                await engine.submit(job.id)
                await engine.wait([job.id])
                assert outcomes(engine, job.id) == [GOOD, GOOD]
            else:
                for _ in range(2):
                    with pytest.raises(UnconfirmedError):
                        await engine.submit(job.id)
                (batch,) = engine.history.batches.of_job(job.id)
                assert batch.submission is Submission.UNCERTAIN
        assert bench.provider.calls["create"] == 2

    run(test)


@pytest.mark.parametrize(
    "error",
    [
        ProviderError("oops", status=500),
        ProviderError("oops", status=503),
        ResponseLostError("gateway", status=504),
        UnexpectedResponseError("html", status=200),
    ],
    ids=str,
)
def test_an_unclear_refusal_is_looked_up_before_a_second_try(
    tmp_path: Path, error: Exception
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.fault("create", error, error)
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            with pytest.raises(ProviderError):
                await engine.submit(job.id)
            assert bench.provider.calls["create"] == 2
            (batch,) = engine.history.batches.of_job(job.id)
            assert batch.submission is Submission.DRAFT
            assert batch.trouble == str(error)
            await engine.submit(job.id)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
        assert len(bench.provider.batches) == 1
        assert bench.provider.calls["upload"] == 1

    run(test)


@pytest.mark.parametrize(
    "error",
    [
        RequestRejectedError("bad", status=400),
        KeyRejectedError("no"),
        UnreachableError("down"),
        ProviderError("slow down", status=429, retry_after=9.0),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("call", ["upload", "create"])
def test_a_clear_refusal_leaves_a_draft(tmp_path: Path, error: Exception, call: str) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.fault(call, error)
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            with pytest.raises(type(error)):
                await engine.submit(job.id)
            assert bench.provider.calls[call] == 1
            assert not bench.provider.batches
            job = engine.history.jobs.get(job.id)
            assert (job.status, job.counts.pending) == (BatchStatus.DRAFT, 2)
            assert job.trouble == str(error)
            assert str(error) in timeline(engine, job.id)
            await engine.submit(job.id)
            await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).trouble == ""
            assert adds_up(engine, job.id).succeeded == 2
        assert len(bench.provider.batches) == 1
        # What was refused may be the file: it goes out anew. Else the old one will do.
        uploads = 2 if call == "upload" or isinstance(error, RequestRejectedError) else 1
        assert bench.provider.calls["upload"] == uploads

    run(test)


def test_a_lost_upload_costs_a_file_and_no_batch(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.fault("upload", Lost())
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            with pytest.raises(ResponseLostError):
                await engine.submit(job.id)
            await engine.submit(job.id)
            await engine.wait([job.id])
        assert len(bench.provider.files) == 2
        assert len(bench.provider.batches) == 1

    run(test)


def test_a_provider_that_cannot_be_asked_leaves_the_batch_unclear_and_asks_later(
    tmp_path: Path,
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.fault("create", Lost())
        bench.provider.fault("list", *(UnreachableError("down") for _ in range(3)))
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            with pytest.raises(UnreachableError):
                await engine.submit(job.id)
            (batch,) = engine.history.batches.of_job(job.id)
            assert batch.submission is Submission.CREATING
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
        assert bench.provider.calls["create"] == 1

    run(test)


def test_a_list_that_lags_behind_is_asked_again(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.fault("create", Lost())
        bench.provider.hidden.add("batch-0")
        looks: list[float] = []

        def looked() -> None:
            looks.append(loop.time())
            if len(looks) == 2:
                bench.provider.hidden.clear()

        bench.provider.when_called["list"] = looked
        async with bench.engine() as engine:
            await bench.done(engine)
        assert len(bench.provider.batches) == 1

    run(test)


@pytest.mark.parametrize("hours", [-13, 13, -20 * 365 * 24, 20 * 365 * 24])
@pytest.mark.parametrize("named", [True, False], ids=["names itself", "size and time only"])
def test_a_clock_that_is_off_does_not_pay_twice(tmp_path: Path, hours: int, named: bool) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(uploads=named, metadata=named))
        bench.provider.clock = lambda: loop.clock() + hours * 3600
        bench.provider.fault("create", Lost())
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            if named:
                await engine.submit(job.id)
                await engine.wait([job.id])
                assert adds_up(engine, job.id).succeeded == 2
            else:
                with pytest.raises(ResponseLostError, match="may or may not"):
                    await engine.submit(job.id)
        assert bench.provider.calls["create"] == 1

    run(test)


def test_a_clock_that_is_off_is_doubted_beside_newer_batches_too(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(uploads=False, metadata=False))
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            other = await bench.imported(engine, "x", "y", "z")
            await engine.submit(other.id)
            bench.provider.clock = lambda: loop.clock() - 13 * 3600
            bench.provider.fault("create", Lost())
            job = await bench.imported(engine)
            with pytest.raises(ResponseLostError, match="may or may not"):
                await engine.submit(job.id)
        assert bench.provider.calls["create"] == 2

    run(test)


def test_without_a_list_a_person_decides(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(lists=False, metadata=False))
        bench.provider.fault("create", Lost())
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            for _ in range(2):
                with pytest.raises(ResponseLostError, match="may or may not"):
                    await engine.submit(job.id)
                (batch,) = engine.history.batches.of_job(job.id)
                assert batch.submission is Submission.UNCERTAIN
            with pytest.raises(UnconfirmedError):
                await engine.wait([job.id])
            assert bench.provider.calls["create"] == 1
            await engine.submit(job.id, resend=True)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
        # The person said so: two batches, as the provider had the first one.
        assert bench.provider.calls["create"] == 2

    run(test)


def test_without_metadata_and_files_nothing_is_guessed_by_size_and_time(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(uploads=False, metadata=False))
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            first = await bench.imported(engine, "a", "b")
            await engine.submit(first.id)
            await bench.imported(engine, "x", "y", "z")
            bench.provider.fault("create", Lost())
            second = await bench.imported(engine, "c", "d")
            with pytest.raises(UnconfirmedError) as unclear:
                await engine.submit(second.id)
            assert "the same size, perhaps this one: batch-1." in unclear.value.hint
            remote = [engine.history.batches.of_job(job.id)[0].remote_id for job in (first, second)]
            assert remote == ["batch-0", None]
            bench.provider.ends_after = 1
            await engine.remote.attach(second.id, "batch-1")
            await engine.wait([second.id])
        assert bench.provider.calls["create"] == 2

    run(test)


def test_two_that_look_alike_are_not_guessed_at(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(uploads=False, metadata=False))
        async with bench.engine() as engine:
            one = await bench.imported(engine, "a", "b")
            two = await bench.imported(engine, "c", "d")
            bench.provider.fault("create", Lost(), Lost())
            bench.provider.fault("list", UnreachableError("down"))
            with pytest.raises(UnreachableError):
                await engine.submit(one.id)
            with pytest.raises(ResponseLostError, match="may or may not"):
                await engine.submit(two.id)
        assert bench.provider.calls["create"] == 2

    run(test)


def test_a_full_queue_is_waited_for(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.fault("create", *(QuotaError("queue is full") for _ in range(3)))
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            with pytest.raises(QuotaError):
                await engine.submit(job.id)
            (batch,) = engine.history.batches.of_job(job.id)
            assert (batch.submission, batch.status) == (Submission.WAITING, BatchStatus.QUEUED)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
        assert bench.provider.calls["create"] == 4
        assert len(bench.provider.batches) == 1

    run(test)


@pytest.mark.parametrize(
    "trouble", [UnreachableError("down"), KeyRejectedError("no"), ProviderError("x", status=429)]
)
@pytest.mark.parametrize("call", ["create", "upload"])
def test_a_batch_that_waits_for_room_is_not_forgotten(
    tmp_path: Path, trouble: Exception, call: str
) -> None:
    """Trouble of another kind while it waits leaves it waiting."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.fault(call, QuotaError("full"), trouble)
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            with pytest.raises(QuotaError):
                await engine.submit(job.id)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2

    run(test)


def test_two_submits_at_once_pay_once(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine, bench.engine() as other:
            job = await bench.imported(engine)
            results = await asyncio.gather(
                engine.submit(job.id),
                engine.submit(job.id),
                other.submit(job.id),
                return_exceptions=True,
            )
            assert all(
                isinstance(r, UsageError) or not isinstance(r, BaseException) for r in results
            )
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
            assert len(engine.history.batches.of_job(job.id)) == 1
        assert bench.provider.calls["create"] == 1
        assert bench.provider.calls["upload"] == 1

    run(test)


@pytest.mark.parametrize("call", ["upload", "create"])
def test_a_program_that_was_stopped_for_too_long_pays_nothing(tmp_path: Path, call: str) -> None:
    """Ctrl-Z during an upload: another program goes on, and the first one wakes up again."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as one:
            job = await bench.imported(one)
            stopped, awake = asyncio.Event(), asyncio.Event()
            first = bench.dialect.upload

            async def slow(path: Path, *, name: str, progress: object = None) -> str:
                bench.dialect.upload = first  # type: ignore[method-assign]
                if call == "create":
                    file_id = await first(path, name=name)
                stopped.set()
                await awake.wait()
                return str(file_id if call == "create" else await first(path, name=name))

            bench.dialect.upload = slow  # type: ignore[method-assign,assignment]
            sending = asyncio.create_task(one.submit(job.id))
            await stopped.wait()
            renewer = one._leases._renewer
            assert renewer is not None
            renewer.cancel()
            async with bench.engine(watch=True) as two:
                await until(lambda: two.history.batches.of_job(job.id)[0].remote_id)
                assert loop.time() < 60
                awake.set()
                with pytest.raises(UsageError, match="another Batchdeck"):
                    await sending
                bench.provider.run(bench.provider.only())
                await two.wait([job.id])
                assert adds_up(two, job.id).succeeded == 2
        assert bench.provider.calls["create"] == 1

    run(test)


def test_a_submit_that_nobody_waits_for_is_stored(tmp_path: Path) -> None:
    """Quitting drains: an answer under way is stored before the program ends."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        engine = await bench.open()
        job = await bench.imported(engine)
        caller: list[asyncio.Task[object]] = []
        bench.provider.when_called["create"] = lambda: caller[0].cancel() and None
        caller.append(asyncio.create_task(engine.submit(job.id)))
        with pytest.raises(asyncio.CancelledError):
            await caller[0]
        await engine.close()
        del bench.provider.when_called["create"]
        async with bench.engine() as again:
            (batch,) = again.history.batches.of_job(job.id)
            assert batch.submission is Submission.RUNNING
            await again.wait([job.id])
            assert adds_up(again, job.id).succeeded == 2
        assert len(bench.provider.batches) == 1

    run(test)


def test_a_clock_that_is_set_does_not_shorten_the_look_for_a_batch(tmp_path: Path) -> None:
    """A gateway acts 30 s later, and the list is 25 s behind; meanwhile the clock is set."""

    async def test(loop: JumpingLoop) -> None:
        config = Config(providers={"sandbox": {"poll": {"confirm_seconds": 60.0}}})
        bench = Bench(tmp_path, loop)
        bench.provider.list_lag = 25.0
        bench.provider.fault("create", Late(30.0))
        async with bench.engine(config) as engine:
            job = await bench.imported(engine)
            with pytest.raises(UnconfirmedError):
                await engine.submit(job.id)
        clock = loop.clock
        loop.clock = lambda: clock() + 30 * 3600  # type: ignore[method-assign]
        async with bench.engine(config, watch=True) as engine:
            await engine.wait([job.id])
            await asyncio.sleep(60)
            assert engine.history.batches.of_job(job.id)[0].remote_id == bench.provider.only().id

    run(test)


@pytest.mark.parametrize("change", ["the address", "the key"])
def test_a_list_of_another_account_proves_nothing(tmp_path: Path, change: str) -> None:
    """After the answer to a create was lost, the account leads to somebody else's batches."""
    gateway = AccountConfig(provider="openai", base_url="http://127.0.0.1:9/v1")
    vendor = AccountConfig(provider="openai")
    first, then = (gateway, vendor) if change == "the address" else (vendor, vendor)

    def config(account: AccountConfig) -> Config:
        return Config(default_account="there", accounts={"there": account})

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(config(first)) as engine:
            if change == "the key":
                # Without any batch of its own in the list, nothing tells one key from another.
                await bench.done(engine, "earlier")
            bench.provider.fault("create", Lost())
            bench.provider.fault("list", *[UnreachableError("down")] * 3)
            job = await bench.imported(engine, "a", "b")
            with pytest.raises(UnconfirmedError):
                await engine.submit(job.id)
        creates = bench.provider.calls["create"]
        bench.provider.hidden.update(bench.provider.batches)
        async with bench.engine(config(then), watch=True) as engine:
            await asyncio.sleep(2000)
            (batch,) = engine.history.batches.of_job(job.id)
            assert batch.submission is Submission.UNCERTAIN
            assert bench.provider.calls["create"] == creates
            # Back at the right one, it is found.
            bench.provider.hidden.clear()
            await until(lambda: engine.history.batches.get(batch.id).remote_id)
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, GOOD]
        assert bench.provider.calls["create"] == creates

    run(test)


async def sent_after_copy(bench: Bench, copy: Path, step: str) -> Job:
    """A job of two rows that has ended, of which a copy of the home knows nothing after a step."""
    async with bench.engine() as engine:

        def reach(passed: str) -> None:
            if passed == step:
                shutil.copytree(bench.paths.data, copy)

        engine._context.reach = reach  # type: ignore[method-assign]
        job = await bench.imported(engine, "hello", "world")
        await engine.submit(job.id)
        await engine.wait([job.id])
    return job


@pytest.mark.parametrize(
    ("can", "step", "creates"),
    [
        (Capabilities(), "confirmed", 1),
        (Capabilities(), "uploading", 1),
        (Capabilities(), "uploaded", 1),
        (Capabilities(uploads=False), "confirmed", 1),
        (Capabilities(metadata=False), "uploaded", 1),
        (Capabilities(metadata=False), "confirmed", 2),
        (Capabilities(lists=False), "confirmed", 2),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_restored_history_does_not_send_what_was_sent_since(
    tmp_path: Path, can: Capabilities, step: str, creates: int
) -> None:
    """A copy of the home from before a create: the list names the intent, or the input file."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, can)
        copy = tmp_path / "copy"
        job = await sent_after_copy(bench, copy, step)
        shutil.rmtree(bench.paths.data)
        shutil.copytree(copy, bench.paths.data)
        await asyncio.sleep(3600)
        async with bench.engine(watch=True) as engine:
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, GOOD]
            said = [line for line in timeline(engine, job.id) if "not sent a second time" in line]
            assert len(said) == 2 - creates
        assert bench.provider.calls["create"] == creates

    run(test)


@pytest.mark.parametrize("ahead", [86_400.0, 365 * 86_400.0], ids=["a day", "a year"])
def test_a_history_from_before_the_clock_was_set_back_does_not_either(
    tmp_path: Path, ahead: float
) -> None:
    """The batch seems to be newer than the program that finds it in the restored history."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        copy = tmp_path / "copy"
        right = loop.clock
        loop.clock = lambda: right() + ahead  # type: ignore[method-assign]
        job = await sent_after_copy(bench, copy, "uploaded")
        loop.clock = right  # type: ignore[method-assign]
        shutil.rmtree(bench.paths.data)
        shutil.copytree(copy, bench.paths.data)
        await asyncio.sleep(3600)
        async with bench.engine(watch=True) as engine:
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, GOOD]
        assert bench.provider.calls["create"] == 1

    run(test)


async def test_a_create_that_must_wait_says_so(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(_: float) -> None:
        return

    monkeypatch.setattr(retry, "sleep", at_once)
    with sandbox("openai", busy=2) as server:
        async with opened("openai", server.url) as engine:
            told: list[SendPaused] = []
            engine.events.subscribe(
                lambda event: told.append(event) if isinstance(event, SendPaused) else None
            )
            job = await engine.requests.import_file(chats(tmp_path / "a.jsonl", 2))
            before = engine._context.clock()
            await engine.submit(job.id)
            assert [event.message for event in told] == ["OpenAI is busy (429)"] * 2
            assert all(event.next_try >= before + 60 for event in told)
            assert server.count("POST", "/batches") == 1


@asynccontextmanager
async def two_programs(
    opened: Opener, **options: int
) -> AsyncIterator[tuple[Served, Engine, Engine]]:
    """A server, and two programs with one history; nothing there takes for ever."""
    with sandbox("openai", **options) as server:
        one, other = opened("openai", server.url), opened("openai", server.url)
        async with one as first, other as second, within(40):
            yield server, first, second


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "by another program"])
@pytest.mark.parametrize("again", [False, True], ids=["a job", "a retry"])
async def test_what_is_cancelled_while_the_provider_asks_to_wait_is_not_created(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: bool, elsewhere: bool
) -> None:
    go_on, paused = asyncio.Event(), asyncio.Event()

    async def sleep(_: float) -> None:
        paused.set()
        await go_on.wait()

    monkeypatch.setattr(retry, "sleep", sleep)
    async with two_programs(opened, busy=1, taken=again) as (server, engine, other):
        bad = file_of(tmp_path / "a.jsonl", chat("row-0", "sandbox:fail=500"))
        job = await engine.requests.import_file(bad)
        if again:
            await engine.submit(job.id)
            await engine.wait([job.id])
            sends = engine.retry(await engine.retries.plan(job.id))
        else:
            sends = engine.submit(job.id)
        spent = engine.history.ledger.spending(0, "USD").amount
        sending = asyncio.create_task(sends)
        await paused.wait()
        cancelling = asyncio.create_task((other if elsewhere else engine).cancel(job.id))
        if elsewhere:
            with pytest.raises(UnconfirmedError, match="may or may not"):
                await cancelling
        else:
            (batch,) = (one for one in engine.history.batches.of_job(job.id) if one.is_active)
            read = engine.history.batches.get
            await until(lambda: read(batch.id).cancel_wanted_at is not None, step=0.0)
        go_on.set()
        with pytest.raises(UsageError, match="cancelled before"):
            await sending
        if not elsewhere:
            await cancelling
        assert server.count("POST", "/batches") == again
        assert outcomes(engine, job.id) == [Outcome.CANCELLED]
        assert all(is_terminal(one.status) for one in engine.history.batches.of_job(job.id))
        assert engine.history.ledger.spending(0, "USD").amount == spent


async def test_what_waits_for_a_busy_provider_is_not_created_once_another_program_cancels_it(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched, go_on, paused = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def sleep(_: float) -> None:
        if watched.is_set():
            paused.set()
            await go_on.wait()

    monkeypatch.setattr(retry, "sleep", sleep)
    async with two_programs(opened, busy=20) as (server, engine, other):
        job = await engine.requests.import_file(chats(tmp_path / "a.jsonl", 1))
        with pytest.raises(ProviderError):
            await engine.submit(job.id, wait_if_busy=True)
        watched.set()
        engine.watch()
        await paused.wait()
        with pytest.raises(UnconfirmedError, match="may or may not"):
            await other.cancel(job.id)
        go_on.set()
        await engine.wait([job.id])
        assert outcomes(engine, job.id) == [Outcome.CANCELLED]
        assert server.count("POST", "/batches") == 0


async def test_what_another_program_cancels_while_its_create_is_refused_is_cancelled(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A draft with a cancel that nobody carries out could never be submitted again."""
    refuse, asked = asyncio.Event(), asyncio.Event()

    async def create(*_: object, **__: object) -> None:
        asked.set()
        await refuse.wait()
        raise RequestRejectedError("no such model")

    monkeypatch.setattr(FilesDialect, "create", create)
    async with two_programs(opened) as (_, engine, other):
        job = await engine.requests.import_file(chats(tmp_path / "a.jsonl", 1))
        sending = asyncio.create_task(engine.submit(job.id))
        await asked.wait()
        with pytest.raises(UnconfirmedError, match="may or may not"):
            await other.cancel(job.id)
        refuse.set()
        with pytest.raises(RequestRejectedError, match="no such model"):
            await sending
        assert outcomes(engine, job.id) == [Outcome.CANCELLED]
