"""A provider that nobody has heard of, added by TOML alone: the whole loop, with the program."""

from __future__ import annotations

from pathlib import Path

import pytest
import uvicorn

from tests.cli.conftest import Run, batchdeck, environment, home, run  # noqa: F401

from .bakery import PROFILE, Bakery
from .rows import ROWS, chat, expected, written
from .serving import serving

KEY = "loaf-7c4a8d09ca37"


def test_the_whole_loop_with_a_made_up_provider(
    run: Run,  # noqa: F811
    home: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BAKERY_KEY", KEY)
    path = written(tmp_path / "rows.jsonl", chat)
    words = expected()
    flaky = words["sandbox:flaky=500"] + words["sandbox:flaky=429"]
    bad = words["sandbox:fail=400"]
    bakery = Bakery(KEY)
    config = uvicorn.Config(bakery.app, log_config=None, lifespan="off", ws="none")
    with serving(config) as server:
        home.mkdir(mode=0o700)
        (home / "config.toml").write_text(PROFILE.format(url=server.url), "utf-8")
        shown = run("providers", "bakery", "--json")
        assert shown.code == 0, shown.err
        told = shown.document
        assert (told["name"], told["key_variables"]) == ("Corner Bakery", ["BAKERY_KEY"])
        assert run("accounts", "test", "baker").code == 0

        done = run("submit", path, "--account", "baker", "--wait", "--json")
        assert done.code == 1, done.err
        job = done.document
        assert job["status"] == "completed"
        assert [batch["raw_status"] for batch in job["batches"]] == ["cooled", "cooled"]
        assert [batch["counts"]["total"] for batch in job["batches"]] == [200, 100]
        assert job["counts"]["failed"] == flaky + bad
        assert job["counts"]["succeeded"] == ROWS - flaky - bad
        groups = {group["code"]: group["retryable"] for group in job["error_groups"]}
        assert groups == {"oven_cold": True, "no_flour": False}

        again = run("retry", job["id"], "--wait", "--json")
        assert again.code == 1, again.err
        counts = again.document["counts"]
        assert (counts["total"], counts["succeeded"], counts["failed"]) == (ROWS, ROWS - bad, bad)
        assert counts["pending"] == counts["missing"] == 0
        assert server.count("POST", "/orders") == len(bakery.orders) == 3
        # The queue was full once, and the batch was sent again by itself.
        assert server.count("POST", "/orders", good=False) == 1
        rows = run("results", job["id"]).rows
        assert [row["custom_id"] for row in rows] == [f"row-{n}" for n in range(ROWS)]
        assert rows[0]["text"] == "A loaf for row-0"

        entries = run("sync", "--account", "baker", "--json").document
        assert [entry["job"] for entry in entries] == [job["id"]] * 3
        # The account cleans up: the trays are gone, and with them what came out of the oven.
        assert bakery.trays.keys() == {"ashes-102"}
