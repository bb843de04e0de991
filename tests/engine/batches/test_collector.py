"""Results come home whole, in whatever pieces."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.engine.bench import Bench, adds_up, outcomes, until
from tests.fakes.loop import JumpingLoop, run
from tests.fakes.provider import Broken, good_line
from tui.core.jobs import BatchStatus
from tui.core.remote_batches import FileState
from tui.core.rows import Outcome
from tui.engine.batches import collector
from tui.engine.engine import Engine
from tui.engine.events import DownloadProgressed
from tui.errors import (
    RequestRejectedError,
    StandstillError,
    UnexpectedResponseError,
    UnreachableError,
    UsageError,
)
from tui.providers.dialect import Capabilities

GOOD, BAD = Outcome.SUCCEEDED, Outcome.FAILED


def output_of(bench: Bench, engine: Engine, job_id: str, kind: str = "output") -> bytes:
    (batch,) = engine.history.batches.of_job(job_id)
    return (bench.paths.job_folder(job_id) / f"{batch.id}.{kind}.jsonl").read_bytes()


@pytest.mark.parametrize("cut", [0, 1, 100, 305, 306, 307, 500, 10_000])
@pytest.mark.parametrize(
    "server", [{}, {"by_lines": True}, {"ranges": False}], ids=["ranges", "lines", "neither"]
)
def test_a_download_that_breaks_off_goes_on(
    tmp_path: Path, server: dict[str, bool], cut: int
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, **server)
        bench.dialect.chunk = 50
        bench.provider.fault("download", Broken(cut), Broken(cut), UnreachableError("down"))
        async with bench.engine() as engine:
            job = await bench.done(engine, "a", "b", "fail", "c", "d")
            assert outcomes(engine, job.id) == [GOOD, GOOD, BAD, GOOD, GOOD]
            adds_up(engine, job.id)
            remote = bench.provider.only()
            assert output_of(bench, engine, job.id) == remote.output
            assert output_of(bench, engine, job.id, "errors") == remote.errors
            strays = engine.history.rows.orphan_lines(job.id)
            assert (strays.duplicate, strays.unknown, strays.unreadable) == (0, 0, 0)
            for seq in range(5):
                (attempt,) = engine.history.rows.get(job.id, seq).attempts
                assert f'"r{seq}"'.encode() in attempt.line

    run(test)


def test_a_download_reports_a_few_of_its_many_chunks(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.dialect.chunk = 1
        async with bench.engine() as engine:
            job = await bench.done(engine, *["x"] * 20)
            size = len(output_of(bench, engine, job.id))
        reported = [e.received for e in bench.events if isinstance(e, DownloadProgressed)]
        assert reported[0] == 1 and reported == sorted(set(reported))
        assert len(reported) < size / 2

    run(test)


def test_the_program_ends_in_the_middle_of_a_download(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.fault("download", Broken(700))
        engine = await bench.open()
        job = await bench.imported(engine, *["x"] * 6)
        await engine.submit(job.id)
        await until(lambda: bench.provider.calls["download"])
        await engine.close()
        async with bench.engine(watch=True) as again:
            await again.wait([job.id])
            assert adds_up(again, job.id).succeeded == 6
            assert again.history.rows.orphan_lines(job.id).duplicate == 0
            assert output_of(bench, again, job.id) == bench.provider.only().output
            assert bench.provider.calls["download"] == 2

    run(test)


def test_a_last_line_without_an_end(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine, "a", "b")
            bench.provider.run(remote)
            remote.output = (remote.output or b"").rstrip(b"\n")
            bench.provider.fault("download", Broken(len(remote.output) - 3))
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
            assert output_of(bench, engine, job.id) == remote.output

    run(test)


def test_rows_come_while_the_batch_runs(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(partial_results=True), by_lines=True)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine, *["x"] * 4)
            lines = [good_line(f"r{number}", "\u2028") + b"\n" for number in (2, 0, 3, 1)]
            remote.growing = True
            from tui.core.jobs import RemoteCounts

            for done in range(1, 4):
                remote.output = b"".join(lines[:done]) + lines[done][:20]
                remote.counts = RemoteCounts(total=4, completed=done, failed=0)
                await asyncio.sleep(10)
                assert adds_up(engine, job.id).succeeded == done
            remote.output = b"".join(lines)
            remote.growing = False
            remote.status = BatchStatus.COMPLETED
            remote.counts = RemoteCounts(total=4, completed=4, failed=0)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 4
            assert output_of(bench, engine, job.id) == remote.output
            assert engine.history.rows.orphan_lines(job.id).unreadable == 0

    run(test)


def test_a_file_that_was_lost_here_is_fetched_again(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.dialect.chunk = 50
        bench.provider.fault("download", Broken(700), Broken(300))
        async with bench.engine() as engine:
            job = await bench.imported(engine, *["x"] * 6)
            await engine.submit(job.id)
            await until(lambda: adds_up(engine, job.id).succeeded, 0.05)
            (batch,) = engine.history.batches.of_job(job.id)
            (bench.paths.job_folder(job.id) / f"{batch.id}.output.jsonl").unlink()
            # The server sends the lines in another order now.
            remote = bench.provider.only()
            remote.output = b"".join(reversed((remote.output or b"").splitlines(keepends=True)))
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 6
            for seq in range(6):
                (attempt,) = engine.history.rows.get(job.id, seq).attempts
                assert f'"r{seq}"'.encode() in attempt.line

    run(test)


def test_a_file_that_lost_its_end_here_is_fetched_anew(tmp_path: Path) -> None:
    """A power cut may take what was written last, and the history know it all the same."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(partial_results=True))
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine, *["x"] * 4)
            bench.provider.advance(remote, 2)
            await until(lambda: adds_up(engine, job.id).succeeded == 2)
            (batch,) = engine.history.batches.of_job(job.id)
            path = bench.paths.job_folder(job.id) / f"{batch.id}.output.jsonl"
            os.truncate(path, path.stat().st_size // 3)
            bench.provider.run(remote)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 4
            assert path.read_bytes() == remote.output
            for seq in range(4):
                (attempt,) = engine.history.rows.get(job.id, seq).attempts
                assert f'"r{seq}"'.encode() in attempt.line

    run(test)


def test_a_disk_that_takes_only_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = collector._opened

    class Tight:
        """A file on a disk that is nearly full."""

        def __init__(self, stream: BinaryIO) -> None:
            self._stream = stream

        def write(self, data: bytearray) -> int:
            return self._stream.write(bytes(data[:7]))

        def fileno(self) -> int:
            return self._stream.fileno()

        def __enter__(self) -> Tight:
            return self

        def __exit__(self, *_: object) -> None:
            self._stream.close()

    monkeypatch.setattr(collector, "_opened", lambda path, have: Tight(opened(path, have)))

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.done(engine)
            assert adds_up(engine, job.id).succeeded == 2
            assert output_of(bench, engine, job.id) == bench.provider.only().output

    run(test)


def test_a_disk_that_is_full_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync
    left = 4

    def full(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left > 0:
            raise OSError(28, "No space left on device")
        real(descriptor)

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            monkeypatch.setattr(os, "fsync", full)
            await until(lambda: engine.history.batches.of_job(job.id)[0].trouble, 0.01)
            assert "No space left" in engine.history.jobs.get(job.id).trouble
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
            assert engine.history.jobs.get(job.id).trouble == ""

    run(test)


def test_results_that_are_not_there_are_not_missing_until_the_user_gives_them_up(
    tmp_path: Path,
) -> None:

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        gone = RequestRejectedError("no such file", status=404)
        bench.provider.fault("download", *[gone] * 50)
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            with pytest.raises(StandstillError, match="not there yet") as stopped:
                await engine.wait([job.id])
            assert "cancel" in stopped.value.hint
            assert adds_up(engine, job.id).pending == 2
            await engine.cancel(job.id)
            assert adds_up(engine, job.id).missing == 2
            await engine.remote.delete(job.id)

    run(test)


def test_why_results_do_not_come_is_told_while_they_are_asked_for_again(tmp_path: Path) -> None:
    """A cancel at that moment would not know otherwise that the user gives them up."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        gone = RequestRejectedError("no such file", status=404)
        bench.provider.fault("download", *[gone] * 50)
        told: list[str] = []
        async with bench.engine() as engine:
            job = await bench.imported(engine)

            def look() -> None:
                told.extend(batch.trouble for batch in engine.history.batches.of_job(job.id))

            bench.provider.when_called["download"] = look
            await engine.submit(job.id)
            with pytest.raises(StandstillError):
                await engine.wait([job.id])
        assert told[0] == ""
        assert len(told) > 3 and all(told[1:])

    run(test)


def test_results_that_the_provider_has_deleted(tmp_path: Path) -> None:
    """After its keeping time a batch is still listed, and its files are gone."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        gone = RequestRejectedError("no such file", status=404)
        bench.provider.fault("download", *[gone] * 50)
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            (batch,) = engine.history.batches.of_job(job.id)
            past = {"results_expire_at": loop.clock() - 1}
            engine.history.batches.update(batch.id, past, loop.clock())
            await engine.wait([job.id])
            assert adds_up(engine, job.id).missing == 2
            await engine.remote.delete(job.id)

    run(test)


def test_a_job_whose_results_do_not_come_can_be_deleted(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.fault("download", *[UnreachableError("down")] * 50)
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            await asyncio.sleep(5)
            assert engine.history.batches.of_job(job.id)[0].status is BatchStatus.COMPLETED
            with pytest.raises(UsageError, match="not downloaded yet"):
                await engine.remote.delete(job.id)
            await engine.remote.delete(job.id, forget=True)
            await asyncio.sleep(600)
            assert engine._watcher.watched() == set()

    run(test)


def test_files_that_lack_rows_stay_until_new_ones_come(tmp_path: Path) -> None:
    """The provider counts more rows than its file has, and then it is gone."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine, "a", "b", "c")
            bench.provider.run(remote)
            whole = remote.output or b""
            remote.output = b"".join(whole.splitlines(keepends=True)[:2])
            bench.provider.fault("download", None, *[UnreachableError("down")] * 3)
            await until(lambda: bench.provider.calls["download"] >= 3)
            assert outcomes(engine, job.id) == [GOOD, GOOD, Outcome.PENDING]
            remote.output = whole
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 3
            assert output_of(bench, engine, job.id) == whole
            assert engine.history.rows.orphan_lines(job.id).duplicate == 0

    run(test)


def test_a_batch_that_goes_on_after_it_was_collected(tmp_path: Path) -> None:
    """Doubleword opens batches again: its page has a button for it."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine, "a", "b", "c")
            remote.status = BatchStatus.CANCELLED
            remote.output = good_line("r1", "first") + b"\n"
            await engine.wait([job.id])
            gone = Outcome.CANCELLED
            assert outcomes(engine, job.id) == [gone, GOOD, gone]
            remote.status = BatchStatus.IN_PROGRESS
            job = await engine.collect(job.id)
            assert (job.status, job.ended_at) == (BatchStatus.IN_PROGRESS, None)
            remote.status = BatchStatus.COMPLETED
            remote.output = b"".join(good_line(f"r{n}", "again") + b"\n" for n in (0, 1, 2))
            original = bench.provider.remote

            def renamed(batch: object) -> object:
                from msgspec.structs import replace

                told = original(batch)  # type: ignore[arg-type]
                results = tuple(
                    replace(source, ref=source.ref.replace("batch-0", "batch-1"))
                    for source in told.results
                )
                return replace(told, results=results)

            bench.provider.batches["batch-1"] = remote
            bench.provider.remote = renamed  # type: ignore[method-assign,assignment]
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD] * 3
            assert output_of(bench, engine, job.id) == remote.output
            assert engine.history.rows.orphan_lines(job.id).duplicate == 0

    run(test)


def test_results_that_name_rows_twice_or_strangers(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine, "a", "b")
            bench.provider.run(remote)
            line = good_line("r0", "twice") + b"\n"
            remote.output = line + line + good_line("x", "?") + b"\n\n<html>\n" + line
            remote.output += good_line("r1", "b") + b"\n"
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
            strays = engine.history.rows.orphan_lines(job.id)
            assert (strays.duplicate, strays.unknown, strays.unreadable) == (2, 1, 1)

    run(test)


PACKED = {
    "bom": lambda lines: b"\xef\xbb\xbf" + lines,
    "gzip": gzip.compress,
    "array": lambda lines: b"[" + lines.strip().replace(b"\n", b",") + b"]",
    "object": lambda lines: b'{"data": [' + lines.strip().replace(b"\n", b",") + b"]}",
    "indented": lambda lines: json.dumps(json.loads(lines), indent=2).encode(),
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("chunk", [3, 1 << 16])
def test_a_file_in_another_format_is_read(
    tmp_path: Path, pack: Callable[[bytes], bytes], chunk: int
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.dialect.chunk = chunk
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine, "a")
            bench.provider.run(remote)
            remote.output = pack(remote.output or b"")
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 1
            assert engine.history.rows.orphan_lines(job.id).unreadable == 0
            (attempt,) = engine.history.rows.get(job.id, 0).attempts
            assert json.loads(attempt.line)["custom_id"] == "r0"
            (batch,) = engine.history.batches.of_job(job.id)
            assert engine.history.files.get(batch.id, "output").complete

    run(test)


@pytest.mark.parametrize(
    ("page", "state", "reason"),
    [
        (b'{"error": {"message": "bad day"}}', FileState.UNREADABLE, "a message: bad day"),
        (b"<html><title>Sign in</title>\n</html>", FileState.UNREADABLE, "a web page: Sign in"),
        (gzip.compress(good_line("r0", "x"), mtime=0)[:-9], FileState.CUT, "cut off"),
        (good_line("r0", "x")[:-9], FileState.CUT, "cut off in the middle of a line"),
        (good_line("r0", "x") + b"\n<html>", FileState.WHOLE, ""),
    ],
)
def test_a_file_that_is_no_list_of_results_is_told_and_fetched_anew(
    tmp_path: Path, page: bytes, state: FileState, reason: str
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine, "a", "b")
            bench.provider.run(remote)
            good, remote.output = remote.output, page
            told = bench.provider.remote(remote)
            # The watching leaves the file alone meanwhile.
            remote.status = BatchStatus.IN_PROGRESS
            (batch,) = engine.history.batches.of_job(job.id)
            parts = collector.Collector(engine._context)
            (verdict,) = await parts.fetch(bench.dialect, batch, told)
            assert (verdict.state, verdict.reason) == (state, reason)
            assert not verdict.is_whole
            file = engine.history.files.get(batch.id, "output")
            assert file.complete is (state is FileState.WHOLE)
            remote.output, remote.status = good, BatchStatus.COMPLETED
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
            assert engine.history.files.get(batch.id, "output").complete
            assert engine.history.rows.orphan_lines(job.id).unreadable == 0

    run(test)


def test_a_file_that_is_not_there_is_told_as_absent(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine, "a", "fail")
            bench.provider.run(remote)
            bench.provider.fault("download", RequestRejectedError("no such file", status=404))
            told = bench.provider.remote(remote)
            remote.status = BatchStatus.IN_PROGRESS
            (batch,) = engine.history.batches.of_job(job.id)
            parts = collector.Collector(engine._context)
            first, second = await parts.fetch(bench.dialect, batch, told)
            assert (first.state, first.status) == (FileState.ABSENT, 404)
            assert second.is_whole and second.lines == 1

    run(test)


def test_a_page_that_comes_in_place_of_a_file_leaves_what_is_here(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine, "a", "b")
            bench.provider.run(remote)
            told = bench.provider.remote(remote)
            remote.status = BatchStatus.IN_PROGRESS
            (batch,) = engine.history.batches.of_job(job.id)
            parts = collector.Collector(engine._context)
            (first,) = await parts.fetch(bench.dialect, batch, told)
            assert first.is_whole
            parts.mark_suspect(batch, told)
            page = UnexpectedResponseError("the response is a web page", status=200)
            bench.provider.fault("download", page)
            (second,) = await parts.fetch(bench.dialect, batch, told)
            assert (second.state, second.status) == (FileState.UNREADABLE, 200)
            assert "a web page" in second.reason
            assert outcomes(engine, job.id) == [GOOD, GOOD]
            remote.status = BatchStatus.COMPLETED
            await engine.wait([job.id])

    run(test)
