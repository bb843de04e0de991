"""A job as a whole: what is found in its answers."""

from __future__ import annotations

from typing import Any

from tui.core.jobs import Cost, Counts
from tui.core.results.json_answers import parse_answer
from tui.core.rows import Outcome, RowLine, Usage
from tui.core.summary import TEXT_FIELD, Summarizer, Summary, scalars


def row(text: str, outcome: Outcome = Outcome.SUCCEEDED, **more: Any) -> RowLine:
    values: dict[str, Any] = {
        "custom_id": "r",
        "attempt": 1,
        "http_status": 200,
        "error": None,
        "finish_reason": "stop",
        "model": "m",
        "usage": Usage(),
        "cost": None,
    }
    return RowLine(text=text, data=parse_answer(text), outcome=outcome, **(values | more))


def summary(rows: list[RowLine], field: str = "", **more: Any) -> Summary:
    summarizer = Summarizer(field, **more)
    summarizer.add(rows)
    return summarizer.summary("j", "job", Counts(total=len(rows)), Cost())


def test_the_likely_field_is_the_label() -> None:
    rows = [row(f'{{"why": "because {n}", "label": "{"ab"[n % 2]}", "n": {n}}}') for n in range(20)]
    made = summary(rows)
    assert made.field == "data.label"
    assert made.labels.items == (("a", 10), ("b", 10))
    assert [field.path for field in made.fields] == ["data.why", "data.label", "data.n", "text"]
    assert (made.answered, made.json_rows) == (20, 20)


def test_short_answers_are_labels_themselves() -> None:
    made = summary([row("good"), row("good "), row("bad"), row("good"), row("bad")])
    assert made.field == TEXT_FIELD
    assert made.labels.items == (("good", 3), ("bad", 2))


def test_answers_that_all_differ_have_no_label() -> None:
    assert summary([row(f"answer {n}") for n in range(100)]).field == ""


def test_labels_and_words_of_a_field() -> None:
    rows = [
        row('{"tags": ["x", "y", "x"], "why": "The end is the end"}'),
        row('{"tags": ["y"], "why": 3}'),
    ]
    made = summary(rows, "data.tags[]")
    assert made.labels.items == (("x", 2), ("y", 2))
    made = summary(rows, "data.why")
    assert made.words.items == (("end", 2), ("the", 2), ("is", 1))
    assert made.labels.items == (("3", 1), ("The end is the end", 1))
    assert summary(rows, "data.why", stop_words=True).words.items == (("end", 2),)
    assert summary(rows, "data.none").labels.total == 0


def test_unknown_is_unknown() -> None:
    made = summary([row("a"), row("b", cost=0.5, usage=Usage(input_tokens=3))])
    assert (made.input_tokens, made.output_tokens, made.cached_tokens) == (3, None, None)
    assert (made.token_rows, made.row_cost) == (1, 0.5)
    assert summary([row("a")]).row_cost is None


def test_rows_without_an_answer_say_nothing_of_answers() -> None:
    made = summary([row("", Outcome.FAILED, finish_reason=None, model=None), row("abc")])
    assert (made.answered, made.lengths.count) == (1, 1)
    assert made.finish.items == (("stop", 1),)
    assert [share.rows for share in made.models] == [1]


def test_models_side_by_side() -> None:
    rows = [row("a", model="m1"), row("b", model="m2"), row("c", model="m2", cost=1.0)]
    shares = summary(rows).models
    assert [(share.model, share.rows, share.cost) for share in shares] == [
        ("m2", 2, 1.0),
        ("m1", 1, None),
    ]


def test_fields_without_end_are_bounded() -> None:
    made = summary(
        [row("{" + ",".join(f'"k{n}-{m}": 1' for m in range(50)) + "}") for n in range(9)]
    )
    assert len(made.fields) == 201
    assert made.more_fields == 250


def test_deep_answers_are_cut_at_a_depth() -> None:
    data: Any = 1
    for _ in range(50):
        data = {"a": [data]}
    assert list(scalars(data)) == []
    assert list(scalars({"a": {"b": [1, {"c": None, "d": "x"}]}})) == [
        ("data.a.b[]", 1),
        ("data.a.b[].d", "x"),
    ]


def test_a_few_short_ones_among_long_answers_are_no_labels() -> None:
    long = [row(f"{n} " + "word " * 40) for n in range(90)]
    assert summary([*long, *[row("sorry")] * 10]).field == ""
    assert summary([*long[:10], *[row("sorry")] * 20]).field == TEXT_FIELD
