"""Profiles: which providers there are, those shipped and those of a person's own tables.

A shipped profile is a file of ``tui/providers/profiles``; its name is the profile's id. A
person's ``[providers.NAME]`` table adds one, or changes a shipped one of the same name. A
table may say ``base = "openai"`` to start from another; tables are merged key by key, lists
are replaced.
"""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import msgspec

from tui.errors import ConfigError
from tui.providers.schema import Profile, complaint

__all__ = ["Profile", "ProfileError", "find_profile", "load_profiles"]

Tables = Mapping[str, Mapping[str, Any]]
"""Provider tables by name, as ``[providers.NAME]`` gives them."""


class ProfileError(ConfigError):
    """A profile cannot be used: the message names the file, the key and the reason."""

    title = "The provider profile cannot be used"


@dataclass(frozen=True)
class _Source:
    table: Mapping[str, Any]
    place: str


def load_profiles(
    extra: Path | Tables | None = None, *, place: str = "config.toml"
) -> dict[str, Profile]:
    """All profiles by id, in alphabetical order.

    Args:
        extra: A TOML file that may hold ``[providers.NAME]`` tables, or those tables.
        place: What to call the origin of tables in an error.

    Raises:
        ProfileError: A profile cannot be used.
    """
    sources = _sources(extra, place)
    return {name: _build(name, sources) for name in sorted(sources)}


def find_profile(
    name: str, extra: Path | Tables | None = None, *, place: str = "config.toml"
) -> Profile:
    """One profile by id; the others are not looked at.

    Raises:
        ProfileError: There is none of that name, or it cannot be used.
    """
    sources = _sources(extra, place)
    if name not in sources:
        raise ProfileError(
            f"No provider is called {name!r}",
            _nearest(name, sources) or f"There are: {', '.join(sorted(sources))}.",
        )
    return _build(name, sources)


@functools.cache
def _shipped() -> dict[str, _Source]:
    folder = resources.files("tui.providers") / "profiles"
    found: dict[str, _Source] = {}
    for entry in folder.iterdir():
        if entry.name.endswith(".toml"):
            place = f"tui/providers/profiles/{entry.name}"
            found[entry.name.removesuffix(".toml")] = _Source(
                _parse(entry.read_text("utf-8"), place), place
            )
    return found


def _parse(text: str, place: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{place} is not TOML: {error}", "Mend the file.") from error


def _sources(extra: Path | Tables | None, place: str) -> dict[str, _Source]:
    sources = dict(_shipped())
    if isinstance(extra, Path):
        place = str(extra)
        if not extra.exists():
            return sources
        try:
            text = extra.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileError(f"{place} cannot be read: {error}") from error
        extra = _parse(text, place).get("providers", {})
    if extra is None:
        return sources
    if not isinstance(extra, Mapping):
        raise ProfileError(f"{place}: providers is not a table", "Write [providers.NAME] tables.")
    for name, table in extra.items():
        where = f"{place}: [providers.{name}]"
        if not isinstance(table, Mapping):
            raise ProfileError(f"{where} is not a table", "Write it as [providers.NAME].")
        if name in sources and "base" not in table:
            table = {"base": name, **table}
        sources[name] = _Source(_over_shipped(name, table, sources), where)
    return sources


def _over_shipped(
    name: str, table: Mapping[str, Any], sources: Mapping[str, _Source]
) -> Mapping[str, Any]:
    """A table that changes the shipped profile of its own name, with that merged in."""
    if table.get("base") != name or name not in sources:
        return table
    shipped = sources[name].table
    rest = {key: value for key, value in table.items() if key != "base"}
    return _merge(shipped, rest)


def _build(name: str, sources: Mapping[str, _Source]) -> Profile:
    place = sources[name].place
    table = _resolve(name, sources, ())
    table.setdefault("name", name)
    if "id" in table:
        raise ProfileError(f"{place}: id is not a key", "The id is the table's own name.")
    table["id"] = name
    _check_keys(table, Profile, place, "")
    try:
        profile = msgspec.convert(table, Profile)
    except msgspec.ValidationError as error:
        raise ProfileError(*_worded(place, error)) from error
    if (found := complaint(profile)) is not None:
        key, reason = found
        raise ProfileError(f"{place}: {key} {reason}", "Mend that key.")
    return profile


def _resolve(name: str, sources: Mapping[str, _Source], seen: tuple[str, ...]) -> dict[str, Any]:
    source = sources[name]
    table = dict(source.table)
    base = table.pop("base", None)
    if base is None:
        return table
    if not isinstance(base, str) or base not in sources:
        raise ProfileError(
            f"{source.place}: base names no provider: {base!r}", _nearest(str(base), sources)
        )
    if base in (*seen, name):
        raise ProfileError(f"{source.place}: base goes round in a circle", "Name another base.")
    start = _resolve(base, sources, (*seen, name))
    start.pop("name", None)
    return _merge(start, table)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        held = merged.get(key)
        if isinstance(held, Mapping) and isinstance(value, Mapping):
            merged[key] = _merge(held, value)
        else:
            merged[key] = value
    return merged


def _check_keys(table: Mapping[str, Any], kind: type, place: str, prefix: str) -> None:
    """Find an unknown key before msgspec does, to name the nearest right one."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key, value in table.items():
        if key not in fields:
            known = [name for name in fields if name != "id" or prefix]
            hint = _nearest(key, known) or f"There are: {', '.join(known)}."
            raise ProfileError(f"{place}: {prefix}{key} is not a key", hint)
        inner = _struct_in(fields[key].type)
        if inner is not None and isinstance(value, Mapping):
            _check_keys(value, inner, place, f"{prefix}{key}.")


def _struct_in(kind: Any) -> type | None:
    # A mapping of names to tables has free keys; its values are left to msgspec.
    return kind if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None


def _worded(place: str, error: msgspec.ValidationError) -> tuple[str, str]:
    """A message of msgspec with its ``$.a.b`` said in front; and a hint."""
    reason, _, path = str(error).partition(" - at `")
    key = path.rstrip("`").removeprefix("$").lstrip(".") or "the table"
    hint = "Mend that key."
    if match := re.match(r"Invalid enum value '([^']*)'", reason):
        reason = f"{match[1]!r} is not one of the words allowed there"
        words = _words_at(key)
        hint = _nearest(match[1], words) or f"Allowed: {', '.join(words)}."
    if key.endswith("[...]"):
        key = f"a value of {key.removesuffix('[...]')}"
    return f"{place}: {key}: {reason}", hint


def _words_at(key: str) -> list[str]:
    """The words that a key of the profile may have, where they are few."""
    kind: Any = Profile
    for step in key.removesuffix("[...]").split("."):
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
        kind = fields[step]
    if key.endswith("[...]"):
        kind = get_args(kind)[-1]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return list(kind)
    return [str(word) for word in get_args(kind)]


def _nearest(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"Did you mean {found[0]!r}?" if found else ""
