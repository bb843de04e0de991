"""``check --fix-to`` and ``--split-to``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import REQUESTS, Run, request_line


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """BOM, CR, a blank line, a repeated id, an invalid id, high and low max_tokens."""
    rows = [
        request_line("a", "one", max_tokens=5),
        "\n",
        request_line("a", "two", max_tokens=9000),
        request_line("b c", "three"),
    ]
    path = tmp_path / "messy.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + "".join(rows).replace("\n", "\r\n").encode())
    return path


def rows_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def test_the_copy_passes_the_check(run: Run, messy: Path, tmp_path: Path) -> None:
    assert run("check", messy).code == 2
    out = tmp_path / "good.jsonl"
    done = run("check", messy, "--fix-to", out, "--json")
    assert done.code == 0, done.err
    fixed = done.document["fixed"]
    assert (fixed["rows"], fixed["blank_dropped"], fixed["ids_changed"]) == (3, 1, 2)
    assert done.document["path"] == str(out) and done.document["ok"]
    assert len({row["custom_id"] for row in rows_of(out)}) == 3
    assert run("submit", out, "--wait").code == 0


def test_the_copy_can_be_changed(run: Run, messy: Path, tmp_path: Path) -> None:
    out = tmp_path / "good.jsonl"
    done = run("check", messy, "--fix-to", out, "--renumber", "--drop-repeated", "-m", "other",
               "--lift-max-tokens", "100", "--clamp-max-tokens", "1000",
               "--set", "temperature=0")  # fmt: skip
    assert done.code == 0, done.err
    assert "1 repeated rows dropped" in done.out
    rows = rows_of(out)
    assert [row["custom_id"] for row in rows] == ["row-1", "row-2"]
    body = rows[0]["body"]
    assert isinstance(body, dict)
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("other", 100, 0)


def test_parts_are_the_file(run: Run, requests: Path, tmp_path: Path) -> None:
    done = run("check", requests, "--split-to", tmp_path / "parts", "--rows", "2", "--json")
    assert done.code == 0
    parts = done.document["parts"]
    assert [(part["first_row"], part["rows"]) for part in parts] == [(1, 2), (3, 1)]
    whole = b"".join(Path(part["path"]).read_bytes() for part in parts)
    assert whole.decode() == REQUESTS
    assert "parts" in run("check", requests, "--split-to", tmp_path / "p2", "--rows", "2").out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--renumber"], "change a copy of the file"),
        (["-m", "x"], "change a copy of the file"),
        (["--rows", "2"], "--split-to DIR"),
        (["--fix-to", "{o}", "--lift-max-tokens", "9", "--clamp-max-tokens", "3"], "max_tokens"),
        (["--split-to", "{o}", "--bytes", "10"], "the limit for a part is 10"),
        (["--split-to", "{o}", "--account", "melious", "--rows", "0"], "--rows"),
    ],
)
def test_wrong_options_are_exit_code_2(
    words: list[str], error: str, run: Run, requests: Path, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    done = run("check", requests, *(word.replace("{o}", out) for word in words))
    assert done.code == 2 and error in done.err


def test_an_invalid_file_is_not_split(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(REQUESTS + "xx\n")
    assert run("check", file, "--split-to", tmp_path / "parts").code == 2
    assert not (tmp_path / "parts").exists()
    done = run("check", file, "--fix-to", tmp_path / "o.jsonl")
    assert done.code == 2 and "line 4" in done.err
    assert not (tmp_path / "o.jsonl").exists()


def test_fields_that_the_provider_rejects_are_reported_and_removed(
    run: Run, tmp_path: Path
) -> None:
    file, out = tmp_path / "rows.jsonl", tmp_path / "good.jsonl"
    file.write_text(
        request_line("a", "one", model="claude-opus-4-7", max_tokens=9, temperature=0)
        + request_line("b", " ", model="claude-opus-4-7", max_tokens=9)
        + request_line("c", "three", model="claude-opus-4-7", max_tokens=9)
    )
    done = run("check", file, "--account", "anthropic", "--json")
    assert done.code == 2
    codes = [(p["line"], p["code"], p["severity"]) for p in done.document["problems"]]
    assert codes == [(1, "refused_field", "error"), (2, "empty_prompt", "warning")]
    assert "--unset" in done.err
    done = run("check", file, "--account", "anthropic", "--fix-to", out, "--unset", "temperature",
               "--drop-empty", "--json")  # fmt: skip
    assert done.code == 0, done.err
    assert done.document["fixed"]["empty_dropped"] == 1
    assert [row["custom_id"] for row in rows_of(out)] == ["a", "c"]
    assert run("check", file, "--unset", "x").code == 2
