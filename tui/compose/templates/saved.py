"""Templates saved as TOML files: save, load, list, and find one by what the user typed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tui.compose.samples import FOLDER
from tui.compose.templates.model import Template
from tui.core.text import one_line, quoted
from tui.errors import InputError, UsageError
from tui.files import atomic_write

_EXTENSION = ".toml"
_PROMPT_EXTENSIONS = frozenset({".txt", ".md", ".j2", ".jinja", ".jinja2", ".prompt"})


class SavedTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A template file; if it is unusable, ``template`` is ``None`` and ``trouble`` says why."""

    name: str
    path: Path
    template: Template | None
    trouble: str = ""


def save_template(template: Template, folder: Path) -> Path:
    """Save a template in the folder under its name, replacing one of the same name.

    Raises:
        UsageError: Its name gives no file name, or it holds a value that TOML cannot.
        InputError: The folder cannot be written to.
    """
    name = template_file_name(template.name)
    if not name:
        raise UsageError("the template has no name", "Use a name with letters or digits.")
    changed = template_values(template)
    try:
        text = to_toml({"name": template.name, **changed}).encode()
    except ValueError as error:
        raise UsageError(f"the template cannot be saved: {error}", "Remove null values.") from None
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{name}{_EXTENSION}"
    atomic_write(path, text)
    return path


def template_values(template: Template) -> dict[str, Any]:
    """The fields of a template that do not have their usual values, as plain values."""
    values = msgspec.to_builtins(template)
    defaults = msgspec.to_builtins(Template())
    return {key: value for key, value in values.items() if value != defaults[key]}


def template_of(values: Mapping[str, Any], name: str) -> Template:
    """The template with these fields (see ``template_values``).

    Args:
        values: The fields.
        name: What it is called in errors.

    Raises:
        UsageError: They are those of a newer version.
    """
    try:
        return msgspec.convert(values, Template)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"the template of {quoted(name)} cannot be used: {error}", "Update Batchdeck."
        ) from None


def to_toml(values: Mapping[str, Any]) -> str:
    """Format a TOML document; top-level strings with several lines are written as such.

    Raises:
        ValueError: TOML has no such value, for example ``None``.
    """
    import tomlkit

    document = tomlkit.document()
    for name, value in values.items():
        # A raw CR LF in a multi-line string would be read as LF.
        if isinstance(value, str) and "\n" in value and "\r" not in value:
            value = tomlkit.string(value, multiline=True)
        document[name] = value
    return tomlkit.dumps(document)


def load_template(path: Path) -> Template:
    """Load a template; its name defaults to the file name without the extension.

    Raises:
        InputError: The file cannot be read, or is not a template.
    """
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text("utf-8-sig"))
        values.setdefault("name", path.stem)
        return msgspec.convert(values, Template)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(
            f"the template {quoted(path.name)} cannot be used: {one_line(reason, 160)}",
            "Fix the file.",
            path=path,
        ) from None


def list_templates(folder: Path) -> list[SavedTemplate]:
    """List the templates of a folder by name, with unusable ones; a missing folder has none."""
    found: list[SavedTemplate] = []
    for path in sorted(folder.glob(f"*{_EXTENSION}")):
        try:
            template = load_template(path)
        except InputError as error:
            found.append(
                SavedTemplate(name=path.stem, path=path, template=None, trouble=error.message)
            )
        else:
            found.append(SavedTemplate(name=template.name, path=path, template=template))
    return sorted(found, key=lambda saved: saved.name.lower())


def find_template(spec: str, folder: Path | None = None) -> Template:
    """Find a template by its path, by its name, or from a prompt.

    ``spec`` is the path of a ``.toml`` file, the name of a saved or included template, the path of
    a text file with the user message, or the user message itself if it has a field in braces.

    Args:
        spec: What the user typed.
        folder: The folder of saved templates.

    Raises:
        InputError: There is no such template, or the file cannot be used.
    """
    path = Path(spec)
    if path.suffix == _EXTENSION and _is_file(path):
        return load_template(path)
    for known in (folder, FOLDER):
        for saved in [] if known is None else list_templates(known):
            if spec in (saved.name, saved.path.stem):
                return load_template(saved.path)
    if path.suffix in _PROMPT_EXTENSIONS and _is_file(path):
        try:
            return Template(name=path.stem, user=path.read_text("utf-8-sig"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{quoted(spec, 200)} cannot be read: {error}", "Save it as UTF-8.", path=path
            ) from None
    if "{" in spec:
        return Template(user=spec)
    raise InputError(
        f"there is no template {quoted(spec)}",
        "Use a saved template, a .toml or .txt file, or a prompt with a {column}.",
    )


def template_file_name(name: str) -> str:
    """The file name for a template name: lower case letters, digits, hyphens; no extension."""
    return re.sub(r"[^\w]+", "-", name.lower()).strip("-")[:80]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
