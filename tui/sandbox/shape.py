"""What one dialect says about rows: how a line is checked and how its result line looks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .fates import Fate, missing_parameter
from .words import Words


@dataclass(slots=True)
class Row:
    """One row that ran, with all that its result line is made of.

    Attributes:
        custom_id: The row's id.
        url: The endpoint, as `/v1/...`.
        body: The request body; may be anything in an invalid row.
        index: Position in the input, from 0.
        fate: What becomes of the row.
        words: Its fault words.
        mark: 24 hexadecimal digits that belong to this row of this batch alone.
        when: Unix time at which it finished.
        seed: Seed of the simulated model.
        extra: What the dialect keeps for the batch.
    """

    custom_id: str
    url: str
    body: Any
    index: int
    fate: Fate
    words: Words
    mark: str
    when: int
    seed: int
    extra: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """The result line of a row, without its newline.

    Attributes:
        line: The bytes; empty where the dialect writes none.
        in_errors: Whether it belongs to the error file.
    """

    line: bytes
    in_errors: bool = False
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an input line is refused, in the words of OpenAI's `errors.data`."""

    code: str
    message: str
    param: str | None = None


Fault = Callable[[str, Any, dict[str, Any]], str]
"""Says what is wrong with a row's body, from url, body and the batch's `extra`; empty is good."""

Check = Callable[[dict[str, Any], str], Problem | None]
"""Judges a decoded input line for an endpoint; `None` is good."""


def openai_fault(url: str, body: Any, extra: dict[str, Any]) -> str:
    """Say what OpenAI refuses in a row: a missing parameter, or `stream`."""
    missing = missing_parameter(url, body)
    if missing == "body":
        return "The 'body' of a request must be a JSON object."
    if missing:
        return f"Missing required parameter: '{missing}'."
    return "'stream' must not be set in a batch request." if body.get("stream") is True else ""


def no_check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Accept any line."""
    return None


@dataclass(frozen=True)
class Shape:
    """The row rules of a dialect.

    Attributes:
        name: The profile name.
        render: Makes the result line of a row that ran.
        unrun: Makes the line of a row that never ran, from custom id, mark and the reason
            `expired` or `cancelled`; between the reasons the length differs by the same for all.
        check: Judges an input line.
        body_key: Where the request body is in a line.
        fault: Says why a body is invalid; its row fails with 400.
        unique_ids: Whether a second line with the same id is refused.
        unrun_reasons: Reasons for which unrun lines are written.
        unrun_in_output: Write them behind the output instead of the errors.
        never_fails: Let a row that never runs fail at the end, where batches do not expire.
        overdue_runs: Let rows run on when the window is over.
        max_rows: Lines that one batch may have.
    """

    name: str
    render: Callable[[Row], Rendered]
    unrun: Callable[[str, str, str], bytes]
    check: Check = no_check
    body_key: str = "body"
    fault: Fault = openai_fault
    unique_ids: bool = True
    unrun_reasons: frozenset[str] = field(default=frozenset({"expired"}))
    unrun_in_output: bool = False
    never_fails: bool = False
    overdue_runs: bool = False
    max_rows: int = 50_000


def mark(batch_id: str, index: int) -> str:
    """Make the mark of a row."""
    return hashlib.blake2b(f"{batch_id}:{index}".encode(), digest_size=12).hexdigest()
