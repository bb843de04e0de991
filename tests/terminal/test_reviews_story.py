"""The story of ``reviews_story`` with a few hundred reviews."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.terminal.reviews_story import ODD, Size, Story

pytestmark = pytest.mark.long


def test_from_reviews_to_better_labels(tmp_path: Path) -> None:
    size = Size.of(400)
    story = Story(tmp_path, size)
    try:
        story.run()
    finally:
        story.terminal.kill()

    def asked(*words: str) -> list[str]:
        command = [sys.executable, "-m", "tui", "results", *words]
        home = ["--home", str(tmp_path / "home")]
        done = subprocess.run([*command, *home], capture_output=True, check=True, text=True)
        return [json.loads(line)["custom_id"] for line in done.stdout.splitlines()]

    reviewed = asked("reviews", "--where", "review:any,earlier")
    judged = asked("reviews", "--where", "reviews-next.@score:any")
    # The odd ones were either reviewed or judged, and the wrong ones were answered again.
    assert len(reviewed) == len(judged) == size.odd // 2
    assert set(reviewed).isdisjoint(judged)
    assert len(asked("reviews", "--where", "attempt:2")) == size.wrong
    assert len(asked("reviews", "--where", f"@label:{ODD}")) == size.odd - size.wrong
