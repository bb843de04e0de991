"""Display blocks of list results: embeddings, moderation, reranking, OCR pages."""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Iterator
from typing import Any

from tui.core.results.blocks import Bar, Block

_SHOWN_VALUES = 5
_SHOWN_VECTORS = 16
_SHOWN_SCORES = 12


def list_blocks(body: dict[str, Any]) -> list[Block] | None:
    """Blocks of a body with list results; ``None`` for any other body."""
    data, results = body.get("data"), body.get("results")
    if isinstance(data, list) and data and _all_have(data, "embedding"):
        return list(_embeddings(data))
    if isinstance(data, list) and data and (_any_has(data, "b64_json") or _any_has(data, "url")):
        # The caller adds images, which can be in any answer.
        return []
    for field in ("flagged", "categories"):
        if isinstance(results, list) and results and _all_have(results, field):
            return list(_moderation(results))
    ranked = results if isinstance(results, list) else data
    if isinstance(ranked, list) and ranked and _all_have(ranked, "relevance_score"):
        return list(_ranking(ranked))
    if isinstance(body.get("pages"), list) and _all_have(body["pages"], "markdown"):
        return [
            Block(title=f"Page {number}", text=str(page["markdown"]))
            for number, page in enumerate(body["pages"], 1)
        ]
    if isinstance(body.get("text"), str):
        return [Block(text=body["text"])]
    return None


def _embeddings(data: list[dict[str, Any]]) -> Iterator[Block]:
    rows: list[tuple[str, ...]] = [("vector", "dimensions", "norm", "first values")]
    for place, item in enumerate(data[:_SHOWN_VECTORS]):
        values = decode_vector(item["embedding"])
        index = item.get("index", place)
        if values is None:
            rows.append((str(index), "-", "-", "not a vector"))
            continue
        norm = math.sqrt(math.fsum(value * value for value in values))
        first = "  ".join(f"{value:.4f}" for value in values[:_SHOWN_VALUES])
        more = " …" if len(values) > _SHOWN_VALUES else ""
        rows.append((str(index), f"{len(values):,}", f"{norm:.4f}", first + more))
    yield Block(kind="table", title="Embeddings", cells=tuple(rows))
    if len(data) > _SHOWN_VECTORS:
        yield Block(kind="note", text=f"and {len(data) - _SHOWN_VECTORS:,} more vectors")


def decode_vector(value: Any) -> list[float] | None:
    """The values of an embedding: an array, or base64 of little-endian 4-byte floats."""
    if isinstance(value, list):
        if all(type(part) in (int, float) for part in value):
            # An integer may be too large for a float.
            return [float(part) for part in value if abs(part) < 1e300]
        return None
    if isinstance(value, str):
        try:
            raw = binascii.a2b_base64(value)
        except (binascii.Error, ValueError):
            return None
        if not raw or len(raw) % 4:
            return None
        values = list(struct.unpack(f"<{len(raw) // 4}f", raw))
        return values if all(map(math.isfinite, values)) else None
    return None


def _moderation(results: list[dict[str, Any]]) -> Iterator[Block]:
    for number, result in enumerate(results, 1):
        categories = result.get("categories")
        flags = categories if isinstance(categories, dict) else {}
        flagged = [name for name, flag in flags.items() if flag is True]
        flag = result.get("flagged")
        is_flagged = bool(flagged) if flag is None else bool(flag)
        title = "Flagged" if is_flagged else "Not flagged"
        if len(results) > 1:
            title = f"{number}: {title.lower()}"
        words = ", ".join(flagged)
        yield Block(kind="refusal" if is_flagged else "text", title=title, text=words)
        scores = result.get("category_scores")
        if isinstance(scores, dict):
            bars = _bars(scores, set(flagged))
            yield Block(kind="bars", bars=bars[:_SHOWN_SCORES], is_warning=is_flagged)
            if len(bars) > _SHOWN_SCORES:
                yield Block(
                    kind="note", text=f"and {len(bars) - _SHOWN_SCORES} more with lower scores"
                )


def _bars(scores: dict[str, Any], chosen: set[str]) -> tuple[Bar, ...]:
    bars = [
        Bar(name, float(score), name in chosen)
        for name, score in scores.items()
        if type(score) in (int, float) and abs(score) < 1e300
    ]
    return tuple(sorted(bars, key=lambda bar: -bar.score))


def _ranking(results: list[dict[str, Any]]) -> Iterator[Block]:
    bars = []
    for place, result in enumerate(results):
        document = result.get("document")
        text = document.get("text") if isinstance(document, dict) else document
        label = f"{result.get('index', place)}"
        if isinstance(text, str):
            label += " " + text[:60]
        score = result["relevance_score"]
        if type(score) in (int, float) and abs(score) < 1e300:
            bars.append(Bar(label, float(score), place == 0))
    yield Block(kind="bars", title="Ranking", bars=tuple(bars))


def _all_have(items: list[Any], name: str) -> bool:
    return all(isinstance(item, dict) and name in item for item in items)


def _any_has(items: list[Any], name: str) -> bool:
    return any(isinstance(item, dict) and name in item for item in items)
