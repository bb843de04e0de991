"""F1 explains the field that has the focus."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.widgets import Input, Select, TextArea

import tui.ui
from tests.ui.conftest import fake_app, running, screen_text, until
from tests.ui.fakes import FakeEngine, a_job
from tui.ui.dialogs.help.dialog import HelpDialog
from tui.ui.dialogs.input import InputDialog, KeyDialog
from tui.ui.text.field_help import FIELDS, field_help
from tui.ui.widgets.template_form import TemplateForm

_FIELD = re.compile(
    r"\b(?:Field|Input|PathInput|DropInput|TextInput|TextArea|PlainTextArea|JsonTextArea|Select\[\w+\]"
    r"|RadioSet|TableOptions|PairRows|FilterLine|QueryLine|self\._number)\("
    r"((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)"
)
_ID = re.compile(r'id="([\w-]+)"|"(fix-[\w-]+)"')
_INNER = {
    "help-search",
    "filter-input",
    "table-delimiter",
    "table-header",
    "table-quoting",
    "table-encoding",
}
"""Fields inside one that has the help, and the field of the help itself."""


def test_every_field_has_its_help() -> None:
    found: set[str] = set()
    for file in Path(tui.ui.__file__).parent.rglob("*.py"):
        for arguments in _FIELD.findall(file.read_text("utf-8")):
            found |= {first or second for first, second in _ID.findall(arguments)}
    assert {"compose-source", "field-user", "key", "fix-least", "export-format"} <= found
    assert found - _INNER - FIELDS.keys() == set()


async def test_the_form_of_compose_is_explained(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        form = TemplateForm(("text",), table=("utf-8", "comma-separated", "header row"))
        await app.main.mount(form)
        await pilot.pause()
        for widget in form.query("Input, TextArea, Select").results():
            assert isinstance(widget, Input | TextArea | Select)
            assert field_help(widget) is not None, widget


@pytest.mark.parametrize(
    ("dialog", "words"),
    [(KeyDialog("work", "no key", "hint"), "keyring"), (InputDialog("Note", "hint"), "after esc")],
    ids=["key", "text"],
)
async def test_f1_in_a_dialog(
    engine: FakeEngine, dialog: KeyDialog | InputDialog, words: str
) -> None:
    app = fake_app(engine)
    async with running(app, (80, 24)) as pilot:
        app.push_screen(dialog)
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press("a", "f1")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))
        await until(pilot, lambda: words in screen_text(app))
        await pilot.press("f1")
        await until(pilot, lambda: app.screen is dialog)
        assert dialog.query_one(Input).value == "a"


async def test_f1_in_a_filter_explains_its_language_and_the_keys_follow(
    engine: FakeEngine,
) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app, (100, 40)) as pilot:
        await until(pilot, lambda: "1 of 1" in screen_text(app))
        await pilot.press("slash", "f1")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))
        await until(pilot, lambda: "since:7d" in screen_text(app))
        assert "All jobs of all accounts" in screen_text(app)
