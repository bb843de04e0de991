from __future__ import annotations

from typing import Any

import pytest

from tui.providers.dialects.anthropic_requests import Untranslatable, chat_to_messages

USER = {"role": "user", "content": "Hi"}


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": [USER], **fields}


def test_the_plain_case() -> None:
    assert chat_to_messages(chat()) == chat()


def test_system_messages_move_up() -> None:
    one = chat(messages=[{"role": "system", "content": "Be kind"}, USER])
    assert chat_to_messages(one)["system"] == "Be kind"
    assert chat_to_messages(one)["messages"] == [USER]
    two = chat(
        messages=[
            {"role": "system", "content": "Be kind"},
            {"role": "developer", "content": [{"type": "text", "text": "Be brief"}]},
            USER,
        ]
    )
    assert chat_to_messages(two)["system"] == [
        {"type": "text", "text": "Be kind"},
        {"type": "text", "text": "Be brief"},
    ]


def test_the_mark_of_a_cache_stays() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    part = {"type": "text", "text": "Be kind", "cache_control": mark}
    made = chat_to_messages(chat(messages=[{"role": "system", "content": [part]}, USER]))
    assert made["system"] == [part] and made["messages"] == [USER]


def test_images() -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/PNG;base64,QUJD"}},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "auto"}},
    ]
    content = chat_to_messages(chat(messages=[{"role": "user", "content": parts}]))["messages"][0]
    assert content["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
        {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
    ]


def test_tools_there_and_back() -> None:
    def call(number: int, text: str) -> dict[str, Any]:
        function = {"name": "look", "arguments": text}
        return {"id": f"c{number}", "type": "function", "function": function}

    messages = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call(1, '{"q": 1}'), call(2, "")]},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "two"}]},
        {"role": "assistant", "content": "Thanks", "tool_calls": [call(3, "{}")], "refusal": None},
        {"role": "tool", "tool_call_id": "c3", "content": "three"},
        USER,
    ]
    tools = [
        {"type": "function", "function": {"name": "look", "description": "d", "strict": True,
                                          "parameters": {"type": "object"}}},
        {"type": "function", "function": {"name": "bare"}},
    ]  # fmt: skip
    params = chat_to_messages(chat(messages=messages, tools=tools, tool_choice="required"))
    assert params["messages"] == [
        USER,
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"q": 1}},
                {"type": "tool_use", "id": "c2", "name": "look", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "one"},
                {
                    "type": "tool_result",
                    "tool_use_id": "c2",
                    "content": [{"type": "text", "text": "two"}],
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Thanks"},
                {"type": "tool_use", "id": "c3", "name": "look", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c3", "content": "three"}],
        },
        USER,
    ]
    assert params["tools"] == [
        {"name": "look", "description": "d", "input_schema": {"type": "object"}, "strict": True},
        {"name": "bare", "input_schema": {"type": "object", "properties": {}}},
    ]
    assert params["tool_choice"] == {"type": "any"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "look"}}},
            {"type": "tool", "name": "look"},
        ),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": True}, None),
    ],
)
def test_tool_choices(fields: dict[str, Any], expected: Any) -> None:
    assert chat_to_messages(chat(**fields)).get("tool_choice") == expected


def test_other_words() -> None:
    schema = {"type": "object"}
    params = chat_to_messages(
        {
            "model": "m",
            "max_completion_tokens": 9,
            "messages": [USER],
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 4,
            "stop": "END",
            "user": "u-1",
            "thinking": {"type": "adaptive"},
            "output_config": {"effort": "low"},
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": schema, "strict": True},
            },
        }
    )
    assert params == {
        "model": "m",
        "max_tokens": 9,
        "messages": [USER],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 4,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u-1"},
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": schema}},
    }


def test_defaults_and_nulls_are_left_out() -> None:
    said = chat(
        n=1,
        stream=False,
        logprobs=False,
        frequency_penalty=0,
        presence_penalty=0.0,
        logit_bias={},
        service_tier="auto",
        seed=None,
        stop=None,
        response_format={"type": "text"},
        tools=[],
        store=False,
    )
    assert chat_to_messages(said) == chat()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"seed": 7}, "seed"),
        ({"n": 2}, "n"),
        ({"stream": True}, "stream"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"logprobs": True}, "logprobs"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"temperature": 1.5}, "temperature 1.5"),
        ({"max_completion_tokens": 51}, "different values"),
        ({"response_format": {"type": "json_object"}}, "json_object"),
        (
            {"response_format": {"type": "json_schema",
                                 "json_schema": {"schema": {}, "description": "d"}}},
            "description",
        ),
        ({"tools": [{"type": "custom", "custom": {}}]}, "not a function"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"messages": []}, "no messages"),
        ({"messages": "Hi"}, "no messages"),
        ({"messages": ["Hi"]}, "not an object"),
        ({"messages": [USER, {"role": "system", "content": "x"}]}, "after the first turn"),
        ({"messages": [{"role": "function", "content": "x"}]}, "'function'"),
        ({"messages": [{"role": "user", "content": "x", "name": "bob"}]}, "'name'"),
        ({"messages": [{"role": "user", "content": None}]}, "without content"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input_audio"),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "https://x/y", "detail": "high"}}]}]},
            "detail",
        ),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}]},
            "neither an HTTP URL",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [
                {"id": "c", "function": {"name": "f", "arguments": "[1]"}}]}]},
            "not a JSON object",
        ),
        ({"messages": [{"role": "assistant", "content": "x", "refusal": "no"}]}, "refusal"),
        (
            {"messages": [{"role": "system", "content": "x"}, USER], "system": "y"},
            "two places",
        ),
    ],
)  # fmt: skip
def test_what_would_be_lost_is_refused_by_name(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        chat_to_messages(chat(**fields))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("file", "block"),
    [
        ({"file_id": "file_1"}, {"source": {"type": "file", "file_id": "file_1"}}),
        (
            {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"},
            {
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
                "title": "a.pdf",
            },
        ),
    ],
)
def test_files_become_documents(file: dict[str, Any], block: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": [{"type": "file", "file": file}]}]
    made = chat_to_messages({"model": "m", "max_tokens": 5, "messages": messages})
    assert made["messages"][0]["content"] == [{"type": "document", **block}]


@pytest.mark.parametrize("file", [{}, {"file_data": "data:text/csv;base64,YQ=="}, None])
def test_other_files_are_refused(file: Any) -> None:
    messages = [{"role": "user", "content": [{"type": "file", "file": file}]}]
    with pytest.raises(Untranslatable, match="neither a file_id nor a PDF"):
        chat_to_messages({"model": "m", "max_tokens": 5, "messages": messages})
