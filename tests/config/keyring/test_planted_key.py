"""A key is planted, everything is done with it, and then it is searched for everywhere."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.broken_providers import server_answering
from tests.cli.conftest import request_line
from tests.config.keyring.conftest import Done, Run
from tests.end_to_end.servers import Served, join_all, sandbox
from tests.waiting import Patience

pytestmark = pytest.mark.long

KEY = "sk-planted-0b5e55ed1dea5fee1600d"
PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "doubleword": "doubleword"}


@pytest.fixture(scope="module", autouse=True)
def _all_servers_end() -> Iterator[None]:
    yield
    join_all()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    words = ["hello", "sandbox:flaky=500", "sandbox:fail=400"]
    lines = [request_line(f"row-{n}", f"{n} {words[n % 3]}", max_tokens=9) for n in range(30)]
    path.write_text("".join(lines), "utf-8")
    return path


def traces(text: bytes) -> list[str]:
    """The forms of the key that stand in some bytes."""
    whole = KEY.encode()
    forms = {
        "as it is": whole,
        "its secret part": whole[11:],
        "in base64": base64.b64encode(whole).rstrip(b"=")[:-1],
        "in hex": whole.hex().encode(),
    }
    return [name for name, form in forms.items() if form in text]


@pytest.mark.parametrize(
    "text", [f"x{KEY}x".encode(), KEY.encode().hex().encode(), base64.b64encode(KEY.encode())]
)
def test_the_search_finds_a_key(text: bytes) -> None:
    assert traces(text)
    assert traces(text[: len(text) // 4]) == []


def assert_nowhere(home: Path, done: list[Done]) -> None:
    for one in done:
        assert traces((one.out + one.err).encode()) == []
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    assert {str(path): found for path in files if (found := traces(path.read_bytes()))} == {}


def configure(home: Path, provider: str, url: str) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "config.toml").write_text(
        f'[accounts.there]\nprovider = "{provider}"\nbase_url = "{url}"\n'
        f"[providers.{provider}.poll]\nmin_seconds = 0.05\nmax_seconds = 0.1\n"
        f"[providers.{provider}.http]\nattempts = 1\n",
        "utf-8",
    )


@pytest.mark.parametrize("like", PROVIDERS)
def test_after_the_whole_loop_the_key_is_nowhere(
    like: str, batchdeck: Run, file: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    secret = {"BATCHDECK_KEY_THERE": KEY}
    with sandbox(like, key=KEY) as server:
        configure(home, PROVIDERS[like], server.url)
        sent = ["--account", "there", "--json"]
        done = [batchdeck("submit", str(file), "--wait", *sent, **secret)]
        assert done[0].code == 1, done[0].err
        done += [
            batchdeck("retry", "rows", "--wait", "--json", **secret),
            batchdeck("show", "rows", "--json", **secret),
            batchdeck("results", "rows", **secret),
            batchdeck("export", "rows", "-o", str(home / "out.csv"), **secret),
            batchdeck("keys", "status", "there", "--json", **secret),
            batchdeck("accounts", "test", "there", **secret),
            batchdeck("doctor", **secret),
        ]
        assert [one.code for one in done[1:]] == [1, 0, 0, 0, 0, 0, 0], done
    assert server.count("POST", "/batches")
    assert_nowhere(home, done)


ECHO = f'{{"error": {{"message": "Incorrect API key provided: {KEY}", "code": "{KEY}"}}}}'


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, ECHO, "application/json"),
        (403, f"<html>Authorization: Bearer {KEY}</html>", "text/html"),
        (400, ECHO, "application/json"),
        (500, f"Traceback: headers={{'x-api-key': '{KEY}'}}", "text/plain"),
        (200, f'{{"id": ["{KEY}"]}}', "application/json"),
        (200, f"<html>{KEY}</html>", "text/html"),
        (302, "", "text/html"),
    ],
)
def test_an_answer_that_repeats_the_key_does_not_spread_it(
    status: int, body: str, kind: str, batchdeck: Run, file: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    secret = {"BATCHDECK_KEY_THERE": KEY}
    with server_answering(status, body, kind) as url:
        configure(home, "openai", url)
        done = [
            batchdeck("submit", str(file), "--account", "there", "--json", **secret),
            batchdeck("accounts", "test", "there", **secret),
            batchdeck("sync", "--account", "there", **secret),
        ]
    assert all(one.code in (2, 3, 4) for one in done), done
    done += [batchdeck("list", "--json"), batchdeck("show", "rows", "--json")]
    assert_nowhere(home, done)


@pytest.mark.parametrize("odd", [f"{KEY}\u00fc", f"{KEY} and more", f"{KEY}\x07"])
def test_a_key_that_cannot_be_sent_is_not_shown(
    odd: str, batchdeck: Run, file: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    configure(home, "openai", "http://127.0.0.1:9")
    secret = {"BATCHDECK_KEY_THERE": odd}
    done = [batchdeck("submit", str(file), "--account", "there", **secret)]
    assert done[0].code == 4, done[0].err
    assert_nowhere(home, done)


CRASH = """
import sys
import tui.providers.wire.client as http
from tui.cli import main

async def crash(self, *arguments, **options):
    key = getattr(self, "_key", None)
    raise RuntimeError("the transport crashed")

http.HttpClient.ask = crash
main()
"""


def test_a_crash_leaves_a_traceback_without_the_key(file: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    configure(home, "openai", "http://127.0.0.1:9")
    crashed = subprocess.run(
        [sys.executable, "-c", CRASH, "accounts", "test", "there"],
        env={**os.environ, "BATCHDECK_KEY_THERE": KEY},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert crashed.returncode == 2, crashed.stderr
    assert "RuntimeError: the transport crashed" in (home / "batchdeck.log").read_text("utf-8")
    assert_nowhere(home, [Done(crashed.returncode, crashed.stdout, crashed.stderr)])


def _command_lines(root: int) -> dict[int, bytes]:
    """The words of a process and of those that it started, as ``ps`` shows them."""
    found: dict[int, bytes] = {}
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text("utf-8", "replace")
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
        except OSError:
            continue
    for pid in parents:
        above = pid
        while above not in (root, 0):
            above = parents.get(above, 0)
        if above == root:
            try:
                found[pid] = (Path("/proc") / str(pid) / "cmdline").read_bytes()
            except OSError:
                continue
    return found


def _asked(server: Served, end: str, pid: int) -> None:
    patience = Patience(30, pid)
    while not server.count("POST", end):
        assert not patience.is_over, f"it never asked, in {patience}"
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_no_process_has_the_key_among_its_words(file: Path, tmp_path: Path, batchdeck: Run) -> None:
    home = tmp_path / "home"
    with sandbox("openai", key=KEY, rows_per_second=0.1) as server:
        configure(home, "openai", server.url)
        running = subprocess.Popen(
            [sys.executable, "-m", "tui", "submit", str(file), "--account", "there", "--wait"],
            env={**os.environ, "BATCHDECK_KEY_THERE": KEY},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _asked(server, "/batches", running.pid)
            lines = _command_lines(running.pid)
            assert b"submit" in lines[running.pid]
            assert not any(traces(line) for line in lines.values())
        finally:
            running.terminate()
            out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert_nowhere(home, [Done(130, out, err)])


def test_the_key_is_no_argument(batchdeck: Run) -> None:
    refused = batchdeck("keys", "set", "openai", KEY)
    assert refused.code == 2
    assert traces(refused.out.encode()) == []
    piped = batchdeck("keys", "set", "openai", stdin=f"{KEY}\n")
    assert piped.code == 4, "the empty keyring of the tests keeps nothing"
    assert traces((piped.out + piped.err).encode()) == []
