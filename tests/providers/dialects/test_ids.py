"""Ids of providers that cannot be ids: they would lead elsewhere in a path."""

from __future__ import annotations

import pytest

from tui.providers.dialects.batch_responses import id_at, read_batch
from tui.providers.profiles.load import find_profile


@pytest.mark.parametrize("text", ["", ".", "..", "x" * 5000])
def test_a_text_that_cannot_be_an_id(text: str) -> None:
    assert id_at({"id": text}, "id") is None
    assert read_batch({"id": text, "status": "completed"}, find_profile("openai")) is None


def test_odd_ids_stay_as_they_are() -> None:
    for text in ("../../etc", "a b", "batch_" + "x" * 500):
        assert id_at({"id": text}, "id") == text


def test_a_file_without_an_id_is_not_named() -> None:
    value = {"id": "b", "status": "completed", "output_file_id": "..", "error_file_id": "e"}
    batch = read_batch(value, find_profile("openai"))
    assert batch is not None
    assert [source.ref for source in batch.results] == ["e"]
