from __future__ import annotations

import json
from typing import Any

import pytest

from tui.core.editing import edit_request


def edited(request: dict[str, Any], edits: dict[str, Any]) -> Any:
    return json.loads(edit_request(json.dumps(request).encode(), edits))


def chat(**body: Any) -> dict[str, Any]:
    return {"custom_id": "a", "url": "/v1", "body": {"model": "m", **body}}


def test_without_edits_not_a_byte_changes() -> None:
    line = b'{ "body" : {"x":1.0, "y":1e3} }'
    assert edit_request(line, {}) == line


def test_fields_are_set_added_and_taken_away() -> None:
    request = chat(max_tokens=5, temperature=0)
    result = edited(request, {"model": "n", "max_tokens": None, "seed": 3})
    assert result == {
        "custom_id": "a",
        "url": "/v1",
        "body": {"model": "n", "temperature": 0, "seed": 3},
    }


def test_paths_lead_into_objects_and_lists() -> None:
    request = chat(messages=[{"role": "system", "content": "x"}, {"role": "user", "content": "y"}])
    result = edited(request, {"messages.0.content": "z", "text.format.type": "json_object"})
    assert result["body"]["messages"][0] == {"role": "system", "content": "z"}
    assert result["body"]["text"] == {"format": {"type": "json_object"}}
    assert edited(chat(stop=["a", "b"]), {"stop.1": "c"})["body"]["stop"] == ["a", "c"]


def test_taking_away_what_is_not_there_adds_nothing() -> None:
    assert edited(chat(), {"text.format": None, "nothing": None}) == chat()
    assert edited(chat(stop=["a", "b"]), {"stop.0": None})["body"]["stop"] == ["b"]


def test_the_payload_of_anthropic_is_called_params() -> None:
    result = edited({"custom_id": "a", "params": {"model": "m"}}, {"max_tokens": 9})
    assert result == {"custom_id": "a", "params": {"model": "m", "max_tokens": 9}}


@pytest.mark.parametrize(
    "path", ["model.x", "messages.x", "messages.7.content", "messages.9", "stop.²", "model.x.y"]
)
@pytest.mark.parametrize("value", ["v", None])
def test_a_path_into_nowhere_is_refused(path: str, value: str | None) -> None:
    request = chat(messages=[{"content": "x"}], stop=["a"])
    with pytest.raises(ValueError, match="leads nowhere"):
        edited(request, {path: value})


def test_a_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(ValueError, match="leads nowhere"):
        edited({"custom_id": "a", "body": None}, {"model": "m"})


def test_a_line_that_cannot_be_decoded_is_refused() -> None:
    for line in (b"{", b'{"body":{"x":1e999}}', b"[]"):
        with pytest.raises(ValueError):
            edit_request(line, {"model": "m"})
