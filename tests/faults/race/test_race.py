"""A short race; a long one: ``python -m tests.faults.race.race --seconds 60 --kill 5``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.race.race import account, race
from tests.faults.race.racer import request
from tests.sandbox.conftest import running
from tui.paths import Paths
from tui.sandbox.options import SandboxOptions

pytestmark = pytest.mark.long


def test_two_programs_on_one_history_one_of_them_killed(tmp_path: Path) -> None:
    report = race(4.0, 2, 1.5, tmp_path)
    assert not report["wrong"]
    assert report["killed"] >= 1
    assert report["jobs"] > 5


def test_three_commands_that_submit_one_job_pay_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    file = tmp_path / "requests.jsonl"
    file.write_text("".join(request(f"r-{n}", "hello") for n in range(5)))
    environment = {**os.environ, "BATCHDECK_HOME": str(home)}

    def command(*words: str) -> list[str]:
        return [sys.executable, "-m", "tui", *words]

    with running(SandboxOptions(home=tmp_path / "provider", rows_per_second=0)) as url:
        Paths.find(home).ensure().config_file.write_text(account("http://127.0.0.1:9"))
        # Nobody listens there: the job stays a draft.
        failed = subprocess.run(
            command("submit", str(file), "--json"),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert failed.returncode == 3, failed.stderr
        Paths.find(home).config_file.write_text(account(url))
        programs = [
            subprocess.Popen(
                command("submit", "requests", "--wait", "--json"),
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        ends = [(program.communicate(timeout=60), program.returncode) for program in programs]
        documents = [json.loads(out) for (out, _), code in ends if code == 0]
        assert documents, ends
        for (_, errors), code in ends:
            assert code in (0, 2), errors
            assert "Traceback" not in errors
        assert all(document["counts"]["succeeded"] == 5 for document in documents)
        listed = subprocess.run(
            command("sync", "--json"), env=environment, capture_output=True, text=True, check=True
        )
    assert len(json.loads(listed.stdout)) == 1
