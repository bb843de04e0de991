"""``compose`` and ``templates``: from real sources to a finished job."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.test_terminal import Spawn, ended
from tests.cli.test_terminal import spawn as spawn
from tui.compose.samples import PRODUCTS

PROMPT = "Good or bad? {review}"


def sqlite_file(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE t (id TEXT, review TEXT); INSERT INTO t VALUES ('1', 'ok'), ('2', 'bad');"
    )
    connection.close()


def builder(path: Path) -> None:
    path.write_text("def build():\n    print('noise')\n    yield {'id': 1, 'review': 'ok'}\n")


INPUTS: dict[str, tuple[str, bytes | Callable[[Path], None], list[str], int]] = {
    "quoted csv, bom": ("a.csv", '\ufeffid,review\r\n1,"a ""b""\r\nc"\r\n2,d\r\n'.encode(), [], 2),
    "latin-1": ("a.csv", "id,review\n1,Größe\n".encode("latin-1"), ["--encoding", "latin-1"], 1),
    "tsv": ("a.tsv", b"id\treview\n1\tok\n", [], 1),
    "semicolon": ("a.csv", b"id;review\n1;a, b\n", ["--delimiter", ";"], 1),
    "no header": ("a.csv", b"1,ok\n2,bad\n", ["--no-header", "-t", "Good? {column_2}"], 2),
    "sqlite": ("a.db", sqlite_file, [], 2),
    "program": ("a.py", builder, ["--trust"], 1),
    "jsonl": ("a.jsonl", b'{"id": "1", "review": "ok"}\n', [], 1),
}


@pytest.mark.parametrize("kind", list(INPUTS))
def test_an_input_is_composed_checked_and_sent(kind: str, run: Run, tmp_path: Path) -> None:
    name, content, options, rows = INPUTS[kind]
    source, out = tmp_path / name, tmp_path / "out.jsonl"
    if isinstance(content, bytes):
        source.write_bytes(content)
    else:
        content(source)
    spec = f"{source}::t" if kind == "sqlite" else str(source)
    done = run("compose", spec, "-t", PROMPT, "-m", "gpt-5-mini", "-o", out, "--json", *options)
    assert done.code == 0, done.err
    assert done.document["rows"] == rows and done.document["ok"] is True
    assert done.document["cost"]["high"] is None
    assert run("check", out).code == 0
    sent = run("submit", out, "--wait", "--json")
    assert sent.code == 0 and sent.document["counts"]["succeeded"] == rows


def test_standard_input_is_a_source(batchdeck: Run, tmp_path: Path) -> None:
    done = batchdeck("compose", "-", "-t", PROMPT, "-m", "m", "-o", "o.jsonl", "--json",
                     stdin="id,review\n1,ok\n2,no\n")  # fmt: skip
    assert done.code == 0, done.err
    assert done.document["rows"] == 2
    assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 2


def bodies(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def test_options_change_the_requests(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    done = run("compose", PRODUCTS, "-t", "Sell {name}", "-m", "gpt-5-mini", "-o", out,
               "--id", "p-{sku}", "--set", "max_tokens=7", "--set", "metadata.team=ops",
               "--limit", "3", "--account", "openai")  # fmt: skip
    assert done.code == 0, done.err
    rows = bodies(out)
    skus = [text.split(",")[0] for text in PRODUCTS.read_text().splitlines()[1:4]]
    assert [row["custom_id"] for row in rows] == [f"p-{sku}" for sku in skus]
    assert rows[0]["body"]["max_tokens"] == 7 and rows[0]["body"]["metadata"] == {"team": "ops"}
    assert "$0.0" in done.out and f"batchdeck submit {out} --account openai" in done.out


def test_a_preview_writes_nothing(run: Run, tmp_path: Path) -> None:
    arguments = ["compose", str(PRODUCTS), "-t", "Sell {name}", "-m", "gpt-5-mini", "--preview"]
    done = run(*arguments, "--json", "--account", "openai")
    assert done.code == 0
    # The random row may be the longest one too.
    assert [row["why"] for row in done.document["rows"]][:2] == ["first", "random"]
    assert done.document["count"] == 10 and done.document["cost"]["low"] > 0
    assert "first row (1)" in run(*arguments).out
    assert list(tmp_path.glob("*.jsonl")) == []


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (
            ["{p}", "-t", "{nme}", "-m", "m", "-o", "{o}"],
            "row 1: unknown column 'nme'",
            "'name'",
        ),
        (["{p}", "-t", "{name}", "-o", "{o}"], "no model is set", "--model"),
        (["{p}", "-m", "m", "-o", "{o}"], "are not requests", "--template"),
        (["{p}", "-t", "nothing", "-m", "m", "-o", "{o}"], "there is no template", "column"),
        (["{p}", "-t", "{name}", "-m", "m"], "no output file", "-o"),
        (["{p}", "-t", "{name}", "-m", "m", "-o", "{p}"], "is also the source", "another"),
        (["gone.csv", "-t", "{name}", "-m", "m", "-o", "{o}"], "gone.csv", ""),
        (["-t", "{name}"], "no source given", "--help"),
        (["{p}", "--save-template", "x"], "no template to save", "--template"),
    ],
)
def test_a_wrong_compose_is_exit_code_2(
    arguments: list[str], error: str, hint: str, run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "o.jsonl"
    places = {"{p}": str(PRODUCTS), "{o}": str(out)}
    done = run("compose", *(places.get(word, word) for word in arguments))
    assert done.code == 2 and done.out == ""
    first, second = done.err.splitlines()[:2]
    assert error in first and hint in second
    assert not out.exists()
    assert PRODUCTS.read_text().startswith("sku,")


def test_a_program_needs_trust(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "b.py"
    builder(source)
    for words in ([], ["-y"]):
        done = run("compose", source, "-t", PROMPT, "-m", "m", "-o", tmp_path / "o", *words)
        assert done.code == 2 and f"{source} is a program and was not run" in done.err
    good = run(
        "compose", source, "-t", PROMPT, "-m", "m", "-o", tmp_path / "o", "--trust", "--json"
    )
    assert good.document["rows"] == 1 and "noise" in good.err


@pytest.mark.parametrize(
    ("words", "answer", "code"),
    [([], "y", 0), ([], "n", 130), (["-y"], "n", 130), (["--trust"], "y", 0),
     (["--trust", "-y"], None, 0)],
)  # fmt: skip
def test_the_question_names_the_program(
    words: list[str], answer: str | None, code: int, spawn: Spawn, tmp_path: Path
) -> None:
    source = tmp_path / "b.py"
    builder(source)
    child = spawn("compose", source, "-t", PROMPT, "-m", "m", "-o", "o.jsonl", *words)
    if answer is not None:
        child.expect("Run .*b.py with your permissions")
        child.sendline(answer)
    assert ended(child)[0] == code
    assert (tmp_path / "o.jsonl").exists() is (code == 0)


def test_templates_are_saved_listed_and_removed(run: Run, tmp_path: Path) -> None:
    saved = run("compose", "-t", PROMPT, "-m", "gpt-5-mini", "--set", "max_tokens=9",
                "--save-template", "Reviews")  # fmt: skip
    assert saved.code == 0 and "Saved the template" in saved.err
    (entry,) = [one for one in run("templates", "list", "--json").document if not one["included"]]
    assert entry["name"] == "Reviews" and entry["template"]["settings"] == {"max_tokens": 9}
    assert "gpt-5-mini" in run("templates", "list").out
    assert "Good or bad?" in run("templates", "show", "Reviews").out
    source, out = tmp_path / "r.csv", tmp_path / "o.jsonl"
    source.write_text("id,review\n1,ok\n")
    assert run("compose", source, "-t", "Reviews", "-o", out).code == 0
    assert bodies(out)[0]["body"]["max_tokens"] == 9
    assert run("templates", "remove", "Reviews", "--json").document == {"removed": "Reviews"}
    gone = run("templates", "show", "Reviews")
    assert gone.code == 2 and "no template named 'Reviews'" in gone.err
    assert all(one["included"] for one in run("templates", "list", "--json").document)


def test_the_samples_are_ready_to_be_composed(run: Run, tmp_path: Path) -> None:
    samples = run("compose", "--samples", "--json").document
    assert [sample["name"] for sample in samples] == ["documents", "products"]
    for sample, rows in zip(samples, (5, 10), strict=True):
        out = tmp_path / f"{sample['name']}.jsonl"
        done = run("compose", sample["source"], "-t", sample["template"], "-m", "m", "-o", out,
                   "--json")  # fmt: skip
        assert done.document["rows"] == rows
        assert f"-o {sample['name']}.jsonl" in run("compose", "--samples").out


def test_a_request_is_tried_after_composing(run: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "r.csv", tmp_path / "o.jsonl"
    source.write_text("id,review\n1,first\n2,sandbox:say=very good\n")
    command = ["compose", str(source), "-t", "{review}", "-m", "m", "-o", str(out), "--try", "2"]
    assert run(*command, "--json").document["trial"]["text"] == "very good"
    assert "answer\n  very good" in run(*command).out


def test_scaledown_templates_need_no_file(run: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "notes.txt", tmp_path / "out.jsonl"
    source.write_text("The harbour froze.\nGive me my money.\n")

    def bodies(*options: str) -> list[dict[str, Any]]:
        done = run("compose", source, "-t", "{text}", "-o", out, "--json", *options)
        assert done.code == 0, done.err
        return [json.loads(line)["body"] for line in out.read_text().splitlines()]

    requests = bodies("--kind", "summarize", "--system", "Be brief.", "--max-tokens", "90")
    assert requests[0] == {"model": "summarize", "text": "The harbour froze.",
                       "instructions": "Be brief.", "max_tokens": 90}  # fmt: skip
    requests = bodies("--kind", "extract", "--entity", "place=A town", "--entity", "sum = Money")
    assert requests[1]["entities"] == {"place": "A town", "sum": "Money"}
    requests = bodies(
        "--kind", "classify", "--label", "refund=Money back?", "--label", "other=Else?"
    )
    assert requests[1]["labels"] == [{"name": "refund", "rubric": "Money back?"},
                                 {"name": "other", "rubric": "Else?"}]  # fmt: skip


def test_options_can_set_every_field_of_a_template(run: Run, tmp_path: Path) -> None:
    source, out, schema = tmp_path / "a.csv", tmp_path / "out.jsonl", tmp_path / "s.json"
    source.write_text("id,text,picture\n1,a cat,https://example.com/a.png\n")
    schema.write_text('{"type": "object"}')
    options = ["-t", "What is {text}?", "-m", "gpt-5-mini", "-o", out, "--system", "Be brief.",
               "--schema", schema, "--image", "{picture}", "--max-tokens", "9"]  # fmt: skip
    assert run("compose", source, *options, "--save-template", "mine").code == 0
    body = json.loads(out.read_text())["body"]
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["messages"][1]["content"][0]["image_url"]["url"] == "https://example.com/a.png"
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert run("compose", source, "-t", "mine", "-o", tmp_path / "again.jsonl").code == 0
    assert (tmp_path / "again.jsonl").read_bytes() == out.read_bytes()
    assert run("compose", source, "-t", "{text}", "-m", "e", "--kind", "embeddings",
               "-o", out).code == 0  # fmt: skip
    assert json.loads(out.read_text())["url"] == "/v1/embeddings"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--system", "x"], "--system needs a template"),
        (["-t", "{text}", "--kind", "classify", "--label", "x"], "NAME=QUESTION"),
        (["-t", "{text}", "--kind", "classify", "--label", "x=y", "--label", "x=z"], "twice"),
        (["-t", "{text}", "--kind", "classify", "--label", "x=y"], "2 to 26 labels"),
        (["-t", "{text}", "--kind", "embeddings", "-m", "m", "--system", "x"], "do not support"),
        (["-t", "{text}", "-m", "m", "--schema", "{here}/none"], "not a valid JSON schema"),
        (["-t", "{text}", "-m", "m", "--schema", "{here}/a.csv"], "not a valid JSON schema"),
    ],
)
def test_wrong_template_options_are_exit_code_2(
    options: list[str], error: str, run: Run, tmp_path: Path
) -> None:
    source = tmp_path / "a.csv"
    source.write_text("id,text\n1,a\n")
    words = [option.replace("{here}", str(tmp_path)) for option in options]
    done = run("compose", source, "-o", tmp_path / "o.jsonl", *words)
    assert done.code == 2 and error in done.err
