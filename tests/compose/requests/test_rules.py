"""What a provider refuses, needs or calls its models: told with lines before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.compose.check import check_file
from tui.compose.limits import Limits
from tui.compose.report import CheckReport
from tui.core.refusals import found_at, is_path, remove_at
from tui.engine.importer import limits_of
from tui.errors import ConfigError, InputError
from tui.providers.params import ParamsWriter
from tui.providers.profile import find_profile, load_profiles
from tui.providers.schema import Profile

from .rows import chat, lines, written

NEW = {"anthropic": {"base": "anthropic", "messages": {"version": "2026-10-21"}}}


def profile(name: str, tables: dict[str, dict[str, Any]] | None = None) -> Profile:
    return find_profile(name, tables)


def checked(folder: Path, limits: Limits, *rows: dict[str, Any]) -> CheckReport:
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
    writer = ParamsWriter(found.messages.version, found.limits.custom_id_pattern)
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
    [({"n": 2}, "'bad' holds n"), ({"seed": 1}, "seed"), ({"temperature": 1.5}, "temperature")],
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
    report = checked(tmp_path, Limits(), *rows, bad)
    (problem,) = report.problems
    assert (problem.line, problem.code, problem.severity) == (201, "bad_role", severity)
    assert what in problem.what


@pytest.mark.parametrize("text", ["", " \n\t ", None])
@pytest.mark.parametrize("system", [[], [{"role": "system", "content": "Be brief."}]])
def test_an_empty_user_message_is_told(text: str | None, system: list[Any], tmp_path: Path) -> None:
    empty = [*system, {"role": "user", "content": text}]
    rows = [chat(f"r{n}") for n in range(200)]
    report = checked(tmp_path, Limits(), *rows, chat("empty", messages=empty))
    assert [(p.line, p.code) for p in report.problems] == [(201, "empty_prompt")]
    assert report.ok


def test_a_row_fifty_times_the_usual_is_told(tmp_path: Path) -> None:
    rows = [chat(f"r{n}", "word " * (60 + n % 20)) for n in range(5000)]
    assert checked(tmp_path, Limits(), *rows).problems == ()
    rows[1234] = chat("book", "word " * 40_000)
    rows[4000] = chat("library", "word " * 90_000)
    report = checked(tmp_path, Limits(), *rows)
    assert [(p.line, p.code, p.severity) for p in report.problems] == [
        (1235, "odd_size", "warning"), (4001, "odd_size", "warning")
    ]  # fmt: skip
    assert "times the usual" in report.problems[0].what and report.ok


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(3, 300) | st.integers(10_000, 90_000), min_size=1, max_size=300),
    st.integers(1, 40),
)
def test_sizes_are_as_if_sorted(lengths: list[int], step: int) -> None:
    import statistics

    from tui.compose import sizes as module

    sizes = module.Sizes()
    for start in range(0, len(lengths), step):
        sizes.add(lengths[start : start + step], start + 1)
    median, count, listed = sizes.odd()
    if len(lengths) < 5:
        assert (median, count, listed) == (0, 0, [])
        return
    usual = statistics.median_low(lengths)
    over = [(n, size) for n, size in enumerate(lengths, 1) if size > usual * module.ODD]
    assert median == usual and count == len(over)
    assert len(listed) == min(len(over), 20) and set(listed) <= set(over)


def test_many_different_sizes_take_little_memory() -> None:
    from tui.compose.sizes import Sizes

    sizes = Sizes()
    for start in range(0, 400_000, 100):
        sizes.add([1000 + start + n for n in range(100)], start + 1)
    assert len(sizes._counts) < 6000
    assert abs(sizes.odd()[0] / 201_000 - 1) < 0.03


PATHS = ["a", "a.b", "a[k=v]", "a[k=v].b", "a.b[k=v].c"]


def test_paths_are_followed_and_cut() -> None:
    body: dict[str, Any] = {"a": [{"k": "v", "b": 1}, {"k": "w", "b": 2}], "c": {"b": 0}, "d": {}}
    assert list(found_at(body, "a[k=v].b")) == [1]
    assert list(found_at(body, "c.b")) == [0]
    assert list(found_at(body, "d")) == [] and list(found_at(body, "a.b.c")) == []
    remove_at(body, "a[k=w]")
    remove_at(body, "c.b")
    remove_at(body, "x.y.z")
    remove_at(body, "a[k=v].b")
    assert body == {"a": [{"k": "v"}], "c": {}, "d": {}}
    assert all(map(is_path, PATHS))
    assert not any(map(is_path, ["", ".", "a.", ".a", "a[", "a[k]", "a..b"]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "k", "c"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(PATHS))
def test_what_is_removed_is_not_found_again(body: Any, path: str) -> None:
    before = json.dumps(body)
    held = bool(list(found_at(body, path)))
    remove_at(body, path)
    assert not list(found_at(body, path))
    assert held is False or json.dumps(body) != before


@pytest.mark.parametrize(
    "rule",
    [{"fields": ["a."], "why": "x"}, {"fields": [], "why": "x"},
     {"fields": ["a"], "why": "x", "models": "("}, {"fields": ["a"], "why": "x", "odd": 1}],
)  # fmt: skip
def test_a_rule_that_means_nothing_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        load_profiles({"mine": {"base": "openai", "refuses": [rule]}})["mine"]
