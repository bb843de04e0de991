"""Which form a row has, by its model; rows of Bedrock's own form are kept as they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tui.errors import InputError
from tui.providers.dialects.bedrock.rows import BedrockEncoder, invocation_of
from tui.providers.profiles.model import Bedrock, BedrockRows

CHAT = "/v1/chat/completions"
CLAUDE = "us.anthropic.claude-sonnet-5-v1:0"
BODY = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


def request(model: str | None, url: str = CHAT, **fields: Any) -> bytes:
    named = {} if model is None else {"model": model}
    body = {**named, **BODY, **fields}
    return json.dumps({"custom_id": "r", "method": "POST", "url": url, "body": body}).encode()


def written(line: bytes, rows: BedrockRows = "model") -> dict[str, Any]:
    made = json.loads(BedrockEncoder(Bedrock(rows=rows)).write(line))
    assert list(made) == ["recordId", "modelInput"]
    assert made["recordId"] == "r"
    found: dict[str, Any] = made["modelInput"]
    return found


def refusal(line: bytes, rows: BedrockRows = "model") -> InputError:
    with pytest.raises(InputError) as caught:
        written(line, rows)
    return caught.value


MESSAGES = {"anthropic_version": "bedrock-2023-05-31", **BODY}
CONVERSE = {
    "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
    "inferenceConfig": {"maxTokens": 9},
}


@pytest.mark.parametrize(
    ("model", "form", "invocation"),
    [
        ("anthropic.claude-haiku-4-5-20251001-v1:0", MESSAGES, "InvokeModel"),
        (CLAUDE, MESSAGES, "InvokeModel"),
        ("global.anthropic.claude-opus-5", MESSAGES, "InvokeModel"),
        (f"arn:aws:bedrock:us-east-1:111122223333:inference-profile/{CLAUDE}", MESSAGES,
         "InvokeModel"),
        ("openai.gpt-oss-120b-1:0", BODY, "InvokeModel"),
        ("us.amazon.nova-lite-v1:0", CONVERSE, "Converse"),
        ("meta.llama3-3-70b-instruct-v1:0", CONVERSE, "Converse"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", CONVERSE, "Converse"),
    ],
)  # fmt: skip
def test_the_model_decides_the_form(model: str, form: dict[str, Any], invocation: str) -> None:
    assert written(request(model)) == form
    assert invocation_of(model, CHAT, "model") == invocation


@pytest.mark.parametrize(
    ("rows", "form", "invocation"),
    [
        ("converse", CONVERSE, "Converse"),
        ("messages", MESSAGES, "InvokeModel"),
        ("chat", BODY, "InvokeModel"),
    ],
)
def test_the_profile_may_decide_it(rows: BedrockRows, form: Any, invocation: str) -> None:
    assert written(request(CLAUDE), rows) == form
    assert invocation_of(CLAUDE, CHAT, rows) == invocation


def test_messages_requests_lose_their_model_only() -> None:
    assert written(request(CLAUDE, "/v1/messages", top_k=5)) == {**MESSAGES, "top_k": 5}
    params = {"custom_id": "r", "params": {"model": CLAUDE, **BODY}}
    assert written(json.dumps(params).encode()) == MESSAGES
    newer = request(CLAUDE, "/v1/messages", anthropic_version="bedrock-2024-01-01")
    assert written(newer)["anthropic_version"] == "bedrock-2024-01-01"


def test_own_rows_are_kept_byte_for_byte() -> None:
    own = b'{"prompt": "a\\u00e9",  "max_gen_len":1e2,"temperature":0.10}'
    compact = b'{"prompt":"a\\u00e9","max_gen_len":1e2,"temperature":0.10}'
    encoder = BedrockEncoder(Bedrock())
    line = b'{"recordId":"r","modelInput":' + own + b"}"
    assert encoder.write(line) == b'{"recordId":"r","modelInput":' + compact + b"}"
    stored = json.dumps({"custom_id": "r", "url": "/model/invoke"})[:-1].encode()
    stored += b',"body":' + own[:-1] + b', "model":"meta.llama3-8b-instruct-v1:0"}}'
    assert encoder.write(stored) == b'{"recordId":"r","modelInput":' + compact + b"}"
    assert encoder.read(stored).model == "meta.llama3-8b-instruct-v1:0"
    assert invocation_of("m", "/model/invoke", "converse") == "InvokeModel"
    assert invocation_of("m", "/model/converse", "messages") == "Converse"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (request(None), "names no model"),
        (request(CLAUDE, "/v1/embeddings"), "/v1/embeddings"),
        (request("amazon.nova-lite-v1:0", "/v1/messages"), "not a model of Anthropic"),
        (request(CLAUDE, max_tokens=None), "lacks max_tokens"),
        (request(CLAUDE, "/v1/messages", stream=True), "sets stream"),
        (request(CLAUDE, messages=[{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]}]),
         "an image that is not base64"),
        (request(CLAUDE, seed=1), "uses seed"),
        (request("amazon.nova-lite-v1:0", seed=1), "uses seed"),
        (request("openai.gpt-oss-20b-1:0", stream=True), "sets stream"),
        (b'{"custom_id":"r"}', "has no body"),
        (b'{"custom_id":', "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused(line: bytes, words: str) -> None:
    assert words in refusal(line).message


def test_messages_and_converse_do_not_mix() -> None:
    assert (
        "bedrock.rows is converse" in refusal(request(CLAUDE, "/v1/messages"), "converse").message
    )
