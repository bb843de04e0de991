"""The files that fit what is typed so far."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tui.core.text import visible

LISTED = 200
"""Entries of one folder that are offered; typing narrows them."""


_REQUESTS = (".jsonl", ".ndjson")
_ENDINGS = "jsonl ndjson json csv tsv tab txt md db sqlite sqlite3 py parquet xlsx xls ods"
_OPENED = frozenset(f".{ending}" for ending in _ENDINGS.split())


@dataclass(frozen=True)
class PathChoice:
    """A folder to go into, or a file to take; ``size`` in bytes."""

    path: Path
    is_folder: bool
    size: int = 0

    @property
    def fits(self) -> bool:
        """Is it a folder, or a file that requests can be made of?"""
        return self.is_folder or self.path.suffix.lower() in _OPENED


def expand(typed: str) -> Path:
    """What a typed path means.

    ``~`` is the home, the rest starts at the working folder; ``//`` and ``/~`` in the middle
    start anew, so that nothing has to be deleted to go elsewhere.
    """
    return Path(_anew(typed) or ".").expanduser()


def start_folder(recent: str) -> Path:
    """The folder that was used last, while it is there; else the working folder."""
    for folder in (Path(recent or "."), Path.cwd()):
        # What is put into an input must be what is shown there.
        if folder.is_dir() and is_typeable(str(folder)):
            return folder.absolute()
    return Path.home()


def is_typeable(text: str) -> bool:
    """Can a name stand in an input as it is, without acting on the terminal?"""
    return visible(text) == text


def choices(typed: str) -> list[PathChoice]:
    """What the typed path can become: JSON lines first, then folders, other sources, the rest.

    Args:
        typed: A folder with a slash at its end, or the beginning of a name in a folder.
    """
    folder, beginning = _split(typed)
    found: list[PathChoice] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if not name.lower().startswith(beginning.lower()):
                    continue
                if name.startswith(".") and not beginning.startswith("."):
                    continue
                choice = _choice(entry)
                if not choice.is_folder or is_typeable(name):
                    found.append(choice)
    except OSError:
        return []
    found.sort(key=lambda choice: (_rank(choice), choice.path.name.lower()))
    return found[:LISTED]


def completed(typed: str, found: list[PathChoice]) -> str:
    """What is typed, carried on as far as all choices agree."""
    found = [choice for choice in found if is_typeable(choice.path.name)]
    if not found:
        return typed
    if len(found) == 1:
        return shown(found[0])
    names = [choice.path.name for choice in found]
    first, last = min(names), max(names)
    common = 0
    while common < len(first) and common < len(last) and first[common] == last[common]:
        common += 1
    _, beginning = _split(typed)
    if common <= len(beginning):
        return typed
    return typed[: len(typed) - len(beginning)] + first[:common]


def shown(choice: PathChoice) -> str:
    """A choice as a person would type it: under the home with ``~``, a folder with a slash."""
    path = choice.path.absolute()
    home = Path.home()
    text = f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
    return text.rstrip("/") + "/" if choice.is_folder else text


def _anew(typed: str) -> str:
    """The part of a typed path that counts."""
    if "/~" in typed:
        return typed[typed.rindex("/~") + 1 :]
    return typed[typed.rindex("//") + 1 :] if "//" in typed else typed


def _split(typed: str) -> tuple[Path, str]:
    typed = _anew(typed)
    if not typed or typed.endswith("/") or typed in ("~", ".", ".."):
        return expand(typed), ""
    path = expand(typed)
    return path.parent, path.name


def _choice(entry: os.DirEntry[str]) -> PathChoice:
    try:
        if entry.is_dir():
            return PathChoice(Path(entry.path), is_folder=True)
        return PathChoice(Path(entry.path), is_folder=False, size=entry.stat().st_size)
    except OSError:
        return PathChoice(Path(entry.path), is_folder=False)


def _rank(choice: PathChoice) -> int:
    if choice.is_folder:
        return 1
    if choice.path.suffix in _REQUESTS:
        return 0
    return 2 if choice.fits else 3
