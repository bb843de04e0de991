"""The provider's own list: looked at, paged through, and brought in from."""

from __future__ import annotations

import json

import pytest

from tests.ui.conftest import fake_app, notes, real_app, running, screen_text, until
from tests.ui.fakes import NOW, FakeEngine, a_job
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import RemoteBatch
from tui.engine.remote import RemoteEntry
from tui.paths import Paths
from tui.ui.dialogs.remote import PAGE, RemoteDialog

SIZES = [(80, 24), (120, 36)]


def entry(number: int, job_id: str | None = None, **changes: object) -> RemoteEntry:
    values: dict[str, object] = {
        "id": f"batch_{number:04}",
        "status": BatchStatus.COMPLETED,
        "raw_status": "completed",
        "counts": RemoteCounts(total=300, completed=291, failed=9),
        "created_at": NOW - 3600 * number,
    }
    return RemoteEntry(RemoteBatch(**(values | changes)), job_id)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", SIZES)
async def test_it_shows_what_is_here_and_brings_in_what_is_not(
    engine: FakeEngine, size: tuple[int, int]
) -> None:
    engine.history.add(a_job(1, name="known one"))
    engine.remote_batches = [entry(1), entry(2, "job0000001"), entry(3, counts=RemoteCounts())]
    app = fake_app(engine)
    async with running(app, size) as pilot:
        await pilot.press("P")
        await until(pilot, lambda: "3 batches" in screen_text(app))
        text = screen_text(app)
        assert "batch_0001" in text and "known one" in text and "2 not imported" in text
        assert "✓ completed" in text
        await pilot.press("enter")
        await until(pilot, lambda: "imported, 1,000 rows" in screen_text(app))
        assert engine.asked[-1] == ("adopt", "batch_0001", "sandbox")
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, RemoteDialog))


async def test_a_long_list_comes_page_by_page(engine: FakeEngine) -> None:
    engine.remote_batches = [entry(number) for number in range(PAGE + 30)]
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("P")
        await until(pilot, lambda: f"{PAGE} batches" in screen_text(app))
        assert "m loads more" in screen_text(app)
        await pilot.press("m")
        await until(pilot, lambda: f"{PAGE + 30} batches" in screen_text(app))
        assert "m loads more" not in screen_text(app)


async def test_a_provider_without_a_list_takes_an_id(engine: FakeEngine) -> None:
    engine.names = ["sandbox", "scaledown"]
    engine.listless = {"scaledown"}
    engine.history.add(a_job(1, account="scaledown"))
    engine.remote_batches = [entry(1)]
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("P")
        await until(pilot, lambda: "cannot list batches" in screen_text(app))
        assert "Type the id of one." in screen_text(app)
        await pilot.press("i", *"nope", "enter")
        await until(pilot, lambda: "there is no batch 'nope'" in screen_text(app))
        await pilot.press("ctrl+u", *"batch_0001", "enter")
        await until(pilot, lambda: " imported, " in screen_text(app))
        assert ("adopt", "batch_0001", "scaledown") in engine.asked


async def test_hostile_text_is_shown_and_not_obeyed(engine: FakeEngine) -> None:
    evil = "\x1b]0;owned\x07[bold]\u202eid"
    engine.remote_batches = [
        entry(1, id=evil, status=BatchStatus.UNKNOWN, raw_status="[red]\x1b[2J")
    ]
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        await pilot.press("P")
        await until(pilot, lambda: "1 batch" in screen_text(app))
        text = screen_text(app)
        assert "\x1b" not in text and "\u202e" not in text and "\\x1b]0;owned" in text
        assert "[red]" in text


async def test_leaving_while_one_is_brought_in_ends_nothing(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    go_on = asyncio.Event()
    plain = engine.remote.adopt

    async def slow(remote_id: str, *, account: str | None = None) -> object:
        await go_on.wait()
        return await plain(remote_id, account=account)

    monkeypatch.setattr(engine, "adopt", slow)
    engine.remote_batches = [entry(1)]
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("P")
        await until(pilot, lambda: "1 batch" in screen_text(app))
        await pilot.press("a")
        await until(pilot, lambda: "Importing batch_0001" in screen_text(app))
        await pilot.press("escape")
        go_on.set()
        await until(pilot, lambda: any(" imported, " in note for note in notes(app)))


async def test_a_batch_of_the_sandbox_comes_back(paths: Paths) -> None:
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        engine = app.engine
        assert engine is not None
        file = paths.data / "rows.jsonl"
        body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
        row = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
        file.write_text(json.dumps(row) + "\n")
        job = await engine.requests.import_file(file)
        await engine.submit(job.id)
        await engine.wait([job.id])
        await engine.remote.delete(job.id)
        await pilot.press("P")
        await until(pilot, lambda: "1 not imported" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: " imported, " in screen_text(app))
        (back,) = engine.history.jobs.list()
        await engine.wait([back.id])
        assert engine.history.jobs.get(back.id).counts.succeeded == 1


async def test_delete_may_ask_the_provider_too(engine: FakeEngine) -> None:
    engine.history.add(a_job(1))
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("D")
        await until(pilot, lambda: "○ also its files at Sandbox" in screen_text(app))
        await pilot.press("p")
        await until(pilot, lambda: "● also its files" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: engine.asked[-1] == ("delete", "job0000001", "remote"))


async def test_what_would_be_lost_is_asked_once_more(engine: FakeEngine) -> None:
    engine.history.add(a_job(1))
    engine.lost_with_job = ("1 batch may be running at Sandbox.",)
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("D")
        await until(pilot, lambda: "Delete from the history?" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: "1 batch may be running at Sandbox." in screen_text(app))
        assert ("delete", "job0000001") not in engine.asked
        await pilot.press("y")
        await until(pilot, lambda: ("delete", "job0000001") in engine.asked)


async def test_results_that_will_be_lost_are_flagged(engine: FakeEngine) -> None:
    engine.history.add(a_job(1))
    engine.history.kept = {"job0000001": NOW + 3.5 * 86_400}
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert "! the provider deletes the results in 3 days:" in text
        assert "not downloaded   ctrl+r fetch" in text
        assert "! 3d" in text
