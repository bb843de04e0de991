from __future__ import annotations

import json

import pytest

from tui.errors import InputError, UsageError
from tui.providers.dialects.requests import single_request_call
from tui.providers.profiles.load import find_profile


def row(url: str) -> bytes:
    return json.dumps({"custom_id": "a", "method": "POST", "url": url, "body": {"x": 1}}).encode()


@pytest.mark.parametrize(
    ("url", "has_path", "path"),
    [
        ("/v1/chat/completions", True, "/chat/completions"),
        ("/v1/chat/completions", False, "/v1/chat/completions"),
        ("/chat/completions", True, "/chat/completions"),
    ],
)
def test_the_version_is_left_out_under_an_address_with_a_path(
    url: str, has_path: bool, path: str
) -> None:
    call = single_request_call(find_profile("openai"), row(url), has_path=has_path)
    assert (call.method, call.path, call.json) == ("POST", path, {"x": 1})
    assert not call.idempotent


@pytest.mark.parametrize(
    "url",
    ["/v1/files", "/v1/batches", "//evil.example/v1", "@evil.example", "chat/completions", ""],
)
def test_other_paths_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="has no endpoint"):
        single_request_call(find_profile("openai"), row(url), has_path=True)


@pytest.mark.parametrize("line", [b"", b"[]", b'{"custom_id": "a"}', b'{"body": []}', b"\xff"])
def test_what_is_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        single_request_call(find_profile("openai"), line, has_path=True)
