from __future__ import annotations

import httpx
import openai
import pytest

from tests.sandbox.conftest import chat_line


def test_upload_list_read_delete(bench):
    b = bench()
    data = b'{"custom_id":"a"}\n'
    made = b.client.files.create(file=("in.jsonl", data), purpose="batch")
    assert (made.bytes, made.filename, made.purpose) == (len(data), "in.jsonl", "batch")
    assert made.expires_at == made.created_at + 30 * 86400
    assert b.client.files.retrieve(made.id) == made
    assert b.client.files.content(made.id).read() == data
    assert [file.id for file in b.client.files.list()] == [made.id]
    assert b.client.files.delete(made.id).deleted
    for call in (b.client.files.retrieve, b.client.files.content, b.client.files.delete):
        with pytest.raises(openai.NotFoundError) as caught:
            call(made.id)
        assert caught.value.body == {
            "message": f"No such File object: {made.id}",
            "type": "invalid_request_error",
            "param": "id",
            "code": None,
        }


def test_pages_of_files(bench):
    b = bench()
    ids = [b.upload(f'{{"custom_id":"{n}"}}\n'.encode()) for n in range(5)]
    first = b.client.files.list(limit=2)
    assert [file.id for file in first.data] == ids[:-3:-1]
    assert first.has_more
    assert [file.id for file in b.client.files.list(limit=2)] == ids[::-1]
    assert [file.id for file in b.client.files.list(order="asc", limit=3)] == ids
    assert list(b.client.files.list(purpose="assistants")) == []


@pytest.mark.parametrize(
    ("data", "files", "param"),
    [
        ({"purpose": "batch"}, None, "file"),
        ({"purpose": "poetry"}, {"file": ("a", b"x")}, "purpose"),
        ({}, {"file": ("a", b"x")}, "purpose"),
        (
            {"purpose": "batch", "expires_after[anchor]": "created_at",
             "expires_after[seconds]": "60"},
            {"file": ("a", b"x")},
            "expires_after.seconds",
        ),
    ],
)  # fmt: skip
def test_bad_uploads(bench, data, files, param):
    b = bench()
    answer = httpx.post(f"{b.url}/v1/files", data=data, files=files)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_a_range_gives_the_rest_of_a_file(bench):
    b = bench()
    lines = [chat_line(f"r{n}", f"tell of number {n}") for n in range(40)]
    lines += [chat_line(f"e{n}", "sandbox:expire") for n in range(5)]
    lines += [chat_line(f"f{n}", "sandbox:fail=400") for n in range(5)]
    batch = b.get(b.create(lines))
    for file_id in (batch.output_file_id, batch.error_file_id, batch.input_file_id):
        url = f"{b.url}/v1/files/{file_id}/content"
        whole = httpx.get(url).content
        size = b.client.files.retrieve(file_id).bytes
        assert size == len(whole) > 400
        line = whole.index(b"\n") + 1
        for start in (0, 1, line - 1, line, line + 1, size // 2, size - line, size - 1):
            part = httpx.get(url, headers={"Range": f"bytes={start}-"})
            assert part.status_code == 206
            assert part.headers["content-range"] == f"bytes {start}-{size - 1}/{size}"
            assert part.content == whole[start:]
        assert httpx.get(url, headers={"Range": f"bytes={size}-"}).status_code == 416


def test_result_files_are_listed_and_deleted(bench):
    b = bench()
    batch = b.get(b.create([chat_line("a", "hello")]))
    made = b.client.files.list(purpose="batch_output").data
    assert [file.id for file in made] == [batch.output_file_id]
    b.client.files.delete(batch.input_file_id)
    assert len(b.read(batch.output_file_id)) == 1
    b.client.files.delete(batch.output_file_id)
    with pytest.raises(openai.NotFoundError):
        b.client.files.content(batch.output_file_id)


def test_key(bench):
    b = bench(key="sk-right")
    assert list(b.client.files.list()) == []
    for header in ({}, {"Authorization": "Bearer sk-wrong"}):
        answer = httpx.get(f"{b.url}/v1/files", headers=header)
        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert answer.headers["x-request-id"].startswith("req_")
    assert httpx.get(f"{b.url}/v1/files", headers={"x-api-key": "sk-right"}).status_code == 200


def test_unknown_route(bench):
    answer = httpx.get(f"{bench().url}/v1/nothing")
    assert answer.status_code == 404
    assert "error" in answer.json()
