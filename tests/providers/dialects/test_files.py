from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.providers.fakes import Scripted, batch, dialect_to
from tui.core.jobs import BatchStatus
from tui.errors import (
    InputError,
    ProviderError,
    RequestRejectedError,
    UnexpectedResponseError,
    UnreachableError,
    UsageError,
)
from tui.progress import Progress
from tui.providers.dialect import BatchDraft, Dialect

ROWS = b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{}}\n' * 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "requests.jsonl"
    found.write_bytes(ROWS)
    return found


def draft(path: Path, **fields: Any) -> BatchDraft:
    return BatchDraft(
        **{
            "path": path,
            "rows": 3,
            "endpoint": "/v1/chat/completions",
            "model": "m",
            "window": "24h",
            "intent": "b-1",
            "file_id": "file-1",
            **fields,
        }
    )


def form(body: bytes) -> list[tuple[str, str | None, str | None, bytes]]:
    """The parts of a multipart body: name, file name, content type, content."""
    boundary = body.partition(b"\r\n")[0]
    parts = []
    for part in body.split(boundary)[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        text = head.decode()
        name = re.search(r'name="([^"]*)"', text)
        file_name = re.search(r'filename="([^"]*)"', text)
        kind = re.search(r"Content-Type: (\S+)", text)
        assert name is not None
        parts.append(
            (name[1], file_name[1] if file_name else None, kind[1] if kind else None, content)
        )
    return parts


async def test_an_upload(path: Path) -> None:
    script = Scripted({"POST /v1/files": httpx.Response(201, json={"id": "file-9"})})
    told: list[tuple[int, int]] = []
    dialect = dialect_to(script)
    sent = await dialect.upload(
        path, name="my job", progress=Progress(lambda a, b: told.append((a, b)), seconds=0)
    )
    assert sent == "file-9"
    assert form(script.bodies[0]) == [
        ("purpose", None, None, b"batch"),
        ("file", "my job.jsonl", "application/jsonl", ROWS.strip(b"\n")),
    ]
    assert ROWS in script.bodies[0]
    assert int(script.requests[0].headers["content-length"]) == len(script.bodies[0])
    assert told[-1] == (len(ROWS), len(ROWS))


async def test_a_large_upload_is_read_in_small_pieces(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    path.write_bytes(b"x" * 3_000_000)
    script = Scripted({"POST /v1/files": httpx.Response(200, json={"id": "f"})})
    told: list[int] = []
    await dialect_to(script).upload(
        path, name="l", progress=Progress(lambda sent, _: told.append(sent), seconds=0)
    )
    steps = [after - before for before, after in zip([0, *told], told, strict=False)]
    assert max(steps) <= 1 << 16
    assert told == sorted(told)


async def test_the_form_of_other_providers(path: Path) -> None:
    script = Scripted({"POST /v1/files/upload": httpx.Response(200, json={"id": "f"})})
    upload = {
        "purpose": "batch-api",
        "name_field": "file_name",
        "content_type": "application/json",
        "extra_form": {"file_type": "jsonl"},
        "expires_style": "dots",
        "expires_seconds": 1_209_600,
    }
    dialect = dialect_to(script, changes={"upload": upload, "paths": {"upload": "/files/upload"}})
    await dialect.upload(path, name="rows.jsonl")
    assert form(script.bodies[0])[:-1] == [
        ("purpose", None, None, b"batch-api"),
        ("file_name", None, None, b"rows.jsonl"),
        ("file_type", None, None, b"jsonl"),
        ("expires_after.seconds", None, None, b"1209600"),
        ("expires_after.anchor", None, None, b"created_at"),
    ]
    assert form(script.bodies[0])[-1][1:3] == ("rows.jsonl", "application/json")
    upload["expires_style"] = "brackets"
    dialect = dialect_to(script, changes={"upload": upload, "paths": {"upload": "/files/upload"}})
    await dialect.upload(path, name="rows.jsonl")
    assert ("expires_after[seconds]", None, None, b"1209600") in form(script.bodies[1])


@pytest.mark.parametrize(
    "answer",
    [
        {"code": 20000, "message": "OK", "status": True, "data": {"id": "f", "createdAt": 1}},
        {"file": {"id": "f"}},
        {"file_id": "f", "upload_url": None},
    ],
)
async def test_wrapped_upload_answers(path: Path, answer: Any) -> None:
    script = Scripted({"POST /v1/files": httpx.Response(200, json=answer)})
    assert await dialect_to(script).upload(path, name="x") == "f"


async def test_an_upload_answer_without_an_id(path: Path) -> None:
    script = Scripted({"POST /v1/files": httpx.Response(200, json={"code": 500, "data": None})})
    with pytest.raises(UnexpectedResponseError, match="contains no file id"):
        await dialect_to(script).upload(path, name="x")


async def test_an_upload_is_sent_on_whole(path: Path) -> None:
    there = httpx.Response(307, headers={"Location": "/v1/files/"})
    good = httpx.Response(200, json={"id": "f"})
    script = Scripted({"POST /v1/files": there, "POST /v1/files/": good})
    assert await dialect_to(script).upload(path, name="x") == "f"
    assert ROWS in script.bodies[1]


async def test_an_upload_that_is_lost_or_impossible(path: Path, tmp_path: Path) -> None:
    script = Scripted({"POST /v1/files": httpx.ReadError("cut")})
    with pytest.raises(UnreachableError):
        await dialect_to(script).upload(path, name="x")
    assert len(script.requests) == 4
    with pytest.raises(InputError, match="cannot be read"):
        await dialect_to(script).upload(tmp_path / "absent.jsonl", name="x")


async def test_an_upload_is_repeated_whole(path: Path) -> None:
    good = httpx.Response(200, json={"id": "f"})
    page = httpx.Response(502, html="<html>")
    script = Scripted({"POST /v1/files": [httpx.ReadError("cut"), page, good]})
    assert await dialect_to(script).upload(path, name="x") == "f"
    assert all(ROWS in body for body in script.bodies)


@pytest.mark.parametrize(
    ("status", "text"),
    [(404, "Input file not found"), (400, "No such File object: f"), (422, "f is processing")],
)
async def test_a_file_that_is_not_known_yet_is_waited_for(
    path: Path, status: int, text: str, pauses: list[float]
) -> None:
    unknown = httpx.Response(status, json={"detail": text})
    script = Scripted({
        "POST /v1/files": httpx.Response(200, json={"id": "f"}),
        "POST /v1/batches": [unknown, unknown, httpx.Response(200, json=batch())],
    })  # fmt: skip
    dialect = dialect_to(script)
    await dialect.upload(path, name="x")
    made = await dialect.create(draft(path, file_id="f"))
    assert made.id and len(pauses) == 2
    # A file that was not uploaded just now does not come by waiting.
    script = Scripted({"POST /v1/batches": unknown})
    with pytest.raises(RequestRejectedError):
        await dialect_to(script).create(draft(path, file_id="f"))
    assert len(script.requests) == 1


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_a_create(path: Path, status: int) -> None:
    script = Scripted({"POST /v1/batches": httpx.Response(status, json=batch(status="validating"))})
    made = await dialect_to(script).create(draft(path, metadata={"team": "blue"}))
    assert made.status is BatchStatus.VALIDATING
    assert script.sent() == {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"batchdeck_batch": "b-1", "team": "blue"},
    }


async def test_a_create_whose_answer_is_wrapped_and_counts_in_percent(path: Path) -> None:
    job = {"id": "j", "status": "VALIDATING", "progress": 0}
    script = Scripted({
        "POST /v1/batches": httpx.Response(201, json={"job": job, "warning": ""}),
        "GET /v1/batches/j": httpx.Response(200, json={**job, "progress": 50}),
    })  # fmt: skip
    changes = {"create": {"unwrap": "job"}, "batch": {"percent": "progress"}}
    dialect = dialect_to(script, changes=changes)
    assert (await dialect.create(draft(path, rows=300))).id == "j"
    later = await dialect.retrieve("j")
    assert (later.counts.total, later.counts.completed) == (300, 150)


async def test_a_create_answered_with_something_else_may_have_happened(path: Path) -> None:
    from tui.providers.wire.errors import may_have_acted

    script = Scripted({"POST /v1/batches": httpx.Response(200, html="<html>")})
    with pytest.raises(UnexpectedResponseError) as caught:
        await dialect_to(script).create(draft(path))
    assert may_have_acted(caught.value)
    assert len(script.requests) == 1


async def test_an_idempotency_key_where_there_is_one(path: Path) -> None:
    script = Scripted({"POST /v1/batches": httpx.Response(200, json=batch())})
    changes = {"create": {"idempotency_header": "Idempotency-Key"}}
    await dialect_to(script, changes=changes).create(draft(path))
    assert script.requests[0].headers["idempotency-key"] == "b-1"


WAITS = {"upload": {"wait_status": ["processed"]}}


async def test_a_file_that_must_be_looked_through_first(path: Path) -> None:
    states = [
        httpx.Response(200, json={"id": "file-1", "status": s}) for s in ("pending", "Processed")
    ]
    script = Scripted(
        {"GET /v1/files/file-1": states, "POST /v1/batches": httpx.Response(200, json=batch())}
    )
    await dialect_to(script, changes=WAITS).create(draft(path))
    assert script.calls == ["GET /v1/files/file-1"] * 2 + ["POST /v1/batches"]


async def test_a_file_that_the_provider_does_not_like(path: Path) -> None:
    bad = {"id": "file-1", "status": "error", "status_details": "line 3"}
    script = Scripted({"GET /v1/files/file-1": httpx.Response(200, json=bad)})
    with pytest.raises(RequestRejectedError, match="line 3"):
        await dialect_to(script, changes=WAITS).create(draft(path))


async def test_a_file_that_never_gets_ready(path: Path) -> None:
    count_stuck = httpx.Response(200, json={"id": "file-1", "status": "pending"})
    script = Scripted({"GET /v1/files/file-1": count_stuck})
    changes = {"upload": {"wait_status": ["processed"], "wait_seconds": 0}}
    with pytest.raises(ProviderError, match="status is still 'pending'"):
        await dialect_to(script, changes=changes).create(draft(path))


async def test_retrieve(path: Path) -> None:
    script = Scripted({"GET /v1/batches/b%2F1": httpx.Response(200, json=batch(id="b/1"))})
    assert (await dialect_to(script).retrieve("b/1")).id == "b/1"
    nothing = Scripted({"GET /v1/batches/b": httpx.Response(200, json={"hello": 1})})
    with pytest.raises(UnexpectedResponseError, match="contains no batch"):
        await dialect_to(nothing).retrieve("b")
    without = Scripted({"GET /v1/batches/b": httpx.Response(200, json={"status": "completed"})})
    assert (await dialect_to(without).retrieve("b")).id == "b"


async def test_cancel() -> None:
    script = Scripted(
        {"POST /v1/batches/b/cancel": httpx.Response(200, json=batch(status="cancelling"))}
    )
    assert (await dialect_to(script).cancel("b")).status is BatchStatus.CANCELLING


@pytest.mark.parametrize("answer", [httpx.Response(204), httpx.Response(200, json={"ok": True})])
async def test_a_cancel_that_answers_with_no_batch_is_looked_up(answer: httpx.Response) -> None:
    script = Scripted({
        "POST /v1/batches/b/cancel": answer,
        "GET /v1/batches/b": httpx.Response(200, json=batch(status="cancelled")),
    })  # fmt: skip
    assert (await dialect_to(script).cancel("b")).status is BatchStatus.CANCELLED


async def test_a_cancel_that_comes_too_late() -> None:
    script = Scripted({
        "POST /v1/batches/b/cancel": httpx.Response(409, json={"error": {"message": "it is done"}}),
        "GET /v1/batches/b": [
            httpx.Response(200, json=batch(status="completed")),
            httpx.Response(200, json=batch(status="in_progress")),
        ],
    })  # fmt: skip
    dialect = dialect_to(script)
    assert (await dialect.cancel("b")).status is BatchStatus.COMPLETED
    with pytest.raises(RequestRejectedError, match="it is done"):
        await dialect.cancel("b")


async def test_a_finished_batch_is_not_cancelled_where_that_would_count() -> None:
    script = Scripted({"GET /v1/batches/b": httpx.Response(200, json=batch(status="completed"))})
    dialect = dialect_to(script, changes={"can": {"guard_cancel": True}})
    assert (await dialect.cancel("b")).status is BatchStatus.COMPLETED
    assert script.calls == ["GET /v1/batches/b"]


async def test_routes_with_a_method_of_their_own() -> None:
    script = Scripted({"DELETE /v1/jobs/b": httpx.Response(200, json=batch(status="cancelling"))})
    dialect = dialect_to(script, changes={"paths": {"cancel": "DELETE /jobs/{id}"}})
    assert (await dialect.cancel("b")).status is BatchStatus.CANCELLING


async def test_what_a_provider_cannot_do_is_said() -> None:
    dialect = dialect_to(
        Scripted({}),
        changes={"can": {"cancel": False, "list": False, "delete_file": False, "models": False}},
    )
    assert not dialect.capabilities.cancels
    with pytest.raises(UsageError, match="does not support cancelling"):
        await dialect.cancel("b")
    with pytest.raises(UsageError, match="does not support listing"):
        async for _ in dialect.list_batches():
            pass
    with pytest.raises(UsageError, match="does not support deleting files"):
        await dialect.delete_file("f")
    assert await dialect.models() == []


def test_capabilities_follow_the_profile() -> None:
    openai = dialect_to(Scripted({})).capabilities
    assert (openai.uploads, openai.lists, openai.cancels, openai.metadata) == (True,) * 4
    assert (openai.partial_results, openai.native_retry, openai.deletes_batches) == (False,) * 3
    assert openai.deletes_files
    changed = dialect_to(Scripted({}), changes={"create": {"metadata": {"field": ""}}})
    assert not changed.capabilities.metadata
    assert dialect_to(Scripted({})).passes_through
    assert dialect_to(Scripted({})).result_style == "openai"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"object": "list", "data": [{"id": "m2"}, {"id": "m1"}, {"id": "m2"}]}, ["m2", "m1"]),
        ([{"id": "m1"}, "m2", {"name": "m3"}, {"x": 1}], ["m1", "m2", "m3"]),
        ({"models": [{"name": "m1"}]}, ["m1"]),
    ],
)
async def test_models(value: Any, expected: list[str]) -> None:
    script = Scripted({"GET /v1/models": httpx.Response(200, json=value)})
    assert await dialect_to(script).models() == expected


async def test_deleting_a_file() -> None:
    script = Scripted(
        {"DELETE /v1/files/f": [httpx.Response(200, json={"deleted": True}), httpx.Response(404)]}
    )
    dialect = dialect_to(script)
    await dialect.delete_file("f")
    await dialect.delete_file("f")
    refused = dialect_to(Scripted({"DELETE /v1/files/f": httpx.Response(500)}))
    with pytest.raises(ProviderError):
        await refused.delete_file("f")
    tensorzero = Scripted({"DELETE /v1/files/f": httpx.Response(500, json={"error": "parse"})})
    await dialect_to(tensorzero, "tensorzero").delete_file("f")
    assert len(tensorzero.requests) == 1


async def test_tensorzeros_500_that_may_be_a_404_is_not_asked_for_ever() -> None:
    script = Scripted({"GET /v1/batches/b": httpx.Response(500, json={"error": "not found"})})
    with pytest.raises(ProviderError, match="not found"):
        await dialect_to(script, "tensorzero").retrieve("b")
    assert len(script.requests) == 3


async def test_rows_of_a_body_only_provider() -> None:
    dialect: Dialect = dialect_to(Scripted({}), changes={"row": {"style": "body"}})
    assert not dialect.passes_through
    assert json.loads(dialect.encode_line(ROWS.splitlines()[0])) == {"custom_id": "a", "body": {}}
