"""Result lines without an id that repeat their request: each goes to the row that sent it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.store.bench import Desk
from tui.core.jobs import Batch
from tui.core.results.google.vertex import read_vertex_line
from tui.core.rows import Outcome
from tui.store.indexing.indexer import ResultIndexer

TEXTS = {"a": "one", "b": "two", "c": "same", "d": "same", "e": "three"}


def asked(text: str, **fields: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **fields}


def line(text: str, answer: str, *, status: str = "", **fields: Any) -> bytes:
    candidates = [{"content": {"parts": [{"text": answer}]}, "finishReason": "STOP"}]
    response = {} if status else {"candidates": candidates}
    return json.dumps(
        {"status": status, "request": asked(text, **fields), "response": response}
    ).encode()


def sent(desk: Desk, requests: dict[str, dict[str, Any]] | None = None) -> tuple[str, Batch]:
    """A batch of rows whose input file is there; the first row is not in it."""
    requests = requests or {custom_id: asked(text) for custom_id, text in TEXTS.items()}
    job_id = desk.job(list(requests))
    batch = desk.batch(job_id)
    rows = [
        json.dumps({"request": {**request, "labels": {"bd": custom_id}}})
        for custom_id, request in requests.items()
    ]
    path = desk.file(batch).path.with_name(f"{batch.id}.input.jsonl")
    path.write_text("".join(f"{row}\n" for row in rows))
    return job_id, batch


def index(desk: Desk, batch: Batch, lines: list[bytes], *, complete: bool = True) -> None:
    file = desk.write(batch, b"".join(one + b"\n" for one in lines))
    file = desk.file(batch)
    indexer = ResultIndexer(
        desk.database, batch.id, file, reader=read_vertex_line, slice_bytes=1 if complete else None
    )
    indexer.run(complete=complete)


def answers(desk: Desk, job_id: str) -> dict[str, str]:
    return {row.custom_id: row.preview for row in desk.rows(job_id)}


def strays(desk: Desk) -> list[tuple[str, str]]:
    return desk.database.read.execute("SELECT kind, custom_id FROM strays").fetchall()


@pytest.mark.parametrize("seed", range(5))
def test_lines_in_any_order_find_their_rows(seed: int, desk: Desk) -> None:
    job_id, batch = sent(desk)
    lines = [
        line("one", "1"),
        line("two", "2"),
        line("same", "x"),
        line("same", "y"),
        line("three", "3", labels={"bd": "e"}),
    ]
    random.Random(seed).shuffle(lines)
    index(desk, batch, lines)
    found = answers(desk, job_id)
    assert {name: found[name] for name in "abe"} == {"a": "1", "b": "2", "e": "3"}
    # Rows that ask the same get one answer each.
    assert {found["c"], found["d"]} == {"x", "y"}
    assert desk.adds_up(job_id).get(Outcome.SUCCEEDED) == 5
    assert strays(desk) == []


def test_a_row_that_failed_gets_its_error_and_is_in_its_group(desk: Desk) -> None:
    job_id, batch = sent(desk)
    index(desk, batch, [line("one", "", status="Boom."), line("two", "2")])
    assert desk.outcomes(job_id)["a"] is Outcome.FAILED
    (group,) = desk.history.rows.error_groups(job_id)
    assert (group.count, group.example_custom_id) == (1, "a")


def test_reading_goes_on_in_another_process(desk: Desk) -> None:
    job_id, batch = sent(desk)
    for one in (line("same", "x"), line("one", "1"), line("same", "y")):
        index(desk, batch, [one], complete=False)
    found = answers(desk, job_id)
    assert ({found["c"], found["d"]}, found["a"]) == ({"x", "y"}, "1")


def test_one_line_too_many_is_a_duplicate(desk: Desk) -> None:
    job_id, batch = sent(desk)
    index(desk, batch, [line("one", "1"), line("one", "again")])
    assert answers(desk, job_id)["a"] == "1"
    assert strays(desk) == [("duplicate", "a")]


def test_a_line_that_no_row_asked_is_told(desk: Desk) -> None:
    job_id, batch = sent(desk)
    index(desk, batch, [line("something else", "?")])
    ((kind, custom_id),) = strays(desk)
    assert kind == "unknown" and custom_id.startswith("request:")
    assert desk.adds_up(job_id).get(Outcome.PENDING) == 5


def test_a_request_that_two_rows_may_have_sent_is_not_guessed(desk: Desk) -> None:
    # They differ in what a server may change, so that its copy does not say which it was.
    job_id, batch = sent(
        desk,
        {
            "a": asked("x", generationConfig={"topK": 1}),
            "b": asked("x", generation_config={"top_k": 1}),
        },
    )
    index(desk, batch, [line("x", "1", generationConfig={"topK": 1})])
    assert [kind for kind, _ in strays(desk)] == ["unknown"]
    assert desk.adds_up(job_id).get(Outcome.PENDING) == 2


def test_the_jobs_own_requests_are_enough(desk: Desk) -> None:
    """Of a batch that was created elsewhere there is no input file here."""
    job_id = desk.job(["a"], text="hello")
    batch = desk.batch(job_id)
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    value = {"request": body, "response": {"candidates": [{"content": {"parts": [{"text": "1"}]}}]}}
    index(desk, batch, [json.dumps(value).encode()])
    assert answers(desk, job_id) == {"a": "1"}
