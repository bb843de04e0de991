"""Columns compared with gold: every kind of value, files, partial results, memory."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.bench import Desk, line
from tests.store.indexing.test_indexer import a_desk
from tui.core.analysis.evaluation import Evaluation, Evaluator
from tui.core.query import parse_query
from tui.core.results.json_answers import parse_answer
from tui.core.rows import Outcome
from tui.errors import UsageError
from tui.progress import Progress
from tui.store.columns import values as listing
from tui.store.history import EvaluationOptions

AS_THEY_ARE = EvaluationOptions()


def a_job(desk: Desk, answers: list[str | None]) -> str:
    """A job whose rows have these answers; ``None`` fails."""
    ids = [f"r{number}" for number in range(len(answers))]
    job = desk.job(ids)
    desk.results(
        desk.batch(job),
        (
            line(one, Outcome.FAILED) if text is None else line(one, text=text)
            for one, text in zip(ids, answers, strict=True)
        ),
    )
    return job


def evaluate(
    desk: Desk, job: str, gold: str | Iterable[tuple[str, str | None]], answer: str, where: str = ""
) -> Evaluation:
    rows = parse_query(where).rows
    return desk.history.rows.evaluate(job, gold, answer, AS_THEY_ARE, rows)


VALUES = st.sampled_from(["a", "b", "A", "x" * 3000, 1, 2.5, True, None, ["a"], {"k": 1}])
ANSWERS = st.lists(
    st.none()
    | st.just("no json")
    | st.fixed_dictionaries({}, optional={"gold": VALUES, "label": VALUES}).map(json.dumps),
    min_size=1,
    max_size=15,
)


@settings(max_examples=40, deadline=None)
@given(ANSWERS)
def test_columns_are_compared_as_text(answers: list[str | None]) -> None:
    with a_desk() as desk:
        job = a_job(desk, answers)
        expected = Evaluator()
        gold: list[tuple[str, str | None]] = []
        for number, text in enumerate(answers):
            data = parse_answer(text or "") or {}
            pair = [
                None if value is None else value if isinstance(value, str) else json.dumps(
                    value, separators=(",", ":"))
                for value in (data.get("gold"), data.get("label"))
            ]  # fmt: skip
            expected.add(*pair, has_answer=text is not None)
            gold.append((f"r{number}", pair[0]))
        wanted = expected.evaluation()
        assert evaluate(desk, job, "@gold", "@label") == wanted
        wrong = desk.history.rows.select(job, parse_query("differs:@gold,@label").rows)
        assert len(wrong) == wanted.compared - wanted.agree
        assert evaluate(desk, job, "@gold", "@label", "differs:@label,@gold").agree == 0
        assert evaluate(desk, job, gold, "@label") == wanted
        assert evaluate(desk, job, reversed(gold), "@label") == wanted


def test_values_beyond_the_list_are_read_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_MOST_DISTINCT", 5)
    answers = [json.dumps({"gold": f"g{n}", "label": f"g{n // 2 * 2}"}) for n in range(1200)]
    job = a_job(desk, [*answers])
    found = evaluate(desk, job, "@gold", "@label")
    assert (found.compared, found.agree, found.distinct) == (1200, 600, 1200)
    wrong = desk.history.rows.select(job, parse_query("differs:@gold,@label").rows)
    assert [*wrong.seqs] == [*range(1, 1200, 2)]


def test_gold_of_a_file_is_matched_by_id(desk: Desk) -> None:
    job = a_job(desk, ['{"l": "a"}', '{"l": "b"}', None, "text", '{"l": "a"}'])
    gold = [("r0", "a"), ("r1", "a"), ("r0", "b"), ("r2", "a"), ("none", "a"), ("r3", "b")]
    found = evaluate(desk, job, gold, "@l")
    assert (found.rows, found.compared, found.agree) == (5, 2, 1)
    assert (found.without_answer, found.without_value, found.without_gold) == (1, 1, 1)
    assert (found.unknown_ids, found.repeated_ids) == (1, 1)
    found = evaluate(desk, job, gold, "@l", "outcome:failed")
    assert (found.rows, found.without_answer, found.unknown_ids) == (1, 1, 1)
    assert evaluate(desk, job, [], "@l").without_both == 2


def test_ten_megabytes_are_one_class_with_a_short_name(desk: Desk) -> None:
    long = "y" * 10_000_000
    job = a_job(desk, [json.dumps({"g": long, "l": long}), json.dumps({"g": long, "l": "y"})])
    found = evaluate(desk, job, "@g", "@l")
    assert (found.compared, found.agree) == (2, 1)
    assert max(len(score.name) for score in found.classes) < 200
    assert evaluate(desk, job, [("r0", long), ("r1", long)], "@l").agree == 1


def test_what_was_read_so_far_is_evaluated_when_stopped(desk: Desk) -> None:
    job = a_job(desk, [json.dumps({"g": n % 3, "l": n % 2}) for n in range(9000)])
    found = desk.history.rows.evaluate(
        job, "@g", "@l", AS_THEY_ARE, progress=Progress(stop=lambda: True)
    )
    assert not found.is_whole
    assert 0 < found.compared < 9000
    whole = desk.history.rows.evaluate(job, "@g", "@l", AS_THEY_ARE)
    assert whole.is_whole
    assert whole.compared == 9000


@pytest.mark.parametrize("gold", ["@", "in.label", "nothing"])
def test_unknown_columns(desk: Desk, gold: str) -> None:
    job = a_job(desk, ["a"])
    with pytest.raises(UsageError):
        evaluate(desk, job, gold, "answer")
    with pytest.raises(UsageError):
        evaluate(desk, job, "answer", gold)
