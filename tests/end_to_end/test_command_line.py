"""The whole loop with the program, against ``sandbox serve`` in another process."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Run, batchdeck, command, environment, home  # noqa: F401
from tests.end_to_end.conftest import KEY
from tests.end_to_end.rows import ROWS, Maker, chat, expected, own_models, params, written

pytestmark = pytest.mark.long


@contextmanager
def served(like: str, environment: dict[str, str]) -> Iterator[str]:  # noqa: F811
    """The address of ``batchdeck sandbox serve --like …`` with a key."""
    server = subprocess.Popen(
        command("sandbox", "serve", "--like", like, "--key", KEY, "--rows-per-second", "0"),
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.stdout.close()
        assert server.wait(20) == 0


@pytest.mark.parametrize(
    ("like", "provider", "make"),
    [
        ("scaledown", "scaledown", own_models),
        ("scaledown-2", "scaledown", own_models),
        ("melious", "melious", chat),
        ("doubleword", "doubleword", chat),
        ("anthropic", "anthropic", params),
        ("tensorzero", "tensorzero", chat),
    ],
)
def test_the_whole_loop(
    like: str,
    provider: str,
    make: Maker,
    batchdeck: Run,  # noqa: F811
    environment: dict[str, str],  # noqa: F811
    home: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "rows.jsonl", make)
    words = expected()
    flaky = words["sandbox:flaky=500"] + words["sandbox:flaky=429"]
    bad = words["sandbox:fail=400"]
    secret = {"BATCHDECK_KEY_THERE": KEY}
    with served(like, environment) as url:
        home.mkdir(mode=0o700)
        (home / "config.toml").write_text(
            f'default_account = "there"\n[accounts.there]\nprovider = "{provider}"\n'
            f'base_url = "{url}"\n'
            f"[providers.{provider}.poll]\nmin_seconds = 0.05\nmax_seconds = 0.1\n",
            "utf-8",
        )
        assert batchdeck("accounts", "test", "there").code == 4
        done = batchdeck("submit", path, "--wait", "--json", **secret)
        assert done.code == 1, done.err
        job = done.document
        assert job["counts"]["failed"] == flaky + bad
        again = batchdeck("retry", job["id"], "--wait", "--json", **secret)
        assert again.code == 1, again.err
        counts = again.document["counts"]
        assert counts["failed"] == bad
        assert counts["truncated"] == words["sandbox:truncate"]
        assert counts["refused"] == words["sandbox:refuse"]
        assert counts["succeeded"] == ROWS - bad - counts["truncated"] - counts["refused"]
        rows = batchdeck("results", job["id"], "--outcome", "succeeded").rows
        assert len(rows) == counts["succeeded"]
        assert all(row["text"] or row["data"] for row in rows)
        third = batchdeck("retry", job["id"], "--json", **secret)
        assert third.code == 2, third.err
