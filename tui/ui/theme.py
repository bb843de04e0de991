"""Our own colours: dark and light, each quiet but for one accent, and of high contrast."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.theme import Theme

from tui.ui.journal import Journal

DARK = Theme(
    name="batchdeck-dark",
    primary="#6cb2f0",
    secondary="#8a97a8",
    accent="#a99bff",
    success="#7cc48a",
    warning="#e2b45c",
    error="#f0767a",
    foreground="#d5dbe3",
    background="#0f1318",
    surface="#141a21",
    panel="#1c242d",
    dark=True,
    variables={
        "footer-background": "#0f1318",
        "footer-key-foreground": "#a99bff",
        "footer-description-foreground": "#8a97a8",
        "block-cursor-background": "#a99bff",
        "block-cursor-foreground": "#0f1318",
        "block-cursor-text-style": "none",
        "border": "#a99bff",
        "border-blurred": "#2b3540",
        "scrollbar": "#2b3540",
        "scrollbar-hover": "#3b4856",
        "scrollbar-active": "#a99bff",
        "scrollbar-background": "#0f1318",
        "scrollbar-background-hover": "#0f1318",
        "scrollbar-background-active": "#0f1318",
        "scrollbar-corner-color": "#0f1318",
        "input-cursor-background": "#d5dbe3",
        "input-selection-background": "#a99bff 30%",
    },
)

LIGHT = Theme(
    name="batchdeck-light",
    primary="#1f6fb8",
    secondary="#5d6875",
    accent="#5b46d6",
    success="#257a3e",
    warning="#8a5a00",
    error="#b8262e",
    foreground="#1d242c",
    background="#fbfbfc",
    surface="#f3f4f7",
    panel="#e7e9ee",
    dark=False,
    variables={
        "footer-background": "#fbfbfc",
        "footer-key-foreground": "#5b46d6",
        "footer-description-foreground": "#5d6875",
        "block-cursor-background": "#5b46d6",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "border": "#5b46d6",
        "border-blurred": "#cfd4dc",
        "scrollbar": "#cfd4dc",
        "scrollbar-hover": "#b4bcc7",
        "scrollbar-active": "#5b46d6",
        "scrollbar-background": "#fbfbfc",
        "scrollbar-background-hover": "#fbfbfc",
        "scrollbar-background-active": "#fbfbfc",
        "scrollbar-corner-color": "#fbfbfc",
        "input-cursor-background": "#1d242c",
        "input-selection-background": "#5b46d6 22%",
    },
)

CONTRAST = Theme(
    name="batchdeck-contrast",
    primary="#7cc7ff",
    secondary="#ffffff",
    accent="#ffe14d",
    success="#5dff8f",
    warning="#ffc24d",
    error="#ff8080",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1a1a1a",
    dark=True,
    variables={
        "footer-background": "#000000",
        "footer-key-foreground": "#ffe14d",
        "footer-description-foreground": "#ffffff",
        "block-cursor-background": "#ffe14d",
        "block-cursor-foreground": "#000000",
        "border": "#ffe14d",
        "border-blurred": "#9a9a9a",
        "scrollbar": "#9a9a9a",
        "scrollbar-background": "#000000",
        "text-muted": "#cfcfcf",
    },
)

CONTRAST_LIGHT = Theme(
    name="batchdeck-contrast-light",
    primary="#003d7a",
    secondary="#000000",
    accent="#3a00b5",
    success="#004d1a",
    warning="#663d00",
    error="#8f0000",
    foreground="#000000",
    background="#ffffff",
    surface="#ffffff",
    panel="#e6e6e6",
    dark=False,
    variables={
        "footer-background": "#ffffff",
        "footer-key-foreground": "#3a00b5",
        "footer-description-foreground": "#000000",
        "block-cursor-background": "#3a00b5",
        "block-cursor-foreground": "#ffffff",
        "border": "#3a00b5",
        "border-blurred": "#666666",
        "scrollbar": "#666666",
        "scrollbar-background": "#ffffff",
        "text-muted": "#303030",
    },
)

THEMES = (DARK, LIGHT, CONTRAST, CONTRAST_LIGHT)
"""The themes that the app adds to those of Textual."""

DEFAULT = DARK.name
"""The theme without a setting."""


def usable_theme(app: App[Any], wanted: str, journal: Journal) -> Theme:
    """The theme with a name, else our own: there is none, or it cannot be read here."""
    theme = app.available_themes.get(wanted)
    # Without colours, ansi themes put black on black.
    if theme is None or (app.no_color and theme.ansi):
        journal.note(f"the theme {wanted!r} cannot be used here", bad=theme is None)
        theme = app.available_themes[DEFAULT]
    return theme


def wear(app: App[Any], theme: Theme) -> None:
    """Put on a theme before anything is painted: later, all styles are parsed a second time."""
    app.set_reactive(App.theme, theme.name)
    app.set_class(True, f"-theme-{theme.name}", update=False)
    app.set_class(theme.dark, "-dark-mode", update=False)
    app.set_class(not theme.dark, "-light-mode", update=False)
    app.stylesheet.set_variables(app.get_css_variables())
