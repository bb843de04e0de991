"""The table of states: no way leads around the proof that a create did not happen."""

from __future__ import annotations

from collections import deque

import pytest

from tui.core.jobs import Submission
from tui.core.submission import MAY_EXIST, TABLE, SubmitEvent, next_state

PROOF = {
    SubmitEvent.ACCEPTED,
    SubmitEvent.REFUSED,
    SubmitEvent.BUSY,
    SubmitEvent.ABSENT,
    SubmitEvent.ABANDONED,
    SubmitEvent.RESEND,
}
"""The provider answered, its list proved it, or the user took the decision."""


def test_every_state_is_in_the_table_and_every_event_is_used() -> None:
    assert TABLE.keys() == set(Submission)
    assert {event for row in TABLE.values() for event in row} == set(SubmitEvent)


@pytest.mark.parametrize("state", sorted(MAY_EXIST - {Submission.RUNNING}))
def test_a_create_is_only_left_with_proof(state: Submission) -> None:
    for event, following in TABLE[state].items():
        assert following in (Submission.CREATING, Submission.UNCERTAIN) or event in PROOF


def test_nothing_is_created_twice_without_proof_or_the_user() -> None:
    """From a create that is under way, no other create begins before an event that proves."""
    waiting = deque([Submission.CREATING])
    seen = set(waiting)
    while waiting:
        state = waiting.popleft()
        assert next_state(state, SubmitEvent.CREATE_BEGINS) is None
        for event, following in TABLE[state].items():
            if event not in PROOF and following not in seen:
                seen.add(following)
                waiting.append(following)
    assert seen == {Submission.CREATING, Submission.UNCERTAIN}


def test_an_answer_that_comes_late_is_believed_in_every_state() -> None:
    for state in set(Submission) - {Submission.REFUSED}:
        assert next_state(state, SubmitEvent.ACCEPTED) is Submission.RUNNING


def test_what_may_exist_is_not_cancelled_as_unsent() -> None:
    for state in Submission:
        if state in MAY_EXIST:
            assert next_state(state, SubmitEvent.CANCELLED) is None
