"""Parquet and Arrow files as pandas, PyArrow, polars, DuckDB and Hugging Face write them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.compose.sources.test_kinds import rows
from tui.compose.sources.open import open_source
from tui.errors import InputError

pa = pytest.importorskip("pyarrow")
pytest.importorskip("polars")


def parquet(folder: Path, columns: dict[str, Any]) -> str:
    from pyarrow import parquet as library

    path = folder / "t.parquet"
    library.write_table(pa.table(columns), path)
    return str(path)


def feather(folder: Path, columns: dict[str, Any]) -> str:
    from pyarrow import feather as library

    path = folder / "t.feather"
    library.write_feather(pa.table(columns), path)
    return str(path)


@pytest.mark.parametrize(
    ("array", "kept"),
    [
        (pa.array([[0.1, 2.0], None], pa.list_(pa.float32())), [0.1, 2.0]),
        (pa.array([[0.1, 2.0], None], pa.list_(pa.float32(), 2)), [0.1, 2.0]),
        (pa.array([{"a": [0.1]}, None], pa.struct([("a", pa.list_(pa.float32()))])), {"a": [0.1]}),
        (pa.array([1, None], pa.duration("ns")), "PT0.000000001S"),
        (pa.array([2000, None], pa.duration("ns")), timedelta(microseconds=2)),
        (
            pa.array([1, None], pa.timestamp("ns", tz="Europe/Berlin")),
            "1970-01-01 01:00:00.000000001+01:00",
        ),
        (pa.array([1, None], pa.timestamp("ns")), "1970-01-01 00:00:00.000000001"),
        (pa.array([0, None], pa.timestamp("s")), datetime(1970, 1, 1)),
    ],
)
def test_figures_keep_their_digits(tmp_path: Path, array: Any, kept: Any) -> None:
    first, second = rows(open_source(parquet(tmp_path, {"c": array})))
    assert (first["c"], second["c"]) == (kept, None)


def test_bytes_inside_a_cell_are_text(tmp_path: Path) -> None:
    image = {"bytes": b"\x89PNG", "path": "a.png"}
    source = open_source(parquet(tmp_path, {"image": [image, None], "more": [[b"\xff"], [b"a"]]}))
    assert rows(source) == [
        {"image": {"bytes": "iVBORw==", "path": "a.png"}, "more": ["/w=="]},
        {"image": None, "more": ["a"]},
    ]
    assert [doubt.split(" holds")[0] for doubt in source.doubts] == [
        "column 'image'",
        "column 'more'",
    ]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([pa.MonthDayNano([1, 2, 3]), None], pa.month_day_nano_interval()),
        pa.array(["a", None], pa.string_view()),
        pa.UnionArray.from_dense(
            pa.array([0, 1], pa.int8()),
            pa.array([0, 0], pa.int32()),
            [pa.array([1]), pa.array(["x"])],
        ),
        pa.DictionaryArray.from_buffers(
            pa.dictionary(pa.int8(), pa.string()),
            2,
            [pa.py_buffer(b"\x01"), pa.py_buffer(b"\x00\xff")],
            pa.array(["x"]),
        ),
    ],
    ids=["interval", "view", "union", "categorical of pandas"],
)
def test_a_type_that_is_not_read_is_said_when_the_file_is_opened(
    tmp_path: Path, array: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    path = feather(tmp_path, {"id": [1, 2], "odd": array})
    with pytest.raises(InputError, match="cannot be read") as caught:
        rows(open_source(path))
    assert "text" in caught.value.hint
    assert "extension" not in caught.value.hint


def test_a_name_that_two_columns_have_is_said(tmp_path: Path) -> None:
    from pyarrow import parquet as library

    path = tmp_path / "t.parquet"
    library.write_table(pa.Table.from_arrays([pa.array([1])] * 2, names=["a", "a"]), path)
    with pytest.raises(InputError, match="'a'") as caught:
        open_source(str(path))
    assert "extension" not in caught.value.hint


def saved_dataset(folder: Path, shards: list[list[str]]) -> None:
    folder.mkdir(parents=True)
    names = [f"data-{number:05}-of-{len(shards):05}.arrow" for number in range(len(shards))]
    for name, texts in zip(names, shards, strict=True):
        table = pa.table({"text": texts})
        with (
            pa.OSFile(str(folder / name), "wb") as file,
            pa.ipc.new_stream(file, table.schema) as out,
        ):
            out.write_table(table)
    state = {"_data_files": [{"filename": name} for name in names], "_split": None}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text('{"features": {}}')


def test_a_folder_of_hugging_face_is_its_rows(tmp_path: Path) -> None:
    saved_dataset(tmp_path / "set", [["a", "b"], ["c"]])
    source = open_source(str(tmp_path / "set"))
    assert (source.count, source.notes) == (3, ("a data set of Hugging Face",))
    assert [row["text"] for row in source.rows()] == ["a", "b", "c"]


def test_a_folder_of_several_data_sets_asks_for_one(tmp_path: Path) -> None:
    for split in ("train", "test"):
        saved_dataset(tmp_path / "both" / split, [[split]])
    (tmp_path / "both" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(InputError, match="2 data sets: 'train', 'test'"):
        open_source(str(tmp_path / "both"))
    assert rows(open_source(f"{tmp_path}/both::test")) == [{"text": "test"}]


def test_a_data_set_that_a_folder_does_not_have_is_told(tmp_path: Path) -> None:
    saved_dataset(tmp_path / "one" / "train", [["train"]])
    (tmp_path / "one" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    assert rows(open_source(str(tmp_path / "one"))) == [{"text": "train"}]
    with pytest.raises(InputError, match="1 data set: 'train'"):
        open_source(f"{tmp_path}/one::valid")


def test_a_row_group_that_is_longer_than_a_slice_is_read_in_order(tmp_path: Path) -> None:
    source = open_source(parquet(tmp_path, {"id": list(range(25_001))}))
    assert [row["id"] for row in source.rows()] == list(range(25_001))
    # A preview leaves the rest unread.
    assert next(source.rows()) == {"id": 0}
