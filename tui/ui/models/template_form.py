"""A template as texts in a form, and back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tui.compose.scaledown_items import Label
from tui.compose.settings import parse_settings
from tui.compose.template import Kind, Template
from tui.core.text import one_line, quoted
from tui.errors import UsageError

KINDS: dict[Kind, str] = {
    "chat": "Chat",
    "messages": "Anthropic Messages",
    "summarize": "ScaleDown summarize",
    "extract": "ScaleDown extract",
    "classify": "ScaleDown classify",
    "embeddings": "Embeddings",
    "responses": "Responses",
    "completions": "Completions",
    "moderations": "Moderations",
}
"""Kind to its name, in the order in which they are offered."""

_CHAT = frozenset(
    {"model", "system", "user", "max_tokens", "temperature", "schema", "id", "settings"}
)
_FIELDS: dict[Kind, frozenset[str]] = {
    "chat": _CHAT,
    "messages": _CHAT,
    "responses": _CHAT,
    "completions": _CHAT - {"system", "schema"},
    "embeddings": frozenset({"model", "user", "id", "settings"}),
    "moderations": frozenset({"model", "user", "id", "settings"}),
    "summarize": frozenset({"user", "system", "max_tokens", "id", "settings"}),
    "extract": frozenset({"user", "system", "entities", "id", "settings"}),
    "classify": frozenset({"user", "system", "labels", "id", "settings"}),
}
_NAMES: dict[Kind, dict[str, str]] = {
    "embeddings": {"user": "Input"},
    "moderations": {"user": "Input"},
    "summarize": {"user": "Text", "system": "Instruct"},
    "extract": {"user": "Text", "system": "Instruct"},
    "classify": {"user": "Text", "system": "System"},
}
_PLAIN_NAMES = {
    "model": "Model",
    "system": "System",
    "user": "Prompt",
    "max_tokens": "Max tokens",
    "temperature": "Temp.",
    "schema": "Schema",
    "id": "Id",
    "settings": "More",
    "entities": "Entities",
    "labels": "Labels",
}
_BRACES = re.compile(r"[^\W\d][\w .\-/]*").fullmatch
_JINJA_NAME = re.compile(r"[^\W\d]\w*").fullmatch
_JINJA = re.compile(r"\{[{%#]").search


def fields_of(kind: Kind) -> frozenset[str]:
    """The fields that a kind has."""
    return _FIELDS[kind]


def name_of(field_id: str, kind: Kind) -> str:
    """What a field is called for a kind."""
    return _NAMES.get(kind, {}).get(field_id) or _PLAIN_NAMES[field_id]


def placeholder(column: str, text: str) -> str:
    """What puts a column into a text, in the syntax that the text is written in."""
    if _JINJA(text) is None and _BRACES(column):
        return f"{{{column}}}"
    return f"{{{{ {column} }}}}" if _JINJA_NAME(column) else f"{{{{ row[{json.dumps(column)}] }}}}"


def in_jinja(text: str, columns: Iterable[str]) -> str:
    """A text with braces in the other syntax, so that its columns stay columns in it."""
    if _JINJA(text):
        return text
    for column in columns:
        text = text.replace(f"{{{column}}}", placeholder(column, "{{"))
    return text


@dataclass(frozen=True)
class TemplateText:
    """What stands in the form; ``rest`` holds what a template has and the form does not."""

    kind: Kind = "chat"
    model: str = ""
    system: str = ""
    user: str = ""
    max_tokens: str = ""
    temperature: str = ""
    schema: str = ""
    id: str = ""
    settings: str = ""
    entities: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    rest: Template = field(default_factory=Template)

    @classmethod
    def of(cls, template: Template) -> TemplateText:
        """The texts of a template."""
        schema = template.schema
        return cls(
            kind=template.kind,
            model=template.model,
            system=template.system.strip("\n"),
            user=template.user.strip("\n"),
            max_tokens="" if template.max_tokens is None else str(template.max_tokens),
            temperature="" if template.temperature is None else f"{template.temperature:g}",
            schema="" if schema is None else json.dumps(schema, ensure_ascii=False),
            id=template.id,
            settings="\n".join(_setting(path, value) for path, value in template.settings.items()),
            entities=tuple(template.entities.items()),
            labels=tuple((label.name, label.rubric) for label in template.labels),
            rest=template,
        )

    def template(self) -> Template:
        """The template; fields that the kind does not have are left out. May read a file.

        Raises:
            UsageError: A text is not what its field takes.
        """
        fields = fields_of(self.kind)
        settings = parse_settings(filter(str.strip, self.settings.split("\n")))
        named = self.model.strip() or "model" in settings or self.kind == "moderations"
        if "model" in fields and not named:
            raise UsageError("no model is chosen", "Type one into Model.")
        if not self.user.strip() and not self.rest.images:
            name = name_of("user", self.kind)
            raise UsageError(f"{name} is empty", "Write {column} where a value is to stand.")
        # Tools, images and schemas belong to kinds that talk; another kind refuses them.
        talks = "schema" in fields
        return msgspec.structs.replace(
            self.rest,
            kind=self.kind,
            url=self.rest.url if self.kind == self.rest.kind else "",
            model=self.model.strip() if "model" in fields else "",
            system=self.system if "system" in fields else "",
            user=self.user,
            images=self.rest.images if talks else (),
            tools=self.rest.tools if talks else None,
            max_tokens=_whole(self.max_tokens) if "max_tokens" in fields else None,
            temperature=_number(self.temperature) if "temperature" in fields else None,
            schema=_schema(self.schema) if talks else None,
            id=self.id.strip(),
            settings=settings,
            entities=dict(_filled(self.entities)) if "entities" in fields else {},
            labels=tuple(Label(name, rubric) for name, rubric in _filled(self.labels))
            if "labels" in fields
            else (),
        )


def _setting(path: str, value: Any) -> str:
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            if "\n" not in value:
                return f"{path}={value}"
    return f"{path}={json.dumps(value, ensure_ascii=False)}"


def _filled(pairs: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return [(name.strip(), what.strip()) for name, what in pairs if name.strip() or what.strip()]


def _whole(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"max tokens {quoted(text)} is no whole number", "Such as 400.") from None


def _number(text: str) -> float | None:
    text = text.strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"the temperature {quoted(text)} is no number", "Such as 0.2.")
    return value


def _schema(text: str) -> dict[str, Any] | None:
    """A JSON schema: as it is written, or in the file that is named."""
    text = text.strip()
    if not text:
        return None
    if not text.startswith("{"):
        try:
            text = Path(text).expanduser().read_text("utf-8-sig")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise UsageError(
                f"the schema {quoted(text)} cannot be read: {reason}",
                "Name a JSON file, or write the schema itself.",
            ) from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the schema is no JSON: {one_line(str(error), 120)}") from None
    if not isinstance(value, dict):
        raise UsageError("the schema is no JSON object", 'Such as {"type": "object"}.')
    return value
