from __future__ import annotations

import io
import json
import random
from itertools import pairwise

import pytest

from tui.sandbox.errors import ApiError
from tui.sandbox.json_stream import InlineParser


def some_value(chance: random.Random, depth: int = 0) -> object:
    kind = chance.randrange(4 if depth > 2 else 6)
    if kind == 0:
        return chance.choice([None, True, False, 0.5])
    if kind == 1:
        return chance.randrange(-(10**9), 10**9)
    if kind < 4:
        return "".join(chance.choice('a"\\{}[],:\n é\u2028\U0001f600') for _ in range(6))
    count = chance.randrange(3)
    if kind == 4:
        return [some_value(chance, depth + 1) for _ in range(count)]
    return {f'k"{n}': some_value(chance, depth + 1) for n in range(count)}


def read(body: bytes, cuts: list[int]) -> tuple[InlineParser, list[object]]:
    target = io.BytesIO()
    reader = InlineParser(target, lambda index, row: None)
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        reader.feed(body[start:end])
    reader.feed(b"", last=True)
    return reader, [json.loads(line) for line in target.getvalue().split(b"\n") if line]


@pytest.mark.parametrize("seed", range(60))
def test_any_cut_gives_the_same_rows(seed):
    chance = random.Random(seed)
    rows = [some_value(chance) for _ in range(chance.randrange(6))]
    fields = {f"f{n}": some_value(chance) for n in range(chance.randrange(3))}
    whole = {"requests": rows, **fields} if seed % 2 else {**fields, "requests": rows}
    body = json.dumps(whole, indent=seed % 3 or None, ensure_ascii=seed % 5 == 0).encode()
    reader, found = read(body, [chance.randrange(len(body)) for _ in range(seed % 12)])
    assert found == rows
    assert reader.fields == fields
    assert reader.order == list(whole)
    assert reader.rows == len(rows)


def test_one_byte_at_a_time():
    body = json.dumps({"a": 12, "requests": [{"b": [1, "é"]}, 34, "x"], "c": None}).encode()
    reader, found = read(body, list(range(len(body))))
    assert found == [{"b": [1, "é"]}, 34, "x"]
    assert reader.fields == {"a": 12, "c": None}


@pytest.mark.parametrize("body", ["", "{", "[]", '{"a":1', '{"requests":[1', '{"a":1}}', '{"a" 1}'])
def test_broken(body):
    with pytest.raises(ApiError):
        read(body.encode(), [1, 2, 3])
