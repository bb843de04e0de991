"""Numbers, statuses, rows and files in words: without a screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.ui.fakes import FakeHistory, a_job, made_up_row
from tui.compose.requests.report import CheckReport, Problem
from tui.core import formatting
from tui.core.analysis.comparison import word_diff
from tui.core.analysis.sections import created_range
from tui.core.jobs import Batch, BatchStatus, Counts, ErrorGroup, OrphanLines, RemoteCounts
from tui.core.retry_rules import ErrorClass
from tui.core.rows import ANSWERED, UNANSWERED, Attempt, Outcome, Row
from tui.core.status_words import OUTCOME_SIGNS, STATUS_SIGNS
from tui.ui.dialogs.pick_file import PathEntry, choices, completed, expand_path, shown
from tui.ui.models.job_list import JobList, Throughput
from tui.ui.models.row_search import RowQuery
from tui.ui.notifications import describe_ended_jobs, ended_jobs
from tui.ui.panes.compose.check import ProblemSource
from tui.ui.tasks.requests import ROWS, write_sample
from tui.ui.text.differences import narrow_changes
from tui.ui.text.rows import CAP, read_attempt, read_request
from tui.ui.text.status import bar_parts, compact_counts_parts, counts_parts, orphan_parts
from tui.ui.text.tones import in_cells, plain
from tui.ui.widgets.error_groups import folded_parts


@pytest.mark.parametrize(
    ("seconds", "long", "short"),
    [
        (0.4, "0s", "now"),
        (59, "59s", "59s"),
        (61, "1m", "1m"),
        (3700, "1h 1m", "1h"),
        (7200, "2h", "2h"),
        (90_000, "1d 1h", "1d"),
        (-5, "0s", "now"),
    ],
)
def test_spans_of_time(seconds: float, long: str, short: str) -> None:
    assert formatting.duration(seconds) == long
    assert formatting.age(seconds) == short


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (950, "950"), (9_500, "9.5k"), (999_960, "1.0M"), (120_000, "120k")],
)
def test_short_numbers_have_at_most_five_characters(value: float, text: str) -> None:
    assert formatting.short_number(value) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 10, "0%"), (1, 1000, "<1%"), (999, 1000, "99%"), (10, 10, "100%"), (1, 0, "0%")],
)
def test_a_share_is_whole_only_when_it_is(part: int, whole: int, text: str) -> None:
    assert formatting.percent(part, whole) == text


def test_every_status_and_outcome_has_a_look_of_its_own() -> None:
    assert set(STATUS_SIGNS) == set(BatchStatus)
    assert set(OUTCOME_SIGNS) == set(Outcome)
    for looks in (STATUS_SIGNS, OUTCOME_SIGNS):
        glyphs = [look.glyph for look in looks.values()]
        assert len(set(glyphs)) == len(glyphs)


@pytest.mark.parametrize("width", [4, 12, 24])
@pytest.mark.parametrize(
    "counts",
    [
        Counts(total=0),
        Counts(total=10, pending=10),
        Counts(total=10, succeeded=10),
        Counts(total=1_000_000, succeeded=999_999, failed=1),
        Counts(total=1_000_000, succeeded=1, pending=999_999),
        Counts(total=100, succeeded=40, truncated=20, failed=20, pending=20),
        Counts(total=3, failed=3),
    ],
)
def test_a_bar_is_as_wide_as_asked_and_hides_nothing(counts: Counts, width: int) -> None:
    text = plain(bar_parts(counts, width))
    assert len(text) == width
    assert ("╍" in text) == bool(counts.unanswered)
    assert counts.total == 0 or ("─" in text) == bool(counts.pending)


def test_counts_in_words_leave_out_what_is_nothing() -> None:
    assert plain(counts_parts(Counts(total=3, succeeded=2, missing=1))) == (
        "✓ 2 succeeded  ∅ 1 missing"
    )


def test_counts_fold_where_there_is_little_room() -> None:
    counts = Counts(
        total=60_000, succeeded=48_000, truncated=1_200, refused=12, failed=900, expired=80,
        missing=8, pending=9_800,
    )  # fmt: skip
    assert plain(compact_counts_parts(counts)) == (
        "✓ 48,000 succeeded  ◐ 1,212 truncated/refused  ✗ 988 failed  · 9,800 pending"
    )
    assert plain(compact_counts_parts(counts, 51_000)).endswith(
        "◕ 800 not downloaded  · 9,000 pending"
    )


def test_stray_lines_are_counted_and_told_apart() -> None:
    assert orphan_parts(OrphanLines()) == ()
    strays = OrphanLines(unknown=2, unreadable=1)
    assert plain(orphan_parts(strays)) == "3 unmatched lines: 2 with an unknown id, 1 unreadable"
    assert plain(orphan_parts(strays, short=True)) == "3 unmatched lines"
    assert plain(orphan_parts(OrphanLines(duplicate=1), short=True)) == "1 unmatched line"


def test_groups_on_one_line_are_whole_or_counted() -> None:
    groups = [
        ErrorGroup(
            id=number, key=f"{number}", http_status=429, code="rate_limit_exceeded", message="x",
            count=20 - number, share=0.1, retryable=True, kind=ErrorClass.TRANSIENT,
            example_custom_id="a",
        )
        for number in range(9)
    ]  # fmt: skip
    for width in (30, 60, 75, 120, 300):
        text = plain(folded_parts(groups, width))
        told = text.count("rate_limit_exceeded")
        assert text.count("×") == told >= 1
        assert len(text) <= max(width, 60)
        assert (f"and {9 - told} more" in text) == (told < 9)


@given(st.text('ab ,"', max_size=12), st.text('ab ,"', max_size=12))
def test_what_differs_is_pinpointed_and_nothing_is_lost(left: str, right: str) -> None:
    found = word_diff(left, right)
    assert found is not None
    pieces = list(narrow_changes(found))
    for side, text in (("removed", left), ("added", right)):
        assert "".join(words for which, words in pieces if which in ("same", side)) == text


def test_white_space_quotes_and_commas_are_no_difference() -> None:
    found = word_diff('{"label": "angry", "n": 1}', '{"label": "glad", "n": 1}')
    assert found is not None
    changed = [piece for piece in narrow_changes(found) if piece[0] != "same"]
    assert changed == [("removed", "angry"), ("added", "glad")]


def test_the_pace_is_that_of_the_last_minute() -> None:
    pace = Throughput()
    assert pace.rate(0) is None
    pace.add_sample(0, 0)
    pace.add_sample(10, 100)
    assert pace.rate(10) == 10
    assert pace.rate(100) == 1
    for second in range(20, 400, 10):
        pace.add_sample(second, 100)
    assert pace.rate(390) == 0
    pace.add_sample(400, 50)
    assert pace.rate(400) is None


def test_the_board_counts_what_the_provider_is_done_with() -> None:
    history = FakeHistory()
    job = a_job(1, status=BatchStatus.IN_PROGRESS, counts=Counts(total=1000, pending=1000))
    history.add(job, a_job(2))

    def progress(at: float, completed: int) -> None:
        counts = RemoteCounts(total=1000, completed=completed, failed=100)
        history.batch_lists[job.id] = [
            Batch(
                id="b",
                job_id=job.id,
                account="a",
                rows=1000,
                status=BatchStatus.IN_PROGRESS,
                remote_counts=counts,
                progressed_at=at,
            )
        ]

    progress(0, 300)
    board = JobList(history, lambda: 10.0)
    board.reload()
    view = board.view(job.id)
    assert view is not None and view.done == 400 and view.seconds_left is None
    progress(10, 500)
    assert not board.update([job.id])
    view = board.view(job.id)
    assert view is not None and view.rate == 20 and view.seconds_left == 20
    assert [one.job.id for one in board.live()] == [job.id]
    del history.entries[job.id]
    assert board.update([job.id])


def test_endings_are_one_note() -> None:
    history = FakeHistory()
    history.add(a_job(1), a_job(2))

    def note(*ids: str) -> tuple[str, bool] | None:
        return describe_ended_jobs(ended_jobs(history, dict.fromkeys(ids, "completed")))

    assert note() is None
    assert note("gone") is None
    assert note("job0000001") == ("reviews 1: 980 of 1,000 answered, 20 failed", False)
    both = ("2 jobs ended, 40 rows failed", False)
    assert note("job0000001", "job0000002") == both


def test_a_query_is_changed_by_keys() -> None:
    query = RowQuery()
    assert query.is_plain and not query.is_filtered
    errors = query.toggled_errors()
    assert errors.rows.outcomes == UNANSWERED and errors.is_filtered
    assert errors.toggled_errors() == query
    assert errors.errors_only and errors.where == "outcome:unanswered"
    assert query.toggled_group("ab12").toggled_group("ab12") == query
    assert query.toggled_group("ab12").toggled_group("cd34").group == "cd34"
    assert (
        query.with_where("outcome:failed code:400 x").toggled_group("ab12").where == "group:ab12 x"
    )
    text = query.with_where("x")
    assert text.unanswered.outcomes == UNANSWERED and text.unanswered.text == "x"
    assert query.with_where("json:bad").unanswered == query.with_where("json:bad").rows
    assert (
        errors.with_where("outcome:failed tokens:>5 x y").without(1).where == "outcome:failed x y"
    )
    down = query.sorted_by("seq")
    assert down.sort.descending and not down.is_plain
    assert down.with_where("x").unfiltered() == down


def request(body: dict[str, Any]) -> bytes:
    return json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/x", "body": body}).encode()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"model": "m", "messages": [{"role": "user", "content": "hello"}]}, ["user", "hello"]),
        ({"model": "m", "system": "be kind", "messages": []}, ["system", "be kind"]),
        ({"model": "m", "input": "embed this"}, ["embed this"]),
        ({"model": "m", "input": ["one", "two"]}, ["one", "two"]),
        ({"model": "m", "prompt": "once upon"}, ["once upon"]),
        ({"strange": {"deep": [1, 2]}}, ['"deep"']),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "look"}]}]},
            ["look"],
        ),
        ({"messages": [{"role": "tool", "content": None, "x": "\x1b[2J"}]}, ["tool"]),
    ],
)
def test_requests_are_read_as_words(body: dict[str, Any], words: list[str]) -> None:
    reading = read_request(request(body), as_json=False)
    for word in words:
        assert word in reading.shown.plain
    assert "\x1b" not in reading.shown.plain
    assert '"body"' in read_request(request(body), as_json=True).shown.plain


@pytest.mark.parametrize("line", [b"", b"not json", b"[1, 2]", b"\xff\xfe", b"{" * 5000])
def test_requests_that_are_no_requests_are_shown_as_they_are(line: bytes) -> None:
    read_request(line, as_json=False)
    read_request(line, as_json=True)


def test_a_long_answer_is_cut_on_the_screen_only() -> None:
    text = "words " * 100_000
    row = made_up_row(1)
    choice = {"message": {"content": text}, "finish_reason": "stop"}
    line = {"custom_id": "a", "response": {"status_code": 200, "body": {"choices": [choice]}}}
    reading = read_attempt(Attempt(row=row, line=json.dumps(line).encode()), as_json=False)
    assert len(reading.shown.plain) < CAP + 200
    assert "press v" in reading.shown.plain
    assert reading.whole == text


def test_a_row_without_a_line_says_what_that_means() -> None:
    pending = Attempt(row=Row(seq=0, custom_id="a", outcome=Outcome.PENDING))
    assert "No answer yet" in read_attempt(pending, as_json=False).shown.plain
    assert "No answer yet" in read_attempt(None, as_json=True).shown.plain
    missing = Attempt(row=Row(seq=0, custom_id="a", outcome=Outcome.MISSING))
    assert "No result for this row" in read_attempt(missing, as_json=False).shown.plain


@pytest.mark.parametrize("outcome", sorted(ANSWERED))
def test_an_answer_whose_file_is_gone_is_not_said_to_be_missing(outcome: Outcome) -> None:
    gone = Attempt(row=Row(seq=0, custom_id="a", outcome=outcome))
    shown = read_attempt(gone, as_json=False).shown.plain
    assert "its result file is not in the folder" in shown
    assert "retry" not in shown.lower() and "No result" not in shown
    assert "cannot be read" in read_request(b"", as_json=False).shown.plain


def test_paths_are_completed_as_far_as_they_agree(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("rows-1.jsonl", "rows-2.jsonl", "readme.md", ".hidden.jsonl", "bad\x1b.jsonl"):
        (tmp_path / name).touch()
    found = choices(f"{tmp_path}/")
    names = [choice.path.name for choice in found]
    assert names == ["bad\x1b.jsonl", "rows-1.jsonl", "rows-2.jsonl", "folder", "readme.md"]
    assert completed(f"{tmp_path}/ro", choices(f"{tmp_path}/ro")) == f"{tmp_path}/rows-"
    assert completed(f"{tmp_path}/fo", choices(f"{tmp_path}/fo")).endswith("/folder/")
    assert completed(f"{tmp_path}/b", choices(f"{tmp_path}/b")) == f"{tmp_path}/b"
    assert [c.path.name for c in choices(f"{tmp_path}/.h")] == [".hidden.jsonl"]
    assert choices("/no/such/folder/") == []


def test_typing_two_slashes_starts_anew() -> None:
    assert expand_path("/a/b//tmp/x") == Path("/tmp/x")
    assert expand_path("/a/b/~/x") == Path.home() / "x"
    assert shown(choices(str(Path.home()) + "/")[0]).startswith("~/") if choices("~/") else True


def test_problems_end_with_what_was_only_counted() -> None:
    problem = Problem(line=7, code="not_json", severity="error", what="not JSON", fix="Mend it.")
    report = CheckReport(
        path="x",
        size=1,
        rows=1,
        endpoints={},
        models={},
        problems=(problem,),
        found={"not_json": 41},
        input_tokens=0,
        stops=41,
    )
    source = ProblemSource(report, fixed=False)
    assert source.row_count() == 2
    assert plain(source.fetch(1, 2)[0][2]) == "and 40 more: not json"  # type: ignore[arg-type]
    assert plain(source.describe(0)) == "not JSON\nMend it."
    assert source.describe(1) == ()


def test_the_sample_has_as_many_rows_as_it_says(tmp_path: Path) -> None:
    lines = write_sample(tmp_path).read_text("utf-8").splitlines()
    assert len(lines) == ROWS
    assert len({json.loads(line)["custom_id"] for line in lines}) == ROWS


@pytest.mark.parametrize(
    ("word", "days", "is_shown"),
    [
        ("since:7d", 6, True), ("since:7d", 8, False), ("since:3w", 20, True),
        ("since:12h", 1, False), ("before:7d", 8, True), ("before:7d", 6, False),
        ("since:2020-02-03", 0, True), ("before:2020-02-03", 0, False),
    ],
)  # fmt: skip
def test_jobs_are_found_by_when_they_were_created(word: str, days: int, is_shown: bool) -> None:
    now = 1_800_000_000.0
    first, end = created_range(word, now) or (0.0, 0.0)
    assert (first <= now - days * 86_400 < end) is is_shown


@pytest.mark.parametrize("word", ["since:", "since:20", "since:2020-1", "before:x", "until:7d"])
def test_half_a_date_is_a_word_like_any_other(word: str) -> None:
    assert created_range(word, 0.0) is None


def test_columns_are_as_wide_as_they_are_drawn() -> None:
    for name in ("plain", "退款", "a\tb", "x" * 30, "退" * 30, "é", ""):
        assert cell_len(in_cells(name, 12)) == 12
    assert in_cells("退" * 30, 11) == "退" * 5 + "…"
    assert in_cells("x" * 30, 5) == "xxxx…"


def test_the_home_folder_itself_is_shown_as_it_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert shown(PathEntry(tmp_path, is_folder=True)) == "~/"
    assert shown(PathEntry(tmp_path / "data", is_folder=True)) == "~/data/"
    assert shown(PathEntry(tmp_path / "a.csv", is_folder=False)) == "~/a.csv"
