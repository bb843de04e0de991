"""Ids in labels, and requests that are known by what they say."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.results.google.row_ids import (
    digest_of,
    exact_digest_of,
    id_in,
    id_of_line,
    is_repeated,
    labels_of,
    without_own_labels,
)

_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
"""Labels of Google Cloud: at most 63 of these, and a name begins with a letter."""


@given(st.text(min_size=1, max_size=400).filter(lambda text: text.isprintable()))
def test_every_id_comes_back_from_its_labels(custom_id: str) -> None:
    labels = labels_of(custom_id)
    assert id_in(labels) == custom_id
    assert len(labels) <= 60
    for name, value in labels.items():
        assert _LABEL.fullmatch(name) and name[0].isalpha()
        assert _LABEL.fullmatch(value) and value[0].isalpha()


def test_a_short_id_stays_as_it_is() -> None:
    assert labels_of("row-17_b") == {"bd": "row-17_b"}
    assert labels_of("Row 17") == {"bd_raw": "xkjxxoibrg4"}


@pytest.mark.parametrize("custom_id", ["17", "0017", "1e5", "2026-01-01", "true", "nan", "-1"])
def test_no_label_looks_like_another_type(custom_id: str) -> None:
    """Rows pass through a table, which gives a text of digits back as a number."""
    labels = labels_of(custom_id)
    assert list(labels) == ["bd_raw"]
    assert id_in(labels) == custom_id


def test_an_id_that_fits_no_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="5,000 characters"):
        labels_of("X" * 5000)


def test_labels_of_others_are_read_and_kept() -> None:
    assert id_in({"team": "a"}) is None
    assert id_in({"litellm_custom_id": "r-1"}) == "r-1"
    assert id_in({"litellm_custom_id_raw": "kjxxoibrg4"}) == "Row 17"
    assert id_in({"bd": "x", "team": "a"}) == "x"
    assert id_in({"litellm_custom_id": 17}) == "17"
    own = {"bd": "x", "bd_raw": "y", "bd_raw_1": "z", "bdx": "1"}
    assert without_own_labels(own) == {"bdx": "1"}


@pytest.mark.parametrize(
    "labels", [None, [], {"bd": ""}, {"bd_raw": "x!"}, {"bd_raw": "x77"}, {"bd": 1.5}]
)
def test_labels_that_hold_no_id(labels: object) -> None:
    assert id_in(labels) is None


REQUEST = {
    "contents": [{"role": "user", "parts": [{"text": "Hé"}]}],
    "generationConfig": {"maxOutputTokens": 5, "temperature": 0},
    "labels": {"bd": "a"},
}


def test_a_request_is_known_however_the_server_writes_it() -> None:
    other = {
        "generation_config": {"temperature": 0.0, "max_output_tokens": 5, "stop_sequences": []},
        "contents": [{"parts": [{"text": "Hé"}]}],
        "model": "projects/p/locations/l/publishers/google/models/gemini",
        "safetySettings": None,
    }
    assert digest_of(REQUEST) == digest_of(other)
    assert digest_of(json.loads(json.dumps(REQUEST, indent=1))) == digest_of(REQUEST)


@pytest.mark.parametrize(
    "change",
    [
        {"contents": [{"role": "model", "parts": [{"text": "Hé"}]}]},
        {"contents": [{"role": "user", "parts": [{"text": "he"}]}]},
        {"generationConfig": {"maxOutputTokens": 6, "temperature": 0}},
        {"generationConfig": {"maxOutputTokens": 5}},
    ],
)
def test_another_request_has_another_digest(change: dict[str, object]) -> None:
    assert digest_of({**REQUEST, **change}) != digest_of(REQUEST)


def test_requests_that_are_written_in_two_ways_are_not_exactly_the_same() -> None:
    assert exact_digest_of({**REQUEST, "labels": {}}) == exact_digest_of(REQUEST)
    assert exact_digest_of({**REQUEST, "model": "m"}) != exact_digest_of(REQUEST)


def test_the_id_of_a_line() -> None:
    unlabelled = {**REQUEST, "labels": {"team": "x"}}
    repeated = id_of_line({"request": unlabelled})
    assert repeated is not None and is_repeated(repeated)
    assert id_of_line({"request": REQUEST}) == "a"
    assert id_of_line({"instance": {"request": REQUEST}, "error": {}}) == "a"
    assert id_of_line({"custom_id": "c", "request": REQUEST}) == "c"
    assert id_of_line({"key": "k", "request": {"content": {}}}) == "k"
    assert id_of_line({"response": {}}) is None
