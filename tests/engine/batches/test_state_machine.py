"""Submit, poll, cancel, retry and crash in any order, against a provider that knows the truth."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from tests.engine.bench import Bench, adds_up, home_in_memory, request
from tests.engine.programs import Killed, is_dead, kill_at, stop_writing
from tests.fakes.loop import JumpingLoop
from tests.fakes.provider import Broken, FakeBatch, Lost
from tui.config.settings import Config
from tui.core.jobs import TERMINAL, BatchStatus, Submission
from tui.core.rows import ANSWERED, Outcome
from tui.errors import (
    BatchdeckError,
    ProviderError,
    QuotaError,
    RequestRejectedError,
    ResponseLostError,
    UnreachableError,
)
from tui.providers.dialect import Capabilities

STEPS = (
    "planned", "confirmed", "uploading", "upload answered", "uploaded", "creating",
    "create answered", "running", "retry stored", "downloaded", "collected", "settled",
    "cancel noted", "cancelling", "cancel answered",
)  # fmt: skip

CONFIG = Config(providers={"sandbox": {"limits": {"rows": 3}}})


def some_fault(name: str) -> Exception:
    return {
        "lost": Lost(),
        "lost before": ResponseLostError("nobody knows"),
        "down": UnreachableError("down"),
        "broken": ProviderError("oops", status=503),
        "refused": RequestRejectedError("no", status=400),
        "full": QuotaError("queue is full"),
        "slow down": ProviderError("slow down", status=429, retry_after=30.0),
    }[name]


FAULTS = st.sampled_from(["lost", "lost before", "down", "broken", "refused", "full", "slow down"])


class Machine(RuleBasedStateMachine):
    """One home, one provider, and one program after another."""

    jobs: Bundle[str] = Bundle("jobs")

    @initialize(partial=st.booleans(), by_lines=st.booleans())
    def begin(self, partial: bool, by_lines: bool) -> None:
        self.folder = home_in_memory("batchdeck-machine-")
        self.runner = asyncio.Runner(loop_factory=JumpingLoop)
        loop = self.runner.get_loop()
        assert isinstance(loop, JumpingLoop)
        can = Capabilities(partial_results=partial)
        self.bench = Bench(self.folder, loop, can, by_lines=by_lines)
        self.provider = self.bench.provider
        self.provider.ends_after = None
        self.answered_well: set[str] = set()
        self.provider.answer = self._answer
        self.wrong: list[str] = []
        create = self.bench.dialect.create

        async def checked(draft: Any, *, progress: Any = None) -> Any:
            before = set(self.provider.batches)
            try:
                return await create(draft)
            finally:
                for name in set(self.provider.batches) - before:
                    self._check_new(self.provider.batches[name])

        self.bench.dialect.create = checked  # type: ignore[method-assign]
        self.count = 0
        self.engine = self._run(self.bench.open(CONFIG, watch=True))

    def _run(self, work: Awaitable[Any]) -> Any:
        self.bench.loop.allow(5000.0)

        async def go() -> Any:
            return await work

        return self.runner.run(go())

    def _answer(self, line: bytes, before: int) -> bytes:
        from tests.fakes.provider import answered

        made = answered(line, before)
        if b'"status_code": 200' in made:
            self.answered_well.add(json.loads(line)["custom_id"])
        return made

    def _check_new(self, new: FakeBatch) -> None:
        """No row may be paid for while it is under way, or once it has an answer."""
        for other in self.provider.batches.values():
            if other is not new and other.intent == new.intent:
                self.wrong.append(f"{new.id} and {other.id} were made for one batch")
            both = set(other.ids) & set(new.ids)
            if other is not new and both and other.status not in TERMINAL:
                self.wrong.append(f"{sorted(both)} are in {other.id} and {new.id} at once")
        if again := set(new.ids) & self.answered_well:
            self.wrong.append(f"{sorted(again)} had an answer and are sent again")

    @rule(
        target=jobs,
        texts=st.lists(st.sampled_from(["good", "flaky", "fail"]), min_size=1, max_size=7),
    )
    def bring(self, texts: list[str]) -> str:
        self.count += 1
        file = self.folder / f"job-{self.count}.jsonl"
        lines = (request(f"j{self.count}-{n}", text) for n, text in enumerate(texts))
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        job = self._run(self.engine.requests.import_file(file))
        return str(job.id)

    @rule(job=jobs)
    def submit(self, job: str) -> None:
        self._try(lambda: self.engine.submit(job))

    @rule(job=jobs)
    def retry(self, job: str) -> None:
        async def go() -> None:
            await self.engine.retry(await self.engine.retries.plan(job))

        self._try(go)

    @rule(job=jobs)
    def cancel(self, job: str) -> None:
        self._try(lambda: self.engine.cancel(job))

    @rule(job=jobs)
    def collect(self, job: str) -> None:
        self._try(lambda: self.engine.collect(job))

    @rule(call=st.sampled_from(["upload", "create", "list", "retrieve", "cancel"]), fault=FAULTS)
    def go_wrong(self, call: str, fault: str) -> None:
        if call in ("list", "retrieve", "cancel") and fault in ("lost", "full"):
            fault = "down"
        self.provider.fault(call, some_fault(fault))

    @rule(after=st.integers(0, 900))
    def break_a_download(self, after: int) -> None:
        self.provider.fault("download", Broken(after))

    @rule(seconds=st.sampled_from([0.5, 5, 60, 400]))
    def wait(self, seconds: float) -> None:
        self._run(asyncio.sleep(seconds))

    @rule(number=st.integers(0, 9), how=st.sampled_from(["done", "done", "expired", "failed"]))
    def end_a_batch(self, number: int, how: str) -> None:
        running = [b for b in self.provider.batches.values() if b.status not in TERMINAL]
        if not running:
            return
        batch = running[number % len(running)]
        if how == "done":
            self.provider.run(batch)
        else:
            batch.status = BatchStatus(how)

    @rule(number=st.integers(0, 9), rows=st.integers(1, 2))
    def answer_some(self, number: int, rows: int) -> None:
        running = [b for b in self.provider.batches.values() if b.status not in TERMINAL]
        if running and self.bench.dialect.capabilities.partial_results:
            self.provider.advance(running[number % len(running)], rows)

    @rule(step=st.none() | st.sampled_from([*STEPS, *(f"{step}:2" for step in STEPS)]))
    def die(self, step: str | None) -> None:
        """Now, or at the next time that a step is reached; then start again."""
        if step is None:
            self._start_again()
            return
        kill_at(self.engine, step)

    def _start_again(self) -> None:
        stop_writing(self.engine)

        async def kill() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(self.engine.history.close)

        self._run(kill())
        self.engine = self._run(self.bench.open(CONFIG, watch=True))

    def _try(self, work: Callable[[], Awaitable[Any]]) -> None:
        try:
            self._run(work())
        except BatchdeckError:
            pass
        except Killed:
            self._start_again()

    @invariant()
    def nothing_is_wrong(self) -> None:
        if not hasattr(self, "engine"):
            return
        if is_dead(self.engine):
            self._start_again()
        assert self.wrong == []
        self._run(self._compare())

    async def _compare(self) -> None:
        # Threads go on when the loop stands still, and two questions get two answers then.
        await self.bench.loop.stillness()
        for job in self.engine.history.jobs.list():
            adds_up(self.engine, job.id)

    def teardown(self) -> None:
        if not hasattr(self, "engine"):
            return
        try:
            self._settle()
        finally:
            self._run(self.engine.close())
            self.runner.close()
            shutil.rmtree(self.folder)

    def _settle(self) -> None:
        """Let everything end well, and compare with the truth."""
        self.provider.faults.clear()
        self._start_again()
        self.provider.ends_after = 0
        history = self.engine.history
        for job in history.jobs.list():
            if any(
                batch.submission is Submission.DRAFT for batch in history.batches.of_job(job.id)
            ):
                self._try(lambda job=job: self.engine.submit(job.id))  # type: ignore[misc]
        self._run(self.engine.wait([job.id for job in history.jobs.list()]))
        self.nothing_is_wrong()
        known = set()
        for job in history.jobs.list():
            batches = history.batches.of_job(job.id)
            known |= {batch.remote_id for batch in batches if batch.remote_id}
            for batch in batches:
                assert batch.submission is not Submission.UNCERTAIN
            for row in history.rows.page(job.id, range(job.counts.total)):
                if batches:
                    assert row.outcome is not Outcome.PENDING
                well = row.custom_id in self.answered_well
                assert (row.outcome in ANSWERED) == well, row
        assert known == set(self.provider.batches)
        assert self.wrong == []


Machine.TestCase.settings = settings(max_examples=30, stateful_step_count=14)
TestMachine = Machine.TestCase
