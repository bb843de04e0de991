"""Single tools, where the loop does not go: waiting in vain, cancelling, calls at the same time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.end_to_end.rows import chat
from tests.end_to_end.servers import sandbox
from tests.mcp.conftest import Served
from tests.waiting import Patience


async def test_a_job_that_goes_on_is_waited_for_in_bounds_and_cancelled(
    served: Served, work: Path
) -> None:
    (work / "a.jsonl").write_text("".join(json.dumps(chat(n, "Hi")) + "\n" for n in range(20)))
    with sandbox("openai", rows_per_second=0.01) as provider:
        async with served(provider.url) as call:
            unknown = await call("submit", file="a.jsonl", budget=5, account="there")
            assert unknown.failed and "cost unknown" in unknown.text
            # The model of these rows has no price, and an agent sends nothing without one.
            assert provider.count("POST", "/v1/batches") == 0
            (work / "b.jsonl").write_text(
                (work / "a.jsonl").read_text().replace("sandbox-small", "m")
            )
            sent = await call("submit", file="b.jsonl", budget=1_001, account="there")
            job = sent.document["job"]
            shown = (await call("wait", job=job, seconds=0.2)).document
            assert not shown["ended"] and shown["note"]
            too_long = await call("wait", job=job, seconds=500)
            assert too_long.failed and "seconds" in too_long.text
            assert (await call("results", job=job)).document["rows"][0]["outcome"] == "pending"
            cancelled = (await call("cancel", job=job)).document
            assert cancelled["status"] in ("cancelling", "cancelled")
            twice = await call("submit", file="b.jsonl", budget=1_001, account="there")
            assert "set again to true" in twice.document["note"]
            assert provider.count("POST", "/v1/batches") == 1


async def test_calls_at_the_same_time_share_the_session_s_budget(
    served: Served, work: Path
) -> None:
    for name in ("a", "b", "c"):
        line = json.dumps(chat(1, f"Hi {name}")).replace("sandbox-small", "m")
        (work / f"{name}.jsonl").write_text(line + "\n")
    with sandbox("openai") as provider:
        async with served(provider.url, budget=101) as call:
            calls = [
                call("submit", file=f"{name}.jsonl", budget=60, account="there")
                for name in ("a", "b", "c")
            ]
            done = await asyncio.gather(*calls)
            assert sorted(one.failed for one in done) == [False, False, True]
            assert provider.count("POST", "/v1/batches") == 2


async def test_a_call_that_is_given_up_goes_on_and_is_counted(served: Served, work: Path) -> None:
    for name in ("a", "b"):
        line = json.dumps(chat(1, f"Hi {name}")).replace("sandbox-small", "m")
        (work / f"{name}.jsonl").write_text(line + "\n")
    with sandbox("openai") as provider:
        async with served(provider.url, budget=60) as call:
            first = asyncio.ensure_future(
                call("submit", file="a.jsonl", budget=60, account="there")
            )
            patience = Patience(20)
            while not provider.count("POST", "/v1/files"):
                assert not patience.is_over
                await asyncio.sleep(0)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            second = await call("submit", file="b.jsonl", budget=60, account="there")
            assert second.failed and "The session has $10.00 of $60.00 left" in second.text
            again = await call("submit", file="a.jsonl", budget=60, account="there")
            assert "submitted before" in again.document["note"]
            assert provider.count("POST", "/v1/batches") == 1
