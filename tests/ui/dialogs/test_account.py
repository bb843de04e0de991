"""Accounts and keys are added in the dashboard, from every place where one is missing."""

from __future__ import annotations

from pathlib import Path

import keyring
import pytest
from textual.widgets import Input, Select

from tests.fakes.keyring import MemoryKeyring
from tests.sandbox.conftest import running as serving
from tests.ui.conftest import notes, running, screen_text, until
from tests.ui.dialogs.test_key import KEY, app_on, submit_without_key
from tests.ui.test_whole_loop import requests_file
from tui.config import api_keys
from tui.config.settings import Config
from tui.engine.account_setup import provider_choices
from tui.engine.engine import Engine
from tui.paths import Paths
from tui.sandbox import SandboxOptions
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.account import AccountDialog, NewAccount
from tui.ui.dialogs.choose import ChooseDialog
from tui.ui.dialogs.input import KeyDialog
from tui.ui.panes.compose.header import ADD_ACCOUNT


@pytest.fixture(autouse=True)
def ring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    made = MemoryKeyring()
    monkeypatch.setattr(api_keys, "_session", {})
    monkeypatch.setattr(keyring.core, "_keyring_backend", made)
    return made


def new_app(paths: Paths) -> BatchdeckApp:
    config = Config()

    async def open_engine() -> Engine:
        return await Engine.open(paths, config)

    return BatchdeckApp(paths, config, open_engine)


async def test_an_account_is_added_tested_and_selected(
    paths: Paths, tmp_path: Path, ring: MemoryKeyring
) -> None:
    paths.config_file.parent.mkdir(parents=True, exist_ok=True)
    paths.config_file.write_text('# my own words\ntheme = "batchdeck-dark"  # kept\n')
    with serving(SandboxOptions(key=KEY, rows_per_second=0)) as url:
        app = new_app(paths)
        async with running(app, (80, 24)) as pilot:
            await until(pilot, lambda: app.session.ready.is_set())
            await pilot.press("1")
            header = app.main.compose_pane._head
            await until(pilot, lambda: header.query_one("#compose-account", Select).value)
            header.query_one("#compose-account", Select).value = ADD_ACCOUNT
            await until(pilot, lambda: isinstance(app.screen, AccountDialog))
            assert header.query_one("#compose-account", Select).value == "sandbox"
            dialog = app.screen
            assert "Choose a provider" in screen_text(app)
            dialog.query_one("#account-provider", Select).value = "openai-compatible"
            await until(pilot, lambda: "Enter the address" in screen_text(app))
            assert dialog.query_one("#account-name", Input).value == "openai-compatible"
            await until(pilot, lambda: app.focused is dialog.query_one("#account-address"))
            dialog.query_one("#account-name", Input).value = "mine"
            dialog.query_one("#account-address", Input).value = f"{url}/v1"
            dialog.query_one("#account-key", Input).value = KEY
            await until(pilot, lambda: "tests the account" in screen_text(app))
            assert KEY not in screen_text(app)
            await pilot.press("ctrl+s")
            await until(pilot, lambda: any("mine works" in note for note in notes(app)))
            assert header.query_one("#compose-account", Select).value == "mine"
    text = paths.config_file.read_text()
    assert text.startswith('# my own words\ntheme = "batchdeck-dark"  # kept\n')
    assert "[accounts.mine]" in text and KEY not in text
    assert list(ring.kept.values()) == [KEY]


async def test_enter_goes_to_what_is_needed_next(paths: Paths) -> None:
    app = new_app(paths)
    got: list[NewAccount | None] = []
    async with running(app, (80, 24)) as pilot:
        await until(pilot, lambda: app.session.ready.is_set())
        dialog = AccountDialog(provider_choices(Config()), ())
        app.push_screen(dialog, got.append)
        await until(pilot, lambda: dialog.is_attached and dialog.focused is not None)
        dialog.query_one("#account-provider", Select).value = "openai-compatible"
        await until(pilot, lambda: dialog.focused is dialog.query_one("#account-address"))
        await pilot.press(*"http://10.0.0.1/v1", "enter")
        # Neither the values, of which none are needed, nor the list of ways to sign in.
        await until(pilot, lambda: dialog.focused is dialog.query_one("#account-key"))
        await pilot.press(*"secret", "enter")
        await until(pilot, lambda: got)
    assert got == [
        NewAccount("openai-compatible", "openai-compatible", "http://10.0.0.1/v1", "secret")
    ]


async def test_a_way_to_sign_in_is_always_chosen(paths: Paths) -> None:
    app = new_app(paths)
    async with running(app, (80, 24)) as pilot:
        await until(pilot, lambda: app.session.ready.is_set())
        dialog = AccountDialog(provider_choices(Config()), ())
        app.push_screen(dialog)
        await until(pilot, lambda: dialog.is_attached and dialog.focused is not None)
        dialog.query_one("#account-provider", Select).value = "openai"
        ways = dialog.query_one("#account-way", Select)
        await until(pilot, lambda: ways.value == "key")
        ways.focus()
        await pilot.press("enter", "home", "enter")
        await until(pilot, lambda: not ways.expanded)
        assert ways.value == "key"


async def test_what_is_missing_or_wrong_is_said(paths: Paths) -> None:
    app = new_app(paths)
    async with running(app, (80, 24)) as pilot:
        await until(pilot, lambda: app.session.ready.is_set())
        dialog = AccountDialog(provider_choices(Config()), {"taken"})
        app.push_screen(dialog)
        await until(pilot, lambda: dialog.is_mounted)
        dialog.query_one("#account-provider", Select).value = "openai"
        await until(pilot, lambda: app.focused is dialog.query_one("#account-key"))
        for field, typed, words in (
            ("name", "taken", "an account taken already"),
            ("name", "a b", "letters, digits"),
            ("name", "", "Enter a name"),
            ("name", "good", "tests the account"),
            ("address", "host", "must start with"),
            ("address", "https://{resource}.example", "in braces"),
        ):
            dialog.query_one(f"#account-{field}", Input).value = typed
            await until(pilot, lambda words=words: words in screen_text(app))
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert app.screen is dialog
        await pilot.press("escape")
    assert not paths.config_file.exists()


async def test_the_ways_to_sign_in_are_those_of_the_profile(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIREWORKS_API_KEY", raising=False)
    monkeypatch.delenv("FIREWORKS_ACCOUNT_ID", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    auth = {"ways": ["aws", "google", "key"], "required": False, "env": ["CLOUD_KEY"]}
    config = Config(providers={"cloud": {"base": "openai", "auth": auth}})
    app = new_app(paths)
    answers: list[NewAccount | None] = []
    async with running(app, (80, 24)) as pilot:
        await until(pilot, lambda: app.session.ready.is_set())
        dialog = AccountDialog(provider_choices(config), set())
        app.push_screen(dialog, answers.append)
        await until(pilot, lambda: dialog.is_mounted)
        provider = dialog.query_one("#account-provider", Select)
        way = dialog.query_one("#account-way", Select)
        key = dialog.query_one("#account-key", Input)
        provider.value = "cloud"
        await until(pilot, lambda: way.value == "aws")
        assert "the AWS credentials of this machine" in screen_text(app)
        await until(pilot, lambda: key.disabled)
        way.value = "key"
        await until(pilot, lambda: not key.disabled)
        provider.value = "openai"
        await until(pilot, lambda: way.value == "environment")
        assert "the variable OPENAI_API_KEY (set)" in screen_text(app)
        provider.value = "fireworks"
        await until(pilot, lambda: way.value == "key")
        await until(pilot, lambda: app.focused is dialog.query_one("#account-values"))
        assert "Fireworks needs: account_id." in screen_text(app)
        values = dialog.query_one("#account-values", Input)
        values.value = "account"
        await until(pilot, lambda: "write name=value" in screen_text(app))
        values.value = "account_id=acme region=eu"
        await until(pilot, lambda: "tests the account" in screen_text(app))
        key.value = KEY
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(answers))
    assert answers == [
        NewAccount("fireworks", "fireworks", "", KEY, {"account_id": "acme", "region": "eu"})
    ]


def test_what_an_account_has_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = ("FIREWORKS_API_KEY", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION")
    for name in ("FIREWORKS_ACCOUNT_ID", *variables):
        monkeypatch.delenv(name, raising=False)
    found = {choice.id: choice for choice in provider_choices(Config())}
    assert found["fireworks"].params == ("account_id",)
    assert found["fireworks"].lacks({}) == ["account_id"]
    assert found["fireworks"].lacks({}, "https://own.example/v1/accounts/acme") == []
    bedrock = found["bedrock-openai"]
    assert bedrock.lacks({"region": "eu-west-1"}) == ["role_arn", "bucket"]
    assert "region" in bedrock.lacks({}, "https://own.example/v1")
    assert found["scaleway"].params == ("bucket",)
    assert found["vertex"].ways == ("google", "key")
    assert found["vertex"].lacks({"project": "p", "region": "r"}) == ["bucket"]
    assert found["openai"].params == ()
    monkeypatch.setenv("FIREWORKS_ACCOUNT_ID", "acme")
    found = {choice.id: choice for choice in provider_choices(Config())}
    assert found["fireworks"].params == ()


async def test_a_missing_key_leads_to_another_account(paths: Paths, tmp_path: Path) -> None:
    file = requests_file(tmp_path, rows=2)
    with serving(SandboxOptions(key=KEY, rows_per_second=0)) as url:
        app = app_on(paths, url, file)
        async with running(app, (80, 24)) as pilot:
            await submit_without_key(pilot, app)
            assert "Add account  ^n" in screen_text(app)
            await pilot.press("ctrl+n")
            await until(pilot, lambda: isinstance(app.screen, AccountDialog))
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.main)


async def test_a_key_is_given_by_the_palette(
    paths: Paths, tmp_path: Path, ring: MemoryKeyring
) -> None:
    with serving(SandboxOptions(key=KEY, rows_per_second=0)) as url:
        app = app_on(paths, url, requests_file(tmp_path, rows=2))
        async with running(app, (80, 24)) as pilot:
            await until(pilot, lambda: "Ready to submit" in screen_text(app))
            await app.run_action("app.set_key")
            await until(pilot, lambda: isinstance(app.screen, ChooseDialog))
            assert "Add an account" in screen_text(app)
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, KeyDialog))
            app.screen.query_one("#key", Input).value = KEY
            await pilot.press("ctrl+k")
            await until(pilot, lambda: any("locked works" in note for note in notes(app)))
    assert list(ring.kept.values()) == [KEY]
