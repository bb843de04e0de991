"""Runs an operation with faults at numbered requests, and judges it by the provider's books."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.engine.programs import Programs, stop_writing
from tests.faults.kill_server import ProviderRecord
from tests.faults.pairs.faults import Fault, Numbered
from tests.faults.pairs.operations import BUDGET, Operation, Work, carry_out, send
from tests.faults.points import judged, provider
from tests.faults.proxy import running
from tests.faults.wire_bench import KEY, WAIT, Clock, config, leaks, short_sleep
from tests.waiting import within
from tui.config.settings import BudgetConfig, Config, PriceConfig
from tui.core.retry_rules import MAY_BE_PAID
from tui.core.rows import ANSWERED, Outcome
from tui.engine.engine import Engine
from tui.errors import BatchdeckError
from tui.paths import Paths
from tui.processes import process_is_running
from tui.store import leases as leases_of_batches
from tui.store.database import history_error

_STARTS = 8
_AT_A_TIME = 2
_DISK_SECONDS = 0.2
_CONFIRM_SECONDS = 0.6
_SECOND, _AGAIN = 98, 99
_DOLLARS = 1_000_000.0
"""The price of a million tokens of answers: a dollar for each."""


@dataclass(frozen=True)
class Point:
    """An operation at a provider, with faults at some of its requests."""

    operation: Operation
    like: str
    faults: dict[int, Fault] = field(default_factory=dict)

    def __str__(self) -> str:
        what = "; ".join(f"#{n} {fault.name}" for n, fault in self.faults.items())
        return f"{self.operation.name:<18} {self.like:<10} {what}"


@dataclass
class Result:
    """What came of a point; ``wrong`` is empty if it ended well."""

    wrong: list[str] = field(default_factory=list)
    in_order: list[str] = field(default_factory=list)
    struck: list[int] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class Books:
    """What the provider has answered: how often each row, and what it costs."""

    answers: Counter[str] = field(default_factory=Counter)
    cost: float = 0.0


class _Run:
    def __init__(self, point: Point, folder: Path, truth: ProviderRecord, proxy: Numbered) -> None:
        self.point = point
        self.truth = truth
        self.proxy = proxy
        self.clock = Clock()
        self.result = Result()
        self.work = Work(folder, point.like)
        self.programs = Programs(asyncio.get_running_loop())
        self._paths = Paths.find(folder / "home").ensure()
        self._gone: set[str] = set()
        self._besides: list[asyncio.Task[None]] = []
        self._engine: Engine | None = None
        self._second: Engine | None = None
        self._died = asyncio.Event()

    def is_running(self, name: str) -> bool | None:
        return False if name in self._gone else process_is_running(name)

    async def _open(self) -> Engine:
        like = self.point.like
        settings = config(like, self.proxy.url, confirm_seconds=_CONFIRM_SECONDS)
        table = dict(settings.providers["wire"])
        if self.point.operation.part:
            table["limits"] = {"rows": self.point.operation.part}
        prices = {
            name: PriceConfig(input=0, output=_DOLLARS) for name in ("gpt-4", "claude-haiku-4-5")
        }
        # Some rows are under way at a kill, and some are not sent yet.
        account = msgspec.structs.replace(settings.accounts["far"], concurrency=_AT_A_TIME)
        changed = Config(
            accounts={"far": account},
            default_account="far",
            providers={"wire": table},
            prices=prices if like in _PRICED else {},
            budget=BudgetConfig(per_month=10 * BUDGET) if like in _PRICED else BudgetConfig(),
        )
        engine = await Engine.open(self._paths, changed, clock=self.clock)
        engine._context.sleep = short_sleep
        return engine

    async def run(self) -> None:
        operation = self.point.operation
        if operation.before:
            engine = await self._open()
            try:
                await send(operation, self.work, engine, self._decide)
                await engine.wait(self.work.jobs)
            finally:
                await engine.close()
                self._gone.add(engine.history._database.owner)
        self.proxy.faults = self.point.faults
        self.proxy.happens = self._happens
        self.proxy.is_counting = True
        if any(fault.besides == "second" for fault in self.point.faults.values()):
            self._second = await self._open()
        said: list[str] = []
        for start in range(_STARTS):
            error = await self._live(start)
            if error is None:
                break
            said.append(error)
        else:
            self.result.wrong.append(f"not done after {_STARTS} starts: {said}")
        await asyncio.gather(*self._besides, return_exceptions=True)
        if self._second is not None:
            await self._second.close()
        await self.proxy.quiet()
        self.proxy.is_counting = False
        await self._judge_end()
        self.result.in_order = self.proxy.in_order
        self.result.struck = self.proxy.struck
        self.result.wrong += [f"the proxy: {error!r}" for error in self.proxy.troubles]

    async def _live(self, start: int) -> str | None:
        """One program: until all is done (``None``), or it says why not."""
        engine = await self._open()
        self._died = asyncio.Event()
        self._engine = engine
        await self._judge_ledger(engine, "before a start")
        loop = asyncio.get_running_loop()
        using = loop.create_task(self._use(engine), context=self.programs.context(start))
        dying = loop.create_task(self._died.wait())
        await asyncio.wait({using, dying}, return_when=asyncio.FIRST_COMPLETED)
        if self._died.is_set():
            await self.programs.kill(start, engine)
            self._gone.add(engine.history._database.owner)
            await asyncio.gather(using, return_exceptions=True)
            return "killed"
        dying.cancel()
        try:
            return using.result()
        finally:
            await self._judge_ledger(engine, "at the end of a program")
            await engine.close()
            self._gone.add(engine.history._database.owner)

    async def _use(self, engine: Engine) -> str | None:
        try:
            async with within(WAIT):
                await carry_out(self.point.operation, self.work, engine, self._decide)
        except TimeoutError:
            self.result.wrong.append("it hangs")
            return None
        except BatchdeckError as error:
            return error.message or "nothing"
        return None

    async def _decide(self, engine: Engine, job_id: str) -> None:
        """Do what a user does who looks at the provider's web page, some time later."""
        await self.proxy.quiet()
        known = {b.remote_id for job in self.work.jobs for b in engine.history.batches.of_job(job)}
        unknown = [name for name in self.truth.created if name not in known]
        if unknown:
            await engine.remote.attach(job_id, unknown[0])
        else:
            await engine.submit(job_id, resend=True, wait_if_busy=True, budget=self.work.budget)

    async def _happens(self, fault: Fault) -> None:
        self.clock.jump(fault.seconds)
        engine = self._engine
        assert engine is not None
        if fault.besides == "killed":
            stop_writing(engine)
            self._died.set()
        elif fault.besides == "disk":
            self._besides_do(self._fill_disk(engine), _AGAIN)
            await asyncio.sleep(0)
        elif fault.besides in ("second", "twice"):
            other = engine if fault.besides == "twice" else self._second
            assert other is not None
            self._besides_do(self._do_it_too(other), _SECOND)
            await asyncio.sleep(0.05)

    async def _do_it_too(self, engine: Engine) -> None:
        plan = self.work.plan
        if plan is not None:
            await engine.retry(plan, budget=self.work.budget)
        else:
            await send(self.point.operation, self.work, engine, self._decide)

    def _besides_do(self, work: Any, program: int) -> None:
        async def go() -> None:
            with suppress(BatchdeckError):
                # It is told to another user; what counts is what is true at the end.
                await work

        loop = asyncio.get_running_loop()
        self._besides.append(loop.create_task(go(), context=self.programs.context(program)))

    async def _fill_disk(self, engine: Engine) -> None:
        database = engine.history._database
        if "write" in vars(database):
            return

        def full(**_: bool) -> Any:
            raise history_error(sqlite3.OperationalError("database or disk is full"), database.path)

        database.write = full  # type: ignore[method-assign,assignment]
        await asyncio.sleep(_DISK_SECONDS)
        if vars(database).get("write") is full:
            del database.write

    async def _judge_ledger(self, engine: Engine, when: str) -> None:
        """What is reserved and spent is at least what the provider has billed by now."""
        if self.point.like not in _PRICED:
            return
        bill = (await asyncio.to_thread(read_books, self.truth, self.point.like)).cost
        entries = engine.history.ledger.entries()
        counted = sum(e.amount or 0.0 for e in entries if e.kind != "released")
        if counted < bill - 1e-6:
            self.result.wrong.append(f"{when}: {counted:.0f} in the ledger, {bill:.0f} billed")

    async def _judge_end(self) -> None:
        wrong = self.result.wrong
        books = await asyncio.to_thread(read_books, self.truth, self.point.like)
        twice = {name: n for name, n in books.answers.items() if n > self.point.operation.copies}
        if twice:
            wrong.append(f"paid more than once: {twice}")
        engine = await self._open()
        try:
            await self._judge_ledger(engine, "in the end")
            known: set[str | None] = set()
            for job_id in self.work.jobs:
                known |= {b.remote_id for b in engine.history.batches.of_job(job_id)}
                self._judge_job(engine, job_id, books)
            if lost := set(self.truth.created) - known:
                wrong.append(f"lost: {lost}")
            if others := {j.id for j in engine.history.jobs.list()} - set(self.work.jobs):
                wrong.append(f"jobs beside: {len(others)}")
        finally:
            await engine.close()
        wrong += leaks(self.work.folder)

    def _judge_job(self, engine: Engine, job_id: str, books: Books) -> None:
        wrong = self.result.wrong
        seqs = engine.history.rows.select(job_id).seqs
        for row in engine.history.rows.page(job_id, seqs):
            doubtful = row.error is not None and row.error.code in MAY_BE_PAID
            if row.outcome is Outcome.MISSING:
                wrong.append(f"{row.custom_id} is missing")
            elif row.outcome not in ANSWERED and not doubtful:
                wrong.append(f"{row.custom_id}: {row.outcome} {row.error}")
        strays = engine.history.rows.orphan_lines(job_id)
        if strays.unknown or strays.unreadable:
            wrong.append(f"strays: {strays}")


_PRICED = ("openai", "doubleword", "anthropic")


def read_books(truth: ProviderRecord, like: str) -> Books:
    """Ask the provider itself what it has answered."""
    books = Books()
    head = {"Authorization": f"Bearer {KEY}", "x-api-key": KEY, "x-goog-api-key": KEY}
    head["anthropic-version"] = "2023-06-01"
    with httpx.Client(base_url=truth.url, headers=head, timeout=20) as client:
        for name in list(truth.created):
            for line in _lines(client, like, name):
                _note(books, json.loads(line))
    for text, times in truth.single.items():
        books.answers[f"row-0-{text.split(' ')[1]}"] += times
    books.cost += truth.single_tokens
    return books


def _lines(client: httpx.Client, like: str, name: str) -> list[str]:
    if like == "anthropic":
        answer = client.get(f"/v1/messages/batches/{name}/results")
        return answer.text.splitlines() if answer.status_code == 200 else []
    if like in ("openai", "doubleword"):
        batch = client.get(f"/v1/batches/{name}").json()
        file = batch.get("output_file_id")
        if not file:
            return []
        answer = client.get(f"/v1/files/{file}/content")
        return answer.text.splitlines() if answer.status_code == 200 else []
    return []


def _note(books: Books, line: dict[str, Any]) -> None:
    body = (line.get("response") or {}).get("body") or (line.get("result") or {}).get("message")
    if not body or "usage" not in body:
        return
    usage = body["usage"]
    books.answers[line["custom_id"]] += 1
    books.cost += usage.get("completion_tokens") or usage.get("output_tokens") or 0


async def _run_point(point: Point, folder: Path) -> Result:
    rate = 4.0 if point.operation.is_slow else 0.0
    with provider(point.like, folder, rate) as (truth, patch):
        port = int(truth.url.rpartition(":")[2])
        async with running(Numbered(port)) as proxy:
            run = _Run(point, folder, truth, proxy)
            patch.setattr(leases_of_batches, "process_is_running", run.is_running)
            await run.run()
            return run.result


def run_point(point: Point, folder: Path) -> Result:
    """Run a point in a new folder."""
    return judged(_run_point(point, folder), Result)
