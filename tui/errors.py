"""The errors that Batchdeck raises on purpose, and nothing else.

Each says what happened, what to do next, and whether the same call may work later::

    BatchdeckError
    ├── UsageError            the command or the call was wrong                     exit 2
    │   ├── InputError        a file cannot be used (path, line)                    exit 2
    │   ├── ConfigError       config.toml or a profile cannot be used               exit 2
    │   └── UnknownJobError   no job, or several, fit the given id or name          exit 2
    ├── HistoryError          the local history cannot be read or written           exit 2
    │   └── NewerHistoryError history.db was written by a newer program             exit 2
    ├── AccountKeyError       no key is known, or the provider refused it           exit 4
    │   ├── KeyMissingError
    │   └── KeyRefusedError
    ├── LimitError            a budget, quota or credit stops the work              exit 5
    │   ├── BudgetError       a person's own budget stops it; nothing was sent      exit 5
    │   └── QuotaError        the provider takes no more for now                    exit 5
    └── ProviderError         the provider answered, but not with what was asked    exit 3
        ├── RequestRefusedError   it refuses this request (400, 404, 413, 422)      exit 2
        ├── UnreachableError      no answer: DNS, TCP, TLS, time-out                exit 3
        │   └── AnswerLostError   the request may have been acted on                exit 3
        └── GarbledAnswerError    an answer that is not what the wire facts say     exit 3
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class BatchdeckError(Exception):
    """Something went wrong that a person can be told about in two lines.

    Args:
        message: What happened, one sentence without a full stop.
        hint: What to do next, one sentence; empty when there is nothing to do.
    """

    title: ClassVar[str] = "Something went wrong"
    exit_code: ClassVar[int] = 3
    retryable: ClassVar[bool] = False
    status: int | None = None
    """The HTTP status of the answer that it came from, where there was one."""
    body: str = ""
    """The first part of that answer."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BatchdeckError):
    """The command, or the call, cannot be carried out as it was given."""

    title = "That cannot be done"
    exit_code = 2


class InputError(UsageError):
    """A file of requests cannot be used.

    Args:
        message: What is wrong.
        hint: How to mend it.
        path: The file.
        line: The line, counted from 1, where there is one.
    """

    title = "The file cannot be used"

    def __init__(
        self, message: str, hint: str = "", *, path: Path | None = None, line: int | None = None
    ) -> None:
        super().__init__(message, hint)
        self.path = path
        self.line = line


class ConfigError(UsageError):
    """A configuration or profile file cannot be used; the message names file and key."""

    title = "The configuration cannot be used"


class UnknownJobError(UsageError):
    """No job, or more than one, fits the id, prefix or name that was given."""

    title = "No such job"


class HistoryError(BatchdeckError):
    """The local history cannot be read or written."""

    title = "The history cannot be used"
    exit_code = 2


class NewerHistoryError(HistoryError):
    """``history.db`` was written by a newer version of the program."""


class AccountKeyError(BatchdeckError):
    """The account's key is missing or was refused."""

    title = "A key is needed"
    exit_code = 4


class KeyMissingError(AccountKeyError):
    """No key is known for the account."""


class KeyRefusedError(AccountKeyError):
    """The provider refused the key (401), or what the key may do (403)."""

    title = "The key was refused"


class LimitError(BatchdeckError):
    """A budget, a quota or a credit limit stops the work."""

    title = "A limit was reached"
    exit_code = 5


class BudgetError(LimitError):
    """A budget that the person set stops the work before anything is sent."""

    title = "The budget stops it"


class QuotaError(LimitError):
    """The provider takes no more work for now (enqueued-token limit); nothing was started."""

    title = "The provider's queue is full"
    retryable = True


class ProviderError(BatchdeckError):
    """The provider answered, but not with what was asked for.

    Args:
        message: What happened.
        hint: What to do next.
        status: The HTTP status, where there was an answer.
        code: The provider's own code for the error, where it gave one.
        body: The first part of the answer as text, kept word for word.
        request_id: The provider's id for the call, where it gave one.
        retry_after: Seconds that the provider asks to wait, where it does.
    """

    title = "The provider did not do it"
    exit_code = 3
    retryable = True

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        status: int | None = None,
        code: str | None = None,
        body: str = "",
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.code = code
        self.body = body
        self.request_id = request_id
        self.retry_after = retry_after


class RequestRefusedError(ProviderError):
    """The provider refuses this very request; sending it again changes nothing."""

    title = "The provider refused it"
    exit_code = 2
    retryable = False


class UnreachableError(ProviderError):
    """No answer came, and the request was not acted on."""

    title = "The provider cannot be reached"


class AnswerLostError(UnreachableError):
    """The request went out and no answer came back: it may have been acted on."""

    title = "The answer was lost"


class GarbledAnswerError(ProviderError):
    """The answer is not what the provider's documentation promises (HTML, cut JSON)."""

    title = "The answer makes no sense"
