"""Schemas of Google's discovery documents, which the package google-api-python-client brings."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import pytest

pytest.importorskip("googleapiclient", reason="google-api-python-client is one of the dev extras")


@cache
def _document(name: str) -> dict[str, Any]:
    folder = files("googleapiclient.discovery_cache").joinpath("documents")
    document: dict[str, Any] = json.loads(folder.joinpath(f"{name}.json").read_text("utf-8"))
    return document


def _schema(value: Any) -> Any:
    """A schema of a discovery document as JSON Schema, in which unknown fields are mistakes."""
    if isinstance(value, list):
        return [_schema(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return {"$ref": f"#/$defs/{value['$ref']}"}
    if value.get("type") == "any":
        return {}
    found: dict[str, Any] = {}
    for name in ("type", "enum"):
        if name in value:
            found[name] = value[name]
    if value.get("format") == "int64":
        found["type"] = ["string", "integer"]
    if "items" in value:
        found["items"] = _schema(value["items"])
    if value.get("type") == "object":
        properties = value.get("properties", {})
        found["properties"] = {name: _schema(inner) for name, inner in properties.items()}
        found["additionalProperties"] = _schema(value.get("additionalProperties", False))
    return found


@cache
def _validator(document: str, name: str) -> Any:
    schemas = _document(document)["schemas"]
    definitions = {key: _schema(value) for key, value in schemas.items()}
    return jsonschema_rs.validator_for({"$ref": f"#/$defs/{name}", "$defs": definitions})


def mistakes(value: Any, name: str, document: str = "aiplatform.v1") -> list[str]:
    """What is wrong with a value, by Google's own description of it."""
    return [error.message for error in _validator(document, name).iter_errors(value)]


def methods(resource: str, document: str = "aiplatform.v1") -> dict[str, tuple[str, str]]:
    """The HTTP method and the path of each method of a resource, such as ``projects.locations``."""
    place = _document(document)
    for name in resource.split("."):
        place = place["resources"][name]
    return {
        name: (method["httpMethod"], method.get("flatPath", method["path"]))
        for name, method in place["methods"].items()
    }
