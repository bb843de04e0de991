"""Sections: which jobs need somebody, and which names can be kept."""

from __future__ import annotations

import pytest

from tests.ui.fakes import NOW, FakeEngine, a_job
from tui.core.analysis.sections import (
    BUILT_IN,
    RECENT_SECONDS,
    check_section_name,
    section_of,
    sections,
)
from tui.core.jobs import BatchStatus, Counts
from tui.errors import UsageError
from tui.ui.models.job_list import JobList


def test_words_about_the_state_of_a_job(engine: FakeEngine) -> None:
    good = Counts(total=9, succeeded=9)
    long_ago = NOW - RECENT_SECONDS - 60
    engine.history.add(
        a_job(1, name="good", counts=good),
        a_job(2, name="bad"),
        a_job(3, name="old", ended_at=long_ago),
        a_job(4, name="draft", counts=good, status=BatchStatus.DRAFT, ended_at=None),
        a_job(5, name="live", status=BatchStatus.IN_PROGRESS, ended_at=None),
    )

    def names(text: str) -> set[str]:
        return {view.job.name for job_id in board.ids(text) if (view := board.view(job_id))}

    board = JobList(engine.history, lambda: NOW)  # type: ignore[arg-type]
    board.reload()
    assert names("is:running") == {"live"}
    assert names("is:draft") == {"draft"}
    assert names("is:ended") == {"good", "bad", "old"}
    # The window of the live one ends within an hour.
    assert names("needs:me") == {"bad", "draft", "live"}
    assert names("needs:me bad") == {"bad"}


def test_own_sections_follow_and_are_known_by_their_filter() -> None:
    known = sections({"mine": "  #mine   is:ended "})
    assert known[: len(BUILT_IN)] == BUILT_IN
    found = section_of("#mine is:ended", known)
    assert found is not None and found.name == "mine"
    assert section_of("", known) == BUILT_IN[0]
    assert section_of("else", known) is None


@pytest.mark.parametrize("name", ["", "a.b", 'a"b', "running", "x" * 25, "-a"])
def test_a_name_that_cannot_be_kept(name: str) -> None:
    with pytest.raises(UsageError):
        check_section_name(name, {})
    assert check_section_name(" this month ", {}) == "this month"
