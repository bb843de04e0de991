"""A call to make, and an answer that was read whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tui.core.results import UnreadableLineError, decode_lenient
from tui.errors import GarbledAnswerError
from tui.providers.refusals import KEPT, Answer

Body = Callable[[], dict[str, Any]]
"""Makes the body of a request anew: arguments of ``httpx.AsyncClient.build_request``."""


@dataclass(frozen=True)
class Call:
    """One call to make.

    ``what`` completes "could not …". Only a ``repeatable`` call is tried again. ``accept``
    are statuses outside 2xx that the caller wants to see. ``patience`` is how many seconds
    the answer may keep silent; ``None`` is the profile's measure. ``late``: a 404 may only
    mean "not yet", and is asked again like trouble that passes.
    """

    method: str
    path: str
    what: str
    repeatable: bool = True
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    body: Body | None = None
    patience: float | None = None
    accept: frozenset[int] = frozenset()
    late: bool = False


@dataclass(frozen=True)
class Reply:
    """An answer that was read whole; ``hide`` keeps the key out of what is shown of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    provider: str
    what: str
    hide: Callable[[str], str]

    def value(self) -> Any:
        """The body as JSON; ``None`` when it is empty.

        Raises:
            GarbledAnswerError: It is a web page, or not JSON.
        """
        body = self.body.removeprefix(b"\xef\xbb\xbf").strip()
        if not body:
            return None
        try:
            return decode_lenient(body)
        except UnreadableLineError:
            raise self.garbled("is not JSON") from None

    def table(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            GarbledAnswerError: It is anything else.
        """
        value = self.value()
        if not isinstance(value, dict):
            raise self.garbled("is not a JSON object")
        return value

    def garbled(self, reason: str) -> GarbledAnswerError:
        """The error for a body that is not what it should be."""
        answer = Answer(self.status, self.headers, self.body[:KEPT])
        head = f"{self.provider} was asked to {self.what}, and the answer"
        if answer.is_page:
            message = f"{head} is a web page (status {self.status})"
        else:
            message = f"{head} {reason} (status {self.status})"
        return GarbledAnswerError(
            message,
            "Check base_url, and whether a proxy stands in between.",
            status=self.status,
            body=self.hide(answer.head.decode("utf-8", "replace")),
            request_id=answer.request_id,
        )
