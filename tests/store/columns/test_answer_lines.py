"""One field of many answers: the value is that of the line's reader, however odd the line is."""

from __future__ import annotations

import json
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui.core import json_path
from tui.core.results.json_answers import parse_answer
from tui.core.results.openai_lines import UnreadableLineError
from tui.core.results.readers import READERS
from tui.store.columns import answer_lines
from tui.store.columns.answer_fields import FieldDecoder
from tui.store.columns.answer_lines import AnswerLines, as_columns

ANSWERS = st.sampled_from([
    '{"label": "a", "score": 1}', '{"label":"a"}', ' {"label": "spaced"}\n', "plain", "", "[1]",
    '{"deep": {"label": "in"}, "score": 2}', '{"deep": {"label": "in"}, "label": "out"}',
    '{"label": "first", "label": "last"}', '{"label": null}', '{"label": "cut', '{"label": 1e400}',
    '{"label": "\\u0000\\ud83d\\ude00 \\" \\\\ \\/"}', '{"label": "\\ud83d"}', '{"label": NaN}',
    '{"la\\u0062el": "escaped key"}', '```json\n{"label": "fenced"}\n```', '{"label": {"a": [1]}}',
    '{"label": true} tail', '{"other": "\\"label\\": 1"}', '{"label": "a", "b": }',
    "{'label': 'a'}",
    '{"label": 123456789012345678901234567890}', '{"entities": [{"value": 1}], "label": "e"}',
    '{"label": "' + "ü\u2028" * 40 + '"}', "null", '{"b": ' + "[" * 2000 + "]" * 2000 + "}",
])  # fmt: skip

SHAPES = (
    '"content":{0}', '"role":"assistant","content": {0} ,"refusal":null',
    '"content":"x","content":{0}',
    '"content":{0},"content":null', '"x":{{"content":"no"}},"content":{0}', '"c\\u006fntent":{0}',
    '"content":[{{"type":"text","text":{0}}}]', '"content":{0},"refusal":"no"', '"refusal":{0}',
    '"content":{0},"tool_calls":[]', '"content":{0},"tool_calls":[{{"function":{{"name":"f"}}}}]',
    '"content":"\\ud800"', '"content":7,"x":{0}', '"annotations":[{{"content":{0}}}],"content":"y"',
)  # fmt: skip
"""The message of a line; ``{0}`` stands for its text as a JSON string."""

LINES = (
    '{{"custom_id":"a","response":{{"status_code":200,"body":{{"choices":[{{"message":{{{0}}},"finish_reason":"stop"}}]}}}},"error":null}}',
    '{{"custom_id":"a","response":{{"body":{{"choices":[{{"message":{{{0}}},"finish_reason":"length"}}]}}}}}}',
    '{{"response":{{"body":{{"choices":[]}}}},"custom_id":"a","response":{{"body":{{"choices":[{{"finish_reason":"stop","message":{{{0}}}}}]}}}}}}',
    '{{"custom_id":"a","result":{{"type":"succeeded","message":{{"content":[{{"type":"text","text":"t",{0}}}],"stop_reason":"end_turn"}}}}}}',
    '{{"custom_id":"a","response":{{"body":{{"choices":[{{"message":{{{0}}},"finish_reason":"stop"}}]}}}}',
    '{{"message":{{{0}}}}}', '"{0}',
)  # fmt: skip


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    text = json.dumps(draw(ANSWERS), ensure_ascii=draw(st.booleans()))
    shape = SHAPES[0] if draw(st.booleans()) else draw(st.sampled_from(SHAPES))
    line = LINES[0] if draw(st.booleans()) else draw(st.sampled_from(LINES))
    made = line.format(shape.format(text)).encode("utf-8", "surrogatepass")
    return made.replace(b"label", b"la\xffel", 1) if draw(st.integers(0, 9)) == 0 else made


def plain(line: bytes, style: str, path: str) -> Any:
    try:
        text = READERS[style](line, None).text
    except UnreadableLineError:
        text = ""
    return json_path.get(parse_answer(text), path)


@pytest.mark.parametrize("limit", [0, 1 << 20])
@example([LINES[3].format('"refusal":"{{\\"label\\":1}}"'.format()).encode()], "messages", 0)
@given(st.lists(lines(), max_size=8), st.sampled_from(sorted(READERS)), st.integers())
def test_fields_are_those_of_the_reader(
    limit: int, found: list[bytes], style: str, seed: int
) -> None:
    decoder = FieldDecoder(["label"])
    assert decoder.decode_one is not None
    places: list[tuple[int, int, int, int]] = []
    offset = 0
    for number, line in enumerate(found):
        places.append((number, 1, offset, len(line)))
        offset += len(line) + 1
    random.Random(seed).shuffle(places)
    before = answer_lines._BLOCK_BYTES
    answer_lines._BLOCK_BYTES = min(limit, before)
    try:
        with TemporaryDirectory() as folder:
            file = Path(folder, "results.jsonl")
            file.write_bytes(b"\n".join([*found, b""]))
            with AnswerLines(lambda _: file, {1: style}) as reader:
                values = reader.fields(as_columns(places), decoder.decode_one, decoder.value)
    finally:
        answer_lines._BLOCK_BYTES = before
    assert [repr(value) for value in values] == [
        repr(plain(found[place[0]], style, "label")) for place in places
    ]
