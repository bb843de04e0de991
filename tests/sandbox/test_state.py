from __future__ import annotations

import stat
import threading
import tracemalloc

import httpx
import pytest

from tests.sandbox.conftest import Clock, chat_line, lines_of
from tui.sandbox import SandboxOptions, create_app


def test_progress_goes_on_while_nothing_runs(bench, tmp_path, clock):
    home = tmp_path / "shared"
    one = bench(home=home, clock=clock, rows_per_second=10)
    made = one.create([chat_line(f"r{n}", f"x {n}") for n in range(30)])
    clock.now += 1.5
    assert one.get(made).request_counts.completed == 10
    later = Clock(clock.now + 60)
    two = bench(home=home, clock=later, rows_per_second=999)
    done = two.get(made)
    assert (done.status, done.request_counts.completed) == ("completed", 30)
    assert done.completed_at == int(made.created_at + 0.5 + 3 + 0.5)
    assert len(two.read(done.output_file_id)) == 30
    assert (home / "sandbox.db").exists()


def test_two_sandboxes_on_one_home(bench, tmp_path, clock):
    home = tmp_path / "shared"
    one, two = (bench(home=home, clock=clock) for _ in range(2))
    lines = [chat_line(f"r{n}", "x") for n in range(200)]
    threads = [
        threading.Thread(target=lambda side=side: [side.create(lines) for _ in range(5)])
        for side in (one, two)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [batch.id for batch in one.client.batches.list()]
    assert len(set(ids)) == 10
    assert ids == [batch.id for batch in two.client.batches.list()]
    first = one.client.batches.retrieve(ids[0])
    second = two.client.batches.retrieve(ids[0])
    assert first == second
    raw = one.client.files.content(first.output_file_id).read()
    assert raw == two.client.files.content(first.output_file_id).read()


def test_everything_is_private(bench, tmp_path):
    home = tmp_path / "private"
    bench(home=home).create([chat_line("a", "x")])
    found = [home, *home.rglob("*")]
    assert len(found) > 5
    for path in found:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_uploads_do_not_fill_the_memory(bench):
    b = bench()
    line = b'{"custom_id":"r","pad":"' + b"x" * 60_000 + b'"}\n'

    def stream():
        head = 'Content-Disposition: form-data; name="purpose"\r\n\r\nbatch'
        name = 'Content-Disposition: form-data; name="file"; filename="big.jsonl"'
        yield f"--bd\r\n{head}\r\n--bd\r\n{name}\r\n\r\n".encode()
        for _ in range(1000):
            yield line
        yield b"\r\n--bd--\r\n"

    tracemalloc.start()
    try:
        answer = httpx.post(
            f"{b.url}/v1/files",
            content=stream(),
            headers={"content-type": "multipart/form-data; boundary=bd"},
            timeout=60,
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.json()["bytes"] == 1000 * len(line)
    assert peak < 12_000_000


def test_results_do_not_fill_the_memory(bench):
    b = bench()
    batch = b.get(b.create([chat_line(f"r{n}", "sandbox:say=" + "y" * 20_000) for n in range(500)]))
    size = 0
    tracemalloc.start()
    try:
        with httpx.stream("GET", f"{b.url}/v1/files/{batch.output_file_id}/content") as answer:
            for piece in answer.iter_bytes():
                size += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 10_000_000
    assert peak < 4_000_000


async def test_a_history_in_the_past_without_a_server(tmp_path):
    clock = Clock(1_700_000_000)
    app = create_app(SandboxOptions(home=tmp_path / "h", clock=clock, rows_per_second=5))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox/v1") as client:
        files = {"file": ("a.jsonl", b'{"custom_id":"a","method":"POST","url":"/v1/embeddings",'
                          b'"body":{"model":"m","input":"x"}}\n')}  # fmt: skip
        sent = await client.post("/files", data={"purpose": "batch"}, files=files)
        asked = {"input_file_id": sent.json()["id"], "endpoint": "/v1/embeddings",
                 "completion_window": "24h"}  # fmt: skip
        made = (await client.post("/batches", json=asked)).json()
        assert made["created_at"] == 1_700_000_000
        clock.now += 100
        done = (await client.get(f"/batches/{made['id']}")).json()
        assert (done["status"], done["completed_at"]) == ("completed", 1_700_000_001)
        content = await client.get(f"/files/{done['output_file_id']}/content")
        assert len(lines_of(content.content)) == 1
    app.state.backend.close()


def test_a_temporary_home_goes_away():
    app = create_app()
    home = app.state.backend.file_path(type("F", (), {"id": "x"})).parent.parent
    assert home.exists()
    app.state.backend.close()
    assert not home.exists()


@pytest.mark.parametrize(
    "values",
    [{"like": "x"}, {"fail_rate": 2}, {"rows_per_second": -1}, {"lose_answer": ("x",)},
     {"lose_answer": ("create:x",)}, {"quirks": ("x",)}],
)  # fmt: skip
def test_options_are_checked(values):
    with pytest.raises(ValueError, match=r"\w"):
        SandboxOptions(**values)
