"""Both spellings of ScaleDown's entities read alike."""

from __future__ import annotations

from typing import Any

import pytest

from tui.core.results.json_answers import normalise_entities


def test_the_other_spelling_is_read_as_the_usual_one() -> None:
    data = {"entities": [{"type": "city", "value": "Kiel", "score": 0.9}]}
    assert normalise_entities(data) == {
        "entities": [
            {"type": "city", "value": "Kiel", "score": 0.9, "text": "Kiel", "confidence": 0.9}
        ]
    }


@pytest.mark.parametrize(
    "data",
    [
        {"entities": [{"type": "city", "text": "Kiel", "confidence": 0.9, "start": 0, "end": 4}]},
        {"entities": ["Kiel", None, 3]},
        {"entities": "Kiel"},
        {"summary": "short"},
        [1, 2],
        None,
    ],
)
def test_everything_else_stays_as_it_came(data: Any) -> None:
    assert normalise_entities(data) == data
