"""Files fetched over HTTP from a server that cuts, redirects, changes, lies and shows pages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.file_server import FileServer, Hosted, file_server
from tests.waiting import Patience
from tui.engine.context import Context
from tui.engine.engine import Engine
from tui.engine.transfers import fetch as fetching
from tui.engine.transfers.fetch import FetchedFile, fetch
from tui.errors import BatchdeckError, InputError, RequestRejectedError, UsageError
from tui.progress import Progress
from tui.providers.wire import retry

TABLE = b"name,price\n" + b"".join(b"thing-%d,%d\n" % (n, n) for n in range(5_000))


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as made:
        yield made


@pytest.fixture
def context(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Context:
    """The context of an engine; nobody waits for a pause."""

    async def at_once(_: float) -> None:
        return

    monkeypatch.setattr(retry, "sleep", at_once)
    found = engine._context
    found.sleep = at_once
    return found


async def test_a_file_is_fetched_once_and_again_when_it_has_changed(
    server: FileServer, context: Context
) -> None:
    server.files["/products.csv"] = Hosted(TABLE)
    address = f"{server.url}/products.csv"
    told: list[tuple[int, int | None]] = []
    first = await fetch(
        context, address, progress=Progress(lambda *done: told.append(done), seconds=0)
    )
    assert (first.path.name, first.path.read_bytes(), first.is_new) == ("products.csv", TABLE, True)
    assert told[-1] == (len(TABLE), len(TABLE))
    again = await fetch(context, address)
    assert (again.path, again.is_new) == (first.path, False)
    assert server.asked[-1][1]["if-none-match"] == '"v1"'
    seen = len(server.asked)
    assert (await fetch(context, address, fresh=False)).path == first.path
    assert len(server.asked) == seen

    server.files["/products.csv"] = Hosted(b"name\nnew\n", etag='"v2"')
    changed = await fetch(context, address)
    assert changed.path.read_bytes() == b"name\nnew\n"
    assert first.path.read_bytes() == TABLE, "whoever reads the earlier version still can"


@pytest.mark.parametrize(("ranges", "asked"), [(True, 4), (False, 5)])
async def test_a_transfer_that_is_cut_goes_on_if_the_server_can(
    server: FileServer, context: Context, ranges: bool, asked: int
) -> None:
    server.files["/big.csv"] = Hosted(TABLE, cut_at=len(TABLE) // 3, ranges=ranges)
    if ranges:
        found = await fetch(context, f"{server.url}/big.csv")
        assert found.path.read_bytes() == TABLE
        assert len(server.asked) == asked
        assert server.asked[-1][1]["if-range"] == '"v1"'
        return
    with pytest.raises(BatchdeckError, match="broke off") as caught:
        await fetch(context, f"{server.url}/big.csv")
    assert len(server.asked) == asked
    assert caught.value.hint == "Give the address again to go on."


@pytest.mark.parametrize("honest", [True, False])
async def test_a_file_that_changes_between_two_tries_is_begun_anew(
    server: FileServer, context: Context, honest: bool
) -> None:
    """Also from a server that sends a part of the new version after the old one."""
    server.files["/big.csv"] = Hosted(TABLE, cut_at=1000)
    stopped = Progress()

    def report(done: int, _: int | None) -> None:
        stopped.stop()

    with pytest.raises(UsageError, match="was stopped") as caught:
        await fetch(
            context,
            f"{server.url}/big.csv",
            progress=Progress(report, seconds=0, stop=lambda: stopped.stopped),
        )
    assert "go on" in caught.value.hint
    other = TABLE.replace(b"thing", b"other")
    server.files["/big.csv"] = Hosted(other, etag='"v2"', honest=honest)
    found = await fetch(context, f"{server.url}/big.csv")
    assert found.path.read_bytes() == other


async def test_a_silent_server_does_not_keep_a_fetch_from_being_stopped(
    server: FileServer, context: Context
) -> None:
    server.files["/big.csv"] = Hosted(TABLE, cut_at=1000, stalls=True)
    progress = Progress()
    fetched = asyncio.ensure_future(fetch(context, f"{server.url}/big.csv", progress=progress))
    patience = Patience(20)
    while not progress.done:
        assert not patience.is_over, f"no byte arrives, in {patience}"
        await asyncio.sleep(0)
    progress.stop()
    with pytest.raises(UsageError, match=r"stopped after 1\.0 kB") as caught:
        await fetched
    assert "go on" in caught.value.hint
    server.files["/big.csv"] = Hosted(TABLE)
    assert (await fetch(context, f"{server.url}/big.csv")).path.read_bytes() == TABLE
    assert server.asked[-1][1]["range"] == "bytes=1000-"


async def test_sizes_are_bounded_by_what_is_said_and_by_what_comes(
    server: FileServer, context: Context
) -> None:
    context.fetch_bytes = 20_000
    server.files["/said.csv"] = Hosted(TABLE)
    with pytest.raises(InputError, match=r"has .* and at most 20\.0 kB are fetched") as caught:
        await fetch(context, f"{server.url}/said.csv")
    assert "--max-size" in caught.value.hint
    bomb = b"0" * 3_000_000
    for name, hosted in {
        "/unsaid.csv": Hosted(TABLE, length=-1),
        "/bomb.csv": Hosted(bomb, packed=True),
    }.items():
        server.files[name] = hosted
        with pytest.raises(InputError, match="more than that"):
            await fetch(context, f"{server.url}{name}")
    assert not list(context.paths.data.glob("fetched/*/part"))
    # It promises more than it has, again and again.
    server.files["/lie.csv"] = Hosted(b"name\n1\n", length=100)
    with pytest.raises(BatchdeckError, match="broke off"):
        await fetch(context, f"{server.url}/lie.csv")


async def test_redirects_are_followed_within_bounds(server: FileServer, context: Context) -> None:
    server.files["/new.csv"] = Hosted(TABLE)
    server.files["/old.csv"] = Hosted(status=302, location="/new.csv")
    found = await fetch(context, f"{server.url}/old.csv")
    assert (found.path.name, found.path.read_bytes()) == ("old.csv", TABLE)
    for name, location, reason in (
        ("/file.csv", "file:///etc/passwd", "no address of the web"),
        ("/plain.csv", "http://data.example.org/x.csv", "not encrypted"),
        ("/loop.csv", "/loop.csv", "redirect loop"),
    ):
        server.files[name] = Hosted(status=302, location=location)
        with pytest.raises(RequestRejectedError, match=reason):
            await fetch(context, f"{server.url}{name}")


@pytest.mark.parametrize(
    ("hosted", "message", "hint"),
    [
        (Hosted(b"no", status=404), "there is no file at", "Check the address"),
        (Hosted(b"no", status=403), "answered 403", "signed address ends after a while"),
        (Hosted(b"<!DOCTYPE html><p>Sign in", media_type="text/html"), "a page to sign in", "Raw"),
        (Hosted(b"  <html><body>", media_type="text/csv"), "a page to sign in", "Raw"),
        (Hosted(b""), "is empty", "Check the address"),
    ],
)
async def test_errors_say_what_to_do_and_keep_the_query_to_themselves(
    server: FileServer, context: Context, hosted: Hosted, message: str, hint: str
) -> None:
    server.files["/x.csv"] = hosted
    with pytest.raises(InputError, match=message) as caught:
        await fetch(context, f"{server.url}/x.csv?X-Amz-Signature=a-secret")
    assert hint in caught.value.hint
    assert "a-secret" not in f"{caught.value} {caught.value.hint}"
    for path in context.paths.data.glob("fetched/**/*"):
        assert path.is_dir() or b"a-secret" not in path.read_bytes()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{url}/builder.py", "is a program, which is not run"),
        ("http://data.example.org/x.csv", "is not encrypted"),
        ("https://anna:secret@data.example.org/x.csv", "holds a password"),
        ("https://data.example.org/x.csv?…", "was not stored"),
        ("hf://squad/train.parquet", "names a file of a dataset"),
        ("s3://bucket", "names no file of a bucket"),
    ],
)
async def test_some_addresses_are_refused_before_anything_is_sent(
    server: FileServer, context: Context, spec: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        await fetch(context, spec.format(url=server.url))
    assert "secret" not in str(caught.value)
    assert not server.asked


async def test_a_source_is_named_after_its_address_and_read_by_its_media_type(
    server: FileServer, engine: Engine, tmp_path: Path
) -> None:
    server.files["/export"] = Hosted(b'[{"a": 1}, {"a": 2}]', media_type="application/json; x=y")
    source = await engine.requests.open_source(f"{server.url}/export?key=secret")
    assert source.name == f"{server.url}/export?…"
    assert list(source.rows()) == [{"a": 1}, {"a": 2}]
    report = await engine.requests.compose(source, "Count to {a}", model="gpt-5-mini")
    job = await engine.requests.import_file(Path(report.path))
    with engine.history.rows.inputs(job.id) as inputs:
        assert (inputs.source, inputs.table) == (f"{server.url}/export?…", "")
    assert Path(report.path).name == "export.jsonl"

    import gzip

    engine._context.fetch_bytes = 10_000
    server.files["/bomb.csv.gz"] = Hosted(gzip.compress(b"name\n" + b"0" * 3_000_000))
    with pytest.raises(InputError, match=r"unpacks to more than 10\.0 kB"):
        await engine.requests.open_source(f"{server.url}/bomb.csv.gz")


async def test_what_nobody_uses_is_removed(server: FileServer, context: Context) -> None:
    for name in ("/old.csv", "/new.csv"):
        server.files[name] = Hosted(TABLE)
    old: FetchedFile = await fetch(context, f"{server.url}/old.csv")
    now = context.clock()
    context.clock = lambda: now + fetching.KEPT_SECONDS + 1
    await fetch(context, f"{server.url}/new.csv")
    assert not old.path.exists()
