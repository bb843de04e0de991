"""Rows counted by two columns, against a naive count."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.bench import Desk
from tests.store.columns.test_columns import a_job
from tests.store.indexing.test_indexer import a_desk
from tui.core.analysis import pivot as pivots
from tui.errors import UsageError

ROWS = st.lists(
    st.none()
    | st.fixed_dictionaries(
        {},
        optional={"a": st.sampled_from("xyz"), "b": st.sampled_from("12"), "n": st.integers(0, 9)},
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_every_row_is_in_one_cell(rows: list[dict[str, object] | None]) -> None:
    with a_desk() as desk:
        job = a_job(desk, [None if row is None else json.dumps(row) for row in rows])
        made = desk.history.rows.pivot(job, "@a", "@b", value="@n")
        expected: dict[tuple[object, object], list[object]] = defaultdict(list)
        for row in rows:
            expected[(row or {}).get("a"), (row or {}).get("b")].append((row or {}).get("n"))
        for line, cells in zip(made.lines, made.cells, strict=True):
            for column, cell in zip(made.columns, cells, strict=True):
                found = expected.pop((line.value, column.value), [])
                numbers = [number for number in found if isinstance(number, int)]
                assert cell.rows == len(found)
                mean = sum(numbers) / len(numbers) if numbers else None
                assert cell.mean == (None if mean is None else pytest.approx(mean))
            assert line.total.rows == sum(cell.rows for cell in cells)
        assert not expected
        assert made.total.rows == len(rows)


def test_rare_values_share_a_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pivots, "MOST_ROWS", 2)
    answers = [json.dumps({"a": letter}) for letter in "xxxyyzw"]
    job = a_job(desk, [*answers, None])
    made = desk.history.rows.pivot(job, "@a", "outcome")
    assert [(line.value, line.total.rows, line.is_rest) for line in made.lines] == [
        ("x", 3, False),
        ("y", 2, False),
        ("other values", 2, True),
        (None, 1, False),
    ]
    with pytest.raises(UsageError, match="unknown column"):
        desk.history.rows.pivot(job, "a", "outcome")
