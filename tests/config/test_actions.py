"""The tables of own actions: what is valid, and what their arguments become."""

from __future__ import annotations

import pytest

from tui.config.actions import ActionConfig
from tui.config.settings import load_config
from tui.errors import ConfigError
from tui.paths import Paths


def test_placeholders_are_filled_in_once_and_other_braces_stay() -> None:
    action = ActionConfig(command=["jq", "{a: .b}", "{file}", "--{job}-{id}"])  # type: ignore[arg-type]
    values = {"file": "/tmp/{job}", "job": "{id}", "name": "n", "id": "a b; rm -rf *"}
    # A value that looks like a placeholder is a value, and no shell splits it.
    assert action.arguments(values) == ["jq", "{a: .b}", "/tmp/{job}", "--{id}-a b; rm -rf *"]
    assert ActionConfig(command="sh -c 'cat | wc'").words == ["sh", "-c", "cat | wc"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("command = ''", "the command is empty"),
        ("command = []", "the command is empty"),
        ('command = "sh -c \'x"', "cannot be split"),
        ("command = ['vd']\nterminal = true", "needs {file}"),
        ("command = ['vd']\nwhere = 'jobs'", "line 3"),
        ("command = ['vd']\nkeys = 'x'", "unknown key 'keys'"),
    ],
)
def test_a_table_that_means_nothing_is_told(paths: Paths, table: str, said: str) -> None:
    paths.config_file.write_text(f"[actions.one]\n{table}\n")
    with pytest.raises(ConfigError, match=r"config\.toml, line \d") as caught:
        load_config(paths)
    assert said in f"{caught.value.message} {caught.value.hint}"
