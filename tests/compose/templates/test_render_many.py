from __future__ import annotations

import csv
import dataclasses
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compose.rows import written
from tui.compose.build import build
from tui.compose.sources import table_format
from tui.compose.sources.open import open_source
from tui.compose.templates.fields import FieldText
from tui.compose.templates.model import Template
from tui.compose.templates.render_many import encode_strings, interleave
from tui.errors import BatchdeckError

COLUMNS = ["id", "title", "text", "row number"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
CELLS = TEXTS | st.sampled_from(
    ["", "a", "b", 'x",', "\x7f", "\\", '","', "\r\n", "\u2028", "ä" * 70]
)
USERS = st.sampled_from(
    [
        "{text}",
        "Say {title} {row_number}: {text} {{}} %s",
        "{missing}{text}",
        "nothing at all",
        "{{ text }}-{{ row_number }}",
        "{{ title | upper }}{% if text %} in {{ text }}{% endif %}",
        "{% for word in text.split() %}{{ word }},{% endfor %}{{ row_number }}",
        "{% if title == 'a' %}{{ missing }}{% endif %}{{ text }}",
        "{{ row['row number'] }} {{ text|length }}{{ [1, text]|tojson }}",
        "{% set a = title %}{{ a }}{% block b %}{{ a }}{{ text }}{% endblock %}",
        "{{ 10 // text|length }}",
        "{{ title * 2 }}{{ none }}{{ 1.5 }}",
    ]
)
IDS = st.sampled_from(["", "#", "id", "title", "{title}-{row_number}", "{{ text }}", "no such"])


def outcome(work: Callable[[], object]) -> object:
    try:
        return work()
    except BatchdeckError as error:
        return type(error), error.message, error.hint, getattr(error, "line", None)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=12),
    USERS,
    IDS,
    st.sampled_from(["", "Be kind.", "For {title}", "{{ title }}!{% if text %}?{% endif %}"]),
    st.sampled_from([None, 1, 5]),
    st.sampled_from([1, 20, 1 << 16]),
)
def test_slices_make_what_rows_make(
    rows: list[tuple[str, ...]], user: str, id: str, system: str, limit: int | None, piece: int
) -> None:
    template = Template(model="m", user=user, system=system, id=id)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_format, "_PIECE", piece)
        table = Path(folder, "in.csv")
        with table.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        source = open_source(str(table), header=True, delimiter=",", encoding="utf-8")
        assert source.open_slices is not None
        slow = dataclasses.replace(source, open_slices=None)
        made = []
        for each in (source, slow):
            out = Path(folder, "out.jsonl")
            out.unlink(missing_ok=True)
            report = outcome(lambda: build(each, template, out, limit=limit))  # noqa: B023
            beside = out.with_name("out.jsonl.inputs")
            made.append((report, *(p.read_bytes() if p.exists() else b"" for p in (out, beside))))
            beside.unlink(missing_ok=True)
        assert made[0] == made[1]


@given(st.lists(CELLS, max_size=9))
def test_texts_encoded_together_are_what_they_are_alone(texts: list[str]) -> None:
    assert [b'"' + piece + b'"' for piece in encode_strings(texts)] == [
        msgspec.json.encode(text) for text in texts
    ]


def test_strands_are_woven_row_by_row() -> None:
    assert interleave([b"(", [b"a", b"b"], b"", b"-", [b"1", b"2"], b")"], 2) == b"(a-1)(b-2)"
    assert interleave([b"x"], 3) == b"xxx"
    assert interleave([], 2) == b""


def test_rows_before_a_row_that_cannot_be_read_come_first(tmp_path: Path) -> None:
    table = written(tmp_path, b'a,b\n1,2\n\n"3\n",4\n5\n6,7,\n8,9,10\n11,12\n', "t.csv")
    seen = []
    with pytest.raises(BatchdeckError) as caught:
        for row in open_source(str(table)).rows():
            seen.append(tuple(row.values()))
    assert seen == [("1", "2"), ("3\n", "4"), ("5", ""), ("6", "7")]
    assert caught.value.message == "row 5 of 't.csv' has 3 cells; the first row has 2"
    assert getattr(caught.value, "line", None) == 8


def test_a_slice_of_long_rows_takes_no_more_memory_than_one_of_short_ones(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    with table.open("w") as file:
        file.write("id,text\n")
        for number in range(3000):
            file.write(f"a{number},short\n")
        for number in range(40):
            file.write(f"b{number}," + "long " * 100_000 + "\n")
    source = open_source(str(table))
    tracemalloc.start()
    try:
        template = Template(model="m", user="Read {text}", id="id")
        assert build(source, template, tmp_path / "out.jsonl").rows == 3040
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_text_of_many_empty_pieces_is_whole_and_bounded() -> None:
    text = "{% for x in range(600) %}{{ none }}{% endfor %}{{ name }}"
    assert FieldText(text, where="x").fill({"name": "end"}, 1) == "end"
    field = FieldText("{% for x in range(600) %}{{ name }}{% endfor %}", where="x")
    with pytest.raises(BatchdeckError, match=r"characters|too much"):
        field.fill({"name": "n" * 100_000}, 1)
