"""Programs outside of the dashboard: editor, pager and clipboard; and files of media."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from tui.config.settings import Config
from tui.core.results.media import Medium, file_suffix
from tui.errors import UsageError
from tui.processes import run_in_terminal
from tui.ui.session import Session

CLIPBOARD_CAP = 512 * 1024
"""Maximum characters to copy; terminals drop or choke on more."""

_CLIPBOARDS = (
    (("pbcopy",), ""),
    (("wl-copy",), "WAYLAND_DISPLAY"),
    (("xclip", "-selection", "clipboard"), "DISPLAY"),
    (("xsel", "--clipboard", "--input"), "DISPLAY"),
    (("clip.exe",), ""),
)


def command_for(program: str) -> list[str]:
    """The command line of the user's editor or pager, from the environment.

    Raises:
        UsageError: None is installed.
    """
    if program == "editor":
        names = [os.environ.get("VISUAL"), os.environ.get("EDITOR"), "nano", "vi"]
        hint = "Set EDITOR to your editor."
    else:
        names = [os.environ.get("PAGER"), "less", "more"]
        hint = "Set PAGER to your pager."
    for name in names:
        if name:
            words = shlex.split(name)
            if words and shutil.which(words[0]):
                return words
    raise UsageError(f"no {program} found", hint)


def _configured_command(config: Config, program: str) -> list[str]:
    """The editor or pager from the settings; empty if it is not set or not installed."""
    words = shlex.split(getattr(config, program))
    return words if words and shutil.which(words[0]) else []


def run_command(command: list[str], path: Path) -> None:
    """Run a program on a file and wait for it; it has the terminal while it runs.

    Raises:
        UsageError: The program cannot be run.
    """
    try:
        run_in_terminal([*command, str(path)])
    except OSError as error:
        raise UsageError(f"cannot run {command[0]}: {error.strerror}") from error


@contextmanager
def temporary_file(text: str, suffix: str) -> Iterator[Path]:
    """A private temporary file with a text, removed at the end of the block."""
    descriptor, name = tempfile.mkstemp(prefix="batchdeck-", suffix=suffix)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def copy_natively(text: str) -> bool:
    """Copy a text with the system's clipboard program; ``False`` if none works."""
    if os.environ.get("SSH_CONNECTION"):
        return False
    for command, variable in _CLIPBOARDS:
        if (variable and not os.environ.get(variable)) or not shutil.which(command[0]):
            continue
        try:
            done = subprocess.run(
                command,
                input=text.encode("utf-8", "replace"),
                check=False,
                timeout=2,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return True
    return False


def copy(app: App[Any], text: str, what: str) -> None:
    """Copy a text with the clipboard program and through the terminal, and notify the user.

    Args:
        app: The app.
        text: The text.
        what: Names the text in the notification.
    """
    if len(text) > CLIPBOARD_CAP:
        app.notify(
            f"{what} is too long for the clipboard: view it with v or export it with x",
            markup=False,
            severity="warning",
        )
        return
    certain = copy_natively(text)
    app.copy_to_clipboard(text)
    if certain:
        app.notify(f"Copied {what}", markup=False)
    else:
        app.notify(f"Sent {what} to the terminal's clipboard", markup=False)


def edit_text(session: Session, text: str, suffix: str) -> str | None:
    """Edit a text in the editor, which gets the terminal while it runs.

    Returns:
        The new text; ``None`` if it is unchanged or the editor could not be run.
    """
    try:
        with temporary_file(text, suffix) as file:
            show_file(session, "editor", file)
            changed = file.read_text("utf-8", "replace")
    except OSError as error:
        words = f"Cannot read the edited text: {error.strerror}"
        session.app.notify(words, markup=False, severity="warning")
        return None
    return None if changed == text else changed.removesuffix("\n")


def show_text(session: Session, program: str, text: str) -> None:
    """Show a text in the ``editor`` or ``pager``."""
    with temporary_file(text, ".txt") as file:
        show_file(session, program, file)


def show_file(session: Session, program: str, file: Path) -> None:
    """Open a file in the ``editor`` or ``pager``, which gets the terminal while it runs."""
    app = session.app
    try:
        command = _configured_command(session.config, program) or command_for(program)
        with app.suspend():
            run_command(command, file)
    except SuspendNotSupported:
        app.notify("Cannot run another program in this terminal", markup=False, severity="warning")
    except UsageError as error:
        app.notify(f"{error.message}. {error.hint}", markup=False, severity="warning")


_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_STEM = 80


def media_counts(media: Sequence[Medium]) -> str:
    """The number of files of each kind: ``2 images``, ``1 image and 1 audio file``."""
    words = {"image": "image", "audio": "audio file"}
    parts = []
    for kind, word in words.items():
        number = sum(medium.kind == kind for medium in media)
        if number:
            parts.append(f"{number} {word}{'s' if number > 1 else ''}")
    return " and ".join(parts)


def save_media(media: Iterable[Medium], folder: Path, name: str) -> list[Path]:
    """Write each image or audio clip to its own file. Call it in a thread.

    Args:
        media: The images and audio clips.
        folder: The target folder.
        name: Start of the file names; unsafe characters are replaced.

    Returns:
        The files written.

    Raises:
        UsageError: A file cannot be written, or an item has no valid data.
    """
    stem = _UNSAFE.sub("-", name).strip("-.")[:_MAX_STEM] or "row"
    written: list[Path] = []
    for number, medium in enumerate(media, 1):
        data = medium.data()
        if not data:
            raise UsageError(f"{medium.kind} {number} of the answer is not base64")
        written.append(_write(folder, f"{stem}-{number}", file_suffix(data), data))
    return written


def _write(folder: Path, stem: str, suffix: str, data: bytes) -> Path:
    for number in count(1):
        path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error
        return path
    raise AssertionError
