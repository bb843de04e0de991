from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.indexing.test_indexer import a_desk
from tui.store import database
from tui.store.rows import lookup
from tui.store.rows.lookup import RowLookup


@settings(max_examples=40)
@given(st.data())
def test_the_finder_equals_the_index(data: st.DataObject) -> None:
    """Whatever order, repetition, unknown ids and wrong guess of the start."""
    with pytest.MonkeyPatch.context() as patch, a_desk() as desk:
        patch.setattr(lookup, "_AHEAD_ROWS", data.draw(st.integers(1, 8), label="ahead"))
        patch.setattr(lookup, "_MAX_CACHED", data.draw(st.integers(1, 20), label="held"))
        patch.setattr(database, "_VALUES_PER_QUERY", data.draw(st.integers(1, 5), label="at once"))
        count = data.draw(st.integers(0, 30), label="requests")
        job = desk.job([f"r{number}" for number in range(count)])
        (pk,) = desk.database.read.execute("SELECT pk FROM jobs WHERE id=?", (job,)).fetchone()
        known = {f"r{number}": number for number in range(count)}
        asked = data.draw(
            st.one_of(
                st.permutations([*known, "x", "y"]),
                st.lists(st.sampled_from([*known, "x", ""]), max_size=40),
                st.just(list(known)),
                st.just(list(reversed(known))),
            ),
            label="ids",
        )
        finder = RowLookup(pk, data.draw(st.integers(0, 40), label="start"))
        size = data.draw(st.integers(1, 12), label="slice")
        for start in range(0, len(asked), size):
            part = asked[start : start + size]
            expected = {custom_id: known[custom_id] for custom_id in part if custom_id in known}
            assert finder.find(desk.database.read, part) == expected


def test_an_id_that_comes_again_later_is_found_again() -> None:
    with a_desk() as desk:
        desk.job(["a", "b"])
        finder = RowLookup(1, 0)
        for _ in range(3):
            assert finder.find(desk.database.read, ["b"]) == {"b": 1}
        assert finder.find(desk.database.read, []) == {}
