from __future__ import annotations

from typing import Any

import pytest

from tests.providers.fakes import batch
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import BatchIssue, RemoteBatch, ResultSource
from tui.providers.dialects.batch_responses import parse_issues, read_batch, unwrap_object
from tui.providers.profiles.load import Profile, find_profile

OPENAI = find_profile("openai")


def profile(**table: Any) -> Profile:
    return find_profile("x", {"x": {"base": "openai", **table}})


def read(value: dict[str, Any], chosen: Profile = OPENAI, rows: int | None = None) -> RemoteBatch:
    found = read_batch(value, chosen, rows)
    assert found is not None
    return found


def test_a_batch_of_openai() -> None:
    value = batch(
        status="completed",
        output_file_id="file-out",
        error_file_id="file-err",
        completed_at=1_795_000_100,
        expired_at=1_795_086_400,
        expires_at=1_795_086_400,
        metadata={"batchdeck_batch": "b-1", "team": "blue", "n": 3, "gone": None},
        request_counts={"total": 3, "completed": 2, "failed": 1},
    )
    found = read(value)
    assert found == RemoteBatch(
        id="batch_1",
        status=BatchStatus.COMPLETED,
        raw_status="completed",
        counts=RemoteCounts(total=3, completed=2, failed=1),
        results=(
            ResultSource(kind="output", ref="file-out"),
            ResultSource(kind="errors", ref="file-err"),
        ),
        input_file_id="file-1",
        endpoint="/v1/chat/completions",
        intent="b-1",
        metadata={"batchdeck_batch": "b-1", "team": "blue", "n": "3"},
        created_at=1_795_000_000.0,
        ended_at=1_795_000_100.0,
        expires_at=1_795_086_400.0,
        raw=value,
    )


@pytest.mark.parametrize("status", ["completed", "failed", "expired", "cancelled"])
def test_every_end_has_its_files_and_its_own_time(status: str) -> None:
    times = {"completed_at": 1001, "failed_at": 1002, "expired_at": 1003, "cancelled_at": 1004}
    found = read(batch(status=status, output_file_id="o", error_file_id="e", **times))
    assert [source.ref for source in found.results] == ["o", "e"]
    assert found.ended_at == times[f"{status}_at"]


def test_no_files_before_the_end_unless_they_grow() -> None:
    value = batch(output_file_id="o", error_file_id="e")
    assert read(value).results == ()
    growing = read(value, profile(can={"partial_results": True})).results
    assert growing == (
        ResultSource(kind="output", ref="o", growing=True),
        ResultSource(kind="errors", ref="e", growing=True),
    )
    unknown = read(batch(status="wrapping up", output_file_id="o"))
    assert unknown.status is BatchStatus.UNKNOWN
    assert unknown.raw_status == "wrapping up"
    assert unknown.results == (ResultSource(kind="output", ref="o", growing=True),)


@pytest.mark.parametrize("missing", [None, "", []])
def test_files_that_are_not_there(missing: Any) -> None:
    value = batch(status="completed", output_file_id=missing)
    assert read(value).results == ()


def test_one_file_for_both_is_read_once() -> None:
    value = batch(status="completed", output_file_id="same", error_file_id="same")
    assert len(read(value).results) == 1


def test_keys_that_are_absent_or_null_are_unknown() -> None:
    bare = read({"id": "b", "status": "in_progress"})
    assert bare.counts == RemoteCounts()
    assert (bare.created_at, bare.expires_at, bare.endpoint, bare.intent) == (None,) * 4
    nulls = read(
        {
            "id": "b",
            "status": None,
            "request_counts": {"total": None},
            "metadata": None,
            "errors": None,
        }
    )
    assert nulls.status is BatchStatus.UNKNOWN
    assert nulls.counts == RemoteCounts()
    assert read_batch({"status": "completed"}, OPENAI) is None
    assert read_batch({"id": ""}, OPENAI) is None


def test_zeros_while_validating_are_unknown() -> None:
    zeros = {"total": 0, "completed": 0, "failed": 0}
    assert read(batch(status="validating", request_counts=zeros)).counts == RemoteCounts()
    ended = read(batch(status="failed", request_counts=zeros)).counts
    assert ended == RemoteCounts(total=0, completed=0, failed=0)


def test_counts_without_a_total_add_up() -> None:
    melious = {"processing": 4, "succeeded": 5, "errored": 1}
    found = read(batch(request_counts=melious)).counts
    assert found == RemoteCounts(total=10, completed=5, failed=1)
    with_total = read(batch(request_counts={**melious, "total": 10})).counts
    assert with_total.total == 10


def test_counts_of_the_first_scaledown_generation() -> None:
    value = {"batch_id": "b", "status": "processing"}
    value |= {"total_count": 9, "completed_count": 2, "failed_count": 1}
    found = read(value)
    assert found.id == "b"
    assert found.status is BatchStatus.IN_PROGRESS
    assert found.counts == RemoteCounts(total=9, completed=2, failed=1)


def test_counts_as_text_and_elsewhere() -> None:
    mistral = profile(
        batch={
            "total": "total_requests",
            "done": "succeeded_requests",
            "failed": "failed_requests",
            "status_map": {"SUCCESS": "completed", "TIMEOUT_EXCEEDED": "expired"},
            "output": "output_file",
            "error": "error_file",
        }
    )
    value = {
        "id": "j",
        "status": "TIMEOUT_EXCEEDED",
        "total_requests": "8",
        "completed_requests": 7,
        "succeeded_requests": 5,
        "failed_requests": 2,
        "output_file": "f",
    }
    found = read(value, mistral)
    assert found.status is BatchStatus.EXPIRED
    assert found.counts == RemoteCounts(total=8, completed=5, failed=2)
    assert found.results == (ResultSource(kind="output", ref="f"),)


def test_a_percentage_becomes_counts_when_the_rows_are_known() -> None:
    together = profile(batch={"percent": "progress", "done": ""})
    value = {"id": "j", "status": "IN_PROGRESS", "progress": 37.5}
    assert read(value, together).counts == RemoteCounts()
    assert read(value, together, 200).counts == RemoteCounts(total=200, completed=75)
    assert read({**value, "progress": 250}, together, 200).counts.completed == 200


def test_the_rest_of_a_cancelled_batch_where_no_count_says_it() -> None:
    doubleword = profile(batch={"rest_is_cancelled": True})
    counts = {"total": 10, "completed": 6, "failed": 1}
    assert read(batch(status="cancelled", request_counts=counts), doubleword).counts.cancelled == 3
    assert (
        read(batch(status="completed", request_counts=counts), doubleword).counts.cancelled is None
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        ("", ()),
        ({}, ()),
        ([], ()),
        ({"object": "list", "data": None}, ()),
        ("it failed", (BatchIssue(message="it failed"),)),
        (["one", "two"], (BatchIssue(message="one"), BatchIssue(message="two"))),
        (
            {"object": "list", "data": [{"code": "c", "message": "m", "param": "p", "line": 4}]},
            (BatchIssue(code="c", message="m", param="p", line=4),),
        ),
        ([{"code": "c", "message": "m", "line": None}], (BatchIssue(code="c", message="m"),)),
        ({"message": "m"}, (BatchIssue(message="m"),)),
        ([{"message": "m", "count": 3}], (BatchIssue(message="m (3 rows)"),)),
        (7, ()),
    ],
)
def test_complaints_in_all_shapes(value: Any, expected: tuple[BatchIssue, ...]) -> None:
    assert parse_issues(value) == expected


@pytest.mark.parametrize(
    ("value", "wrapper"),
    [
        ({"job": {"id": "j"}, "warning": None}, "job"),
        ({"code": 20000, "data": {"id": "j"}}, "data"),
        ({"data": {"id": "j"}}, ""),
        ({"id": "j"}, "job"),
        ({"id": "j", "data": {"id": "other"}}, ""),
    ],
)
def test_wrapped_answers(value: dict[str, Any], wrapper: str) -> None:
    assert unwrap_object(value, wrapper, "id")["id"] == "j"


def test_an_answer_that_wraps_nothing_is_left_as_it_is() -> None:
    assert unwrap_object({"data": [1], "x": 1}, "", "id") == {"data": [1], "x": 1}
