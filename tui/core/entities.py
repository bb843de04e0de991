"""ScaleDown's entities, of which the documentation knows two spellings.

One sample has ``{type, value, score}``, prompts and the realtime reference have
``{type, text, confidence, start, end}``. Readers get ``text`` and ``confidence`` in any case;
what came is left beside them.
"""

from __future__ import annotations

from typing import Any

_SPELLINGS = (("text", "value"), ("confidence", "score"))


def with_both_spellings(data: Any) -> Any:
    """An ``extract`` answer whose entities have ``text`` and ``confidence``; others unchanged."""
    if not isinstance(data, dict) or not isinstance(data.get("entities"), list):
        return data
    return {**data, "entities": [_spelled(entity) for entity in data["entities"]]}


def _spelled(entity: Any) -> Any:
    if not isinstance(entity, dict):
        return entity
    added = {
        usual: entity[other]
        for usual, other in _SPELLINGS
        if usual not in entity and other in entity
    }
    return {**entity, **added}
