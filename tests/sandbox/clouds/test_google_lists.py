from __future__ import annotations

import pytest

from tui.sandbox.clouds.google_lists import matches
from tui.sandbox.errors import ApiError

ITEM = {
    "display_name": 'say "hi"',
    "state": "JOB_STATE_SUCCEEDED",
    "create_time": "2026-01-02T00:00:00Z",
    "labels.batchdeck": "7f3a91",
}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", True),
        ('state="JOB_STATE_SUCCEEDED"', True),
        ("state = JOB_STATE_FAILED", False),
        ("state!=JOB_STATE_FAILED", True),
        ("NOT state=JOB_STATE_FAILED", True),
        ('display_name="say \\"hi\\""', True),
        ('display_name:"say*"', True),
        ("display_name:hi", True),
        ("display_name:ho", False),
        ('create_time>"2026-01-01T00:00:00Z" AND create_time<"2026-01-03T00:00:00Z"', True),
        ("labels.batchdeck=7f3a91", True),
        ("labels.batchdeck:*", True),
        ("labels.other:*", False),
        ("NOT labels.other=x", True),
        # OR binds closer than AND.
        ("state=X AND state=Y OR labels.batchdeck:*", False),
        ("labels.batchdeck:* OR state=Y AND state=X", False),
    ],
)
def test_a_filter(text, kept):
    assert matches(text, ITEM) is kept


@pytest.mark.parametrize("text", ["state", "state=", "colour=red", "state=X AND colour=red"])
def test_a_filter_that_is_none(text):
    with pytest.raises(ApiError, match="invalid list filter"):
        matches(text, ITEM)
