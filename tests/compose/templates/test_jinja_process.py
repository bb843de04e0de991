"""Templates that mean harm are ended by the kernel; ordinary ones give what Jinja gives."""

from __future__ import annotations

import os
import threading
from datetime import date
from pathlib import Path

import pytest

from tests.waiting import ends
from tui.compose.build import build
from tui.compose.sources.open import open_source
from tui.compose.templates.bodies import image_url
from tui.compose.templates.fields import FieldText
from tui.compose.templates.jinja import BoundedEnvironment, as_prompt_text
from tui.compose.templates.jinja_process import is_linear
from tui.compose.templates.model import Template
from tui.errors import InputError
from tui.limited_process import LimitedProcess, LimitReachedError

DOUBLED = (
    "{% set ns=namespace(s=[1]) %}{% for i in range(40) %}{% set ns.s=[ns.s,ns.s] %}{% endfor %}"
)

EATERS = {
    "lists doubled": DOUBLED + "{{ ns.s }}",
    "lists compared": DOUBLED
    + "{% set other=namespace(s=[1]) %}{% for i in range(40) %}"
    + "{% set other.s=[other.s,other.s] %}{% endfor %}{{ ns.s == other.s }}",
    "tuples": "{% set ns=namespace(s=(1,)) %}{% for i in range(40) %}"
    + "{% set ns.s=(ns.s,ns.s) %}{% endfor %}{{ ns.s }}",
    "by hand, without a loop": "{% set a0=[text,text] %}"
    + "".join(f"{{% set a{n + 1}=[a{n},a{n}] %}}" for n in range(40))
    + "{{ a40 }}",
    "dictionaries": DOUBLED.replace("[ns.s,ns.s]", "{'a':ns.s,'b':ns.s}") + "{{ ns.s|tojson }}",
    "translate": "{{ ('a'*9000000).translate({97:'x'*900})|length }}",
    "title": "{{ ('a-'*4000000)|title|length }}",
    "sorted": "{% for i in range(900) %}{{ (('ab'*4000000)|list|sort)|length }}{% endfor %}",
    "unique of nested": DOUBLED + "{{ [ns.s,ns.s]|unique|list|length }}",
    "groups": "{{ (('ab,'*3000000).split(',')|groupby(0))|length }}",
    "slices": "{% set ns=namespace(s='x'*9000000) %}{% for i in range(99999) %}"
    + "{% set ns.s=ns.s[::-1] %}{% endfor %}{{ ns.s|length }}",
    "urlize": "{{ ('http://a.b '*800000)|urlize|length }}",
    "pprint": DOUBLED + "{{ ns.s|pprint }}",
}


@pytest.mark.long
@pytest.mark.parametrize("name", EATERS)
def test_what_eats_time_or_memory_is_refused(name: str) -> None:
    text = FieldText(EATERS[name] + "{{ text }}", where="the user message")
    with pytest.raises(InputError) as caught:
        text.fill({"text": "hello"}, 3)
    assert caught.value.message.startswith("row 3: the user message cannot be rendered:")
    after = FieldText("{% for i in range(2) %}{{ text }}{% endfor %}", where="the user message")
    assert after.fill({"text": "ab"}, 1) == "abab", "the next template has a process again"


def test_the_words_say_which_bound() -> None:
    slow = FieldText(EATERS["lists compared"] + "{{ text }}", where="x")
    with pytest.raises(InputError, match=r"takes more than 1\.5 seconds"):
        slow.fill({"text": ""}, 1)
    large = FieldText(EATERS["translate"] + "{{ text }}", where="x")
    with pytest.raises(InputError, match="too much memory"):
        large.fill({"text": ""}, 1)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% for i in row.items() %}{{ i[0] }},{% endfor %}", "text,n,day,list,"),
        ("{{ [text, n, list]|tojson }}", '["hi", 3, [1, {"k": null}]]'),
        ("{{ day.isoformat() }} {{ day.year + 1 }}", "2024-02-03 2025"),
        ("{{ list + [text] }}", '[1,{"k":null},"hi"]'),
        ("{{ text ~ row_number }}", "hi7"),
    ],
)
def test_values_keep_their_types(template: str, text: str) -> None:
    row = {"text": "hi", "n": 3, "day": date(2024, 2, 3), "list": [1, {"k": None}]}
    assert FieldText(template, where="x").fill(row, 7) == text


@pytest.mark.parametrize(
    ("template", "linear"),
    [
        ("{{ text|upper }}", True),
        ("{% if text == 'a' %}{{ text }}{% else %}b{% endif %}", True),
        ("{{ text|title }}", False),
        ("{{ text[::2] }}", False),
        ("{{ [text] }}", False),
        ("{% for t in text %}{{ t }}{% endfor %}", False),
        ("{{ text.upper() }}", False),
        ("{{ text * 2 }}", False),
        ("{% set a = text %}{{ a }}", False),
    ],
)
def test_only_what_runs_once_is_rendered_here(template: str, linear: bool) -> None:
    assert is_linear(BoundedEnvironment(as_prompt_text).parse(template)) is linear


def test_the_process_has_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("MY_TOKEN", "secret")
    process = LimitedProcess("tests.compose.templates.show_environment")
    try:
        shown = process.call(None, seconds=5).decode()
    finally:
        process.close()
    assert "PYTHONPATH" in shown and "secret" not in shown


def test_a_killed_process_is_replaced() -> None:
    process = LimitedProcess("tests.compose.templates.show_environment")
    try:
        process.call(None, seconds=5)
        process._idle[0].kill()
        process._idle[0].wait()
        assert process.call(None, seconds=5)
        with pytest.raises(LimitReachedError) as caught:
            process.call("spin", seconds=0.2)
        assert caught.value.what == "time"
    finally:
        process.close()


def test_a_build_stops_at_the_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text\n" + "a\n" * 100)
    harmless = "{% for i in range(2) %}{{ text }}{% endfor %}"
    template = Template(user=harmless, model="m", syntax="jinja")
    report = build(open_source(str(tmp_path / "t.csv")), template, tmp_path / "o.jsonl")
    assert report.rows == 100
    bad = Template(user=EATERS["tuples"], model="m", syntax="jinja")
    with pytest.raises(InputError, match="row 1"):
        build(open_source(str(tmp_path / "t.csv")), bad, tmp_path / "o.jsonl")


def test_a_column_inserted_often_is_bounded(tmp_path: Path) -> None:
    text = FieldText("{text}" * 200, where="the user message")
    assert len(text.fill({"text": "x" * 1000}, 1)) == 200_000
    with pytest.raises(InputError, match="more than 100,000,000 characters"):
        text.fill({"text": "x" * 1_000_000}, 1)
    (tmp_path / "t.csv").write_text("text\n" + "x" * 130_000 + "\n")
    often = Template(user="{text}" * 2000, model="m")
    with pytest.raises(InputError, match="row 1: the user message has more than"):
        build(open_source(str(tmp_path / "t.csv")), often, tmp_path / "o.jsonl")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_devices_and_pipes_are_no_images(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")

    def read(name: str) -> str:
        with pytest.raises(InputError) as caught:
            image_url(name, tmp_path, 2)
        return caught.value.message

    told: list[str] = []
    thread = threading.Thread(target=lambda: told.append(read("pipe.png")), daemon=True)
    thread.start()
    assert ends(thread)
    assert "not a regular file" in told[0]
    assert "not a regular file" in read("/dev/zero")
