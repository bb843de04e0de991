"""Changing settings from the dashboard: a list, a question for each, written into the file."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tui.config import Config, set_option
from tui.core.money import money
from tui.core.text import one_line
from tui.errors import UsageError
from tui.ui.dialogs.ask import AskDialog
from tui.ui.dialogs.choose import Choice, ChooseDialog
from tui.ui.dialogs.settings import SettingsDialog, SettingsRow
from tui.ui.theme import theme_names

if TYPE_CHECKING:
    from textual.theme import Theme

    from tui.engine.engine import Engine
    from tui.ui.app import BatchdeckApp

Kind = Literal["switch", "choice", "text", "amount"]


@dataclass(frozen=True)
class Setting:
    """Something that people change.

    Attributes:
        key: Its place in ``config.toml``.
        title: What the list calls it.
        help: What it does, one line.
        kind: How it is asked for; ``amount`` is a number of 0 or more, or nothing.
        empty: What holds without a value.
    """

    key: str
    title: str
    help: str
    kind: Kind
    empty: str = "none"


SETTINGS = (
    Setting("theme", "Theme", "Colours of the dashboard", "choice"),
    Setting("compact", "Compact", "No frames, more rows", "switch"),
    Setting(
        "default_account", "Default account", "The one that is meant when none is named", "choice"
    ),
    Setting("budget.per_submit", "Budget of a submit", "What may cost more is not sent", "amount"),
    Setting("budget.per_month", "Budget of a month", "For all submits, in UTC", "amount"),
    Setting(
        "notifications.bell", "Ring the bell", "When a job ends while you look elsewhere", "switch"
    ),
    Setting(
        "notifications.title", "Terminal title", "What runs, in the terminal's title", "switch"
    ),
    Setting(
        "notifications.desktop",
        "Desktop notification",
        "Notifications through the terminal (OSC 9, 777)",
        "choice",
    ),
    Setting(
        "hooks.on_job_end",
        "Command at the end",
        "Run when a job ends, its document on stdin",
        "text",
    ),
    Setting(
        "polling.fastest",
        "Ask at most every",
        "Seconds between two questions to a provider",
        "amount",
        "the provider's",
    ),
    Setting(
        "polling.slowest",
        "Ask at least every",
        "Seconds between two questions to a provider",
        "amount",
        "the provider's",
    ),
    Setting("editor", "Editor", "For o; else $VISUAL or $EDITOR", "text", "$EDITOR"),
    Setting("pager", "Pager", "For v; else $PAGER", "text", "$PAGER"),
)
"""In the order of the list."""


def value_of(config: Config, key: str) -> Any:
    """What the settings say at a place such as ``budget.per_month``."""
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def value_words(config: Config, setting: Setting) -> str:
    """A value as the list shows it."""
    value = value_of(config, setting.key)
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value == "":
        return setting.empty
    if setting.key.startswith("budget."):
        return money(value, config.budget.currency)
    return f"{value:g} s" if isinstance(value, float) else one_line(str(value), 60)


async def change_settings(app: BatchdeckApp, engine: Engine) -> None:
    """Show the settings, and change one after the other until the person leaves."""
    at = 0
    while True:
        # The theme may be another one for this run (--theme).
        shown = msgspec.structs.replace(app.config, theme=app.theme)
        rows = [
            SettingsRow(setting.title, value_words(shown, setting), setting.help)
            for setting in SETTINGS
        ]
        dialog = SettingsDialog(rows, at, app.paths.config_file)
        chosen = await app.push_screen_wait(dialog)
        if chosen is None:
            return
        at = chosen
        await _change(app, engine, SETTINGS[chosen])


async def _change(app: BatchdeckApp, engine: Engine, setting: Setting) -> None:
    now = value_of(app.config, setting.key)
    if setting.kind == "switch":
        value: str | bool | float | None = not now
    elif setting.kind == "choice":
        value = await _choose(app, engine, setting, str(now))
        if value is None:
            return
    else:
        shown = "" if now is None else f"{now:g}" if isinstance(now, float) else str(now)
        hint = f"{setting.help}. Nothing for {setting.empty}."
        text = await app.push_screen_wait(AskDialog(setting.title, hint, shown))
        if text is None:
            return
        value = text or None
        if setting.kind == "amount" and value is not None:
            value = _amount(text)
    config = await asyncio.to_thread(set_option, app.paths, setting.key, value)
    app.take_config(config)


async def _choose(app: BatchdeckApp, engine: Engine, setting: Setting, now: str) -> str | None:
    preview: Callable[[str], object] | None = None
    if setting.key == "theme":
        now = app.theme
        choices = [
            Choice(name, name, theme_words(app.available_themes[name])) for name in theme_names()
        ]
        preview = app.try_theme
    elif setting.key == "default_account":
        choices = [
            Choice(name, name, engine.account(name).provider_name)
            for name in engine.account_names()
        ]
    else:
        choices = [
            Choice("auto", "auto", "where the terminal is known to show it"),
            Choice("off", "off"),
            Choice("osc9", "osc9", "iTerm2, WezTerm, kitty, Ghostty"),
            Choice("osc777", "osc777", "foot, rxvt, VTE with a patch"),
        ]
    dialog = ChooseDialog(setting.title, choices, now, preview=preview)
    chosen = await app.push_screen_wait(dialog)
    if setting.key == "theme":
        app.end_trying(chosen or now)
    return chosen


def theme_words(theme: Theme) -> str:
    """What a list says beside the name of a theme."""
    if theme.ansi:
        return "the terminal's colours"
    return "" if theme.dark else "light"


def _amount(text: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise UsageError(f"{one_line(text, 30)!r} is no amount", "Type a number of 0 or more.")
    return value
