"""The exceptions that Batchdeck raises.

Each one says what happened, what to do next, and whether retrying can help::

    BatchdeckError
    ├── UsageError                   the command or call is invalid                    exit 2
    │   ├── InputError               an input file is invalid (path, line)             exit 2
    │   ├── ConfigError              config.toml or a profile is invalid               exit 2
    │   └── UnknownJobError          no job, or several, match the given id or name    exit 2
    ├── HistoryError                 the local history cannot be read or written       exit 2
    │   └── NewerHistoryError        history.db was written by a newer version         exit 2
    ├── AccountKeyError              the API key is missing or was rejected            exit 4
    │   ├── KeyMissingError
    │   └── KeyRejectedError
    ├── LimitError                   a budget, quota or credit limit was reached       exit 5
    │   ├── BudgetError              over the user's budget; nothing was sent          exit 5
    │   └── QuotaError               the provider accepts no more work for now         exit 5
    └── ProviderError                the provider failed, or its response is unusable  exit 3
        ├── RequestRejectedError     it rejected this request (400, 404, 413, 422)     exit 2
        ├── UnreachableError         no response: DNS, TCP, TLS, timeout               exit 3
        │   └── ResponseLostError    the request may have been processed               exit 3
        └── UnexpectedResponseError  the response is not what the provider documents   exit 3
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar


class BatchdeckError(Exception):
    """Base class of all errors that are shown to the user.

    Args:
        message: What happened; one sentence without a full stop.
        hint: What to do next; one sentence, or empty.
    """

    title: ClassVar[str] = "Something went wrong"
    exit_code: ClassVar[int] = 3
    retryable: ClassVar[bool] = False
    status: int | None = None
    """HTTP status of the response that caused the error, if there was one."""
    body: str = ""
    """Start of that response's body."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BatchdeckError):
    """The command or call is invalid."""

    title = "Not possible"
    exit_code = 2


class InputError(UsageError):
    """An input file is invalid or cannot be read.

    Args:
        message: What is wrong.
        hint: How to fix it.
        path: The file.
        line: The line number, from 1, if known.
    """

    title = "Invalid input file"

    def __init__(
        self, message: str, hint: str = "", *, path: Path | None = None, line: int | None = None
    ) -> None:
        super().__init__(message, hint)
        self.path = path
        self.line = line


class PartNeededError(InputError):
    """A file has several tables, and it is not said which is meant.

    Args:
        message: What it has.
        parts: Their names, as they are written after ``FILE::``.
        path: The file.
    """

    def __init__(self, message: str, parts: Sequence[str], *, path: Path) -> None:
        super().__init__(message, f"Name one, as in {path.name}::{parts[0]}.", path=path)
        self.parts = tuple(parts)


class ConfigError(UsageError):
    """``config.toml`` or a profile is invalid; the message names the file and the key."""

    title = "Invalid configuration"


class UnknownJobError(UsageError):
    """No job, or more than one, matches the given id, prefix or name."""

    title = "No such job"


class OutdatedError(Exception):
    """A provider response is older than the batch state stored in the meantime."""


class NotOursError(UsageError):
    """This process may no longer send the batch; its state is left unchanged."""


class HistoryError(BatchdeckError):
    """The local history cannot be read or written."""

    title = "History error"
    exit_code = 2


class NewerHistoryError(HistoryError):
    """``history.db`` was written by a newer version of Batchdeck."""


class AccountKeyError(BatchdeckError):
    """The account's API key is missing or was rejected."""

    title = "API key needed"
    exit_code = 4


class KeyMissingError(AccountKeyError):
    """No API key was found for the account."""


class KeyRejectedError(AccountKeyError):
    """The provider rejected the key (401) or its permissions (403)."""

    title = "API key rejected"
    code: str | None = None
    """The provider's code of the error, if it gave one."""


class LimitError(BatchdeckError):
    """A budget, quota or credit limit was reached."""

    title = "Limit reached"
    exit_code = 5


class BudgetError(LimitError):
    """The user's budget does not allow the job; nothing was sent."""

    title = "Stopped by the budget"


class QuotaError(LimitError):
    """The provider accepts no more work for now (enqueued-token limit); nothing was started."""

    title = "The provider's queue is full"
    retryable = True


class ProviderError(BatchdeckError):
    """The provider failed, or its response is unusable.

    Args:
        message: What happened.
        hint: What to do next.
        status: The HTTP status, if there was a response.
        code: The provider's error code, if given.
        body: Start of the response body as text, verbatim.
        request_id: The provider's id for the call, if given.
        retry_after: Seconds that the provider asks to wait, if given.
    """

    title = "The provider failed"
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


class RequestRejectedError(ProviderError):
    """The provider rejected this request; retrying it unchanged cannot help."""

    title = "Rejected by the provider"
    exit_code = 2
    retryable = False


class UnreachableError(ProviderError):
    """No response, and the request was not processed."""

    title = "Cannot reach the provider"


class ResponseLostError(UnreachableError):
    """The request was sent but no response arrived: it may have been processed."""

    title = "No response"


class UnconfirmedError(ResponseLostError):
    """A create may have been carried out, and the provider has not shown the batch yet."""


class ResultsNotReadyError(ProviderError):
    """A batch has ended, and its answers cannot be fetched yet; the rows are not missing."""

    title = "Results not available yet"


class StandstillError(ProviderError):
    """A batch makes no progress without the user: the message says what it waits for."""

    title = "No progress"


class UnexpectedResponseError(ProviderError):
    """The response is not what the provider documents (HTML, truncated JSON)."""

    title = "Unexpected response"


class UnfinishedListError(UnexpectedResponseError):
    """A list says that it has more, and gives no way to it: it proves nothing is absent."""
