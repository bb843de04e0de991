"""A submit that is repeated, after a kill or by two programs at once, sends one job."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.rows import chat
from tests.end_to_end.servers import Served, sandbox
from tests.engine.conftest import Opener
from tests.engine.programs import Killed, kill_at
from tui.compose.build import source_with_digest
from tui.engine.engine import Engine
from tui.errors import BudgetError, UsageError

Write = Callable[..., Path]


@pytest.fixture
def requests(written: Write) -> Path:
    return written("rows.jsonl", "".join(json.dumps(chat(n, "Hi")) + "\n" for n in range(3)))


def creates(server: Served) -> int:
    return server.count("POST", "/v1/batches")


def sources(engine: Engine) -> list[str]:
    return [job.source for job in engine.history.jobs.list()]


def test_the_source_knows_requests_and_window(requests: Path, written: Write) -> None:
    source = source_with_digest(requests, "frame")
    assert source == source_with_digest(requests, "frame") and source.startswith("frame ")
    assert source_with_digest(requests, "frame", "1h") != source
    assert source_with_digest(written("other.jsonl", "{}\n"), "frame") != source


@pytest.mark.parametrize("step", ["imported", "planned"])
async def test_what_was_killed_goes_on(opened: Opener, requests: Path, step: str) -> None:
    with sandbox("openai") as server:
        async with opened("openai", f"{server.url}/v1") as engine:
            kill_at(engine, step)
            with pytest.raises(Killed):
                await engine.submit_once(requests, "frame 1", "there")
        assert creates(server) == 0
        async with opened("openai", f"{server.url}/v1") as engine:
            assert engine.begun("frame 1", "there") is None
            job = await engine.submit_once(requests, "frame 1", "there")
            assert (creates(server), sources(engine)) == (1, ["frame 1"])
            assert (await engine.submit_once(requests, "frame 1", "there")).id == job.id
            begun = engine.begun("frame 1", "there")
            assert begun is not None and begun.id == job.id
            assert creates(server) == 1


async def test_another_account_or_an_order_to_do_so_sends_again(
    opened: Opener, requests: Path
) -> None:
    with sandbox("openai") as server:
        async with opened("openai", f"{server.url}/v1") as engine:
            first = await engine.submit_once(requests, "frame 1", "there")
            again = await engine.submit_once(requests, "frame 1", "there", again=True)
            here = await engine.submit_once(requests, "frame 1", "sandbox")
            assert len({first.id, again.id, here.id}) == 3 and creates(server) == 2
            same = await engine.submit_once(requests, "frame 1", "there")
            assert same.id == again.id and creates(server) == 2


async def test_two_programs_at_once_send_one_job(opened: Opener, requests: Path) -> None:
    with sandbox("openai") as server:
        url = f"{server.url}/v1"
        async with opened("openai", url) as one, opened("openai", url) as other:
            both = [one.submit_once(requests, "frame 1", "there") for one in (one, other)]
            done = await asyncio.gather(*both, return_exceptions=True)
            # A program may be told that the other one is sending, and to call again.
            assert all(not isinstance(each, Exception | Killed) or told(each) for each in done)
            assert creates(server) == 1 and sources(one) == ["frame 1"]
            await other.submit_once(requests, "frame 1", "there")
            assert creates(server) == 1


def told(error: object) -> bool:
    return isinstance(error, UsageError) and "another Batchdeck process" in str(error)


async def test_a_refused_budget_leaves_nothing(opened: Opener, requests: Path) -> None:
    with sandbox("openai") as server:
        async with opened("openai", f"{server.url}/v1") as engine:
            with pytest.raises(BudgetError):
                await engine.submit_once(requests, "frame 1", "there", budget=0.0)
            assert sources(engine) == [] and creates(server) == 0


async def test_of_two_drafts_the_first_is_sent(opened: Opener, requests: Path) -> None:
    """Another program makes the job while this one checks the file."""
    with sandbox("openai") as server:
        url = f"{server.url}/v1"
        async with opened("openai", url) as one, opened("openai", url) as other:
            loop = asyncio.get_running_loop()
            made: list[str] = []

            def reach(step: str) -> None:
                if step == "checked":
                    work = one.requests.import_file(requests, account="there", source="frame 1")
                    made.append(asyncio.run_coroutine_threadsafe(work, loop).result(60).id)

            other._context.reach = reach  # type: ignore[method-assign]
            job = await other.submit_once(requests, "frame 1", "there")
            assert [job.id] == made and sources(one) == ["frame 1"] and creates(server) == 1
