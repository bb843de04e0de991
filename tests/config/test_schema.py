"""The JSON Schema of ``config.toml`` accepts what is valid, and explains and refuses the rest."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.documents import ROOT, read_blocks
from tui.cli.commands.reference.settings_schema import settings_schema
from tui.config.settings import DEFAULT_CONFIG, Config

SCHEMA = settings_schema()
VALIDATOR = jsonschema_rs.Draft7Validator(SCHEMA)
BLOCKS = [
    block
    for path in ["README.md", "CONTRIBUTING.md", *sorted(ROOT.glob("tui/docs/pages/*.md"))]
    for block in read_blocks(str(path if isinstance(path, str) else path.relative_to(ROOT)))
    if block.language == "toml"
]


def errors(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(tomllib.loads(text))]


def test_the_schema_itself_is_valid() -> None:
    jsonschema_rs.meta.validate(SCHEMA)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_the_examples_of_the_documents_are_valid(block: Any) -> None:
    assert errors(block.text) == []


def test_the_initial_file_is_valid_with_every_setting_turned_on() -> None:
    text = DEFAULT_CONFIG.read_text("utf-8")
    assert errors(text) == []
    turned_on = re.sub(r"^#(?=[a-z_]+ = |\[)", "", text, flags=re.M)
    assert turned_on.count("\n[") > text.count("\n[")
    assert errors(turned_on) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("tui/providers/profiles/*.toml")), ids=str)
def test_the_shipped_profiles_are_valid_tables_of_providers(path: Path) -> None:
    table = tomllib.loads(path.read_text("utf-8"))
    found = VALIDATOR.iter_errors({"providers": {path.stem: table}})
    assert [error.message for error in found] == []


@pytest.mark.parametrize(
    "text",
    [
        'thema = "nord"',
        "compact = 1",
        "[budget]\nper_month = -1",
        "[budget]\nper_mont = 1",
        '[keymap]\nrety = "f5"',
        '[accounts.work]\nkind = "batch"',
        '[accounts.work]\nprovider = "openai"\nconcurrency = 0',
        '[notifications]\ndesktop = "loud"',
        '[providers.mine]\nbase = "openai"\nlimitz = {}',
    ],
)
def test_a_mistake_is_found(text: str) -> None:
    assert len(errors(text)) == 1


def test_settings_are_all_there_with_what_they_do_and_names_to_complete() -> None:
    properties = SCHEMA["properties"]
    assert set(properties) == set(Config.__struct_fields__)
    assert properties["compact"]["description"] == "No borders around the panes, more rows."
    assert "nord" in properties["theme"]["description"]
    account = SCHEMA["definitions"]["AccountConfig"]["properties"]
    assert "openai" in account["provider"]["anyOf"][0]["enum"]
    assert "nord" in properties["theme"]["anyOf"][0]["enum"]
    assert SCHEMA["definitions"]["BudgetConfig"]["properties"]["per_month"]["description"]
    assert "null" not in str(SCHEMA["definitions"]["AccountConfig"])
