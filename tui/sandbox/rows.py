"""The row format of a dialect: validation of input lines and rendering of result lines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tui.sandbox import outcomes
from tui.sandbox.outcomes import FaultWords, RowOutcome
from tui.sandbox.state import StoredBatch


@dataclass(slots=True)
class Row:
    """A row of a batch, with everything its result line is built from.

    Attributes:
        custom_id: The row's id.
        url: The endpoint, as `/v1/...`.
        body: The request body; may be anything in an invalid row.
        index: Position in the input, from 0.
        words: Its fault words.
        mark: 24 hexadecimal digits that are unique to this row of this batch.
        seed: Seed of the simulated model.
        extra: Data that the dialect stores with the batch.
        outcome: Its outcome.
        when: Unix time at which it finished.
    """

    custom_id: str
    url: str
    body: Any
    index: int
    words: FaultWords
    mark: str
    seed: int
    extra: dict[str, Any]
    outcome: RowOutcome = RowOutcome.SUCCEEDED
    when: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether the outcome is a success on the wire."""
        return self.outcome in outcomes.SUCCESSES

    @property
    def status(self) -> int:
        """The HTTP status of the row, which ran."""
        return outcomes.STATUS[self.outcome]


@dataclass(frozen=True, slots=True)
class Rendered:
    """The result line of a row, without its newline.

    Attributes:
        line: The bytes; empty if the dialect writes no line.
        in_errors: Whether it belongs in the error file.
        tokens_in: Input tokens.
        tokens_out: Output tokens.
    """

    line: bytes
    in_errors: bool = False
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an input line is rejected, as in OpenAI's `errors.data`."""

    code: str
    message: str
    param: str | None = None


BodyCheck = Callable[[str, Any, dict[str, Any]], str]
"""Describes what is wrong with a body, from url, body and the batch's `extra`; empty if valid."""

Check = Callable[[dict[str, Any], str], Problem | None]
"""Validates a decoded input line for an endpoint; `None` if valid."""


def openai_fault(url: str, body: Any, extra: dict[str, Any]) -> str:
    """Describe what OpenAI rejects in a row: a missing parameter, a wrong type, or `stream`."""
    missing = outcomes.missing_parameter(url, body)
    if missing == "body":
        return "The 'body' of a request must be a JSON object."
    if missing:
        return f"Missing required parameter: '{missing}'."
    if wrong := outcomes.wrong_type(body):
        return wrong
    return "'stream' must not be set in a batch request." if body.get("stream") is True else ""


def no_check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Accept any line."""
    return None


def no_line(custom_id: str, mark: str, reason: str) -> bytes:
    """Write no line for a row that never ran."""
    return b""


@dataclass(frozen=True)
class RowFormat:
    """The row format of a dialect.

    Attributes:
        render: Builds the result line of a row that ran.
        not_run: Builds the line of a row that never ran, from custom id, mark and the reason
            `expired` or `cancelled`; the lengths for the two reasons differ by a constant.
        check: Validates an input line.
        body_key: The key of the request body in a line.
        fault: Describes why a body is invalid; such a row fails with 400.
        unique_ids: Whether a second line with the same id is rejected.
        unrun_reasons: The reasons for which lines of unrun rows are written.
        unrun_in_output: Whether they are appended to the output instead of the errors.
        unrun_rows_fail: Whether a row that never runs fails, for providers without expiry.
        runs_after_window: Whether rows continue to run after the window is over.
        max_rows: The maximum number of lines of a batch.
        min_rows: The minimum number of lines.
    """

    render: Callable[[Row], Rendered]
    not_run: Callable[[str, str, str], bytes] = no_line
    check: Check = no_check
    body_key: str = "body"
    fault: BodyCheck = openai_fault
    unique_ids: bool = True
    unrun_reasons: frozenset[str] = field(default=frozenset({"expired"}))
    unrun_in_output: bool = False
    unrun_rows_fail: bool = False
    runs_after_window: bool = False
    max_rows: int = 50_000
    min_rows: int = 1

    def id_of(self, entry: dict[str, Any]) -> Any:
        """The id of a decoded line; anything but a text is rejected."""
        return entry.get("custom_id")

    def row(self, entry: dict[str, Any], raw: bytes, index: int, batch: StoredBatch) -> Row:
        """Build the row of an input line; its outcome and time are set when it runs.

        Args:
            entry: The decoded line.
            raw: Its bytes.
            index: Its position in the input, from 0.
            batch: The batch.
        """
        body = entry.get(self.body_key)
        return Row(
            custom_id=self.id_of(entry),
            url=str(entry.get("url") or batch.endpoint),
            body=body,
            index=index,
            words=outcomes.read_line(raw, body),
            mark=mark(batch.id, index),
            seed=batch.seed,
            extra=batch.extra,
        )


def mark(batch_id: str, index: int) -> str:
    """The unique mark of a row."""
    return hashlib.blake2b(f"{batch_id}:{index}".encode(), digest_size=12).hexdigest()
