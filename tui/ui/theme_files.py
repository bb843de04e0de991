"""Themes of one's own: TOML files in the folder ``themes`` beside ``config.toml``."""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

from tui.core.text import one_line, quoted
from tui.errors import ConfigError
from tui.ui.theme import DARK, THEMES

FOLDER = "themes"
"""The name of the folder; ``NAME.toml`` in it is the theme NAME."""

COLOURS = (
    "primary", "secondary", "accent", "success", "warning", "error", "foreground", "background",
    "surface", "panel",
)  # fmt: skip
"""The colours of a theme; those that are left out are those of its base."""

_VARIABLES = frozenset(
    name for theme in THEMES for name in theme.variables if not name.endswith("text-style")
)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SHARE = re.compile(r"\d{1,3}%")


@dataclass(frozen=True)
class ThemeFiles:
    """The themes of a folder, and what is wrong with the files that hold none."""

    themes: tuple[Theme, ...] = ()
    problems: tuple[str, ...] = ()


def theme_file_names(config: Path) -> list[str]:
    """The names of the themes in the folder beside ``config.toml``, valid or not."""
    return sorted(path.stem for path in (config / FOLDER).glob("*.toml"))


def read_theme_files(config: Path) -> ThemeFiles:
    """Read the themes beside ``config.toml``.

    Args:
        config: The folder of ``config.toml``.
    """
    themes: list[Theme] = []
    problems: list[str] = []
    for path in sorted((config / FOLDER).glob("*.toml")):
        try:
            themes.append(read_theme(path))
        except ConfigError as error:
            problems.append(f"{error.message}. {error.hint}".strip())
    return ThemeFiles(tuple(themes), tuple(problems))


def read_theme(path: Path) -> Theme:
    """Read a theme.

    Raises:
        ConfigError: The file is not a theme; the message names the file, the key and the reason.
    """
    place = f"{FOLDER}/{one_line(path.name, 60)}"
    try:
        table = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{place} cannot be read: {reason}", "Fix the file.") from None
    if not _NAME.fullmatch(path.stem):
        raise ConfigError(
            f"{place}: not a name for a theme", "Use small letters, digits, '-' and '_'."
        )
    if path.stem in _all_themes():
        raise ConfigError(f"{place}: there is a theme of this name", "Rename the file.")
    return _theme(path.stem, table, place)


def _all_themes() -> dict[str, Theme]:
    return {**BUILTIN_THEMES, **{theme.name: theme for theme in THEMES}}


def _theme(name: str, table: dict[str, Any], place: str) -> Theme:
    _check_keys(table, ("base", "dark", *COLOURS, "variables"), place)
    base = _base(table.get("base", DARK.name), place)
    dark = table.get("dark", base.dark)
    if not isinstance(dark, bool):
        raise ConfigError(f"{place}: dark is {dark!r}", "Write true or false.")
    colours = {key: _colour(table[key], f"{place}: {key}") for key in COLOURS if key in table}
    own = table.get("variables", {})
    if not isinstance(own, dict):
        raise ConfigError(f"{place}: variables is not a table", "Write it as [variables].")
    _check_keys(own, sorted(_VARIABLES), f"{place}, [variables]")
    # What the base draws in a colour that is replaced here is drawn in the new one.
    renamed = {getattr(base, key): colour for key, colour in colours.items()}
    inherited = {key: _replaced(value, renamed) for key, value in base.variables.items()}
    written = {key: _colour(value, f"{place}: {key}", share=True) for key, value in own.items()}
    changes: dict[str, Any] = {"name": name, "dark": dark, **colours}
    return dataclasses.replace(base, variables={**inherited, **written}, **changes)


def _replaced(value: str, renamed: dict[str | None, str]) -> str:
    colour, _, rest = value.partition(" ")
    return " ".join(filter(None, (renamed.get(colour, colour), rest)))


def _base(name: Any, place: str) -> Theme:
    known = {key: theme for key, theme in _all_themes().items() if not theme.ansi}
    if name in known:
        return known[name]
    raise ConfigError(
        f"{place}: base {quoted(str(name))} is not a theme to start from",
        _closest(str(name), known) or f"Use {DARK.name}, or leave it out.",
    )


def _check_keys(table: dict[str, Any], known: Iterable[str], place: str) -> None:
    names = list(known)
    for key in table:
        if key not in names:
            hint = _closest(key, names) or f"Known keys: {', '.join(names)}."
            raise ConfigError(f"{place}: unknown key {quoted(key)}", hint)


def _closest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else ""


def _colour(value: Any, place: str, *, share: bool = False) -> str:
    """A colour as written; with ``share`` also with a percentage behind it.

    Raises:
        ConfigError: It is none.
    """
    text = str(value).strip()
    colour, _, rest = text.partition(" ")
    example = 'Write it like "#a99bff".'
    if not isinstance(value, str) or (rest and not (share and _SHARE.fullmatch(rest))):
        raise ConfigError(f"{place}: {quoted(text)} is not a colour", example)
    if colour.startswith("ansi_") or colour == "auto":
        raise ConfigError(
            f"{place}: {quoted(colour)} cannot be mixed with other colours",
            f"{example} The theme batchdeck-ansi has the colours of the terminal.",
        )
    try:
        Color.parse(colour)
    except ColorParseError as error:
        near = error.suggested_color
        hint = f"Did you mean {near!r}?" if near else example
        raise ConfigError(f"{place}: {quoted(text)} is not a colour", hint) from None
    return text
