"""The shipped profiles against what the wire facts say of each provider."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.providers.fakes import KEY, Scripted, batch, dialect_to
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.retry_rules import retryable
from tui.errors import ProviderError, RequestRejectedError
from tui.providers.dialect import BatchDraft
from tui.providers.dialects.requests import create_body
from tui.providers.profiles import load
from tui.providers.profiles.load import find_profile, load_profiles
from tui.providers.profiles.statuses import normalise_status
from tui.providers.wire.errors import may_have_acted

SHIPPED = Path(load.__file__).parent

CORE = {"anthropic", "doubleword", "tensorzero", "melious", "scaledown"}
OTHERS = {
    "openai",
    "azure-openai",
    "fireworks",
    "groq",
    "mistral",
    "together",
    "openrouter",
    "parasail",
    "nebius",
    "deepinfra",
    "novita",
    "siliconflow",
    "dashscope",
    "moonshot",
    "zhipu",
    "voyage",
    "litellm",
    "aibrix",
    "control-layer",
    "xai",
    "gemini",
    "perplexity",
    "cerebras",
    "morph",
    "llmgateway",
    "orq",
    "ovhcloud",
    "inference-net",
    "openai-compatible",
    "sandbox",
}


def draft(**fields: Any) -> BatchDraft:
    return BatchDraft(
        **{
            "path": Path("rows"),
            "rows": 4,
            "endpoint": "/v1/chat/completions",
            "model": "m",
            "window": "24h",
            "intent": "b-1",
            "file_id": "f",
            **fields,
        }
    )


def test_all_are_there() -> None:
    assert set(load_profiles()) >= CORE | OTHERS


@pytest.mark.parametrize("name", sorted(load_profiles()))
def test_each_can_be_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = find_profile(name)
    if profile.store.access_key_env:
        monkeypatch.setenv(profile.store.access_key_env, "an access key")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    address = re.sub(r"\{[a-z_]+\}", "name", profile.base_url)
    assert re.fullmatch(r"https?://[a-z0-9.-]+(:\d+)?(/[a-z0-9/.-]*)?", address)
    assert profile.env or not profile.needs_key
    assert profile.windows or profile.direct
    uploading = ("files", "gemini", "fireworks", "vertex", "bedrock")
    uploads = profile.dialect in uploading and not profile.direct
    dialect = dialect_to(Scripted({}), name, base_url=address.replace("http:", "https:"))
    assert dialect.capabilities.uploads == uploads


@pytest.mark.parametrize(
    ("name", "rows", "size"),
    [
        ("anthropic", 100_000, 256 << 20),
        ("doubleword", 50_000, 200 << 20),
        ("melious", 0, 105_000_000),
        ("scaledown", 50, 0),
        ("azure-openai", 100_000, 200 << 20),
        ("nebius", 5_000_000, 10 << 30),
        ("siliconflow", 5_000, 1 << 30),
        ("together", 50_000, 100 << 20),
        ("xai", 50_000, 200_000_000),
        ("fireworks", 0, 500_000_000),
        ("perplexity", 50_000, 200 << 20),
        ("cerebras", 50_000, 200 << 20),
        ("ovhcloud", 50_000, 200 << 20),
        ("parasail", 50_000, 100_000_000),
        ("moonshot", 0, 100 << 20),
    ],
)
def test_limits(name: str, rows: int, size: int) -> None:
    limits = find_profile(name).limits
    assert (limits.rows, limits.bytes) == (rows, size)


@pytest.mark.parametrize(
    ("status", "code", "again"),
    [
        (502, "INFERENCE_3103", True),
        (503, "INFERENCE_3104", False),
        (504, "INFERENCE_3107", True),
        (429, "INFERENCE_3108", True),
        (None, "VALIDATION_4012", False),
        (None, "SYSTEM_9004", True),
        (503, None, True),
    ],
)
async def test_melious_decides_by_code(status: int | None, code: str | None, again: bool) -> None:
    rules = dialect_to(Scripted({}), "melious").retry_rules
    assert retryable(status, code, rules) is again
    if status is None or code is None:
        return
    answer = httpx.Response(status, json={"error": {"code": code, "message": "m"}})
    script = Scripted({"GET /v1/batches/b": answer, "POST /v1/batches": answer})
    dialect = dialect_to(script, "melious")
    with pytest.raises(ProviderError) as caught:
        await dialect.retrieve("b")
    assert caught.value.retryable is again
    assert (type(caught.value) is RequestRejectedError) is not again
    assert len(script.requests) == (4 if again else 1)


async def test_melious_succeeds_without_a_total() -> None:
    first = batch(status="queued", request_counts=None)
    counts = {"processing": 0, "succeeded": 3, "errored": 1}
    last = batch(status="succeeded", request_counts=counts, output_file_id="o")
    answers = [httpx.Response(200, json=first), httpx.Response(200, json=last)]
    dialect = dialect_to(Scripted({"GET /v1/batches/b": answers}), "melious")
    assert (await dialect.retrieve("b")).status is BatchStatus.QUEUED
    done = await dialect.retrieve("b")
    assert (done.status, done.raw_status) == (BatchStatus.COMPLETED, "succeeded")
    assert done.counts == RemoteCounts(total=4, completed=3, failed=1)
    assert [source.ref for source in done.results] == ["o"]


async def test_azure() -> None:
    answer = {
        "id": "b",
        "status": "Completed",
        "created_at": "2026-11-18T10:26:40Z",
        "request_counts": {"total": None, "completed": None, "failed": None},
        "endpoint": None,
        "output_file_id": "o",
        "error_file_id": "e",
    }
    script = Scripted({
        "GET /v1/files/f": httpx.Response(200, json={"id": "f", "status": "processed"}),
        "POST /v1/batches": httpx.Response(200, json=answer),
        "GET /v1/batches": httpx.Response(200, json={"value": [answer]}),
    })  # fmt: skip
    dialect = dialect_to(script, "azure-openai")
    made = await dialect.create(draft())
    assert (made.status, made.counts) == (BatchStatus.COMPLETED, RemoteCounts())
    assert made.created_at == 1_794_997_600.0
    assert script.sent()["endpoint"] == "/chat/completions"
    assert script.requests[0].headers["api-key"] == KEY
    assert [one.id async for one in dialect.list_batches()] == ["b"]
    assert b'"url":"/chat/completions"' in dialect.encode_line(
        b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{}}'
    )
    old = {"query": {"api-version": "2025-04-01-preview"}}
    script = Scripted({"GET /openai/batches/b": httpx.Response(200, json=answer)})
    dialect = dialect_to(script, "azure-openai", old, base_url="https://r.example/openai")
    await dialect.retrieve("b")
    assert script.requests[0].url.params["api-version"] == "2025-04-01-preview"


async def test_groq() -> None:
    errors = [{"code": "c", "message": "m", "line": 2}]
    done = batch(id="g", status="completed", errors=errors, output_file_id="o")
    pages = [
        httpx.Response(200, json={"data": [done], "paging": {"next_cursor": "C"}}),
        httpx.Response(200, json={"data": [], "paging": {"next_cursor": None}}),
    ]
    script = Scripted({"GET /v1/batches": pages})
    found = [one async for one in dialect_to(script, "groq").list_batches()]
    assert found[0].status is BatchStatus.COMPLETED
    assert found[0].issues[0].line == 2
    assert script.requests[1].url.params["cursor"] == "C"


async def test_mistral() -> None:
    job = {
        "id": "j",
        "status": "SUCCESS",
        "input_files": ["f"],
        "total_requests": 4,
        "completed_requests": 4,
        "succeeded_requests": 3,
        "failed_requests": 1,
        "output_file": "o",
        "error_file": "e",
        "errors": [{"message": "m", "count": 1}],
        "created_at": 1_795_000_000,
        "completed_at": 1_795_000_100,
        "metadata": {"batchdeck_batch": "b-1"},
    }
    script = Scripted({
        "POST /v1/batch/jobs": httpx.Response(200, json={"id": "j", "status": "QUEUED"}),
        "GET /v1/batch/jobs/j": httpx.Response(200, json=job),
        "GET /v1/batch/jobs": httpx.Response(200, json={"data": [job], "total": 1}),
        "POST /v1/batch/jobs/j/cancel": httpx.Response(
            200, json={**job, "status": "CANCELLATION_REQUESTED"}
        ),
        "DELETE /v1/batch/jobs/j": httpx.Response(200, json={"deleted": True}),
    })  # fmt: skip
    dialect = dialect_to(script, "mistral")
    assert (await dialect.create(draft(window="48h"))).status is BatchStatus.VALIDATING
    sent = script.sent()
    assert (sent["input_files"], sent["model"], sent["timeout_hours"]) == (["f"], "m", 48)
    done = await dialect.retrieve("j")
    assert (done.status, done.intent, done.input_file_id) == (BatchStatus.COMPLETED, "b-1", "f")
    assert done.counts == RemoteCounts(total=4, completed=3, failed=1)
    assert [source.ref for source in done.results] == ["o", "e"]
    assert done.issues[0].message == "m (1 rows)"
    assert [one.id async for one in dialect.list_batches()] == ["j"]
    assert dict(script.requests[-1].url.params) == {"page_size": "100", "page": "0"}
    assert (await dialect.cancel("j")).status is BatchStatus.CANCELLING
    assert dialect.capabilities.deletes_batches


async def test_together() -> None:
    job = {
        "id": "t",
        "status": "IN_PROGRESS",
        "progress": 25.0,
        "input_file_id": "f",
        "created_at": "2026-11-18T10:26:40Z",
        "error": None,
    }
    script = Scripted({
        "POST /v1/batches": httpx.Response(201, json={"job": job, "warning": "w"}),
        "GET /v1/batches": httpx.Response(200, json=[job]),
        "GET /v1/batches/t": httpx.Response(200, json={**job, "status": "FAILED", "error": "bad"}),
    })  # fmt: skip
    dialect = dialect_to(script, "together")
    made = await dialect.create(draft())
    assert made.counts == RemoteCounts(total=4, completed=1)
    assert "metadata" not in script.sent()
    listed = [one async for one in dialect.list_batches()]
    assert (listed[0].id, listed[0].input_file_id) == ("t", "f")
    assert dict(script.requests[-1].url.params) == {}
    failed = await dialect.retrieve("t")
    assert failed.issues[0].message == "bad"


async def test_novita() -> None:
    value = {"id": "n", "status": "PROGRESS", "created_at": "1795000000", "errors": "",
             "total": 5, "completed": 2, "failed": 0}  # fmt: skip
    script = Scripted({"GET /v1/batches/n": httpx.Response(200, json=value)})
    found = await dialect_to(script, "novita").retrieve("n")
    assert (found.status, found.created_at) == (BatchStatus.IN_PROGRESS, 1_795_000_000.0)
    assert found.counts == RemoteCounts(total=5, completed=2, failed=0)
    assert found.issues == ()


async def test_siliconflow(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("{}\n")
    wrapped = {"code": 20000, "message": "Ok", "status": True, "data": {"id": "f", "createdAt": 1}}
    script = Scripted({
        "POST /v1/files": httpx.Response(200, json=wrapped),
        "GET /v1/batches/s": httpx.Response(
            200, json=batch(status="in_queue", errors=["a", "b"], request_counts=None)
        ),
    })  # fmt: skip
    dialect = dialect_to(script, "siliconflow")
    assert await dialect.upload(path, name="rows") == "f"
    found = await dialect.retrieve("s")
    assert found.status is BatchStatus.VALIDATING
    assert [issue.message for issue in found.issues] == ["a", "b"]


async def test_zhipu_and_voyage() -> None:
    script = Scripted({"POST /v1/batches": httpx.Response(200, json=batch())})
    await dialect_to(script, "zhipu").create(draft())
    assert script.sent()["endpoint"] == "/v4/chat/completions"
    assert script.sent()["auto_delete_input_file"] is False
    changes = {"create": {"params": {"input_type": "document"}}}
    dialect = dialect_to(script, "voyage", changes)
    await dialect.create(draft(endpoint="/v1/embeddings", window="12h"))
    assert script.sent()["request_params"] == {"model": "m", "input_type": "document"}
    assert script.sent()["completion_window"] == "12h"


async def test_litellm_and_aibrix_route_by_what_a_person_adds(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("{}\n")
    script = Scripted({
        "POST /v1/files": httpx.Response(200, json={"id": "bGl0ZWxsbTo="}),
        "POST /v1/batches": httpx.Response(200, json=batch()),
    })  # fmt: skip
    provider = {"custom_llm_provider": "azure"}
    changes = {
        "upload": {"extra_form": provider},
        "create": {"extra_body": provider},
        "headers": {"x-litellm-model": "big"},
    }
    dialect = dialect_to(script, "litellm", changes)
    assert await dialect.upload(path, name="rows") == "bGl0ZWxsbTo="
    assert b'name="custom_llm_provider"\r\n\r\nazure' in script.bodies[0]
    await dialect.create(draft())
    assert script.sent()["custom_llm_provider"] == "azure"
    assert script.requests[1].headers["x-litellm-model"] == "big"


async def test_tensorzero_says_nothing_clear_with_500() -> None:
    answer = httpx.Response(500, json={"error": "upstream said 404"})
    script = Scripted({"POST /v1/batches": answer})
    with pytest.raises(ProviderError, match="upstream said 404") as caught:
        await dialect_to(script, "tensorzero").create(draft())
    assert may_have_acted(caught.value)
    refused = {"error": {"message": "no", "type": "invalid_request_error", "code": 401}}
    script = Scripted({"POST /v1/batches": httpx.Response(400, json=refused)})
    with pytest.raises(RequestRejectedError) as refusal:
        await dialect_to(script, "tensorzero").create(draft())
    assert refusal.value.code == "invalid_request_error"


OURS = ("poll.min_seconds", "poll.max_seconds", "http", "messages")
"""What a profile chooses itself: how often it asks, how long it waits, which version it speaks."""

FACTS_WITHOUT_SOURCE = {"base", "name", "docs", "notes", "dialect", "direct", "sources"}


def leaves(table: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in table.items():
        inner = leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
        found += inner
    return found


def covers(fact: str, key: str) -> bool:
    return key == fact or key.startswith(f"{fact}.")


@pytest.mark.parametrize("name", sorted(load_profiles()))
def test_every_fact_of_a_shipped_profile_says_where_it_comes_from(name: str) -> None:
    table = tomllib.loads((SHIPPED / f"{name}.toml").read_text("utf-8"))
    keys = [key for key in leaves(table) if key.partition(".")[0] not in FACTS_WITHOUT_SOURCE]
    facts = [fact for source in table["sources"] for fact in source["facts"]]
    assert facts == list(dict.fromkeys(facts))
    known = [*facts, *OURS]
    assert [key for key in keys if not any(covers(fact, key) for fact in known)] == []
    whole = set(leaves(msgspec.to_builtins(find_profile(name))))
    for fact in facts:
        assert any(covers(fact.replace("list", "listing", 1), key) for key in whole) or any(
            covers(fact, key) for key in whole
        ), fact
    assert all(source.where for source in find_profile(name).sources)


def test_profiles_of_hosts_that_speak_openai_differ_in_data_only() -> None:
    assert find_profile("perplexity").create.idempotency_header == "Idempotency-Key"
    assert find_profile("perplexity").upload.expires_style == "none"
    cerebras = find_profile("cerebras")
    assert cerebras.limits.min_rows == 10
    assert normalise_status("queued", cerebras.batch.status_map) is BatchStatus.VALIDATING
    assert find_profile("ovhcloud").windows == ("24h", "48h", "72h")
    assert find_profile("ovhcloud").retention_days == 15
    assert find_profile("groq").endpoints == ("/v1/chat/completions",)
    assert find_profile("parasail").base_url == "https://api.saas.parasail.io/v1"


async def test_perplexity_takes_a_repeated_create_for_the_same(tmp_path: Path) -> None:
    script = Scripted({"POST /v1/batches": httpx.Response(200, json=batch())})
    await dialect_to(script, "perplexity").create(draft(endpoint="/v1/responses"))
    assert script.requests[0].headers["Idempotency-Key"] == "b-1"
    assert "output_expires_after" not in script.sent()


async def test_nebius_says_when_there_is_no_batch_api() -> None:
    script = Scripted({"POST /v1/batches": httpx.Response(404, json={"detail": "Not Found"})})
    with pytest.raises(RequestRejectedError) as caught:
        await dialect_to(script, "nebius").create(draft())
    assert "no batch API at this address" in caught.value.hint


def test_openai_takes_eight_endpoints_and_an_expiry_of_results() -> None:
    assert len(find_profile("openai").endpoints) == 8
    table = {"x": {"base": "openai", "create": {"output_expires_seconds": 3600}}}
    body = create_body(draft(), find_profile("x", table))
    assert body["output_expires_after"] == {"anchor": "created_at", "seconds": 3600}


async def test_the_long_answers_of_anthropic_need_a_header(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("{}\n")
    answer = {"id": "msgbatch_1", "processing_status": "in_progress", "request_counts": {}}
    script = Scripted({"POST /v1/messages/batches": httpx.Response(200, json=answer)})
    changes = {"messages": {"beta": ["output-300k-2026-03-24"]}}
    await dialect_to(script, "anthropic", changes).create(draft(path=tmp_path / "rows"))
    assert script.requests[0].headers["anthropic-beta"] == "output-300k-2026-03-24"


def test_openai_counts_its_queue_in_tokens_by_several_names() -> None:
    words = find_profile("openai").quota.text
    assert {"queued token limit", "queued-token limit", "enqueued token limit"} <= set(words)


def test_price_tables_that_are_named_exist() -> None:
    from genai_prices import data_snapshot

    known = {provider.id for provider in data_snapshot.get_snapshot().providers}
    for profile in load_profiles().values():
        assert profile.prices.genai_prices_id in known | {""}
    hour = find_profile("doubleword").prices.overrides["openai/gpt-oss-20b"].windows["1h"]
    assert (hour.input, hour.output) == (0.03, 0.20)
