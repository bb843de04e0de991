"""How a batch is submitted, as a table: state and event give the next state.

A create costs money and cannot be taken back, so ``creating`` is only left with proof: the
provider accepted or refused it, its list shows the batch, or it is known not to have it. Whatever
else happens meanwhile (a missing key, a locked keyring, a provider that cannot be reached, the end
of the program) leaves the state as it is. The store applies the table inside the transaction that
writes the new state, so that two programs cannot take different ways.
"""

from __future__ import annotations

from enum import StrEnum

from tui.core.jobs import Submission


class SubmitEvent(StrEnum):
    """What happened while a batch was submitted.

    Attributes:
        CONFIRMED: The user said that it is to be sent.
        RELEASED: Sending did not begin: it waits for the user again.
        UPLOAD_BEGINS: The upload is about to be sent.
        UPLOADED: The provider has the file and named it.
        CREATE_BEGINS: The create is about to be sent.
        ACCEPTED: The provider has the batch: it answered, its list shows it, or the user named it.
        REFUSED: Nothing was created, and the same request would be refused again.
        BUSY: Nothing was created; the same request may be accepted later.
        RESPONSE_LOST: The create may have been carried out.
        ABSENT: The provider is known not to have the batch.
        CANNOT_CONFIRM: The provider cannot tell whether it has the batch.
        RESEND: The user wants it created again although the provider may have it.
        QUEUE_FULL: The provider ended the batch before any row ran, because its queue was full.
        SPLIT_NEEDED: The queue was full although nothing else of the account was in it.
        CANCELLED: The user cancelled it before it was created.
        ABANDONED: A retry was given up; its rows show their earlier attempts again.
    """

    CONFIRMED = "confirmed"
    RELEASED = "released"
    UPLOAD_BEGINS = "upload_begins"
    UPLOADED = "uploaded"
    CREATE_BEGINS = "create_begins"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    BUSY = "busy"
    RESPONSE_LOST = "response_lost"
    ABSENT = "absent"
    CANNOT_CONFIRM = "cannot_confirm"
    RESEND = "resend"
    QUEUE_FULL = "queue_full"
    SPLIT_NEEDED = "split_needed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"


_S, _E = Submission, SubmitEvent

_NOT_CREATED = {
    _E.UPLOAD_BEGINS: _S.UPLOADING,
    _E.UPLOADED: _S.UPLOADED,
    _E.CREATE_BEGINS: _S.CREATING,
    _E.REFUSED: _S.DRAFT,
    _E.BUSY: _S.WAITING,
    _E.CANCELLED: _S.DRAFT,
    _E.ABANDONED: _S.REFUSED,
    # Another program had given the create up, and then its response came.
    _E.ACCEPTED: _S.RUNNING,
}
"""In these states no create is under way that anybody knows of."""

TABLE: dict[Submission, dict[SubmitEvent, Submission]] = {
    _S.DRAFT: {**_NOT_CREATED, _E.CONFIRMED: _S.UPLOADING},
    _S.UPLOADING: {**_NOT_CREATED, _E.RELEASED: _S.DRAFT},
    _S.UPLOADED: {**_NOT_CREATED},
    _S.WAITING: {**_NOT_CREATED},
    _S.CREATING: {
        _E.ACCEPTED: _S.RUNNING,
        _E.REFUSED: _S.DRAFT,
        _E.BUSY: _S.WAITING,
        _E.RESPONSE_LOST: _S.CREATING,
        _E.ABSENT: _S.UPLOADED,
        _E.CANNOT_CONFIRM: _S.UNCERTAIN,
        _E.RESEND: _S.UPLOADED,
        _E.ABANDONED: _S.REFUSED,
    },
    _S.UNCERTAIN: {
        _E.ACCEPTED: _S.RUNNING,
        _E.ABSENT: _S.UPLOADED,
        _E.CANNOT_CONFIRM: _S.UNCERTAIN,
        _E.RESEND: _S.UPLOADED,
    },
    _S.RUNNING: {
        _E.ACCEPTED: _S.RUNNING,
        _E.QUEUE_FULL: _S.WAITING,
        _E.SPLIT_NEEDED: _S.DRAFT,
    },
    _S.REFUSED: {_E.ABANDONED: _S.REFUSED},
}
"""What each event does in each state. An event that a state does not have cannot happen in it."""


def next_state(state: Submission, event: SubmitEvent) -> Submission | None:
    """The state after an event; ``None`` if the event is impossible in this state."""
    return TABLE[state].get(event)


UNCONFIRMED = frozenset({_S.CREATING, _S.UNCERTAIN})
"""States in which nobody knows whether the provider has the batch."""

NOT_BEGUN = frozenset({_S.DRAFT, _S.REFUSED})
"""States in which the provider does not have the batch, and nobody is sending it."""

MAY_EXIST = UNCONFIRMED | {_S.RUNNING}
"""States in which the provider may have the batch."""
