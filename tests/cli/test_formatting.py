"""Statuses as coloured cells; the words of options are those of the types."""

from __future__ import annotations

import pytest

from tui.cli import formatting
from tui.cli.options import OUTCOMES, STATUSES
from tui.core.jobs import BatchStatus
from tui.core.rows import Outcome


def test_choices_of_options_are_the_values_of_the_types() -> None:
    assert set(OUTCOMES) == {outcome.value for outcome in Outcome}
    assert set(STATUSES) == {status.value for status in BatchStatus}


@pytest.mark.parametrize("status", list(BatchStatus))
def test_every_status_has_a_sign_and_a_word(status: BatchStatus) -> None:
    sign, _, word = formatting.status_cell(status).text.partition(" ")
    assert len(sign) == 1
    assert word == status.value.replace("_", " ")


def test_the_word_of_the_provider_is_shown_in_parentheses() -> None:
    assert formatting.status_cell("completed", "ended").text.endswith("completed (ended)")
    assert formatting.status_cell("completed", "completed").text.endswith(" completed")
