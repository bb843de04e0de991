"""Chat requests as Gemini's requests: nothing is lost, and what has no place is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tui.providers.dialects.google.gemini_requests import chat_to_gemini, embedding_to_gemini
from tui.providers.dialects.requests import Untranslatable

USER = {"role": "user", "content": "Hi"}
CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]
PIXEL = "data:image/PNG;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def chat(model: str = "gemini-3.5-flash", **fields: Any) -> dict[str, Any]:
    return chat_to_gemini({"model": model, "messages": [USER], **fields})


def config(**fields: Any) -> Any:
    made = chat(**fields)
    assert made.pop("contents") == CONTENTS
    assert set(made) <= {"generationConfig"}
    return made.get("generationConfig")


def test_messages_become_contents() -> None:
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "developer", "content": [{"type": "text", "text": "In French."}]},
        USER,
        {"role": "assistant", "content": "Salut"},
        {"role": "user", "content": [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": "auto"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg=="}},
        ]},
    ]  # fmt: skip
    made = chat_to_gemini({"model": "m", "messages": messages})
    assert made["systemInstruction"] == {"parts": [{"text": "Be short."}, {"text": "In French."}]}
    assert made["contents"] == [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [{"text": "Salut"}]},
        {"role": "user", "parts": [
            {"text": "What is it?"},
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
            {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
            {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg=="}},
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
        {"role": "tool", "tool_call_id": "c1", "content": '{"y":2}'},
        {"role": "tool", "tool_call_id": "c2", "content": "plain"},
    ]
    made = chat_to_gemini({"model": "m", "messages": messages})
    assert made["contents"][1:] == [
        {"role": "model", "parts": [
            {"functionCall": {"id": "c1", "name": "f", "args": {"x": 1}}},
            {"functionCall": {"id": "c2", "name": "g", "args": {}}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "c1", "name": "f", "response": {"y": 2}}},
            {"functionResponse": {"id": "c2", "name": "g", "response": {"output": "plain"}}},
        ]},
    ]  # fmt: skip


def test_options_go_into_the_generation_config() -> None:
    given = {
        "temperature": 0, "top_p": 0.5, "top_k": 40, "seed": 7, "n": 2, "stop": "END",
        "max_completion_tokens": 50, "presence_penalty": 0.1, "frequency_penalty": 0.2,
        "logprobs": True, "top_logprobs": 3, "thinkingConfig": {"thinkingBudget": 0},
    }  # fmt: skip
    assert config(**given) == {
        "temperature": 0, "topP": 0.5, "topK": 40, "seed": 7, "candidateCount": 2,
        "presencePenalty": 0.1, "frequencyPenalty": 0.2, "responseLogprobs": True, "logprobs": 3,
        "thinkingConfig": {"thinkingBudget": 0}, "maxOutputTokens": 50, "stopSequences": ["END"],
    }  # fmt: skip
    defaults = {
        "stream": False, "logprobs": False, "tools": [], "stop": None, "logit_bias": {},
        "parallel_tool_calls": True, "service_tier": "auto", "response_format": {"type": "text"},
    }  # fmt: skip
    assert config(**defaults) is None


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("models/gemini-2.5-pro", "low", {"thinkingBudget": 1024}),
        ("gemini-2.5-pro", "high", {"thinkingBudget": 24_576}),
        ("gemini-3.5-flash", "medium", {"thinkingLevel": "medium"}),
    ],
)
def test_effort_as_google_documents_it(model: str, effort: str, thinking: dict[str, Any]) -> None:
    assert config(model=model, reasoning_effort=effort) == {"thinkingConfig": thinking}


def test_formats_of_the_answer() -> None:
    assert config(response_format={"type": "json_object"}) == {
        "responseMimeType": "application/json"
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
    assert config(response_format=form) == {
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }


def function(**more: Any) -> dict[str, Any]:
    inner = {"name": "f", "description": "d", "parameters": SCHEMA, **more}
    return {"type": "function", "function": inner}


@pytest.mark.parametrize(
    ("choice", "strict", "mode"),
    [
        ("auto", False, {"mode": "AUTO"}),
        ("auto", True, {"mode": "VALIDATED"}),
        (None, True, {"mode": "VALIDATED"}),
        ("none", False, {"mode": "NONE"}),
        ("required", True, {"mode": "ANY"}),
        ({"type": "function", "function": {"name": "f"}}, False,
         {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)  # fmt: skip
def test_tools(choice: Any, strict: bool, mode: dict[str, Any]) -> None:
    made = chat(tools=[function(strict=strict), {"googleSearch": {}}], tool_choice=choice)
    declared = {"name": "f", "description": "d", "parametersJsonSchema": SCHEMA}
    assert made["tools"] == [{"functionDeclarations": [declared]}, {"googleSearch": {}}]
    assert made["toolConfig"] == {"functionCallingConfig": mode}
    assert "toolConfig" not in chat(tools=[function()])


def test_own_fields_are_kept() -> None:
    settings = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    made = chat(safetySettings=settings, cachedContent="cachedContents/x")
    assert (made["safetySettings"], made["cachedContent"]) == (settings, "cachedContents/x")


def said(*parts: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"user": "u"}, "uses user"),
        ({"logit_bias": {"1": 5}}, "uses logit_bias"),
        ({"metadata": {"a": "b"}}, "uses metadata"),
        ({"stream": True}, "uses stream"),
        ({"top_logprobs": 3}, "without logprobs"),
        ({"stop": list("abcdef")}, "6 stop sequences"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "different values"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"tools": [{"type": "web_search"}]}, "neither a function"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"model": "gemini-2.0-flash", "reasoning_effort": "low"}, "not documented"),
        ({"reasoning_effort": "xhigh"}, "not documented"),
        ({"reasoning_effort": "low", "thinkingConfig": {}}, "and thinkingConfig"),
        ({"messages": []}, "no messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "no message besides"),
        ({"messages": [USER, {"role": "system", "content": "x"}]}, "after the first turn"),
        ({"messages": [{**USER, "name": "Ann"}]}, "'name'"),
        ({"messages": [{"role": "function", "content": "x"}]}, "the role 'function'"),
        ({"messages": [USER, {"role": "tool", "tool_call_id": "c", "content": "x"}]}, "no tool"),
        ({"messages": said({"type": "image_url", "image_url": {"url": "https://x/y.png"}})},
         "by its address"),
        ({"messages": said({"type": "image_url", "image_url": {"url": PIXEL, "detail": "high"}})},
         "detail"),
        ({"messages": said({"type": "video_url", "video_url": {}})}, "'video_url'"),
        ({"messages": [{"role": "user", "content": None}]}, "without content"),
    ],
)  # fmt: skip
def test_what_has_no_place_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(Untranslatable, match=problem):
        chat(**fields)


def test_embeddings() -> None:
    body = {"model": "e", "input": ["t"], "taskType": "RETRIEVAL_QUERY", "encoding_format": "float"}
    assert embedding_to_gemini(body) == {
        "content": {"parts": [{"text": "t"}]},
        "taskType": "RETRIEVAL_QUERY",
    }
    for fields in ({"input": ["a", "b"]}, {"input": [1, 2]}, {"encoding_format": "base64"}):
        with pytest.raises(Untranslatable):
            embedding_to_gemini({"model": "e", "input": "t", **fields})
    with pytest.raises(Untranslatable, match="uses user"):
        embedding_to_gemini({"model": "e", "input": "t", "user": "u"})
