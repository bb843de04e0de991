"""``completion``: shell completion, installed and removed by one command, or printed."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from tui.cli.options import Settings, shared, yes_option
from tui.cli.output import clean, print_done, print_result
from tui.cli.session import confirm
from tui.errors import UsageError

SHELLS = ("bash", "zsh", "fish")

_MARK = "  # batchdeck completion"
"""Ends the line that loads a script; by it the line is found again."""

_BASH_COMPLETION = (
    "/usr/share/bash-completion/bash_completion",
    "/usr/local/share/bash-completion/bash_completion",
    "/opt/homebrew/share/bash-completion/bash_completion",
    "/etc/bash_completion",
)
"""Where the package bash-completion is, which loads the scripts of its folder by itself."""

_LOAD_COMPDEF = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }\n"


@dataclass(frozen=True)
class Installation:
    """Where the completion of a shell is.

    Attributes:
        shell: The name of the shell.
        script: The file with the script.
        start_file: The file that gets a line which loads the script; ``None`` if the shell finds
            the script by itself.
    """

    shell: str
    script: Path
    start_file: Path | None

    @property
    def line(self) -> str:
        """The line of the start file, with its end."""
        path = shlex.quote(str(self.script))
        return f"[ -f {path} ] && . {path}{_MARK}\n"

    @property
    def files(self) -> str:
        """The files that are written, in words."""
        if self.start_file is None:
            return str(self.script)
        return f"{self.script}, and one line at the end of {self.start_file}"


def installation(shell: str, environment: Mapping[str, str], home: Path) -> Installation:
    """Where the completion of a shell goes.

    Args:
        shell: One of ``SHELLS``.
        environment: The environment variables.
        home: The user's folder.
    """
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    if shell == "fish":
        return Installation(shell, config / "fish" / "completions" / "batchdeck.fish", None)
    if shell == "zsh":
        start = Path(environment.get("ZDOTDIR") or home) / ".zshrc"
        return Installation(shell, data / "batchdeck" / "completion.zsh", start)
    script = data / "bash-completion" / "completions" / "batchdeck"
    is_loaded = any(Path(place).is_file() for place in _BASH_COMPLETION)
    return Installation(shell, script, None if is_loaded else home / ".bashrc")


def completion_script(program: click.Command, shell: str) -> str:
    """The script that completes the commands of a program in a shell."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    # Without ``source``, which starts bash to ask for its version.
    made = kind(program, {}, "batchdeck", "_BATCHDECK_COMPLETE")
    script = made.source_template % made.source_vars()
    return (_LOAD_COMPDEF if shell == "zsh" else "") + script.strip("\n") + "\n"


def _chosen(shell: str | None) -> str:
    """The shell that was named, else the user's.

    Raises:
        UsageError: It is none of those that can be completed.
    """
    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        known = ", ".join(SHELLS)
        problem = f"no completion for {clean(name)!r}" if name else "SHELL is not set"
        raise UsageError(problem, f"Name a shell: batchdeck completion install SHELL ({known}).")
    return name


_shell_argument = click.argument("shell", required=False, metavar="[bash|zsh|fish]")


@click.group(short_help="Install, remove or print shell completion.")
def completion() -> None:
    """Complete commands, options, jobs, accounts and queries in bash, zsh and fish."""


@completion.command("install")
@_shell_argument
@yes_option
@shared
@click.pass_context
def install(context: click.Context, settings: Settings, shell: str | None) -> None:
    """Install completion for a shell; by default for the one in $SHELL.

    The files that are written are named first. Installing again updates them.
    """
    place = installation(_chosen(shell), os.environ, Path.home())
    script = completion_script(context.find_root().command, place.shell)
    undo = f"To undo it: batchdeck completion uninstall {place.shell}"
    document = {"shell": place.shell, "installed": str(place.script), "changed": False}
    if _read(place.script) == script and _has_line(place):
        print_done(settings, document, f"Already installed in {place.files}. {undo}")
        return
    import asyncio

    asyncio.run(confirm(settings, f"Write {place.files}?"))
    _write(place.script, script)
    if place.start_file is not None and not _has_line(place):
        text = _without_line(_read(place.start_file))
        gap = "" if text.endswith("\n") or not text else "\n"
        _write(place.start_file, f"{text}{gap}{place.line}")
    message = f"Wrote {place.files}. Open a new shell to use it. {undo}"
    print_done(settings, {**document, "changed": True}, message)


@completion.command("uninstall")
@_shell_argument
@yes_option
@shared
def uninstall(settings: Settings, shell: str | None) -> None:
    """Remove what `completion install` has written."""
    place = installation(_chosen(shell), os.environ, Path.home())
    document = {"shell": place.shell, "uninstalled": str(place.script), "changed": False}
    has_line = place.start_file is not None and _MARK in _read(place.start_file)
    if not place.script.exists() and not has_line:
        print_done(settings, document, f"Not installed for {place.shell}.")
        return
    import asyncio

    asyncio.run(confirm(settings, f"Remove {place.files}?"))
    if has_line and place.start_file is not None:
        _write(place.start_file, _without_line(_read(place.start_file)))
    place.script.unlink(missing_ok=True)
    print_done(settings, {**document, "changed": True}, f"Removed {place.files}.")


@completion.command("show")
@_shell_argument
@shared
@click.pass_context
def show(context: click.Context, settings: Settings, shell: str | None) -> None:
    """Print the script, to install it in another way."""
    name = _chosen(shell)
    script = completion_script(context.find_root().command, name)
    print_result(
        settings,
        lambda: {"shell": name, "script": script},
        lambda: script.rstrip("\n").split("\n"),
    )


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def _has_line(place: Installation) -> bool:
    return place.start_file is None or place.line in _read(place.start_file)


def _without_line(text: str) -> str:
    return re.sub(rf"^.*{re.escape(_MARK)}\n?", "", text, flags=re.MULTILINE)


def _write(file: Path, text: str) -> None:
    """Replace a file, or what a link points to; an existing one keeps its mode."""
    from tui.files import atomic_write

    file = file.resolve()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else 0o644
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    atomic_write(file, text.encode("utf-8", "surrogateescape"), UsageError)
    file.chmod(mode)
