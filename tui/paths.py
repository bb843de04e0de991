"""Where everything lives: one place, private to the user (folders 0700, files 0600)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

HOME_VARIABLE = "BATCHDECK_HOME"
"""Environment variable that puts configuration, history and files under one folder."""


@dataclass(frozen=True)
class Paths:
    """The folders and files of one installation.

    ``config`` holds what a person edits, ``data`` what the program keeps, ``logs`` what it
    noted. With ``BATCHDECK_HOME`` or ``--home`` the three are one folder.
    """

    config: Path
    data: Path
    logs: Path

    @classmethod
    def find(cls, home: Path | None = None) -> Paths:
        """The paths for an explicit home, else ``$BATCHDECK_HOME``, else the platform's."""
        named = home or os.environ.get(HOME_VARIABLE)
        if named:
            folder = Path(named).expanduser().absolute()
            return cls(config=folder, data=folder, logs=folder)
        from platformdirs import PlatformDirs

        dirs = PlatformDirs("batchdeck", appauthor=False)
        return cls(config=dirs.user_config_path, data=dirs.user_data_path, logs=dirs.user_log_path)

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
        """The SQLite history."""
        return self.data / "history.db"

    @property
    def jobs(self) -> Path:
        """One folder for each job: its requests and the result files of its batches."""
        return self.data / "jobs"

    @property
    def sandbox(self) -> Path:
        """The state of the provider that runs on this machine."""
        return self.data / "sandbox"

    @property
    def log_file(self) -> Path:
        """What the program noted about its own work."""
        return self.logs / "batchdeck.log"

    def job_folder(self, job_id: str) -> Path:
        """The folder of one job."""
        return self.jobs / job_id

    def ensure(self) -> Paths:
        """Make the folders that are missing, private to the user."""
        for folder in (self.config, self.data, self.logs, self.jobs):
            private_folder(folder)
        return self


def private_folder(folder: Path) -> Path:
    """Make a folder with mode 0700, its parents with the user's own default."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def open_private(path: Path, flags: int = os.O_WRONLY | os.O_CREAT | os.O_TRUNC) -> int:
    """A file descriptor for writing a file that only the user can read (0600)."""
    return os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
