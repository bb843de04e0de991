"""The refusal of an HTTP request, before a dialect gives it its own shape."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response


class ApiError(Exception):
    """An HTTP request is answered with an error.

    Attributes:
        status: HTTP status.
        message: What is wrong.
        param: The parameter at fault.
        code: A machine-readable word.
        kind: OpenAI's `type`.
        headers: Extra reply headers.
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
        """Keep the parts; `body` replaces the error object where it is already built."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.kind = kind
        self.headers = headers
        self.body = body


def openai_error(failure: ApiError) -> Response:
    """Answer as OpenAI does: `{"error": {message, type, param, code}}`."""
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
    """Refuse a missing or wrong key."""
    if not given:
        text = "You didn't provide an API key. Send it in an Authorization header."
        return ApiError(401, text)
    shown = given if len(given) < 8 else f"{given[:4]}***{given[-3:]}"
    return ApiError(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")


def no_file(file_id: str) -> ApiError:
    """Refuse an unknown file id."""
    return ApiError(404, f"No such File object: {file_id}", param="id")


def no_batch(batch_id: str) -> ApiError:
    """Refuse an unknown batch id."""
    return ApiError(404, f"No batch found with id '{batch_id}'.")
