from __future__ import annotations

from tui.core.retry_rules import RetryRules, retryable


def test_families_of_codes() -> None:
    rules = RetryRules({"SYSTEM_9*": True, "SYSTEM_90*": False, "SYSTEM_9001": True, "X": False})
    assert rules["SYSTEM_9500"] is True
    assert rules["SYSTEM_9042"] is False
    assert rules["SYSTEM_9001"] is True
    assert rules["X"] is False
    assert "Y" not in rules
    assert len(rules) == 4
    assert set(rules) == {"SYSTEM_9*", "SYSTEM_90*", "SYSTEM_9001", "X"}


def test_rules_are_understood_where_rows_are_read() -> None:
    rules = RetryRules({"INFERENCE_3104": False, "SYSTEM_9*": True})
    assert retryable(503, "INFERENCE_3104", rules) is False
    assert retryable(400, "SYSTEM_9007", rules) is True
    assert retryable(503, "SOMETHING", rules) is True
