"""A job of labelled reviews in the sandbox."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import Run

Review = tuple[str, str, str]
"""Text, true label, and the answer of the sandbox."""

REVIEWS: Sequence[Review] = (
    ("The lamp broke", "refund", '{"label": "refund", "score": 1}'),
    ("Wrong size", "refund", '{"label": "exchange", "score": 2}'),
    ("Thank you", "praise", '{"label": "praise", "score": 5}'),
    ("Great", "praise", '{"label": "Praise", "score": 5}'),
    ("What is this", "", '{"label": "praise", "score": 3}'),
    ("Broken text", "refund", "no label"),
)


@pytest.fixture
def reviews(run: Run, tmp_path: Path) -> str:
    """The name of a job whose rows are ``REVIEWS``, and one that failed."""
    table = tmp_path / "reviews.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label", "word"])
        for number, (text, label, answer) in enumerate(REVIEWS, 1):
            writer.writerow([f"r{number}", text, label, f"sandbox:say={answer}"])
        writer.writerow(["r7", "Never answered", "praise", "sandbox:fail=400"])
    out = tmp_path / "reviews.jsonl"
    prompt = "Label this: {text}\n{word}"
    done = run("compose", table, "-t", prompt, "-m", "gpt-5-mini", "--id", "id", "-o", out)
    assert done.code == 0, done.err
    assert run("submit", out, "--wait", "-y").code == 1
    return "reviews"
