"""Rows of Vertex AI, each in the form of its family, checked by Google's own description."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.providers.dialects.google.discovery import mistakes
from tui.core.results.google.row_ids import id_of_line
from tui.errors import InputError
from tui.providers.dialects.google.vertex_requests import VertexEncoder, model_of
from tui.providers.profiles.load import find_profile

VERTEX = find_profile("vertex").vertex
GENERATE = "GoogleCloudAiplatformV1GenerateContentRequest"


def written(body: dict[str, Any], url: str = "/v1/chat/completions", name: str = "Row 1") -> Any:
    line = {"custom_id": name, "method": "POST", "url": url, "body": body}
    return json.loads(VertexEncoder(VERTEX).write(json.dumps(line).encode()))


def chat(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "2+2?"}], **fields}


RICH = chat(
    "gemini-3.5-flash",
    messages=[
        {"role": "system", "content": "Be short."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        },
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "5"},
    ],
    max_tokens=64,
    stop=["x"],
    seed=1,
    temperature=0.5,
    top_p=0.9,
    tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    tool_choice="auto",
    response_format={
        "type": "json_schema",
        "json_schema": {"name": "s", "schema": {"type": "object"}},
    },
)


@pytest.mark.parametrize("body", [chat("gemini-3.5-flash"), RICH], ids=["plain", "rich"])
def test_a_chat_request_becomes_a_request_of_gemini(body: dict[str, Any]) -> None:
    row = written(body)
    assert set(row) == {"request"}
    assert mistakes(row["request"], GENERATE) == []
    assert id_of_line(row) == "Row 1"
    assert row["request"]["labels"] == {"bd_raw": "xkjxxoibr"}


def test_the_description_finds_mistakes() -> None:
    assert mistakes({"contents": [{"part": []}]}, GENERATE)
    assert mistakes({"labels": {"bd": 5}}, GENERATE)


def test_a_row_of_geminis_own_form_gets_its_label_and_stays_otherwise() -> None:
    request = {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "generation_config": {"top_k": 3},
        "labels": {"team": "red", "bd": "of-an-earlier-job"},
        "somethingNew": {"a": 1},
    }
    row = written(request, "/v1beta/models:generateContent", "r-1")
    assert row == {"request": {**request, "labels": {"team": "red", "bd": "r-1"}}}


def test_rows_of_claude() -> None:
    row = written(chat("claude-sonnet-5", max_tokens=64, stop="x"))
    assert row == {
        "custom_id": "Row 1",
        "request": {
            "anthropic_version": "vertex-2023-10-16",
            "max_tokens": 64,
            "messages": [{"role": "user", "content": "2+2?"}],
            "stop_sequences": ["x"],
        },
    }
    own = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 5, "model": "claude-x"}
    assert written(own, "/v1/messages")["request"] == {
        "anthropic_version": "vertex-2023-10-16",
        "messages": own["messages"],
        "max_tokens": 5,
    }


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("meta/llama-3.3-70b-instruct-maas", "meta/llama-3.3-70b-instruct-maas"),
        ("gpt-oss-120b-maas", "openai/gpt-oss-120b-maas"),
        ("publishers/qwen/models/qwen3-next-maas", "qwen/qwen3-next-maas"),
    ],
)
def test_rows_of_open_models_are_those_of_openai(model: str, named: str) -> None:
    row = written(chat(model, max_tokens=5))
    assert row == {
        "custom_id": "Row 1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": chat(named, max_tokens=5),
    }


def test_embeddings_have_a_key() -> None:
    row = written({"model": "gemini-embedding-001", "input": "hi"}, "/v1/embeddings")
    assert row == {"key": "Row 1", "request": {"content": {"parts": [{"text": "hi"}]}}}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tools": [{"googleSearch": {}}]}, "empty object at request.tools.googleSearch"),
        (
            {"generationConfig": {"responseJsonSchema": {"$defs": {"a": 1}}}},
            r"'\$defs' at request.generationConfig.responseJsonSchema",
        ),
        (
            {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"j": {"k": {"l": {"m": {
                "n": {"o": 1}}}}}}}}}}}}}}},
            "more than 15 levels",
        ),
    ],
)  # fmt: skip
def test_what_the_table_cannot_hold_is_refused_before_it_fails_the_job(
    more: dict[str, Any], words: str
) -> None:
    request = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], **more}
    with pytest.raises(InputError, match=words):
        written(request, "/v1beta/models:generateContent")
    loose = find_profile("v", {"v": {"base": "vertex", "vertex": {"table": False}}}).vertex
    line = {"custom_id": "r", "url": "/v1beta/models:generateContent", "body": request}
    assert VertexEncoder(loose).write(json.dumps(line).encode())


def own_line(line: dict[str, Any]) -> Any:
    return json.loads(VertexEncoder(VERTEX).write(json.dumps(line).encode()))


def test_rows_that_are_vertex_ais_own_go_in_as_they_are() -> None:
    request = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 5, "messages": [{}]}
    claude = {"custom_id": "c", "request": request}
    assert own_line(claude) == claude
    embedding = {"key": "e", "request": {"content": {"parts": [{"text": "a"}]}}}
    assert own_line(embedding) == embedding
    gemini = {"request": {"contents": [{"parts": [{"text": "a"}]}], "labels": {"bd": "g"}}}
    assert own_line({"custom_id": "g", **gemini}) == gemini


def test_an_error_of_a_row_without_an_id_has_a_subject() -> None:
    with pytest.raises(InputError, match=r"^The request has an empty object at request\.tools"):
        own_line({"request": {"contents": [{"parts": [{"text": "a"}]}], "tools": [{"x": {}}]}})


@pytest.mark.parametrize(
    ("body", "url", "words"),
    [
        (chat("gemini-3.5-flash", logit_bias={"1": 2}), "/v1/chat/completions", "logit_bias"),
        (chat("claude-sonnet-5"), "/v1/chat/completions", "max_tokens"),
        ({"model": "claude-x", "messages": [{}]}, "/v1/messages", "lacks max_tokens"),
        (chat("what-is-this"), "/v1/chat/completions", "publisher of the model"),
        (chat("meta/llama", input="x"), "/v1/responses", "open models do not support"),
        ({"messages": [{}]}, "/v1/chat/completions", "name no model"),
    ],
)
def test_what_would_be_lost_is_refused(body: dict[str, Any], url: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        written(body, url)


@pytest.mark.parametrize(
    ("name", "resource", "family"),
    [
        ("gemini-3.5-flash", "publishers/google/models/gemini-3.5-flash", "gemini"),
        ("models/gemini-3.5-flash", "publishers/google/models/gemini-3.5-flash", "gemini"),
        ("google/gemini-3.5-flash", "publishers/google/models/gemini-3.5-flash", "gemini"),
        ("claude-sonnet-5@20260101", "publishers/anthropic/models/claude-sonnet-5@20260101",
         "claude"),
        ("deepseek-ai/deepseek-v3-maas", "publishers/deepseek-ai/models/deepseek-v3-maas", "open"),
        ("publishers/meta/models/l", "publishers/meta/models/l", "open"),
        ("projects/p/locations/l/publishers/google/models/g",
         "projects/p/locations/l/publishers/google/models/g", "gemini"),
        ("projects/p/locations/l/models/7", "projects/p/locations/l/models/7", "gemini"),
    ],
)  # fmt: skip
def test_a_model_by_the_name_that_a_user_writes(name: str, resource: str, family: str) -> None:
    model = model_of(name, VERTEX.publishers)
    assert (model.resource, model.family) == (resource, family)
