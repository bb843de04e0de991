from __future__ import annotations

import base64
import json
import math
import struct

import pytest

from tui.sandbox import answers

SCHEMA = {
    "type": "object",
    "properties": {
        "label": {"enum": ["positive", "negative"]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "stars": {"type": "integer", "minimum": 1, "maximum": 5},
        "sure": {"type": "boolean"},
        "why": {"type": ["string", "null"], "maxLength": 20},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
        "kind": {"const": "review"},
        "either": {"anyOf": [{"type": "null"}, {"type": "string"}]},
    },
    "$defs": {"tag": {"type": "object", "properties": {"name": {"type": "string"}}}},
}


def ask(client, text, **more):
    made = client.chat.completions.create(
        model="any-name", messages=[{"role": "user", "content": text}], **more
    )
    assert made.model == "any-name"
    return made.choices[0].message.content


def test_answers_are_readable_deterministic_and_say_what_they_are(bench):
    b = bench()
    text = "Why did the Hanseatic city of Lübeck matter for trade?"
    said = ask(b.client, text)
    assert said.startswith("Simulated answer: ")
    assert "hanseatic" in said
    assert ask(b.client, text) == said
    assert ask(b.client, text + " And why not?") != said


def test_seed_changes_answers():
    body = {"messages": [{"role": "user", "content": "Tell about Hanseatic trade routes"}]}
    assert len({answers.answer(body, seed)[0] for seed in range(8)}) > 1


def test_json_answers(bench):
    b = bench()
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    value = json.loads(ask(b.client, "a positive review", response_format=form))
    assert value["label"] == "positive"
    assert 0 <= value["score"] <= 1
    assert 1 <= value["stars"] <= 5
    assert isinstance(value["sure"], bool)
    assert len(value["why"]) <= 20
    assert [list(tag) for tag in value["tags"]] == [["name"], ["name"]]
    assert value["kind"] == "review"
    assert json.loads(ask(b.client, "x", response_format={"type": "json_object"}))["simulated"]
    made = b.client.responses.create(
        model="m", input="x", text={"format": {"type": "json_schema", "name": "x",
                                               "schema": SCHEMA}}
    )  # fmt: skip
    assert set(json.loads(made.output_text)) == set(SCHEMA["properties"])


def test_usage_is_about_a_quarter_of_the_characters(bench):
    b = bench()
    made = b.client.chat.completions.create(
        model="m",
        messages=[{"role": "system", "content": "s" * 400}, {"role": "user", "content": "u" * 400}],
    )
    assert made.usage.prompt_tokens == 200
    assert made.usage.completion_tokens == math.ceil(len(made.choices[0].message.content) / 4)


@pytest.mark.parametrize("dimensions", [None, 7])
def test_embeddings(bench, dimensions):
    b = bench()
    more = {"dimensions": dimensions} if dimensions else {}
    texts = ["one", "two", "one"]
    made = b.client.embeddings.create(model="m", input=texts, encoding_format="float", **more)
    vectors = [item.embedding for item in made.data]
    assert {len(vector) for vector in vectors} == {dimensions or 64}
    assert vectors[0] == vectors[2] != vectors[1]
    assert math.isclose(sum(x * x for x in vectors[0]), 1, abs_tol=1e-4)
    raw = b.client.embeddings.with_raw_response.create(
        model="m", input="one", encoding_format="base64", **more
    ).http_response.json()
    packed = base64.b64decode(raw["data"][0]["embedding"])
    numbers = struct.unpack(f"<{len(vectors[0])}f", packed)
    assert all(math.isclose(a, c, abs_tol=1e-6) for a, c in zip(numbers, vectors[0], strict=True))


def test_models(bench):
    b = bench()
    assert [made.id for made in b.client.models.list()]
    assert b.client.models.retrieve("vendor/any").id == "vendor/any"


def test_responses_and_completions(bench):
    b = bench()
    cut = b.client.responses.create(model="m", input="sandbox:truncate", max_output_tokens=20)
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    no = b.client.responses.create(model="m", input=[{"role": "user", "content": "sandbox:refuse"}])
    assert no.output[0].content[0].type == "refusal"
    assert b.client.completions.create(model="m", prompt="hello there").choices[0].text
