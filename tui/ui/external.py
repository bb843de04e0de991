"""Other programs: editor, pager and clipboard, each with a plain word where there is none."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from tui.config import Config
from tui.errors import UsageError
from tui.ui.messages import ExternalRequested
from tui.ui.signals import CopyRequested

CLIPBOARD_CAP = 512 * 1024
"""Characters that go to the clipboard; terminals drop or choke on more."""

_CLIPBOARDS = (
    (("pbcopy",), ""),
    (("wl-copy",), "WAYLAND_DISPLAY"),
    (("xclip", "-selection", "clipboard"), "DISPLAY"),
    (("xsel", "--clipboard", "--input"), "DISPLAY"),
    (("clip.exe",), ""),
)


def command_for(program: str) -> list[str]:
    """The command line of the editor or pager that the person uses.

    Raises:
        UsageError: There is none.
    """
    if program == "editor":
        names = [os.environ.get("VISUAL"), os.environ.get("EDITOR"), "nano", "vi"]
        hint = "Set EDITOR to the editor that you use."
    else:
        names = [os.environ.get("PAGER"), "less", "more"]
        hint = "Set PAGER to the pager that you use."
    for name in names:
        if name:
            words = shlex.split(name)
            if words and shutil.which(words[0]):
                return words
    raise UsageError(f"no {program} was found", hint)


def _wanted_command(app: App[Any], program: str) -> list[str]:
    """The editor or pager that the settings name; nothing when they name none that is here."""
    config: Config | None = getattr(app, "config", None)
    words = shlex.split(getattr(config, program, ""))
    return words if words and shutil.which(words[0]) else []


def run_on(command: list[str], path: Path) -> None:
    """Run a program on a file and wait for it; the terminal is its own meanwhile.

    Raises:
        UsageError: It cannot be run.
    """
    try:
        subprocess.run([*command, str(path)], check=False)
    except OSError as error:
        raise UsageError(f"{command[0]} cannot be run: {error.strerror}") from error


def temporary_file(text: str, suffix: str) -> Path:
    """A file with a text that only the user can read; the caller removes it."""
    descriptor, name = tempfile.mkstemp(prefix="batchdeck-", suffix=suffix)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(text)
    return Path(name)


def copy_natively(text: str) -> bool:
    """Hand a text to the clipboard program of this machine; false when there is none."""
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


def copy(app: App[Any], asked: CopyRequested) -> None:
    """Copy a text by the machine's own program and by the terminal, and say what is certain."""
    if len(asked.text) > CLIPBOARD_CAP:
        app.notify(
            f"{asked.what} is too long for the clipboard: read it with v, or export it with x",
            markup=False,
            severity="warning",
        )
        return
    certain = copy_natively(asked.text)
    app.copy_to_clipboard(asked.text)
    if certain:
        app.notify(f"Copied {asked.what}", markup=False)
    else:
        app.notify(f"Sent {asked.what} to the terminal's clipboard", markup=False)


def edit_text(app: App[Any], text: str, suffix: str) -> str | None:
    """Let a text be changed in the editor; the answer is the new one, ``None`` when it is not.

    The terminal is handed over meanwhile.
    """
    made: Path | None = None
    try:
        command = _wanted_command(app, "editor") or command_for("editor")
        made = temporary_file(text, suffix)
        with app.suspend():
            run_on(command, made)
        changed = made.read_text("utf-8", "replace")
        return None if changed == text else changed.removesuffix("\n")
    except SuspendNotSupported:
        app.notify("Another program cannot be shown here", markup=False, severity="warning")
    except UsageError as error:
        app.notify(f"{error.message}. {error.hint}", markup=False, severity="warning")
    except OSError as error:
        app.notify(f"The text is lost: {error.strerror}", markup=False, severity="warning")
    finally:
        if made is not None:
            made.unlink(missing_ok=True)
    return None


def show_outside(app: App[Any], asked: ExternalRequested) -> None:
    """Show a text or a file in the editor or pager, with the terminal handed over."""
    made: Path | None = None
    try:
        command = _wanted_command(app, asked.program) or command_for(asked.program)
        path = asked.path
        if path is None:
            path = made = temporary_file(asked.text, asked.suffix)
        with app.suspend():
            run_on(command, path)
    except SuspendNotSupported:
        app.notify("Another program cannot be shown here", markup=False, severity="warning")
    except UsageError as error:
        app.notify(f"{error.message}. {error.hint}", markup=False, severity="warning")
    finally:
        if made is not None:
            made.unlink(missing_ok=True)
