"""Hints come from what was done and said; without either there is none."""

from __future__ import annotations

import pytest

from tui.providers.wire.hints import hint_for


@pytest.mark.parametrize(
    ("what", "status", "message", "hint"),
    [
        ("create the batch", 413, "too large", "--split-to"),
        ("create the batch", 400, "completion_window must be 1h", "windows 1h"),
        ("store the file", 404, "Not Found", "no batch API at this address"),
        ("store the file", 405, "Method Not Allowed", "no batch API at this address"),
        ("cancel the batch", 404, "Not Found", "This server cannot cancel"),
        ("cancel the batch", 404, "No batch found with that id.", "no longer has this batch"),
        ("delete the file", 405, "", "without --remote"),
        ("return the results", 404, "No such File object: f", "kept for a limited time"),
        ("create the batch", 404, "The model `x` does not exist", "Choose a model"),
        (
            "create the batch",
            400,
            "Model m is not supported for batches",
            "Choose a model",
        ),
    ],
)
def test_a_hint(what: str, status: int, message: str, hint: str) -> None:
    assert hint in hint_for(what, status, message, windows=("1h",))


@pytest.mark.parametrize(
    ("what", "status", "message"),
    [
        ("create the batch", 400, "Bad field"),
        ("create the batch", 404, "Input file not found"),
        ("store the file", 422, "Line 3: not JSON"),
        ("store the file", 400, "the window of the file"),
    ],
)
def test_no_hint_where_none_is_known(what: str, status: int, message: str) -> None:
    assert hint_for(what, status, message, windows=("1h",)) == ""
