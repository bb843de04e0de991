"""``check --exact``: the provider counts the prompts, where that is free."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.servers import sandbox
from tests.engine.conftest import Opener
from tui.engine.costs import calibration
from tui.engine.engine import Engine
from tui.errors import InputError, KeyRejectedError, UsageError
from tui.providers.dialects.anthropic import MessagesDialect


def write(path: Path, rows: int, *, model: str = "claude-haiku-4-5") -> Path:
    with path.open("w") as file:
        for number in range(rows):
            messages = [{"role": "user", "content": "漢字 {} [] () " * (number % 7 + 1)}]
            params = {"model": model, "max_tokens": 9, "messages": messages}
            file.write(json.dumps({"custom_id": f"r{number}", "params": params}) + "\n")
    return path


async def test_every_row_of_a_small_file_is_counted(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = MessagesDialect.count_tokens

    async def dearer(self: MessagesDialect, request: bytes) -> int:
        # The sandbox counts as the rule of thumb does; a tokenizer does not.
        return await ask(self, request) * 3 // 2 + 11

    monkeypatch.setattr(MessagesDialect, "count_tokens", dearer)
    path = write(tmp_path / "rows.jsonl", 30)
    with sandbox("anthropic") as server:
        async with opened("anthropic", server.url) as engine:
            dialect = await engine.accounts.dialect("there")
            expected = [await dialect.count_tokens(line) for line in path.read_bytes().splitlines()]
            before = server.count("POST", "/count_tokens")
            estimate = await engine.costs.estimate(path, exact=True)
            assert server.count("POST", "/count_tokens") - before == 30
            guessed = await engine.costs.estimate(path)
    assert estimate.exact_tokens and not guessed.exact_tokens
    assert estimate.input_tokens == sum(expected) != guessed.input_tokens
    assert "counted the tokens of every row" in estimate.notes[0]
    assert estimate.high is not None and guessed.high is not None


async def test_a_large_file_is_measured_by_rows_that_are_spread_over_it(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "MAX_COUNTED_ROWS", 20)
    path = write(tmp_path / "rows.jsonl", 700)
    with sandbox("anthropic") as server:
        async with opened("anthropic", server.url) as engine:
            dialect = await engine.accounts.dialect("there")
            lines = path.read_bytes().splitlines()[:7]
            expected = sum([await dialect.count_tokens(line) for line in lines]) * 100
            estimate = await engine.costs.estimate(path, exact=True)
    assert not estimate.exact_tokens
    assert "20 of 700 rows" in estimate.notes[0]
    assert abs(estimate.input_tokens / expected - 1) < 0.1


async def test_who_counts_nothing_says_so(engine: Engine, opened: Opener, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", 3)
    with pytest.raises(UsageError, match="cannot count tokens"):
        await engine.costs.estimate(path, exact=True)
    with sandbox("anthropic", key="another") as server:
        async with opened("anthropic", server.url) as there:
            with pytest.raises(KeyRejectedError):
                await there.costs.estimate(path, exact=True)
            (tmp_path / "bad.jsonl").write_text("{}\n")
            with pytest.raises(InputError):
                await there.costs.estimate(tmp_path / "bad.jsonl", exact=True)
