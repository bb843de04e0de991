"""What a provider refuses, needs or calls its models: told with lines before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compose.rows import chat, lines, written
from tui.compose.checks.scan import check_file
from tui.compose.requests.report import CheckReport
from tui.compose.requests.rules import ProviderRules, RequestLimits
from tui.engine.accounts import limits_of
from tui.errors import ConfigError, InputError
from tui.providers.dialects.anthropic import ParamsEncoder
from tui.providers.profiles.load import find_profile, load_profiles
from tui.providers.profiles.model import Profile

NEW = {"anthropic": {"base": "anthropic", "messages": {"version": "2026-10-21"}}}


def profile(name: str, tables: dict[str, dict[str, Any]] | None = None) -> Profile:
    return find_profile(name, tables)


def checked(folder: Path, limits: RequestLimits, *rows: dict[str, Any]) -> CheckReport:
    return check_file(written(folder, lines(*rows)), limits=limits)


def params(custom_id: str, **changes: Any) -> dict[str, Any]:
    body = {"max_tokens": 9, **chat(custom_id, model="claude-haiku-4-5")["body"], **changes}
    return {"custom_id": custom_id, "params": {k: v for k, v in body.items() if v is not None}}


ANTHROPIC: list[tuple[str, str, dict[str, Any], set[str]]] = [
    ("sampling, old version", "", {"temperature": 0.2}, set()),
    ("sampling, new version", "new", {"temperature": 1}, {"refused_field"}),
    ("top_p, new version", "new", {"top_p": 1, "top_k": 5}, {"refused_field"}),
    ("null is nothing", "new", {"temperature": None}, set()),
    ("opus 4.7", "", {"model": "claude-opus-4-7", "temperature": 1}, {"refused_field"}),
    ("opus 4.12", "", {"model": "claude-opus-4-12-20270301", "top_k": 1}, {"refused_field"}),
    ("opus 5", "", {"model": "claude-opus-5", "top_p": 1}, {"refused_field"}),
    ("fable 5.2", "", {"model": "claude-fable-5-2", "temperature": 0}, {"refused_field"}),
    ("opus 4.1, dated", "", {"model": "claude-opus-4-1-20250805", "temperature": 0}, set()),
    ("opus 4, dated", "", {"model": "claude-opus-4-20250514", "temperature": 0}, set()),
    ("fallbacks", "", {"fallbacks": ["claude-haiku-4-5"]}, {"refused_field"}),
    ("no length", "", {"max_tokens": None}, {"missing_field"}),
    ("a length of 0", "", {"max_tokens": 0}, {"refused_field"}),
    ("stream", "", {"stream": True}, {"stream"}),
    ("a document in an answer", "new", {"messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "document", "source": {"type": "text"}}]},
    ]}, {"refused_field"}),
    ("citations of a user", "new", {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "x", "citations": [{"type": "char_location"}]}]}]},
     {"refused_field"}),
    ("no citations of a user", "new", {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "x", "citations": []}]}]}, set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("version", "changes", "codes"), [c[1:] for c in ANTHROPIC], ids=[c[0] for c in ANTHROPIC]
)
@pytest.mark.parametrize("place", [0, 2])
def test_anthropic(
    version: str, changes: dict[str, Any], codes: set[str], place: int, tmp_path: Path
) -> None:
    found = profile("anthropic", NEW if version else None)
    rows = [params(f"r{n}") for n in range(300)]
    rows[place * 100] = params("odd", **changes)
    report = checked(tmp_path, limits_of(found), *rows)
    assert set(report.found) - {"mixed_models"} == codes
    for problem in report.problems:
        if problem.code != "mixed_models":
            assert (problem.line, problem.severity) == (place * 100 + 1, "error")
            assert problem.fix
    writer = ParamsEncoder(found.messages.version, found.limits.custom_id_pattern)
    line = msgspec.json.encode(rows[place * 100])
    if codes and "model" not in changes:
        # What the writer refuses at the submit is told by the check, and so beforehand.
        with pytest.raises(InputError):
            writer.write(line)
    else:
        writer.write(line)


def test_the_rules_hold_for_chat_rows_too(tmp_path: Path) -> None:
    limits = limits_of(profile("anthropic"))
    rows = [chat(f"r{n}", max_completion_tokens=5) for n in range(50)]
    assert checked(tmp_path, limits, *rows).ok
    report = checked(tmp_path, limits, *rows, chat("x"), chat("y", max_tokens=0))
    assert [(p.line, p.code) for p in report.problems] == [
        (51, "missing_field"), (52, "refused_field")
    ]  # fmt: skip


def item(custom_id: str, body: dict[str, Any]) -> dict[str, Any]:
    return {**chat(custom_id), "body": body}


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"n": 2}, "'bad' uses n"), ({"seed": 1}, "seed"), ({"temperature": 1.5}, "temperature")],
)
def test_what_cannot_be_translated_is_told_beforehand(
    changes: dict[str, Any], what: str, tmp_path: Path
) -> None:
    limits = limits_of(profile("anthropic"))
    rows = [chat(f"r{n}", max_tokens=5) for n in range(300)]
    assert checked(tmp_path, limits, *rows).ok
    report = checked(tmp_path, limits, *rows, chat("bad", max_tokens=5, **changes))
    assert [(p.line, p.code) for p in report.problems] == [(301, "untranslatable")]
    assert what in report.problems[0].what and report.problems[0].fix
    assert checked(tmp_path, limits_of(profile("openai")), chat("bad", **changes)).ok


ITEM: dict[str, Any] = {"model": "classify", "text": "t", "labels": [
    {"name": "a", "rubric": "A?"}, {"name": "b", "rubric": "B?"}]}  # fmt: skip
SCALEDOWN: list[tuple[str, dict[str, Any], str]] = [
    ("an unknown model", {"model": "summarise", "text": "t"}, "unknown_model"),
    ("messages with words", {"model": "summarize", "text": "t",
                             "messages": chat()["body"]["messages"]}, "refused_field"),
    ("a document", {"model": "summarize", "text": "t", "document": "d"},
     "refused_field"),
    ("no entities", {"model": "extract", "text": "t"}, "bad_item"),
    ("entities as a list", {"model": "extract", "text": "t",
                            "entities": ["a"]}, "bad_item"),
    ("one label", {**ITEM, "labels": ITEM["labels"][:1]}, "bad_item"),
    ("27 labels", {**ITEM,
                   "labels": [{"name": f"{n}", "rubric": "?"} for n in range(27)]}, "bad_item"),
    ("a label twice", {**ITEM,
                       "labels": [ITEM["labels"][0]] * 2}, "bad_item"),
    ("no rubric", {**ITEM,
                   "labels": [{"name": "a"}, {"name": "b"}]}, "bad_item"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code"), [c[1:] for c in SCALEDOWN], ids=[c[0] for c in SCALEDOWN]
)
def test_scaledown(changes: dict[str, Any], code: str, tmp_path: Path) -> None:
    limits = limits_of(profile("scaledown"))
    good = [item(f"r{n}", ITEM) for n in range(40)]
    assert checked(tmp_path, limits, *good).ok
    report = checked(tmp_path, limits, *good, item("odd", changes), *good[:1])
    assert report.found[code] == 1
    assert next(p.line for p in report.problems if p.code == code) == 41


ROLES: list[tuple[str, str, Any, str, str]] = [
    ("no role", "chat", {"content": "x"}, "error", "has no role"),
    ("a number", "chat", {"role": 1, "content": "x"}, "error", "a number"),
    ("no object", "chat", "x", "error", "not an object"),
    ("odd", "chat", {"role": "usr", "content": "x"}, "warning", "'usr'"),
    ("anthropic's system", "messages", {"role": "system", "content": "x"}, "warning", "'system'"),
]


@pytest.mark.parametrize(
    ("url", "message", "severity", "what"), [r[1:] for r in ROLES], ids=[r[0] for r in ROLES]
)
def test_roles(url: str, message: Any, severity: str, what: str, tmp_path: Path) -> None:
    make = chat if url == "chat" else params
    rows = [make(f"r{n}") for n in range(200)]
    bad = make("bad", messages=[message, {"role": "user", "content": "Hi"}])
    report = checked(tmp_path, RequestLimits(), *rows, bad)
    (problem,) = report.problems
    assert (problem.line, problem.code, problem.severity) == (201, "bad_role", severity)
    assert what in problem.what


@pytest.mark.parametrize("text", ["", " \n\t ", None])
@pytest.mark.parametrize("system", [[], [{"role": "system", "content": "Be brief."}]])
def test_an_empty_user_message_is_told(text: str | None, system: list[Any], tmp_path: Path) -> None:
    empty = [*system, {"role": "user", "content": text}]
    rows = [chat(f"r{n}") for n in range(200)]
    report = checked(tmp_path, RequestLimits(), *rows, chat("empty", messages=empty))
    assert [(p.line, p.code) for p in report.problems] == [(201, "empty_prompt")]
    assert report.ok


def test_a_row_fifty_times_the_usual_is_told(tmp_path: Path) -> None:
    rows = [chat(f"r{n}", "word " * (60 + n % 20)) for n in range(5000)]
    assert checked(tmp_path, RequestLimits(), *rows).problems == ()
    rows[1234] = chat("book", "word " * 40_000)
    rows[4000] = chat("library", "word " * 90_000)
    report = checked(tmp_path, RequestLimits(), *rows)
    assert [(p.line, p.code, p.severity) for p in report.problems] == [
        (1235, "odd_size", "warning"), (4001, "odd_size", "warning")
    ]  # fmt: skip
    assert "times the median" in report.problems[0].what and report.ok


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(3, 300) | st.integers(10_000, 90_000), min_size=1, max_size=300),
    st.integers(1, 40),
)
def test_sizes_are_as_if_sorted(lengths: list[int], step: int) -> None:
    import statistics

    from tui.compose.checks import statistics as module

    sizes = module.LineSizes()
    for start in range(0, len(lengths), step):
        sizes.add(lengths[start : start + step], start + 1)
    median, count, listed = sizes.outliers()
    if len(lengths) < 5:
        assert (median, count, listed) == (0, 0, [])
        return
    usual = statistics.median_low(lengths)
    over = [(n, size) for n, size in enumerate(lengths, 1) if size > usual * module.OUTLIER_FACTOR]
    assert median == usual and count == len(over)
    assert len(listed) == min(len(over), 20) and set(listed) <= set(over)


def test_many_different_sizes_take_little_memory() -> None:
    from tui.compose.checks.statistics import LineSizes

    sizes = LineSizes()
    for start in range(0, 400_000, 100):
        sizes.add([1000 + start + n for n in range(100)], start + 1)
    assert len(sizes._counts) < 6000
    assert abs(sizes.outliers()[0] / 201_000 - 1) < 0.03


@pytest.mark.parametrize(
    "rule",
    [{"fields": ["a."], "why": "x"}, {"fields": [], "why": "x"},
     {"fields": ["a"], "why": "x", "models": "("}, {"fields": ["a"], "why": "x", "odd": 1}],
)  # fmt: skip
def test_a_rule_that_means_nothing_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        load_profiles({"mine": {"base": "openai", "refuses": [rule]}})["mine"]


def warned(body: dict[str, Any], url: str = "/v1/chat/completions") -> list[str]:
    limits = limits_of(load_profiles()["openai"])
    found = ProviderRules(limits).violations(body, body.get("model"), url)
    assert all(severity == "warning" for *_, severity in found)
    return [what for _, what, *_ in ProviderRules(limits).violations(body, body.get("model"), url)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"model": "gpt-5-mini", "max_tokens": 5}, '"max_tokens" is not supported by reasoning'),
        ({"model": "o3", "temperature": 0}, '"temperature" is not supported'),
        ({"model": "o4-mini-2025-04-16", "logprobs": True}, '"logprobs" is not supported'),
        (
            {"model": "gpt-4o", "response_format": {"type": "json_object"}, "messages": []},
            "without the word JSON",
        ),
        (
            {
                "model": "gpt-4o",
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "strict": True,
                        "schema": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {"a": {"type": "object"}},
                        },
                    },
                },
            },
            "at schema.properties.a",
        ),
    ],
)
def test_rules_of_model_families(body: dict[str, Any], said: str) -> None:
    (what,) = warned(body)
    assert said in what


@pytest.mark.parametrize(
    "body",
    [
        {"model": "gpt-5-mini", "max_completion_tokens": 5, "temperature": 1},
        {"model": "gpt-5-chat-latest", "max_tokens": 5, "temperature": 0},
        {"model": "gpt-4o", "max_tokens": 5, "temperature": 0},
        {"model": "gpt-5.1", "temperature": 0.5},
        {
            "model": "gpt-4o",
            "response_format": {"type": "json_object"},
            "messages": [{"role": "user", "content": "As JSON, please."}],
        },
    ],
)
def test_bodies_that_the_provider_takes(body: dict[str, Any]) -> None:
    assert warned(body) == []


def test_fields_and_lengths_of_other_endpoints() -> None:
    body = {"model": "gpt-4o", "response_format": {"type": "text"}, "max_tokens": 3}
    assert len(warned(body, "/v1/responses")) == 2
    long = {"model": "text-embedding-3-small", "input": ["short", "word " * 20_000]}
    assert "the limit is 8,192" in warned(long, "/v1/embeddings")[0]


@pytest.mark.parametrize(
    ("account", "url", "severity", "said"),
    [
        ("openai", "/v1/messages", "error", "account of Anthropic"),
        ("openai", "/chat/completions", "error", '"/v1/chat/completions"'),
        ("groq", "/v1/embeddings", "error", "Endpoints:"),
        ("openai-compatible", "/v1/rerank", "warning", "Endpoints:"),
        ("azure-openai", "/chat/completions", None, ""),
        ("openai", "/v1/embeddings", None, ""),
    ],
)
def test_the_check_knows_the_endpoints_of_the_account(
    tmp_path: Path, account: str, url: str, severity: str | None, said: str
) -> None:
    body = {"model": "m", "input": "x", "messages": [{"role": "user", "content": "x"}]}
    rows = [
        {"custom_id": str(n), "method": "POST", "url": url, "body": body | {"max_tokens": 1}}
        for n in range(3)
    ]
    limits = limits_of(load_profiles()[account])
    report = check_file(written(tmp_path, lines(*rows)), limits=limits)
    found = [problem for problem in report.problems if problem.code == "unknown_endpoint"]
    assert [problem.severity for problem in found] == ([severity] if severity else [])
    assert all(said in problem.fix for problem in found)
