"""Whether requests ask for a form is told by their bytes, wherever these are cut."""

from __future__ import annotations

import json

import pytest

from tests.store.bench import Desk, request
from tui.core.counts import Counts
from tui.core.ids import new_job_id
from tui.core.jobs import Job
from tui.core.status import BatchStatus
from tui.core.verdicts import Verdict
from tui.store import forms, verdicts
from tui.store.forms import may_ask_for_a_form
from tui.store.importing import import_requests
from tui.store.verdicts import schema_verdicts, verdict_file


def job_of(desk: Desk, lines: list[bytes]) -> str:
    job = Job(
        id=new_job_id(), name="j", account="sandbox", provider="sandbox", endpoint="/v1/x",
        model="m", status=BatchStatus.DRAFT, counts=Counts(), created_at=1.0,
    )  # fmt: skip
    named = ((json.loads(line)["custom_id"], line) for line in lines)
    assert import_requests(desk.database, desk.paths, job, named) is not None
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
        monkeypatch.setattr(forms, "_WINDOW", window)
        assert may_ask_for_a_form(desk.history, job)


def test_words_in_a_prompt_are_no_form(desk: Desk) -> None:
    job = job_of(desk, [request("a", 'Give me "tools" and a response_format, as text.')])
    assert not may_ask_for_a_form(desk.history, job)
    assert may_ask_for_a_form(desk.history, job, stop=lambda: True)


def test_a_form_may_come_with_a_retry(desk: Desk) -> None:
    job = job_of(desk, [request("a")])
    batch = desk.batch(job)
    with desk.database.write() as connection:
        edits = json.dumps({"response_format": {"type": "json_object"}})
        connection.execute("UPDATE batches SET edits=? WHERE id=?", (edits, batch.id))
    assert may_ask_for_a_form(desk.history, job)


def test_nothing_is_read_where_nothing_is_asked_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(desk, [request("a"), request("b"), request("c")])
    file = desk.paths.job_folder(job) / verdict_file(None)
    slow = schema_verdicts(desk.history, job, range(3))
    file.unlink()
    monkeypatch.setattr(verdicts, "_MANY", 1)
    assert schema_verdicts(desk.history, job, range(3)) == slow
    assert slow.counts == {Verdict.NOTHING: 3}
    assert not file.exists()
