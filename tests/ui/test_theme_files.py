"""Themes of one's own: what a file may say, and that a mistake in it ends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents import read_blocks
from tests.ui.conftest import fake_app, notes, running, until
from tests.ui.fakes import FakeEngine, a_job
from tui.config.settings import Config
from tui.errors import ConfigError
from tui.ui.theme import DARK, LIGHT, theme_names
from tui.ui.theme_files import read_theme, read_theme_files


def write(folder: Path, text: str, name: str = "dusk") -> Path:
    path = folder / "themes" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_the_example_of_the_page_is_a_theme(tmp_path: Path) -> None:
    (block,) = (
        block for block in read_blocks("tui/docs/pages/config.md") if "dusk.toml" in block.text
    )
    theme = read_theme(write(tmp_path, block.text))
    assert (theme.name, theme.accent, theme.success) == ("dusk", "#ff9e64", DARK.success)
    assert theme.variables["scrollbar"] == "#3b4261"
    # The base draws borders in its accent.
    assert DARK.variables["border"] == DARK.accent and theme.variables["border"] == "#ff9e64"
    assert theme.variables["input-selection-background"] == "#ff9e64 30%"


def test_the_base_may_be_any_theme_but_that_of_the_terminal(tmp_path: Path) -> None:
    light = read_theme(write(tmp_path, 'base = "batchdeck-light"\nprimary = "navy"'))
    assert (light.dark, light.primary, light.surface) == (False, "navy", LIGHT.surface)
    assert read_theme(write(tmp_path, 'base = "nord"')).name == "dusk"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('accent = "purpel"', "accent: 'purpel' is not a colour. Did you mean 'purple'?"),
        ("accent = 7", "accent: '7' is not a colour. Write it like"),
        ('accent = "red blue"', "'red blue' is not a colour"),
        ('accent = "ansi_red"', "'ansi_red' cannot be mixed"),
        ('acent = "red"', "unknown key 'acent'. Did you mean 'accent'?"),
        ('base = "batchdeck-drak"', "Did you mean 'batchdeck-dark'?"),
        ('base = "batchdeck-ansi"', "is not a theme to start from"),
        ('dark = "yes"', "dark is 'yes'. Write true or false."),
        ("variables = 1", "variables is not a table"),
        ('[variables]\nscrolbar = "red"', "Did you mean 'scrollbar'?"),
        ('[variables]\nscrollbar = "red 1 %"', "scrollbar: 'red 1 %' is not a colour"),
        ("accent = ", "cannot be read"),
    ],
)
def test_a_mistake_is_said_in_words(tmp_path: Path, text: str, words: str) -> None:
    write(tmp_path, text)
    write(tmp_path, 'accent = "red"', "good")
    found = read_theme_files(tmp_path)
    assert [theme.name for theme in found.themes] == ["good"]
    (problem,) = found.problems
    assert problem.startswith("themes/dusk.toml") and words in problem


@pytest.mark.parametrize("name", ["nord", "batchdeck-dark", "My Theme"])
def test_a_name_that_is_taken_or_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        read_theme(write(tmp_path, "", name))


async def test_it_is_used_and_a_broken_one_is_told(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    write(engine.paths.config, 'base = "batchdeck-light"\naccent = "#aa0000"')
    write(engine.paths.config, 'accent = "nothing"', "broken")
    app = fake_app(engine, Config(theme="dusk"))
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        assert app.theme == "dusk" and app.current_theme.accent == "#aa0000"
        (note,) = [note for note in notes(app) if "broken" in note]
        assert "themes/broken.toml: accent: 'nothing' is not a colour" in note
        assert "dusk" not in theme_names() and "dusk" in app.available_themes
    app = fake_app(engine, Config(theme="broken"))
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        assert app.theme == DARK.name
