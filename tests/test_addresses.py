"""Addresses of files: their parts, their names, and what is shown of them."""

from __future__ import annotations

import pytest

from tui.addresses import is_address, name_at, parse_address, shown_address


@pytest.mark.parametrize(
    ("spec", "shown", "name", "part"),
    [
        ("https://h.org/a/b.csv", "https://h.org/a/b.csv", "b.csv", ""),
        ("HTTPS://h.org/b.xlsx::Sheet 1", "https://h.org/b.xlsx::Sheet 1", "b.xlsx", "Sheet 1"),
        ("https://h.org/b.csv?sig=K#x", "https://h.org/b.csv?…", "b.csv", ""),
        ("http://[::1]:80/b.db::t", "http://[::1]:80/b.db::t", "b.db", "t"),
        ("https://h.org", "https://h.org/", "h.org", ""),
        ("https://h.org/..%2Fetc%2Fpasswd", "https://h.org/..%2Fetc%2Fpasswd", "passwd", ""),
        ("https://h.org/" + "x" * 300 + ".csv", "https://h.org/" + "x" * 300 + ".csv",
         "x" * 76 + ".csv", ""),
        ("s3://bucket/a b/c?d.csv", "s3://bucket/a b/c?d.csv", "c-d.csv", ""),
        ("hf://datasets/o/n@r/p.parquet", "hf://datasets/o/n@r/p.parquet", "p.parquet", ""),
    ],
)  # fmt: skip
def test_an_address_is_read_and_shown_without_its_query(
    spec: str, shown: str, name: str, part: str
) -> None:
    assert is_address(spec)
    address = parse_address(spec)
    assert (address.shown, address.name, address.part) == (shown, name, part)
    assert shown_address(spec) == shown
    assert name_at(shown) == name


def test_what_is_no_address_is_left_as_it_is() -> None:
    for spec in ("table.csv", "job:reviews", "-", "C:/x.csv", "httpsx/y"):
        assert not is_address(spec)
        assert shown_address(spec) == spec
    assert shown_address("https://anna:pw@h.org/x?key=K") == "https://h.org/x?…"
