"""Killed while an experiment is sent: the same command and a watch send each job exactly once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run, batchdeck, environment, home, run  # noqa: F401
from tests.end_to_end.servers import sandbox
from tui.engine.context import KILL_VARIABLE

pytestmark = pytest.mark.long

CONFIG = """
default_account = "far"
[budget]
per_month = 100
[prices.m]
input = 0
output = 1000
[providers.openai.poll]
min_seconds = 0.05
max_seconds = 0.2
confirm_seconds = 1
[accounts.far]
provider = "openai"
base_url = "{url}"
"""
COMMAND = ("experiment", "run", "food.csv", "--name", "food", "-t", "a.toml", "-t", "b.toml", "-y")


@pytest.mark.parametrize("step", ["imported", "reserved", "confirmed", "create answered"])
def test_kill_and_run_again(
    step: str,
    batchdeck: Run,  # noqa: F811
    environment: dict[str, str],  # noqa: F811
    home: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    (tmp_path / "food.csv").write_text("food\nbread\nmilk\n")
    for name in "ab":
        prompt = f'user = "{name} {{food}}"\nmodel = "m"\nmax_tokens = 1000\n'
        (tmp_path / f"{name}.toml").write_text(prompt)
    environment["BATCHDECK_KEY_FAR"] = "none"
    home.mkdir(mode=0o700)
    with sandbox("openai") as server:
        (home / "config.toml").write_text(CONFIG.format(url=server.url))
        died = subprocess.run(
            [sys.executable, "-m", "tui", *COMMAND],
            env={**environment, KILL_VARIABLE: step},
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert died.returncode == -9, died.stderr
        again = batchdeck(*COMMAND, BATCHDECK_KEY_FAR="none")
        assert again.code in (0, 2), again.err
        assert again.code == 0 or "sent already" in again.err
        watched = batchdeck("watch", "--json", BATCHDECK_KEY_FAR="none")
        assert watched.code == 0, watched.err
        jobs = batchdeck("list", "--json").document
        assert sorted(job["name"] for job in jobs) == ["food-m-a", "food-m-b"]
        assert [job["counts"]["succeeded"] for job in jobs] == [2, 2]
        assert server.count("POST", "/batches") == 2
