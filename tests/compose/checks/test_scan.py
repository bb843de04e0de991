from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.compose.rows import chat, lines, without, written
from tui.compose.checks.clean import CleanRequest, clean_requests
from tui.compose.checks.scan import check_file
from tui.compose.requests.rules import RequestLimits
from tui.errors import InputError


def test_lines_come_as_they_are(tmp_path: Path) -> None:
    rows = [chat(f"r{n}", "word é " * 20) for n in range(1000)]
    content = lines(*rows)
    found = list(clean_requests(written(tmp_path, content), fix=False))
    assert b"".join(request.line + b"\n" for request in found) == content
    assert [request.custom_id for request in found] == [row["custom_id"] for row in rows]
    assert [request.line_number for request in found] == list(range(1, 1001))


def test_fixable_things_are_left_out_or_refused(tmp_path: Path) -> None:
    body = lines(*(chat(f"r{n}") for n in range(700)))
    content = b"\xef\xbb\xbf" + body.replace(b"\n", b"\r\n") + b"\n\n" + lines(chat("z"))
    path = written(tmp_path, content)
    found = list(clean_requests(path, fix=True))
    assert b"".join(request.line + b"\n" for request in found) == body + lines(chat("z"))
    assert found[-1].line_number == 703
    with pytest.raises(InputError) as caught:
        list(clean_requests(path, fix=False))
    assert (caught.value.path, caught.value.line) == (path, 1)


@pytest.mark.parametrize(("bad", "line"), [(b"\n", 301), (b"\xef\xbb\xbf" + lines(chat("z")), 301)])
def test_the_refused_line_is_named(tmp_path: Path, bad: bytes, line: int) -> None:
    path = written(tmp_path, lines(*(chat(f"r{n}") for n in range(300))) + bad)
    with pytest.raises(InputError) as caught:
        list(clean_requests(path, fix=False))
    assert caught.value.line == line and f"line {line}" in caught.value.message


def test_a_late_crlf_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, lines(*(chat(f"r{n}") for n in range(2000)))[:-1] + b"\r\n")
    with pytest.raises(InputError) as caught:
        list(clean_requests(path, fix=False))
    assert caught.value.line == 2000


@pytest.mark.parametrize(
    "bad",
    [b"{oops}\n", lines(without(chat("z"), "url")), lines(chat("r7")), lines(chat("\x1b"))],
)
def test_errors_stop_with_and_without_fix(tmp_path: Path, bad: bytes) -> None:
    path = written(tmp_path, lines(*(chat(f"r{n}") for n in range(900))) + bad)
    limits = RequestLimits(custom_id_pattern="[a-z0-9]+")
    for fix in (True, False):
        with pytest.raises(InputError) as caught:
            list(clean_requests(path, fix=fix, limits=limits))
        assert caught.value.line == 901
        assert caught.value.message.isprintable()


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"\n\n"):
        with pytest.raises(InputError):
            list(clean_requests(written(tmp_path, content), fix=True))


def test_ready_made_rows_come_in_the_common_form(tmp_path: Path) -> None:
    params = {"model": "c", "max_tokens": 5, "messages": chat()["body"]["messages"], "x": 1.10}
    rows = [{"custom_id": f"r{n}", "params": params} for n in range(600)]
    found = list(clean_requests(written(tmp_path, lines(*rows)), fix=False))
    assert len(found) == 600
    for request in found:
        assert json.loads(request.line) == {
            "custom_id": request.custom_id,
            "method": "POST",
            "url": "/v1/messages",
            "body": params,
        }
    again = written(tmp_path, b"".join(r.line + b"\n" for r in found), "again.jsonl")
    assert check_file(again).ok


def test_a_prompt_that_speaks_of_params_stays_as_it_is(tmp_path: Path) -> None:
    rows = [
        {"custom_id": "r", "params": {"model": "c", "messages": chat()["body"]["messages"]}},
        chat("q", 'say "params"') | {"url": "/v1/messages"},
    ]
    found = list(clean_requests(written(tmp_path, lines(*rows)), fix=False))
    assert found[1] == CleanRequest("q", lines(rows[1])[:-1], 2)
