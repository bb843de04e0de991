"""What Google's own client sends to Vertex AI for a job, beside what the dialect sends."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.fakes.google_sign_in import PROJECT
from tests.providers.dialects.google.test_vertex import (
    CREATE,
    GET,
    INTENT,
    JOBS,
    LIST,
    REGION,
    draft,
    job,
    vertex,
)
from tests.providers.fakes import Scripted

genai = pytest.importorskip("google.genai", reason="google-genai is one of the dev extras")

SCRIPT: dict[str, Any] = {
    CREATE: httpx.Response(200, json=job()),
    GET: httpx.Response(200, json=job()),
    LIST: httpx.Response(200, json={"batchPredictionJobs": [job()]}),
    f"POST {JOBS}/77:cancel": httpx.Response(200, json={}),
    f"DELETE {JOBS}/77": httpx.Response(200, json={"name": "operations/1", "done": True}),
}


def theirs(script: Scripted) -> Any:
    from google.oauth2.credentials import Credentials

    options = genai.types.HttpOptions(
        base_url=f"https://{REGION}-aiplatform.googleapis.com/",
        api_version="v1",
        async_client_args={"transport": httpx.MockTransport(script)},
    )
    return genai.Client(
        vertexai=True,
        project=PROJECT,
        location=REGION,
        credentials=Credentials(token="ya29.static"),
        http_options=options,
    )


def sent(script: Scripted, number: int = 0) -> dict[str, Any]:
    """A call as it is compared."""
    request = script.requests[number]
    return {
        "call": script.calls[number],
        "host": request.url.host,
        "token": request.headers["authorization"],
        "body": script.sent(number) if script.bodies[number] else None,
    }


async def test_a_create_is_that_of_googles_client_with_our_label() -> None:
    ours, other = Scripted(SCRIPT), Scripted(SCRIPT)
    await vertex(ours).create(draft())
    await theirs(other).aio.batches.create(
        model="gemini-3.5-flash",
        src="gs://answers/batchdeck/rows.jsonl",
        config={
            "display_name": f"bd-{INTENT}",
            "dest": f"gs://answers/batchdeck/{INTENT}/out",
        },
    )
    mine = sent(ours)
    assert mine["body"].pop("labels") == {"batchdeck": INTENT}
    assert mine == sent(other)


async def test_a_job_is_retrieved_cancelled_and_deleted_by_the_same_calls() -> None:
    ours, other = Scripted(SCRIPT), Scripted(SCRIPT)
    mine, client = vertex(ours), theirs(other)
    await mine.retrieve("77")
    await client.aio.batches.get(name="77")
    await mine.cancel("77")
    await client.aio.batches.cancel(name="77")
    await mine.delete_batch("77")
    await client.aio.batches.delete(name="77")
    # After a cancel the job is asked for, because the answer is empty.
    assert [call for call in ours.calls if call not in other.calls] == []
    assert set(other.calls) == set(ours.calls)
    assert {sent(ours, number)["token"] for number in range(len(ours.calls))} == {
        sent(other, number)["token"] for number in range(len(other.calls))
    }


async def test_jobs_are_listed_by_the_same_call() -> None:
    ours, other = Scripted(SCRIPT), Scripted(SCRIPT)
    assert [batch.id async for batch in vertex(ours).list_batches()] == ["77"]
    pager = await theirs(other).aio.batches.list(config={"page_size": 100})
    assert [each.name async for each in pager] == [job()["name"]]
    assert ours.calls == other.calls
    assert dict(ours.requests[0].url.params) == dict(other.requests[0].url.params)
