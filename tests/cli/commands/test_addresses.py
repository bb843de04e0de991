"""Commands that take the address of a table, of requests, or of a bucket for an export."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import REQUESTS, Run
from tests.fakes.file_server import FileServer, Hosted, file_server
from tests.fakes.server import sandbox


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as made:
        yield made


def test_a_table_is_fetched_composed_and_composed_again_when_it_has_changed(
    run: Run, server: FileServer, tmp_path: Path, home: Path
) -> None:
    server.files["/shop.csv"] = Hosted(b"id,name\n1,lamp\n2,vase\n")
    address, out = f"{server.url}/shop.csv", tmp_path / "shop.jsonl"
    made = run("compose", address, "-t", "Praise the {name}", "-m", "m", "--id", "id", "-o", out)
    assert made.code == 0, made.err
    assert f"{address}: fetched, 22 B." in made.err
    assert run("submit", out, "--wait").code == 0
    server.files["/shop.csv"] = Hosted(b"id,name\n1,lamp\n2,vase\n3,rug\n", etag='"v2"')
    again = run("again", "shop", "--wait", "--json")
    assert again.code == 0, again.err
    assert [(b["rows"], b["reuses"]) for b in again.document["batches"]] == [(2, True), (1, False)]

    signed = run("compose", f"{address}?sig=a-secret", "-t", "Hi {name}", "-m", "m", "--preview")
    assert signed.code == 0 and f"{address}?…" in signed.out
    other = f"{address}?sig=another"
    too_large = run("compose", other, "-t", "Hi {name}", "--preview", "--max-size", "10B")
    assert too_large.code == 2 and "at most 10 B are fetched" in too_large.err
    server.files["/shop.csv"] = Hosted(b"", status=403)
    refused = run("compose", f"{address}?sig=a-secret", "-t", "Hi {name}", "--preview")
    assert refused.code == 2 and "answered 403" in refused.err
    told = "".join(one.out + one.err for one in (made, again, signed, too_large, refused))
    assert "a-secret" not in told
    for file in home.rglob("*"):
        assert file.is_dir() or b"a-secret" not in file.read_bytes(), file


def test_reviews_are_stored_from_an_address(run: Run, server: FileServer, requests: Path) -> None:
    assert run("submit", requests, "--name", "three", "--wait").code == 0
    server.files["/labels.csv"] = Hosted(b"custom_id,label\nreq-1,right\nreq-2,wrong\n")
    address = f"{server.url}/labels.csv?sig=a-secret"
    done = run("review", "three", "--import", address, "--json")
    assert done.code == 0, done.err
    assert done.document["stored"] == 2
    server.files["/other.csv"] = Hosted(b"id,text\na,b\n")
    refused = run("review", "three", "--import", f"{server.url}/other.csv?sig=a-secret")
    assert refused.code == 2 and "needs the column custom_id" in refused.err
    assert f"{server.url}/other.csv" in refused.err
    assert "a-secret" not in done.out + done.err + refused.err


def test_requests_are_checked_tried_and_sent_and_their_rows_go_to_a_bucket(
    run: Run, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/requests.jsonl"] = Hosted(REQUESTS.encode(), media_type="text/plain")
    address = f"{server.url}/requests.jsonl"
    checked = run("check", address, "--json")
    assert (checked.code, checked.document["path"]) == (0, address)
    assert run("try", address, "--line", "2", "--json").document["custom_id"] == "req-2"
    sent = run("submit", address, "--wait", "--json")
    assert sent.code == 0, sent.err
    assert sent.document["name"] == "requests"
    server.files["/bad.jsonl"] = Hosted(b'{"custom_id": 1}\n')
    bad = run("check", f"{server.url}/bad.jsonl?sig=a-secret")
    assert bad.code == 2 and f"{server.url}/bad.jsonl?…" in bad.err

    with sandbox(tmp_path / "bucket", like="vertex", key=None) as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        target = "gs://answers/week/rows.csv"
        done = run("export", "requests", "-o", target, "--json")
        assert done.document == {"job": sent.document["id"], "path": target, "rows": 3}
        assert run("compose", target, "-t", "Hi {text}", "-m", "m", "--preview").code == 0
    refused = run("export", "requests", "-o", f"{server.url}/rows.csv")
    assert refused.code == 2 and "cannot be written to http://" in refused.err
