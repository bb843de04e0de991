"""Which files an agent may read and write: those of some folders, and none that may hold a key."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tui.addresses import is_address, shown_address
from tui.core.jobs import is_job_source
from tui.core.text import quoted
from tui.errors import InputError
from tui.paths import is_folder, path_exists, split_part


class Folders:
    """The folders that an agent may use.

    Links are resolved before a path is checked. Files and folders whose name begins with a dot
    (``.env``, ``.ssh``, ``.aws``) are never used, nor are the folders of Batchdeck itself.

    Args:
        roots: The folders; relative paths start from the first.
        closed: Folders and files that are not used although they are inside.

    Raises:
        InputError: There is no such folder.
    """

    def __init__(self, roots: Sequence[Path], closed: Iterable[Path] = ()) -> None:
        self.roots = [root.resolve() for root in roots]
        self._closed = [path.resolve() for path in closed]
        for root in self.roots:
            if not is_folder(root):
                raise InputError(f"there is no folder {root}", "Name a folder that exists.")

    @property
    def text(self) -> str:
        """The folders as text."""
        return ", ".join(map(str, self.roots))

    def readable(self, name: str) -> Path:
        """The path of a file that may be read.

        Raises:
            InputError: It does not exist, or is not in one of the folders.
        """
        path = self._inside(name)
        if not path_exists(path):
            raise InputError(f"there is no file {quoted(name, 200)}", f"Folders: {self.text}.")
        return path

    def writable(self, name: str, *, overwrite: bool) -> Path:
        """The path of a file that may be written.

        Raises:
            InputError: It is not in one of the folders, its folder does not exist, or it exists
                and is not to be overwritten.
        """
        path = self._inside(name)
        if not is_folder(path.parent):
            raise InputError(f"there is no folder {path.parent}", "Write into one that exists.")
        if path_exists(path) and (not overwrite or is_folder(path)):
            raise InputError(
                f"{quoted(name, 200)} exists", "Choose another name, or set overwrite to true."
            )
        return path

    def source(self, spec: str) -> str:
        """A source for requests with an absolute path; a job is left as it is.

        Raises:
            InputError: A file of it is not in one of the folders, or it is standard input or an
                address.
        """
        if is_job_source(spec):
            return spec
        if spec.strip() == "-":
            raise InputError("standard input is taken by the protocol", "Name a file.")
        if is_address(spec.strip()):
            raise InputError(
                f"{shown_address(spec.strip())} is not fetched for an agent",
                f"Use a file in {self.text}; the user can fetch it with `batchdeck compose`.",
            )
        location, part = split_part(str(self.roots[0] / spec))
        if not path_exists(Path(location)) and glob.has_magic(location):
            names = glob.glob(location, recursive=True)  # noqa: PTH207
            for name in names or [location]:
                self._inside(name)
            return location
        path = self.readable(location)
        for inner in _files_of(path):
            self._inside(str(inner))
        return f"{path}::{part}" if part else str(path)

    def _inside(self, name: str) -> Path:
        try:
            path = (self.roots[0] / name).resolve()
        except (OSError, ValueError, RuntimeError):
            raise InputError(f"{quoted(name, 200)} cannot be a path", "Name a file.") from None
        root = next((root for root in self.roots if path.is_relative_to(root)), None)
        if root is None:
            raise InputError(
                f"{quoted(name, 200)} is outside of the folders of this server",
                f"Use a file in {self.text}; the user can add a folder with --folder.",
            )
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if hidden or any(path.is_relative_to(closed) for closed in self._closed):
            raise InputError(
                f"{quoted(name, 200)} may hold keys or settings and is not used",
                "Use another file.",
            )
        return path


def _files_of(path: Path) -> Iterator[Path]:
    if is_folder(path):
        yield from (inner for inner in path.iterdir() if not inner.name.startswith("."))
