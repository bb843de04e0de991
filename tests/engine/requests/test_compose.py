"""What people really have becomes requests that the check passes and the sandbox runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.servers import sandbox
from tests.engine.conftest import Opener
from tui.compose.requests.scaledown import Label
from tui.compose.samples import DOCUMENTS, MARKETING, PRODUCTS, SUMMARIZE
from tui.compose.templates.model import Template
from tui.engine.engine import Engine
from tui.errors import InputError

QUOTED = (
    '\ufeffid,review,stars\r\n1,"Good, but ""late"".\r\nTwo lines.",4\r\n'
    '2,Broke after a week,1\r\n3,"Line\nfeed",5\r\n'
)


def database(folder: Path) -> str:
    path = folder / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE products (id INTEGER, review TEXT)")
        rows = [(1, "warm"), (2, "too small"), (3, "fine")]
        connection.executemany("INSERT INTO products VALUES (?,?)", rows)
    connection.close()
    return f"{path}::SELECT id, review FROM products WHERE id > 1"


def texts(folder: Path) -> str:
    notes = folder / "notes"
    notes.mkdir()
    for name in ("a", "b"):
        (notes / f"{name}.txt").write_text(f"Note {name}: the harbour froze.\n", "utf-8")
    return str(notes)


def program(folder: Path) -> str:
    path = folder / "builder.py"
    path.write_text(
        "def requests():\n    for n in range(3):\n        yield {'id': n, 'review': f'No. {n}'}\n"
    )
    return str(path)


def plain(name: str, content: bytes) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        (folder / name).write_bytes(content)
        return str(folder / name)

    return write


REVIEW = "Is this review good or bad? {review}"
INPUTS: dict[str, tuple[Callable[[Path], str], str, int, str]] = {
    "quoted csv, bom": (plain("q.csv", QUOTED.encode()), REVIEW, 3, "Two lines."),
    "latin-1": (plain("l.csv", "id,review\n1,Très bien\n2,Größe\n".encode("latin-1")), REVIEW, 2,
                "Très bien"),
    "tsv": (plain("t.tsv", b"id\treview\n1\tok, fine\n2\tbad\n"), REVIEW, 2, "ok, fine"),
    "semicolon": (plain("s.csv", b"id;review\n1;ok, fine\n2;bad\n"), REVIEW, 2, "ok, fine"),
    "sqlite": (database, REVIEW, 2, "too small"),
    "folder": (texts, "Sum up: {text}", 2, "the harbour froze"),
    "program": (program, REVIEW, 3, "No. 0"),
    "json array": (plain("a.json", b'[{"id": 1, "review": "ok"}, {"id": 2, "review": "no"}]'),
                   REVIEW, 2, "ok"),
    "paragraphs": (lambda folder: plain("p.txt", b"One.\n\nTwo,\nstill two.\n")(folder)
                   + "::paragraphs", "Sum up: {text}", 2, "One."),
}  # fmt: skip


async def sent_through(engine: Engine, path: Path) -> list[dict[str, Any]]:
    """Check, submit and collect a file; the bodies that were sent."""
    report = await engine.requests.check(path)
    assert report.ok, report.problems
    job = await engine.requests.import_file(path)
    await engine.submit(job.id)
    await engine.wait([job.id])
    counts = engine.history.jobs.get(job.id).counts
    assert counts.all_succeeded and counts.total == report.rows
    requests = engine.history.rows.requests(job.id, range(counts.total))
    return [json.loads(line)["body"] for _, line in requests]


@pytest.mark.parametrize("kind", list(INPUTS))
async def test_a_real_input_is_composed_checked_and_run(
    kind: str, engine: Engine, tmp_path: Path
) -> None:
    make, prompt, rows, expected = INPUTS[kind]
    template = Template(user=prompt, model="gpt-5-mini", max_tokens=50)
    report = await engine.requests.compose(
        make(tmp_path), template, tmp_path / "out.jsonl", trusted=kind == "program"
    )
    assert report.rows == rows
    bodies = await sent_through(engine, tmp_path / "out.jsonl")
    assert expected in bodies[0]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("source", "template", "rows"),
    [(f"{DOCUMENTS}::paragraphs", SUMMARIZE, 5), (str(PRODUCTS), MARKETING, 10)],
    ids=["documents", "products"],
)
async def test_the_samples_run(
    source: str, template: Path, rows: int, engine: Engine, tmp_path: Path
) -> None:
    report = await engine.requests.compose(source, str(template), model="gpt-5-mini")
    path = Path(report.path)
    assert path.parent == engine.paths.data / "composed"
    assert len(await sent_through(engine, path)) == report.rows == rows


FORMS = [
    Template(kind="summarize", user="{text}", system="Be brief.", max_tokens=200),
    Template(kind="extract", user="{text}", entities={"place": "A town or a country"}),
    Template(
        kind="classify",
        user="{text}",
        labels=(Label(name="news", rubric="Is it news?"), Label(name="ad", rubric="Is it an ad?")),
    ),
]


async def test_the_scaledown_forms_run(opened: Opener, tmp_path: Path) -> None:
    source = plain("d.txt", b"The harbour of Elsinore froze.\nBuy two, pay one.\n")(tmp_path)
    with sandbox("scaledown") as server:
        async with opened("scaledown", server.url) as engine:
            for form in FORMS:
                path = tmp_path / f"{form.kind}.jsonl"
                await engine.requests.compose(source, form, path)
                bodies = await sent_through(engine, path)
                assert [body["model"] for body in bodies] == [form.kind] * 2
                assert bodies[0]["text"] == "The harbour of Elsinore froze."


async def test_ready_made_requests_need_no_template(engine: Engine, tmp_path: Path) -> None:
    params = {"model": "claude-haiku-4-5", "max_tokens": 9,
              "messages": [{"role": "user", "content": "Hi"}]}  # fmt: skip
    source = tmp_path / "ready.jsonl"
    source.write_text(json.dumps({"custom_id": "a b", "params": params}) + "\n")
    report = await engine.requests.compose(
        str(source), None, tmp_path / "o.jsonl", model="claude-opus-4-5"
    )
    made = json.loads((tmp_path / "o.jsonl").read_text())
    assert made["url"] == "/v1/messages" and made["body"]["model"] == "claude-opus-4-5"
    assert made["custom_id"] == "a-b" and report.ids.illegal == 1


async def test_a_program_is_not_run_without_trust(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "builder.py"
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef requests(): yield {{}}\n")
    for work in (engine.requests.compose, engine.requests.preview):
        with pytest.raises(InputError, match="was not run"):
            await work(str(path), "{x}", model="m")
    assert not (tmp_path / "ran").exists()
