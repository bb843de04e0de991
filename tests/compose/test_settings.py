from __future__ import annotations

from typing import Any

import pytest

from tui.compose.settings import apply_settings, parse_setting, parse_settings
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
    with pytest.raises(UsageError, match="leads nowhere"):
        apply_settings({"messages": [{}], "n": 1}, {path: 1})
