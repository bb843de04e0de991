from __future__ import annotations

import json

import pytest

from tui.errors import InputError
from tui.providers.dialects.requests import LineEncoder
from tui.providers.profiles.model import RowForm

LINE = (
    b'{"custom_id": "a\\u00e9", "method": "POST", "url": "/v1/chat/completions", '
    b'"body": {"model": "m", "seed": 12345678901234567890, "t": 1.0, "x": "\xc3\xa9\xe2\x80\xa8"}}'
)


def test_openai_rows_stay_as_they_are() -> None:
    writer = LineEncoder(RowForm(), "Corner")
    assert writer.is_identity
    assert writer.write(LINE) is LINE


def test_body_rows_keep_the_body_byte_for_byte() -> None:
    writer = LineEncoder(RowForm(style="body"), "Corner")
    assert not writer.is_identity
    start = LINE.index(b'{"model"')
    assert writer.write(LINE) == b'{"custom_id":"a\\u00e9","body":' + LINE[start:-1] + b"}"


def test_urls_are_renamed() -> None:
    writer = LineEncoder(
        RowForm(url_map={"/v1/chat/completions": "/v4/chat/completions"}), "Corner"
    )
    row = json.loads(writer.write(LINE))
    assert row["url"] == "/v4/chat/completions"
    assert row["body"]["seed"] == 12345678901234567890
    other = b'{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{}}'
    assert writer.write(other) == other


def test_the_model_can_leave_the_row() -> None:
    row = json.loads(LineEncoder(RowForm(style="body", model="batch"), "Corner").write(LINE))
    assert "model" not in row["body"]
    assert row["body"]["seed"] == 12345678901234567890


def test_what_would_be_lost_is_refused() -> None:
    writer = LineEncoder(RowForm(style="body", model="batch", keep=("input",)), "Corner")
    row = writer.write(b'{"custom_id":"a","body":{"model":"m","input":["x"]}}')
    assert json.loads(row) == {"custom_id": "a", "body": {"input": ["x"]}}
    with pytest.raises(InputError, match="Corner accepts 'input_type' only for the whole batch"):
        writer.write(b'{"custom_id":"a","body":{"input":["x"],"input_type":"query"}}')


@pytest.mark.parametrize("line", [b"", b"[]", b'{"custom_id":"a"}', b"{" * 5000, b"\xff"])
def test_lines_that_are_no_requests(line: bytes) -> None:
    with pytest.raises(InputError):
        LineEncoder(RowForm(style="body"), "Corner").write(line)
