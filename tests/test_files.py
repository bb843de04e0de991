"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui.errors import BatchdeckError, ConfigError, HistoryError, InputError
from tui.files import atomic_file, atomic_path, atomic_write, temporary_path


def test_a_file_is_private_and_complete(tmp_path: Path) -> None:
    path = tmp_path / "out"
    atomic_write(path, b"one")
    atomic_write(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    with atomic_file(path) as file:
        file.write(b"three")
        assert path.read_bytes() == b"two"
    assert path.read_bytes() == b"three"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_in_the_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_bytes(b"new")
        _ = 1 / 0
    with pytest.raises(FileNotFoundError), atomic_file(path):
        # An error of another file keeps its type.
        (tmp_path / "other").read_bytes()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [InputError, HistoryError, ConfigError])
def test_write_errors_have_the_class_of_the_caller(
    error: type[BatchdeckError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(error, match="none/out' cannot be written: No such file") as caught:
        atomic_write(tmp_path / "none" / "out", b"", error)
    assert caught.value.hint == "Create the folder first."
    assert type(caught.value) is error
    with pytest.raises(error, match="is a folder"):
        atomic_write(tmp_path, b"", error)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(error, match="No space left") as caught:
        atomic_write(tmp_path / "out", b"", error)
    assert "Free some space" in caught.value.hint
    with pytest.raises(OSError, match="No space left"):
        atomic_write(tmp_path / "out", b"", None)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    ours = temporary_path(tmp_path / "out")
    dead = tmp_path / ours.name.replace(f".{os.getpid()}.", ".4194304.")
    for left in (ours, dead):
        left.touch()
    atomic_write(tmp_path / "other", b"")
    assert sorted(tmp_path.iterdir()) == sorted([ours, tmp_path / "other"])
