"""The filter language: what it means, what it complains about, what it proposes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.analysis.completion import completed, completions
from tui.core.query import (
    KEYS,
    NumberRange,
    RowFilter,
    make_term,
    parse_query,
    written,
)
from tui.core.rows import UNANSWERED, Outcome

EITHER = frozenset({Outcome.FAILED, Outcome.EXPIRED})


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", RowFilter()),
        ("plain  words", RowFilter(text="plain  words")),
        ('"two words" three', RowFilter(text="two words", texts=("three",))),
        ("outcome:expired,failed", RowFilter(outcomes=EITHER)),
        ("outcome:FAILED outcome:unanswered", RowFilter(outcomes=UNANSWERED)),
        ("code:429,timeout error:400", RowFilter(codes=frozenset({"429", "timeout", "400"}))),
        ("attempt:2", RowFilter(attempt=NumberRange(2, 2))),
        ("tokens:>500 tokens:<=4k", RowFilter(tokens=NumberRange(501, 4000))),
        ("tokens>500 Tokens<=4k", RowFilter(tokens=NumberRange(501, 4000))),
        ("words>5 a<b tokens>x", RowFilter(text="words>5 a<b tokens>x")),
        ("code<500", RowFilter(text="code<500")),
        ("length:<20", RowFilter(length=NumberRange(None, 19))),
        (
            "in:5-9 out:5..9",
            RowFilter(input_tokens=NumberRange(5, 9), output_tokens=NumberRange(5, 9)),
        ),
        ("re:refund.* re:\"a b\"", RowFilter(text="re:refund.*", texts=("re:a b",))),
        ('"re:x"', RowFilter(text="re:re:x")),
        ("json:bad schema:ok", RowFilter(checks=frozenset({"json:bad", "schema:ok"}))),
        ("id:row-00* model:m finish:length", RowFilter(
            custom_id="row-00*", models=frozenset({"m"}), finish=frozenset({"length"}))),
        ("review:Wrong,refund reviewer:Anna", RowFilter(
            reviews=frozenset({"wrong", "refund"}), reviewers=frozenset({"anna"}))),
        ("group:AB12", RowFilter(groups=frozenset({"ab12"}))),
        ("see http://x.org at 12:30", RowFilter(text="see http://x.org at 12:30")),
        ("sandbox:refuse", RowFilter(text="sandbox:refuse")),
    ],
)  # fmt: skip
def test_words_mean(text: str, rows: RowFilter) -> None:
    query = parse_query(text)
    assert query.problems == ()
    assert query.rows == rows


def test_costs_are_bounded_exactly() -> None:
    span = parse_query("cost:>0.01").rows.cost
    assert span.least is not None and 0.01 < span.least < 0.0100000001


@pytest.mark.parametrize(
    ("text", "told", "meant"),
    [
        ("otcome:failed", "Unknown key otcome:", "outcome:failed"),
        ("outcome:faild,expired", "Unknown outcome 'faild'", "outcome:failed,expired"),
        ("outcome:", "needs a value", ""),
        ("tokens:many", "needs a number", ""),
        ("tokens:>", "needs a number", ""),
        ("re:(", "not a regular expression", ""),
        ("json:green", "ok or bad", "json:bad"),
        ("id:a id:b", "once", ""),
    ],
)
def test_a_mistake_is_named_with_what_was_meant(text: str, told: str, meant: str) -> None:
    query = parse_query(f"x {text}")
    (problem,) = query.problems
    assert told in problem.message
    assert problem.meant == meant
    # The rest counts all the same.
    assert query.rows.text == "x"
    assert text.endswith(f"x {text}"[problem.start : problem.stop])


TOKENS = st.sampled_from(
    ["outcome:failed", "code:429", "tokens:>5", "plain", '"a b"', "re:x.*", "json:bad", ":", '"',
     "outcome:nonsense", "x:y", "é", 'code:"a b"', "group:12", "id:*"]
)  # fmt: skip


@given(st.lists(TOKENS | st.text(max_size=6), max_size=6).map(" ".join))
def test_any_words_can_be_read_and_written_again(text: str) -> None:
    query = parse_query(text)
    again = parse_query(written(query.terms))
    assert again.problems == ()
    assert again.rows == query.rows
    assert [(term.key, term.value) for term in again.terms] == [
        (term.key, term.value) for term in query.terms
    ]
    for problem in query.problems:
        assert 0 <= problem.start < problem.stop <= len(text)
    completions(text)
    assert completed(text)[:1].lower() == text[:1].lower()


@given(st.text(min_size=1, max_size=12).filter(lambda text: '"' not in text and text.strip()))
def test_any_value_can_stand_in_a_term(value: str) -> None:
    (term,) = parse_query(make_term("reviewer", value).written).terms
    assert (term.key, term.value) == ("reviewer", value)


def test_the_last_word_is_completed() -> None:
    assert completed("code:429 outc") == "code:429 outcome:"
    assert completions("outcome:failed,ex") == ["outcome:failed,expired"]
    assert completed("outcome:tru") == "outcome:truncated"
    assert completed("words") == "words"
    assert completed("outcome:failed ") == "outcome:failed "


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_key_explains_itself(key: object) -> None:
    from tui.core.query import Key

    assert isinstance(key, Key)
    assert key.help
    assert re.match(rf"{key.name}:\S+$", key.example)
    assert parse_query(key.example).problems == ()


@pytest.mark.parametrize(
    ("where", "selects"),
    [
        ("@label:refund", True),
        ("-@label:none", True),
        ("answer:yes", True),
        ("calc.level:low", True),
        ("judge.@score:<3", True),
        ("differs:in.label,@label", True),
        ("differs:calc.gold,@label", True),
        ("differs:in.label,in.other", False),
        ("in.lang:de", False),
        ("tokens:>5 words", False),
        ("review:wrong", True),
        ("outcome:failed", True),
    ],
)
def test_filters_that_name_rows_by_what_was_answered(where: str, selects: bool) -> None:
    """A retry sends all rows of such a filter, also those with an answer."""
    assert parse_query(where).rows.selects_answers is selects
