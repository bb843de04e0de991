"""AWS Signature Version 4: whether a request was signed with the right key for this service.

Written from AWS's documentation ("Create a signed AWS API request"). The time of a signature is
not compared with the clock, so that tests may move theirs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import parse_qsl, quote

from starlette.requests import Request

from tui.sandbox.errors import ApiError, no_key

_ALGORITHM = "AWS4-HMAC-SHA256"
_FIELDS = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_REQUIRED = frozenset({"host", "x-amz-date"})


def check_key(request: Request, body: bytes, key: str, *, region: str, service: str) -> None:
    """Check the key of a request: its signature, or a key of the service itself as Bearer.

    Args:
        request: The request.
        body: Its body.
        key: A pair as `ID:SECRET`, with which it must be signed, or the key of the service; empty
            for any.
        region: The region of this endpoint.
        service: The signing name of the service.

    Raises:
        ApiError: It has no such key (401), or is not signed as it must be (403).
    """
    given = request.headers.get("authorization", "")
    if ":" not in key and not given.startswith("AWS4"):
        if key and given.removeprefix("Bearer ").strip() != key:
            raise no_key(given)
        return
    pair = key if ":" in key else ""
    check_signature(request, body, pair, region=region, service=service)


def check_signature(request: Request, body: bytes, key: str, *, region: str, service: str) -> None:
    """Check the signature of a request.

    Args:
        request: The request.
        body: Its body.
        key: The access key id and the secret access key as `ID:SECRET`; empty to check only that
            the signature is complete and made for this region and service.
        region: The region of this endpoint.
        service: The signing name of the service, such as `bedrock`.

    Raises:
        ApiError: The request is not signed, or not with this key for this service (403).
    """
    given = request.headers.get("authorization", "")
    if not given:
        raise _refusal("MissingAuthenticationTokenException", "Missing Authentication Token")
    fields = dict(_FIELDS.findall(given))
    if not given.startswith(f"{_ALGORITHM} ") or len(fields) != 3:
        text = "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature'."
        raise _refusal("IncompleteSignatureException", text)
    name, *scope = fields["Credential"].split("/")
    moment = request.headers.get("x-amz-date", "")
    signed = fields["SignedHeaders"].split(";")
    if len(scope) != 4 or scope[0] != moment[:8] or scope[3] != "aws4_request":
        text = "Credential must have the form ID/DATE/REGION/SERVICE/aws4_request."
        raise _refusal("IncompleteSignatureException", text)
    if scope[1] != region:
        text = f"Credential should be scoped to a valid region, not '{scope[1]}'. "
        raise _refusal("InvalidSignatureException", text)
    if scope[2] != service:
        text = f"Credential should be scoped to correct service: '{service}'. "
        raise _refusal("InvalidSignatureException", text)
    # Every x-amz header that is sent must be signed as well.
    needed = _REQUIRED | {header for header in request.headers if header.startswith("x-amz-")}
    if missing := sorted(needed - set(signed)):
        text = f"'{', '.join(missing)}' must be a 'SignedHeader' in the AWS Credential."
        raise _refusal("InvalidSignatureException", text)
    wanted_name, _, secret = key.partition(":")
    if not key:
        return
    if name != wanted_name:
        text = "The security token included in the request is invalid."
        raise _refusal("UnrecognizedClientException", text)
    canonical = _canonical_request(request, body, signed, service)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join([_ALGORITHM, moment, "/".join(scope), digest])
    step = f"AWS4{secret}".encode()
    for part in scope:
        step = _hmac(step, part)
    if not hmac.compare_digest(_hmac(step, to_sign).hex(), fields["Signature"]):
        text = (
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret Access Key and signing method. Consult the service documentation for "
            "details."
        )
        raise _refusal("InvalidSignatureException", text)


def _canonical_request(request: Request, body: bytes, signed: list[str], service: str) -> str:
    """The text that is signed; each service but S3 encodes the path once more than it is sent."""
    path = request.scope["raw_path"].decode().partition("?")[0]
    if service == "s3":
        # It signs the path as it is sent, and what the client says of the body.
        digest = request.headers.get("x-amz-content-sha256", "")
    else:
        path, digest = quote(path, safe="/~"), hashlib.sha256(body).hexdigest()
    pairs = parse_qsl(request.url.query, keep_blank_values=True, strict_parsing=False)
    coded = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs)
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in sorted(signed)
    )
    return "\n".join(
        [
            request.method,
            path,
            "&".join(f"{name}={value}" for name, value in coded),
            headers,
            ";".join(sorted(signed)),
            digest,
        ]
    )


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _refusal(kind: str, text: str) -> ApiError:
    return ApiError(403, text, code=kind)
