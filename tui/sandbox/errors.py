"""An error response, before a façade gives it the format of its provider."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response


class ApiError(Exception):
    """An error response to an HTTP request.

    Attributes:
        status: The HTTP status.
        message: What is wrong.
        param: The invalid parameter.
        code: A machine-readable code.
        kind: OpenAI's `type`.
        headers: Additional response headers.
        body: The complete error object, if it is already built.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
        headers: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> None:
        """Create an error from its parts; see the attributes of the class."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.kind = kind
        self.headers = headers
        self.body = body


def openai_error(failure: ApiError) -> Response:
    """Build OpenAI's error response: `{"error": {message, type, param, code}}`."""
    body = failure.body or {
        "error": {
            "message": failure.message,
            "type": failure.kind,
            "param": failure.param,
            "code": failure.code,
        }
    }
    return JSONResponse(body, failure.status, failure.headers)


def no_key(given: str) -> ApiError:
    """The error for a missing or wrong API key."""
    if not given:
        text = "You didn't provide an API key. Send it in an Authorization header."
        return ApiError(401, text)
    shown = given if len(given) < 8 else f"{given[:4]}***{given[-3:]}"
    return ApiError(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")
