"""Less is sent: what a user with real money sees at the edges of --dedupe and --reuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands.test_budget import server as server
from tests.cli.conftest import Run, request_line
from tests.cli.test_terminal import Spawn
from tests.cli.test_terminal import spawn as spawn
from tests.end_to_end.servers import Served


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Four requests, two of them distinct."""
    path = tmp_path / "r.jsonl"
    texts = ["n/a", "good", "n/a", "good"]
    path.write_text("".join(request_line(f"r{n}", text, model="gpt-5-mini", max_tokens=1000)
                            for n, text in enumerate(texts)))  # fmt: skip
    return path


@pytest.mark.parametrize("options", [[], ["--sample", "2"], ["--dedupe"]])
def test_a_file_whose_answers_are_all_there_asks_for_nothing(
    spawn: Spawn, run: Run, file: Path, server: Served, options: list[str]
) -> None:
    assert run("submit", file, "--account", "paid", "--name", "first", "--wait").code == 0
    child = spawn("submit", file, "--account", "paid", "--reuse", *options)
    child.expect_exact("4 rows have an answer already (first 4).")
    child.expect("completed")
    assert "[y/N]" not in child.before


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_repeats_are_counted_in_files_that_have_to_be_fixed(
    run: Run, tmp_path: Path, start: bytes
) -> None:
    line = request_line("a", "x", model="gpt-5-mini").strip().encode()
    other = request_line("b", "x", model="gpt-5-mini").strip().encode()
    path = tmp_path / "windows.jsonl"
    path.write_bytes(start + line + b"\r\n\r\n" + other + b"\r\n")
    assert run("check", path, "--json").document["repeats"] == 1
    done = run("submit", path, "--fix", "--dedupe", "--wait", "--json")
    assert done.code == 0, done.err
    assert done.document["batches"][0]["rows"] == 1
