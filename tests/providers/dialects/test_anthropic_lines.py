from __future__ import annotations

import json
from typing import Any

import pytest

from tui.errors import InputError
from tui.providers.dialects.anthropic import ParamsEncoder

PATTERN = "^[a-zA-Z0-9_-]{1,64}$"
BODY = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}


def write(line: Any, version: str = "2023-06-01") -> Any:
    data = line if isinstance(line, bytes) else json.dumps(line).encode()
    return json.loads(ParamsEncoder(version, PATTERN).write(data))


def request(custom_id: str = "a", **body: Any) -> dict[str, Any]:
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {**BODY, **body},
    }


def test_chat_requests_are_translated() -> None:
    assert write(request(stop="x")) == {
        "custom_id": "a",
        "params": {**BODY, "stop_sequences": ["x"]},
    }


def test_lines_of_anthropic_stay_as_they_are() -> None:
    line = b'{"custom_id":"a","params":{"model":"m","max_tokens":1e2, "messages":[{"x":1.0}]}}'
    out = ParamsEncoder("2023-06-01", PATTERN).write(line)
    assert b'{"model":"m","max_tokens":1e2, "messages":[{"x":1.0}]}' in out
    assert json.loads(out)["custom_id"] == "a"


def test_requests_for_messages_become_params() -> None:
    line = {**request(system="s", top_k=3), "url": "/v1/messages"}
    assert write(line)["params"] == {**BODY, "system": "s", "top_k": 3}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (request("with space"), "custom_id 'with space'"),
        (request("x" * 65), "custom_id"),
        (request(max_tokens=None), "lacks max_tokens"),
        (request(max_tokens=0), "lacks max_tokens"),
        (request(model=None), "lacks model"),
        (request(stream=True), "stream"),
        (request(seed=1), "uses seed"),
        ({**request(), "url": "/v1/embeddings"}, "/v1/embeddings"),
        ({"custom_id": "a", "params": {**BODY, "stream": True}}, "stream"),
        ({"custom_id": "a", "params": {**BODY, "fallbacks": ["x"]}}, "fallbacks"),
        ({"custom_id": "a", "params": None}, "neither params nor a body"),
        ({"custom_id": "a"}, "neither params nor a body"),
        ({"custom_id": 7, "params": BODY}, "cannot be read"),
        (b"nonsense", "cannot be read"),
    ],
)
def test_what_is_known_to_be_refused_is_refused_here(line: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        write(line)
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_the_new_version_refuses_sampling(name: str) -> None:
    line = {"custom_id": "a", "params": {**BODY, name: 1}}
    assert write(line)["params"][name] == 1
    with pytest.raises(InputError, match=f"{name}.*2026-10-21"):
        write(line, "2026-10-21")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"role": "assistant", "content": [{"type": "document"}]}, "document"),
        ({"role": "user", "content": [{"type": "text", "citations": [{}]}]}, "citations"),
    ],
)
def test_the_new_version_refuses_these_blocks(message: Any, words: str) -> None:
    line = {"custom_id": "a", "params": {**BODY, "messages": [message]}}
    assert write(line)
    with pytest.raises(InputError, match=words):
        write(line, "2026-10-21")
