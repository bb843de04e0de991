"""Whether requests ask for a form is told by their bytes, wherever these are cut."""

from __future__ import annotations

import json

import pytest

from tests.store.bench import Desk, request
from tui.core.jobs import BatchStatus, Counts, Job, new_job_id
from tui.core.results.schema import SchemaResult
from tui.progress import Progress
from tui.store.search import schema_results
from tui.store.search.schema_results import any_request_has_schema, schema_cache_file


def job_of(desk: Desk, lines: list[bytes]) -> str:
    job = Job(
        id=new_job_id(), name="j", account="sandbox", provider="sandbox", endpoint="/v1/x",
        model="m", status=BatchStatus.DRAFT, counts=Counts(), created_at=1.0,
    )  # fmt: skip
    named = ((json.loads(line)["custom_id"], line) for line in lines)
    assert desk.history.jobs.add(job, named) is not None
    return job.id


@pytest.mark.parametrize(
    "body",
    [
        {"response_format": {"type": "json_object"}},
        {"text": {"format": {"type": "json_schema"}}},
        {"tools": []},
        {"guided_json": {}},
    ],
)
def test_a_form_is_seen_wherever_it_stands(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, body: dict[str, object]
) -> None:
    lines = [request(f"r{n}") for n in range(5)]
    lines.insert(3, json.dumps({"custom_id": "x", "body": body}).encode())
    job = job_of(desk, lines)
    for window in (7, 16, 61, 1 << 20):
        monkeypatch.setattr(schema_results, "_WINDOW", window)
        assert any_request_has_schema(desk.data(job))


def test_words_in_a_prompt_are_no_form(desk: Desk) -> None:
    job = job_of(desk, [request("a", 'Give me "tools" and a response_format, as text.')])
    assert not any_request_has_schema(desk.data(job))
    assert any_request_has_schema(desk.data(job), Progress(stop=lambda: True))


def test_a_form_may_come_with_a_retry(desk: Desk) -> None:
    job = job_of(desk, [request("a")])
    batch = desk.batch(job)
    with desk.database.write() as connection:
        edits = json.dumps({"response_format": {"type": "json_object"}})
        connection.execute("UPDATE batches SET edits=? WHERE id=?", (edits, batch.id))
    assert any_request_has_schema(desk.data(job))


def test_nothing_is_read_where_nothing_is_asked_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(desk, [request("a"), request("b"), request("c")])
    file = desk.paths.job_folder(job) / schema_cache_file(None)
    slow = desk.history.rows.check_schemas(job, range(3))
    file.unlink()
    monkeypatch.setattr(schema_results, "_MANY_ROWS", 1)
    assert desk.history.rows.check_schemas(job, range(3)) == slow
    assert slow.counts == {SchemaResult.NOTHING: 3}
    assert not file.exists()
