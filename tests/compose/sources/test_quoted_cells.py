from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.compose.sources.open import open_source
from tui.compose.sources.quoted_cells import common_width


def width_when_read(text: str, delimiter: str) -> int:
    """The width that a strict reader finds; 0 if it needs several lines for a row or refuses it."""
    lines = list(io.StringIO(text, newline=""))
    try:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        records = [(record, reader.line_num) for record in reader]
    except csv.Error:
        return 0
    widths = {len(record) for record, _ in records}
    one_line_each = [line for _, line in records] == list(range(1, len(lines) + 1))
    return widths.pop() if len(widths) == 1 and one_line_each else 0


@given(st.text(alphabet='a,;"\n\r ', max_size=40), st.sampled_from(",;"))
def test_it_never_differs_from_a_strict_reader(text: str, delimiter: str) -> None:
    lines = list(io.StringIO(text, newline=""))
    found = common_width(lines, delimiter) if lines else 0
    assert found in (0, width_when_read(text, delimiter))


cells = st.text(alphabet='ab,;" ', max_size=8)


@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(
            st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=9
        )
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_rows_that_were_written_by_csv_are_known(rows: list[list[str]], end: str) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end).writerows(rows)
    lines = list(io.StringIO(out.getvalue(), newline=""))
    assert common_width(lines, ",") == len(rows[0])
    assert common_width([*lines[:-1], lines[-1].rstrip()], ",") in (0, len(rows[0]))


@pytest.mark.parametrize(
    "text",
    ['a,"b"c\n', 'a,b"c"\n', 'a,"b\nc"\n', "a,b\n\nc,d\n", "a,b\nc\n", 'a, "b"\n', "a,b\rc,d\n",
     '"a,b\n', '""a,b\n'],
)  # fmt: skip
def test_other_lines_need_to_be_read(text: str) -> None:
    assert common_width(list(io.StringIO(text, newline="")), ",") == 0


@pytest.mark.parametrize(
    "content",
    [
        'id,text\n1,"a, b" \n2,"c"\n',
        'prompt\n"Say {{a}}"\n"Say {{b}}" ',
        '"id","text"\n"1","a" \n"2","b"\n',
        'id,text\n"1" ,"a ""x"""\t\n"2","b\nb"  \n',
    ],
)
def test_blanks_after_a_closing_mark_do_not_make_it_text(tmp_path: Path, content: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode())
    source = open_source(str(path))
    expected = list(csv.DictReader(io.StringIO(content, newline="")))
    assert list(source.rows()) == expected
    assert not source.doubts
