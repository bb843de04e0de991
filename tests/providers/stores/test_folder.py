"""The result files of a folder, read as one; the bucket is at fake-gcs-server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.fakes.gcs import GcsServer
from tests.providers.stores.test_gcs import store_at
from tui.core.remote_batches import ResultSource
from tui.errors import RequestRejectedError, UnexpectedResponseError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.stores.folder import FolderReader
from tui.providers.stores.gcs import GcsStore
from tui.providers.stores.store import StoredObject
from tui.providers.wire.download import Download

FOLDER = "gs://answers/bd/out/prediction-1"
SOURCE = ResultSource(kind="output", ref=FOLDER)


@pytest.fixture
async def store(gcs: GcsServer) -> AsyncIterator[GcsStore]:
    made = store_at(gcs.url)
    yield made
    await made.aclose()


async def read(
    reader: FolderReader, have: int = 0, source: ResultSource = SOURCE
) -> tuple[bytes, bool]:
    async with reader.open(source, have_bytes=have) as download:
        data = b"".join([chunk async for chunk in download.chunks])
        assert download.total == len(data)
        return data, download.appends


async def test_all_files_of_lines_are_read_as_one(gcs: GcsServer, store: GcsStore) -> None:
    gcs.put("bd/out/prediction-1/predictions_0001.jsonl", b"1\n2\n")
    gcs.put("bd/out/prediction-1/predictions_0002.jsonl", b"3")
    gcs.put("bd/out/prediction-1/errors_0001.jsonl", b"4\n")
    gcs.put("bd/out/prediction-1/empty.jsonl", b"")
    gcs.put("bd/out/prediction-1/_SUCCESS", b"yes")
    gcs.put("bd/out/prediction-10/predictions_0001.jsonl", b"of another batch\n")
    data, _ = await read(FolderReader(store, ".jsonl"))
    assert sorted(data.split()) == [b"1", b"2", b"3", b"4"]
    with_slash = ResultSource(kind="output", ref=f"{FOLDER}/")
    assert await read(FolderReader(store, ".jsonl"), source=with_slash) == (data, False)


async def test_a_reading_goes_on_at_every_byte(gcs: GcsServer, store: GcsStore) -> None:
    gcs.put("bd/out/prediction-1/a.jsonl", b"1\n2\n")
    gcs.put("bd/out/prediction-1/b.jsonl", b"3")
    gcs.put("bd/out/prediction-1/c.jsonl", b"4\n")
    reader = FolderReader(store, ".jsonl")
    data, _ = await read(reader)
    for have in range(1, len(data) + 1):
        assert await read(reader, have) == (data[have:], True), have
        # Another process goes on too: it knows the folder's order by the times.
        assert await read(FolderReader(store, ".jsonl"), have) == (data[have:], True), have
    assert await read(reader, len(data) + 1) == (data, False)


async def test_a_file_that_appears_later_is_read_after_the_others(
    gcs: GcsServer, store: GcsStore
) -> None:
    gcs.put("bd/out/prediction-1/b.jsonl", b"2\n")
    reader = FolderReader(store, ".jsonl")
    first, _ = await read(reader)
    gcs.put("bd/out/prediction-1/a.jsonl", b"1\n")
    rest, appends = await read(reader, len(first))
    assert (appends, (first + rest).split()) == (True, [b"2", b"1"])


async def test_a_file_that_was_written_again_is_read_from_the_start(
    gcs: GcsServer, store: GcsStore
) -> None:
    gcs.put("bd/out/prediction-1/a.jsonl", b"half of it\n")
    reader = FolderReader(store, ".jsonl")
    first, _ = await read(reader)
    gcs.put("bd/out/prediction-1/a.jsonl", b"whole\nall of it\n")
    assert await read(reader, len(first)) == (b"whole\nall of it\n\n", False)


async def test_a_folder_without_result_files_has_no_results_yet(
    gcs: GcsServer, store: GcsStore
) -> None:
    gcs.put("bd/out/prediction-1/incremental/part.tmp", b"1")
    with pytest.raises(RequestRejectedError) as caught:
        await read(FolderReader(store, ".jsonl"))
    assert caught.value.status == 404


async def test_all_of_a_folder_is_deleted(gcs: GcsServer, store: GcsStore) -> None:
    for name in ("out/prediction-1/a.jsonl", "out/prediction-1/_SUCCESS", "out/prediction-2/a"):
        gcs.put(f"bd/{name}", b"1")
    await FolderReader(store, ".jsonl").delete(FOLDER)
    assert gcs.keys() == ["bd/out/prediction-2/a"]


async def test_parts_are_read_only_without_the_final_files(gcs: GcsServer, store: GcsStore) -> None:
    reader = FolderReader(store, ".jsonl", parts="incremental_predictions")
    gcs.put("bd/out/prediction-1/incremental_predictions/1.jsonl", b"1\n")
    assert (await read(reader))[0].split() == [b"1"]
    gcs.put("bd/out/prediction-1/predictions.jsonl", b"1\n2\n")
    assert (await read(reader, 3))[0].split() == [b"1", b"2"]


class StaleStore:
    """A bucket whose list says less than what its object has by now."""

    prefix = ""

    def __init__(self, store: GcsStore) -> None:
        self._store = store
        self.listed = 3
        self.aclose, self.check, self.delete = store.aclose, store.check, store.delete
        self.key_of, self.uri = store.key_of, store.uri

    async def put(self, path: Path, name: str, *, progress: Progress = NO_PROGRESS) -> str:
        return await self._store.put(path, name, progress=progress)

    def open(
        self, source: ResultSource, *, have_bytes: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        return self._store.open(source, have_bytes=have_bytes)

    async def objects(self, folder: str) -> AsyncIterator[StoredObject]:
        yield StoredObject(f"{folder}a.jsonl", self.listed, 1.0)


async def test_a_file_that_changes_while_it_is_read_is_read_anew(
    gcs: GcsServer, store: GcsStore
) -> None:
    gcs.put("bd/out/prediction-1/a.jsonl", b"1\n2\n")
    stale = StaleStore(store)
    reader = FolderReader(stale, ".jsonl")
    with pytest.raises(UnexpectedResponseError, match="changed while it was read"):
        await read(reader)
    stale.listed = 4
    assert await read(reader, 2) == (b"1\n2\n\n", False)
