"""``sync``, ``adopt`` and ``delete --remote``: batches at the provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.end_to_end.servers import Served, join_all, sandbox


@pytest.fixture(scope="module", autouse=True)
def _servers_have_stopped() -> Iterator[None]:
    yield
    join_all()


@pytest.fixture
def server(run: Run) -> Iterator[Served]:
    """A server that imitates OpenAI, and the account ``there`` for it."""
    with sandbox("openai") as served:
        done = run(
            "accounts", "add", "there", "--provider", "openai-compatible", "--base-url", served.url
        )
        assert done.code == 0, done.err
        yield served


def create_foreign_batch(
    run: Run, requests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Create a batch from another home; returns the provider's id."""
    other = tmp_path / "create_foreign_batch"
    config = Path(run("locate", "--json").document["config"])
    other.mkdir()
    (other / "config.toml").write_bytes(config.read_bytes())
    job = run("submit", requests, "--account", "there", "--wait", "--json", "--home", other)
    assert job.code == 0, job.err
    remote_id: str = job.document["batches"][0]["remote_id"]
    return remote_id


def test_a_foreign_batch_is_listed_and_adopted(
    run: Run,
    server: Served,
    requests: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run("sync", "--account", "there", "--json").document == []
    assert "has no batches" in run("sync", "--account", "there").err
    remote_id = create_foreign_batch(run, requests, tmp_path, monkeypatch)
    (entry,) = run("sync", "--account", "there", "--json").document
    assert (entry["remote_id"], entry["status"], entry["rows"]) == (remote_id, "completed", 3)
    assert entry["job"] is None
    assert entry["created_at"].endswith("Z")
    shown = run("sync", "--account", "there")
    assert shown.out.splitlines()[1].split()[-1] == "-"
    assert "1 of 1 are not in the history" in shown.err

    done = run("adopt", remote_id, "--account", "there", "--name", "found", "--json")
    assert done.code == 0, done.err
    job = done.document
    assert (job["name"], job["status"], job["counts"]["succeeded"]) == ("found", "completed", 3)
    rows = run("results", "found").rows
    assert [row["custom_id"] for row in rows] == ["req-1", "req-2", "req-3"]
    (entry,) = run("sync", "--account", "there", "--json").document
    assert entry["job"] == job["id"]
    assert job["id"] in run("sync", "--account", "there").out

    again = run("adopt", remote_id, "--account", "there")
    assert (again.code, again.out) == (2, "")
    assert job["id"] in again.err


def test_an_unknown_batch_cannot_be_adopted(run: Run, server: Served) -> None:
    done = run("adopt", "batch_nowhere", "--account", "there", "--json")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert run("list", "--json").document == []


def test_a_provider_without_a_list_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALEDOWN_API_KEY", "k")
    done = run("sync", "--account", "scaledown", "--json")
    assert (done.code, done.out) == (2, "")
    assert "cannot list batches" in done.err


def test_files_at_the_provider_are_deleted_with_the_job(
    run: Run, server: Served, requests: Path
) -> None:
    job = run("submit", requests, "--account", "there", "--wait", "--json").document
    assert run("delete", job["id"], "--remote", "--json").code == 2
    done = run("delete", job["id"], "--remote", "--yes", "--json")
    assert done.code == 0, done.err
    assert done.document["deleted"] == job["id"]
    gone = [call.path for call in server.asked if call.method == "DELETE" and call.status == 200]
    # The input file and the output file; no row failed, so there is no error file.
    assert len(set(gone)) == len(gone) == 2
    assert run("list", "--json").document == []


def test_without_remote_the_files_stay_at_the_provider(
    run: Run, server: Served, requests: Path
) -> None:
    job = run("submit", requests, "--account", "there", "--wait", "--json").document
    assert run("delete", job["id"], "--yes").code == 0
    assert not any(call.method == "DELETE" for call in server.asked)


def test_clean_up_deletes_the_files_after_collecting(
    run: Run, server: Served, requests: Path
) -> None:
    done = run(
        "accounts", "add", "tidy", "--provider", "openai-compatible", "--base-url", server.url,
        "--clean-up", "--json",
    )  # fmt: skip
    assert done.document["clean_up"] is True
    job = run("submit", requests, "--account", "tidy", "--wait", "--json")
    assert job.code == 0, job.err
    deleted = [call for call in server.asked if call.method == "DELETE" and call.status == 200]
    assert len(deleted) == 2
    assert len(run("results", job.document["id"]).rows) == 3


def test_a_full_queue_is_exit_code_5_and_watch_sends_it(
    run: Run, requests: Path, home: Path
) -> None:
    with sandbox("openai", full=2) as served:
        home.mkdir(exist_ok=True)
        (home / "config.toml").write_text(
            f'[accounts.there]\nprovider = "openai-compatible"\nbase_url = "{served.url}"\n'
            "[providers.openai-compatible.poll]\nmin_seconds = 0.05\nmax_seconds = 0.1\n",
            "utf-8",
        )
        done = run("submit", requests, "--account", "there", "--json")
        assert (done.code, done.out) == (5, "")
        (job,) = run("list", "--json").document
        assert job["status"] == "queued"
        assert f"`batchdeck watch {job['id']}`" in done.err.splitlines()[-1]
        watched = run("watch", job["id"], "--json")
        assert watched.code == 0, watched.err
        assert watched.document["counts"]["succeeded"] == 3
        waited = run("submit", requests, "--account", "there", "--wait", "--json")
        assert waited.code == 0, waited.err
        assert served.count("POST", "/batches") == 2
        assert served.count("POST", "/batches", good=False) == 2
