"""``client.run(frame, template)``: any kind of frame in, the same kind out, and paid once."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.end_to_end.rows import chat
from tests.end_to_end.servers import Served, join_all, sandbox
from tests.waiting import Patience
from tui.client import AsyncBatchClient, BatchClient
from tui.client.frames import answers, libraries
from tui.compose.templates.model import Template
from tui.config.settings import AccountConfig, Config, PriceConfig
from tui.core.jobs import Batch
from tui.errors import BudgetError, InputError, RequestRejectedError, UsageError

TEMPLATE = Template(user='sandbox:say={"label": "{text}", "score": {score}}', model="m")
ROWS = [{"text": "a", "score": 1}, {"text": "b", "score": 2}, {"text": "a", "score": 1}]
COLUMNS = [
    "text", "score", "answer", "label", "score_answer", "outcome", "error", "input_tokens",
    "output_tokens", "cost",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _all_servers_end() -> Iterator[None]:
    yield
    join_all()


@pytest.fixture
def client(home: Path) -> Iterator[BatchClient]:
    with BatchClient("sandbox") as opened:
        yield opened


def names(client: BatchClient) -> list[str]:
    return [job.name for job in client._client.engine.history.jobs.list()]


def test_each_kind_of_frame_comes_back_with_answers(client: BatchClient) -> None:
    table = pa.Table.from_pylist(ROWS)
    # Names, values and types, as each kind has them.
    polars = client.run(pl.DataFrame(ROWS), TEMPLATE, poll_interval=0.05)
    assert polars.columns == COLUMNS
    assert polars["label"].to_list() == ["a", "b", "a"]
    assert polars["score_answer"].to_list() == [1, 2, 1]
    assert polars.schema["score_answer"] == pl.Int64 and polars.schema["cost"] == pl.Float64
    assert polars["outcome"].to_list() == ["succeeded"] * 3

    lazy = client.run(pl.LazyFrame(ROWS), TEMPLATE)
    assert isinstance(lazy, pl.LazyFrame) and lazy.collect().equals(polars)

    arrow = client.run(table, TEMPLATE)
    assert isinstance(arrow, pa.Table) and arrow.to_pylist() == polars.to_dicts()

    batch = client.run(table.to_batches()[0], TEMPLATE)
    assert isinstance(batch, pa.RecordBatch) and batch.to_pylist() == polars.to_dicts()

    dicts = client.run(iter(ROWS), TEMPLATE)
    assert dicts == polars.to_dicts() and ROWS[0].keys() == {"text", "score"}

    pandas = client.run(pd.DataFrame(ROWS), TEMPLATE)
    assert list(pandas.columns) == COLUMNS and pandas["score_answer"].dtype == "Int64"
    assert pandas["label"].tolist() == ["a", "b", "a"] and pandas["error"].isna().all()

    relation = client.run(duckdb.sql("SELECT 'a' AS text, 1 AS score"), TEMPLATE, name="duck")
    assert isinstance(relation, pa.Table) and relation["label"].to_pylist() == ["a"]

    # The same requests are one job, whatever kind of frame they were in.
    assert names(client) == ["duck", "frame"]
    texts = client.run(["bread", "milk"], "sandbox:say={text}", model="m", poll_interval=0.05)
    assert [(row["text"], row["answer"]) for row in texts] == [("bread",) * 2, ("milk",) * 2]


def test_a_pandas_frame_as_people_have_them(client: BatchClient) -> None:
    frame = pd.DataFrame(
        {
            "text": ["x", None, "z"],
            "n": [1, np.nan, 3],
            "day": pd.to_datetime(["2026-01-01", None, "2026-01-03"]),
            "cat": pd.Categorical(["u", None, "u"]),
            "price": [Decimal("1.10"), None, Decimal("3")],
            "custom_id": [7, 7, 8],
            "answer": ["old", "old", "old"],
            5: [[1, 2], {"a": dt.date(2026, 1, 1)}, None],
        },
        index=pd.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", 2)]),
    )
    before = frame.copy(deep=True)
    frame.attrs["kept"] = True
    found = client.run(
        frame,
        "sandbox:say={text}|{n}|{day}|{cat}|{price}|{custom_id}|{answer}|{5}",
        model="m",
        poll_interval=0.05,
    )
    assert found["answer_answer"].tolist() == [
        "x|1|2026-01-01|u|1.10|7|old|[1,2]",
        '|||||7|old|{"a":"2026-01-01"}',
        "z|3|2026-01-03|u|3|8|old|",
    ]
    assert found.index.equals(frame.index) and found.attrs["kept"]
    # Neither the frame nor its part of the result has changed.
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(found[before.columns], before)
    # Ids of a column are unique in the job, also where its values are not.
    client.run(frame, "sandbox:say={text}", model="m", custom_id="custom_id", poll_interval=0.05)
    assert client.job("frame-2").to_polars()["custom_id"].to_list() == ["7", "7-2", "8"]


def test_columns_of_several_levels_are_padded(client: BatchClient) -> None:
    frame = pd.DataFrame([["a", 1]], columns=pd.MultiIndex.from_tuples([("t", "x"), ("t", "y")]))
    found = client.run(frame, "sandbox:say={t.x}{t.y}", model="m", poll_interval=0.05)
    assert found[("answer", "")].tolist() == ["a1"] and found[("t", "x")].tolist() == ["a"]
    with pytest.raises(InputError, match="two columns"):
        client.run(pd.DataFrame([[1, 2]], columns=["a", "a"]), "{a}", model="m")


def test_without_rows_nothing_is_sent_and_the_columns_are_there(client: BatchClient) -> None:
    schema = {
        "type": "object",
        "properties": {"label": {"type": "string"}, "n": {"type": "integer"}},
    }
    template = Template(user="{text}", model="m", schema=schema)
    found = client.run(pl.DataFrame({"text": []}, schema={"text": pl.String}), template)
    assert found.height == 0 and found.schema["n"] == pl.Int64
    assert found.columns[1:4] == ["answer", "label", "n"]
    assert client.run([], template) == [] and names(client) == []
    # Rows that all fail have the columns too.
    failed = client.run([{"text": "sandbox:fail=400"}], template, poll_interval=0.05)
    assert failed[0]["label"] is None and failed[0]["outcome"] == "failed" and failed[0]["error"]


def test_answers_of_many_forms_are_read_in_pages(
    client: BatchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_PAGE", 2)
    said = [
        {"a": 1}, {"a": None, "tags": ["x"]}, {"a": "one", "tags": []}, ["no", "object"], "words",
        {"in": {"city": "Turin"}, "outcome": "mine"},
    ]  # fmt: skip
    frame = pl.DataFrame({"said": [json.dumps(one) for one in said]})
    found = client.run(frame, "sandbox:say={said}", model="m", poll_interval=0.05)
    assert found["a"].to_list() == ["1", None, "one", None, None, None]
    assert found["tags"].to_list() == [None, ["x"], [], None, None, None]
    assert found["in.city"].to_list() == [None] * 5 + ["Turin"]
    assert found["field.outcome"].to_list()[-1] == "mine"
    assert found["answer"].to_list() == frame["said"].to_list()


def test_a_job_is_read_as_frames_and_shown_in_notebooks(client: BatchClient) -> None:
    rows = [{"text": "sandbox:say=<b>", "n": 1}, {"text": "sandbox:fail=400", "n": 2}]
    client.run(rows, "{text}", model="<i>m</i>", name="<script>\x1b", poll_interval=0.05)
    job = client.job("<script>\x1b")
    polars = job.to_polars()
    assert polars.columns[:4] == ["custom_id", "text", "n", "answer"]
    assert polars["n"].to_list() == [1, 2] and polars["answer"].to_list() == ["<b>", None]
    assert job.to_arrow().to_pylist() == polars.to_dicts()
    assert job.to_pandas("outcome:failed")["text"].tolist() == ["sandbox:fail=400"]
    assert job.to_polars(inputs=False).columns[:2] == ["custom_id", "answer"]
    shown = job._repr_html_()
    assert "&lt;script&gt;\\x1b" in shown and "&lt;i&gt;m&lt;/i&gt;" in shown
    assert "<script>" not in shown and "1 succeeded, 1 failed" in shown
    with pytest.raises(UsageError):
        job.to_polars("@label:")


def test_what_is_no_frame_is_told(client: BatchClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong, words in (
        (pd.Series(["a"]), "to_frame"),
        (pl.Series(["a"]), "to_frame"),
        ({"a": [1]}, "list of dicts"),
        (7, "list of dicts"),
        (pa.array(["a"]), "row 1 is a StringScalar"),
    ):
        with pytest.raises((UsageError, InputError)) as caught:
            client.run(wrong, "{text}", model="m")
        assert words in f"{caught.value.message} {caught.value.hint}"
    with pytest.raises(InputError, match="unknown column 'txt'") as unknown:
        client.run([{"text": "a"}], "{txt}", model="m")
    assert "Did you mean 'text'" in unknown.value.hint

    for items, options, words in (
        (pd.DataFrame(ROWS), {}, "a frame needs a template"),
        (ROWS, {"model": "m", "yes": True}, "the option model needs a template"),
    ):
        with pytest.raises(UsageError, match=words):
            client.run(items, **options)

    def missing(name: str) -> Any:
        raise ImportError(name) if name == "pyarrow" else AssertionError(name)

    monkeypatch.setattr(libraries, "import_module", missing)
    client.run([{"text": "a"}], "{text}", model="m", poll_interval=0.05)
    with pytest.raises(UsageError) as absent:
        client.job("frame").to_arrow()
    assert absent.value.hint == "Install it: pip install pyarrow"
    monkeypatch.setattr(libraries, "import_module", importlib.import_module)


def creates(server: Served) -> int:
    return server.count("POST", "/v1/batches")


def paid(server: Served) -> Config:
    """An account that costs a dollar for each token of an answer."""
    return Config(
        default_account="there",
        accounts={"there": AccountConfig(provider="openai", base_url=f"{server.url}/v1")},
        providers={"openai": {"poll": {"min_seconds": 0.05, "max_seconds": 0.1}}},
        prices={"m": PriceConfig(input=1, output=1_000_000)},
    )


def test_money_needs_a_budget_or_a_yes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHDECK_KEY_THERE", "sk-frames-4f1c0de5ba5e")
    template = Template(user="{text}", model="m", max_tokens=10)
    rows = [{"text": "a"}, {"text": "b"}]
    with sandbox("openai") as server, BatchClient(config=paid(server)) as client:
        with pytest.raises(UsageError, match=r"may cost .*\$20.00") as asked:
            client.run(rows, template)
        assert "budget=AMOUNT" in asked.value.hint
        with pytest.raises(BudgetError):
            client.run(rows, template, budget=19)
        assert creates(server) == 0 and names(client) == []
        answered = client.run(rows, template, budget=21)
        with pytest.raises(BudgetError):
            client.submit([chat(1, "Hi")], budget=0)
        # What was paid is read again without a word, and not paid again.
        assert client.run(rows, template) == answered and creates(server) == 1
        client.run(rows, template, yes=True, again=True)
        assert creates(server) == 2


def test_a_part_that_was_not_accepted_needs_a_budget_or_a_yes_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHDECK_KEY_THERE", "sk-frames-4f1c0de5ba5e")
    template = Template(user="{text}", model="m", max_tokens=10)
    rows = [{"text": "a"}, {"text": "b"}]
    with sandbox("openai") as server:
        config = paid(server)
        config.providers["openai"]["limits"] = {"rows": 1}
        with BatchClient(config=config) as client:
            submitter = client._client.engine._submitter
            upload = submitter._upload_and_create

            async def refuse_the_second(batch: Batch) -> None:
                if batch.part == 2:
                    raise RequestRejectedError("no", status=400)
                await upload(batch)

            with monkeypatch.context() as patch:
                patch.setattr(submitter, "_upload_and_create", refuse_the_second)
                with pytest.raises(RequestRejectedError):
                    client.run(rows, template, budget=21)
            with pytest.raises(UsageError, match="may cost"):
                client.run(rows, template)
            assert creates(server) == 1
            assert client.run(rows, template, budget=21)[1]["answer"] and creates(server) == 2


async def test_a_run_that_was_interrupted_finds_its_job(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel that dies while the job runs pays once, and gets the answers later."""
    monkeypatch.setenv("BATCHDECK_KEY_THERE", "sk-frames-4f1c0de5ba5e")
    frame = pl.DataFrame({"text": [f"sandbox:say={n}" for n in range(3)]})
    with sandbox("openai", rows_per_second=10.0) as server:
        async with AsyncBatchClient(config=paid(server)) as client:
            run = asyncio.ensure_future(client.run(frame, "{text}", model="m", yes=True))
            patience = Patience(20)
            while not creates(server):
                assert not patience.is_over and not run.done()
                await asyncio.sleep(0.01)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        async with AsyncBatchClient(config=paid(server)) as client:
            found = await client.run(frame, "{text}", model="m")
            assert found["answer"].to_list() == ["0", "1", "2"] and creates(server) == 1


def test_duckdb_reads_an_export_in_one_line(client: BatchClient, tmp_path: Path) -> None:
    client.run(ROWS, TEMPLATE, poll_interval=0.05)
    engine, job = client._client.engine, client.job("frame")
    for name in ("rows.parquet", "rows.jsonl"):
        client._loop.run(engine.results.export(job.id, tmp_path / name))
        found = duckdb.sql(f"SELECT outcome, count(*) FROM '{tmp_path / name}' GROUP BY outcome")
        assert found.fetchall() == [("succeeded", 3)]
