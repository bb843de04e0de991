"""Names of columns, their values as text, and conditions on them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core import json_path
from tui.core.analysis.columns import (
    Column,
    ColumnKind,
    as_number,
    as_text,
    fields_of,
    parse_column,
    parse_condition,
    write_value,
)
from tui.core.analysis.completion import column_at_end, completions
from tui.core.query import make_column_term, parse_query
from tui.errors import UsageError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("@label", ColumnKind.FIELD, "label"),
        ("@items[0].name", ColumnKind.FIELD, "items[0].name"),
        ('@"first name"', ColumnKind.FIELD, '"first name"'),
        ("in.lang", ColumnKind.INPUT, "lang"),
        ('in."First name"', ColumnKind.INPUT, "First name"),
        ("outcome", ColumnKind.FACT, "outcome"),
        ("answer", ColumnKind.FACT, "answer"),
    ],
)
def test_columns_by_name(text: str, kind: ColumnKind, name: str) -> None:
    column = parse_column(text)
    assert column == Column(kind, name)
    assert str(column) == text


@pytest.mark.parametrize("text", ["", "@", "in.", "label", "@a..b", "@a[", "Outcome"])
def test_what_is_not_a_column(text: str) -> None:
    with pytest.raises(UsageError, match="unknown column"):
        parse_column(text)


@given(st.text(min_size=1))
def test_any_name_of_an_input_column_is_written_and_read(name: str) -> None:
    column = Column(ColumnKind.INPUT, name)
    assert parse_column(str(column)) == column


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_every_field_that_is_found_is_there(answer: dict[str, Any]) -> None:
    for path in fields_of(answer, 100):
        assert json_path.is_path(path)
        assert len(json_path.find(answer, path)) == 1
        # It can be asked for in a query, whatever its name is.
        query = parse_query(make_column_term(f"@{path}", ["x"]).written)
        assert not query.problems
        (condition,) = query.rows.columns
        assert parse_column(condition.column).name == path


def test_fields_of_deep_and_wide_answers_are_bounded() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = {"a": deep}
    assert fields_of(deep, 100) == ["a.a.a.a"]
    assert len(fields_of({str(number): 1 for number in range(5000)}, 500)) == 500
    assert fields_of([1, 2], 10) == []


@given(st.text())
def test_any_value_is_written_and_read(value: str) -> None:
    query = parse_query(make_column_term("@label", [value]).written)
    assert not query.problems
    (condition,) = query.rows.columns
    assert condition.texts == {value}
    assert condition.matcher()(value)
    assert not condition.matcher()(None)


def test_a_value_that_looks_like_syntax_is_quoted() -> None:
    assert write_value("refund") == "refund"
    assert write_value("not sure") == '"not sure"'
    assert write_value("a,b") == '"a,b"'
    assert write_value("none") == '"none"'
    assert write_value(None) == "none"
    assert write_value('say "hi"') == r'"say \u0022hi\u0022"'
    assert write_value("3-5") == '"3-5"'
    assert write_value("-1") == '"-1"'


@pytest.mark.parametrize(
    ("written", "yes", "no"),
    [
        ("refund", ["refund"], ["Refund", "refunds", None, ""]),
        ("refund,other", ["refund", "other"], ["x", None]),
        ('"not sure",other', ["not sure", "other"], ["not"]),
        ("ref*", ["refund", "ref"], ["a ref", None]),
        ("gr?y", ["gray", "grey"], ["gry"]),
        ("[a]*", ["[a]b"], ["ab"]),
        (">3", ["4", "3.1", " 7 "], ["3", "x", None, "true"]),
        (">=3", ["3", "3.0"], ["2.9"]),
        ("<0.5", ["0.4", "-1"], ["0.5", "", None]),
        ("1-3", ["1", "2.5", "3"], ["0.9", "3.1"]),
        ("1..3", ["1", "3"], ["4"]),
        ("-2--1", ["-1.5"], ["0"]),
        ("4", ["4", "4.0"], ["40", None]),
        ("=4", ["4", "4.0"], ["5"]),
        (">=1,<2", ["1", "1.9"], ["2", "0"]),
        ("<1,>2", ["0", "3"], ["1", "1.5", "2"]),
        ("none", [None], ["none", ""]),
        ('"none"', ["none"], [None]),
        ("any", ["x", ""], [None]),
        ("none,refund", [None, "refund"], ["x"]),
        ("true", ["true"], ["false", None]),
    ],
)
def test_conditions(written: str, yes: list[str | None], no: list[str | None]) -> None:
    matches = parse_condition("@x", written).matcher()
    assert [value for value in yes if not matches(value)] == []
    assert [value for value in no if matches(value)] == []
    opposite = parse_condition("@x", written, negated=True).matcher()
    assert all(opposite(value) is not matches(value) for value in [*yes, *no])


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("@label:refund", ["@label"]),
        ("@score:<3 in.stars:>=4", ["@score", "in.stars"]),
        ("@score<3", ["@score"]),
        ("-@label:refund", ["@label"]),
        ("-outcome:failed", ["outcome"]),
        ("output_tokens:>5", ["output_tokens"]),
        ("answer:yes", ["answer"]),
        ('@"first name":Anna', ['@"first name"']),
        ("@items[0].name:x", ["@items[0].name"]),
        ("@tools[type=call].name:x", ["@tools[type=call].name"]),
    ],
)
def test_conditions_in_a_query(text: str, columns: list[str]) -> None:
    query = parse_query(text)
    assert not query.problems
    assert [condition.column for condition in query.rows.columns] == columns
    assert not query.rows.text


def test_words_for_outcomes_can_be_excluded() -> None:
    (condition,) = parse_query("-outcome:unanswered").rows.columns
    assert condition.negated
    assert condition.texts == {"failed", "expired", "cancelled", "missing"}


def test_keys_keep_their_meaning_and_texts_stay_texts() -> None:
    assert parse_query("model:m1 in:>4").rows.columns == ()
    assert parse_query("user@example.org: hello @anna").rows.columns == ()


@pytest.mark.parametrize("text", ["@label:", "@score:>x", "-@label:"])
def test_a_condition_without_a_value_is_a_problem(text: str) -> None:
    query = parse_query(text)
    assert len(query.problems) == 1
    assert query.rows.columns == ()


@pytest.mark.parametrize(
    ("text", "number"),
    [("4", 4), (" 4.5 ", 4.5), ("-1e3", -1000), (".5", 0.5), ("", None), ("nan", None),
     ("1,5", None), ("0x10", None), ("1" * 50, None), ("inf", None), ("1e999", None)],
)  # fmt: skip
def test_texts_that_are_numbers(text: str, number: float | None) -> None:
    assert as_number(text) == number


@given(JSON)
def test_values_as_text(value: Any) -> None:
    text = as_text(value)
    if value is None or isinstance(value, str):
        assert text == value
    else:
        assert text is not None
        assert json.loads(text) == value


COLUMNS = {"@label": ["refund", "not sure", "none"], "in.lang": ["de", "en"], "@score": []}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@l", ["@label:"]),
        ("-@l", ["-@label:"]),
        ("in", ["in:", "in.lang:"]),
        ("in.", ["in.lang:"]),
        ("@label:", ["@label:refund", '@label:"not sure"', '@label:"none"', "@label:none"]),
        ("-@label:n", ['-@label:"not sure"', '-@label:"none"', "-@label:none"]),
        ("words @label:refund,no", ['@label:refund,"not sure"', '@label:refund,"none"',
                                    "@label:refund,none"]),
        ("@score:", ["@score:none"]),
        ("outcome:f", ["outcome:failed"]),
    ],
)  # fmt: skip
def test_columns_and_values_are_completed(text: str, found: list[str]) -> None:
    assert completions(text, COLUMNS) == found
    assert column_at_end(text) == (text.lstrip("-").split(" ")[-1].split(":")[0] if
                                   "@" in text and ":" in text else "")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("rev", ["review:", "reviewer:"]),
        ("review:w", ["review:wrong"]),
        ("review:off", ['review:"off topic"']),
        ("review:right,O", ['review:right,"off topic"']),
        ('review:"off', ['review:"off topic"']),
        ("model:g", ["model:gpt-5", "model:gpt-5-mini"]),
    ],
)
def test_labels_and_other_facts_are_completed_with_those_in_use(
    text: str, found: list[str]
) -> None:
    facts = {"review": ["off topic", "a, b", 'a "b"', "right"], "model": ["gpt-5", "gpt-5-mini"]}
    assert completions(text, facts) == found
    key, colon, _ = text.partition(":")
    assert column_at_end(text) == (key if colon else "")
