"""Disks that are full or read-only, and histories with damaged files."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.commands import Commands
from tests.faults.wire_bench import requests_file
from tests.sandbox.conftest import running
from tui.logs import LOGGER
from tui.paths import Paths
from tui.sandbox.options import SandboxOptions

ROWS = 12
_MOUNT = 4 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    words = [mount, "-t", "tmpfs", "-o", f"size={_MOUNT}", "tmpfs", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, left: int = 0) -> Path:
    """Fill a file system, except for some bytes."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError:
            pass
        if left:
            stream.truncate(max(stream.tell() - left, 0))
    return filler


@pytest.fixture
def far(tmp_path: Path) -> Iterator[str]:
    """A provider on a port, with its state on another disk."""
    with running(SandboxOptions(home=tmp_path / "provider", rows_per_second=0)) as url:
        yield url


def use(home: Path, url: str) -> None:
    paths = Paths.find(home).ensure()
    paths.config_file.write_text(
        'default_account = "far"\n'
        f'[accounts.far]\nprovider = "near"\nbase_url = "{url}/v1"\n'
        '[providers.near]\nbase = "sandbox"\n'
        "poll = { min_seconds = 0.05, max_seconds = 0.1 }\n"
    )


def test_an_import_that_does_not_fit_leaves_nothing(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(small / "home", monkeypatch)
    large = tmp_path / "large.jsonl"
    line = json.loads(requests_file(tmp_path, 1).read_text())
    line["body"]["messages"][0]["content"] = "x" * 1000
    with large.open("w") as stream:
        for n in range(6000):
            stream.write(json.dumps({**line, "custom_id": f"r{n}"}) + "\n")
    said = commands("submit", large)
    assert said.is_clear_error(), said
    assert "No space left" in said.err or "full" in said.err
    assert list((small / "home" / "jobs").iterdir()) == []
    assert commands("list", "--json").document == []
    # What fits goes through afterwards.
    assert commands("submit", requests_file(tmp_path, 3), "--wait", "--json").code == 0


def test_a_disk_that_fills_during_a_download_loses_nothing(
    small: Path, tmp_path: Path, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(small / "home", far)
    commands = Commands(small / "home", monkeypatch)
    rows = 400
    sent = commands("submit", requests_file(tmp_path, rows), "--json", "--yes")
    assert sent.code == 0, sent.err
    job = sent.document["id"]
    filler = fill(small, left=32 << 10)
    full = commands.in_process("collect", job)
    assert full.is_clear_error(), full
    assert "space" in full.err
    filler.unlink()
    again = commands("watch", job, "--json")
    assert again.code == 0, again.err
    assert again.document["counts"]["succeeded"] == rows
    assert len(again.document["batches"]) == 1
    assert again.document["strays"] == {"unknown": 0, "duplicate": 0, "unreadable": 0}
    texts = [row["text"] for row in commands("results", job).rows]
    assert texts == [f"answer {n} to all" for n in range(rows)]


@pytest.mark.parametrize("left", [0, 4096, 16384])
def test_a_full_disk_is_reported_and_the_job_can_be_submitted_later(
    left: int, small: Path, tmp_path: Path, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(small / "home", far)
    commands = Commands(small / "home", monkeypatch)
    assert commands("list").code == 0
    filler = fill(small, left=left)
    said = commands("submit", requests_file(tmp_path, 40), "--yes")
    assert said.code == 0 or said.is_clear_error(), said
    for words in (["list"], ["doctor"], ["providers"]):
        other = commands(*words)
        assert other.code in (0, 1) or other.is_clear_error(), other
    filler.unlink()
    for job in commands("list", "--json").document:
        if job["status"] in ("draft", "submitting"):
            assert commands("submit", job["id"], "--yes").code == 0
        assert commands("watch", job["id"], "--json").document["counts"]["succeeded"] == 40
    if not commands("list", "--json").document:
        assert commands("submit", requests_file(tmp_path, 40), "--wait", "--yes").code == 0
    assert len(commands("sync", "--json").document) == 1


def test_a_read_only_disk(
    small: Path, tmp_path: Path, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(small / "home", far)
    commands = Commands(small / "home", monkeypatch)
    job = commands("submit", requests_file(tmp_path, ROWS), "--wait", "--json", "--yes").document
    for handler in LOGGER.handlers:
        # A file that is open for writing keeps its file system writable.
        handler.close()
    # Connections of threads close with the last reference to them.
    gc.collect()
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    for words in (
        ["list"],
        ["show", job["id"]],
        ["results", job["id"]],
        ["submit", str(requests_file(tmp_path, ROWS)), "--yes"],
        ["cancel", job["id"], "--yes"],
        ["delete", job["id"], "--yes"],
        ["accounts", "add", "x", "--provider", "openai"],
    ):
        said = commands(*words)
        assert said.code == 0 or said.is_clear_error(), (words, said)
    subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)
    assert commands("show", job["id"], "--json").document["counts"]["succeeded"] == ROWS
    assert len(commands("sync", "--json").document) == 1


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Commands, str]:
    """A home with a finished job of twelve rows."""
    commands = Commands(tmp_path / "home", monkeypatch)
    said = commands("submit", requests_file(tmp_path, ROWS), "--wait", "--json")
    assert said.code == 0, said.err
    return commands, said.document["id"]


READING = (
    ["list"],
    ["list", "--search", "requests"],
    ["show", "JOB"],
    ["results", "JOB"],
    ["results", "JOB", "--search", "answer"],
    ["export", "JOB", "-o", "OUT.csv"],
    ["watch", "JOB"],
    ["collect", "JOB"],
    ["retry", "JOB", "--all", "--yes"],
    ["cancel", "JOB", "--yes"],
    ["submit", "JOB", "--yes"],
    ["delete", "JOB", "--yes"],
)


def _zero_header(data: bytearray) -> None:
    data[:100] = bytes(100)


def _zero_pages(data: bytearray) -> None:
    data[4096:] = bytes(len(data) - 4096)


def _noise(data: bytearray) -> None:
    for at in range(5000, len(data), 97):
        data[at] ^= 0xFF


def _cut(data: bytearray) -> None:
    del data[len(data) // 2 :]


def _text(data: bytearray) -> None:
    data[:] = b"this is not a database\n" * 500


@pytest.mark.parametrize("harm", [_zero_header, _zero_pages, _noise, _cut, _text])
def test_a_damaged_history_is_reported_and_left_unchanged(
    harm: Callable[[bytearray], None], done: tuple[Commands, str], tmp_path: Path
) -> None:
    commands, job = done
    file = commands.home / "history.db"
    for beside in commands.home.glob("history.db-*"):
        beside.unlink()
    data = bytearray(file.read_bytes())
    harm(data)
    file.write_bytes(data)
    before = {path.name for path in (commands.home / "jobs" / job).iterdir()}
    told = 0
    for words in READING[:-1]:
        said = commands(*(w.replace("JOB", job).replace("OUT", f"{tmp_path}/o") for w in words))
        assert said.code in (0, 1) or said.is_clear_error(), (words, said)
        told += said.code == 2
    assert told
    assert {path.name for path in (commands.home / "jobs" / job).iterdir()} >= before
    checked = commands("doctor")
    assert checked.code in (0, 1, 2)
    assert "Traceback" not in checked.err
    assert "damaged" in checked.out + checked.err or "cannot read" in checked.out + checked.err


@pytest.mark.parametrize("harm", ["missing", "cut", "other", "garbage"])
def test_a_damaged_result_file(harm: str, done: tuple[Commands, str], tmp_path: Path) -> None:
    commands, job = done
    (file,) = (commands.home / "jobs" / job).glob("*.output.jsonl")
    data = file.read_bytes()
    if harm == "missing":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif harm == "other":
        # Each row's place holds the answer of another row.
        file.write_bytes(b"\n".join(reversed(data.splitlines())) + b"\n")
    else:
        file.write_bytes(bytes(len(data)))
    assert commands("show", job, "--json").document["counts"]["succeeded"] == ROWS
    out = tmp_path / "out.jsonl"
    for words in (["results", job], ["export", job, "-o", str(out)]):
        said = commands(*words)
        assert said.is_clear_error(), said
        assert file.name in said.err
        rows = [json.loads(line) for line in said.out.splitlines()]
        for row in rows:
            # What is given before the damage is right.
            assert row["text"] == f"answer {row['custom_id'].removeprefix('row-')} to all"
    assert not out.exists()
    if harm in ("missing", "cut"):
        checked = commands("doctor")
        assert file.name in checked.out + checked.err


def test_missing_requests_are_not_sent(
    tmp_path: Path, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(tmp_path / "home", monkeypatch)
    use(commands.home, "http://127.0.0.1:9")
    said = commands("submit", requests_file(tmp_path, ROWS), "--yes")
    assert said.code == 3
    (job,) = commands("list", "--json").document
    use(commands.home, far)
    requests = commands.home / "jobs" / job["id"] / "requests.jsonl"
    kept = requests.read_bytes()
    for harm in ("missing", "cut"):
        requests.unlink(missing_ok=True)
        if harm == "cut":
            requests.write_bytes(kept[: len(kept) // 2])
        said = commands("submit", job["id"], "--yes")
        assert said.is_clear_error(), said
        assert commands("sync", "--json").document == []
    requests.write_bytes(kept)
    assert commands("submit", job["id"], "--wait", "--yes").code == 0
    assert len(commands("sync", "--json").document) == 1
