"""The JSON Schema of ``config.toml``, for editors: made from the settings themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tui.config.settings import DEFAULT_CONFIG, Config

FILE = "config.schema.json"
"""The name of the schema beside ``config.toml``."""

DIRECTIVE = f"#:schema ./{FILE}"
"""The first line of ``config.toml`` that names its schema to Taplo and editors that use it."""

_SETTING = re.compile(r"#?([a-z_]+) = ")
_TABLE = re.compile(r"#?\[([a-z_]+)")
_REMARK = re.compile(r"# (.*)")


def config_schema(
    *,
    provider: type[msgspec.Struct] | None = None,
    accounts_of: Iterable[str] = (),
    commands: Mapping[str, str] | None = None,
    themes: Iterable[str] = (),
) -> dict[str, Any]:
    """The schema (JSON Schema, draft 7, which all editors know).

    Args:
        provider: The type of a ``[providers.NAME]`` table, of which each key may be left out.
        accounts_of: The ids of providers to complete; others stay valid.
        commands: Command id to what it does, for ``[keymap]``; others are not valid.
        themes: The names of themes to complete; others stay valid.
    """
    types: list[Any] = [Config] if provider is None else [Config, provider]
    _, parts = msgspec.json.schema_components(types, ref_template="#/definitions/{name}")
    parts = {name: _for_toml(part) for name, part in parts.items()}
    config = parts.pop("Config")
    for table, properties in _tables(config, parts):
        for key, remark in _remarks().get(table, {}).items():
            if key in properties:
                properties[key]["description"] = remark
    config["properties"]["theme"] |= _suggest(themes)
    if "AccountConfig" in parts:
        parts["AccountConfig"]["properties"]["provider"] |= _suggest(accounts_of)
    if commands is not None:
        config["properties"]["keymap"] = {
            "type": "object",
            "description": "Keys by command id, separated by commas.",
            "properties": {
                name: {"type": "string", "description": text} for name, text in commands.items()
            },
            "additionalProperties": False,
        }
    if provider is not None:
        _make_optional(provider.__name__, parts)
        own = parts[provider.__name__]["properties"]
        own["base"] = {"type": "string", "description": "The profile to start from."}
        ref = {"$ref": f"#/definitions/{provider.__name__}"}
        config["properties"]["providers"] = {"type": "object", "additionalProperties": ref}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "urn:batchdeck:config",
        **config,
        "title": "Batchdeck's config.toml",
        "definitions": parts,
    }


def _tables(config: dict[str, Any], parts: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    """The properties of each table, by the name of the table; empty for the top level."""
    yield "", config["properties"]
    for name, value in config["properties"].items():
        ref = value.get("$ref") or (value.get("additionalProperties") or {}).get("$ref", "")
        if part := parts.get(ref.rpartition("/")[2]):
            yield name, part["properties"]


def _for_toml(value: Any) -> Any:
    """A schema without null, which TOML lacks, and with descriptions of one paragraph each."""
    if isinstance(value, list):
        return [_for_toml(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _for_toml(one) for key, one in value.items() if (key, one) != ("default", None)}
    choices = found.get("anyOf")
    if isinstance(choices, list):
        rest = [one for one in choices if one != {"type": "null"}]
        if len(rest) == 1:
            del found["anyOf"]
            found = {**rest[0], **found}
        else:
            found["anyOf"] = rest
    if isinstance(found.get("default"), dict):
        del found["default"]
    text = found.get("description")
    if isinstance(text, str):
        found["description"] = re.sub(r"(?<!\n)\n(?!\n)", " ", re.sub(r" {2,}", "", text))
    if found.get("required") == []:
        del found["required"]
    return found


def _suggest(names: Iterable[str]) -> dict[str, Any]:
    """What lets an editor offer names, while any other text stays valid."""
    known = sorted(names)
    return {"anyOf": [{"enum": known}, {"type": "string"}]} if known else {}


def _make_optional(name: str, parts: dict[str, Any]) -> None:
    """Let every key of a part be left out, and of the parts that it refers to."""
    waiting, seen = [name], set()
    while waiting:
        part = waiting.pop()
        if part in seen:
            continue
        seen.add(part)
        parts[part].pop("required", None)
        waiting += re.findall(r"#/definitions/(\w+)", msgspec.json.encode(parts[part]).decode())


def _remarks() -> dict[str, dict[str, str]]:
    """Table and key to the remark above it in the initial ``config.toml``."""
    found: dict[str, dict[str, str]] = {}
    table = ""
    remark: list[str] = []
    for line in DEFAULT_CONFIG.read_text("utf-8").split("\n"):
        if heading := _TABLE.match(line):
            table, remark = heading[1], []
        elif setting := _SETTING.match(line):
            if remark:
                found.setdefault(table, {})[setting[1]] = " ".join(remark)
            remark = []
        elif words := _REMARK.fullmatch(line):
            remark.append(words[1])
        else:
            remark = []
    return found
