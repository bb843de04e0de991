from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.compose.rows import chat, lines, without, written
from tui.compose.checks.scan import check_file
from tui.compose.requests.block_reader import BLOCK_BYTES
from tui.compose.requests.report import SHOWN_PER_CODE, CheckReport, Problem
from tui.compose.requests.rules import RequestLimits
from tui.errors import InputError
from tui.progress import Progress


def checked(folder: Path, content: bytes, **limits: Any) -> CheckReport:
    return check_file(written(folder, content), limits=RequestLimits(**limits))


def only(report: CheckReport) -> Problem:
    assert len(report.problems) == 1, report.problems
    return report.problems[0]


def test_a_correct_file(tmp_path: Path) -> None:
    report = checked(tmp_path, lines(*(chat(f"r{n}", "word " * 20) for n in range(1000))))
    assert report.ok and report.ok_when_fixed
    assert report.rows == 1000
    assert report.endpoints == {"/v1/chat/completions": 1000}
    assert report.models == {"m": 1000}
    assert report.input_tokens == 25_000
    assert report.problems == () and report.found == {}
    assert report.size == (tmp_path / "in.jsonl").stat().st_size
    assert report.longest_line == len(json.dumps(chat("r100", "word " * 20)))


def test_a_file_without_a_last_newline(tmp_path: Path) -> None:
    report = checked(tmp_path, lines(chat("a"), chat("bb"))[:-1])
    assert report.ok and report.rows == 2
    assert report.longest_line == len(json.dumps(chat("bb")))


def test_missing_folder_unreadable_and_odd_files(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "none.jsonl", "does not exist"),
        (tmp_path, "is a folder"),
        (Path("/dev/null"), "not a regular file"),
        (tmp_path / "x" / "\udcff.jsonl", "does not exist"),
        (tmp_path / ("n" * 300), "cannot be read"),
    ):
        with pytest.raises(InputError) as caught:
            check_file(path)
        assert said in caught.value.message
        assert caught.value.path == path


BAD_LINES: list[tuple[str, bytes, str, str]] = [
    ("not utf-8", b'{"custom_id": "caf\xe9"}', "not_utf8", "0xe9 at offset 18"),
    ("not JSON", b"{oops}", "not_json", "not JSON"),
    ("cut JSON", b'{"custom_id": "b", "met', "not_json", "not JSON"),
    ("python", b"{'custom_id': 'b'}", "not_json", "not JSON"),
    ("two objects", b'{"custom_id": "b"} {"custom_id": "c"}', "not_json", "not JSON"),
    ("nan", b'{"custom_id": "b", "body": {"temperature": NaN}}', "not_json", "not JSON"),
    ("deep", b'{"custom_id": "b", "body": ' + b"[" * 100_000, "not_json", "nested too deeply"),
    ("surrogate", b'{"custom_id": "\\ud800", "method": "POST"}', "not_json", "not JSON"),
    ("a list", b"[1, 2]", "not_object", "an array"),
    ("null", b"null", "not_object", "null"),
    ("a text", b'"x"', "not_object", "a string"),
    ("a number", b"17", "not_object", "a number"),
]


@pytest.mark.parametrize(
    ("line", "code", "what"), [case[1:] for case in BAD_LINES], ids=[c[0] for c in BAD_LINES]
)
def test_lines_that_are_no_request(tmp_path: Path, line: bytes, code: str, what: str) -> None:
    report = checked(tmp_path, lines(chat("a")) + line + b"\n" + lines(chat("c")))
    problem = only(report)
    assert (problem.line, problem.code, problem.severity) == (2, code, "error")
    assert what in problem.what and problem.fix
    assert report.rows == 3 and report.stops == 1
    assert not report.ok_when_fixed


def body_without(name: str) -> dict[str, Any]:
    row = chat("b")
    del row["body"][name]
    return row


BAD_ROWS: list[tuple[str, dict[str, Any], str, str]] = [
    ("no id", without(chat(), "custom_id"), "no_custom_id", "no"),
    ("null id", chat(None), "no_custom_id", "no"),
    ("empty id", chat(""), "no_custom_id", "empty"),
    ("number id", chat(17), "bad_custom_id", "a number"),
    ("no method", without(chat("b"), "method"), "no_method", "no"),
    ("method", chat("b") | {"method": "GET"}, "bad_method", "'GET'"),
    ("no url", without(chat("b"), "url"), "no_url", "no"),
    ("empty url", chat("b") | {"url": ""}, "no_url", "empty"),
    ("no body", without(chat("b"), "body"), "no_body", "no"),
    ("text body", chat("b") | {"body": "x"}, "no_body", "a string"),
    ("no model", body_without("model"), "no_model", "no model"),
    ("number model", chat("b", model=5), "no_model", "a number"),
    ("no messages", body_without("messages"), "no_messages", "no"),
    ("empty messages", chat("b", messages=[]), "no_messages", "empty"),
    ("text messages", chat("b", messages="hi"), "no_messages", "a string"),
    ("stream", chat("b", stream=True), "stream", "stream"),
]


@pytest.mark.parametrize(
    ("row", "code", "what"), [case[1:] for case in BAD_ROWS], ids=[case[0] for case in BAD_ROWS]
)
def test_rows_with_a_fault(tmp_path: Path, row: dict[str, Any], code: str, what: str) -> None:
    report = checked(tmp_path, lines(chat("a"), chat("x"), row, chat("c")))
    problem = only(report)
    assert (problem.line, problem.code, problem.severity) == (3, code, "error")
    assert what in problem.what and problem.fix
    assert report.found == {code: 1}


def test_all_faults_of_a_row_are_named(tmp_path: Path) -> None:
    report = checked(tmp_path, lines({"body": {"stream": True}}))
    assert set(report.found) == {"no_custom_id", "no_method", "no_url", "stream"}


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/v1/embeddings", {"model": "m", "input": "text"}),
        ("/v1/embeddings", {"model": "m", "input": ["text", "more"]}),
        ("/v1/embeddings", {"model": "m", "input": [1, 2, 3]}),
        ("/v1/completions", {"model": "m", "prompt": "text"}),
        ("/v1/responses", {"model": "m", "input": [{"role": "user", "content": "x"}]}),
        ("/v1/moderations", {"input": "text"}),
        ("/v1/images/generations", {"model": "m", "prompt": "a cat"}),
        ("/v1/chat/completions", {"model": "summarize", "text": "long text"}),
        ("/openai/deployments/x/chat/completions", chat()["body"]),
        ("/v1/ocr", {"document": {"type": "document_url"}}),
        ("/v1/chat/completions", chat(stream=False)["body"]),
        (
            "/v1/chat/completions",
            {"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url",
             "image_url": {"url": "data:image/png;base64,AAAA"}}]}]},
        ),
    ],
)  # fmt: skip
def test_every_endpoint_has_its_own_prompt(tmp_path: Path, url: str, body: dict[str, Any]) -> None:
    rows = [{"custom_id": f"r{n}", "method": "POST", "url": url, "body": body} for n in range(400)]
    report = checked(tmp_path, lines(*rows))
    assert report.ok and report.problems == ()
    assert report.endpoints == {url: 400}


@pytest.mark.parametrize(
    ("url", "field"),
    [("/v1/embeddings", "input"), ("/v1/completions", "prompt"), ("/v1/responses", "input")],
)
def test_a_missing_prompt_is_named_by_its_endpoint(tmp_path: Path, url: str, field: str) -> None:
    row = {"custom_id": "a", "method": "POST", "url": url, "body": {"model": "m"}}
    problem = only(checked(tmp_path, lines(row)))
    assert problem.code == "no_messages" and f'"{field}"' in problem.what


def test_an_empty_prompt_is_a_warning(tmp_path: Path) -> None:
    report = checked(tmp_path, lines(chat("a"), chat("b", "")))
    problem = only(report)
    assert (problem.line, problem.code, problem.severity) == (2, "empty_prompt", "warning")
    assert report.ok


def test_bom_crlf_and_blank_lines_are_fixable(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + lines(chat("a"), chat("b")).replace(b"\n", b"\r\n") + b"\n \t\n"
    report = checked(tmp_path, content)
    assert {(p.line, p.code, p.severity) for p in report.problems} == {
        (1, "bom", "fixable"),
        (1, "crlf", "fixable"),
        (3, "blank_line", "fixable"),
        (4, "blank_line", "fixable"),
    }
    assert report.fixable == 4 and report.stops == 0 and report.rows == 2
    assert not report.ok and report.ok_when_fixed


def test_crlf_is_told_once_with_its_first_line_and_count(tmp_path: Path) -> None:
    content = lines(chat("a")) + lines(*(chat(f"r{n}") for n in range(900))).replace(b"\n", b"\r\n")
    problem = only(checked(tmp_path, content))
    assert (problem.line, problem.code) == (2, "crlf")
    assert "900 lines" in problem.what


@pytest.mark.parametrize(("content", "rows"), [(b"", 0), (b"\n\n", 0), (b"\xef\xbb\xbf", 0)])
def test_an_empty_file(tmp_path: Path, content: bytes, rows: int) -> None:
    report = checked(tmp_path, content)
    assert report.found["empty_file"] == 1 and report.rows == rows
    assert not report.ok_when_fixed


@pytest.mark.parametrize("apart", [1, 5, 2000])
def test_a_duplicate_names_both_lines(tmp_path: Path, apart: int) -> None:
    between = [chat(f"r{n}", "word " * 30) for n in range(apart - 1)]
    report = checked(tmp_path, lines(chat("x"), chat("a"), *between, chat("a"), chat("y")))
    problem = only(report)
    assert (problem.line, problem.code) == (2 + apart, "duplicate_custom_id")
    assert problem.what == "duplicate custom_id 'a', first used on line 2"


def test_duplicates_are_counted_all_and_listed_to_a_limit(tmp_path: Path) -> None:
    rows = [chat(f"r{n % 500}") for n in range(1500)]
    report = checked(tmp_path, lines(*rows))
    assert report.found == {"duplicate_custom_id": 1000}
    assert len(report.problems) == SHOWN_PER_CODE
    assert [p.line for p in report.problems] == list(range(501, 501 + SHOWN_PER_CODE))


def test_the_first_duplicates_are_named_even_when_there_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.compose.checks.scan._VERIFIED", 3)
    ids = [f"r{n}" for n in range(700)]
    report = checked(tmp_path, lines(*(chat(custom_id) for custom_id in ids + ids)))
    assert report.found == {"duplicate_custom_id": 700} and report.stops == 700
    assert [p.line for p in report.problems] == [701, 702, 703]
    assert report.problems[2].what == "duplicate custom_id 'r2', first used on line 3"


def test_a_row_with_another_fault_still_counts_as_the_first_of_its_id(tmp_path: Path) -> None:
    report = checked(tmp_path, lines(without(chat("a"), "method"), chat("a")))
    assert report.problems[1].what == "duplicate custom_id 'a', first used on line 1"


@pytest.mark.parametrize("filler", [1, 1000])
def test_mixed_endpoints_are_errors_with_their_lines(tmp_path: Path, filler: int) -> None:
    first = [chat(f"r{n}") for n in range(filler)]
    other = [
        {
            "custom_id": f"e{n}",
            "method": "POST",
            "url": "/v1/embeddings",
            "body": {"model": "m", "input": "x"},
        }
        for n in range(filler)
    ]
    report = checked(tmp_path, lines(*first, *other))
    assert report.found == {"mixed_endpoints": filler}
    assert report.problems[0].line == filler + 1
    assert "line 1" in report.problems[0].what
    assert report.endpoints == {"/v1/chat/completions": filler, "/v1/embeddings": filler}


def test_mixed_models_warn_or_stop(tmp_path: Path) -> None:
    content = lines(*(chat(f"r{n}", model=f"m{n % 3}") for n in range(3000)))
    report = checked(tmp_path, content)
    assert report.ok and report.models == {"m0": 1000, "m1": 1000, "m2": 1000}
    assert [(p.line, p.severity) for p in report.problems] == [(2, "warning"), (3, "warning")]
    strict = checked(tmp_path, content, one_model=True)
    assert not strict.ok and strict.stops == 2


def test_a_model_that_comes_late_is_found_by_its_line(tmp_path: Path) -> None:
    rows = [chat(f"r{n}", model="a" if n % 2 else "b") for n in range(2000)]
    rows[1777] = chat("late", model="c")
    report = checked(tmp_path, lines(*rows))
    assert [p.line for p in report.problems] == [2, 1778]


def test_ready_made_anthropic_rows(tmp_path: Path) -> None:
    params = {
        "model": "claude",
        "max_tokens": 9,
        "system": "word",
        "messages": chat()["body"]["messages"],
    }
    rows = [{"custom_id": f"r{n}", "params": params} for n in range(500)]
    report = checked(tmp_path, lines(*rows))
    assert report.ok and report.endpoints == {"/v1/messages": 500}
    # Beside nine characters of text, a short prompt has its roles and marks.
    assert 500 * 9 // 4 < report.input_tokens < 500 * 9
    bad = checked(tmp_path, lines({"custom_id": "a", "params": 5}))
    assert only(bad).code == "no_body" and "params" in only(bad).what


def test_long_lines_are_told_and_passed_over(tmp_path: Path) -> None:
    content = lines(chat("a"), chat("b", "x" * 12_000_000), chat("c"), chat("d", "y" * 12_000_000))
    report = checked(tmp_path, content[:-1])
    assert [(p.line, p.code) for p in report.problems] == [
        (2, "line_too_long"),
        (4, "line_too_long"),
    ]
    assert report.rows == 4 and report.longest_line > 12_000_000
    allowed = checked(tmp_path, content, line_bytes=20_000_000)
    assert allowed.ok


@pytest.mark.parametrize(
    "size", [100, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES]
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_the_line_limit_is_exact(tmp_path: Path, size: int, end: bytes) -> None:
    bare = len(json.dumps(chat("b", "")))
    size += bare
    row = lines(chat("b", "x" * (size - bare)))[:-1]
    assert len(row) == size
    content = lines(chat("a", "y" * 40)) + row + end
    limit = max(size, bare + 50)
    assert "line_too_long" not in checked(tmp_path, content, line_bytes=limit).found
    report = checked(tmp_path, content, line_bytes=size - 1)
    assert report.found.get("line_too_long") == 1
    assert [p.line for p in report.problems if p.code == "line_too_long"] == [2]


def test_limits_of_the_ids(tmp_path: Path) -> None:
    rows = [chat(f"r{n}") for n in range(300)] + [chat("é" * 5), chat("a b"), chat("x" * 11)]
    report = checked(tmp_path, lines(*rows), custom_id_max=9)
    assert [p.line for p in report.problems] == [301, 303]
    assert {p.code for p in report.problems} == {"bad_custom_id"}
    report = checked(tmp_path, lines(*rows), custom_id_pattern="^[a-zA-Z0-9_-]{1,64}$")
    assert [p.line for p in report.problems] == [301, 302]
    newline = checked(tmp_path, lines(chat("a\n")), custom_id_pattern="^[a-z]+$")
    assert only(newline).code == "bad_custom_id"


def test_too_many_rows_and_too_large(tmp_path: Path) -> None:
    content = lines(*(chat(f"r{n}") for n in range(101)))
    report = checked(tmp_path, content, rows=50, bytes=1000)
    assert {(p.line, p.code, p.severity) for p in report.problems} == {
        (None, "too_many_rows", "error"),
        (None, "too_large", "error"),
    }
    split = checked(tmp_path, content, rows=50, splits=True)
    assert split.ok and only(split).severity == "warning"
    assert "split into 3 batches" in only(split).fix


def test_tokens_of_other_scripts(tmp_path: Path) -> None:
    text = "漢字かな" * 30
    assert checked(tmp_path, lines(chat("a", text), chat("b", text))).input_tokens == 228
    escaped = json.dumps(chat("a", text)).encode() + b"\n"
    assert checked(tmp_path, escaped).input_tokens == 114
    many = b"".join(json.dumps(chat(f"r{n}", text)).encode() + b"\n" for n in range(500))
    assert checked(tmp_path, many).input_tokens == 500 * 114


def test_hostile_text_is_made_visible(tmp_path: Path) -> None:
    hostile = "\x1b]0;x\x07\u202e" + "z" * 300
    report = checked(tmp_path, lines(chat(hostile), chat(hostile), chat("c", model="\x1b[2J")))
    for problem in report.problems:
        assert problem.what.isprintable() and len(problem.what) < 200
    assert {p.code for p in report.problems} == {"duplicate_custom_id", "mixed_models"}


def test_duplicate_keys_do_not_crash(tmp_path: Path) -> None:
    line = b'{"custom_id": "a", "custom_id": "b", ' + lines(chat("c"))[1:]
    report = checked(tmp_path, line + lines(chat("d")))
    assert report.rows == 2 and set(report.found) == {"repeated_name"}


def test_numbers_that_no_float_holds_are_json(tmp_path: Path) -> None:
    line = lines(chat("a", seed=1)).replace(b"1}", b"1e999}")
    assert b"1e999" in line
    assert checked(tmp_path, line + lines(chat("d"))).ok


def test_progress_and_stop(tmp_path: Path) -> None:
    path = written(tmp_path, lines(*(chat(f"r{n}", "x" * 500) for n in range(1000))))
    told: list[tuple[int, int | None]] = []
    check_file(path, progress=Progress(lambda done, total: told.append((done, total)), seconds=0))
    size = path.stat().st_size
    assert told[-1] == (size, size) and len(told) > 5
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    calls = iter([False, False, True])
    with pytest.raises(InputError, match=r"reading .* was stopped"):
        check_file(path, progress=Progress(stop=lambda: next(calls)))


def test_nul_bytes_instead_of_a_row_are_a_blank_line(tmp_path: Path) -> None:
    report = checked(tmp_path, lines(chat("a")) + b"\x00" * 40)
    assert set(report.found) == {"blank_line"}


REPEATED = (
    b'{"custom_id":"odd","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-5-mini",'
    b'"max_tokens":5,"messages":[{"role":"user","content":"hi"}],"max_tokens":500000}}\n'
)


@pytest.mark.parametrize("before", [0, 3000])
def test_a_name_that_is_there_twice_is_found(tmp_path: Path, before: int) -> None:
    """Programs differ in which value counts, and with it in what the request costs."""
    plain = [chat(f"row-{n}", model="gpt-5-mini", max_tokens=5) for n in range(before)]
    path = tmp_path / "t.jsonl"
    path.write_bytes(lines(*plain) + REPEATED)
    report = check_file(path)
    found = [each for each in report.problems if each.code == "repeated_name"]
    assert [each.line for each in found] == [before + 1] and report.stops == 1
    assert "'max_tokens'" in found[0].what


def test_a_number_that_no_float_holds_is_found(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(REPEATED.replace(b'"max_tokens":5,', b'"temperature":1E400,'))
    report = check_file(path)
    assert [each.code for each in report.problems] == ["number_range"]
    assert "1E400" in report.problems[0].what and report.ok


def test_colons_and_nulls_in_texts_repeat_no_name(tmp_path: Path) -> None:
    row = chat(
        "a", 'say "model": null, \\u003a and {"max_tokens": 1}', model="gpt-5-mini", user=None
    )
    path = tmp_path / "t.jsonl"
    path.write_bytes(lines(row))
    assert check_file(path).ok
