"""Two faults at once: ``python -m tests.faults.compound [--every-provider] [WORD…]``.

A job of 30 rows is sent through a proxy that fails at one place, and another thing goes wrong as
well: a kill, a full disk, a clock that is set, a second program, a cancel from elsewhere, a second
fault of the wire. Then the program is started again until the job has ended. The provider's books
are the judge: one batch, none of the stranger's with the same key and as many rows, every answer
in its row, the key nowhere.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engine.programs import Programs, kill_at
from tests.faults.compound_cases import CONFIRM_SECONDS, Judgement, Point, points
from tests.faults.kill_server import ProviderRecord
from tests.faults.points import KEY_VARIABLE, judged, provider
from tests.faults.proxy import Act, Exchange, Proxy, proxy_to
from tests.faults.wire_bench import (
    KEY,
    ROWS,
    WAIT,
    Case,
    Clock,
    Verdict,
    config,
    judge_answers,
    leaks,
    requests_file,
    short_sleep,
)
from tests.waiting import within
from tui.core.jobs import Submission
from tui.engine.engine import Engine
from tui.errors import BatchdeckError, UsageError
from tui.paths import Paths
from tui.processes import process_is_running
from tui.providers.dialect import BatchDraft, Dialect
from tui.store import leases as leases_of_batches
from tui.store.database import history_error

_STARTS = 8
_DISK_SECONDS = 0.3
_SECOND = 99
"""The number of the second program; the first has that of its start."""


class _Run:
    """One point: the home, the provider, and the programs that work on them."""

    def __init__(self, point: Point, folder: Path, truth: ProviderRecord, proxy: Proxy) -> None:
        self.point = point
        self.truth = truth
        self.proxy = proxy
        self.clock = Clock()
        self.judgement = Judgement()
        self.programs = Programs(asyncio.get_running_loop())
        self.theirs: set[str] = set()
        self.job_id = ""
        self._folder = folder
        self._paths = Paths.find(folder / "home").ensure()
        self._second: Engine | None = None
        self._besides: list[asyncio.Task[None]] = []
        self._gone: set[str] = set()

    def is_running(self, name: str) -> bool | None:
        """Whether the process with a name runs; a killed program's does not."""
        return False if name in self._gone else process_is_running(name)

    @property
    def ours(self) -> list[str]:
        """The batches of the job at the provider, as its books have them."""
        return [name for name in self.truth.created if name not in self.theirs]

    async def _open(self, url: str, paths: Paths) -> Engine:
        settings = config(self.point.like, url, confirm_seconds=CONFIRM_SECONDS)
        engine = await Engine.open(paths, settings, clock=self.clock)
        engine._context.sleep = short_sleep
        return engine

    async def let_a_stranger_in(self, file: Path) -> None:
        """A batch of as many rows, made with the same key and without any mark of ours."""
        engine = await self._open(self.truth.url, Paths.find(self._folder / "theirs").ensure())
        try:
            dialect = await engine.accounts.dialect("far")
            theirs = self._folder / "theirs.jsonl"
            await asyncio.to_thread(_encode, dialect, file, theirs)
            file_id = None
            if dialect.capabilities.uploads:
                file_id = await dialect.upload(theirs, name="theirs.jsonl")
            model = "summarize" if self.point.like == "scaledown" else "gpt-4"
            url = "/v1/chat/completions"
            draft = BatchDraft(theirs, ROWS, url, model, "24h", "", file_id)
            await dialect.create(draft)
        finally:
            await engine.close()
        self.theirs = set(self.truth.created)

    def _noted(self, what: str, act: Act) -> Act:
        async def noting(x: Exchange) -> None:
            self.judgement.struck.add(what)
            await act(x)

        return noting

    async def run(self) -> None:
        """Start the program until the job has ended, and judge."""
        file = await asyncio.to_thread(requests_file, self._folder, like=self.point.like)
        await self.let_a_stranger_in(file)
        wire = self.point.wire
        self.proxy.arm(wire.route, self._noted("wire", wire.act), wire.times)
        for fault in self.point.trouble.wire:
            self.proxy.arm(fault.route, self._noted("trouble", fault.act), fault.times)
        said: list[str] = []
        for start in range(_STARTS):
            hidden = start == 1 and self.point.trouble.kind == "kill, no key"
            engine = await self._open(self.proxy.url, self._paths)
            if not self.job_id:
                self.job_id = (await engine.requests.import_file(file)).id
            ended = asyncio.Event()
            if "trouble" not in self.judgement.struck:
                await self._prepare(engine, ended)
            with _key("" if hidden else KEY):
                error = await self._live(start, engine, ended)
            if error is None:
                break
            said.append(error)
        else:
            self.judgement.wrong.append(f"not done after {_STARTS} starts: {said}")
        await self._end()

    async def _prepare(self, engine: Engine, ended: asyncio.Event) -> None:
        """Let the other thing go wrong when the program reaches its step."""
        trouble, struck = self.point.trouble, self.judgement.struck
        if trouble.kind.startswith("kill"):

            def dead() -> None:
                struck.add("trouble")
                ended.set()

            kill_at(engine, trouble.step, dead)
        elif trouble.kind == "disk full":
            self._at(engine, trouble.step, lambda: self._besides_do(self._fill_disk(engine)))
        elif trouble.kind == "clock":
            self._at(engine, trouble.step, lambda: self.clock.jump(trouble.amount))
        elif trouble.kind == "cancel":
            self._second = await self._open(self.proxy.url, self._paths)
            second = self._second
            self._at(engine, trouble.step, lambda: self._besides_do(second.cancel(self.job_id)))
        elif trouble.kind == "second program":
            self._second = await self._open(self.proxy.url, self._paths)
            self._second.watch()
            struck.add("trouble")
            self._besides_do(self._second.submit(self.job_id))

    def _at(self, engine: Engine, step: str, do: Callable[[], object]) -> None:
        def reach(passed: str) -> None:
            if passed == step and "trouble" not in self.judgement.struck:
                self.judgement.struck.add("trouble")
                do()

        engine._context.reach = reach  # type: ignore[method-assign]

    def _besides_do(self, work: Awaitable[Any]) -> None:
        async def go() -> None:
            try:
                await work
            except BatchdeckError:
                # It is told to another user; what counts is what is true at the end.
                return

        task = asyncio.get_running_loop().create_task(go(), context=self.programs.context(_SECOND))
        self._besides.append(task)

    async def _fill_disk(self, engine: Engine) -> None:
        """Let the history not be written for a moment; what ran before has its effect."""
        database = engine.history._database

        def full(**_: bool) -> Any:
            raise history_error(sqlite3.OperationalError("database or disk is full"), database.path)

        database.write = full  # type: ignore[method-assign,assignment]
        await asyncio.sleep(_DISK_SECONDS)
        del database.write

    async def _live(self, start: int, engine: Engine, ended: asyncio.Event) -> str | None:
        """Let the user work until the job has ended (``None``), or the program says why not."""
        context = self.programs.context(start)
        loop = asyncio.get_running_loop()
        using = loop.create_task(self._use(engine), context=context)
        killing = loop.create_task(ended.wait())
        await asyncio.wait({using, killing}, return_when=asyncio.FIRST_COMPLETED)
        if ended.is_set():
            await self.programs.kill(start, engine)
            self._gone.add(engine.history._database.owner)
            await asyncio.gather(using, return_exceptions=True)
            return "killed"
        killing.cancel()
        try:
            return using.result()
        finally:
            await engine.close()
            self._gone.add(engine.history._database.owner)

    async def _use(self, engine: Engine) -> str | None:
        """Submit, answer what is asked, and wait for the end; ``None``, or what was said."""
        try:
            async with within(WAIT):
                await self._submit(engine)
                await engine.wait([self.job_id])
        except TimeoutError:
            trouble = engine.history.jobs.get(self.job_id).trouble
            self.judgement.wrong.append(f"it hangs; trouble: {trouble!r}")
            return None
        except BatchdeckError as error:
            if not error.message:
                self.judgement.wrong.append("an error without words")
            return error.message or "nothing"
        batches = engine.history.batches.of_job(self.job_id)
        return "not sent" if not batches or any(b.is_unsent for b in batches) else None

    async def _submit(self, engine: Engine) -> None:
        batches = engine.history.batches.of_job(self.job_id)
        for batch in batches:
            if batch.submission is Submission.UNCERTAIN:
                await self._decide(engine, {b.remote_id for b in batches})
                return
        if not batches or any(batch.is_unsent for batch in batches):
            try:
                await engine.submit(self.job_id, wait_if_busy=True)
            except UsageError:
                # Another program has sent it meanwhile, or sends it now.
                return

    async def _decide(self, engine: Engine, known: set[str | None]) -> None:
        """Do what a user does who looks at the provider's web page, some time later."""
        await self.proxy.quiet()
        unknown = [name for name in self.ours if name not in known]
        if unknown:
            await engine.remote.attach(self.job_id, unknown[0])
        else:
            await engine.submit(self.job_id, resend=True, wait_if_busy=True)

    async def _end(self) -> None:
        await asyncio.gather(*self._besides, return_exceptions=True)
        if self._second is not None:
            await self._second.close()
        await self.proxy.quiet()
        engine = await self._open(self.proxy.url, self._paths)
        try:
            self._judge(engine)
        finally:
            await engine.close()

    def _judge(self, engine: Engine) -> None:
        wrong = self.judgement.wrong
        ours = self.ours
        self.judgement.created = len(ours)
        job = engine.history.jobs.get(self.job_id)
        known = {b.remote_id for b in engine.history.batches.of_job(self.job_id) if b.remote_id}
        is_cancelled = self.point.trouble.kind == "cancel" and "trouble" in self.judgement.struck
        if len(ours) > 1 or (not ours and not is_cancelled):
            wrong.append(f"{len(ours)} batches at the provider")
        if lost := set(ours) - known:
            wrong.append(f"lost: {lost}")
        if foreign := known & self.theirs:
            wrong.append(f"a stranger's batch was taken for ours: {foreign}")
        if self.theirs & (self.truth.cancelled | self.truth.deleted):
            wrong.append("the stranger's batch was touched")
        if is_cancelled:
            if running := set(ours) - self.truth.cancelled:
                wrong.append(f"still running: {running}")
            if job.counts.pending:
                wrong.append(f"cancelled, and {job.counts.pending} rows are pending")
        else:
            if job.counts.succeeded != ROWS:
                wrong.append(f"{job.counts.succeeded} of {ROWS} rows: {job.status}, {job.counts}")
            verdict = Verdict(Case("", "", self.point.wire.act))
            judge_answers(engine, self.job_id, verdict)
            wrong += verdict.wrong
        wrong += [f"the proxy: {error!r}" for error in self.proxy.troubles]
        wrong += leaks(self._folder)


def _encode(dialect: Dialect, file: Path, target: Path) -> None:
    """Write requests as a provider wants them."""
    lines = [dialect.encode_line(line) for line in file.read_bytes().split(b"\n") if line]
    target.write_bytes(b"".join(line.rstrip(b"\n") + b"\n" for line in lines))


@contextmanager
def _key(key: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        if key:
            patch.setenv(KEY_VARIABLE, key)
        else:
            patch.delenv(KEY_VARIABLE, raising=False)
        yield


async def _run_point(point: Point, folder: Path) -> Judgement:
    # What is cancelled must still run then.
    rate = 3.0 if point.trouble.kind == "cancel" else 0.0
    with provider(point.like, folder, rate) as (truth, patch):
        async with proxy_to(int(truth.url.rpartition(":")[2])) as proxy:
            run = _Run(point, folder, truth, proxy)
            patch.setattr(leases_of_batches, "process_is_running", run.is_running)
            await run.run()
            return run.judgement


def run_point(point: Point, folder: Path) -> Judgement:
    """Run a point in a new folder."""
    return judged(_run_point(point, folder), Judgement)


def main() -> int:
    """Run the points and print a table; returns 0 if all ended well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only points whose description has all of these")
    parser.add_argument("--every-provider", action="store_true", help="each point at every one")
    parser.add_argument("--part", default="1/1", help="only so much of them: 1/2, 2/2")
    options = parser.parse_args()
    part, _, parts = options.part.partition("/")
    chosen = [
        point
        for point in points(every_provider=options.every_provider)
        if all(word in str(point) for word in options.words)
    ][int(part) - 1 :: int(parts)]
    totals: Counter[str] = Counter()
    for point in chosen:
        with tempfile.TemporaryDirectory(prefix="batchdeck-compound-") as folder:
            judgement = run_point(point, Path(folder))
        totals["points"] += 1
        totals["both"] += judgement.is_compound
        totals["wrong"] += bool(judgement.wrong)
        struck = "both" if judgement.is_compound else ",".join(sorted(judgement.struck)) or "none"
        word = "WRONG" if judgement.wrong else "ok   "
        print(f"{word} {point!s:<95} {struck:<7} {judgement.created} {judgement.seconds:5.1f} s")
        for reason in judgement.wrong:
            print(f"      ! {reason}")
        sys.stdout.flush()
    print(f"{totals['points']} points, both faults in {totals['both']}, {totals['wrong']} wrong")
    return 1 if totals["wrong"] else 0


if __name__ == "__main__":
    os.environ.pop("BATCHDECK_HOME", None)
    sys.exit(main())
