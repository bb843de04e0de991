from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tui.compose.requests.custom_ids import IdMaker
from tui.compose.requests.scaledown import Label
from tui.compose.templates.model import CacheTime, Template, TemplateKind, with_overrides
from tui.compose.templates.render import Renderer
from tui.errors import InputError, UsageError

PNG = b"\x89PNG\r\n\x1a\nrest"
ROW = {"id": "r1", "text": "Hello"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def rendered(template: Template, row: dict[str, Any] = ROW, base: Path = Path()) -> dict[str, Any]:
    line = Renderer(template, columns=tuple(row), base=base).render(row, 1, IdMaker(1))
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    made: dict[str, Any] = json.loads(line)
    assert (list(made), made["method"]) == (["custom_id", "method", "url", "body"], "POST")
    return made


def test_chat() -> None:
    template = Template(
        model="m",
        system="Be kind to {id}.",
        user="Say {text}",
        max_tokens=5,
        temperature=0.0,
        schema=SCHEMA,
        tools=[{"type": "function"}],
        id="id",
    )
    assert rendered(template) == {
        "custom_id": "r1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be kind to r1."},
                {"role": "user", "content": "Say Hello"},
            ],
            "max_tokens": 5,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": SCHEMA},
            },
            "tools": [{"type": "function"}],
            "temperature": 0.0,
        },
    }


@pytest.mark.parametrize(
    ("kind", "url", "body"),
    [
        ("responses", "/v1/responses", {"model": "m", "instructions": "S", "input": "Hello",
         "max_output_tokens": 5, "text": {"format": {"type": "json_schema", "name": "answer",
         "schema": SCHEMA}}}),
        ("messages", "/v1/messages", {"model": "m", "max_tokens": 5, "system": "S",
         "messages": [{"role": "user", "content": "Hello"}],
         "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
    ],
)  # fmt: skip
def test_other_conversations(kind: TemplateKind, url: str, body: dict[str, Any]) -> None:
    template = Template(
        kind=kind, model="m", system="S", user="{text}", max_tokens=5, schema=SCHEMA
    )
    made = rendered(template)
    assert (made["url"], made["body"]) == (url, body)


def test_messages_have_a_length_always() -> None:
    made = rendered(Template(kind="messages", model="m", user="{text}"))
    assert made["body"]["max_tokens"] == 1024


@pytest.mark.parametrize(
    ("kind", "changes", "body"),
    [
        ("embeddings", {"model": "m"}, {"model": "m", "input": "Hello"}),
        ("completions", {"model": "m", "max_tokens": 2},
         {"model": "m", "prompt": "Hello", "max_tokens": 2}),
        ("moderations", {}, {"input": "Hello"}),
        ("summarize", {"system": "short", "max_tokens": 9},
         {"model": "summarize", "text": "Hello", "instructions": "short", "max_tokens": 9}),
        ("extract", {"entities": {"name": "a person"}, "system": "all"},
         {"model": "extract", "text": "Hello", "entities": {"name": "a person"},
          "instruction": "all"}),
        ("classify", {"labels": (Label("a", "Is it a?"), Label("b", "Is it b?")), "system": "s"},
         {"model": "classify", "text": "Hello", "labels": [{"name": "a", "rubric": "Is it a?"},
          {"name": "b", "rubric": "Is it b?"}], "system_prompt": "s"}),
    ],
)  # fmt: skip
def test_the_other_kinds(kind: TemplateKind, changes: dict[str, Any], body: dict[str, Any]) -> None:
    assert rendered(Template(kind=kind, user="{text}", **changes))["body"] == body


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (Template(model="m"), "no prompt"),
        (Template(user="x"), "no model"),
        (Template(kind="embeddings", model="m", user="x", max_tokens=3), "support max_tokens"),
        (Template(kind="embeddings", model="m", user="x", images=("a",)), "do not support images"),
        (Template(model="m", user="x", labels=(Label("a", "b"),)), "do not support labels"),
        (Template(model="m", user="x", max_tokens=0), "at least 1"),
        (Template(kind="extract", user="x"), "needs entities"),
        (Template(kind="extract", user="x", entities={"a": " "}), "no description"),
        (Template(kind="classify", user="x", labels=(Label("a", "b"),)), "2 to 26 labels, not 1"),
        (Template(kind="classify", user="x", labels=(Label("a", "b"),) * 2), "duplicate label"),
        (Template(kind="classify", user="x", labels=tuple(Label(str(n), "q") for n in range(27))),
         "2 to 26 labels, not 27"),
        (Template(kind="classify", user="x", labels=(Label("a", "q"), Label("b", ""))),
         "no rubric"),
        (Template(model="m", user="x", settings={"messages.7.role": "x"}), "does not exist"),
    ],
)  # fmt: skip
def test_templates_that_cannot_be_used(template: Template, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        Renderer(template, base=Path())
    assert caught.value.hint


@pytest.mark.parametrize("time", ["5m", "1h"])
def test_what_all_rows_share_is_marked_for_the_cache(time: CacheTime) -> None:
    template = Template(kind="messages", model="m", system="Be kind.", user="{text}", cache=time)
    mark = {"type": "ephemeral", "ttl": time}
    body = rendered(template)["body"]
    assert body["system"] == [{"type": "text", "text": "Be kind.", "cache_control": mark}]
    assert body["messages"] == [{"role": "user", "content": "Hello"}]


def test_only_what_all_rows_share_of_anthropic_s_requests_can_be_marked() -> None:
    template = Template(kind="messages", model="m", system="For {id}", user="{text}", cache="1h")
    with pytest.raises(UsageError, match="differs from row to row"):
        rendered(template)
    with pytest.raises(UsageError, match="no system message"):
        rendered(msgspec.structs.replace(template, system=""))
    with pytest.raises(UsageError, match="chat requests cannot mark") as error:
        rendered(msgspec.structs.replace(template, kind="chat"))
    assert "by themselves" in error.value.hint


def test_settings_reach_every_field() -> None:
    template = Template(
        model="m",
        user="{text}",
        settings={"metadata.team": "ops", "messages.0.role": "developer", "stop": ["x"]},
    )
    body = rendered(with_overrides(template, model="n", settings={"stop": None, "top_p": 0.5}))[
        "body"
    ]
    assert body == {
        "model": "n",
        "messages": [{"role": "developer", "content": "Hello"}],
        "metadata": {"team": "ops"},
        "stop": None,
        "top_p": 0.5,
    }


def test_a_setting_may_replace_what_rows_fill_in() -> None:
    template = Template(
        model="m", system="{nothing}", user="{text}", settings={"messages.0.content": "fixed"}
    )
    messages = rendered(template)["body"]["messages"]
    assert [message["content"] for message in messages] == ["fixed", "Hello"]


def test_ids() -> None:
    template = Template(model="m", user="{text}")
    assert rendered(with_overrides(template, id="text"))["custom_id"] == "Hello"
    assert rendered(with_overrides(template, id="{id}-{row_number}"))["custom_id"] == "r1-1"
    by_content = rendered(template)["custom_id"]
    assert len(by_content) == 16
    assert rendered(with_overrides(template, model="other"))["custom_id"] == by_content
    assert rendered(template, {"id": "x", "text": "Hullo"})["custom_id"] != by_content
    with pytest.raises(InputError, match="unknown column 'texxt' in the id") as caught:
        rendered(with_overrides(template, id="texxt"))
    assert "'text'" in caught.value.hint
    assert rendered(with_overrides(template, id="id"), {"id": 17, "text": "x"})["custom_id"] == "17"


def test_a_row_without_a_column_is_named() -> None:
    renderer = Renderer(Template(model="m", user="{text}", id="id"), columns=("id",), base=Path())
    ids = IdMaker(9)
    renderer.render({"id": "a", "text": "x"}, 1, ids)
    for row in ({"id": "b", "txt": "x"}, {"text": "x", "x": 1}):
        with pytest.raises(InputError, match="row 2: unknown column") as caught:
            renderer.render(row, 2, ids)
        assert caught.value.line == 2
    with pytest.raises(InputError, match="row 3: the request contains a lone surrogate"):
        renderer.render({"id": "c", "text": "\ud800"}, 3, ids)


def test_images(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    data = "data:image/png;base64," + base64.b64encode(PNG).decode()
    web = "https://x.example/b.jpg"
    row = {"photo": "a.png", "other": web, "none": "", "text": "What?"}
    template = Template(model="m", user="{text}", images=("{photo}", "{other}", "{none}"))
    chat = rendered(template, row, tmp_path)["body"]["messages"][0]["content"]
    assert chat == [
        {"type": "image_url", "image_url": {"url": data}},
        {"type": "image_url", "image_url": {"url": web}},
        {"type": "text", "text": "What?"},
    ]
    responses = Template(kind="responses", model="m", user="{text}", images=("{photo}",))
    assert rendered(responses, row, tmp_path)["body"]["input"][0]["content"] == [
        {"type": "input_image", "image_url": data},
        {"type": "input_text", "text": "What?"},
    ]
    messages = Template(kind="messages", model="m", user="{text}", images=("{photo}", "{other}"))
    assert rendered(messages, row, tmp_path)["body"]["messages"][0]["content"][:2] == [
        {
            "type": "image",
            "source": {
                "type": "base64",
                "media_type": "image/png",
                "data": base64.b64encode(PNG).decode(),
            },
        },
        {"type": "image", "source": {"type": "url", "url": web}},
    ]


@pytest.mark.parametrize("name", ["secret.txt", "none.png", "folder", "a\x00b"])
def test_files_that_are_no_images_are_not_sent(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.txt").write_text("password")
    (tmp_path / "folder").mkdir()
    template = Template(model="m", user="x", images=("{photo}",))
    with pytest.raises(InputError, match="row 1: ") as caught:
        rendered(template, {"photo": name}, tmp_path)
    assert "\x00" not in caught.value.message
