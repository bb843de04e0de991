"""Result lines as providers write them, and as broken servers do."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.results import openai_lines
from tui.core.results.openai_lines import UnreadableLineError, read_openai_line
from tui.core.rows import Outcome, RowResult, Usage

ANSWER = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}


def read(line: dict[str, Any]) -> RowResult:
    return read_openai_line(json.dumps(line).encode())


def answered(body: Any, status: Any = 200, **more: Any) -> RowResult:
    response = {"status_code": status, "request_id": "r", "body": body}
    return read({"id": "b", "custom_id": "a", "response": response, "error": None, **more})


def chat(message: dict[str, Any], finish: str = "stop", **more: Any) -> RowResult:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return answered({"object": "chat.completion", "model": "m", "choices": [choice], **more})


def test_an_ordinary_answer() -> None:
    usage = {
        "prompt_tokens": 11,
        "completion_tokens": 2,
        "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 5},
    }
    row = chat({"content": "Blue."}, usage=usage)
    assert (row.outcome, row.http_status, row.error) == (Outcome.SUCCEEDED, 200, None)
    assert (row.text, row.model, row.finish_reason) == ("Blue.", "m", "stop")
    assert row.usage == Usage(input_tokens=11, output_tokens=2, cached_tokens=5)


@pytest.mark.parametrize(
    ("completion", "reasoning", "total", "billed"),
    [
        (50, 124, 837, 174),  # Grok: the answer alone
        (174, 124, 837, 174),  # OpenAI: both together
        (50, 124, 713, 50),
        (50, 124, None, 50),
        (50, 0, 713, 50),
        (50, None, 837, 50),
        (50, "124", 837, 174),
        (50, "many", 837, 50),
    ],
)
def test_reasoning_is_billed_once(
    completion: int, reasoning: Any, total: int | None, billed: int
) -> None:
    usage = {
        "prompt_tokens": 663,
        "completion_tokens": completion,
        "total_tokens": total,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    assert chat({"content": "Blue."}, usage=usage).usage == Usage(663, billed)


def test_azure_writes_no_id() -> None:
    row = read({"custom_id": "a", "response": {"status_code": 200, "body": ANSWER}})
    assert row.outcome is Outcome.SUCCEEDED


def test_more_keys_do_no_harm() -> None:
    assert chat({"content": "x", "annotations": [], "audio": None}, extra=1).text == "x"
    assert answered(ANSWER, batch_id="voyage").outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (404, False), (422, False), (429, True), (500, True), (0, True)],
)
def test_an_http_error_stands_in_the_body(status: int, retryable: bool) -> None:
    error = {"message": "No such thing", "type": "some_error", "param": None, "code": "c_1"}
    row = answered({"error": error}, status)
    assert row.outcome is Outcome.FAILED
    assert row.http_status == status
    assert row.error is not None
    assert (row.error.code, row.error.message) == ("c_1", "No such thing")
    assert row.error.retryable is retryable


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("batch_expired", Outcome.EXPIRED),
        ("batch_cancelled", Outcome.CANCELLED),
        ("something_else", Outcome.FAILED),
    ],
)
def test_a_row_that_was_not_run(code: str, outcome: Outcome) -> None:
    row = read({"custom_id": "a", "response": None, "error": {"code": code, "message": "m"}})
    assert row.outcome is outcome
    assert row.error is not None
    assert (row.error.code, row.error.message) == (code, "m")
    assert row.error.retryable is (True if outcome is not Outcome.FAILED else None)


@pytest.mark.parametrize("error", ["the text", {"message": "the text", "code": 400}])
def test_vllm_has_a_null_body_and_an_error_of_two_kinds(error: Any) -> None:
    row = answered(None, 400, error=error)
    assert (row.outcome, row.http_status) == (Outcome.FAILED, 400)
    assert row.error is not None
    assert row.error.message == "the text"
    assert row.error.retryable is False


def test_voyage_puts_the_message_beside_the_status() -> None:
    row = read({"custom_id": "a", "response": {"status_code": 500, "message": "boom"}})
    assert (row.outcome, row.http_status) == (Outcome.FAILED, 500)
    assert row.error is not None
    assert row.error.message == "boom"
    assert row.error.retryable is True


def test_openrouter_names_the_kind_only() -> None:
    error = {"type": "rate_limit_error", "message": "slow down", "param": None}
    row = read({"custom_id": "a", "response": None, "error": error})
    assert row.error is not None
    assert (row.error.code, row.error.retryable) == ("rate_limit_error", True)
    row = read({"custom_id": "a", "response": None, "error": {"error_type": "x", "message": "m"}})
    assert row.error is not None
    assert row.error.code == "x"


def test_melious_codes_are_numbers_and_the_profile_decides() -> None:
    line = {"custom_id": "a", "error": {"code": 3104, "message": "no route"}}
    row = read_openai_line(json.dumps(line).encode(), {"3104": False, "3103": True})
    assert row.error is not None
    assert (row.error.code, row.error.retryable) == ("3104", False)


def test_doubleword_packs_json_into_the_message() -> None:
    body = json.dumps({"error": {"message": "too long", "code": "context"}})
    for details in ({"status": 422, "body": body}, {"status": 422, "body": json.loads(body)}):
        packed = json.dumps({"type": "NonRetriableHttpStatus", "details": details})
        row = read({"custom_id": "a", "response": None, "error": {"code": None, "message": packed}})
        assert (row.outcome, row.http_status) == (Outcome.FAILED, 422)
        assert row.error is not None
        assert (row.error.code, row.error.message) == ("NonRetriableHttpStatus", "too long")
        assert row.error.retryable is False


@pytest.mark.parametrize("status", [True, 10**400, -(10**30), 2**63, 1.5, "five", None, [500]])
def test_a_packed_status_that_is_no_status_is_left_out(status: Any) -> None:
    packed = json.dumps({"type": "RetriableHttpStatus", "details": {"status": status, "body": "b"}})
    row = read({"custom_id": "a", "error": {"message": packed}})
    assert row.http_status is None
    assert row.error is not None
    assert (row.error.code, row.error.message) == ("RetriableHttpStatus", "b")


def test_a_message_that_only_looks_packed_stays_as_it_is() -> None:
    for message in ("{not json", '{"no": "type"}', '{"type": 3}'):
        row = read({"custom_id": "a", "error": {"message": message}})
        assert row.error is not None
        assert row.error.message == message


@pytest.mark.parametrize("error", [{}, "", False, 0, []])
def test_an_empty_error_is_none(error: Any) -> None:
    row = chat({"content": "fine"})
    assert row.outcome is Outcome.SUCCEEDED
    assert answered(ANSWER, error=error).outcome is Outcome.SUCCEEDED


def test_neither_answer_nor_error() -> None:
    for line in ({"custom_id": "a"}, {"custom_id": "a", "response": None, "error": None}):
        row = read(line)
        assert row.outcome is Outcome.FAILED
        assert row.error is not None
        assert row.error.message == "No answer and no error"
    assert answered(None, 200).outcome is Outcome.FAILED
    assert answered("text", 200).outcome is Outcome.FAILED


def test_an_error_beside_an_answer_is_an_error() -> None:
    row = answered(ANSWER, error={"message": "half"})
    assert row.outcome is Outcome.FAILED


def test_an_error_body_without_a_status_is_an_error() -> None:
    for error in ("the text", {"message": "the text", "code": "c"}):
        row = read({"custom_id": "a", "response": {"body": {"error": error}}})
        assert row.outcome is Outcome.FAILED
        assert row.error is not None
        assert row.error.message == "the text"


def test_a_cost_in_the_line() -> None:
    row = chat({"content": "x"}, billing_cost={"credits": 0.25})
    assert row.cost == 0.25


def test_a_cost_that_is_no_number_is_unknown() -> None:
    line = (
        b'{"custom_id":"a","response":{"status_code":200,"body":'
        b'{"choices":[{"text":"x"}],"billing_cost":{"credits":1e999}}}}'
    )
    assert read_openai_line(line).cost is None


def test_tool_calls_are_the_text_of_an_answer_without_one() -> None:
    calls = [
        {"type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"type": "custom", "custom": {"name": "g", "input": "raw"}},
    ]
    row = chat({"content": None, "tool_calls": calls}, "tool_calls")
    assert row.outcome is Outcome.SUCCEEDED
    assert row.text == 'f({"x":1})\n\ng(raw)'


def test_no_content_at_all() -> None:
    assert chat({"content": None}).text == ""


def test_content_in_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert chat({"content": parts}).text == "ab"


def test_several_choices_are_all_shown() -> None:
    choices = [
        {"message": {"content": "one"}, "finish_reason": "stop"},
        {"message": {"content": "two"}, "finish_reason": "length"},
    ]
    row = answered({"choices": choices})
    assert (row.text, row.outcome) == ("one\n\ntwo", Outcome.TRUNCATED)


def test_a_refusal() -> None:
    row = chat({"content": None, "refusal": "I cannot"})
    assert (row.outcome, row.text) == (Outcome.REFUSED, "I cannot")
    assert chat({"content": ""}, "content_filter").outcome is Outcome.REFUSED


def test_a_cut_answer() -> None:
    row = chat({"content": "half a"}, "length")
    assert (row.outcome, row.finish_reason, row.text) == (Outcome.TRUNCATED, "length", "half a")


def test_completions() -> None:
    row = answered({"model": "m", "choices": [{"text": "tail", "finish_reason": "stop"}]})
    assert (row.outcome, row.text) == (Outcome.SUCCEEDED, "tail")


def response(status: str, **more: Any) -> RowResult:
    output = [
        {"type": "reasoning", "summary": []},
        {
            "type": "message",
            "content": [{"type": "output_text", "text": "hi", "annotations": []}],
        },
        {"type": "function_call", "name": "f", "arguments": "{}"},
    ]
    usage = {"input_tokens": 3, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 1}}
    return answered(
        {"object": "response", "status": status, "output": output, "usage": usage, **more}
    )


def test_the_responses_api() -> None:
    row = response("completed", error=None)
    assert (row.outcome, row.text) == (Outcome.SUCCEEDED, "hi\n\nf({})")
    assert row.usage == Usage(input_tokens=3, output_tokens=4, cached_tokens=1)


def test_an_incomplete_response() -> None:
    row = response("incomplete", incomplete_details={"reason": "max_output_tokens"})
    assert (row.outcome, row.finish_reason) == (Outcome.TRUNCATED, "max_output_tokens")
    row = response("incomplete", incomplete_details={"reason": "content_filter"})
    assert row.outcome is Outcome.REFUSED


def test_a_response_that_failed_says_why() -> None:
    row = response("failed", error={"code": "server_error", "message": "The model broke"})
    assert row.outcome is Outcome.FAILED
    assert row.error is not None
    assert (row.error.code, row.error.message) == ("server_error", "The model broke")
    assert row.error.retryable is True
    assert response("failed").error is not None
    assert response("cancelled").outcome is Outcome.FAILED


def test_a_refusal_in_a_response() -> None:
    output = [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]
    row = answered({"status": "completed", "output": output})
    assert (row.outcome, row.text) == (Outcome.REFUSED, "No.")


def test_embeddings_show_their_size() -> None:
    packed = base64.b64encode(struct.pack("<8f", *range(8))).decode()
    for embedding in ([0.5] * 8, packed):
        body = {"object": "list", "data": [{"index": 0, "embedding": embedding}], "model": "e"}
        row = answered(body)
        assert (row.outcome, row.text, row.model) == (
            Outcome.SUCCEEDED,
            "1 vector of 8 numbers",
            "e",
        )
    body = {"data": [{"embedding": [1.0]}, {"embedding": [2.0]}]}
    assert answered(body).text == "2 vectors of 1 numbers"
    assert answered({"data": [{"embedding": []}]}).outcome is Outcome.FAILED
    assert answered({"data": []}).text == ""


def test_an_answer_in_the_shape_of_anthropic() -> None:
    body = {
        "type": "message",
        "model": "claude",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "Blue."},
            {"type": "tool_use", "name": "look", "input": {"q": 1}},
        ],
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": 40,
            "cache_creation_input_tokens": 3,
            "cache_read_input_tokens": 7,
            "output_tokens": 4,
        },
    }
    row = answered(body)
    assert (row.outcome, row.text) == (Outcome.SUCCEEDED, 'Blue.\n\nlook({"q":1})')
    assert row.usage == Usage(50, 4, 7, cache_write_tokens=3, cache_write_1h_tokens=0)
    assert answered({**body, "stop_reason": "max_tokens"}).outcome is Outcome.TRUNCATED
    assert answered({**body, "stop_reason": "refusal"}).outcome is Outcome.REFUSED


def test_moderations_are_shown_as_they_are() -> None:
    row = answered({"model": "omni", "results": [{"flagged": True}]})
    assert (row.outcome, row.text) == (Outcome.SUCCEEDED, '[{"flagged": true}]')


def test_an_image_is_named_not_printed() -> None:
    assert answered({"data": [{"b64_json": "AAAA"}]}).text == "1 image"
    assert answered({"data": [{"url": "https://x/y.png"}]}).text == "https://x/y.png"


def test_a_field_of_an_unexpected_type_spoils_only_itself() -> None:
    row = chat({"content": "kept"}, usage="free", model=7)
    assert (row.outcome, row.text, row.usage, row.model) == (
        Outcome.SUCCEEDED,
        "kept",
        Usage(),
        None,
    )


def test_a_field_in_a_message_of_an_unexpected_type_spoils_only_itself() -> None:
    row = chat({"content": "kept", "tool_calls": {"odd": 1}, "refusal": False})
    assert (row.outcome, row.text) == (Outcome.SUCCEEDED, "kept")


def test_tokens_beyond_what_can_be_stored_are_unknown() -> None:
    row = chat({"content": "x"}, usage={"prompt_tokens": 2**63, "completion_tokens": 2})
    assert (row.outcome, row.text) == (Outcome.SUCCEEDED, "x")
    assert row.usage.input_tokens is None
    big = 2**62
    usage = {"input_tokens": big, "cache_read_input_tokens": big, "output_tokens": 1}
    row = answered({"content": [], "usage": usage})
    assert row.usage == Usage(input_tokens=None, output_tokens=1, cached_tokens=big)


def test_a_status_in_digits_is_one_and_in_words_is_none() -> None:
    assert answered(ANSWER, "200").http_status == 200
    assert answered(ANSWER, "OK").http_status is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b'"a"',
        b"1",
        b"{}",
        b'{"custom_id": null}',
        b'{"custom_id": 7.5}',
        b'{"custom_id": true}',
        b'{"custom_id": "a"',
        b"<html>",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"custom_id":"a","response":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"custom_id":"a","n":' + b"9" * 5000 + b',"s":"\xff"}',
    ],
)
def test_lines_that_cannot_be_read(line: bytes) -> None:
    with pytest.raises(UnreadableLineError):
        read_openai_line(line)


@pytest.mark.parametrize("depth", range(100, 1100, 9))
@pytest.mark.parametrize(
    ("before", "opening", "inner", "closing", "after"),
    [
        (b'{"custom_id":"a","error":', b'{"error":', b'"x"', b"}", b"}"),
        (b'{"custom_id":"a","error":{"code":', b"[", b"1", b"]", b"}}"),
        (b'{"custom_id":"a","error":{"message":', b"[", b"1", b"]", b"}}"),
        (b'{"custom_id":"\xff","error":', b"[", b"1", b"]", b"}"),
        (b'{"custom_id":"\\ud800","error":', b"[", b"1", b"]", b"}"),
        (b'{"custom_id":"a","response":{"body":{"choices":', b"[", b"1", b"]", b"}}}"),
    ],
)
def test_any_depth_is_read_or_refused(
    before: bytes, opening: bytes, inner: bytes, closing: bytes, after: bytes, depth: int
) -> None:
    line = before + opening * depth + inner + closing * depth + after
    try:
        row = read_openai_line(line)
    except UnreadableLineError:
        return
    assert row.custom_id


def test_duplicate_keys_do_no_harm() -> None:
    line = b'{"custom_id":"a","custom_id":"b","response":null,"response":null,"error":{"code":"x"}}'
    assert read_openai_line(line).custom_id == "b"


def test_invalid_utf8_and_lone_surrogates_are_replaced() -> None:
    for text in (b"x\xffy", b"x\\ud800y"):
        line = b'{"custom_id":"a","response":{"status_code":200,"body":{"choices":[{"message":'
        line += b'{"content":"' + text + b'"},"finish_reason":"stop"}]}}}'
        row = read_openai_line(line)
        assert row.outcome is Outcome.SUCCEEDED
        assert row.text[0] + row.text[-1] == "xy"
        row.text.encode()


def test_nan_and_nul_do_no_harm() -> None:
    row = read_openai_line(
        b'{"custom_id":"a","response":NaN,"error":{"message":"\\u0000","x":NaN}}'
    )
    assert row.outcome is Outcome.FAILED
    assert row.error is not None
    assert row.error.message == "\x00"


def test_a_carriage_return_at_the_end_is_white_space() -> None:
    assert read_openai_line(b'{"custom_id":"a","error":{"code":"x"}}\r').custom_id == "a"


MESSAGES = (
    "Trouble. Try again in 7s.", " a ", "", "HTTP 404", "error code: 429", "<html>no</html>", "500",
    'Failed: {"message": "x"}', "litellm.Timeout: y", "[1]", "x\ny", "caf\u00e9", "None",
)  # fmt: skip
WORDS = (
    None,
    "",
    "error",
    "server_error",
    "rate_limit_exceeded",
    "429",
    "ok",
    "batch_expired",
    "x",
)


@given(
    error=st.fixed_dictionaries(
        {},
        optional={
            "message": st.sampled_from([*MESSAGES, None]),
            "type": st.sampled_from(WORDS),
            "param": st.sampled_from([None, "messages[0]"]),
            "code": st.sampled_from([*WORDS, 400]),
            "detail": st.just("y"),
        },
    ),
    status=st.sampled_from([0, -1, 199, 300, 400, 401, 404, 429, 500, 503, 999, 1000]),
    more=st.sampled_from([{}, {"id": "b"}, {"x": 1}, {"error": None}]),
    rules=st.sampled_from([None, {"x": True}, {"server_error": False}]),
)
def test_the_fast_way_and_the_long_one_agree_on_errors(
    error: dict[str, Any], status: int, more: dict[str, Any], rules: dict[str, bool] | None
) -> None:
    response = {"status_code": status, "request_id": "r", "body": {"error": error}}
    line = json.dumps({"custom_id": "a", "response": response, **more}).encode()
    assert read_openai_line(line, rules) == openai_lines._read_leniently(line, rules)


@pytest.mark.parametrize(
    ("texts", "right"),
    [
        (['{"a": "x', '{"a": "xyz"}'], '{"a": "xyz"}'),
        (['{"a": 1}', '{"a": 2}'], '{"a": 1}\n\n{"a": 2}'),
        (['{"a": "x', '{"a": "y'], '{"a": "x\n\n{"a": "y'),
        (["Here it is:", '{"a": 1}'], 'Here it is:\n\n{"a": 1}'),
    ],
)
def test_of_fragments_of_json_the_whole_one_is_the_answer(texts: list[str], right: str) -> None:
    output = [
        {"type": "message", "content": [{"type": "output_text", "text": text}]} for text in texts
    ]
    body = {"object": "response", "status": "completed", "output": output}
    line = {"custom_id": "a", "response": {"status_code": 200, "body": body}}
    assert read_openai_line(json.dumps(line).encode()).text == right
