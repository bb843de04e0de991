"""The clients for every provider, in scripts and in event loops."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.client.fake_scaledown import KEY, FakeScaleDown
from tests.end_to_end.rows import chat, own_models, params
from tests.end_to_end.servers import join_all, sandbox
from tui.client import (
    AsyncBatchClient,
    BatchClient,
    Outcome,
    Review,
    RowFilter,
    SummarizeItem,
    run_batch,
    run_prompts,
)
from tui.client.melious import run_batch as melious_run_batch
from tui.config.settings import AccountConfig, Config
from tui.core.analysis.views import View
from tui.errors import InputError, KeyMissingError, UnknownJobError, UsageError
from tui.paths import Paths
from tui.store.history import History


@pytest.fixture(scope="module", autouse=True)
def _all_servers_end() -> Iterator[None]:
    yield
    join_all()


def names_at(home: Path) -> list[str]:
    history = History(Paths.find(home))
    try:
        return [job.name for job in history.jobs.list()]
    finally:
        history.close()


def asked(number: int, text: str = "") -> dict[str, Any]:
    return chat(number, text or f"sandbox:say=Answer {number}")


def test_answers_are_compared_with_a_file_of_true_values(home: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    with BatchClient() as client:
        job_id = client.submit([asked(n, f"sandbox:say={word}") for n, word in enumerate("abA")])
        client.wait(job_id, poll_interval=0.05)
        ids = [row.custom_id for row in client.results(job_id)]
        labels.write_text("custom_id,label\n" + "".join(f"{one},a\n" for one in ids))
        found = client.evaluate(job_id, gold_file=labels)
        assert (found.compared, found.agree, found.spellings) == (3, 1, 1)
        assert client.evaluate(job_id, gold_file=labels, normalise=True).agree == 2
        with pytest.raises(UsageError):
            client.evaluate(job_id, "@label", "in.label")


def test_models_are_compared_over_one_table(home: Path, tmp_path: Path) -> None:
    table = tmp_path / "food.csv"
    table.write_text("food,label\nbread,good\nmilk,bad\n")
    prompts = ["sandbox:say={{ label }}\n{{ food }}", "sandbox:say=good\n{{ food }}"]
    with BatchClient() as client:
        jobs = client.submit_experiment("food", str(table), prompts, ["small"])
        for job_id in jobs:
            client.wait(job_id, poll_interval=0.05)
        found = client.compare(*jobs, gold="in.label")
        assert [one.accuracy for one in found.variants] == [1.0, 0.5]
        with pytest.raises(UsageError, match="sent already"):
            client.submit_experiment("food", str(table), prompts, ["small"])


def test_the_jobs_of_an_experiment_have_a_deadline(home: Path, tmp_path: Path) -> None:
    table = tmp_path / "food.csv"
    table.write_text("food\nbread\nmilk\n")
    at = time.time() + 3600
    with BatchClient() as client:
        jobs = client.submit_experiment("food", str(table), ["{{ food }}"], ["a", "b"], deadline=at)
        deadlines = [client.job(job_id).deadline for job_id in jobs]
        assert [one and one.at for one in deadlines] == [at, at]
        with pytest.raises(UsageError):
            client.submit_experiment("late", str(table), ["{{ food }}"], ["a"], deadline=at - 7200)
        assert "late" not in str(names_at(home))


def test_submit_wait_results_and_run_in_a_script(home: Path) -> None:
    with BatchClient() as client:
        job_id = client.submit([asked(n) for n in range(5)], name="mine")
        job = client.wait(job_id, poll_interval=0.05)
        assert job.counts.all_succeeded and job.id == job_id
        assert [row.text for row in client.results(job_id)] == [f"Answer {n}" for n in range(5)]
        rows = client.run([asked(0), asked(1, "sandbox:fail=400")], poll_interval=0.05)
        assert [row.outcome for row in rows] == ["succeeded", "failed"]
    assert sorted(names_at(home)) == ["mine", "requests"]
    with BatchClient() as client:
        failed = client.results(job_id, RowFilter(outcomes=frozenset({Outcome.FAILED})))
        assert failed == []
        with pytest.raises(UnknownJobError):
            client.wait("nothing")


def test_equal_requests_are_sent_once(home: Path) -> None:
    with BatchClient() as client:
        requests = [{**asked(number % 2), "custom_id": f"r{number}"} for number in range(6)]
        job_id = client.submit(requests, dedupe=True)
        client.wait(job_id, poll_interval=0.05)
        rows = client.results(job_id)
        assert [row.text for row in rows] == ["Answer 0", "Answer 1"] * 3
        assert sum(row.usage.output_tokens is not None for row in rows) == 2
        again = client.submit([*requests, {**asked(9), "custom_id": "new"}], reuse=True)
        client.wait(again, poll_interval=0.05)
        rows = client.results(again)
        assert [row.text for row in rows] == ["Answer 0", "Answer 1"] * 3 + ["Answer 9"]
        assert sum(row.usage.output_tokens is not None for row in rows) == 1


def test_values_of_columns_are_counted(home: Path) -> None:
    with BatchClient() as client:
        answers = [f'{{"label": "{"ab"[number % 2]}"}}' for number in range(4)]
        requests = [chat(n, f"sandbox:say={answer}") for n, answer in enumerate(answers)]
        client.run(requests, name="labels", poll_interval=0.05)
        [job] = client._client.engine.history.jobs.list()
        (label,) = client.facets(job.id, "@label", where=f"-custom_id:{requests[0]['custom_id']}")
        assert {value.value: value.rows for value in label.values} == {"b": 2, "a": 1}
        assert {"@label", "outcome"} <= {facet.column for facet in client.facets(job.id)}
        client._client.engine.history.views.save("b", View(where="@label:b"))
        assert list(client.views()) == ["b"]
        (label,) = client.facets(job.id, "@label", view="b")
        assert [value.value for value in label.values] == ["b"]
        assert len(client.results(job.id, view="b")) == 2
        with pytest.raises(UsageError, match="unknown column"):
            client.facets(job.id, "label")
        with pytest.raises(UsageError, match="needs a value"):
            client.facets(job.id, "@label", where="@label:")


def test_reviews_are_stored_and_read(home: Path) -> None:
    with BatchClient() as client:
        rows = client.run([asked(0), asked(1)], name="mine", poll_interval=0.05)
        [job] = client._client.engine.history.jobs.list()
        assert client.reviews(job.id) == []
        made = [
            Review(custom_id=row.custom_id, reviewer="anna", at=1.0, label="right") for row in rows
        ]
        client.add_reviews(job.id, made)
        client.add_reviews(job.id, [msgspec.structs.replace(made[0], label="wrong", note="no")])
        assert [review.label for review in client.reviews(job.id)] == ["wrong", "right"]
        wrong = RowFilter(reviews=frozenset({"wrong"}))
        assert [row.custom_id for row in client.results(job.id, wrong)] == [rows[0].custom_id]
        with pytest.raises(UnknownJobError):
            client.reviews("nothing")


async def test_the_same_inside_an_event_loop() -> None:
    async with AsyncBatchClient() as client:
        jobs = [await client.submit([asked(n)]) for n in range(3)]
        await asyncio.gather(*(client.wait(job_id, 0.05) for job_id in jobs))
        assert [(await client.results(job_id))[0].text for job_id in jobs] == [
            "Answer 0", "Answer 1", "Answer 2"
        ]  # fmt: skip
        assert [row.text for row in client.iter_results(jobs[1])] == ["Answer 1"]


async def test_the_blocking_client_works_inside_a_running_loop() -> None:
    with BatchClient(keep=False) as client:
        assert len(client.run([asked(1)], poll_interval=0.05)) == 1


SHAPES = {
    "openai": ("openai", chat),
    "anthropic": ("anthropic", params),
    "anthropic, chat rows": ("anthropic", chat),
    "doubleword": ("doubleword", chat),
    "melious": ("melious", chat),
    "tensorzero": ("tensorzero", chat),
    "scaledown": ("scaledown", own_models),
    "scaledown-2": ("scaledown", own_models),
    "groq": ("groq", chat),
    "mistral": ("mistral", chat),
    "together": ("together", chat),
    "openrouter": ("openrouter", chat),
}


PATHS = {"groq": "/v1", "openrouter": "/v1"}
"""Where their own addresses have another path than the sandbox."""


@pytest.mark.parametrize("shape", list(SHAPES))
def test_every_provider(shape: str, home: Path) -> None:
    provider, make = SHAPES[shape]
    with (
        sandbox(shape.partition(",")[0]) as server,
        BatchClient(
            provider, api_key="sk-1", base_url=server.url + PATHS.get(provider, "")
        ) as client,
    ):
        items = [make(n, f"Number {n}") for n in range(4)]
        rows = client.run(items, poll_interval=0.05)
        assert [row.outcome for row in rows] == ["succeeded"] * 4
        assert [row.custom_id for row in rows] == [item["custom_id"] for item in items]
        assert all(row.text for row in rows)
    assert names_at(home) == ["requests"]


def test_another_address_has_an_account_of_its_own(server: FakeScaleDown, home: Path) -> None:
    place = server.url.removeprefix("http://").replace(".", "-").replace(":", "-")
    with BatchClient("scaledown", api_key=KEY, base_url=server.url) as client:
        client.run([SummarizeItem("a", "text")], poll_interval=0.05)
    # A program that knows nothing of the address shows the job, and asks nobody for it.
    listed = subprocess.run(
        [sys.executable, "-m", "tui", "list", "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(listed.stdout)[0]["account"] == f"scaledown-{place}"
    # An address that an account has already is that account's.
    config = Config(accounts={"mine": AccountConfig(provider="scaledown", base_url=server.url)})
    with BatchClient("mine", config=config, api_key=KEY, base_url=server.url) as client:
        job_id = client.submit([SummarizeItem("a", "text")])
        assert client.wait(job_id, 0.05).account == "mine"


def test_poll_interval_is_the_pause_between_two_questions(server: FakeScaleDown) -> None:
    server.polls = 6
    with BatchClient("scaledown", api_key=KEY, base_url=server.url) as client:
        job_id = client.submit([SummarizeItem("a", "text")])
        # The provider's own advice is 5 seconds and more: this would take half a minute.
        client.wait(job_id, poll_interval=0.05)
        assert client.results(job_id)[0].data["summary"] == "text"
        for wrong in (0, -1, float("nan")):
            with pytest.raises(UsageError, match="poll_interval"):
                client.wait(job_id, poll_interval=wrong)
    assert server.count("GET", "/batch_0001") >= 6


def test_nothing_is_kept_when_nothing_is_to_be(home: Path) -> None:
    with BatchClient(keep=False) as client:
        assert client.run([asked(1)], poll_interval=0.05)[0].text == "Answer 1"
        folder = client._client.engine.paths.data
        assert folder.exists()
    assert not folder.exists() and not home.exists()


def test_wrong_requests_are_refused_before_anything_is_sent() -> None:
    with BatchClient(keep=False) as client, pytest.raises(InputError):
        client.submit([asked(1), asked(1)])
    with BatchClient("openai", keep=False) as client, pytest.raises(KeyMissingError):
        client.submit([asked(1)])


def test_a_closed_client_says_so_and_leaves_no_thread() -> None:
    client = BatchClient(keep=False)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="not open"):
            client.results("x")
        with client:
            pass
        client.close()
    assert not [t for t in threading.enumerate() if t.name == "batchdeck client"]
    with pytest.raises(UsageError), BatchClient("bogus", keep=False) as other:
        other.submit([asked(1)])


async def test_handlers_by_model_for_any_provider() -> None:
    seen: dict[str, Any] = {}

    async def small(custom_id: str, content: dict[str, Any]) -> None:
        seen[custom_id] = content

    async def other(custom_id: str, content: dict[str, Any]) -> None:
        seen[custom_id] = "other"

    rows = [asked(0), asked(1, 'sandbox:say={"good": true}'), asked(2, "sandbox:fail=500"),
            asked(3)]  # fmt: skip
    rows[3]["body"]["model"] = "sandbox-large"
    await run_batch(rows, {"sandbox-small": small, "*": other}, poll_interval=0.05,
                    account="sandbox")  # fmt: skip
    assert seen == {"row-0": {"text": "Answer 0"}, "row-1": {"good": True}, "row-3": "other"}
    with pytest.raises(UsageError, match="is not callable"):
        await run_batch(rows, {"m": 5}, account="sandbox")  # type: ignore[dict-item]


def test_prompts_in_and_answers_out(home: Path) -> None:
    prompts = {"q2": "sandbox:say=Because of salt", "q1": "sandbox:fail=400", "q3": "Hi"}
    assert melious_run_batch is run_prompts
    with sandbox("melious") as server:
        answers = run_prompts(prompts, api_key="sk-mel-1", base_url=server.url, poll_interval=0.05)
    assert list(answers) == ["q2", "q1", "q3"]
    assert answers["q2"] == "Because of salt" and answers["q3"]
    assert answers["q1"].startswith("ERROR: ")
    assert names_at(home) == ["requests"]


async def test_a_batch_that_ends_badly_is_a_runtime_error(
    server: FakeScaleDown, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.ends = "failed"
    items = {"a": "text"}
    monkeypatch.setenv("SCALEDOWN_API_KEY", KEY)
    monkeypatch.setattr(
        "tui.client.melious._request",
        lambda custom_id, prompt, model: {
            "custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions",
            "body": {"model": "summarize", "text": prompt},
        },
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="ended in status failed"):
        run_prompts(items, account="scaledown", base_url=server.url, poll_interval=0.05)


def test_importing_the_client_is_cheap() -> None:
    code = (
        "import sys, tui.client; heavy = {'textual', 'httpx', 'sqlite3', 'asyncio', 'msgspec',"
        " 'jinja2', 'tui.engine.engine'}; print(sorted(heavy & set(sys.modules)));"
        " from tui.client import BatchClient; print('textual' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False"]


def test_every_name_is_there_and_no_other() -> None:
    import tui.client

    assert set(tui.client._MODULE_OF) == set(tui.client.__all__) <= set(dir(tui.client))
    for name in tui.client.__all__:
        assert getattr(tui.client, name) is not None
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = tui.client.nothing_such
