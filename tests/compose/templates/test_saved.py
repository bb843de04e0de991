from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compose.rows import written
from tui.compose.requests.scaledown import Label
from tui.compose.templates.model import Template
from tui.compose.templates.saved import (
    find_template,
    list_templates,
    load_template,
    save_template,
    to_toml,
)
from tui.errors import InputError, UsageError

FULL = Template(
    name="My Template: Ä",
    description='with "quotes"',
    kind="classify",
    model="m",
    system="one\ntwo \\ \t three\r\n",
    user="{text}\n",
    max_tokens=3,
    temperature=0.25,
    schema={"type": "object", "properties": {"a b": {"enum": [1, 2.5, True, "x"]}}},
    tools=[{"a": []}],
    entities={"e": "f"},
    labels=(Label("a", "b"), Label("c", "d")),
    cache="1h",
    settings={"a.b": {"c": [1]}},
    images=("{x}",),
    id="{a}",
    syntax="braces",
)


def test_a_template_comes_back(tmp_path: Path) -> None:
    path = save_template(FULL, tmp_path / "templates")
    assert path.name == "my-template-ä.toml"
    assert load_template(path) == FULL
    assert path.stat().st_mode & 0o777 == 0o600
    short = Template(name="x", user="y")
    text = save_template(short, tmp_path).read_text()
    assert text == 'name = "x"\nuser = "y"\n'


def test_templates_are_listed_with_their_troubles(tmp_path: Path) -> None:
    assert list_templates(tmp_path / "none") == []
    save_template(Template(name="b", user="x"), tmp_path)
    save_template(Template(name="A", user="x"), tmp_path)
    written(tmp_path, b"name = ", "broken.toml")
    written(tmp_path, b"colour = 'red'", "odd.toml")
    written(tmp_path, b"max_tokens = 'many'", "typed.toml")
    written(tmp_path, b"\xff", "bytes.toml")
    found = list_templates(tmp_path)
    assert [saved.name for saved in found] == ["A", "b", "broken", "bytes", "odd", "typed"]
    assert [saved.template is None for saved in found] == [False, False, True, True, True, True]
    assert "colour" in found[4].trouble


def test_templates_are_found(tmp_path: Path) -> None:
    path = save_template(Template(name="My one", user="{a}"), tmp_path)
    prompt = written(tmp_path, b"\xef\xbb\xbfSay {a}\n", "prompt.txt")
    assert find_template(str(path)).name == "My one"
    assert find_template("My one", tmp_path).user == "{a}"
    assert find_template("my-one", tmp_path).user == "{a}"
    assert find_template(str(prompt)).user == "Say {a}\n"
    assert find_template("Say {a}").user == "Say {a}"
    for spec in ("nothing", "nothing.toml", "x" * 5000):
        with pytest.raises(InputError, match="no template"):
            find_template(spec, tmp_path)


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no name"):
        save_template(Template(name="!!"), tmp_path)
    with pytest.raises(UsageError, match="cannot be saved"):
        save_template(Template(name="x", settings={"a": None}), tmp_path)
    assert list(tmp_path.iterdir()) == []


KEYS = st.text(st.characters(codec="utf-8"), max_size=6)
VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_what_is_written_is_read(values: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(values)) == values


def test_every_field_is_saved() -> None:
    default = msgspec.to_builtins(Template())
    full = msgspec.to_builtins(FULL)
    assert [name for name in default if default[name] == full[name]] == ["url"]
