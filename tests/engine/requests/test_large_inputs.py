"""Large tables, packed tables and ready-made requests: composed, checked and run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.compose.sources.test_open import write_xlsx
from tests.end_to_end.servers import sandbox
from tests.engine.conftest import Opener
from tests.engine.requests.test_compose import REVIEW, sent_through
from tui.compose.templates.model import Template
from tui.engine.engine import Engine
from tui.progress import Progress

TEMPLATE = Template(user=REVIEW, model="gpt-5-mini", max_tokens=20, id="id")


def write_reviews(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("\ufeffid,review\r\n")
        for number in range(rows):
            file.write(f'r{number},"Good, but ""late"".\r\nNo. {number}"\r\n')


@pytest.mark.parametrize(
    "rows", [20_000, pytest.param(500_000, marks=pytest.mark.slow)], ids=["20k", "500k"]
)
async def test_a_large_table_is_composed_and_checked(
    rows: int, engine: Engine, tmp_path: Path
) -> None:
    write_reviews(tmp_path / "reviews.csv", rows)
    told: list[tuple[int, int | None]] = []
    report = await engine.requests.compose(
        str(tmp_path / "reviews.csv"),
        TEMPLATE,
        tmp_path / "out.jsonl",
        progress=Progress(lambda done, total: told.append((done, total))),
    )
    assert report.rows == rows and report.ids.changed == 0 and told[-1] == (rows, rows)
    check = await engine.requests.check(tmp_path / "out.jsonl")
    assert check.ok and check.rows == rows and set(check.found) <= {"too_many_rows"}
    with (tmp_path / "out.jsonl").open("rb") as file:
        last = file.readlines()[-1]
    assert json.loads(last)["custom_id"] == f"r{rows - 1}"
    assert f"\r\nNo. {rows - 1}" in json.loads(last)["body"]["messages"][0]["content"]


async def test_parquet_and_excel_run(engine: Engine, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    pytest.importorskip("openpyxl")
    frame = polars.DataFrame({"id": [1, 2], "review": ["warm", None]})
    frame.write_parquet(tmp_path / "t.parquet")
    write_xlsx(tmp_path / "t.xlsx", [["id", "review"], ["1", "warm"], ["2", "bad"]])
    for source in ("t.parquet", "t.xlsx", "t.xlsx::Sheet1"):
        out = tmp_path / "out.jsonl"
        report = await engine.requests.compose(str(tmp_path / source), TEMPLATE, out)
        assert report.rows == 2
        bodies = await sent_through(engine, out)
        assert bodies[0]["messages"][0]["content"].endswith("warm")


async def test_a_pattern_of_texts_runs(engine: Engine, tmp_path: Path) -> None:
    for name in ("a.md", "b.md", "c.txt"):
        (tmp_path / name).write_text(f"This is {name}.\n")
    template = Template(user="Sum up: {text}", model="m", id="{name}")
    out = tmp_path / "out.jsonl"
    assert (await engine.requests.compose(str(tmp_path / "*.md"), template, out)).rows == 2
    bodies = await sent_through(engine, out)
    assert [body["messages"][0]["content"] for body in bodies] == [
        "Sum up: This is a.md.", "Sum up: This is b.md."
    ]  # fmt: skip


CHAT = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]}
READY: dict[str, tuple[str, dict[str, Any]]] = {
    "openai": ("openai", {"method": "POST", "url": "/v1/chat/completions", "body": CHAT}),
    "openai, only a body": ("openai", {"body": CHAT}),
    "anthropic": ("anthropic", {"params": {**CHAT, "model": "claude-haiku-4-5", "max_tokens": 9}}),
    "scaledown": ("scaledown", {"method": "POST", "url": "/v1/chat/completions",
                                "body": {"model": "summarize", "text": "Long."}}),
    "scaledown, flat": ("scaledown", {"model": "extract", "text": "Long.",
                                      "entities": {"who": "A name"}}),
}  # fmt: skip


@pytest.mark.parametrize("shape", list(READY))
async def test_ready_made_requests_run(shape: str, opened: Opener, tmp_path: Path) -> None:
    provider, rest = READY[shape]
    source, out = tmp_path / "ready.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps({"custom_id": f"r{n}", **rest}) + "\n" for n in range(3)))
    with sandbox(provider) as server:
        async with opened(provider, server.url) as engine:
            report = await engine.requests.compose(str(source), None, out)
            assert report.rows == 3 and report.ids.changed == 0
            assert len(await sent_through(engine, out)) == 3
