"""The settings screen, and a start with a configuration that has faults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from textual.widgets import Input, OptionList

from tests.ui.conftest import BatchdeckPilot, fake_app, running, screen_text, until
from tests.ui.fakes import NOW, FakeEngine, a_job
from tui.config.settings import Config, create_config, load_config, load_valid_settings
from tui.providers.wire.client import RequestCounter
from tui.ui.activity_log import ActivityLog
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.choose import ChooseDialog
from tui.ui.dialogs.input import InputDialog
from tui.ui.dialogs.settings import SettingsDialog
from tui.ui.dialogs.text import ErrorDialog, LogDialog
from tui.ui.tasks.settings import SETTINGS, value_of


@asynccontextmanager
async def settings(
    engine: FakeEngine, key: str
) -> AsyncIterator[tuple[BatchdeckApp, BatchdeckPilot]]:
    """The settings screen with the cursor on one of them."""
    engine.history.add(a_job(1))
    create_config(engine.paths)
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("comma")
        await until(pilot, lambda: isinstance(app.screen, SettingsDialog))
        place = [setting.key for setting in SETTINGS].index(key)
        await pilot.press(*["down"] * place)
        yield app, pilot


def test_every_setting_is_one_of_the_configuration() -> None:
    for setting in SETTINGS:
        value_of(Config(), setting.key)
        assert setting.title and setting.help


async def test_a_switch_is_turned_and_written(engine: FakeEngine) -> None:
    async with settings(engine, "compact") as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: app.session.config.compact)
        assert app.has_class("-compact")
        assert load_config(engine.paths).compact
        assert "#compact = false" in engine.paths.config_file.read_text()
        # The list is there again, with the cursor where it was.
        await until(pilot, lambda: isinstance(app.screen, SettingsDialog))
        assert app.screen.query_one(OptionList).highlighted == 1
        await pilot.press("enter")
        await until(pilot, lambda: not app.session.config.compact)


async def test_a_theme_is_tried_and_left(engine: FakeEngine) -> None:
    async with settings(engine, "theme") as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChooseDialog))
        await pilot.press("down")
        await until(pilot, lambda: app.theme == "batchdeck-light")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, SettingsDialog))
        assert app.theme == "batchdeck-dark"
        assert load_config(engine.paths).theme == "batchdeck-dark"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChooseDialog))
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: load_config(engine.paths).theme == "batchdeck-contrast")
        assert app.theme == "batchdeck-contrast"


async def test_a_budget_is_typed_and_holds_at_once(engine: FakeEngine) -> None:
    async with settings(engine, "budget.per_month") as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, InputDialog))
        await pilot.press(*"12,5", "enter")
        await until(pilot, lambda: "$12.50" in screen_text(app))
        assert engine.config.budget.per_month == 12.5
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, InputDialog))
        app.screen.query_one(Input).value = ""
        await pilot.press("enter")
        await until(pilot, lambda: app.session.config.budget.per_month is None)
        assert load_config(engine.paths) == Config()


async def test_what_is_no_amount_is_told(engine: FakeEngine) -> None:
    async with settings(engine, "budget.per_submit") as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, InputDialog))
        await pilot.press(*"-3", "enter")
        await until(pilot, lambda: isinstance(app.screen, ErrorDialog))
        assert "not a valid amount: -3" in screen_text(app)
        assert app.session.config.budget.per_submit is None


async def test_a_command_for_the_end_is_kept_as_typed(engine: FakeEngine) -> None:
    async with settings(engine, "hooks.on_job_end") as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, InputDialog))
        app.screen.query_one(Input).value = "notify 'a # b' \"c\""
        await pilot.press("enter")
        await until(pilot, lambda: engine.config.hooks.on_job_end == "notify 'a # b' \"c\"")


async def test_a_file_with_faults_is_told_and_not_written_into(engine: FakeEngine) -> None:
    engine.history.add(a_job(1))
    text = "compact = true\nthme = 'x'\n"
    engine.paths.config_file.write_text(text)
    config, config_error = load_valid_settings(engine.paths)
    app = fake_app(engine, config)
    app.config_error = config_error
    async with running(app, (120, 36)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ErrorDialog))
        shown = " ".join(screen_text(app).split())
        assert "line 2" in shown and "unknown key 'thme'" in shown
        assert "Did you mean 'theme'?" in shown
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert app.has_class("-compact")
        app.theme = "batchdeck-light"
        await until(pilot, lambda: "Theme not saved" in screen_text(app))
        assert engine.paths.config_file.read_text() == text


async def test_the_log_of_the_last_run_is_there(engine: FakeEngine) -> None:
    clock = [NOW]
    first = ActivityLog(engine.paths.log_file, lambda: clock[0])
    first.note("something \x1b[31mold", bad=True)
    clock[0] += 100
    app = fake_app(engine)
    app.session.log = ActivityLog(engine.paths.log_file, lambda: clock[0])
    async with running(app) as pilot:
        clock[0] += 1
        app.session.log.note("something new")
        await pilot.press("L")
        await until(pilot, lambda: isinstance(app.screen, LogDialog))
        await until(pilot, lambda: "something old" not in screen_text(app))
        text = screen_text(app)
        assert "something \\x1b[31mold" in text
        assert text.index("something new") < text.index("something \\x1b")


async def test_an_entry_of_the_log_is_read_whole_and_copied(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        app.session.log.note("the first")
        app.session.log.note(f"a long story {'and so on ' * 12}to its end", bad=True)
        await pilot.press("L")
        await until(pilot, lambda: isinstance(app.screen, LogDialog))
        await until(pilot, lambda: "to its end" in screen_text(app).replace("│", ""))
        await pilot.press("y")
        await until(pilot, lambda: app.clipboard.endswith("to its end"))
        await pilot.press("j", "y")
        await until(pilot, lambda: app.clipboard.endswith("  the first"))


async def test_the_log_tells_what_is_asked_of_each_account_and_when_next(
    engine: FakeEngine,
) -> None:
    clock = [NOW - 1800.0]
    busy = RequestCounter(lambda: clock[0])
    for _ in range(30):
        busy.note()
    clock[0] = NOW
    for _ in range(12):
        busy.note()
    engine.accounts.traffic["night-shift"] = busy
    engine.history.add(a_job(1), a_job(2))
    (batch,) = engine.history.batches.of_job("job0000001")
    engine.history.batch_lists["job0000001"] = [
        msgspec.structs.replace(batch, account="night-shift", next_poll_at=NOW + 90),
        msgspec.structs.replace(batch, id="b2", account="night-shift", next_poll_at=NOW + 40),
        msgspec.structs.replace(batch, id="b3", account="sandbox", next_poll_at=NOW - 1),
    ]
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("L")
        await until(pilot, lambda: "next poll" in screen_text(app))
        shown = [" ".join(line.split()) for line in screen_text(app).splitlines()]
        assert any("night-shift 12 42 42 in 40s" in line for line in shown)
        assert any("sandbox - - - now" in line for line in shown)
        busy.note()
        await until(pilot, lambda: " 13 " in screen_text(app))


def test_the_kept_log_is_bounded_and_survives_damage(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.ui.activity_log.MAX_FILE_BYTES", 2_000)
    journal = ActivityLog(engine.paths.log_file)
    for number in range(200):
        journal.note(f"entry {number}")
    folder = engine.paths.log_file.parent
    sizes = [file.stat().st_size for file in folder.glob("journal.*")]
    assert len(sizes) == 2 and max(sizes) < 2_200
    (folder / "journal.jsonl").write_bytes(b'{"at": 1, "text"\n\xff\n')
    again = ActivityLog(engine.paths.log_file)
    again.note("new")
    assert again.all()[-1].text == "new"
    assert len(again.all()) > 1


async def test_a_keymap_that_names_no_command_names_the_nearest(engine: FakeEngine) -> None:
    app = fake_app(engine, Config(keymap={"retri": "f5"}))
    async with running(app):
        assert any("did you mean 'retry'?" in entry.text for entry in app.session.log.entries)


@pytest.mark.parametrize("key", ["comma", "i", "t", "N", "a", "L", "question_mark", "D", "r", "n"])
async def test_every_dialog_fits_into_80_columns(engine: FakeEngine, key: str) -> None:
    engine.history.add(a_job(1, name="a name that is far too long " * 5))
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: app.screen is not app.main)
        await pilot.pause()
        box = app.screen.query_one(".dialog").region
        assert box in app.screen.region, box
        for keys in app.screen.query(".dialog-keys, .dialog-buttons"):
            assert keys.region in box, keys
        # It closes again, one level at a time.
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
