from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests.sandbox.conftest import chat_line, jsonl
from tui.sandbox import LocalSandbox, SandboxOptions
from tui.sandbox.serve import listen

FORM = {"data": {"purpose": "batch"}, "files": {"file": ("a.jsonl", jsonl([chat_line("a", "x")]))}}


def start(client):
    """Upload and create; gives the ids without looking at the answers."""
    file_id = client.post("/files", **FORM).json()["id"]
    body = {"input_file_id": file_id, "endpoint": "/v1/chat/completions",
            "completion_window": "24h"}  # fmt: skip
    return client.post("/batches", json=body)


def test_lost_answers_of_a_create(bench):
    b = bench(lose_answer=("create",))
    with httpx.Client(base_url=f"{b.url}/v1") as client:
        for _ in range(2):
            with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
                start(client)
        assert len(client.get("/batches").json()["data"]) == 2


def test_each_route_can_lose_its_answer(bench):
    b = bench(lose_answer=("upload:1", "retrieve:1", "cancel:1", "content:1"), rows_per_second=1)
    with httpx.Client(base_url=f"{b.url}/v1") as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.post("/files", **FORM)
        assert len(client.get("/files").json()["data"]) == 1
        made = start(client).json()
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(f"/batches/{made['id']}")
        assert client.get(f"/batches/{made['id']}").status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            client.post(f"/batches/{made['id']}/cancel")
        assert client.get(f"/batches/{made['id']}").json()["status"] == "cancelling"
        url = f"/files/{made['input_file_id']}/content"
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(url)
        assert client.get(url).content == FORM["files"]["file"][1]


def test_an_answer_that_breaks_off(bench):
    b = bench(lose_answer=("content-half:1",))
    with httpx.Client(base_url=f"{b.url}/v1") as client:
        url = f"/files/{start(client).json()['input_file_id']}/content"
        got = b""
        with (
            pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without sending complete"),
            client.stream("GET", url) as answer,
        ):
            for piece in answer.iter_bytes():
                got += piece
        whole = client.get(url).content
        assert 0 < len(got) < len(whole)
        assert whole.startswith(got)


def test_answers_are_not_held_back_by_the_kernel():
    with listen("127.0.0.1", 0) as sock:
        assert sock.proto == socket.IPPROTO_TCP


def test_local_sandbox():
    sandbox = LocalSandbox.start(SandboxOptions(rows_per_second=0))
    try:
        assert sandbox.uds is not None
        assert len(str(sandbox.uds)) < 100
        assert sandbox.uds.parent.stat().st_mode & 0o777 == 0o700
        transport = httpx.HTTPTransport(uds=str(sandbox.uds))
        with httpx.Client(transport=transport, base_url=sandbox.base_url) as client:
            made = start(client).json()
            assert client.get(f"/batches/{made['id']}").json()["status"] == "completed"
    finally:
        sandbox.stop()
    sandbox.stop()
    assert not sandbox.uds.parent.exists()


def test_a_process_that_ends_without_a_stop_leaves_nothing(tmp_path):
    code = "from tui.sandbox import LocalSandbox; sandbox = LocalSandbox.start(); print('up')"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("up\n", "")
    assert list(tmp_path.iterdir()) == []


def test_lost_answers_on_a_unix_socket():
    sandbox = LocalSandbox.start(SandboxOptions(lose_answer=("create",)))
    try:
        transport = httpx.HTTPTransport(uds=str(sandbox.uds))
        with httpx.Client(transport=transport, base_url=sandbox.base_url) as client:
            with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
                start(client)
            assert len(client.get("/batches").json()["data"]) == 1
    finally:
        sandbox.stop()


def test_local_sandbox_without_unix_sockets(monkeypatch):
    monkeypatch.setattr("tui.sandbox.serve._socket_folder", lambda: None)
    sandbox = LocalSandbox.start()
    try:
        assert sandbox.uds is None
        assert sandbox.base_url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{sandbox.base_url}/models").status_code == 200
    finally:
        sandbox.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_announces_its_address_and_ends_cleanly(number, tmp_path):
    code = (
        "import sys, pathlib; from tui.sandbox import SandboxOptions;"
        "from tui.sandbox.serve import serve;"
        "serve(SandboxOptions(home=pathlib.Path(sys.argv[1])))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "h")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        with httpx.Client() as client:
            assert client.get(f"{url}/v1/models").status_code == 200
        process.send_signal(number)
        rest, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, rest, errors) == (0, "", "")


def test_importing_the_package_loads_no_server():
    code = (
        "import sys, tui.sandbox;"
        "sys.exit(any(name in sys.modules for name in ('starlette', 'uvicorn', 'msgspec')))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0


def test_a_file_that_is_named_late_and_a_word_that_nobody_knows(bench, clock):
    b = bench(late_file=60, unknown_word="finito", clock=clock)
    made = b.create([chat_line("a", "x")])
    clock.now += 1
    shown = b.get(made)
    assert (shown.status, shown.request_counts.completed) == ("finito", 1)
    assert shown.output_file_id is None
    clock.now += 60
    assert b.get(made).output_file_id


def test_a_list_that_is_stale(bench):
    b = bench(stale_list=True, rows_per_second=0)
    made = b.create([chat_line("a", "x")])
    assert b.get(made).status == "completed"
    with httpx.Client(base_url=f"{b.url}/v1") as client:
        assert client.get("/batches").json()["data"][0]["status"] == "validating"


def test_results_at_a_signed_address(bench):
    b = bench(signed_results=True, rows_per_second=0)
    done = b.get(b.create([chat_line("a", "x")]))
    with httpx.Client() as client:
        url = f"{b.url}/v1/files/{done.output_file_id}/content"
        there = client.get(url)
        target = there.headers["Location"]
        assert there.status_code == 307 and httpx.URL(target).host != httpx.URL(url).host
        assert client.get(target, headers={"Authorization": "Bearer k"}).status_code == 400
        assert client.get(target.partition("?")[0]).status_code == 403
        assert b'"custom_id":"a"' in client.get(target).content.replace(b" ", b"")


@pytest.mark.parametrize("messages", [7, "hello", ["hello"], {"role": "user"}])
def test_messages_of_another_type_are_refused(bench, messages):
    b = bench()
    line = {**chat_line("a", "x"), "body": {"model": "m", "messages": messages}}
    done = b.get(b.create([line]))
    (row,) = b.read(done.error_file_id).values()
    assert row["response"]["status_code"] == 400
    assert "messages" in row["response"]["body"]["error"]["message"]
