from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.json_path import (
    PathError,
    apply_settings,
    find,
    get,
    is_path,
    parse_setting,
    parse_settings,
    parse_value,
    remove,
    set_value,
)
from tui.errors import UsageError


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("temperature=0.2", "temperature", 0.2),
        ("stop=null", "stop", None),
        ("user=Anna", "user", "Anna"),
        ("user=", "user", ""),
        ('a.b.0={"x": [1]}', "a.b.0", {"x": [1]}),
        ("q=a=b", "q", "a=b"),
        (" max_tokens =5", "max_tokens", 5),
    ],
)
def test_settings_are_read(text: str, path: str, value: Any) -> None:
    assert parse_setting(text) == (path, value)


@pytest.mark.parametrize("text", ["", "x", "=5", "a..b=1", ".a=1"])
def test_wrong_settings(text: str) -> None:
    with pytest.raises(UsageError):
        parse_setting(text)


def test_the_last_one_counts() -> None:
    assert parse_settings(["a=1", "b=2", "a=3"]) == {"a": 3, "b": 2}


def test_settings_are_applied() -> None:
    body: dict[str, Any] = {"messages": [{"role": "user"}], "n": 1}
    apply_settings(body, {"messages.0.role": "x", "messages.1": {"role": "y"}, "a.b.c": 1, "n": 2})
    assert body == {"messages": [{"role": "x"}, {"role": "y"}], "n": 2, "a": {"b": {"c": 1}}}


@pytest.mark.parametrize(
    "path", ["n.x", "messages.5", "messages.x", "messages.1.role", "messages.-1"]
)
def test_paths_that_lead_nowhere(path: str) -> None:
    with pytest.raises(UsageError, match="does not exist in the request"):
        apply_settings({"messages": [{}], "n": 1}, {path: 1})


def test_one_path_reads_fields_indexes_and_selections() -> None:
    body = {"m": [{"role": "user", "c": [1, 2]}, {"role": "user", "c": None}, 7], "n": {"0": "x"}}
    assert find(body, "m[role=user].c") == [[1, 2], None]
    assert find(body, "m.0.c.1") == [2] and get(body, "m.0.c.1") == 2
    assert get(body, "n.0") == "x"
    for nothing in ("m.9", "m.x", "n.1", "m[role=system]", "n[a=b]", "m.0.c.0.x", "", "a..b"):
        assert find(body, nothing) == [] and get(body, nothing) is None


def test_selections_are_set_and_removed() -> None:
    body: dict[str, Any] = {"m": [{"r": "u", "t": 1}, {"r": "s", "t": 2}, {"r": "u"}]}
    set_value(body, "m[r=u].t", 3)
    assert body == {"m": [{"r": "u", "t": 3}, {"r": "s", "t": 2}, {"r": "u", "t": 3}]}
    set_value(body, "m[r=s]", {"r": "x"})
    remove(body, "m[r=u]")
    assert body == {"m": [{"r": "x"}]}
    for path in ("m[r=u].t", "m[r=u]", "q[r=u]"):
        with pytest.raises(PathError, match="does not exist"):
            set_value(body, path, 1)


def test_removing_what_is_not_there() -> None:
    body: dict[str, Any] = {"n": 1, "l": [1]}
    for path in ("x", "x.y", "n.x", "l.5", "l[a=b]"):
        remove(body, path)
    for path in ("x", "x.y"):
        remove(body, path, strict=True)
    for path in ("n.x", "l.5", "l.x", "l[a=b]", "a..b", ""):
        with pytest.raises(PathError):
            remove(body, path, strict=True)
    assert body == {"n": 1, "l": [1]}


@pytest.mark.parametrize("path", ["a", "a.b", "a.0", "a[k=v].b", "a[k=]", "a-b.c d"])
def test_valid_paths(path: str) -> None:
    assert is_path(path)


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a[", "a[k]", "a..b", "a]"])
def test_invalid_paths(path: str) -> None:
    assert not is_path(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("text", "text"),
        ('["a"]', ["a"]),
        ("NaN", "NaN"),
        ("[" * 9999, "[" * 9999),
        ("1e999", "1e999"),
    ],
)
def test_values_are_json_where_they_parse(text: str, value: Any) -> None:
    assert parse_value(text) == value


PATHS = ["a", "a.b", "a[k=v]", "a[k=v].b", "a.b[k=v].c"]


def test_paths_are_followed_and_cut() -> None:
    body: dict[str, Any] = {"a": [{"k": "v", "b": 1}, {"k": "w", "b": 2}], "c": {"b": 0}, "d": {}}
    assert find(body, "a[k=v].b") == [1]
    assert find(body, "c.b") == [0]
    assert find(body, "d") == [{}] and find(body, "a.b.c") == []
    remove(body, "a[k=w]")
    remove(body, "c.b")
    remove(body, "x.y.z")
    remove(body, "a[k=v].b")
    assert body == {"a": [{"k": "v"}], "c": {}, "d": {}}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "k", "c"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(PATHS))
def test_what_is_removed_is_not_found_again(body: Any, path: str) -> None:
    before = json.dumps(body)
    held = bool(find(body, path))
    remove(body, path)
    assert not find(body, path)
    assert held is False or json.dumps(body) != before
