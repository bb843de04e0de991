"""How long the provider keeps results, and warnings before they are deleted."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.schema import violations


@pytest.fixture
def sent(run: Run, home: Path, requests: Path) -> str:
    """A collected job at a provider that keeps results for 30 days."""
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text("[providers.sandbox]\nretention_days = 30\n", "utf-8")
    job_id: str = run("submit", requests, "--wait", "--json").document["id"]
    return job_id


def change(home: Path, **columns: float) -> None:
    with sqlite3.connect(home / "history.db") as connection:
        for name, value in columns.items():
            connection.execute(f"UPDATE batches SET {name}=?", (value,))


def test_the_retention_is_in_the_document_and_in_the_text(run: Run, sent: str) -> None:
    document = run("show", sent, "--json").document
    assert violations(document, "job") == []
    assert document["results_expire_at"] == document["batches"][0]["results_expire_at"]
    assert document["results_expire_at"] > document["created_at"]
    assert "are kept until" in run("show", sent).out
    assert "!" not in run("list").err


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (3.5, "the provider deletes the results in 3 days"),
        (-2, "the provider deleted the results on"),
    ],
)
def test_results_that_are_not_downloaded_are_flagged(
    run: Run, home: Path, sent: str, days: float, words: str
) -> None:
    change(home, collected=0, results_expire_at=time.time() + days * 86_400)
    assert words in run("show", sent).out
    warning = run("list").err
    assert words in warning and "not downloaded" in warning
    assert f"batchdeck collect {sent}" in warning
    assert run("list", "--json").err == ""
