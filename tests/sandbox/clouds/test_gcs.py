from __future__ import annotations

import io
import json

import httpx
import pytest
from googleapiclient import discovery
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseUpload

TOKEN = "ya29.token"
BUCKET = "rehearsal"


@pytest.fixture
def url(bench, clock):
    return bench(like="vertex", region="us-central1", key=TOKEN, clock=clock).url


@pytest.fixture
def storage(url):
    """Google's own client of the JSON API."""
    import httplib2

    class Signed(httplib2.Http):
        def request(self, uri, method="GET", body=None, headers=None, **more):
            headers = {**(headers or {}), "authorization": f"Bearer {TOKEN}"}
            return super().request(uri, method, body=body, headers=headers, **more)

    document = json.loads(get_static_doc("storage", "v1"))
    document |= {"rootUrl": f"{url}/", "baseUrl": f"{url}/storage/v1/"}
    http = Signed()
    # As googleapiclient's own ``build_http`` does: 308 is no redirect here.
    http.redirect_codes = http.redirect_codes - {308}
    with discovery.build_from_document(document, http=http) as service:
        yield service
    http.close()


def put(storage, key, data, **media):
    body = MediaIoBaseUpload(io.BytesIO(data), "application/jsonl", **media)
    return storage.objects().insert(bucket=BUCKET, name=key, media_body=body).execute()


@pytest.mark.parametrize("key", ["a/b.jsonl", "one two.jsonl", "é+&%<x>.jsonl", "a//b"])
def test_an_object_is_kept_as_it_is(storage, key):
    data = bytes(range(256)) * 4096
    assert put(storage, key, b"first", resumable=True)["size"] == "5"
    made = put(storage, key, data, resumable=True, chunksize=1 << 18)
    assert (made["name"], made["size"]) == (key, str(len(data)))
    assert storage.objects().get_media(bucket=BUCKET, object=key).execute() == data
    assert storage.objects().get(bucket=BUCKET, object=key).execute()["size"] == made["size"]
    storage.objects().delete(bucket=BUCKET, object=key).execute()
    with pytest.raises(HttpError, match="No such object"):
        storage.objects().get(bucket=BUCKET, object=key).execute()


def test_the_list_has_prefixes_and_pages(storage):
    names = [f"a/{n}" for n in range(5)] + ["b", "é"]
    for name in names:
        put(storage, name, b"x", resumable=True)
    found = []
    call = storage.objects().list(bucket=BUCKET, maxResults=2)
    while call is not None:
        page = call.execute()
        found += [item["name"] for item in page["items"]]
        call = storage.objects().list_next(call, page)
    assert found == sorted(names)
    page = storage.objects().list(bucket=BUCKET, prefix="a/").execute()
    assert [item["name"] for item in page["items"]] == names[:5]
    assert "items" not in storage.objects().list(bucket=BUCKET, prefix="z").execute()
    assert storage.buckets().get(bucket=BUCKET).execute()["location"] == "US-CENTRAL1"


def test_an_upload_goes_on_where_it_broke_off(url):
    headers = {"authorization": f"Bearer {TOKEN}"}
    start = f"{url}/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&name=a"
    address = httpx.post(start, headers=headers).headers["location"]
    assert httpx.put(address, headers={"content-range": "bytes */10"}).status_code == 308
    first = httpx.put(address, headers={"content-range": "bytes 0-3/10"}, content=b"0123")
    assert (first.status_code, first.headers["range"]) == (308, "bytes=0-3")
    asked = httpx.put(address, headers={"content-range": "bytes */10"})
    assert (asked.status_code, asked.headers["range"]) == (308, "bytes=0-3")
    again = httpx.put(address, headers={"content-range": "bytes 0-9/10"}, content=b"0123456789")
    assert again.status_code == 400
    last = httpx.put(address, headers={"content-range": "bytes 4-9/10"}, content=b"456789")
    assert last.json()["size"] == "10"
    assert httpx.put(address, headers={"content-range": "bytes */10"}).status_code == 404
    part = {**headers, "range": "bytes=8-"}
    found = httpx.get(f"{url}/storage/v1/b/{BUCKET}/o/a?alt=media", headers=part)
    assert (found.status_code, found.content) == (206, b"89")


@pytest.mark.parametrize("path", ["o?prefix=", "o/a?alt=media", ""])
def test_a_token_is_needed(url, path):
    assert httpx.get(f"{url}/storage/v1/b/{BUCKET}/{path}".rstrip("/")).status_code == 401
