"""Temporary folders of killed programs go with the next start; those of living ones stay."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tui.sandbox.backend import claimed_folder, release_folder
from tui.temporary import remove_abandoned, temporary_folder

HOLD = {
    "tui": "from tui.temporary import temporary_folder\n"
    "with temporary_folder('x') as f:\n    print(f, flush=True); input()",
    "sandbox": "from tui.sandbox.backend import claimed_folder\n"
    "print(claimed_folder('bd-'), flush=True); input()",
}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def sweep(whose: str) -> None:
    if whose == "tui":
        remove_abandoned()
    else:
        release_folder(claimed_folder("bd-"))


@pytest.mark.parametrize("whose", ["tui", "sandbox"])
def test_a_folder_lives_as_long_as_its_program(whose: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD[whose]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    folder = Path(process.stdout.readline().decode().strip())
    assert folder.is_dir()
    sweep(whose)
    assert folder.is_dir(), "its program lives"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    sweep(whose)
    assert not folder.exists()


def test_a_folder_goes_at_the_end_of_the_block() -> None:
    with temporary_folder("x") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        remove_abandoned()
        assert folder.is_dir()
    assert not folder.exists()


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    other = tmp_path / "batchdeck-other"
    other.mkdir()
    (tmp_path / "batchdeck-file").write_text("")
    remove_abandoned()
    assert other.is_dir() and (tmp_path / "batchdeck-file").exists()


@pytest.mark.parametrize("whose", ["tui", "sandbox"])
def test_a_folder_that_is_being_created_is_not_removed(
    whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two programs start at once: the second looks just before the first one has its lock."""
    fcntl = pytest.importorskip("fcntl")
    flock = fcntl.flock
    looked: list[int] = []

    def late(descriptor: int, how: int) -> None:
        if not looked:
            looked.append(descriptor)
            sweep(whose)
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with contextlib.ExitStack() as stack:
        if whose == "tui":
            folder = stack.enter_context(temporary_folder("x"))
        else:
            folder = claimed_folder("bd-")
            stack.callback(release_folder, folder)
        assert looked
        assert folder.is_dir()
        sweep(whose)
        assert folder.is_dir()
    assert not folder.exists()
