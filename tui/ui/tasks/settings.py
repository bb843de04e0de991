"""The settings: list them, ask for a new value, write it to ``config.toml``."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from textual.theme import Theme

from tui.config.settings import Config, set_option
from tui.core.formatting import money
from tui.core.text import one_line
from tui.errors import BatchdeckError, UsageError
from tui.ui.dialogs.choose import Choice, ChooseDialog
from tui.ui.dialogs.input import InputDialog
from tui.ui.dialogs.settings import SettingsDialog, SettingsRow
from tui.ui.dialogs.text import ErrorDialog
from tui.ui.tasks.context import TaskContext
from tui.ui.theme import theme_names

Kind = Literal["switch", "choice", "text", "amount"]


@dataclass(frozen=True)
class Setting:
    """A setting that can be changed in the dashboard.

    Attributes:
        key: Its key in ``config.toml``.
        title: Its name in the list.
        help: What it does, on one line.
        kind: The kind of input; ``amount`` is a number of at least 0, or empty.
        empty: What the list shows without a value.
    """

    key: str
    title: str
    help: str
    kind: Kind
    empty: str = "none"


SETTINGS = (
    Setting("theme", "Theme", "Colours of the dashboard", "choice"),
    Setting("compact", "Compact", "no borders, more rows", "switch"),
    Setting("default_account", "Default account", "Account used if none is given", "choice"),
    Setting(
        "budget.per_submit",
        "Budget per submit",
        "Jobs that may cost more are not submitted",
        "amount",
    ),
    Setting("budget.per_month", "Budget per month", "For all jobs of a month (UTC)", "amount"),
    Setting(
        "notifications.bell",
        "Ring the bell",
        "When a job ends and the terminal has no focus",
        "switch",
    ),
    Setting(
        "notifications.title", "Terminal title", "Show running jobs in the terminal title", "switch"
    ),
    Setting(
        "notifications.desktop",
        "Desktop notification",
        "Notifications through the terminal (OSC 9, 777)",
        "choice",
    ),
    Setting(
        "hooks.on_job_end",
        "Run when a job ends",
        "A command; gets the job document on stdin",
        "text",
    ),
    Setting(
        "polling.fastest",
        "Poll no more often than",
        "Minimum seconds between two polls of a batch",
        "amount",
        "provider default",
    ),
    Setting(
        "polling.slowest",
        "Poll at least every",
        "Maximum seconds between two polls of a batch",
        "amount",
        "provider default",
    ),
    Setting("editor", "Editor", "Opened with o; default $VISUAL or $EDITOR", "text", "$EDITOR"),
    Setting("pager", "Pager", "Opened with v; default $PAGER", "text", "$PAGER"),
)
"""The settings, in the order of the list."""


def value_of(config: Config, key: str) -> Any:
    """The value of a key such as ``budget.per_month``."""
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def value_text(config: Config, setting: Setting) -> str:
    """The value of a setting as shown in the list."""
    value = value_of(config, setting.key)
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value == "":
        return setting.empty
    if setting.key.startswith("budget."):
        return money(value, config.budget.currency)
    return f"{value:g} s" if isinstance(value, float) else one_line(str(value), 60)


async def change_settings(context: TaskContext) -> None:
    """Show the settings and change them until the user closes the dialog."""
    session = context.session
    dialog = SettingsDialog(_rows(context), session.paths.config_file)
    await session.app.push_screen(dialog)
    while (chosen := await dialog.choice()) is not None:
        try:
            await _change(context, SETTINGS[chosen])
        except BatchdeckError as error:
            await context.ask(ErrorDialog(error, "Settings"))
        if dialog.is_attached:
            dialog.show_rows(_rows(context))


def _rows(context: TaskContext) -> list[SettingsRow]:
    session = context.session
    # --theme may have set another theme for this run.
    shown = msgspec.structs.replace(session.config, theme=session.app.theme)
    return [
        SettingsRow(setting.title, value_text(shown, setting), setting.help) for setting in SETTINGS
    ]


async def _change(context: TaskContext, setting: Setting) -> None:
    session = context.session
    now = value_of(session.config, setting.key)
    value: str | bool | float | None
    if setting.kind == "switch":
        value = not now
    elif setting.kind == "choice":
        value = await _choose(context, setting, str(now))
        if value is None:
            return
    else:
        shown = "" if now is None else f"{now:g}" if isinstance(now, float) else str(now)
        hint = f"{setting.help}. Leave empty for {setting.empty}."
        text = await context.ask(InputDialog(setting.title, hint, shown))
        if text is None:
            return
        value = text or None
        if setting.kind == "amount" and value is not None:
            value = _amount(text)
    session.set_config(await asyncio.to_thread(set_option, session.paths, setting.key, value))


async def _choose(context: TaskContext, setting: Setting, now: str) -> str | None:
    if setting.key == "theme":
        return await _choose_theme(context, setting)
    if setting.key == "default_account":
        engine = context.engine
        choices = [
            Choice(name, name, engine.account(name).provider_name)
            for name in engine.account_names()
        ]
    else:
        choices = [
            Choice("auto", "auto", "if the terminal is known to support it"),
            Choice("off", "off"),
            Choice("osc9", "osc9", "iTerm2, WezTerm, kitty, Ghostty"),
            Choice("osc777", "osc777", "foot, rxvt, VTE with a patch"),
        ]
    return await context.ask(ChooseDialog(setting.title, choices, now))


async def _choose_theme(context: TaskContext, setting: Setting) -> str | None:
    """The chosen theme; the one under the cursor is shown meanwhile."""
    session = context.session
    app = session.app
    before = app.theme
    themes = app.available_themes
    names = [*theme_names(), *sorted(themes.keys() - set(theme_names()))]
    choices = [Choice(name, name, theme_remark(themes[name])) for name in names]

    def preview(theme: str) -> None:
        app.theme = theme

    session.is_previewing_theme = True
    try:
        dialog = ChooseDialog(setting.title, choices, before, preview=preview)
        chosen = await context.ask(dialog)
        app.theme = chosen or before
    finally:
        session.is_previewing_theme = False
    return chosen


def theme_remark(theme: Theme) -> str:
    """The remark next to the name of a theme in the list."""
    if theme.ansi:
        return "the terminal's colours"
    return "" if theme.dark else "light"


def _amount(text: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise UsageError(
            f"not a valid amount: {one_line(text, 30)}", "Enter a number of at least 0."
        )
    return value
