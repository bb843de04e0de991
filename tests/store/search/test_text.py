from __future__ import annotations

import json

import pytest

from tests.store.bench import Desk
from tui.core.query import RowFilter, RowSort
from tui.core.rows import Outcome
from tui.store.search import selection
from tui.store.search import text as searching
from tui.store.search.text import TextSearch


def search(desk: Desk, job: str, text: str) -> list[int]:
    return list(desk.history.rows.select(job, RowFilter(text=text)).seqs)


def answer(custom_id: str, text: str, *, escaped: str | None = None) -> bytes:
    choice = {"message": {"content": text}, "finish_reason": "stop"}
    value = {
        "custom_id": custom_id,
        "response": {"status_code": 200, "body": {"choices": [choice]}},
    }
    if escaped is None:
        return json.dumps(value, ensure_ascii=False).encode()
    return json.dumps(value).replace(json.dumps(text), f'"{escaped}"').encode()


@pytest.fixture
def job(desk: Desk) -> str:
    job = desk.job(["alpha", "beta", "gamma"], text="The prompt says Hello")
    return job


def test_requests_ids_and_answers_are_searched(desk: Desk, job: str) -> None:
    desk.results(desk.batch(job), [answer("beta", "Blue skies"), answer("gamma", "grey")])
    assert search(desk, job, "hello") == [0, 1, 2]
    assert search(desk, job, "PROMPT SAYS") == [0, 1, 2]
    assert search(desk, job, "blue SKIES") == [1]
    assert search(desk, job, "gamm") == [2]
    assert search(desk, job, "no such text") == []


def test_a_search_is_a_literal(desk: Desk, job: str) -> None:
    desk.results(desk.batch(job), [answer("beta", "a.c [x] $1 (y) \\d+")])
    for text in ("a.c", "[x]", "$1", "(y)", "\\d+"):
        assert search(desk, job, text) == [1], text
    assert search(desk, job, "abc") == []


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("caf\u00e9", None),
        ("caf\u00e9", "caf\\u00e9"),
        ("caf\u00e9", "caf\\u00E9"),
        ("\u4f60\u597d \U0001f600", "\\u4f60\\u597d \\ud83d\\ude00"),
        ("\u4f60\u597d \U0001f600", "\u4f60\u597d \\ud83d\\ude00"),
        ('say "hi"', 'say \\"hi\\"'),
        ("back\\slash", "back\\\\slash"),
        ("two\nlines\tand", "two\\nlines\\tand"),
        ("two\nlines", "two\\u000alines"),
        ("a/b", "a\\/b"),
        ("a/b", "a/b"),
        ("x < y & z > 1", "x \\u003c y \\u0026 z \\u003e 1"),
        ("it's caf\u00e9", "it\\u0027s caf\u00e9"),
        ("caf\u00e9 < th\u00e9", "caf\u00e9 \\u003c th\\u00e9"),
    ],
)
def test_json_may_escape_what_is_searched(desk: Desk, job: str, text: str, escaped: str) -> None:
    line = answer("beta", text, escaped=escaped)
    desk.results(desk.batch(job), [line])
    assert search(desk, job, text) == [1]


def test_case_is_folded_beyond_ascii(desk: Desk, job: str) -> None:
    desk.results(desk.batch(job), [answer("beta", "STRASSE \u00dcBER"), answer("gamma", "\u0416")])
    assert search(desk, job, "\u00fcber") == [1]
    assert search(desk, job, "\u0436") == [2]


def test_order_and_other_conditions_hold(desk: Desk, job: str) -> None:
    desk.results(desk.batch(job), [answer("beta", "x"), answer("gamma", "x")])
    order = RowSort(column="custom_id", descending=True)
    assert list(desk.history.rows.select(job, RowFilter(text="hello"), order).seqs) == [2, 1, 0]
    good = RowFilter(text="hello", outcomes=frozenset({Outcome.SUCCEEDED}))
    assert list(desk.history.rows.select(job, good).seqs) == [1, 2]


def test_one_row_does_not_find_its_neighbour(desk: Desk, job: str) -> None:
    desk.results(desk.batch(job), [answer("beta", "abc"), answer("gamma", "def")])
    assert search(desk, job, 'abc"}') == [1]
    assert search(desk, job, "def") == [2]


def test_files_that_are_gone_hold_nothing(desk: Desk, job: str) -> None:
    batch = desk.batch(job)
    desk.results(batch, [answer("beta", "blue")])
    desk.file(batch).path.unlink()
    assert search(desk, job, "blue") == []
    (desk.paths.job_folder(job) / "requests.jsonl").unlink()
    assert search(desk, job, "hello") == []


def test_lone_surrogates_in_what_is_typed_do_no_harm(desk: Desk, job: str) -> None:
    assert search(desk, job, "\ud800") == []


def test_a_file_that_begins_anew_does_not_kill_a_search(desk: Desk, job: str) -> None:
    """A mapped file that shrinks would kill the whole program (SIGBUS)."""
    from tui.engine.batches.collector import ResultWriter

    batch = desk.batch(job)
    desk.results(batch, [answer("beta", "x" * 100_000)])
    with TextSearch(desk.data(job), "xxx") as matches:
        assert list(matches.among([0, 1, 2])) == [1]
        desk.history.files.start_over(desk.file(batch))
        file = ResultWriter(desk.file(batch).path, 0)
        mapped = next(
            m for number, m in matches._files_read._maps.items() if number and m is not None
        )
        assert mapped[-2:] == b"}\n"
        file.close(bytearray())


def test_what_was_found_so_far_is_told_while_the_search_goes_on(
    desk: Desk, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_LINES_PER_QUERY", 1)
    monkeypatch.setattr(selection, "_PARTIAL_SECONDS", 0.0)
    monkeypatch.setattr(selection, "_PARTIAL_SHARE", 0)
    told: list[list[int]] = []
    found = desk.history.rows.select(
        job, RowFilter(text="hello"), partial=lambda part: told.append(list(part.seqs))
    )
    assert list(found.seqs) == [0, 1, 2]
    assert told == [[0], [0, 1], [0, 1, 2]]
