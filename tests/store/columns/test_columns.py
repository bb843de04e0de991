"""Columns of jobs: what is read of the answers, counted, found and sorted."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.bench import Desk, line
from tests.store.indexing.test_indexer import a_desk
from tui.core import json_path
from tui.core.analysis.columns import as_number, as_text, parse_column
from tui.core.query import RowFilter, RowSort, parse_query
from tui.core.results.json_answers import parse_answer
from tui.core.rows import Outcome
from tui.errors import UsageError
from tui.progress import Progress
from tui.store.columns import values as listing
from tui.store.columns.answer_fields import FieldDecoder
from tui.store.columns.answer_lines import AnswerLines, PlaceColumns, read_text
from tui.store.columns.reader import ColumnReader
from tui.store.rows.attempts import archive_attempts

SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b", "3", "a b", ""])
)
ANSWERS = st.lists(
    st.none()
    | st.sampled_from(["", "plain", "[1, 2]", '{"label": "cut', '```json\n{"label": "b"}\n```'])
    | st.fixed_dictionaries(
        {},
        optional={
            "label": SCALARS,
            "score": SCALARS | st.floats(0, 1, width=16),
            "deep": st.fixed_dictionaries({}, optional={"er": SCALARS}) | SCALARS,
            "entities": st.just([{"value": "x"}]),
        },
    ).map(json.dumps),
    min_size=1,
    max_size=12,
)
FIELDS = ["label", "score", "deep.er", "deep", "entities[0].text"]
WHERE = st.lists(
    st.sampled_from(
        ["@label:a", "-@label:a", "@label:none", "@label:any", "@score:<2", "@score:1-3",
         "@label:a,b", '@label:"a b"', "@deep.er:*", "-@deep.er:none", "@score:0.5",
         "outcome:succeeded", "-outcome:failed", "@label:3", "answer:plain", "custom_id:r1",
         "-custom_id:r1", "length:>3", "-length:none"]
    ),
    max_size=3,
    unique_by=lambda condition: condition.startswith("custom_id") or condition,
)  # fmt: skip


def a_job(desk: Desk, answers: list[str | None], *, name: str = "job") -> str:
    """A job whose rows have these answers; ``None`` fails."""
    ids = [f"r{number}" for number in range(len(answers))]
    job = desk.job(ids, name=name)
    batch = desk.batch(job)
    desk.results(
        batch,
        (
            line(one, Outcome.FAILED) if answer is None else line(one, text=answer)
            for one, answer in zip(ids, answers, strict=True)
        ),
    )
    return job


def naive_values(desk: Desk, job: str, column: str) -> list[str | None]:
    """The values of a column by the reader of whole rows."""
    lines = list(desk.history.rows.lines(job, desk.history.rows.select(job)))
    rows = desk.rows(job)
    parsed = parse_column(column)
    if parsed.is_field:
        return [as_text(json_path.get(one.data, parsed.name)) for one in lines]
    if column == "answer":
        return [one.text.strip() or None for one in lines]
    return [as_text(getattr(row, column)) for row in rows]


def naive_order(values: list[str | None], *, descending: bool) -> list[int]:
    def key(seq: int) -> tuple[bool, float, str]:
        text = values[seq] or ""
        number = as_number(text)
        return (True, 0.0, text) if number is None else (False, number, "")

    filled = [seq for seq, value in enumerate(values) if value is not None]
    missing = [seq for seq, value in enumerate(values) if value is None]
    # Reversing a stable sort would reverse rows with equal values too.
    return [*sorted(filled, key=key, reverse=descending), *missing]


@given(ANSWERS)
def test_fields_are_those_of_the_whole_answer(answers: list[str | None]) -> None:
    for paths in (FIELDS, FIELDS[:1], FIELDS[2:3], FIELDS[4:]):
        decoder = FieldDecoder(paths)
        for answer in answers:
            if answer is not None:
                data = parse_answer(answer)
                assert decoder.values(answer) == [json_path.get(data, path) for path in paths]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ANSWERS, WHERE, st.sampled_from(["@label", "@score", "answer"]), st.booleans(), st.booleans()
)
def test_rows_found_and_sorted_by_columns(
    answers: list[str | None], where: list[str], by: str, descending: bool, bounded: bool
) -> None:
    before = listing._MOST_DISTINCT
    # With a list of values that is full at once, unlisted values are read again.
    listing._MOST_DISTINCT = 3 if bounded else before
    try:
        with a_desk() as desk:
            job = a_job(desk, answers)
            query = parse_query(" ".join(where))
            assert not query.problems
            expected = list(range(len(answers)))
            for condition in query.rows.columns:
                values = naive_values(desk, job, condition.column)
                expected = [seq for seq in expected if condition.matcher()(values[seq])]
            rest = desk.history.rows.select(job, RowFilter(outcomes=query.rows.outcomes))
            if query.rows.length != RowFilter().length:
                rest = desk.history.rows.select(
                    job, RowFilter(outcomes=query.rows.outcomes, length=query.rows.length)
                )
            expected = [seq for seq in expected if seq in set(rest.seqs)]
            found = desk.history.rows.select(job, query.rows)
            assert [seq for seq in found.seqs if seq in expected] == list(found.seqs)
            if not query.rows.custom_id:
                assert list(found.seqs) == expected
            order = desk.history.rows.select(job, order=RowSort(column=by, descending=descending))
            values = naive_values(desk, job, by)
            assert list(order.seqs) == naive_order(values, descending=descending)
    finally:
        listing._MOST_DISTINCT = before


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANSWERS, st.booleans())
def test_facets_count_what_is_there(answers: list[str | None], bounded: bool) -> None:
    before = listing._MOST_DISTINCT
    listing._MOST_DISTINCT = 3 if bounded else before
    try:
        with a_desk() as desk:
            job = a_job(desk, answers)
            facets = desk.history.rows.describe(job)
            assert {"outcome", "answer", "custom_id"} <= {facet.column for facet in facets}
            for facet in facets:
                values = naive_values(desk, job, facet.column) if facet.column in (
                    "answer", "outcome", "custom_id"
                ) or facet.column.startswith("@") else None  # fmt: skip
                if values is None:
                    continue
                counts = Counter(value for value in values if value is not None)
                assert facet.rows == len(values)
                assert facet.filled == counts.total()
                listed = {value.value: value.rows for value in facet.values}
                assert all(counts[value] == rows for value, rows in listed.items())
                assert facet.others == counts.total() - sum(listed.values())
                if facet.is_exact:
                    assert facet.distinct == len(counts)
                    assert listed == counts
    finally:
        listing._MOST_DISTINCT = before


def test_values_that_come_in_later_are_added(desk: Desk) -> None:
    job = desk.job([f"r{number}" for number in range(6)])
    batch = desk.batch(job)
    desk.write(batch, b"".join(line(f"r{n}", text='{"label": "a"}') + b"\n" for n in range(3)))
    desk.index(batch)
    (facet,) = desk.history.rows.facets(job, ["@label"])
    assert (facet.filled, facet.missing) == (3, 3)
    desk.write(batch, b"".join(line(f"r{n}", text='{"label": "b"}') + b"\n" for n in range(3, 6)))
    desk.index(batch, complete=True)
    (facet,) = desk.history.rows.facets(job, ["@label"])
    assert {value.value: value.rows for value in facet.values} == {"a": 3, "b": 3}
    # A retry replaces an answer.
    again = desk.batch(job, [5], attempt=2)
    desk.results(again, [line("r5", text='{"label": "c"}')])
    (facet,) = desk.history.rows.facets(job, ["@label"])
    assert facet.filled == 6
    assert {value.value for value in facet.values} <= {"a", "b", "c"}
    assert [row for row in desk.history.rows.values(job, ["@label"], [0, 5])] == [
        (facet_value(desk, job, 0),),
        (facet_value(desk, job, 5),),
    ]


def facet_value(desk: Desk, job: str, seq: int) -> str | None:
    return naive_values(desk, job, "@label")[seq]


def test_only_new_answers_are_read_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    job = desk.job([f"r{number}" for number in range(50)])
    batch = desk.batch(job)
    desk.write(batch, b"".join(line(f"r{n}", text='{"x": 1}') + b"\n" for n in range(40)))
    desk.index(batch)
    desk.history.rows.facets(job, ["@x"])
    desk.write(batch, b"".join(line(f"r{n}", text='{"x": 1}') + b"\n" for n in range(40, 50)))
    desk.index(batch, complete=True)
    read: list[int] = []
    fields = AnswerLines.fields

    def spy(self: AnswerLines, places: PlaceColumns, *ways: Any) -> list[Any]:
        read.extend(places[0])
        return fields(self, places, *ways)

    monkeypatch.setattr(AnswerLines, "fields", spy)
    (facet,) = desk.history.rows.facets(job, ["@x"])
    assert facet.filled == 50
    assert read == list(range(40, 50))
    desk.history.rows.facets(job, ["@x"])
    assert len(read) == 10


def test_columns_of_a_job_with_their_share(desk: Desk) -> None:
    job = a_job(desk, ['{"label": "a", "deep": {"er": 1}}', '{"label": "b"}', None, "text"])
    infos = {info.column: info for info in desk.history.rows.columns(job)}
    assert infos["@label"].filled == pytest.approx(2 / 3)
    assert infos["@deep.er"].filled == pytest.approx(1 / 3)
    assert infos["outcome"].help
    assert "@deep" not in infos


def test_a_stopped_count_says_so_and_is_not_kept(desk: Desk) -> None:
    job = a_job(desk, ['{"label": "a"}'] * 20)
    progress = Progress()
    progress.stop()
    (facet,) = desk.history.rows.facets(job, ["@label"], progress=progress)
    assert not facet.is_whole
    (facet,) = desk.history.rows.facets(job, ["@label"])
    assert (facet.is_whole, facet.filled) == (True, 20)


def test_partial_facets_are_reported(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.store.columns.facets._FIRST_SECONDS", -1.0)
    monkeypatch.setattr("tui.store.columns.answer_pages._PAGE_ROWS", 10)
    job = a_job(desk, ['{"label": "a"}'] * 25)
    seen: list[int] = []
    desk.history.rows.facets(job, ["@label"], partial=lambda facets: seen.append(facets[0].filled))
    assert seen[0] == 10


def test_unknown_columns_are_told(desk: Desk) -> None:
    job = a_job(desk, ["x"])
    with pytest.raises(UsageError, match="unknown column"):
        desk.history.rows.facets(job, ["label"])
    with pytest.raises(UsageError, match="no input column"):
        desk.history.rows.facets(job, ["in.lang"])
    with pytest.raises(UsageError, match="no input column"):
        desk.history.rows.select(job, parse_query("in.lang:de").rows)


def test_a_missing_result_file_has_no_values(desk: Desk) -> None:
    job = a_job(desk, ['{"label": "a"}'])
    for path in desk.paths.job_folder(job).rglob("*"):
        if path.is_file() and path.name not in ("requests.jsonl",):
            path.unlink()
    (facet,) = desk.history.rows.facets(job, ["@label"])
    assert facet.filled == 0


def test_the_cache_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.store.columns.reader._CACHE_BYTES", 1000)
    job = a_job(desk, ['{"a": 1, "b": 2, "c": 3}'] * 100)
    reader: ColumnReader = desk.history.rows._columns
    desk.history.rows.facets(job, ["@a", "@b", "@c"])
    assert len(reader._entries) == 1


@pytest.mark.parametrize("style", ["openai", "messages"])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"finish_reason": "length"},
        {"stop_reason": "max_tokens"},
        {"refusal": "no"},
        {"two": True},
        {"content": [{"type": "text", "text": "part"}]},
        {"content": None},
        {"type": "thinking"},
    ],
    ids=str,
)
def test_the_text_is_that_of_the_reader(style: str, change: dict[str, Any]) -> None:
    from tui.core.results.readers import READERS

    text = change.get("content", '{"a": "\\u00fc\n"}')
    if style == "openai":
        message = {"content": text, "refusal": change.get("refusal")}
        choice = {"message": message, "finish_reason": change.get("finish_reason", "stop")}
        choices = [choice, choice] if "two" in change else [choice]
        value: Any = {"custom_id": "a", "response": {"status_code": 200, "body": {
            "model": "m", "choices": choices}}}  # fmt: skip
    else:
        block = {"type": change.get("type", "text"), "text": text if isinstance(text, str) else "t"}
        message = {
            "content": [block, block] if "two" in change else [block],
            "stop_reason": change.get("stop_reason", "end_turn"),
            "model": "m",
        }
        value = {"custom_id": "a", "result": {"type": "succeeded", "message": message}}
    data = json.dumps(value).encode()
    assert read_text(data, style) == READERS[style](data, None).text


def test_rows_that_wait_for_another_answer_have_no_value(desk: Desk) -> None:
    job = desk.job(["a", "b", "c"])
    desk.results(desk.batch(job), [line(one, text='{"label": "old"}') for one in "abc"])

    def counted() -> tuple[dict[str, int], int, int]:
        (facet,) = desk.history.rows.facets(job, ["@label"])
        listed = {value.value: value.rows for value in facet.values}
        found = desk.history.rows.select(job, parse_query("@label:old").rows)
        return listed, facet.missing, len(found)

    assert counted() == ({"old": 3}, 0, 3)
    again = desk.batch(job, attempt=2)
    with desk.database.write() as connection:
        archive_attempts(connection, desk.data(job).pk, [0, 1])
    assert counted() == ({"old": 1}, 2, 1)
    # The old answer is shown again if the new attempt fails.
    for one in (line("a", Outcome.FAILED), line("b", text='{"label": "new"}')):
        desk.write(again, one + b"\n")
    desk.index(again)
    assert counted() == ({"old": 2, "new": 1}, 0, 2)


def test_the_types_are_those_of_the_values(desk: Desk) -> None:
    job = desk.job(["a", "b"])
    desk.results(desk.batch(job), [line(one, text='{"label": 1}') for one in "ab"])
    desk.history.rows.facets(job, ["@label"])
    again = desk.batch(job, [1], attempt=2)
    desk.results(again, [line("b", text='{"label": "x"}')])
    (facet,) = desk.history.rows.facets(job, ["@label"])
    assert facet.types == {"number": 1, "string": 1}
