"""Templates as TOML files in a folder."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from tui.compose.atomic import atomic_file
from tui.compose.template import Template
from tui.compose.toml import to_toml
from tui.core.text import one_line, quoted
from tui.errors import InputError, UsageError

_ENDING = ".toml"
_PROMPT_ENDINGS = frozenset({".txt", ".md", ".j2", ".jinja", ".jinja2", ".prompt"})


class SavedTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the folder; ``template`` is ``None`` when it cannot be used, and why."""

    name: str
    path: Path
    template: Template | None
    trouble: str = ""


def save_template(template: Template, folder: Path) -> Path:
    """Write a template into the folder, under its name; one of that name is replaced.

    Raises:
        UsageError: It has no name that makes a file name, or holds what TOML cannot.
        InputError: The folder cannot be written to.
    """
    name = file_name(template.name)
    if not name:
        raise UsageError("the template has no name", "Give it one, of letters and digits.")
    values = msgspec.to_builtins(template)
    defaults = msgspec.to_builtins(Template())
    changed = {key: value for key, value in values.items() if value != defaults[key]}
    try:
        text = to_toml({"name": template.name, **changed})
    except ValueError as error:
        raise UsageError(
            f"the template cannot be saved: {error}", "Leave null and the like out."
        ) from None
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{name}{_ENDING}"
    with atomic_file(path) as file:
        file.write(text.encode())
    return path


def load_template(path: Path) -> Template:
    """Read one template; without a name of its own it has that of the file.

    Raises:
        InputError: The file cannot be read, or is no template.
    """
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text("utf-8-sig"))
        values.setdefault("name", path.stem)
        return msgspec.convert(values, Template)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(
            f"the template {quoted(path.name)} cannot be used: {one_line(reason, 160)}",
            "Mend the file.",
            path=path,
        ) from None


def list_templates(folder: Path) -> list[SavedTemplate]:
    """All templates of a folder by name, unusable ones too; none when there is no folder."""
    found: list[SavedTemplate] = []
    for path in sorted(folder.glob(f"*{_ENDING}")):
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
    """The template that a person means.

    A path to a ``.toml`` file, a saved template's name, a path to a text file (the user
    message), or the user message itself, when it has a field in braces.

    Args:
        spec: What the person wrote.
        folder: Where saved templates are.

    Raises:
        InputError: Nothing of this is there, or the file cannot be used.
    """
    path = Path(spec)
    if path.suffix == _ENDING and _is_file(path):
        return load_template(path)
    if folder is not None:
        for saved in list_templates(folder):
            if spec in (saved.name, saved.path.stem):
                return load_template(saved.path)
    if path.suffix in _PROMPT_ENDINGS and _is_file(path):
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
        "Name a saved template, a .toml or .txt file, or write the prompt with a {column}.",
    )


def file_name(name: str) -> str:
    """The name as a file is called: small letters, digits and hyphens, without the ending."""
    return re.sub(r"[^\w]+", "-", name.lower()).strip("-")[:80]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
