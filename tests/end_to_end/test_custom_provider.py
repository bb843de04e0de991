"""A custom provider, added in config.toml alone: the whole loop with the program."""

from __future__ import annotations

from pathlib import Path

import pytest
import uvicorn

from tests.cli.conftest import Run, batchdeck, environment, home, run  # noqa: F401
from tests.end_to_end.custom_provider import PROFILE, AcmeServer
from tests.end_to_end.rows import ROWS, chat, expected, written
from tests.end_to_end.servers import serving

KEY = "acme-7c4a8d09ca37"


def test_the_whole_loop_with_a_custom_provider(
    run: Run,  # noqa: F811
    home: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACME_KEY", KEY)
    path = written(tmp_path / "rows.jsonl", chat)
    words = expected()
    flaky = words["sandbox:flaky=500"] + words["sandbox:flaky=429"]
    bad = words["sandbox:fail=400"]
    acme = AcmeServer(KEY)
    config = uvicorn.Config(acme.app, log_config=None, lifespan="off", ws="none")
    with serving(config) as server:
        home.mkdir(mode=0o700)
        (home / "config.toml").write_text(PROFILE.format(url=server.url), "utf-8")
        shown = run("providers", "acme", "--json")
        assert shown.code == 0, shown.err
        document = shown.document
        assert (document["name"], document["key_variables"]) == ("Acme AI", ["ACME_KEY"])
        assert run("accounts", "test", "work").code == 0

        done = run("submit", path, "--account", "work", "--wait", "--json")
        assert done.code == 1, done.err
        job = done.document
        assert job["status"] == "completed"
        assert [batch["raw_status"] for batch in job["batches"]] == ["ready", "ready"]
        assert [batch["counts"]["total"] for batch in job["batches"]] == [200, 100]
        assert job["counts"]["failed"] == flaky + bad
        assert job["counts"]["succeeded"] == ROWS - flaky - bad
        groups = {group["code"]: group["retryable"] for group in job["error_groups"]}
        assert groups == {"worker_lost": True, "no_prompt": False}

        again = run("retry", job["id"], "--wait", "--json")
        assert again.code == 1, again.err
        counts = again.document["counts"]
        assert (counts["total"], counts["succeeded"], counts["failed"]) == (ROWS, ROWS - bad, bad)
        assert counts["pending"] == counts["missing"] == 0
        assert server.count("POST", "/runs") == len(acme.runs) == 3
        # The queue was full once, and the batch was sent again automatically.
        assert server.count("POST", "/runs", good=False) == 1
        rows = run("results", job["id"]).rows
        assert [row["custom_id"] for row in rows] == [f"row-{n}" for n in range(ROWS)]
        assert rows[0]["text"] == "Answer to row-0"

        entries = run("sync", "--account", "work", "--json").document
        assert [entry["job"] for entry in entries] == [job["id"]] * 3
        # The account cleans up; failures-102 is empty, so no document named it.
        assert acme.bundles.keys() == {"failures-102"}
