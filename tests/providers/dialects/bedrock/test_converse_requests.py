"""Chat requests as Converse requests: nothing is lost, and what has no place is refused."""

from __future__ import annotations

import itertools
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.providers.dialects.bedrock.converse_requests import chat_to_converse
from tui.providers.dialects.requests import Untranslatable

USER = {"role": "user", "content": "Hi"}
TURNS = [{"role": "user", "content": [{"text": "Hi"}]}]
PIXEL = "data:image/PNG;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


@cache
def _validator() -> tuple[Any, Any]:
    from botocore.session import Session
    from botocore.validate import ParamValidator

    model = Session().get_service_model("bedrock-runtime")
    return ParamValidator(), model.operation_model("Converse").input_shape


def checked(body: dict[str, Any]) -> dict[str, Any]:
    """A translated request that AWS's own service model accepts."""
    made = chat_to_converse(body)
    validator, shape = _validator()
    report = validator.validate({"modelId": "amazon.nova-lite-v1:0", **made}, shape)
    assert not report.has_errors(), report.generate_report()
    return made


def chat(**fields: Any) -> dict[str, Any]:
    return checked({"model": "amazon.nova-lite-v1:0", "messages": [USER], **fields})


def refusal(**fields: Any) -> str:
    with pytest.raises(Untranslatable) as caught:
        chat_to_converse({"model": "m", "messages": [USER], **fields})
    return str(caught.value)


def test_messages_become_turns_of_blocks() -> None:
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "developer", "content": [{"type": "text", "text": "In French."}]},
        USER,
        {"role": "assistant", "content": "Salut"},
        {"role": "user", "content": [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": "auto"}},
            {"type": "image_url", "image_url": "s3://bucket/a/cat.JPG"},
            {"type": "file", "file": {
                "file_data": "data:application/pdf;base64,JVBERg==", "filename": "a b/é.pdf",
            }},
        ]},
        {"role": "user", "content": "Well?"},
    ]  # fmt: skip
    made = checked({"model": "m", "messages": messages})
    assert made["system"] == [{"text": "Be short."}, {"text": "In French."}]
    assert made["messages"] == [
        {"role": "user", "content": [{"text": "Hi"}]},
        {"role": "assistant", "content": [{"text": "Salut"}]},
        {"role": "user", "content": [
            {"text": "What is it?"},
            {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
            {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://bucket/a/cat.JPG"}}}},
            {"document": {"format": "pdf", "name": "a-b", "source": {"bytes": "JVBERg=="}}},
            {"text": "Well?"},
        ]},
    ]  # fmt: skip


def test_tool_calls_and_their_results() -> None:
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}},
    ]
    messages = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "2"}]},
    ]
    tool = {"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": True}}
    made = checked({"model": "m", "messages": messages, "tools": [tool], "tool_choice": "required"})
    assert made["messages"][1:] == [
        {"role": "assistant", "content": [
            {"toolUse": {"toolUseId": "c1", "name": "f", "input": {"x": 1}}},
            {"toolUse": {"toolUseId": "c2", "name": "g", "input": {}}},
        ]},
        {"role": "user", "content": [
            {"toolResult": {"toolUseId": "c1", "content": [{"text": "1"}]}},
            {"toolResult": {"toolUseId": "c2", "content": [{"text": "2"}]}},
        ]},
    ]  # fmt: skip
    spec = {"name": "f", "inputSchema": {"json": SCHEMA}, "strict": True}
    assert made["toolConfig"] == {"tools": [{"toolSpec": spec}], "toolChoice": {"any": {}}}


def test_options_have_their_own_names() -> None:
    made = chat(max_completion_tokens=5, temperature=0.5, top_p=1, stop="END", n=1, stream=False)
    assert made == {
        "messages": TURNS,
        "inferenceConfig": {
            "maxTokens": 5, "temperature": 0.5, "topP": 1, "stopSequences": ["END"],
        },
    }  # fmt: skip
    extra = {"top_k": 5}
    assert chat(additionalModelRequestFields=extra)["additionalModelRequestFields"] == extra


def test_a_schema_becomes_the_format_of_the_text() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}
    text_format = chat(response_format=form)["outputConfig"]["textFormat"]
    assert text_format["type"] == "json_schema"
    written = text_format["structure"]["jsonSchema"]
    assert (written["name"], json.loads(written["schema"])) == ("n", SCHEMA)
    assert chat(response_format={"type": "text"}) == {"messages": TURNS}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"seed": 1}, "uses seed"),
        ({"logprobs": True}, "uses logprobs"),
        ({"n": 2}, "uses n"),
        ({"reasoning_effort": "low"}, "uses reasoning_effort"),
        ({"temperature": 1.5}, "temperature 1.5; Converse's maximum is 1"),
        ({"response_format": {"type": "json_object"}}, "response_format 'json_object'"),
        ({"tool_choice": "none"}, "tool_choice 'none'"),
        ({"tool_choice": "required"}, "tool_choice without tools"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"tools": [{"type": "web_search"}]}, "a tool that is not a function"),
        ({"messages": []}, "no messages"),
        ({"messages": [{"role": "assistant", "content": "A"}]}, "begins with an answer"),
        ({"messages": [USER, {"role": "system", "content": "S"}]}, "system message after"),
        ({"messages": [{**USER, "name": "Ann"}]}, "'name'"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "'input_audio'"),
        ({"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]}]},
         "an image by its address"),
        ({"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}]}]}, "detail"),
        ({"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/bmp;base64,Qk0="}}]}]},
         "of type image/bmp"),
        ({"messages": [{"role": "user", "content": [
            {"type": "file", "file": {"file_id": "file-1"}}]}]}, "'file_id'"),
        ({"messages": [USER, {"role": "assistant", "tool_calls": [
            {"id": "a b", "function": {"name": "f"}}]}]}, "the id 'a b'"),
    ],
)  # fmt: skip
def test_what_has_no_place_is_refused(fields: dict[str, Any], words: str) -> None:
    assert words in refusal(**fields)


texts = st.text(min_size=1, max_size=20)
ids = st.from_regex(r"[a-zA-Z0-9_.:-]{1,20}", fullmatch=True)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
tables = st.dictionaries(names, values, max_size=3)
parts = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, texts),
    st.sampled_from(("png", "jpeg", "gif", "webp")).map(
        lambda kind: {"type": "image_url", "image_url": f"data:image/{kind};base64,AAAA"}
    ),
)
contents = texts | st.lists(parts, min_size=1, max_size=3)
calls = st.builds(
    lambda call_id, name, given: {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(given)},
    },
    ids,
    names,
    tables,
)
turns = st.one_of(
    st.builds(lambda content: {"role": "user", "content": content}, contents),
    st.builds(lambda text: {"role": "assistant", "content": text}, texts),
    st.builds(
        lambda made: {"role": "assistant", "content": None, "tool_calls": made},
        st.lists(calls, min_size=1, max_size=2),
    ),
    st.builds(
        lambda call_id, text: {"role": "tool", "tool_call_id": call_id, "content": text}, ids, texts
    ),
)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _strings(inner)]
    return [text for inner in value for text in _strings(inner)] if isinstance(value, list) else []


@given(
    system=st.lists(texts, max_size=2),
    later=st.lists(turns, max_size=5),
    limit=st.integers(1, 99),
    temperature=st.floats(0, 1),
)
def test_any_conversation_keeps_its_texts_and_fits_the_service_model(
    system: list[str], later: list[dict[str, Any]], limit: int, temperature: float
) -> None:
    messages = [{"role": "system", "content": text} for text in system]
    messages += [dict(USER), *later]
    made = checked(
        {"model": "m", "messages": messages, "max_tokens": limit, "temperature": temperature}
    )
    roles = [turn["role"] for turn in made["messages"]]
    assert all(one != two for one, two in itertools.pairwise(roles))
    found = _strings(made)
    for message in messages:
        content = message["content"]
        if isinstance(content, str):
            assert content in found
        for part in content if isinstance(content, list) else ():
            assert part["type"] != "text" or part["text"] in found
        for call in message.get("tool_calls", ()):
            assert {call["id"], call["function"]["name"]} <= set(found)
    assert made["inferenceConfig"] == {"maxTokens": limit, "temperature": temperature}
