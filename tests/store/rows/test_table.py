"""The rows of a job as a table: odd answers, memory, and threads."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest

from tests.store.bench import Desk, line
from tui.core.analysis.prompt_text import prompt_text
from tui.core.rows import Outcome
from tui.store.rows.table import JobTable


def answered(desk: Desk, answers: Sequence[str], name: str = "job") -> str:
    ids = [f"r{number}" for number in range(len(answers))]
    job = desk.job(ids, name=name)
    lines = (line(one, Outcome.SUCCEEDED, text) for one, text in zip(ids, answers, strict=True))
    desk.results(desk.batch(job), lines)
    return job


def table(desk: Desk, job: str, other: str | None = None) -> JobTable:
    total = desk.history.jobs.get(job).counts.total
    return desk.history.rows.table(job, range(total), other)


ODD = (
    '{"label": "a", "n": {"deep": 1}, "list": [{"x": 1}], "a.b": 2, "with space": 3, "[bold]": 4}',
    '{"label": 5, "n": 7}',
    '{"label": [1, 2], "n": null}',
    '{"label": NaN}',
    "[1, 2]",
    '{"label": "cut',
    '```json\n{"label": "fenced"}\n```',
    "",
    '{"x":' * 300 + "1" + "}" * 300,
)


def test_odd_answers_are_rows_with_the_values_that_they_have(desk: Desk) -> None:
    found = table(desk, answered(desk, ODD))
    assert {"@label", "@n", "@n.deep", "@list", '@"a.b"', '@"with space"'} <= {*found.columns}
    rows = list(found.rows())
    assert [row["@label"] for row in rows] == ["a", 5, [1, 2], None, None, None, "fenced"] + [
        None
    ] * 2
    assert [row["answer"] for row in rows[:-1]] == list(ODD[:-1])
    assert rows[0]["@list[0].x"] == 1
    assert rows[0]['@"a.b"'] == 2
    assert all({*found.columns} == {*row} for row in rows)
    with pytest.raises(KeyError):
        rows[0]["@lable"]
    with pytest.raises(KeyError):
        rows[0]["in.nothing"]


def test_failed_rows_have_no_answer_but_a_prompt(desk: Desk) -> None:
    job = desk.job(["a", "b"], text="the question")
    desk.results(desk.batch(job), [line("a", Outcome.FAILED, "boom")])
    rows = list(table(desk, job).rows())
    assert [(row["answer"], row["prompt"], row["outcome"]) for row in rows] == [
        (None, "the question", "failed"), (None, "the question", "pending"),
    ]  # fmt: skip


def test_rows_of_a_second_job_are_joined_by_id(desk: Desk) -> None:
    first = answered(desk, ['{"a": 1}', '{"a": 2}', "x"], "first")
    second = desk.job(["r1", "new"], name="second")
    desk.results(desk.batch(second), [line("r1", text='{"b": 3}'), line("new", text="y")])
    found = table(desk, first, second)
    assert found.columns[-2:] == ("other.model", "other.@b")
    rows = list(found.rows())
    assert [row["other.@b"] for row in rows] == [None, 3, None]
    assert [row["other.outcome"] for row in rows] == [None, "succeeded", None]


def test_the_next_row_may_be_read_by_another_thread(desk: Desk) -> None:
    found = table(desk, answered(desk, [f'{{"n": {n}}}' for n in range(1200)]))
    rows = found.rows()
    numbers: list[Any] = [next(rows)["@n"]]
    thread = threading.Thread(target=lambda: numbers.extend(row["@n"] for row in rows))
    thread.start()
    thread.join()
    assert numbers == list(range(1200))


def test_memory_does_not_grow_with_large_answers(desk: Desk) -> None:
    found = table(desk, answered(desk, [json.dumps({"t": "x" * 4_000_000})] * 24))
    tracemalloc.start()
    try:
        assert sum(len(row["answer"]) for row in found.rows()) > 24 * 4_000_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 120_000_000


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]}, "u"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"},
                                                    {"type": "image_url", "image_url": {}},
                                                    {"type": "text", "text": "b"}]}]}, "a\n\nb"),
        ({"messages": [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"},
                       {"role": "user", "content": "3"}]}, "3"),
        ({"input": "i"}, "i"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "r"}]}]}, "r"),
        ({"contents": [{"role": "user", "parts": [{"text": "g"}]}]}, "g"),
        ({"prompt": "p"}, "p"),
        ({"text": "t"}, "t"),
        ({"messages": None}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_the_prompt_of_each_kind_of_request(body: dict[str, Any], text: str) -> None:
    assert prompt_text({"custom_id": "a", "body": body}) == text
    assert prompt_text({"custom_id": "a", "params": body}) == text
    assert prompt_text([body]) == ""
