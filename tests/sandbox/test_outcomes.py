from __future__ import annotations

import openai
import pytest

from tests.sandbox.conftest import chat_line
from tui.sandbox.outcomes import NO_FAULT_WORDS, read, read_line, unescape


def body(text, **more):
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("nothing", {}),
        ("please sandbox:fail=429 now", {"fail": 429}),
        ("sandbox:fail=402", {"fail": 0}),
        ("sandbox:fail=4000", {"fail": 0}),
        ("sandbox:flaky=500", {"flaky": 500}),
        ("sandbox:flaky=400", {"flaky": 0}),
        ("sandbox:truncate sandbox:slow", {"truncate": True, "slow": True}),
        ("sandbox:refuse sandbox:expire", {"refuse": True, "expire": True}),
        ("sandbox:refused", {"refuse": False}),
        ("sandbox:say=a sandbox:fail=400\nsandbox:slow", {"say": "a sandbox:fail=400",
                                                         "fail": 0, "slow": True}),
        ("sandbox:say=", {"say": ""}),
    ],
)  # fmt: skip
def test_read(text, wanted):
    found = read(body(text))
    for name, value in wanted.items():
        assert getattr(found, name) == value
    if not wanted:
        assert found == NO_FAULT_WORDS


def test_words_anywhere_in_the_text():
    parts = {"messages": [{"role": "user", "content": [{"type": "text", "text": "sandbox:slow"}]}]}
    assert read(parts).slow
    assert read({"model": "m", "input": ["x", "sandbox:slow"]}).slow
    assert read({"text": "sandbox:slow", "labels": []}).slow
    assert read_line(b'{"x":"sandbox:slow"}', {"x": "sandbox:slow"}).slow


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
def test_truncation_ends_at_a_thousand_tokens(name):
    assert read(body("sandbox:truncate", **{name: 999})).truncate
    assert not read(body("sandbox:truncate", **{name: 1000})).truncate


def test_unescape():
    assert unescape(r"\u0041\u00e9 \n \ud83d\ude00") == "Aé \\n \U0001f600"
    assert unescape(r"\udc00") == "\ufffd"


def test_flaky_fails_once_per_custom_id(bench):
    b = bench()
    lines = [chat_line(f"r{n}", f"sandbox:flaky={code}") for n, code in enumerate((429, 500))]
    first = b.get(b.create(lines))
    assert first.request_counts.failed == 2
    rows = b.read(first.error_file_id)
    assert [rows[f"r{n}"]["response"]["status_code"] for n in range(2)] == [429, 500]
    assert "Rate limit reached for requests" in str(rows["r0"])
    second = b.get(b.create([*lines, chat_line("r9", "sandbox:flaky=500")]))
    assert set(b.read(second.error_file_id)) == {"r9"}
    assert set(b.read(second.output_file_id)) == {"r0", "r1"}


def test_truncate_refuse_say(bench):
    b = bench()
    done = b.get(
        b.create(
            [
                chat_line("cut", "sandbox:truncate"),
                chat_line("long", "sandbox:truncate", max_tokens=1000),
                chat_line("no", "sandbox:refuse"),
                chat_line("say", "first\nsandbox:say=just this \nlast"),
            ]
        )
    )
    choices = {
        name: row["response"]["body"]["choices"][0]
        for name, row in b.read(done.output_file_id).items()
    }
    assert choices["cut"]["finish_reason"] == "length"
    assert choices["long"]["finish_reason"] == "stop"
    assert choices["no"]["finish_reason"] == "stop"
    assert choices["no"]["message"]["content"] is None
    assert choices["no"]["message"]["refusal"]
    assert choices["say"]["message"]["content"] == "just this "


def test_slow_rows_come_ten_seconds_later(bench, clock):
    b = bench(clock=clock)
    made = b.create([chat_line("a", "x"), chat_line("b", "sandbox:slow")])
    clock.now += 9
    assert (b.get(made).status, b.get(made).request_counts.completed) == ("in_progress", 1)
    clock.now += 2
    assert b.get(made).status == "completed"


def test_fail_rate(bench):
    b = bench(fail_rate=0.3, seed=3)
    lines = [chat_line(f"r{n}", "x") for n in range(400)]
    failed = b.get(b.create(lines)).request_counts.failed
    assert 80 < failed < 160
    second = b.get(b.create(lines)).request_counts.failed
    assert 80 < second < 160


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_words_on_the_synchronous_endpoint(bench, code, error):
    b = bench()
    with pytest.raises(error):
        b.client.chat.completions.create(**body(f"sandbox:fail={code}"))


def test_flaky_on_the_synchronous_endpoint(bench):
    b = bench()
    with pytest.raises(openai.RateLimitError):
        b.client.chat.completions.create(**body("sandbox:flaky=429"))
    assert b.client.chat.completions.create(**body("sandbox:flaky=429")).choices
