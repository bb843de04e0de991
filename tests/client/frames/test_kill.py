"""A kernel that is killed while it runs a frame: the same call pays once, and has the answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.servers import join_all, sandbox

pytestmark = pytest.mark.long

KERNEL = """
import os, signal, sys
import polars as pl
from tui.client import BatchClient
from tui.config.settings import AccountConfig, Config

step, url = sys.argv[1:]
config = Config(
    default_account="there",
    accounts={"there": AccountConfig(provider="openai", base_url=f"{url}/v1")},
    providers={"openai": {"poll": {"min_seconds": 0.05, "max_seconds": 0.2}}},
)
with BatchClient(config=config) as client:
    def reach(passed):
        if passed == step:
            os.kill(os.getpid(), signal.SIGKILL)

    client._client.engine._context.reach = reach
    frame = pl.DataFrame({"text": ["sandbox:say=1", "sandbox:say=2"]})
    print(client.run(frame, "{text}", model="m", yes=True)["answer"].to_list())
"""


@pytest.fixture(scope="module", autouse=True)
def _all_servers_end() -> Iterator[None]:
    yield
    join_all()


def kernel(step: str, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KERNEL, step, url],
        capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "BATCHDECK_KEY_THERE": "sk-frames-4f1c0de5ba5e"},
        cwd=Path(__file__).parents[3],
    )  # fmt: skip


@pytest.mark.parametrize(
    "step",
    ["imported", "planned", "reserved", "confirmed", "uploaded", "create answered", "polled"],
)
def test_the_same_call_pays_once(step: str) -> None:
    with sandbox("openai") as server:
        assert kernel(step, server.url).returncode == -signal.SIGKILL
        done = kernel("", server.url)
        assert done.stdout == "['1', '2']\n", done.stderr
        assert server.count("POST", "/v1/batches") == 1
