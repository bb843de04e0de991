"""A bucket at fake-gcs-server: written by Batchdeck and read without it, and the reverse."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from tests.fakes.gcs import GCS_BUCKET, GCS_REGION, GcsServer
from tui.core.remote_batches import ResultSource
from tui.errors import (
    BatchdeckError,
    ConfigError,
    KeyRejectedError,
    RequestRejectedError,
    UnexpectedResponseError,
    UnreachableError,
)
from tui.progress import Progress
from tui.providers.profiles.load import find_profile
from tui.providers.stores.gcs import GcsBucket, GcsStore
from tui.providers.wire.address import parse_base_url
from tui.providers.wire.client import HttpClient

Answer = Callable[[httpx.Request], httpx.Response]
ROWS = b"".join(b'{"n":%06d}\n' % number for number in range(100))
UPLOAD = "https://storage.googleapis.com/upload/storage/v1/b/answers/o"


def store_at(url: str, answer: Answer | None = None, **changes: str) -> GcsStore:
    bucket = GcsBucket(**{"name": GCS_BUCKET, "region": GCS_REGION, "prefix": "bd/", **changes})
    client = HttpClient(
        find_profile("openai"),
        parse_base_url(url, provider="The bucket", query={}),
        transport=None if answer is None else httpx.MockTransport(answer),
    )
    return GcsStore(client, bucket)


def scripted(answer: Answer, **changes: str) -> GcsStore:
    return store_at("https://storage.googleapis.com", answer, **changes)


@pytest.fixture
async def store(gcs: GcsServer) -> AsyncIterator[GcsStore]:
    made = store_at(gcs.url)
    yield made
    await made.aclose()


async def read(store: GcsStore, uri: str, have: int = 0) -> tuple[bytes, bool]:
    source = ResultSource(kind="output", ref=uri)
    async with store.open(source, have_bytes=have) as download:
        return b"".join([chunk async for chunk in download.chunks]), download.appends


async def test_a_file_is_put_read_resumed_listed_and_deleted(
    store: GcsStore, gcs: GcsServer, tmp_path: Path
) -> None:
    data = b'{"a":"\xc3\xa9"}\n' * 50_000
    (tmp_path / "in.jsonl").write_bytes(data)
    sent: list[int] = []
    uri = await store.put(
        tmp_path / "in.jsonl", "one two.jsonl", progress=Progress(lambda done, _: sent.append(done))
    )
    assert uri == f"gs://{GCS_BUCKET}/bd/one two.jsonl"
    assert sent[-1] == len(data)
    assert gcs.get("bd/one two.jsonl") == data
    assert await read(store, uri) == (data, False)
    assert await read(store, uri, have=1000) == (data[1000:], True)
    gcs.put("other/x", b"1")
    listed = [item async for item in store.objects("bd/")]
    assert [(item.key, item.size) for item in listed] == [("bd/one two.jsonl", len(data))]
    assert listed[0].created_at > 1.7e9
    await store.delete(uri)
    await store.delete(uri)
    assert gcs.keys() == ["other/x"]


async def test_a_check_writes_lists_reads_and_deletes(store: GcsStore, gcs: GcsServer) -> None:
    assert await store.check() == "gs://answers/bd/"
    assert gcs.keys() == []


async def test_the_region_of_the_bucket_is_checked(gcs: GcsServer) -> None:
    store = store_at(gcs.url, region="us-central1")
    with pytest.raises(ConfigError, match="is in europe-west4, not in us-central1") as caught:
        await store.check()
    assert "params.region of the account to europe-west4" in caught.value.hint
    await store.aclose()
    anywhere = store_at(gcs.url, region="global")
    assert await anywhere.check() == "gs://answers/bd/"
    await anywhere.aclose()


async def test_a_bucket_that_does_not_exist_is_named(gcs: GcsServer, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"{}\n")

    def answer(request: httpx.Request) -> httpx.Response:
        error = {"code": 404, "message": "The specified bucket does not exist."}
        return httpx.Response(404, json={"error": error})

    with pytest.raises(ConfigError, match="the bucket answers does not exist") as caught:
        await scripted(answer).put(tmp_path / "in.jsonl", "a.jsonl")
    assert "params.bucket" in caught.value.hint


async def test_a_list_of_many_files_is_read_page_by_page() -> None:
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        more = {} if "pageToken" in asked[-1] else {"nextPageToken": "t+1"}
        # A page may be empty although others follow.
        items = [{"name": "bd/x/1", "size": "5"}] if "pageToken" in asked[-1] else []
        return httpx.Response(200, json={"items": items, **more})

    keys = [item.key async for item in scripted(answer).objects("bd/x/")]
    assert keys == ["bd/x/1"]
    assert [params.get("pageToken") for params in asked] == [None, "t+1"]
    # However many other objects there are, only those of the folder are asked for.
    assert {params["prefix"] for params in asked} == {"bd/x/"}


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("gs://answers/bd/x.jsonl", "bd/x.jsonl"),
        ("gs://answers/bd/what?.jsonl", "bd/what?.jsonl"),
        ("https://storage.googleapis.com/answers/bd/x%20y.jsonl?x=1", "bd/x y.jsonl"),
        ("https://storage.cloud.google.com/answers/bd/x.jsonl", "bd/x.jsonl"),
        ("https://answers.storage.googleapis.com/bd/x.jsonl", "bd/x.jsonl"),
    ],
)
def test_every_address_of_an_object_names_its_key(uri: str, key: str) -> None:
    assert store_at("http://127.0.0.1:9").key_of(uri) == key


@pytest.mark.parametrize("uri", ["gs://theirs/x", "https://evil.example/answers/x", "file-1", ""])
def test_no_token_is_sent_for_another_bucket(uri: str) -> None:
    with pytest.raises(RequestRejectedError, match="not in the bucket answers"):
        store_at("http://127.0.0.1:9").key_of(uri)


def google_error(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": status, "message": message}})


LIST_DENIED = (
    "batches@p.iam.gserviceaccount.com does not have storage.objects.list access to the Google"
    " Cloud Storage bucket."
)


@pytest.mark.parametrize(
    ("status", "words", "kind", "message", "hint"),
    [
        (403, LIST_DENIED, ConfigError, "may not list in gs://answers/bd/", "storage.objects.list"),
        (401, "Invalid Credentials", KeyRejectedError, "has expired", "application-default login"),
        (
            400,
            "Bucket is a requester pays bucket but no user project provided.",
            ConfigError,
            "no project to bill is set",
            "set-quota-project",
        ),
        (
            403,
            "Caller does not have serviceusage.services.use on project p",
            ConfigError,
            "serviceusage.services.use",
            "set-quota-project",
        ),
    ],
)
async def test_an_error_names_the_setting_that_is_wrong(
    status: int, words: str, kind: type[BatchdeckError], message: str, hint: str
) -> None:
    store = scripted(lambda request: google_error(status, words))
    with pytest.raises(kind) as caught:
        [item async for item in store.objects("bd/")]
    assert message in caught.value.message
    assert hint in caught.value.hint


async def test_a_bucket_whose_place_may_not_be_read_is_used_all_the_same(gcs: GcsServer) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/storage/v1/b/answers":
            return google_error(403, "does not have storage.buckets.get access")
        with httpx.Client(base_url=gcs.url, trust_env=False) as client:
            passed = client.request(
                request.method,
                request.url.raw_path.decode(),
                content=request.content,
                headers={"content-type": request.headers.get("content-type", "")},
            )
        return httpx.Response(passed.status_code, content=passed.content)

    assert await scripted(answer).check() == "gs://answers/bd/"


class CuttingStore:
    """A store behind a network that breaks off each call after some bytes.

    Args:
        most: Bytes of a file that arrive in one call.
        keeps: The store keeps them in pieces of this size, as GCS does (256 KiB).
    """

    def __init__(self, most: int, keeps: int = 1) -> None:
        self.most = most
        self.keeps = keeps
        self.data = b""
        self.total: int | None = None
        self.calls: list[str] = []
        self.authorized: list[bool] = []
        self.lost_answer = False
        self.expires_after = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.authorized.append("authorization" in request.headers)
        if request.method == "POST":
            self.calls.append("start")
            self.data, self.total = b"", int(request.headers["x-upload-content-length"])
            assert dict(request.url.params) == {"uploadType": "resumable", "name": "bd/a.jsonl"}
            return httpx.Response(200, headers={"location": f"{UPLOAD}?upload_id=secret-right"})
        span = request.headers["content-range"]
        self.calls.append(span)
        if self.expires_after and len(self.calls) > self.expires_after:
            self.expires_after = 0
            return httpx.Response(410, text="Gone")
        if span.startswith("bytes */"):
            return self.stored()
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", span)
        assert match is not None
        start, last, whole = map(int, match.groups())
        assert (whole, last) == (self.total, whole - 1)
        assert start == len(self.data), "the bytes that the store waits for"
        content = request.content
        assert len(content) == whole - start == int(request.headers["content-length"])
        if len(content) > self.most:
            kept = self.most // self.keeps * self.keeps
            self.data += content[:kept]
            raise httpx.ReadError("cut", request=request)
        self.data += content
        if self.lost_answer:
            self.lost_answer = False
            raise httpx.ReadError("the answer was lost", request=request)
        return self.stored()

    def stored(self) -> httpx.Response:
        if len(self.data) == self.total:
            return httpx.Response(200, json={"name": "bd/a.jsonl", "size": str(self.total)})
        range_ = {"range": f"bytes=0-{len(self.data) - 1}"} if self.data else {}
        return httpx.Response(308, headers=range_)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_bytes(ROWS)
    return path


@pytest.mark.parametrize("most", [1, 7, 13, 100, 1299])
async def test_an_upload_that_is_cut_at_every_range_arrives_whole_and_once(
    most: int, rows: Path, pauses: list[float]
) -> None:
    server = CuttingStore(most)
    await scripted(server).put(rows, "a.jsonl")
    assert server.data == ROWS
    assert server.calls.count("start") == 1
    assert max(pauses) < 2


async def test_what_the_store_did_not_keep_is_sent_again(rows: Path) -> None:
    server = CuttingStore(100, keeps=64)
    await scripted(server).put(rows, "a.jsonl")
    assert server.data == ROWS


async def test_an_upload_whose_last_answer_was_lost_is_not_sent_again(rows: Path) -> None:
    server = CuttingStore(10_000)
    server.lost_answer = True
    sent: list[int] = []
    await scripted(server).put(rows, "a.jsonl", progress=Progress(lambda n, _: sent.append(n)))
    assert server.calls == ["start", "bytes 0-1299/1300", "bytes */1300"]
    assert sent[-1] == 1300


async def test_an_upload_whose_address_has_expired_starts_anew(rows: Path) -> None:
    server = CuttingStore(500)
    server.expires_after = 3
    await scripted(server).put(rows, "a.jsonl")
    assert server.data == ROWS
    assert server.calls.count("start") == 2


async def test_an_upload_of_which_nothing_arrives_ends(rows: Path) -> None:
    server = CuttingStore(100, keeps=1000)
    with pytest.raises(BatchdeckError) as caught:
        await scripted(server).put(rows, "a.jsonl")
    # The address of an upload is a right of its own.
    assert "secret-right" not in f"{caught.value!r} {caught.value.message} {caught.value.body}"
    assert "Authorization" not in str(caught.value)


async def test_an_object_that_lacks_bytes_is_no_success(rows: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, headers={"location": f"{UPLOAD}?upload_id=1"})
        return httpx.Response(200, json={"size": "17"})

    with pytest.raises(UnexpectedResponseError, match="17 of 1,300 bytes"):
        await scripted(answer).put(rows, "a.jsonl")


async def test_the_token_is_not_sent_to_another_address(rows: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "storage.googleapis.com"
        return httpx.Response(200, headers={"location": "https://evil.example/?upload_id=1"})

    with pytest.raises(RequestRejectedError, match="another address"):
        await scripted(answer).put(rows, "a.jsonl")


async def test_a_store_that_cannot_be_reached_says_so(rows: Path) -> None:
    store = store_at("http://127.0.0.1:9")
    with pytest.raises(UnreachableError):
        await store.put(rows, "a.jsonl")
    await store.aclose()
