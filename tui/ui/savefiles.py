"""Images and sounds of an answer become files; nothing that is there is written over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

from tui.core.media import Medium, suffix_of
from tui.errors import UsageError

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 80


def kinds_in_words(media: Sequence[Medium]) -> str:
    """What there is: ``2 images``, ``1 image and 1 sound``."""
    words = {"image": "image", "audio": "sound"}
    parts = []
    for kind, word in words.items():
        number = sum(medium.kind == kind for medium in media)
        if number:
            parts.append(f"{number} {word}{'s' if number > 1 else ''}")
    return " and ".join(parts)


def save_media(media: Iterable[Medium], folder: Path, name: str) -> list[Path]:
    """Write each to a file of its own; in a thread.

    Args:
        media: What to write.
        folder: Where to.
        name: What the names of the files begin with; only harmless characters of it are used.

    Raises:
        UsageError: A file cannot be written, or one of them holds no data.
    """
    stem = _UNFIT.sub("-", name).strip("-.")[:_LONGEST] or "row"
    written: list[Path] = []
    for number, medium in enumerate(media, 1):
        data = medium.data()
        if not data:
            raise UsageError(f"{medium.kind} {number} of the answer is not base64")
        written.append(_write(folder, f"{stem}-{number}", suffix_of(data), data))
    return written


def _write(folder: Path, stem: str, suffix: str, data: bytes) -> Path:
    for again in count(1):
        path = folder / (f"{stem}{suffix}" if again == 1 else f"{stem}-{again}{suffix}")
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error
        return path
    raise AssertionError
