"""Themes, tones, size classes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from textual.app import App
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from tui.core.text import one_line
from tui.errors import UsageError

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

# Uses the sixteen colours of the terminal on its own background, dark or light. Background and
# text are always the terminal's defaults, because black or white may be its background, and
# yellow, cyan and dark blue are unreadable on one of the two. Emphasis is bold, dim or reverse.
ANSI = Theme(
    name="batchdeck-ansi",
    ansi=True,
    primary="ansi_bright_blue",
    secondary="ansi_default",
    accent="ansi_bright_blue",
    success="ansi_green",
    warning="ansi_bright_magenta",
    error="ansi_bright_red",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    variables={
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "border": "ansi_bright_blue",
        "border-blurred": "ansi_bright_black",
        "footer-key-foreground": "ansi_bright_blue",
        "block-cursor-foreground": "ansi_default",
        "block-cursor-background": "ansi_default",
        "block-cursor-text-style": "reverse",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_bright_blue",
        "input-selection-foreground": "ansi_default",
        "screen-selection-background": "ansi_bright_blue",
        "screen-selection-foreground": "ansi_default",
        "link-color": "ansi_bright_blue",
        "link-color-hover": "ansi_bright_blue",
        "link-background-hover": "ansi_default",
        "scrollbar": "ansi_bright_black",
        "scrollbar-hover": "ansi_bright_blue",
        "scrollbar-active": "ansi_bright_blue",
        "scrollbar-background": "ansi_default",
        "scrollbar-background-hover": "ansi_default",
        "scrollbar-background-active": "ansi_default",
        "scrollbar-corner-color": "ansi_default",
    },
)

THEMES = (DARK, LIGHT, CONTRAST, CONTRAST_LIGHT, ANSI)
"""The themes that the app adds to those of Textual."""

DEFAULT = DARK.name
"""The default theme."""


def theme_names() -> list[str]:
    """The names of all themes, Batchdeck's own first."""
    own = [theme.name for theme in THEMES]
    return [*own, *sorted(BUILTIN_THEMES.keys() - set(own))]


def known_theme(name: str, own: Iterable[str] = ()) -> str:
    """Return the name if there is such a theme.

    Args:
        name: The name.
        own: The names of the user's own themes.

    Raises:
        UsageError: There is no such theme.
    """
    if name in (names := [*theme_names(), *own]):
        return name
    near = difflib.get_close_matches(name, names, n=1)
    raise UsageError(
        f"unknown theme {one_line(name, 60)!r}",
        f"Did you mean {near[0]!r}?" if near else f"Use one of {', '.join(names)}.",
    )


def is_ansi(name: str) -> bool:
    """Does a theme use the terminal's own colours?"""
    theme = next((theme for theme in THEMES if theme.name == name), BUILTIN_THEMES.get(name))
    return theme is not None and theme.ansi


def usable_theme(app: App[Any], wanted: str) -> Theme:
    """The theme with a name; with ``NO_COLOR`` always the terminal's own colours.

    Where ``TERM`` promises sixteen colours (``linux``, ``xterm``, ``screen``),
    the default theme is replaced, too: its green, yellow and red would all become white.

    Raises:
        UsageError: There is no such theme.
    """
    if app.no_color or (wanted == DEFAULT and app.console.color_system == "standard"):
        return ANSI
    return app.available_themes[known_theme(wanted, app.available_themes)]


def tone_variables(ansi: bool, variables: Mapping[str, str]) -> dict[str, str]:
    """CSS variables of the tones that are a mixed colour or a text attribute.

    Args:
        ansi: Whether the theme uses the terminal's colours, which cannot be mixed.
        variables: The colours of the theme.
    """
    if ansi:
        return {
            "tone-muted": "dim",
            "tone-mark": "reverse",
            "tone-added": "reverse",
            "tone-removed": "underline",
            "tone-chip": "bold",
            "tone-chip-chosen": "reverse",
        }
    return {
        "tone-muted": Color.parse(variables["foreground"]).with_alpha(0.6).hex,
        "tone-mark": f"on {variables['accent-muted']}",
        "tone-added": f"on {variables['success-muted']}",
        "tone-removed": f"on {variables['error-muted']}",
        "tone-chip": f"on {variables['panel']}",
        "tone-chip-chosen": f"on {Color.parse(variables['accent']).with_alpha(0.4).hex}",
    }


def set_initial_theme(app: App[Any], theme: Theme) -> None:
    """Set the theme before the first paint; setting it later would parse all styles again."""
    app.set_reactive(App.theme, theme.name)
    app.set_class(True, f"-theme-{theme.name}", update=False)
    app.set_class(theme.dark, "-dark-mode", update=False)
    app.set_class(not theme.dark, "-light-mode", update=False)
    app.stylesheet.set_variables(app.get_css_variables())


MEDIUM = 100
"""Width in cells from which there is room beside keys."""

WIDE = 140
"""Minimum columns to show Batches and Results side by side."""

VERY_WIDE = 180
"""Minimum columns to keep the job list next to an open row."""

WIDTHS = [(0, "-tiny"), (60, "-narrow"), (MEDIUM, "-medium"), (WIDE, "-wide")]
"""Minimum columns and the class that the screen gets."""

HEIGHTS = [(0, "-flat"), (16, "-short"), (30, "-tall")]
"""Minimum lines and the class that the screen gets; ``-tall`` fits strips and previews."""
