"""``sandbox serve``: its URL on the first line, its answers, and how it stops."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run, command
from tests.cli.schema import violations
from tests.fakes.bucket import KEY_PAIR


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command("sandbox", "serve", "--rows-per-second", "0", "--key", "sk-test"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield process
        if process.poll() is None:
            process.terminate()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_served_sandbox_works_as_a_provider(
    server: subprocess.Popen[str], run: Run, requests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = first_line(server)
    assert url.startswith("http://127.0.0.1:")
    run("accounts", "add", "near", "--provider", "tensorzero", "--base-url", f"{url}/v1")
    assert run("submit", requests, "--account", "near", "--wait").code == 4
    monkeypatch.setenv("BATCHDECK_KEY_NEAR", "sk-test")
    done = run("submit", requests, "--account", "near", "--json")
    assert done.code == 0, done.err
    assert done.document["batches"][0]["remote_id"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_server_without_output(
    number: signal.Signals, server: subprocess.Popen[str]
) -> None:
    assert first_line(server)
    server.send_signal(number)
    assert server.wait(20) == 0
    assert server.stderr is not None
    assert server.stderr.read() == ""


def test_json_has_the_url_and_home_stores_the_state(
    environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    with subprocess.Popen(
        command("sandbox", "serve", "--json", "--home", folder),
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            document = json.loads(first_line(process))
            assert violations(document, "sandbox") == []
            url = document["url"]
            with urllib.request.urlopen(f"{url}/v1/models") as answer:
                assert answer.status == 200
        finally:
            process.terminate()
        assert process.wait(20) == 0
    assert folder.is_dir()


def test_a_cloud_is_served_with_its_buckets(
    environment: dict[str, str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEY_PAIR.items():
        monkeypatch.setenv(name, value)
    with subprocess.Popen(
        command("sandbox", "serve", "--like", "bedrock", "--region", "eu-west-1"),
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            url = first_line(process)
            params = {
                "region": "eu-west-1",
                "bucket": "any",
                "role_arn": "arn:aws:iam::111122223333:role/bd",
                **dict.fromkeys(("endpoint_url", "sts_url", "iam_url"), url),
            }
            given = [word for pair in params.items() for word in ("--param", "=".join(pair))]
            run("accounts", "add", "aws", "--provider", "bedrock", "--base-url", url, *given)
            tested = run("accounts", "test", "aws")
            assert tested.code == 0, tested.err
            assert "deleted in s3://any/batchdeck/" in tested.out
        finally:
            process.terminate()


def test_wrong_options_are_exit_code_2(run: Run) -> None:
    for arguments in (["--like", "bogus"], ["--fail-rate", "2"], ["--lose-answer", "bogus"]):
        done = run("sandbox", "serve", *arguments)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("error: ")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("sandbox", "serve", "--port", str(taken.getsockname()[1]))
    assert done.code == 2
    assert "cannot listen on" in done.err
