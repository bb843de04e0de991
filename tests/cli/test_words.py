"""Figures in words."""

from __future__ import annotations

import pytest

from tui.cli import words
from tui.cli.options import OUTCOMES, STATUSES
from tui.core.counts import Counts
from tui.core.jobs import Cost, Strays
from tui.core.outcome import Outcome
from tui.core.status import BatchStatus


def test_the_words_of_the_options_are_those_of_the_core() -> None:
    assert set(OUTCOMES) == {outcome.value for outcome in Outcome}
    assert set(STATUSES) == {status.value for status in BatchStatus}


@pytest.mark.parametrize("status", list(BatchStatus))
def test_every_status_has_a_sign_and_a_word(status: BatchStatus) -> None:
    sign, _, word = words.status_cell(status).text.partition(" ")
    assert len(sign) == 1
    assert word == status.value.replace("_", " ")


def test_the_providers_own_word_stands_beside_ours() -> None:
    assert words.status_cell("completed", "ended").text.endswith("completed (ended)")
    assert words.status_cell("completed", "completed").text.endswith(" completed")


def test_counts_name_only_what_there_is() -> None:
    counts = Counts(total=1207, succeeded=1204, failed=2, pending=1)
    assert words.count_words(counts) == "1,204 succeeded, 2 failed, 1 pending"


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2_500_000, "2.5 MB"), (3e9, "3.0 GB")],
)
def test_sizes(size: int, said: str) -> None:
    assert words.size_words(size) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(3.2, "3 s"), (180, "3 min"), (7500, "2 h 5 min"), (7200, "2 h")]
)
def test_durations(seconds: float, said: str) -> None:
    assert words.duration_words(seconds) == said


def test_an_unknown_cost_is_not_shown_as_nothing() -> None:
    assert words.cost_words(Cost()) == ""
    assert words.cost_words(Cost(estimated=0.5)) == "~$0.50"
    assert words.cost_words(Cost(estimated=0.5, actual=0.25)) == "$0.25"


def test_one_is_singular() -> None:
    assert words.plural(1, "row") == "1 row"
    assert words.plural(1204, "row") == "1,204 rows"


def test_strays_are_told_by_kind() -> None:
    assert words.stray_words(Strays()) == ""
    told = words.stray_words(Strays(unknown=2, unreadable=1))
    assert told == "2 with an id that was not sent, 1 not readable"
