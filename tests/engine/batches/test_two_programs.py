"""Two programs on one home, kills, stops, lost answers, lagging lists: paid once, nothing lost.

Jobs are sent whole, or with each distinct request once, or with answers of earlier jobs; deadlines
cut some of them short, by clocks that are set meanwhile.

The books of the provider are the judge: no row is in two batches at once or sent again after an
answer, no batch of a stranger is taken for ours, and at the end the history knows every batch that
was made for it. More runs than the suite has: ``python -m tests.faults.two_programs --runs 1000``.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from tests.engine.batches.test_state_machine import STEPS, some_fault
from tests.engine.bench import Bench, adds_up, home_in_memory, request
from tests.engine.programs import Killed, Programs, is_dead, kill_at
from tests.fakes.loop import JumpingLoop
from tests.fakes.provider import FakeBatch, Late, answered
from tui.config.settings import Config
from tui.core.jobs import TERMINAL, BatchStatus, Job, Submission
from tui.core.remote_batches import BatchIssue
from tui.core.rows import ANSWERED, Outcome
from tui.core.send_plans import NO_SAVING, ReuseOptions, Saving
from tui.engine.engine import Engine
from tui.errors import BatchdeckError, UnconfirmedError
from tui.providers.dialect import Capabilities

MORE_STEPS = (
    "deadline cut", "deadline planned", "deadline stored", "deadline sent", "reserved", "shared",
)  # fmt: skip

REUSE = ReuseOptions()
SAVINGS = st.sampled_from(
    [NO_SAVING, NO_SAVING, Saving(dedupe=True), Saving(reuse=REUSE), Saving(True, REUSE)]
)

CONFIRM_SECONDS = 60.0
"""How long after a create the servers of this model may hide a batch, all delays together."""

CONFIG = Config(
    providers={"sandbox": {"limits": {"rows": 3}, "poll": {"confirm_seconds": CONFIRM_SECONDS}}}
)
FAULTS = ["lost", "lost before", "down", "broken", "refused", "full", "slow down", "late", "later"]


class TwoPrograms(RuleBasedStateMachine):
    """One home, one provider, two programs, and strangers with the same key."""

    jobs: Bundle[str] = Bundle("jobs")

    @initialize(
        known_by=st.sampled_from(["metadata and files", "metadata", "files"]),
        lag=st.sampled_from([0.0, 5.0, 25.0]),
        dedupes=st.booleans(),
        earlier=st.booleans(),
    )
    def begin(self, known_by: str, lag: float, dedupes: bool, earlier: bool) -> None:
        self.folder = home_in_memory("batchdeck-programs-")
        self.runner = asyncio.Runner(loop_factory=JumpingLoop)
        loop = self.runner.get_loop()
        assert isinstance(loop, JumpingLoop)
        self.tasks = Programs(loop)
        can = Capabilities(metadata="metadata" in known_by, uploads="files" in known_by)
        self.bench = Bench(self.folder, loop, can)
        self.provider = self.bench.provider
        self.provider.ends_after = None
        self.provider.list_lag = lag
        self.provider.same_bytes_same_file = dedupes
        self.provider.answer = self._answer
        self.provider.made = self._check_new
        self.provider.asked_alone = self._check_alone
        self.intents: dict[str, str] = {}
        self.texts: dict[str, list[str]] = {}
        self.strangers: set[str] = set()
        self.answered_well: set[str] = set()
        self.wrong: list[str] = []
        self.count = 0
        self.programs = [self._start(0), self._start(1)]
        if earlier:
            # The next jobs can use its answers.
            self.send_to_the_end(self.bring(["good", "fail"], 0, False), 0, NO_SAVING)

    def _run(self, work: Awaitable[Any], program: int = -1) -> Any:
        self.bench.loop.allow(20_000.0)

        async def go() -> Any:
            return await work

        return self.runner.run(go(), context=self.tasks.context(program))

    def _start(self, program: int) -> Engine:
        engine = self._run(self.bench.open(CONFIG, watch=True), program)
        assert isinstance(engine, Engine)
        return engine

    def _answer(self, line: bytes, before: int) -> bytes:
        made = answered(line, before)
        if b'"status_code": 200' in made:
            self.answered_well.add(json.loads(line)["custom_id"])
        return made

    def _check_new(self, new: FakeBatch, intent: str) -> None:
        """No row may be paid for while it is under way, or once it has an answer."""
        self.intents[new.id] = intent
        for other in self.provider.batches.values():
            if other is new or other.id in self.strangers or other.issues:
                continue
            if self.intents[other.id] == intent:
                self.wrong.append(f"{new.id} and {other.id} were made for one batch")
            both = set(other.ids) & set(new.ids)
            if both and other.status not in TERMINAL:
                self.wrong.append(f"{sorted(both)} are in {other.id} and {new.id} at once")
        if again := set(new.ids) & self.answered_well:
            self.wrong.append(f"{sorted(again)} had an answer and are sent again")

    def _check_alone(self, custom_id: str) -> None:
        """A row that is sent by itself is in no batch that runs, and has no answer."""
        if custom_id in self.answered_well:
            self.wrong.append(f"{custom_id} had an answer and is sent alone")
        for batch in self.provider.batches.values():
            if custom_id in batch.ids and batch.status not in TERMINAL:
                self.wrong.append(f"{custom_id} is in {batch.id} and is sent alone")

    @rule(
        target=jobs,
        texts=st.lists(st.sampled_from(["good", "flaky", "fail"]), min_size=1, max_size=5),
        program=st.integers(0, 1),
        same=st.booleans(),
    )
    def bring(self, texts: list[str], program: int, same: bool) -> str:
        """A job; ``same`` bytes as the one before, under ids of their own otherwise."""
        self.count += 1
        file = self.folder / f"job-{self.count}.jsonl"
        lines = (request(f"j{self.count}-{n}", text) for n, text in enumerate(texts))
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        job = str(self._import(file, program).id)
        self.texts[job] = texts
        return job

    def _import(self, file: Path, program: int) -> Job:
        try:
            job = self._run(self.programs[program].requests.import_file(file), program)
        except Killed:
            # It dies of what it did besides; the user imports the file again.
            self._revive()
            return self._import(file, program)
        assert isinstance(job, Job)
        return job

    @rule(job=jobs, program=st.integers(0, 1), saving=SAVINGS)
    def submit(self, job: str, program: int, saving: Saving) -> None:
        self._try(program, lambda engine: engine.submit(job, wait_if_busy=True, saving=saving))

    @rule(job=jobs, program=st.integers(0, 1), seconds=st.sampled_from([1.0, 50.0, 500.0]))
    def set_a_deadline(self, job: str, program: int, seconds: float) -> None:
        async def go(engine: Engine) -> None:
            at = engine._context.clock() + seconds
            await engine.deadlines.set(job, await engine.deadlines.plan_for(job, at))

        self._try(program, go)

    @rule(job=jobs, program=st.integers(0, 1), saving=SAVINGS)
    def send_to_the_end(self, job: str, program: int, saving: Saving) -> None:
        """A job is sent and answered, so that the next ones can use its answers."""
        self.submit(job, program, saving)
        self.wait(5)
        for batch in self.provider.batches.values():
            if batch.status not in TERMINAL and batch.id not in self.strangers:
                self.provider.run(batch)
        self.wait(60)

    @rule(job=jobs, program=st.integers(0, 1), saving=SAVINGS)
    def send_and_cut_short(self, job: str, program: int, saving: Saving) -> None:
        """The deadline passes while the batches of the job run."""
        self.set_a_deadline(job, program, 50.0)
        self.submit(job, program, saving)
        self.wait(60)

    @rule(job=jobs, program=st.integers(0, 1))
    def remove_the_deadline(self, job: str, program: int) -> None:
        self._try(program, lambda engine: engine.deadlines.set(job, None))

    @rule(job=jobs, saving=SAVINGS)
    def submit_from_both(self, job: str, saving: Saving) -> None:
        async def both() -> None:
            await asyncio.gather(
                *(engine.submit(job, saving=saving) for engine in self.programs),
                return_exceptions=True,
            )

        self._try(0, lambda _: both())

    @rule(job=jobs, program=st.integers(0, 1))
    def retry(self, job: str, program: int) -> None:
        async def go(engine: Engine) -> None:
            await engine.look_for_late_answers(job)
            await engine.retry(await engine.retries.plan(job))

        self._try(program, go)

    @rule(job=jobs, program=st.integers(0, 1))
    def cancel(self, job: str, program: int) -> None:
        self._try(program, lambda engine: engine.cancel(job))

    @rule(job=jobs, program=st.integers(0, 1))
    def collect(self, job: str, program: int) -> None:
        self._try(program, lambda engine: engine.collect(job))

    @rule(
        call=st.sampled_from(["upload", "create", "create", "list", "retrieve", "cancel"]),
        fault=st.sampled_from(FAULTS),
    )
    def go_wrong(self, call: str, fault: str) -> None:
        if call in ("list", "retrieve", "cancel") and fault in ("lost", "full"):
            fault = "down"
        if fault in ("late", "later"):
            fault = fault if call == "create" else "down"
        delays = {"late": 5.0, "later": 30.0}
        self.provider.fault(call, Late(delays[fault]) if fault in delays else some_fault(fault))

    @rule(rows=st.integers(1, 5))
    def stranger(self, rows: int) -> None:
        """Another program with the same key makes a batch of some size."""
        name = f"batch-{len(self.provider.batches)}"
        self.strangers.add(name)
        lines = [json.dumps(request(f"theirs-{n}")).encode() for n in range(rows)]
        batch = FakeBatch(name, f"file-of-{name}", None, lines, self.provider.clock())
        batch.counts = self.provider.remote(batch).counts
        self.provider.batches[name] = batch

    @rule(seconds=st.sampled_from([0.5, 5, 60, 400]))
    def wait(self, seconds: float) -> None:
        self._run(asyncio.sleep(seconds))

    @rule(number=st.integers(0, 9), how=st.sampled_from(["done", "done", "expired", "full"]))
    def end_a_batch(self, number: int, how: str) -> None:
        running = [
            batch
            for batch in self.provider.batches.values()
            if batch.status not in TERMINAL and batch.id not in self.strangers
        ]
        if not running:
            return
        batch = running[number % len(running)]
        if how == "done":
            self.provider.run(batch)
        elif how == "full":
            batch.status = BatchStatus.FAILED
            batch.issues = (BatchIssue(code="token_limit_exceeded", message="queue is full"),)
        else:
            batch.status = BatchStatus(how)

    @rule(hours=st.sampled_from([-30, -1, 1, 30]))
    def set_the_clock(self, hours: float) -> None:
        """The clock of the machine is set; that of the provider is not."""
        loop = self.bench.loop
        before = loop.clock
        loop.clock = lambda: before() + hours * 3600  # type: ignore[method-assign]

    @rule(
        program=st.integers(0, 1),
        step=st.none() | st.sampled_from([*STEPS, *(f"{step}:2" for step in STEPS), *MORE_STEPS]),
    )
    def die(self, program: int, step: str | None) -> None:
        """Now, or at the next time that a step is reached; then start again."""
        if step is None:
            self._start_again(program)
            return
        kill_at(self.programs[program], step)

    def _start_again(self, program: int) -> None:
        engine = self.programs[program]
        self._run(self.tasks.kill(program, engine))
        self.programs[program] = self._start(program)

    def _try(self, program: int, work: Callable[[Engine], Awaitable[Any]]) -> None:
        try:
            self._run(work(self.programs[program]), program)
        except BatchdeckError:
            pass
        except Killed:
            self._revive()

    def _revive(self) -> None:
        for program, engine in enumerate(self.programs):
            if is_dead(engine):
                self._start_again(program)

    @invariant()
    def nothing_is_wrong(self) -> None:
        if not hasattr(self, "programs"):
            return
        self._revive()
        assert self.wrong == []
        self._run(self._compare())

    async def _compare(self) -> None:
        # Threads go on when the loop stands still, and two questions get two answers then.
        await self.bench.loop.stillness()
        for job in self.programs[0].history.jobs.list():
            adds_up(self.programs[0], job.id)

    def teardown(self) -> None:
        if not hasattr(self, "programs"):
            return
        try:
            self._settle()
        finally:
            for engine in self.programs:
                self._run(engine.close())
            self.runner.close()
            shutil.rmtree(self.folder)

    def _settle(self) -> None:
        """Let everything end well, and compare with the truth."""
        self.provider.faults.clear()
        for program in (0, 1):
            self._start_again(program)
        self.provider.ends_after = 0
        self._run(asyncio.sleep(2 * CONFIRM_SECONDS))
        engine = self.programs[0]
        history = engine.history
        for job in history.jobs.list():
            states = [batch.submission for batch in history.batches.of_job(job.id)]
            if Submission.DRAFT in states:
                if job.deadline is not None and not job.deadline.is_under_way:
                    # One that has passed would not let the job be sent.
                    self._try(0, lambda e, job=job: e.deadlines.set(job.id, None))  # type: ignore[misc]
                self._try(0, lambda engine, job=job: engine.submit(job.id))  # type: ignore[misc]
        for _ in range(5):
            try:
                self._wait_for_all(engine)
                break
            except UnconfirmedError:
                # A stranger's batch of this size may be ours, for all that the provider says of
                # it. While the other program is at work on the batch, the user has to try again.
                self._decide(engine)
        else:
            self._wait_for_all(engine)
        self.nothing_is_wrong()
        known = set()
        for job in history.jobs.list():
            batches = history.batches.of_job(job.id)
            known |= {batch.remote_id for batch in batches if batch.remote_id}
            well = self._answered(engine, job.id)
            for row in history.rows.page(job.id, range(job.counts.total)):
                if batches:
                    assert row.outcome is not Outcome.PENDING
                assert (row.outcome in ANSWERED) == (row.custom_id in well), row
        ours = {
            batch.id
            for batch in self.provider.batches.values()
            if batch.id not in self.strangers and not batch.issues
        }
        assert not known & self.strangers, "a stranger's batch was taken for ours"
        assert ours <= known, "a batch was made that the history does not know"
        assert self.wrong == []

    def _answered(self, engine: Engine, job: str) -> set[str]:
        """The rows of a job that must have an answer: their own, a shared, or a copied one."""
        batches = engine.history.batches
        texts = self.texts[job]
        rows = engine.history.rows.page(job, range(len(texts)))
        ids = [row.custom_id for row in rows]
        found = {name for name in ids if name in self.answered_well}
        shared: set[int] = set()
        for batch in batches.of_job(job):
            if batch.reuses:
                copied = {ids[seq] for seq in batches.rows_of(batch.id)}
                assert not any(self.provider.seen[name] for name in copied), "copied and sent"
                found |= copied
            shared.update(batches.repeats_of(batch.id))
        for seq in shared:
            same = [name for name, text in zip(ids, texts, strict=True) if text == texts[seq]]
            paid = [name for name in same if name in self.answered_well]
            assert len(paid) <= 1, f"{paid} ask for the same, and were paid"
            found |= {ids[seq]} if paid else set()
        return found

    def _wait_for_all(self, engine: Engine) -> None:
        self._run(engine.wait([job.id for job in engine.history.jobs.list()]))

    def _decide(self, engine: Engine) -> None:
        """Do what a user does who sees on the provider's web page what is in the batches."""
        for job in engine.history.jobs.list():
            for batch in engine.history.batches.of_job(job.id):
                if batch.submission is not Submission.UNCERTAIN:
                    continue
                made = [name for name, intent in self.intents.items() if intent == batch.id]
                # The program that looks for the batch holds it: the user decides in that one.
                for program in (0, 1):
                    self._try(program, self._decision(job.id, made))

    def _decision(self, job_id: str, made: list[str]) -> Callable[[Engine], Awaitable[Any]]:
        if made:
            return lambda engine: engine.remote.attach(job_id, made[0])
        return lambda engine: engine.submit(job_id, resend=True)


TwoPrograms.TestCase.settings = settings(max_examples=20, stateful_step_count=14)
TestTwoPrograms = TwoPrograms.TestCase
