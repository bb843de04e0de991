from __future__ import annotations

import json
from typing import Any

import pytest

from tui.core.requests import (
    check_edits,
    describe_edits,
    edit_request,
    edited_model,
    following,
    parse_max_tokens,
    request_identity,
)


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
    with pytest.raises(ValueError, match="does not exist"):
        edited(request, {path: value})


def test_a_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(ValueError, match="does not exist"):
        edited({"custom_id": "a", "body": None}, {"model": "m"})
    with pytest.raises(ValueError, match="no body"):
        edited({"custom_id": "a", "body": None}, {"@max_tokens": 5})


def test_a_line_that_cannot_be_decoded_is_refused() -> None:
    for line in (b"{", b'{"body":{"x":1e999}}', b"[]"):
        with pytest.raises(ValueError):
            edit_request(line, {"model": "m"})


def test_the_longest_answer_is_written_where_the_row_has_it() -> None:
    twice = {"@max_tokens": "x2"}
    for field in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        assert edited(chat(**{field: 7}), twice)["body"][field] == 14
        assert edited(chat(**{field: 7}), {"@max_tokens": 9})["body"] == {"model": "m", field: 9}
    assert edited(chat(), twice) == chat()
    # No longer than a number that every JSON reader takes.
    assert edited(chat(max_tokens=2**53), twice) == chat(max_tokens=2**53)
    assert edited(chat(max_tokens=None), twice) == chat(max_tokens=None)
    assert edited(chat(), {"@max_tokens": 9})["body"]["max_tokens"] == 9
    responses = {"custom_id": "a", "url": "/v1/responses", "body": {"input": "x"}}
    assert edited(responses, {"@max_tokens": 9})["body"]["max_output_tokens"] == 9


def test_a_longest_answer_is_typed_as_a_number_or_a_factor() -> None:
    assert [parse_max_tokens(text) for text in ("2000", " X2 ", "×9999")] == [2000, "x2", "x9999"]


@pytest.mark.parametrize("value", [0, -1, "x1", "x", "x²", "2x", 1.5, True, None, "x99999", 2**60])
def test_a_longest_answer_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="a whole number or a factor such as x2, not"):
        check_edits({"@max_tokens": value})
    with pytest.raises(ValueError, match="a whole number or a factor such as x2, not"):
        parse_max_tokens(str(value))
    with pytest.raises(ValueError):
        edited(chat(max_tokens=5), {"@max_tokens": value})


@pytest.mark.parametrize(
    ("request_", "where", "before"),
    [
        (chat(messages=[{"role": "system", "content": "A"}]), "messages.0.content", "A\n\n"),
        (chat(messages=[{"role": "developer", "content": "A"}]), "messages.0.content", "A\n\n"),
        (chat(messages=[{"role": "user", "content": "hi"}]), "messages.0.content", ""),
        ({"custom_id": "a", "params": {"messages": [], "system": "A"}}, "system", "A\n\n"),
        ({"custom_id": "a", "params": {"messages": []}}, "system", ""),
        ({"url": "/v1/messages", "body": {"messages": []}}, "system", ""),
        ({"url": "/v1/responses", "body": {"input": "x"}}, "instructions", ""),
        ({"url": "/v1/responses", "body": {"instructions": "A"}}, "instructions", "A\n\n"),
        (
            {"body": {"model": "summarize", "text": "x", "instructions": "A"}},
            "instructions",
            "A\n\n",
        ),
        ({"body": {"model": "extract", "text": "x"}}, "instruction", ""),
        ({"body": {"model": "classify", "text": "x"}}, "system_prompt", ""),
    ],
)
def test_system_text_is_appended_in_every_shape(
    request_: dict[str, Any], where: str, before: str
) -> None:
    found = edited(request_, {"@system": "More."})
    found = found.get("body", found.get("params"))
    for step in where.split("."):
        found = found[int(step)] if step.isdigit() else found[step]
    assert found == before + "More."


def test_system_text_follows_blocks_and_parts_as_one_more() -> None:
    block = {"type": "text", "text": "A"}
    more = {"type": "text", "text": "More."}
    anthropic = {"custom_id": "a", "params": {"system": [block], "messages": []}}
    assert edited(anthropic, {"@system": "More."})["params"]["system"] == [block, more]
    parts = chat(messages=[{"role": "system", "content": [block]}])
    result = edited(parts, {"@system": "More."})["body"]["messages"]
    assert result == [{"role": "system", "content": [block, more]}]


@pytest.mark.parametrize(
    "body",
    [
        {"model": "e", "input": "x"},
        {"prompt": "x"},
        {"messages": [{"role": "system", "content": 7}]},
    ],
)
def test_what_has_no_place_for_a_system_text_says_so(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no field"):
        edited({"url": "/v1/embeddings", "body": body}, {"@system": "More."})


def test_changes_of_a_second_retry_follow_those_of_the_first() -> None:
    first = {"max_tokens": 5, "@system": "One."}
    both = following(first, {"@max_tokens": "x2", "@system": "Two.", "model": None})
    request = chat(messages=[{"role": "system", "content": "Zero."}])
    body = edited(request, both)["body"]
    assert body == {
        "messages": [{"role": "system", "content": "Zero.\n\nOne.\n\nTwo."}],
        "max_tokens": 10,
    }
    assert following(first, {}) == first and following({}, first) == first
    assert edited_model(both, "m") == "m"
    assert edited_model(following({"model": "n"}, {"@system": "x"}), "m") == "n"
    words = describe_edits(both)
    assert words == ["max_tokens 5", "system text", "max_tokens x2", "system text", "without model"]


@pytest.mark.parametrize("edits", [{"": 1}, {"a..b": 1}, {"@other": 1}, {"@system": 3}])
def test_changes_that_make_no_sense_are_refused_beforehand(edits: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        check_edits(edits)


BODY = '"method":"POST","url":"/v1/embeddings","body":{"model":"%s","input":"hi"}}'


@pytest.mark.parametrize(
    "start",
    [
        '{"custom_id":"%s",',
        '{"custom_id": "%s" , ',
        '{ "custom_id" : "%s" ,',
        '{"custom_id":\t"%s"\t,',
    ],
)
def test_the_identity_of_a_request_has_everything_but_its_id(start: str) -> None:
    def identity(custom_id: str, model: str) -> bytes:
        return request_identity((start % custom_id + BODY % model).encode())

    ids = ["a", "", r"a\"", r"a\",\"b", r"\\", r"\u00e9", "é", "a,b"]
    assert len({identity(custom_id, "small") for custom_id in ids}) == 1
    assert identity("a", "small") != identity("a", "big")


def test_ids_in_other_places_and_forms() -> None:
    last = request_identity(b'{"body":{"model":"m"},"custom_id":"a"}')
    assert last == request_identity(b'{"body":{"model":"m"},"custom_id":"b"}')
    number = [
        request_identity(b'{"custom_id":1,"model":"%s","text":"a"}' % m) for m in (b"x", b"y")
    ]
    assert number[0] != number[1]
    # Beside an id, a field named as that of another API is part of the request.
    keys = [request_identity(b'{"text":"a","custom_id":"1","key":"%s"}' % k) for k in (b"x", b"y")]
    assert keys[0] != keys[1]
