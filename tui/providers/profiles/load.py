"""Loads provider profiles: the shipped ones and those of the user's config.toml.

A shipped profile is a file in ``tui/providers/profiles``; the file name is its id. A
``[providers.NAME]`` table of the user adds a profile, or changes the shipped one of that name.
``base = "openai"`` starts from another profile; tables are merged by key, lists are replaced.
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
from tui.providers.profiles.model import Profile, find_invalid_key

__all__ = ["Profile", "ProfileError", "find_profile", "load_profiles", "merge_tables"]

Tables = Mapping[str, Mapping[str, Any]]
"""Provider tables by name, as in ``[providers.NAME]``."""


class ProfileError(ConfigError):
    """A profile is invalid; the message names the file, the key and the reason."""

    title = "The provider profile cannot be used"


@dataclass(frozen=True)
class _Source:
    table: Mapping[str, Any]
    place: str


def load_profiles(
    extra: Path | Tables | None = None, *, place: str = "config.toml"
) -> dict[str, Profile]:
    """Load all profiles by id, in alphabetical order.

    Args:
        extra: A TOML file that may contain ``[providers.NAME]`` tables, or those tables.
        place: The name of the tables' source in errors.

    Raises:
        ProfileError: A profile is invalid.
    """
    sources = _sources(extra, place)
    return {name: _build(name, sources) for name in sorted(sources)}


def find_profile(
    name: str, extra: Path | Tables | None = None, *, place: str = "config.toml"
) -> Profile:
    """Load one profile by id, without validating the others.

    Raises:
        ProfileError: There is no such profile, or it is invalid.
    """
    sources = _sources(extra, place)
    if name not in sources:
        raise ProfileError(
            f"Unknown provider {name!r}",
            _suggestion(name, sources) or f"Available providers: {', '.join(sorted(sources))}.",
        )
    return _build(name, sources)


@functools.cache
def shipped_ids() -> frozenset[str]:
    """The ids of the shipped profiles; another profile is the user's own."""
    return frozenset(_shipped())


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
        raise ProfileError(f"{place} is not valid TOML: {error}", "Fix the file.") from error


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
        sources[name] = _Source(_merged_with_shipped(name, table, sources), where)
    return sources


def _merged_with_shipped(
    name: str, table: Mapping[str, Any], sources: Mapping[str, _Source]
) -> Mapping[str, Any]:
    """Merge a table that changes the shipped profile of its own name into that profile."""
    if table.get("base") != name or name not in sources:
        return table
    shipped = sources[name].table
    rest = {key: value for key, value in table.items() if key != "base"}
    return merge_tables(shipped, rest)


def _build(name: str, sources: Mapping[str, _Source]) -> Profile:
    place = sources[name].place
    table = _resolve(name, sources, ())
    table.setdefault("name", name)
    if "id" in table:
        raise ProfileError(f"{place}: id cannot be set", "The id is the name of the table.")
    table["id"] = name
    _check_keys(table, Profile, place, "")
    try:
        profile = msgspec.convert(table, Profile)
    except msgspec.ValidationError as error:
        raise ProfileError(*_reworded(place, error)) from error
    if (found := find_invalid_key(profile)) is not None:
        key, reason = found
        raise ProfileError(f"{place}: {key} {reason}", "Fix that key.")
    return profile


def _resolve(name: str, sources: Mapping[str, _Source], seen: tuple[str, ...]) -> dict[str, Any]:
    source = sources[name]
    table = dict(source.table)
    base = table.pop("base", None)
    if base is None:
        return table
    if not isinstance(base, str) or base not in sources:
        raise ProfileError(
            f"{source.place}: unknown base {base!r}", _suggestion(str(base), sources)
        )
    if base in (*seen, name):
        chain = " -> ".join((*seen, name, base))
        raise ProfileError(f"{source.place}: circular `base`: {chain}", "Use another base.")
    start = _resolve(base, sources, (*seen, name))
    start.pop("name", None)
    return merge_tables(start, table)


def merge_tables(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two tables by key, at every depth; what is above wins, and lists are replaced."""
    merged = dict(below)
    for key, value in above.items():
        held = merged.get(key)
        if isinstance(held, Mapping) and isinstance(value, Mapping):
            merged[key] = merge_tables(held, value)
        else:
            merged[key] = value
    return merged


def _check_keys(table: Mapping[str, Any], kind: type, place: str, prefix: str) -> None:
    """Reject an unknown key before msgspec does, to suggest the nearest known one."""
    types = _types_of_keys(kind)
    for key, value in table.items():
        if key not in types:
            known = [name for name in types if name != "id" or prefix]
            hint = _suggestion(key, known) or f"Known keys: {', '.join(known)}."
            raise ProfileError(f"{place}: unknown key {prefix}{key}", hint)
        inner = _struct_in(types[key])
        if inner is not None and isinstance(value, Mapping):
            _check_keys(value, inner, place, f"{prefix}{key}.")


@functools.cache
def _types_of_keys(kind: type) -> Mapping[str, Any]:
    """The type of each key of a table; msgspec evaluates all annotations for it."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


def _struct_in(kind: Any) -> type | None:
    # A mapping of names to tables has arbitrary keys; msgspec checks its values.
    return kind if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None


def _reworded(place: str, error: msgspec.ValidationError) -> tuple[str, str]:
    """Reword an error of msgspec, with the path ``$.a.b`` in front, and add a hint."""
    reason, _, path = str(error).partition(" - at `")
    key = path.rstrip("`").removeprefix("$").lstrip(".") or "the table"
    hint = "Fix that key."
    if match := re.match(r"Invalid enum value '([^']*)'", reason):
        reason = f"{match[1]!r} is not an allowed value"
        allowed = _allowed_values(key)
        hint = _suggestion(match[1], allowed) or f"Allowed values: {', '.join(allowed)}."
    if key.endswith("[...]"):
        key = f"a value of {key.removesuffix('[...]')}"
    return f"{place}: {key}: {reason}", hint


def _allowed_values(key: str) -> list[str]:
    """The allowed values of a profile key with a literal or enum type."""
    kind: Any = Profile
    for step in key.removesuffix("[...]").split("."):
        kind = _types_of_keys(kind)[step]
    if key.endswith("[...]"):
        kind = get_args(kind)[-1]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return list(kind)
    return [str(word) for word in get_args(kind)]


def _suggestion(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"Did you mean {found[0]!r}?" if found else ""
