"""What Google's own client sends for a batch, beside what the dialect sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.providers.dialects.google.test_gemini import (
    BASE,
    CREATE,
    GET,
    operation,
    started,
    stored,
)
from tests.providers.fakes import KEY, Scripted, dialect_to
from tui.providers.dialect import BatchDraft

genai = pytest.importorskip("google.genai", reason="google-genai is one of the dev extras")
types = genai.types

MODEL = "gemini-3.5-flash"
LISTED = {"operations": [operation()]}
SCRIPT: dict[str, Any] = {
    **started(stored(sizeBytes="200000")),
    CREATE: httpx.Response(200, json=operation()),
    GET: httpx.Response(200, json=operation()),
    "GET /v1beta/batches": httpx.Response(200, json=LISTED),
    "POST /v1beta/batches/q8:cancel": httpx.Response(200, json={}),
    "DELETE /v1beta/batches/q8": httpx.Response(200, json={}),
    "DELETE /v1beta/files/k1": httpx.Response(200, json={}),
    f"POST /v1beta/models/{MODEL}:countTokens": httpx.Response(200, json={"totalTokens": 1}),
}


def theirs(script: Scripted) -> Any:
    transport = httpx.MockTransport(script)
    options = types.HttpOptions(
        base_url="https://api.example.com/",
        api_version="v1beta",
        async_client_args={"transport": transport},
    )
    return genai.Client(api_key=KEY, http_options=options)


def sent(script: Scripted, number: int) -> dict[str, Any]:
    """A call as it is compared: without what only one of two right clients needs."""
    request, body = script.requests[number], script.bodies[number]
    upload = {
        name: text for name, text in request.headers.items() if name.startswith("x-goog-upload")
    }
    return {
        "call": script.calls[number],
        "query": dict(request.url.params),
        "has key": request.headers.get("x-goog-api-key") == KEY,
        "upload": upload,
        "body": json.loads(body) if body.startswith(b"{") else body,
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"0123456789" * 20_000)
    return path


async def test_the_dialect_sends_what_googles_client_sends(path: Path) -> None:
    one, two = Scripted(SCRIPT), Scripted(SCRIPT)
    client = theirs(one).aio
    ours = dialect_to(two, "gemini", base_url=BASE)
    config = types.UploadFileConfig(display_name="b1", mime_type="application/jsonl")
    file = await client.files.upload(file=path, config=config)
    await client.batches.create(
        model=MODEL, src=str(file.name), config=types.CreateBatchJobConfig(display_name="bd-b1")
    )
    await client.batches.get(name="batches/q8")
    await client.batches.cancel(name="batches/q8")
    await client.batches.delete(name="batches/q8")
    await client.files.delete(name="files/k1")

    file_id = await ours.upload(path, name="b1")
    draft = BatchDraft(path, 3, "/v1/chat/completions", MODEL, "24h", "b1", file_id)
    await ours.create(draft)
    await ours.retrieve("q8")
    await ours.cancel("q8")
    await ours.delete_batch("q8")
    await ours.delete_file("files/k1")
    # After a cancel without a batch in its response, the dialect asks for the batch.
    del two.requests[5], two.bodies[5]

    assert two.calls == one.calls
    for number in range(len(one.calls)):
        mine, given = sent(two, number), sent(one, number)
        # The name of the file on this machine says nothing to the provider.
        given["upload"].pop("x-goog-upload-file-name", None)
        if number == 1:
            # Their second hop repeats the headers of the first one, with the key, which the
            # address does not need.
            assert not mine.pop("has key")
            given.pop("has key")
            given["upload"] = {name: given["upload"][name] for name in mine["upload"]}
        if number == 0:
            their_file, my_file = given.pop("body")["file"], mine.pop("body")["file"]
            given_name = their_file.get("display_name", their_file.get("displayName"))
            assert (given_name, my_file) == ("b1", {"display_name": "b1"})
        if given.get("body") in (b"", {}):
            assert mine.pop("body") in (b"", {})
            del given["body"]
        assert mine == given


async def test_googles_client_takes_our_translation_of_a_chat_request() -> None:
    line = {
        "custom_id": "a",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": MODEL,
            "messages": [
                {"role": "system", "content": "short"},
                {"role": "user", "content": "x"},
                {"role": "assistant", "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "1"},
            ],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
            "tool_choice": "required",
            "max_tokens": 5,
            "stop": ["a"],
            "response_format": {"type": "json_schema", "json_schema": {"schema": {}}},
        },
    }  # fmt: skip
    ours = dialect_to(Scripted({}), "gemini", base_url=BASE)
    request = json.loads(ours.encode_line(json.dumps(line).encode()))["request"]
    for content in request["contents"]:
        types.Content.model_validate(content)
    types.Content.model_validate(request["systemInstruction"])
    types.GenerationConfig.model_validate(request["generationConfig"])
    types.ToolConfig.model_validate(request["toolConfig"])
    for tool in request["tools"]:
        types.Tool.model_validate(tool)
