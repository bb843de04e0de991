"""What is wrong with an account of Bedrock, from AWS's errors: each names the setting to change.

Wire facts: botocore's service model ``bedrock/2023-04-20``; the codes of every service are those
of docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager

from tui.errors import (
    BatchdeckError,
    ConfigError,
    KeyRejectedError,
    ProviderError,
    RequestRejectedError,
    UnreachableError,
)
from tui.providers.stores.aws import sign_in_ended
from tui.providers.wire.errors import explaining

_ENDED = frozenset({"ExpiredTokenException", "ExpiredToken", "TokenRefreshRequired"})
_UNKNOWN_KEY = frozenset(
    {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"}
)
_SIGNATURE = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch"})
_CLOCK = re.compile(
    r"(?i)signature (?:expired|not yet current)|\bis now (?:earlier|later) than\b|RequestExpired"
)
_SCOPE = re.compile(r"(?i)credential should be scoped to a valid region")
_ACTION = re.compile(r"not authorized to perform:?\s+([\w-]+:\w+)")
_ROLE = re.compile(r"(?i)\b(?:role|assume)\b")
_BUCKET = re.compile(r"(?i)\b(?:s3|bucket)\b")
_MODEL = re.compile(
    r"(?i)\bmodel\b.{0,80}\b(?:identifier|not|invalid|unsupported)\b|on-demand throughput"
)
_NO_HOST = re.compile(r"cannot be resolved")

ROLE_HINT = (
    "Check params.role_arn of the account: the role must trust bedrock.amazonaws.com, and may read,"
    " write and list s3://{bucket}."
)


def explained(params: Mapping[str, str], *, with_key: bool) -> AbstractContextManager[None]:
    """Name the setting that is wrong, in place of the words of AWS.

    Args:
        params: The account's own values.
        with_key: Whether the account signs in with a Bedrock API key.
    """
    return explaining(lambda error: _explanation(error, params, with_key=with_key))


def clock_error(text: str) -> ConfigError | None:
    """The error for a clock that is wrong, if AWS's words say so."""
    if not _CLOCK.search(text):
        return None
    return ConfigError(
        "the clock of this machine is wrong by more than 5 minutes, so AWS refuses the signature",
        "Set the clock, then try again.",
    )


def role_hint(message: str, params: Mapping[str, str]) -> str:
    """The hint for a job that failed because of its role; empty if it did not."""
    is_about_role = _ROLE.search(message) or (
        _BUCKET.search(message) and re.search(r"(?i)\b(?:access|permission|denied)\b", message)
    )
    return ROLE_HINT.format(bucket=params.get("bucket", "")) if is_about_role else ""


def _explanation(
    error: BatchdeckError, params: Mapping[str, str], *, with_key: bool
) -> BatchdeckError | None:
    region = params.get("region", "")
    if type(error) is UnreachableError and _NO_HOST.search(error.message):
        return UnreachableError(
            error.message, f"Check params.region of the account ({region}), and the network."
        )
    code = error.code if isinstance(error, (ProviderError, KeyRejectedError)) else None
    text = f"{error.message} {error.body}"
    if code in _ENDED:
        return sign_in_ended()
    refused = code in _SIGNATURE or error.status in (400, 401, 403)
    if refused and (clock := clock_error(text)) is not None:
        return clock
    if _SCOPE.search(text):
        return ConfigError(
            f"AWS does not accept requests for {region} there",
            "Check params.region of the account, and base_url if it is set.",
        )
    if code in _UNKNOWN_KEY or code in _SIGNATURE:
        return KeyRejectedError(
            f"AWS rejected the credentials ({code})",
            "Check AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )
    if isinstance(error, KeyRejectedError):
        return _denial(error, text, params, with_key=with_key)
    if isinstance(error, RequestRejectedError) and code in ("ValidationException", None):
        return _rejection(error, params)
    return None


def _denial(
    error: KeyRejectedError, text: str, params: Mapping[str, str], *, with_key: bool
) -> BatchdeckError | None:
    action = _ACTION.search(text)
    if action and action[1] == "iam:PassRole":
        role = params.get("role_arn", "")
        return ConfigError(
            f"you may not give Bedrock the role {role}",
            "Allow iam:PassRole for it, or set params.role_arn of the account to another role.",
        )
    if action:
        return ConfigError(
            f"you are not allowed to use {action[1]}", f"Allow {action[1]} for your identity."
        )
    if role_hint(error.message, params):
        return ConfigError(error.message, role_hint(error.message, params))
    if with_key:
        hint = 'Check AWS_BEARER_TOKEN_BEDROCK; auth.ways = ["aws"] uses your AWS credentials.'
        return KeyRejectedError(error.message, hint)
    return KeyRejectedError(error.message, "Check AWS_PROFILE and the rights of your identity.")


def _rejection(error: RequestRejectedError, params: Mapping[str, str]) -> BatchdeckError | None:
    # Rejections stay what they are, because a file that was refused is uploaded anew.
    hint = ""
    if _MODEL.search(error.message):
        hint = (
            f"Name a model that Bedrock offers for batches in {params.get('region', '')}, often"
            " with a prefix such as us., eu. or global.: `batchdeck accounts test`."
        )
    elif found := role_hint(error.message, params):
        hint = found
    elif _BUCKET.search(error.message):
        hint = "Check params.bucket and params.region of the account."
    if not hint:
        return None
    return RequestRejectedError(
        error.message,
        hint,
        status=error.status,
        code=error.code,
        body=error.body,
        request_id=error.request_id,
    )
