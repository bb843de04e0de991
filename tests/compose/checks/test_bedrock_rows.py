"""Rows of Bedrock's own form, and other requests for an account of Bedrock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tui.compose.checks.clean import clean_requests
from tui.compose.checks.scan import check_file
from tui.compose.requests.amounts import request_amount
from tui.compose.requests.prompts import answer_length
from tui.engine.accounts import limits_of
from tui.providers.dialects.bedrock.converse_requests import chat_to_converse
from tui.providers.dialects.direct import direct_profile
from tui.providers.profiles.load import find_profile

BEDROCK = limits_of(find_profile("bedrock"))
CLAUDE = "us.anthropic.claude-sonnet-5-v1:0"
MESSAGES = {"model": CLAUDE, "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
CONVERSE = {"messages": [{"role": "user", "content": [{"text": "x"}]}]}
LLAMA = {"prompt": "x", "max_gen_len": 9}


def written(path: Path, *rows: dict[str, Any], fill: int = 100) -> Path:
    """A file of these rows, the last of them repeated with other ids."""
    more = [{**rows[-1], _id_of(rows[-1]): f"more-{number}"} for number in range(fill)]
    path.write_text("".join(json.dumps(row) + "\n" for row in (*rows, *more)), "utf-8")
    return path


def _id_of(row: dict[str, Any]) -> str:
    return "recordId" if "recordId" in row else "custom_id"


def own(body: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"recordId": "r", "modelInput": body, **fields}


def chat(body: dict[str, Any], url: str = "/v1/chat/completions") -> dict[str, Any]:
    return {"custom_id": "c", "method": "POST", "url": url, "body": body}


@pytest.mark.parametrize(
    ("body", "url"),
    [
        (LLAMA, "/model/invoke"),
        ({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9,
          "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
         "/model/invoke"),
        (CONVERSE, "/model/converse"),
        ({**CONVERSE, "inferenceConfig": {"topK": 5}}, "/model/invoke"),
        ({**CONVERSE, "schemaVersion": "messages-v1"}, "/model/invoke"),
    ],
)  # fmt: skip
def test_own_rows_are_checked_and_kept(body: dict[str, Any], url: str, tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", own(body))
    report = check_file(path, limits=BEDROCK)
    assert (report.rows, report.stops, list(report.endpoints)) == (101, 0, [url])
    request = next(iter(clean_requests(path, fix=False, limits=BEDROCK)))
    assert json.loads(request.line) == {
        "custom_id": "r", "method": "POST", "url": url, "body": body,
    }  # fmt: skip


def test_an_own_row_without_an_id_is_named_by_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", {"modelInput": LLAMA}, own(LLAMA))
    assert check_file(path, limits=BEDROCK).stops == 0
    requests = clean_requests(path, fix=False, limits=BEDROCK)
    assert [request.custom_id for request in requests][:2] == ["row-1", "r"]


def test_a_model_beside_an_own_row_is_its_model(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", own(LLAMA, modelId="meta.llama3-8b-instruct-v1:0"))
    report = check_file(path, limits=BEDROCK)
    assert (report.stops, list(report.models)) == (0, ["meta.llama3-8b-instruct-v1:0"])


def test_what_is_wrong_is_told_by_line(tmp_path: Path) -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}
    path = written(
        tmp_path / "rows.jsonl",
        own(LLAMA) | {"recordId": ""},
        own(LLAMA) | {"recordId": 5},
        chat({**MESSAGES, "seed": 1}),
        chat({**MESSAGES, "messages": [{"role": "user", "content": [image]}]}, "/v1/messages")
        | {"custom_id": "m"},
        {"custom_id": "p", "params": MESSAGES},
    )
    report = check_file(path, limits=BEDROCK)
    found = {(problem.line, problem.code) for problem in report.problems}
    assert {
        (1, "no_custom_id"), (2, "bad_custom_id"), (3, "untranslatable"), (4, "untranslatable"),
    } <= found  # fmt: skip
    refused = {problem.line for problem in report.problems if problem.code == "untranslatable"}
    assert refused == {3, 4}


def test_too_few_rows_and_two_models_are_told(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", chat(MESSAGES), fill=98)
    (problem,) = check_file(path, limits=BEDROCK).problems
    assert (problem.code, problem.severity) == ("too_few_rows", "error")
    assert problem.what == "99 rows; Bedrock requires at least 100 in a batch"
    assert "+direct" in problem.fix
    one_by_one = limits_of(direct_profile(find_profile("bedrock")))
    assert check_file(path, limits=one_by_one).problems == ()
    nova = chat({**MESSAGES, "model": "amazon.nova-lite-v1:0"}) | {"custom_id": "n"}
    path = written(tmp_path / "rows.jsonl", chat(MESSAGES), nova)
    assert "mixed_models" in {problem.code for problem in check_file(path, limits=BEDROCK).problems}


def test_another_provider_does_not_take_own_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", own(LLAMA))
    (problem,) = check_file(path, limits=limits_of(find_profile("openai"))).problems
    assert problem.code == "other_form"
    assert "which OpenAI does not take" in problem.what


@pytest.mark.parametrize(
    "body",
    [
        {**CONVERSE, "inferenceConfig": {"maxTokens": 9}},
        {"inputText": "x", "textGenerationConfig": {"maxTokenCount": 9}},
        LLAMA,
        {"prompt": "x", "max_tokens": 9},
    ],
)
def test_the_longest_answer_is_found_in_each_form(body: dict[str, Any]) -> None:
    assert answer_length("/model/invoke", body.get).limit == 9


def test_a_converse_request_is_counted_like_the_chat_request_it_was() -> None:
    pixel = (
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9Q"
        "DwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    text = "Tell me about the weather in Paris, please. " * 20
    body = {
        "model": "amazon.nova-lite-v1:0",
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": [
                {"type": "text", "text": text},
                {"type": "image_url", "image_url": {"url": pixel}},
            ]},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        ],
    }  # fmt: skip
    one = request_amount(body, "amazon.nova-lite-v1:0")
    two = request_amount(chat_to_converse(body), "amazon.nova-lite-v1:0")
    assert two.uncounted == one.uncounted
    assert two.tokens.usual == pytest.approx(one.tokens.usual, rel=0.1)
    titan = request_amount({"inputText": text}, "amazon.titan-text-express-v1")
    assert titan.tokens.usual > 100
