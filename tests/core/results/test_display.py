"""Answers in pieces: what is in a body is shown, whatever its dialect, and nothing crashes."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.results.blocks import Block, text_or_json
from tui.core.results.display import answer_blocks
from tui.core.results.media import file_suffix, find_media, find_media_in_line
from tui.core.results.scaledown import locate_entities, scaledown_blocks
from tui.core.results.vectors import decode_vector

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()


def shown(blocks: list[Block] | None) -> str:
    assert blocks is not None
    words: list[str] = []
    for block in blocks:
        words += [block.kind, block.title, block.text]
        words += [f"{bar.label}={bar.score:g}{'*' if bar.chosen else ''}" for bar in block.bars]
        words += [" | ".join(row) for row in block.cells]
    return "\n".join(words)


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, **more} for message in messages]}


CALL = {"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"q": [1]}'}}
BODIES: list[tuple[dict[str, Any], list[str]]] = [
    (chat({"content": "hello"}), ["text", "hello"]),
    (chat({"content": '{"a": 1}'}), ["json", '"a": 1']),
    (chat({"content": "A"}, {"content": "B"}), ["Choice 1 of 2", "A", "Choice 2 of 2", "B"]),
    (chat({"content": None, "refusal": "I cannot."}), ["refusal", "Refused", "I cannot."]),
    (chat({"content": "x", "reasoning_content": "because"}), ["thinking", "because", "x"]),
    (chat({"content": None, "tool_calls": [CALL]}), ["Tool call: find", '"q"']),
    (chat({"content": None, "tool_calls": [CALL, 7, {}]}), ["Tool call: find", "7"]),
    (chat({"content": None, "function_call": CALL["function"]}), ["Tool call: find"]),
    (chat({"content": "x"}, logprobs={"content": [{}] * 3}), ["Log probabilities of 3 tokens"]),
    (
        chat({"content": "x", "audio": {"data": PNG, "transcript": "said"}}),
        ["Transcript", "said", "audio, about", "i saves it"],
    ),
    (
        chat({"content": "x", "annotations": [{"url_citation": {"title": "T", "url": "http://u"}}]}),
        ["Sources", "T  http://u"],
    ),
    ({"choices": [{"text": "old completion"}]}, ["old completion"]),
    (
        {
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "thought"}]},
                {"type": "reasoning", "encrypted_content": "xx", "summary": []},
                {"type": "web_search_call", "action": {"query": "weather"}},
                {"type": "function_call", "name": "find", "arguments": "{}"},
                {"type": "code_interpreter_call", "code": "1+1", "outputs": [{"logs": "2"}]},
                {"type": "message", "content": [{"type": "output_text", "text": "done"}]},
                {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]},
                {"type": "image_generation_call", "result": PNG},
            ],
            "incomplete_details": {"reason": "max_output_tokens"},
        },
        ["thought", "is encrypted", "Web search call", "weather", "Tool call: find", "1+1", '"2"',
         "done", "no", "Incomplete: max_output_tokens", "image, about"],
    ),
    (
        {
            "content": [
                {"type": "thinking", "thinking": "hmm", "signature": "s"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": "Blue.", "citations": [{"document_title": "D"}]},
                {"type": "tool_use", "name": "find", "input": {"q": 1}},
                {"type": "web_search_tool_result", "content": [{"url": "http://w"}]},
            ]
        },
        ["thinking", "hmm", "Blue.", "Sources", "D", "Tool call: find", "http://w"],
    ),
    (
        {"data": [{"embedding": [3.0, 4.0], "index": 0}]},
        ["Embeddings", "0 | 2 | 5.0000 | 3.0000  4.0000"],
    ),
    (
        {"data": [{"embedding": base64.b64encode(struct.pack("<2f", 0.6, 0.8)).decode()}]},
        ["0 | 2 | 1.0000 | 0.6000  0.8000"],
    ),
    ({"data": [{"embedding": ["x"]}]}, ["not a vector"]),
    ({"data": [{"b64_json": PNG, "revised_prompt": "a cat"}]}, ["image, about", "a cat"]),
    ({"data": [{"url": "http://image"}]}, ["URLs", "http://image"]),
    (
        {"results": [{"flagged": True, "categories": {"hate": True, "x": False},
                      "category_scores": {"x": 0.1, "hate": 0.9}}]},
        ["Flagged", "hate=0.9*", "x=0.1"],
    ),
    ({"results": [{"index": 2, "relevance_score": 0.7}]}, ["Ranking", "2=0.7*"]),
    ({"pages": [{"markdown": "# Title"}]}, ["Page 1", "# Title"]),
    ({"text": "transcribed"}, ["transcribed"]),
    ({"choices": []}, ["The answer is empty."]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "words"), BODIES, ids=range(len(BODIES)))
def test_every_piece_of_an_answer_is_shown(body: dict[str, Any], words: list[str]) -> None:
    text = shown(answer_blocks(body))
    for word in words:
        assert word in text
    assert PNG not in text


def test_unknown_bodies_are_left_to_the_json_view() -> None:
    assert answer_blocks({"something": "else"}) is None


NAMES = st.sampled_from(
    ["choices", "message", "content", "text", "type", "tool_calls", "function", "output", "data",
     "embedding", "results", "flagged", "categories", "category_scores", "thinking", "summary",
     "annotations", "audio", "images", "image_url", "url", "pages", "markdown", "relevance_score",
     "entities", "scores", "labels", "name", "score", "start", "end", "confidence", "logprobs"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
    | st.sampled_from(["thinking", "tool_use", "message", "reasoning", "data:x,AAAA", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_no_body_is_too_odd_to_be_shown(body: dict[str, Any]) -> None:
    blocks = answer_blocks(body)
    assert blocks is None or shown(blocks)
    for medium in find_media(body):
        medium.data()
    blocks = scaledown_blocks(body, "some text of a request")
    assert blocks is None or shown(blocks)


def test_json_that_is_too_odd_stays_a_text() -> None:
    for text in ("{", "[" * 4000, '{"a": NaN}', "{\ud800}"):
        assert text_or_json(text) == Block(text=text)


@pytest.mark.parametrize(
    ("value", "found"),
    [([1, 2.5], [1.0, 2.5]), ([], []), ([True], None), ("!!!", None), ("AAA=", None), (7, None),
     ("AAAAAA==", [0.0]), ([10**400], [])],
)  # fmt: skip
def test_vectors_in_both_forms(value: Any, found: list[float] | None) -> None:
    assert decode_vector(value) == found


@pytest.mark.parametrize(
    ("start", "suffix"),
    [(b"\x89PNG\r\n\x1a\n", ".png"), (b"\xff\xd8\xff\xe0", ".jpg"), (b"RIFF0000WEBP", ".webp"),
     (b"RIFF0000WAVE", ".wav"), (b"ID3", ".mp3"), (b"<svg onload=x>", ".bin"), (b"", ".bin")],
)  # fmt: skip
def test_a_file_is_called_by_what_it_begins_with(start: bytes, suffix: str) -> None:
    assert file_suffix(start) == suffix


def test_media_are_found_in_every_dialect() -> None:
    url = f"data:image/png;base64,{PNG}"
    bodies = [
        {"data": [{"b64_json": PNG}]},
        chat({"images": [{"image_url": {"url": url}}]}),
        chat({"content": [{"type": "image_url", "image_url": {"url": url}}]}),
        chat({"audio": {"data": PNG}}),
        {"output": [{"type": "image_generation_call", "result": PNG}]},
        {"content": [{"type": "image", "source": {"type": "base64", "data": PNG}}]},
        {"pages": [{"images": [{"image_base64": url}]}]},
    ]
    for body in bodies:
        line = json.dumps({"custom_id": "a", "response": {"status_code": 200, "body": body}})
        (medium,) = find_media_in_line(line.encode())
        assert medium.data().startswith(b"\x89PNG")
        assert abs(medium.size - 28) <= 2
    assert find_media_in_line(b"no line") == []


TEXT = "Acme hired Ann. Acme liked Ann Lee."


def entity(text: Any, start: Any = None, end: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "t", "text": text, "start": start, "end": end, **more}


@pytest.mark.parametrize(
    ("entities", "found", "lost"),
    [
        ([entity("Acme", 0, 4), entity("Ann", 11, 14)], ["Acme@0", "Ann@11"], 0),
        ([entity("Acme", 0, 4), entity("Acme")], ["Acme@0", "Acme@16"], 0),
        ([entity("Acme"), entity("Acme"), entity("Acme")], ["Acme@0", "Acme@16"], 1),
        ([entity("Acme", 5, 9)], ["Acme@0"], 0),
        ([entity("acme")], ["Acme@0"], 0),
        ([entity("Ann Lee", 27, 34), entity("Ann", 27, 30)], ["Ann Lee@27"], 1),
        ([entity("Bob"), entity(""), entity(None), entity("Ann", -1, 3)], ["Ann@11"], 3),
        ([entity(None, 0, 4)], ["Acme@0"], 0),
        ([7, None, "x"], [], 3),
    ],
)
def test_entities_are_marked_where_they_stand(
    entities: list[Any], found: list[str], lost: int
) -> None:
    marks, missing = locate_entities(entities, TEXT)
    assert [f"{TEXT[mark.start : mark.end]}@{mark.start}" for mark in marks] == found
    assert missing == lost


def test_scaledown_answers_are_typed() -> None:
    summary = {"summary": "Acme hires.", "input_chars": 100, "output_chars": 11}
    assert "100 characters reduced to 11 (11%, 9.1:1)" in shown(scaledown_blocks(summary, TEXT))
    both = {"entities": [{"type": "org", "value": "Acme", "score": 0.5}], "extra": 1}
    text = shown(scaledown_blocks(both, TEXT))
    assert "org | Acme | 0.50" in text and '"extra": 1' in text
    labels = {"top_label": "b", "scores": {"a": 0.2, "b": 0.8}, "reasoning": "why"}
    assert "Label: b" in shown(scaledown_blocks(labels, TEXT))
    assert "b=0.8*\na=0.2" in shown(scaledown_blocks(labels, TEXT))
    listed = {"labels": [{"name": "a", "score": 0.9}, {"label": "b", "confidence": 0.1}]}
    assert "a=0.9*\nb=0.1" in shown(scaledown_blocks(listed, TEXT))
    assert scaledown_blocks({"other": 1}, TEXT) is None
    assert scaledown_blocks("text", TEXT) is None
