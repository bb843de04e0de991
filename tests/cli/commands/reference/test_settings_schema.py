"""``config schema --write``: the schema beside the settings, which name it once."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run
from tui.config.settings import load_config
from tui.paths import Paths


def test_it_is_written_beside_the_settings_and_named_once(run: Run, home: Path) -> None:
    paths = Paths.find(home).ensure()
    file = paths.config_file
    file.write_text('# mine\ntheme = "nord"\n', "utf-8")
    for _ in range(2):
        assert run("config", "schema", "--write").code == 0
    assert file.read_text("utf-8") == '#:schema ./config.schema.json\n# mine\ntheme = "nord"\n'
    assert load_config(paths).theme == "nord"
    schema = json.loads((file.parent / "config.schema.json").read_bytes())
    assert schema == run("config", "schema").document


def test_a_missing_file_is_created_and_a_broken_one_is_left(run: Run, home: Path) -> None:
    file = Paths.find(home).config_file
    assert run("config", "schema", "--write").code == 0
    assert file.read_text("utf-8").startswith("#:schema ./config.schema.json\n# Batchdeck's")
    file.write_text("theme = ", "utf-8")
    done = run("config", "schema", "--write")
    assert done.code == 2 and "not valid TOML" in done.err
    assert file.read_text("utf-8") == "theme = "
