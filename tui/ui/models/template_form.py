"""Template <-> form texts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tui.compose.requests.scaledown import Label
from tui.compose.templates.fields import FieldText, is_field_name
from tui.compose.templates.model import Template, TemplateKind
from tui.core.json_path import parse_settings
from tui.core.text import one_line, quoted
from tui.errors import InputError, UsageError
from tui.paths import expand_home

KINDS: dict[TemplateKind, str] = {
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
"""Kind to its display name, in the order of the menu."""

_CHAT = frozenset(
    {"model", "system", "user", "max_tokens", "temperature", "schema", "id", "settings"}
)
_FIELDS: dict[TemplateKind, frozenset[str]] = {
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
_NAMES: dict[TemplateKind, dict[str, str]] = {
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
_JINJA_NAME = re.compile(r"[^\W\d]\w*").fullmatch
_JINJA = re.compile(r"\{[{%#]").search


def fields_of(kind: TemplateKind) -> frozenset[str]:
    """The ids of the fields that a kind has."""
    return _FIELDS[kind]


def name_of(field_id: str, kind: TemplateKind) -> str:
    """The label of a field for a kind."""
    return _NAMES.get(kind, {}).get(field_id) or _PLAIN_NAMES[field_id]


def placeholder(column: str, text: str) -> str:
    """The placeholder of a column, in the syntax of the text: ``{column}`` or Jinja."""
    if _JINJA(text) is None and is_field_name(column):
        return f"{{{column}}}"
    return f"{{{{ {column} }}}}" if _JINJA_NAME(column) else f"{{{{ row[{json.dumps(column)}] }}}}"


def to_jinja(text: str, columns: Iterable[str]) -> str:
    """The text with ``{column}`` placeholders converted to Jinja."""
    if _JINJA(text):
        return text
    for column in columns:
        text = text.replace(f"{{{column}}}", placeholder(column, "{{"))
    return text


@dataclass(frozen=True)
class TemplateFields:
    """The contents of the form; ``rest`` keeps template settings that the form lacks."""

    kind: TemplateKind = "chat"
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
    def of(cls, template: Template) -> TemplateFields:
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
        """Convert the form to a template, without fields that the kind does not have.

        Reads the schema file if one is named.

        Raises:
            UsageError: The text of a field is invalid.
        """
        fields = fields_of(self.kind)
        settings = parse_settings(filter(str.strip, self.settings.split("\n")))
        named = self.model.strip() or "model" in settings or self.kind == "moderations"
        if "model" in fields and not named:
            raise UsageError("no model", "Enter one in Model.")
        if not self.user.strip() and not self.rest.images:
            name = name_of("user", self.kind)
            raise UsageError(f"The {name.lower()} is empty", "Insert values with {column}.")
        # Only kinds with a schema field accept tools, images and schemas.
        takes_schema = "schema" in fields
        return msgspec.structs.replace(
            self.rest,
            kind=self.kind,
            url=self.rest.url if self.kind == self.rest.kind else "",
            model=self.model.strip() if "model" in fields else "",
            system=self.system if "system" in fields else "",
            user=self.user,
            images=self.rest.images if takes_schema else (),
            tools=self.rest.tools if takes_schema else None,
            cache=self.rest.cache if self.kind == "messages" and self.system.strip() else "",
            max_tokens=_whole(self.max_tokens) if "max_tokens" in fields else None,
            temperature=_number(self.temperature) if "temperature" in fields else None,
            schema=_schema(self.schema) if takes_schema else None,
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
        raise UsageError(
            f"max tokens must be a whole number, not {quoted(text)}", "For example 400."
        ) from None


def _number(text: str) -> float | None:
    text = text.strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(
            f"the temperature must be a number, not {quoted(text)}", "For example 0.2."
        )
    return value


def _schema(text: str) -> dict[str, Any] | None:
    """A JSON schema from its text or from the named file."""
    text = text.strip()
    if not text:
        return None
    if not text.startswith("{"):
        try:
            text = expand_home(text).read_text("utf-8-sig")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise UsageError(
                f"cannot read the schema {quoted(text)}: {reason}",
                "Enter the path of a JSON file, or the schema itself.",
            ) from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the schema is not valid JSON: {one_line(str(error), 120)}") from None
    if not isinstance(value, dict):
        raise UsageError("the schema must be a JSON object", 'For example {"type": "object"}.')
    return value


_PROMPTED: frozenset[TemplateKind] = frozenset({"chat", "messages", "responses", "completions"})
_TEXT_COLUMNS = ("text", "document", "content", "body", "review")
"""Usual names of the column with the text."""


@dataclass(frozen=True)
class FormTexts:
    """The contents of the two large fields of the form."""

    user: str = ""
    system: str = ""


class PromptTexts:
    """Remembers the texts for kinds that take a prompt, and for kinds that take a text."""

    def __init__(self) -> None:
        self._kept: dict[bool, FormTexts] = {}

    def clear(self) -> None:
        """Forget the texts, because another template is shown."""
        self._kept.clear()

    def changed(
        self, old: TemplateKind, new: TemplateKind, texts: FormTexts, columns: Sequence[str]
    ) -> FormTexts:
        """The texts to show after the kind has changed.

        Args:
            old: The previous kind.
            new: The new kind.
            texts: The texts in the form now.
            columns: The columns of the source.
        """
        was_prompted, is_prompted = old in _PROMPTED, new in _PROMPTED
        if was_prompted != is_prompted:
            self._kept[was_prompted] = texts
            default = texts if is_prompted else FormTexts(text_placeholders(texts.user, columns))
            texts = self._kept.get(is_prompted, default)
        if not is_prompted and not texts.user.strip():
            return FormTexts(text_placeholders("", columns), texts.system)
        return texts


def text_placeholders(prompt: str, columns: Sequence[str]) -> str:
    """Placeholders for the text column of a prompt: a usual name, else all columns it names."""
    named = _columns_in(prompt, columns)
    likely = [column for column in named or columns if column.lower() in _TEXT_COLUMNS]
    chosen = likely[:1] or named or ([*columns] if len(columns) == 1 else [])
    return "\n".join(placeholder(column, "") for column in chosen)


def _columns_in(prompt: str, columns: Sequence[str]) -> list[str]:
    """The columns that a prompt names, in the order of the source."""
    try:
        fields = FieldText(prompt, where="the prompt", columns=columns).fields
    except InputError:
        fields = frozenset()
    if not fields and "{" in prompt:
        # A Jinja template: collect the names between braces.
        fields = frozenset(re.findall(r"[^\W\d][\w.]*", "".join(re.findall(r"\{.*?\}", prompt))))
    return [column for column in columns if column in fields]
