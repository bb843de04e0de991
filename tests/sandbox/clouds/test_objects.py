from __future__ import annotations

import pytest

from tui.sandbox.clouds.objects import GrowingObjects, split_address


class Memory:
    def __init__(self):
        self.found = {}
        self.writes = 0

    def region(self, bucket):
        return ""

    def read(self, bucket, key, target):
        target.write_bytes(self.found[bucket, key])

    def write(self, bucket, key, chunks):
        self.writes += 1
        self.found[bucket, key] = b"".join(chunks)


def test_an_address():
    assert split_address("s3://bkt/a/b.jsonl", "s3") == ("bkt", "a/b.jsonl")
    assert split_address("gs://bkt", "gs") == ("bkt", "")
    for wrong in ("gs://bkt/a", "bkt/a", "s3://", "s3:///a"):
        with pytest.raises(ValueError, match="s3://bucket/key"):
            split_address(wrong, "s3")


def test_an_object_is_written_when_it_has_grown():
    store = Memory()
    growing = GrowingObjects(store)
    for size in (0, 1, 1, 3, 2):
        growing.write("b", "k", size, lambda size=size: iter((b"abc"[:size],)))
    assert (store.found["b", "k"], store.writes) == (b"abc", 3)
