"""Paths of configuration, history and log, private to the user (folders 0700, files 0600).

Also the paths that people type: ``expand_home``, ``is_file`` and the like never raise, whatever
the name is: ``~nobody``, 5,000 characters, a folder that may not be entered.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tui.errors import UsageError

HOME_VARIABLE = "BATCHDECK_HOME"
"""Environment variable naming one folder for configuration, history and log."""


@dataclass(frozen=True)
class Paths:
    """The folders and files of one installation.

    ``config`` holds the files that the user edits, ``data`` the history, ``logs`` the log.
    With ``BATCHDECK_HOME`` or ``--home`` all three are the same folder.
    """

    config: Path
    data: Path
    logs: Path

    @classmethod
    def find(cls, home: Path | None = None) -> Paths:
        """Paths for an explicit home, else ``$BATCHDECK_HOME``, else the platform's defaults.

        Raises:
            UsageError: None is given, and the user has no home folder.
        """
        named = home or os.environ.get(HOME_VARIABLE)
        if named:
            folder = working_folder() / expand_home(named)
            return cls(config=folder, data=folder, logs=folder)
        from platformdirs import PlatformDirs

        dirs = PlatformDirs("batchdeck", appauthor=False)
        try:
            found = cls(
                config=dirs.user_config_path, data=dirs.user_data_path, logs=dirs.user_log_path
            )
        except RuntimeError:
            found = None
        # For a user without a home platformdirs raises, or in older versions leaves ``~`` as it is.
        if found is None or not found.data.is_absolute():
            raise UsageError(
                "this user has no home folder",
                f"Set HOME or {HOME_VARIABLE}, or give a folder with --home.",
            )
        return found

    @property
    def config_file(self) -> Path:
        """``config.toml``."""
        return self.config / "config.toml"

    @property
    def templates(self) -> Path:
        """Saved compose templates."""
        return self.config / "templates"

    @property
    def history_db(self) -> Path:
        """The history's SQLite database."""
        return self.data / "history.db"

    @property
    def jobs(self) -> Path:
        """One folder per job, with its requests and the result files of its batches."""
        return self.data / "jobs"

    @property
    def sandbox(self) -> Path:
        """State of the sandbox provider."""
        return self.data / "sandbox"

    @property
    def log_file(self) -> Path:
        """The log file."""
        return self.logs / "batchdeck.log"

    def job_folder(self, job_id: str) -> Path:
        """The folder of a job."""
        return self.jobs / job_id

    def ensure(self) -> Paths:
        """Create missing folders, private to the user.

        Raises:
            UsageError: One cannot be created.
        """
        for folder in (self.config, self.data, self.logs, self.jobs):
            try:
                private_folder(folder)
            except OSError as error:
                raise UsageError(
                    f"the folder {folder} cannot be created: {error.strerror or error}",
                    f"Check its permissions, or choose another with --home or {HOME_VARIABLE}.",
                ) from error
        return self


def private_folder(folder: Path) -> Path:
    """Create a folder with mode 0700; missing parents get the default mode."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def open_private(path: Path, flags: int = os.O_WRONLY | os.O_CREAT | os.O_TRUNC) -> int:
    """Open a file for writing that only the user can read (0600); gives the descriptor."""
    return os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)


def lock_file(descriptor: int) -> bool | None:
    """Lock an open file for this process, until it is closed.

    Returns:
        ``False`` if another process has locked it, ``None`` where files cannot be locked.
    """
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def expand_home(path: str | Path) -> Path:
    """A path with ``~`` replaced; unchanged if there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def home_folder() -> Path | None:
    """The home of the user; ``None`` if there is none, as in many containers."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def working_folder() -> Path:
    """The working folder; the root folder if it was deleted."""
    try:
        return Path.cwd()
    except OSError:
        return Path("/")


def is_file(path: Path) -> bool:
    """Whether it is a file that may be looked at."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        # A name that is too long, a folder that may not be entered, a NUL or a lone surrogate.
        return False


def is_folder(path: Path) -> bool:
    """Whether it is a folder that may be looked at."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def path_exists(path: Path) -> bool:
    """Whether there is anything at a path, as far as one may look."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def split_part(spec: str) -> tuple[str, str]:
    """Split ``PATH::PART`` into path and part; a file that has ``::`` in its name has no part."""
    # At the last mark before which a file is: names and parts may both have marks.
    if path_exists(expand_home(spec)):
        return spec, ""
    cut = spec.find("::")
    at = cut
    while at >= 0:
        if path_exists(expand_home(spec[:at])):
            return spec[:at], spec[at + 2 :]
        at = spec.find("::", at + 2)
    return (spec, "") if cut < 0 else (spec[:cut], spec[cut + 2 :])
