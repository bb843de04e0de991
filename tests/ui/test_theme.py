"""Our themes: every tone can be read on its ground, and the terminal's own colours stay its own."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest
from textual.color import Color
from textual.content import Content
from textual.theme import Theme
from textual.widgets import Static

from tests.terminal.terminal import Terminal
from tests.ui.conftest import fake_app, running, until
from tests.ui.fakes import FakeEngine, a_job
from tui.config.settings import Config
from tui.ui.tasks.settings import theme_remark
from tui.ui.text.tones import Tone, content
from tui.ui.theme import ANSI, THEMES, theme_names
from tui.ui.widgets.basics import Field
from tui.ui.widgets.filter_line import Chip, ChipBar

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_PALETTES = {
    "xterm": (
        ("000000", "ffffff"),
        "000000 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5"
        " 7f7f7f ff0000 00ff00 ffff00 5c5cff ff00ff 00ffff ffffff",
    ),
    "tango": (
        ("2e3436", "ffffff"),
        "2e3436 cc0000 4e9a06 c4a000 3465a4 75507b 06989a d3d7cf"
        " 555753 ef2929 8ae234 fce94f 729fcf ad7fa8 34e2e2 eeeeec",
    ),
    "solarized": (
        ("002b36", "fdf6e3"),
        "073642 dc322f 859900 b58900 268bd2 d33682 2aa198 eee8d5"
        " 002b36 cb4b16 586e75 657b83 839496 6c71c4 93a1a1 fdf6e3",
    ),
    "macos": (
        ("000000", "ffffff"),
        "000000 990000 00a600 999900 0000b2 b200b2 00a6b2 bfbfbf"
        " 666666 e50000 00d900 e5e500 0000ff e500e5 00e5e5 e5e5e5",
    ),
    "campbell": (
        ("0c0c0c",),
        "0c0c0c c50f1f 13a10e c19c00 0037da 881798 3a96dd cccccc"
        " 767676 e74856 16c60c f9f1a5 3b78ff b4009e 61d6d6 f2f2f2",
    ),
    "one half": (
        ("fafafa",),
        "383a42 e45649 50a14f c18301 0184bc a626a4 0997b3 fafafa"
        " 4f525d df6c75 98c379 e4c07a 61afef c577dd 56b5c1 ffffff",
    ),
}
"""Grounds and the sixteen colours of terminals that people have."""

LEAST = 2.1
"""Contrast that a coloured word keeps everywhere; the word and its mark say the same."""


def _luminance(colour: Color) -> float:
    def channel(value: float) -> float:
        return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (channel(value / 255) for value in colour.rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG counts it, 1 to 21."""
    light, dark = sorted(
        (_luminance(Color.parse(one)), _luminance(Color.parse(other))), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", _PALETTES)
def test_terminal_colours_are_read_on_dark_and_on_light_grounds(palette: str) -> None:
    grounds, colours = _PALETTES[palette]
    names = [*_NAMES, *(f"bright_{name}" for name in _NAMES)]
    known = dict(zip(names, colours.split(), strict=True))
    for role in ("primary", "accent", "success", "warning", "error"):
        name = getattr(ANSI, role).removeprefix("ansi_")
        for ground in grounds:
            assert contrast(f"#{known[name]}", f"#{ground}") > LEAST, (role, name, ground)


@pytest.mark.parametrize(
    "theme", [theme for theme in THEMES if not theme.ansi], ids=lambda theme: theme.name
)
def test_tones_are_read_on_the_grounds_of_our_own_themes(theme: Theme) -> None:
    least = 7 if "contrast" in theme.name else 4.5
    for role in ("primary", "accent", "success", "warning", "error", "foreground"):
        for ground in (theme.background, theme.surface):
            assert ground is not None
            assert contrast(getattr(theme, role), ground) > least, role


@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
async def test_no_tone_has_the_colour_of_its_ground(engine: FakeEngine, theme: str) -> None:
    app = fake_app(engine, Config(theme=theme))
    tones = get_args(Tone)
    async with running(app) as pilot:
        page = Static(content([(f"<{tone}>", tone) for tone in tones]))
        bar = ChipBar()
        await app.main.mount(page, bar)
        bar.show([Chip(0, "chosen"), Chip(1, "warned", "warn")], Content())
        bar.focus()
        await until(pilot, lambda: page.size.height and bar.has_focus)
        seen = [*page.render_lines(page.size.region), *bar.render_lines(bar.size.region)]
        looks = [(segment.text, segment.style) for strip in seen for segment in strip]
        assert "".join(text for text, _ in looks).startswith("".join(f"<{tone}>" for tone in tones))
        for text, style in looks:
            if text.strip():
                assert style is not None and style.color is not None
                assert style.color != style.bgcolor or style.color.is_default, text


async def test_the_cursor_of_terminal_colours_is_one_bar(engine: FakeEngine) -> None:
    engine.history.add(a_job(1), a_job(2))
    app = fake_app(engine, Config(theme=ANSI.name))
    async with running(app) as pilot:
        table = app.main.batches.jobs_table
        await until(pilot, lambda: table.has_focus and table.row_count == 2)
        line = table.render_line(table.header_lines)
        looks = {(segment.style.color, segment.style.reverse) for segment in line if segment.style}
        assert len(looks) == 1 and next(iter(looks))[1]
        other = table.render_line(table.header_lines + 1)
        assert len({segment.style.color for segment in other if segment.style}) > 1


def test_only_the_sixteen_colours_are_sent(tmp_path: Path) -> None:
    terminal = Terminal(
        "--theme", ANSI.name, home=tmp_path, more={"COLORTERM": "truecolor"}, size=(80, 24)
    )
    try:
        terminal.see("No jobs yet", "? Help")
        terminal.press(",")
        terminal.see(ANSI.name)
        assert b"38;2;" not in terminal.raw and b"48;2;" not in terminal.raw
        assert b"38;5;" not in terminal.raw
        assert {"brightblue"} <= {
            cell.fg for line in terminal.screen.buffer.values() for cell in line.values()
        }
    finally:
        terminal.kill()


async def test_a_theme_is_chosen_for_one_run_alone(engine: FakeEngine) -> None:
    app = fake_app(engine, Config(theme=ANSI.name))
    async with running(app) as pilot:
        await pilot.press("comma")
        await until(pilot, lambda: len(app.screen_stack) > 1)
        assert app.theme == ANSI.name
    assert not engine.paths.config_file.exists()


def test_every_theme_can_be_chosen_by_name() -> None:
    names = theme_names()
    assert names[: len(THEMES)] == [theme.name for theme in THEMES]
    assert "nord" in names and len(names) == len(set(names))
    assert theme_remark(ANSI) == "the terminal's colours"


@pytest.mark.parametrize("placeholder", ["", "short"])
@pytest.mark.parametrize("focused", [True, False])
async def test_an_empty_field_has_an_edge_in_the_terminals_own_colours(
    engine: FakeEngine, placeholder: str, focused: bool
) -> None:
    app = fake_app(engine, msgspec.structs.replace(Config(), theme="batchdeck-ansi"))
    async with running(app) as pilot:
        field = Field(placeholder=placeholder, compact=True)
        await app.main.mount(field)
        if focused:
            field.focus()
        await until(pilot, lambda: field.size.width and field.has_focus is focused)
        line = field.render_line(0)
        assert line.cell_length >= field.size.width
        assert all(segment.style and segment.style.underline for segment in line)


@pytest.mark.parametrize(
    ("term", "chosen", "shown"),
    [
        ("linux", "batchdeck-dark", "batchdeck-ansi"),
        ("xterm", "batchdeck-dark", "batchdeck-ansi"),
        ("linux", "batchdeck-light", "batchdeck-light"),
        ("xterm-256color", "batchdeck-dark", "batchdeck-dark"),
    ],
)
async def test_sixteen_colours_are_those_of_the_terminal(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, term: str, chosen: str, shown: str
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("COLORTERM")
    app = fake_app(engine, Config(theme=chosen))
    async with running(app):
        assert app.theme == shown
    # Nothing was chosen, so nothing is saved.
    assert not app.session.paths.config_file.exists()
