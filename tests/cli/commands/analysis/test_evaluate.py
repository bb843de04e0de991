"""``evaluate``: answers compared with true values of a column or a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, request_line


def test_a_field_is_compared_with_an_input_column(run: Run, reviews: str) -> None:
    done = run("evaluate", reviews, "--gold", "in.label", "--answer", "@label", "--json")
    assert done.code == 0, done.err
    found = done.document
    assert (found["rows"], found["compared"], found["agree"]) == (7, 4, 2)
    assert (found["without_gold"], found["without_answer"], found["without_value"]) == (1, 1, 1)
    assert found["accuracy"] == 0.5
    assert found["spellings"] == 1
    assert found["examples"] == [{"gold": "praise", "answer": "Praise", "rows": 1}]
    assert found["confusion"]["headings"] == ["praise", "refund", "Praise", "exchange"]
    assert found["confusion"]["cells"][:2] == [[1, 0, 1, 0], [0, 1, 0, 1]]


def test_normalising_is_offered_and_done_only_on_request(run: Run, reviews: str) -> None:
    words = ("evaluate", reviews, "--gold", "in.label", "--answer", "@label")
    done = run(*words)
    assert "50.0%" in done.out
    assert "With --normalise 1 more row would agree (75.0%)." in done.err
    done = run(*words, "--normalise")
    assert "75.0%  3 of 4  (95%: 30.1% to 95.4%)" in done.out
    assert "normalised" in done.out
    assert done.err == ""


def test_a_query_limits_the_rows(run: Run, reviews: str) -> None:
    words = ("evaluate", reviews, "--gold", "in.label", "--answer", "@label", "--json")
    found = run(*words, "--where", "@label:refund,exchange").document
    assert (found["rows"], found["compared"], found["agree"]) == (2, 2, 1)
    found = run(*words, "--outcome", "failed").document
    assert (found["rows"], found["compared"], found["accuracy"]) == (1, 0, None)


def test_a_file_of_true_values(run: Run, reviews: str, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "custom_id,who,truth\nr1,a,refund\nr2,a,refund\nr2,b,exchange\nr7,a,praise\nr6,a,refund\n"
        "r5,a,\nr99,a,refund\n"
    )
    words = ("evaluate", reviews, "--gold-file", labels, "--answer", "@label", "--json")
    refused = run(*words)
    assert refused.code == 2
    assert "Name one with --gold: 'who', 'truth'." in refused.err
    found = run(*words, "--gold", "truth").document
    assert (found["rows"], found["compared"], found["agree"]) == (7, 2, 1)
    assert (found["unknown_ids"], found["repeated_ids"]) == (1, 1)
    assert (found["without_answer"], found["without_value"]) == (1, 1)
    # r5 has an empty cell, r3 and r4 are not in the file.
    assert (found["without_gold"], found["without_both"]) == (3, 0)
    narrowed = run(*words, "--gold", "truth", "--where", "custom_id:r1").document
    assert (narrowed["rows"], narrowed["compared"], narrowed["agree"]) == (1, 1, 1)


def test_the_answer_itself_is_a_column(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "plain.jsonl"
    file.write_text(
        "".join(request_line(f"r{n}", f"sandbox:say={word}") for n, word in enumerate("yyn"))
    )
    assert run("submit", file, "--wait", "-y").code == 0
    labels = tmp_path / "labels.csv"
    labels.write_text("id,truth\nr0,y\nr1,n\nr2,n\n")
    found = run("evaluate", "plain", "--gold-file", labels, "--json").document
    assert (found["answer"], found["compared"], found["agree"]) == ("answer", 3, 2)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ([], "no true values given"),
        (["--gold", "in.nothing"], "no input column 'nothing'"),
        (["--gold", "label"], "unknown column 'label'"),
        (["--gold", "in.label", "--answer", "lable"], "unknown column 'lable'"),
        (["--gold-file", "nothing.csv"], "does not exist"),
        (["--gold", "in.label", "--where", "tokens:x"], "needs a number"),
    ],
)
def test_what_is_wrong_is_said(
    options: list[str], error: str, run: Run, reviews: str, tmp_path: Path
) -> None:
    done = run("evaluate", reviews, *options)
    assert done.code == 2
    assert error in done.err


def test_odd_names_are_safe_and_aligned(run: Run, tmp_path: Path) -> None:
    wide, evil = "退款" * 3, "\x1b[31mred\u202e"
    table = tmp_path / "odd.jsonl"

    def say(answer: str) -> str:
        # The sandbox decodes one level of escapes.
        return "sandbox:say=" + json.dumps({"label": answer}).replace("\\u", "\\u005cu")

    rows = [
        {"id": str(n), "label": gold, "say": say(answer)}
        for n, (gold, answer) in enumerate([(wide, wide), (evil, wide), ("ok", evil), ("", "ok")])
    ]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "jobs.jsonl"
    done = run("compose", table, "-t", "{say}", "-m", "m", "--id", "id", "-o", out)
    assert done.code == 0, done.err
    assert run("submit", out, "--wait", "-y").code == 0
    done = run("evaluate", "jobs", "--gold", "in.label", "--answer", "@label")
    assert done.code == 0, done.err
    assert "\x1b" not in done.out and "\u202e" not in done.out
    lines = done.out.split("\n")
    start = next(at for at, line in enumerate(lines) if line.startswith("TRUE"))
    from tui.cli.output import cell_width

    widths: set[Any] = {cell_width(line.rstrip()) for line in lines[start : start + 4]}
    assert len(widths) == 1
