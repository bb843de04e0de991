"""Files of other tools: YAML, TOML, rows that Python wrote, documents with rows inside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.compose.rows import chat, written
from tui.compose.build import build
from tui.compose.requests.recognition import recognize
from tui.compose.sources.base import Source
from tui.compose.sources.open import open_source
from tui.errors import InputError, PartNeededError


def opened(folder: Path, name: str, content: str | Any, part: str = "") -> Source:
    text = content if isinstance(content, str) else json.dumps(content)
    path = written(folder, text.encode(), name)
    return open_source(f"{path}::{part}" if part else str(path))


def rows(folder: Path, name: str, content: str | Any, part: str = "") -> list[dict[str, Any]]:
    return list(opened(folder, name, content, part).rows())


def said(folder: Path, name: str, content: str | Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return recognize(written(folder, text.encode(), name)).line


TABLE = [{"id": "a", "text": "one\ntwo"}, {"id": "b", "text": "three"}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("- id: a\n  text: |-\n    one\n    two\n- {id: b, text: three}\n", TABLE),
        ("- first\n- 'second: yes'\n", [{"text": "first"}, {"text": "second: yes"}]),
        ("prompts:\n  - first\n  - second\n", [{"prompts": "first"}, {"prompts": "second"}]),
        ("rows:\n- id: a\n- id: b\n", [{"id": "a"}, {"id": "b"}]),
        ("id: a\n---\nid: b\n", [{"id": "a"}, {"id": "b"}]),
        ("a: {q: 1}\nb: {q: 2}\n", [{"key": "a", "q": 1}, {"key": "b", "q": 2}]),
        (
            "prompts:\n  a:\n    prompt: x\n  b:\n    prompt: y\n",
            [{"key": "a", "prompt": "x"}, {"key": "b", "prompt": "y"}],
        ),
        ("- &x {id: a, n: 1}\n- {<<: *x, id: b}\n", [{"id": "a", "n": 1}, {"n": 1, "id": "b"}]),
        ('[{"id": "a"}, {"id": "b"}]', [{"id": "a"}, {"id": "b"}]),
    ],
)
def test_yaml(tmp_path: Path, content: str, expected: Any) -> None:
    pytest.importorskip("yaml")
    assert rows(tmp_path, "t.yaml", content) == expected
    assert rows(tmp_path, "t.yml", content) == expected


def test_cells_of_yaml_keep_their_text(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    cells = [
        "no", "on", "1.10", "0x1F", "012", "1_000", "12:30", "2024-01-02", "1e3", ".5", "+1", "-0",
        ".inf", "NaN", "2024-01-02T03:04:05Z", "=", "100000000000000000000000001.0",
    ]  # fmt: skip
    content = "- cells: [" + ", ".join(cells) + "]\n  others: [null, ~, true, 3, 0.5, '7', !x 8]\n"
    (row,) = rows(tmp_path, "t.yaml", content)
    assert row == {"cells": cells, "others": [None, None, True, 3, 0.5, "7", "8"]}


def test_what_is_no_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    with pytest.raises(InputError, match="line 2 of") as caught:
        opened(tmp_path, "t.yaml", "- text: a\n- text: {{ question }}: b\n")
    assert "quotation marks" in caught.value.hint
    with pytest.raises(InputError, match="its own anchor"):
        opened(tmp_path, "t.yaml", "- &a [*a]\n")
    bomb = "- &a [x, x, x, x, x, x, x, x, x, x]\n"
    for name, inner in zip("bcdefghi", "abcdefgh", strict=True):
        bomb += f"- &{name} [" + ", ".join([f"*{inner}"] * 10) + "]\n"
    with pytest.raises(InputError, match="expand to too much"):
        opened(tmp_path, "t.yaml", bomb)
    with pytest.raises(InputError, match="not YAML that can be read"):
        opened(tmp_path, "t.yaml", "[" * 50_000)
    assert "twice ('id')" in " ".join(opened(tmp_path, "t.yaml", "- id: a\n  id: b\n").doubts)


def test_without_the_extra_yaml_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    with pytest.raises(InputError, match="needs the extra 'tables'") as caught:
        opened(tmp_path, "t.yaml", "- a: 1\n")
    assert "JSON lines" in caught.value.hint
    assert "a YAML file (a)" in said(tmp_path, "t.yaml", "- a: 1\n")


def test_toml(tmp_path: Path) -> None:
    content = '[[rows]]\nid = "a"\nn = 1.10\nday = 2024-01-02\n[[rows]]\nid = "b"\n'
    assert rows(tmp_path, "t.toml", content) == [
        {"id": "a", "n": "1.10", "day": "2024-01-02"},
        {"id": "b"},
    ]


CONFIG = """\
prompts: ['Translate {{text}}']
providers: [{id: a}, {id: b}, {id: c}]
tests:
  - vars: {text: Hello, language: fr}
    assert: [{type: contains, value: Bonjour}]
  - vars: {text: Bye, language: es}
"""


def test_promptfoo(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    checks = [{"type": "contains", "value": "Bonjour"}]
    tests = [
        {"text": "Hello", "language": "fr", "assert": checks},
        {"text": "Bye", "language": "es"},
    ]
    assert rows(tmp_path, "t.yaml", CONFIG) == tests
    assert rows(tmp_path, "t.yaml", CONFIG, "tests") == tests
    assert rows(tmp_path, "t.yaml", CONFIG[CONFIG.index("tests:\n") + 7 :]) == tests
    assert "configuration of promptfoo" in said(tmp_path, "t.yaml", CONFIG)
    result = {"results": {"results": [{"vars": {"q": "a"}}, {"vars": {}}], "stats": {}}}
    assert len(rows(tmp_path, "t.json", result)) == 2
    assert "results of promptfoo" in said(tmp_path, "t.json", result)


def test_a_page_of_the_dataset_viewer(tmp_path: Path) -> None:
    page = {
        "features": [{"name": "text"}, {"name": "label"}],
        "rows": [{"row_idx": n, "row": {"text": f"t{n}", "label": n}} for n in range(2)],
        "num_rows_total": 5000,
    }
    source = opened(tmp_path, "t.json", page)
    assert [row["text"] for row in source.rows()] == ["t0", "t1"]
    assert source.columns == ("text", "label", "row_idx")
    assert "2 of 5,000 rows" in " ".join(source.doubts)


def test_other_documents_that_are_known(tmp_path: Path) -> None:
    squad = {
        "version": "2",
        "data": [
            {"title": "T", "paragraphs": [{"context": "c", "qas": [{"id": 1}, {"id": 2}]}]},
            {"title": "U", "paragraphs": [{"context": "d", "qas": [{"id": 3}]}]},
            {"title": "V", "paragraphs": []},
        ],
    }
    assert rows(tmp_path, "t.json", squad) == [
        {"title": "T", "context": "c", "id": 1},
        {"title": "T", "context": "c", "id": 2},
        {"title": "U", "context": "d", "id": 3},
        {"title": "V", "paragraphs": []},
    ]
    log = {"eval": {}, "plan": {"steps": [{}]}, "samples": [{"id": 1, "input": "q"}]}
    assert rows(tmp_path, "t.json", log) == [{"id": 1, "input": "q"}]
    cells = [{"cell_type": "code", "source": ["a\n", "b"]}, {"cell_type": "raw", "source": "c"}]
    notebook = {"nbformat": 4, "cells": cells, "metadata": {}}
    assert [row["source"] for row in rows(tmp_path, "t.ipynb", notebook)] == ["a\nb", "c"]
    clash = {"records": [{"id": "r", "fields": {"id": "inner"}}]}
    assert rows(tmp_path, "t.json", clash) == clash["records"]


def test_texts_under_a_key_are_rows(tmp_path: Path) -> None:
    value = {"name": "mine", "version": 1, "prompts": ["a", "b"]}
    assert rows(tmp_path, "t.json", value) == [{"text": "a"}, {"text": "b"}]
    assert "::prompts" in said(tmp_path, "t.json", value)
    one = {"id": 7, "text": "a paper", "keywords": ["a", "b"]}
    assert rows(tmp_path, "t.json", one) == [one]
    assert rows(tmp_path, "t.json", one, "keywords") == [{"text": "a"}, {"text": "b"}]
    with pytest.raises(PartNeededError) as caught:
        opened(tmp_path, "t.json", {"harmful": ["a", "b", "c"], "harmless": ["d", "e"]})
    assert caught.value.parts == ("harmful", "harmless")


def test_several_lists_are_all_named(tmp_path: Path) -> None:
    line = said(tmp_path, "t.json", {"a": [{"x": 1}], "b": [{"y": 1}, {"y": 2}]})
    assert "'b' (2), 'a' (1)" in line


@pytest.mark.parametrize("name", ["t.json", "t.jsonl", "t.txt"])
def test_rows_that_python_wrote(tmp_path: Path, name: str) -> None:
    content = "{'id': 1, 'text': \"It's\", 'tags': ('a', None), 'ok': True}\n{u'id': 2}\n"
    source = opened(tmp_path, name, content)
    assert list(source.rows()) == [
        {"id": 1, "text": "It's", "tags": ["a", None], "ok": True},
        {"id": 2},
    ]
    assert "Python's values" in " ".join(source.late_doubts())
    assert "Python's values" in said(tmp_path, name, content)
    assert rows(tmp_path, name, "{'a': nan}\n{'a': -inf}\n") == [{"a": "nan"}, {"a": "-inf"}]
    assert rows(tmp_path, name, "[{'id': 1},\n {'id': 2}]") == [{"id": 1}, {"id": 2}]


def test_requests_that_python_wrote_are_written_as_json(tmp_path: Path) -> None:
    content = f"{chat('a', temperature=None)}\n{chat('b')}\n"
    assert "written as Python's" in said(tmp_path, "t.jsonl", content)
    source = opened(tmp_path, "t.jsonl", content)
    build(source, None, tmp_path / "new.jsonl")
    made = [json.loads(line) for line in (tmp_path / "new.jsonl").read_text().splitlines()]
    assert made == [chat("a"), chat("b")]


MESSAGES = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]


@pytest.mark.parametrize(
    "lines",
    [
        [MESSAGES, MESSAGES[1:]],
        [{"messages": MESSAGES}, {"messages": MESSAGES[1:]}],
    ],
)
def test_conversations_become_requests(tmp_path: Path, lines: list[Any]) -> None:
    content = "".join(json.dumps(line) + "\n" for line in lines)
    for name, text in (("t.jsonl", content), ("t.json", json.dumps(lines))):
        line = said(tmp_path, name, text)
        assert "conversations (messages) without a model" in line and "-m MODEL" in line
        source = opened(tmp_path, name, text)
        build(source, None, tmp_path / "new.jsonl", model="m")
        made = [json.loads(line) for line in (tmp_path / "new.jsonl").read_text().splitlines()]
        assert [each["body"] for each in made] == [
            {"model": "m", "messages": MESSAGES},
            {"model": "m", "messages": MESSAGES[1:]},
        ]


def test_the_id_of_a_conversation_is_kept_and_its_columns_too(tmp_path: Path) -> None:
    build(
        opened(tmp_path, "t.jsonl", {"id": "x", "messages": MESSAGES}),
        None,
        tmp_path / "new.jsonl",
        model="m",
    )
    made = json.loads((tmp_path / "new.jsonl").read_text())
    assert made["custom_id"] == "x" and "id" not in made["body"]
    # What a chat request does not have would be lost.
    assert opened(tmp_path, "t.jsonl", {"messages": MESSAGES, "answer": "a"}).kind == "table"


def test_requests_with_their_responses(tmp_path: Path) -> None:
    body = {"model": "m", "input": "q"}
    content = f"{json.dumps([body, {'data': []}, {'id': 1}])}\n{json.dumps([body, ['no']])}\n"
    assert "requests with their responses" in said(tmp_path, "t.jsonl", content)
    assert rows(tmp_path, "t.jsonl", content) == [
        {"request": body, "response": {"data": []}, "metadata": {"id": 1}},
        {"request": body, "response": ["no"]},
    ]


def test_bodies_of_embeddings_become_requests(tmp_path: Path) -> None:
    source = opened(tmp_path, "t.jsonl", {"model": "text-embedding-3-small", "input": "a"})
    build(source, None, tmp_path / "new.jsonl")
    made = json.loads((tmp_path / "new.jsonl").read_text())
    assert made["url"] == "/v1/embeddings"
    assert made["body"] == {"model": "text-embedding-3-small", "input": "a"}
    assert opened(tmp_path, "t.jsonl", {"model": "car", "input": "a"}).kind == "table"


@pytest.mark.parametrize("name", ["t.json", "t.yaml"])
def test_one_request_over_several_lines_is_one_row(tmp_path: Path, name: str) -> None:
    if name == "t.yaml":
        pytest.importorskip("yaml")
    for value in (chat("a"), chat("a")["body"]):
        content = json.dumps(value, indent=2)
        assert rows(tmp_path, name, content) == [value]
        assert opened(tmp_path, name, content).kind == "requests"
        assert "::" not in said(tmp_path, name, content)


def test_requests_in_yaml(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    content = "- custom_id: a\n  params: {model: m, max_tokens: 5, messages: []}\n"
    assert "Anthropic batch requests" in said(tmp_path, "t.yaml", content)
    assert opened(tmp_path, "t.yaml", content).kind == "requests"
    tests = "- vars: {q: a}\n- vars: {q: b}\n"
    assert "tests of promptfoo" in said(tmp_path, "t.yaml", tests)


def test_a_body_of_messages_goes_to_messages(tmp_path: Path) -> None:
    body = {"model": "claude", "max_tokens": 5, "system": "s", "messages": MESSAGES[1:]}
    build(opened(tmp_path, "t.jsonl", body), None, tmp_path / "new.jsonl")
    assert json.loads((tmp_path / "new.jsonl").read_text())["url"] == "/v1/messages"
