"""Paths: what a typed path may become, a field that completes it, and the file picker."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from tui.core import formatting
from tui.core.text import free_name, one_line, visible
from tui.paths import expand_home, home_folder, is_file, is_folder, path_exists, working_folder
from tui.ui.dialogs.choose import SearchDialog
from tui.ui.text.tones import content
from tui.ui.widgets.basics import DropInput

MAX_CHOICES = 200
"""Maximum number of entries offered; typing narrows them."""


_REQUESTS = (".jsonl", ".ndjson")
_ENDINGS = "jsonl ndjson json csv tsv tab txt md db sqlite sqlite3 py parquet xlsx xls ods"
_OPENED = frozenset(f".{ending}" for ending in _ENDINGS.split())


@dataclass(frozen=True)
class PathEntry:
    """A folder or a file; ``size`` in bytes."""

    path: Path
    is_folder: bool
    size: int = 0

    @property
    def is_source(self) -> bool:
        """Whether it is a folder, or a file that can be opened as a source."""
        return self.is_folder or self.path.suffix.lower() in _OPENED


def expand_path(typed: str) -> Path:
    """Resolve a typed path.

    ``~`` is the home folder, and relative paths start at the working folder. ``//`` or ``/~``
    in the middle restarts the path there, so that a new path can be typed after an old one.
    """
    return expand_home(_restarted(typed) or ".")


def free_path(path: Path) -> Path:
    """The path, with a number after its name (``-2``, ``-3``…) if something is there."""

    def numbered(stem: str) -> Path:
        return path.with_name(stem + path.suffix)

    return numbered(free_name(path.stem, lambda stem: path_exists(numbered(stem))))


def start_folder(recent: str) -> Path:
    """Return the last used folder if it still exists, else the working folder."""
    here = working_folder()
    for folder in (here / expand_home(recent or "."), here):
        # The input must show exactly the path that it contains.
        if is_folder(folder) and is_displayable(str(folder)):
            return folder
    return home_folder() or Path("/")


def is_displayable(text: str) -> bool:
    """Whether a name is free of control characters, and can be shown in an input unchanged."""
    return visible(text) == text


def choices(typed: str) -> list[PathEntry]:
    """List the matching entries: JSON Lines files first, then folders, other sources, the rest.

    Args:
        typed: A folder with a trailing slash, or the beginning of a name in a folder.
    """
    folder, beginning = _split(typed)
    found: list[PathEntry] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if not name.lower().startswith(beginning.lower()):
                    continue
                if name.startswith(".") and not beginning.startswith("."):
                    continue
                choice = _choice(entry)
                if not choice.is_folder or is_displayable(name):
                    found.append(choice)
    except (OSError, ValueError):
        return []
    found.sort(key=lambda choice: (_rank(choice), choice.path.name.lower()))
    return found[:MAX_CHOICES]


def completed(typed: str, found: Sequence[PathEntry]) -> str:
    """Extend the typed path by the longest common prefix of all choices."""
    found = [choice for choice in found if is_displayable(choice.path.name)]
    if not found:
        return typed
    if len(found) == 1:
        return shown(found[0])
    # Character by character, since all names are in one folder.
    common = os.path.commonprefix([choice.path.name for choice in found])  # noqa: RUF071
    _, beginning = _split(typed)
    if len(common) <= len(beginning):
        return typed
    return typed[: len(typed) - len(beginning)] + common


def shown(choice: PathEntry) -> str:
    """A choice as the user would type it: ``~`` for the home folder, a slash after a folder."""
    path = working_folder() / choice.path
    home = home_folder()
    inside = home is not None and path.is_relative_to(home)
    text = str("~" / path.relative_to(home) if home is not None and inside else path)
    return text.rstrip("/") + "/" if choice.is_folder else text


def _restarted(typed: str) -> str:
    """The part of a typed path from the last restart on (see ``expand``)."""
    if "/~" in typed:
        return typed[typed.rindex("/~") + 1 :]
    return typed[typed.rindex("//") + 1 :] if "//" in typed else typed


def _split(typed: str) -> tuple[Path, str]:
    typed = _restarted(typed)
    if not typed or typed.endswith("/") or typed in ("~", ".", ".."):
        return expand_path(typed), ""
    path = expand_path(typed)
    return path.parent, path.name


def _choice(entry: os.DirEntry[str]) -> PathEntry:
    try:
        if entry.is_dir():
            return PathEntry(Path(entry.path), is_folder=True)
        return PathEntry(Path(entry.path), is_folder=False, size=entry.stat().st_size)
    except OSError:
        return PathEntry(Path(entry.path), is_folder=False)


def _rank(choice: PathEntry) -> int:
    if choice.is_folder:
        return 1
    if choice.path.suffix in _REQUESTS:
        return 0
    return 2 if choice.is_source else 3


class PathInput(DropInput):
    """A field for a path; ``tab`` completes it as far as it is unambiguous, else moves on."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "complete", show=False)]

    def __init__(self, value: str, *, id: str) -> None:
        super().__init__(value, compact=True, select_on_focus=False, id=id)

    def action_complete(self) -> None:
        """Complete the path."""
        longer = completed(self.value, choices(self.value))
        if longer != self.value:
            self.replace_text(longer)
        else:
            self.screen.focus_next()


class PickFileDialog(SearchDialog[Path, PathEntry]):
    """A field for a path above the list of matching entries.

    Args:
        start: The initial folder.
        title: The title of the dialog.
    """

    NO_MATCH = "No matching file"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", show=False, priority=True),
    ]

    def __init__(
        self, start: Path, title: str = "Choose a file: a table, a text or requests"
    ) -> None:
        self._path = PathInput(visible(shown(PathEntry(start, is_folder=True))), id="pick-path")
        super().__init__(title, self._path, [("tab", "complete")])

    def matches(self, typed: str) -> list[PathEntry]:
        """The entries that the typed path may become."""
        return choices(typed)

    def prompt(self, entry: PathEntry) -> Content:
        """The name, and the size of a file."""
        name = one_line(entry.path.name, 56)
        if entry.is_folder:
            return content([(name + "/", "live")])
        size = f"  {formatting.size(entry.size)}"
        return content([(name, "" if entry.is_source else "muted"), (size, "muted")])

    def action_complete(self) -> None:
        """Complete the path as far as it is unambiguous, else take the highlighted entry."""
        typed, chosen = self._path.value, self.chosen
        longer = completed(typed, self.found)
        if longer == typed and chosen is not None and is_displayable(chosen.path.name):
            longer = shown(chosen)
        self._type(longer)

    def enter(self, typed: str) -> None:
        """Open a file or a glob as typed, else the highlighted entry."""
        path = expand_path(typed)
        given = typed and not typed.endswith("/") and is_file(path)
        # A glob: every matching file is a document.
        if given or (glob.has_magic(typed) and not path_exists(path)):
            self.dismiss(path)
        else:
            super().enter(typed)

    def select(self, entry: PathEntry) -> None:
        """Go into a folder, or open a file."""
        if entry.is_folder:
            self._type(shown(entry))
        else:
            self.dismiss(entry.path)

    def _type(self, text: str) -> None:
        self._path.replace_text(text)
        self._path.focus()
