"""A job as one file: written by one home, opened by another, with nothing lost on the way."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.end_to_end.servers import sandbox
from tests.engine.conftest import Opener
from tui.compose.templates.model import Template
from tui.config.settings import Config, PriceConfig
from tui.core.analysis.derived import DerivedColumn
from tui.core.analysis.views import View
from tui.core.query import ALL_ROWS, query_filter
from tui.core.reviews.review import Review
from tui.core.rows import Outcome
from tui.engine.engine import Engine
from tui.errors import BatchdeckError, InputError, UsageError
from tui.paths import Paths
from tui.store.archive.contents import MANIFEST, MARK

KEY = "sk-compose-4f1c0de5ba5e"
HERE = {"account", "input_file_id", "ran_elsewhere"}
"""Fields of the job document that name things of one home."""


async def everything(engine: Engine, job_id: str) -> dict[str, Any]:
    """All documents about a job, without what names things of one home."""
    job = engine.history.jobs.document(job_id)
    own = {name: value for name, value in job.items() if name not in HERE}
    own["batches"] = [
        {name: value for name, value in batch.items() if name not in HERE}
        for batch in job["batches"]
    ]
    rows = await engine.results.select(job_id)
    summary = await engine.results.summary(job_id)
    evaluation = await engine.results.evaluate(job_id, "calc.size", "in.want")
    return {
        "job": own,
        "rows": msgspec.to_builtins(list(engine.history.rows.lines(job_id, rows))),
        "summary": msgspec.to_builtins(summary),
        "evaluation": msgspec.to_builtins(evaluation),
        "reviews": msgspec.to_builtins(list(engine.history.reviews.all(job_id))),
        "reviewers": msgspec.to_builtins(engine.history.reviews.summary(job_id)),
        "provenance": engine.history.archives.provenance(job_id),
        "events": [e.what for e in engine.history.jobs.timeline(job_id)][:6],
    }


async def made(engine: Engine, folder: Path) -> str:
    """A job with two attempts, rows that came to nothing, costs, reviews, a column and a view."""
    table = folder / "reviews.csv"
    words = ("ok", "sandbox:flaky=429", "sandbox:truncate", "sandbox:expire", "sandbox:fail=400")
    lines = [f"r{n},Review {n} {words[n % 5]},{n},de" for n in range(20)]
    table.write_text("\n".join(["id,text,want,lang", *lines]) + "\n", "utf-8")
    template = Template(user="How is: {{ text }}", model="gpt-5-mini", max_tokens=50, id="id")
    report = await engine.requests.compose(str(table), template)
    job = await engine.requests.import_file(Path(report.path), name="reviews")
    await engine.submit(job.id)
    await engine.wait([job.id])
    await engine.retry(await engine.retries.plan(job.id, query_filter("code:429")))
    await engine.wait([job.id])
    await engine.annotate(job.id, tags=["weekly"], note="for anna")
    await engine.results.set_derived_column(
        job.id, DerivedColumn(name="size", expression="answer|length")
    )
    review = Review(custom_id="r0", reviewer="anna", at=9.0, label="wrong", correction="better")
    await engine.reviews.store(job.id, review)
    engine.history.views.save("german", View(where="in.lang:de", job=job.id))
    engine.history.views.save("of another job", View(where="lang", job="another"))
    return job.id


@asynccontextmanager
async def elsewhere(folder: Path) -> AsyncIterator[Engine]:
    engine = await Engine.open(Paths.find(folder).ensure(), Config())
    try:
        yield engine
    finally:
        await engine.close()


async def test_a_job_goes_to_another_home_and_nothing_is_lost(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = {"gpt-5-mini": PriceConfig(input=1.0, output=2.0)}
    archive, again = tmp_path / "job.batchdeck", tmp_path / "again.batchdeck"
    with sandbox("openai", key=KEY) as served:
        async with opened("openai", f"{served.url}/v1", prices=prices) as engine:
            job_id = await made(engine, tmp_path)
            before = await everything(engine, job_id)
            assert {row["outcome"] for row in before["rows"]} >= {"succeeded", "failed", "expired"}
            assert before["job"]["cost"]["actual"] and before["rows"][0]["cost"]
            for path in (archive, again):
                assert await engine.results.export(job_id, path) == 20
            # Its own home knows the job already.
            with pytest.raises(UsageError, match="already, in another state"):
                await engine.open_archive(archive)
            spent = engine.history.ledger.of_job(job_id)
    assert archive.read_bytes() == again.read_bytes(), "an archive depends on the job alone"
    with zipfile.ZipFile(archive) as opened_zip:
        parts = {name: opened_zip.read(name) for name in opened_zip.namelist()}
    assert next(iter(parts)) == MARK and list(parts)[-1] == MANIFEST
    for name, content in parts.items():
        assert KEY.encode() not in content and str(tmp_path).encode() not in content, name
    assert json.loads(parts["provenance.json"]) == before["provenance"]
    assert set(json.loads(parts["views.json"])) == {"german"}

    asked = len(served.asked)
    monkeypatch.delenv("BATCHDECK_KEY_THERE")
    async with elsewhere(tmp_path / "elsewhere") as engine:
        engine.history.views.save("german", View(where="lang:de"))
        job = await engine.open_archive(archive)
        assert job is not None and job.archive and job.account == "openai"
        after = await everything(engine, job.id)
        assert {name for name in before if before[name] != after[name]} == set()
        assert engine.history.jobs.document(job.id)["ran_elsewhere"] is True
        assert set(engine.history.views.all()) == {"german", "german (2)"}
        # Nothing waits for anything, and nothing is asked about it at a provider.
        assert not engine.history.batches.unfinished()
        with pytest.raises(UsageError, match="not running"):
            await engine.cancel(job.id)
        await engine.collect(job.id)
        await engine.look_for_late_answers(job.id)
        # Somebody else has paid; a retry is a new expense of an account of this home.
        assert not engine.history.ledger.of_job(job.id) and spent
        plan = await engine.retries.plan(job.id, query_filter("outcome:expired"))
        assert (plan.rows, plan.account, plan.attempt) == (4, "openai", 3)
        with pytest.raises(BatchdeckError, match="key"):
            await engine.retry(plan)
        with pytest.raises(UsageError, match="imported already"):
            await engine.open_archive(archive)
        # What was opened can be handed on, byte by byte but for the name of the account.
        third = tmp_path / "third.batchdeck"
        await engine.results.export(job.id, third)
        # Its files are the truth here as well: the index can be made again.
        engine.history.jobs.reindex(job.id, rules_of=lambda _: {}, now=1.0)
        kept = await everything(engine, job.id)
        assert kept["rows"] == before["rows"] and kept["job"]["cost"] == before["job"]["cost"]
        # A job that is deleted can be opened anew.
        await engine.remote.delete(job.id, remote=True, forget=True)
        assert await engine.open_archive(third, name="mine") is not None
        assert engine.history.jobs.get(job.id).name == "mine"
    assert len(served.asked) == asked


async def test_what_does_not_belong_into_an_archive(engine: Engine, tmp_path: Path) -> None:
    job_id = await small(engine, tmp_path)
    target = tmp_path / "job.batchdeck"
    some = await engine.results.select(job_id, query_filter("outcome:succeeded"))
    with pytest.raises(UsageError, match="all rows"):
        await engine.results.export(job_id, target, some)
    batch = engine.history.batches.of_job(job_id)[0]
    engine.history.batches.update(batch.id, {"collected": False}, 1.0)
    with pytest.raises(UsageError, match="still under way"):
        await engine.results.export(job_id, target)
    assert nothing_written(tmp_path)


async def small(engine: Engine, folder: Path) -> str:
    """A job of the sandbox that has ended."""
    body = {"model": "m", "messages": [{"role": "user", "content": "sandbox:fail=400"}]}
    url = "/v1/chat/completions"
    rows = [{"custom_id": f"r{n}", "method": "POST", "url": url, "body": body} for n in range(3)]
    path = folder / "requests.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    job = await engine.requests.import_file(path, name="small")
    await engine.submit(job.id)
    await engine.wait([job.id])
    return job.id


def nothing_written(folder: Path) -> bool:
    """Whether there is neither an archive nor a part of one."""
    return not any("batchdeck" in path.name for path in folder.iterdir())


Parts = dict[str, bytes]


def _longer(parts: Parts) -> None:
    parts["requests.jsonl"] += b"{}\n"


def _other_byte(parts: Parts) -> None:
    parts["requests.jsonl"] = parts["requests.jsonl"].replace(b"POST", b"PAST")


def _outside(parts: Parts) -> None:
    parts["../../evil.jsonl"] = b"x"


def _absolute(parts: Parts) -> None:
    parts["/tmp/evil"] = b"x"


def _lacking(parts: Parts) -> None:
    del parts["requests.jsonl"]


def _no_manifest(parts: Parts) -> None:
    del parts[MANIFEST]


def _newer(parts: Parts) -> None:
    parts[MARK] = b'{"format":"batchdeck-job","version":99}'


def _bomb(parts: Parts) -> None:
    parts["requests.jsonl"] = b"\0" * (16 << 20)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_longer, "size is another one"),
        (_other_byte, "checksum is another one"),
        (_outside, "does not belong into an archive"),
        (_absolute, "does not belong into an archive"),
        (_lacking, "does not agree with its manifest about 'requests.jsonl'"),
        (_no_manifest, "no manifest"),
        (_newer, "newer version of Batchdeck"),
        (_bomb, "would unpack to"),
    ],
)
async def test_a_damaged_archive_is_refused_as_a_whole(
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Parts], None],
    said: str,
) -> None:
    monkeypatch.setattr("tui.store.archive.reader._FREE_BYTES", 1 << 20)
    await refused(engine, tmp_path, change, said)


async def refused(engine: Engine, folder: Path, change: Callable[[Parts], None], said: str) -> None:
    """Change the entries of an archive: it is not opened, and nothing of it stays."""
    job_id = await small(engine, folder)
    good, bad = folder / "good.batchdeck", folder / "bad.batchdeck"
    await engine.results.export(job_id, good)
    with zipfile.ZipFile(good) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    await engine.remote.delete(job_id)
    left = files_of(engine)
    with pytest.raises(InputError, match=said):
        await engine.open_archive(bad)
    assert engine.history.jobs.list() == []
    assert files_of(engine) == left


def files_of(engine: Engine) -> list[Path]:
    """All files of the home."""
    return sorted(engine.paths.data.rglob("*"))


def _sealed(parts: Parts, name: str, content: bytes) -> None:
    """Change an entry, and let the manifest agree with it."""
    manifest = json.loads(parts[MANIFEST])
    parts[name] = content
    for entry in manifest["files"]:
        if entry["name"] == name:
            entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    parts[MANIFEST] = json.dumps(manifest).encode()


def _odd_time(parts: Parts) -> None:
    _sealed(
        parts, "job.json", parts["job.json"].replace(b'"created_at":', b'"created_at":1e300,"_":')
    )


def _same_ids(parts: Parts) -> None:
    requests = parts["requests.jsonl"].replace(b'"r1"', b'"r0"')
    _sealed(parts, "requests.jsonl", requests)


def _huge_number(parts: Parts) -> None:
    name = next(name for name in parts if name.endswith(".batch.json"))
    changed = re.sub(rb'"part":\d+', b'"part":99999999999999999999', parts[name])
    _sealed(parts, name, changed)


def _fewer_rows(parts: Parts) -> None:
    lines = parts["requests.jsonl"].splitlines(keepends=True)
    _sealed(parts, "requests.jsonl", b"".join(lines[:2]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_odd_time, "created_at is not a time"),
        (_same_ids, "is damaged"),
        (_huge_number, "is damaged"),
        (_fewer_rows, "it has 2 requests, and its record says 3"),
    ],
)
async def test_an_archive_that_was_made_to_do_harm_leaves_nothing(
    engine: Engine, tmp_path: Path, change: Callable[[Parts], None], said: str
) -> None:
    await refused(engine, tmp_path, change, said)


async def test_a_cut_archive_and_files_of_other_kinds(engine: Engine, tmp_path: Path) -> None:
    job_id = await small(engine, tmp_path)
    good, cut = tmp_path / "good.batchdeck", tmp_path / "cut.batchdeck"
    await engine.results.export(job_id, good)
    await engine.remote.delete(job_id)
    data = good.read_bytes()
    for length in (len(data) // 2, len(data) - 1):
        cut.write_bytes(data[:length])
        with pytest.raises(InputError, match="not a whole archive"):
            await engine.open_archive(cut)
    with pytest.raises(InputError, match="not a job archive"):
        await engine.open_archive(tmp_path / "requests.jsonl")
    assert engine.history.jobs.list() == []
    # A file that is whole is opened, also as requests to be checked: the error says how.
    with pytest.raises(InputError, match="a job archive of Batchdeck"):
        await engine.requests.compose(str(good), None)


async def test_an_interrupted_import_says_so_and_is_done_again(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await small(engine, tmp_path)
    archive = tmp_path / "job.batchdeck"
    await engine.results.export(job_id, archive)
    await engine.remote.delete(job_id)

    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        # A kill leaves what is stored: nothing is cleaned up.
        patch.setattr("tui.store.archive.opening.reindex_job", killed)
        patch.setattr("tui.store.archive.opening._forget", lambda *_: None)
        with pytest.raises(Killed):
            await engine.open_archive(archive)
    assert "import the archive again" in engine.history.jobs.get(job_id).trouble
    # What a person typed meanwhile is not thrown away.
    log = engine.history.reviews.log_file(job_id)
    log.write_bytes(b'{"custom_id":"r0","reviewer":"anna","at":1,"label":"wrong"}\n')
    with pytest.raises(UsageError, match="reviewed since"):
        await engine.open_archive(archive)
    log.unlink()
    job = await engine.open_archive(archive)
    assert job is not None and not job.trouble
    assert job.counts.failed == 3 and len(await _outcomes(engine, job.id)) == 3


async def _outcomes(engine: Engine, job_id: str) -> list[Outcome]:
    rows = await engine.results.select(job_id, ALL_ROWS)
    return [row.outcome for row in engine.history.rows.page(job_id, rows.seqs)]
