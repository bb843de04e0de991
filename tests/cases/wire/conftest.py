"""Runs the program against the server of a case, with a home of its own and short polls."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.cases.wire.provider import Provider
from tests.cli.conftest import isolate, run_here

KEY = "sk-tried-0123456789"
_POLL = "min_seconds = 0.2\nmax_seconds = 0.5\ngrace_404_seconds = 2\n"


class Case:
    """The program, an account at the server, and a file of requests."""

    def __init__(self, server: Provider, home: Path) -> None:
        self.server = server
        self.home = home
        self.environment: dict[str, str] = {}

    def step(
        self,
        *command: str,
        exits: tuple[int, ...] | None = None,
        counts: dict[str, int] | None = None,
        rows: dict[str, dict[str, Any]] | None = None,
        says: str = "",
        says_not: str = "",
        after: float = 0.0,
        timeout: float = 120.0,
    ) -> str:
        """Run a command, and check what is given; returns what it printed.

        Args:
            command: Its words; ``{input}`` is the file of requests.
            exits: The exit codes that are right.
            counts: Counts of the job document on stdout.
            rows: Fields of the row lines on stdout, by ``custom_id``; ``text`` and ``message``
                are patterns.
            says: A pattern that the output must hold.
            says_not: A pattern that it must not hold.
            after: Seconds to let pass before, where the server's time is a part of the case.
            timeout: Seconds until the command counts as hanging.
        """
        time.sleep(after)
        words = [word.replace("{input}", str(self.home / "input.jsonl")) for word in command]
        with pytest.MonkeyPatch.context() as patch, ended_after(timeout):
            self._set_environment(patch)
            done = run_here(*words)
        said = done.out + done.err
        if exits is not None:
            assert done.code in exits, said
        if counts is not None:
            found = done.document["counts"]
            assert {name: found[name] for name in counts} == counts, said
        for custom_id, right in (rows or {}).items():
            lines = {row["custom_id"]: row for row in done.rows}
            row = lines[custom_id]
            have = {**row, **{f"error_{k}": v for k, v in (row["error"] or {}).items()}}
            for name, value in right.items():
                key = {"message": "error_message", "retryable": "error_retryable"}.get(name, name)
                fits = have.get(key) == value
                if name in ("message", "text"):
                    fits = re.search(value, str(have.get(key))) is not None
                assert fits, f"{custom_id}: {name} is {have.get(key)!r}, right is {value!r}"
        assert re.search(says, said), said
        assert not (says_not and re.search(says_not, said)), said
        return said

    def submit(self, **expected: Any) -> str:
        """Submit the file and wait for its end, with a job document; see ``step``."""
        return self.step("submit", "{input}", "--wait", "--json", "-y", **expected)

    def _set_environment(self, patch: pytest.MonkeyPatch) -> None:
        isolate(self.home, patch)
        for name in list(os.environ):
            if name.lower().endswith("_proxy"):
                patch.delenv(name)
        plain = {"BATCHDECK_KEY_ACC": KEY, "NO_COLOR": "1", "TERM": "dumb"}
        for name, value in (plain | self.environment).items():
            patch.setenv(name, value)


@contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """End what hangs, also a program that waits in this thread.

    Raises:
        TimeoutError: The time is over.
    """

    def end(signal_number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


Start = Callable[..., Case]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the server of a case; see ``begin``."""
    with ExitStack() as opened:

        def begin(
            server: Provider,
            *ids: str,
            base: str = "openai-compatible",
            base_url: str = "http://127.0.0.1:{port}/v1",
            profile: str = "",
            account: str = "",
        ) -> Case:
            """Serve ``server``, and set up an account there.

            Args:
                server: The server.
                ids: The ids of the requests; four if none are given.
                base: The profile that the provider varies.
                base_url: Its address; ``{port}`` is the port of the server.
                profile: More of the provider's profile, in TOML.
                account: More of the account, in TOML.
            """
            opened.enter_context(server)
            url = base_url.format(port=server.port)
            (tmp_path / "config.toml").write_text(
                f'default_account = "acc"\n[providers.tried]\nbase = "{base}"\nname = "Tried"\n'
                f"[providers.tried.poll]\n{_POLL}{profile}\n"
                f'[accounts.acc]\nprovider = "tried"\nbase_url = "{url}"\n{account}\n'
            )
            lines = [
                json.dumps(request(custom_id)) for custom_id in ids or ("r1", "r2", "r3", "r4")
            ]
            (tmp_path / "input.jsonl").write_text("".join(f"{line}\n" for line in lines))
            return Case(server, tmp_path)

        yield begin


def request(custom_id: str) -> dict[str, Any]:
    """A request line."""
    message = {"role": "user", "content": f"Name a city, no. {custom_id}"}
    body = {"model": "m", "messages": [message]}
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    }
