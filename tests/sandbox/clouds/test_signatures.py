from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.requests import Request

from tui.sandbox.clouds.signatures import check_signature
from tui.sandbox.errors import ApiError

HOST = "https://bedrock.eu-west-1.amazonaws.com"
ARN = "arn%3Aaws%3Abedrock%3Aeu-west-1%3A111122223333%3Amodel-invocation-job%2Fa1b2c3d4e5f6"
SERVICE = {"region": "eu-west-1", "service": "bedrock"}


def signed(path="/", body=b"", headers=(), token=None, method="POST"):
    """A request with the signature that AWS's own client makes."""
    asked = AWSRequest(method, HOST + path, data=body, headers=dict(headers))
    SigV4Auth(Credentials("AKID", "secret", token), "bedrock", "eu-west-1").add_auth(asked)
    found = dict(asked.headers) | {"host": urlsplit(HOST).hostname}
    return request(path, found, method)


def request(path, headers, method="POST"):
    raw, _, query = path.partition("?")
    pairs = [(name.lower().encode(), str(value).encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": method,
        "path": raw,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": pairs,
    }
    return Request(scope)


def refusal(asked, body=b"", key="AKID:secret", **change):
    with pytest.raises(ApiError) as caught:
        check_signature(asked, body, key, **(SERVICE | change))
    assert caught.value.status == 403
    return caught.value.code


@pytest.mark.parametrize(
    "path",
    [
        "/model-invocation-job",
        f"/model-invocation-job/{ARN}/stop",
        "/model-invocation-jobs?nameContains=bd&maxResults=10",
        "/model-invocation-jobs?submitTimeAfter=2026-01-02T03%3A04%3A05%2B01%3A00&b=&a=%20~-_.",
        "/x%20y/~z",
    ],
)
@pytest.mark.parametrize("body", [b"", '{"jobName":"bé"}'.encode()])
def test_what_awss_client_signs_is_accepted(path, body):
    headers = {"content-type": "application/json", "x-amz-thing": "  two   words "}
    asked = signed(path, body, headers, token="session/token==")
    check_signature(asked, body, "AKID:secret", **SERVICE)
    assert refusal(asked, body + b" ") == "InvalidSignatureException"


def test_any_change_of_a_request_is_noticed():
    asked = signed("/a?b=c")
    assert refusal(request("/a?b=d", asked.headers)) == "InvalidSignatureException"
    assert refusal(request("/A?b=c", asked.headers)) == "InvalidSignatureException"
    assert refusal(request("/a?b=c", asked.headers, "GET")) == "InvalidSignatureException"
    assert refusal(asked, key="AKID:other") == "InvalidSignatureException"
    assert refusal(asked, key="OTHER:secret") == "UnrecognizedClientException"


def test_a_signature_is_for_a_region_and_a_service_also_without_the_key():
    asked = signed()
    check_signature(asked, b"", "", **SERVICE)
    assert refusal(asked, key="", region="us-west-2") == "InvalidSignatureException"
    assert refusal(asked, key="", service="s3") == "InvalidSignatureException"


def test_every_header_of_amazons_is_signed():
    asked = signed()
    more = dict(asked.headers) | {"x-amz-security-token": "added"}
    assert refusal(request("/", more)) == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("", "MissingAuthenticationTokenException"),
        ("AWS4-HMAC-SHA256 Credential=AKID", "IncompleteSignatureException"),
        (
            "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/bedrock, SignedHeaders=host, "
            "Signature=00",
            "IncompleteSignatureException",
        ),
    ],
)
def test_a_header_that_is_no_signature(given, code):
    asked = request("/", {"authorization": given, "x-amz-date": "20260101T000000Z"})
    assert refusal(asked) == code
