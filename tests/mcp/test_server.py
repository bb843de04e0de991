"""The whole loop over stdio, and what clients are told about the tools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.mcp.conftest import caller

COSTLY = ("submit", "retry")
READING = ("list_jobs", "show_job", "check", "wait", "results", "count")


async def test_an_agent_runs_the_whole_loop_over_stdio(tmp_path: Path, work: Path) -> None:
    rows = "".join(f"{n},number {n}{' sandbox:flaky=500' if n == 3 else ''}\n" for n in range(150))
    (work / "rows.csv").write_text("id,text\n" + rows, "utf-8")
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "tui", "mcp", "--folder", str(work), "--budget", "1"],
        env={**os.environ, "BATCHDECK_HOME": str(tmp_path / "home")},
        cwd=str(Path(__file__).parents[2]),
    )
    async with Client(stdio_client(parameters)) as client:
        assert "budget" in (client.instructions or "") and str(work) in (client.instructions or "")
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        for name, tool in tools.items():
            assert tool.annotations is not None and tool.description
            assert tool.annotations.read_only_hint == (name in READING)
            assert ("budget" in tool.input_schema.get("required", ())) == (name in COSTLY)
        assert tools["submit"].description.startswith("Submit a requests file as a new job.")
        call = caller(client)
        made = (
            await call(
                "compose", source="rows.csv", template="Good or bad? {text}", output="rows.jsonl",
                model="sandbox-small", id_column="id",
            )
        ).document  # fmt: skip
        assert (made["ok"], made["rows"]) == (True, 150) and "number 0" in made["first_request"]
        assert (await call("check", file="rows.jsonl")).document["cost"] == {"text": "free"}
        sent = (await call("submit", file="rows.jsonl", budget=1)).document
        again = (await call("submit", file="rows.jsonl", budget=1)).document
        assert sent["job"] == again["job"] and "nothing was sent" in again["note"]
        ended = (await call("wait", job="rows", seconds=50)).document
        assert ended["ended"] and ended["outcomes"] == {"succeeded": 149, "failed": 1}
        failed = (await call("results", job="rows", where="outcome:failed")).document
        assert [row["custom_id"] for row in failed["rows"]] == ["3"] and failed["matching"] == 1
        assert (await call("count", job="rows", columns=["outcome"])).document["columns"][0][
            "values"
        ] == {"succeeded": 149, "failed": 1}
        shown = (await call("show_job", job=sent["job"])).document
        assert shown["error_groups"][0]["advice"] and "in.text" in shown["columns"]
        assert (await call("retry", job="rows", budget=1)).document["rows_sent"] == 1
        await call("wait", job="rows", seconds=50)
        nothing = await call("retry", job="rows", budget=1)
        assert nothing.failed and "no failed rows" in nothing.text
        page = (await call("results", job="rows", limit=3, offset=10)).document
        assert len(page["rows"]) == 3 and page["left_off"] == 137 and "offset" in page["more"]
        written = (await call("export", job="rows", output="out.csv", join=True)).document
        assert written["rows"] == 150 and (work / "out.csv").read_text().count("succeeded") == 150
        assert (await call("export", job="rows", output="out.csv")).failed
        jobs = (await call("list_jobs")).document
        assert [job["name"] for job in jobs["jobs"]] == ["rows"]
        assert jobs["session_budget_left"] == 1.0


@pytest.mark.long
def test_a_signal_ends_the_server_though_it_reads(tmp_path: Path, work: Path) -> None:
    environment = {**os.environ, "BATCHDECK_HOME": str(tmp_path / "home")}
    with subprocess.Popen(
        [sys.executable, "-m", "tui", "mcp", "--folder", str(work)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        cwd=Path(__file__).parents[2],
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        hello = {
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18", "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        }  # fmt: skip
        process.stdin.write(json.dumps(hello) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"]["serverInfo"]["name"] == "batchdeck"
        process.terminate()
        assert process.wait(60) == 130
