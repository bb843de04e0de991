from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tui.errors import InputError
from tui.providers.dialect import BatchDraft
from tui.providers.dialects.requests import create_body, parse_hours
from tui.providers.profiles.load import find_profile


def draft(**fields: Any) -> BatchDraft:
    return BatchDraft(
        **{
            "path": Path("rows"),
            "rows": 2,
            "endpoint": "/v1/chat/completions",
            "model": "m",
            "window": "24h",
            "intent": "b-1",
            "file_id": "file-1",
            **fields,
        }
    )


def body(create: dict[str, Any] | None = None, made: BatchDraft | None = None, **table: Any) -> Any:
    profile = find_profile("x", {"x": {"base": "openai", "create": create or {}, **table}})
    return create_body(made or draft(), profile)


def test_openais_body() -> None:
    assert body() == {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"batchdeck_batch": "b-1"},
    }


def test_mistrals_body() -> None:
    found = body(
        {
            "input": {"field": "input_files", "list": True},
            "model_field": "model",
            "window": {"field": "timeout_hours", "kind": "hours", "max": 167},
        },
        draft(window="2d"),
    )
    assert found["input_files"] == ["file-1"]
    assert found["timeout_hours"] == 48
    assert found["model"] == "m"
    assert "input_file_id" not in found
    assert "completion_window" not in found


def test_voyages_and_aibrixs_extras() -> None:
    found = body(
        {
            "params_field": "request_params",
            "params": {"input_type": "document"},
            "extra_body": {"aibrix": {"model_template": {"name": "t"}}, "metadata": {"a": "b"}},
            "key_order": ["endpoint", "request_params"],
            "output_expires_seconds": 3600,
        }
    )
    assert found["request_params"] == {"model": "m", "input_type": "document"}
    assert found["aibrix"] == {"model_template": {"name": "t"}}
    assert found["metadata"] == {"batchdeck_batch": "b-1", "a": "b"}
    assert found["output_expires_after"] == {"anchor": "created_at", "seconds": 3600}
    assert list(found)[:2] == ["endpoint", "request_params"]


def test_endpoints_are_renamed_as_in_the_rows() -> None:
    found = body(row={"url_map": {"/v1/chat/completions": "/v4/chat/completions"}})
    assert found["endpoint"] == "/v4/chat/completions"


def test_metadata_stays_within_the_limits_and_ours_comes_first() -> None:
    many = draft(metadata={f"k{n}": "v" * 600 for n in range(30)} | {"x" * 65: "long"})
    pairs = body(None, many)["metadata"]
    assert len(pairs) == 16
    assert next(iter(pairs)) == "batchdeck_batch"
    assert all(len(text) <= 512 for text in pairs.values())
    stolen = body(None, draft(metadata={"batchdeck_batch": "other"}))["metadata"]
    assert stolen == {"batchdeck_batch": "b-1"}
    assert "metadata" not in body({"metadata": {"field": ""}})


def test_windows() -> None:
    assert [parse_hours(text) for text in ("24h", "7d", "336H", "12", "soon", "")] == [
        24,
        168,
        336,
        12,
        None,
        None,
    ]
    assert "completion_window" not in body({"window": {"kind": "none"}})
    assert body(None, draft(window=""))["completion_window"] == "24h"
    assert body(None, draft(window="background"))["completion_window"] == "background"
    bounds = {"window": {"min": 12, "max": 168}}
    assert body(bounds, draft(window="7d"))["completion_window"] == "7d"
    with pytest.raises(InputError, match="from 12 to 168 hours"):
        body(bounds, draft(window="1h"))
    with pytest.raises(InputError, match="not a number of hours"):
        body({"window": {"field": "h", "kind": "hours"}}, draft(window="soon"))
