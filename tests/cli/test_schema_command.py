from __future__ import annotations

import pytest

from tui.cli.schema import names

from .conftest import Run


def test_documents_are_named_and_described(run: Run) -> None:
    told = run("schema", "--json").document
    assert {"job", "row"} <= set(told)
    assert all(told.values())
    assert all(name in run("schema").out for name in told)


@pytest.mark.parametrize("name", names())
def test_one_is_printed_as_it_is(name: str, run: Run) -> None:
    document = run("schema", name).document
    assert document["$schema"].endswith("2020-12/schema")
    assert document["title"] and document["description"]


def test_a_name_that_is_none(run: Run) -> None:
    done = run("schema", "jbos")
    assert done.code == 2
    assert "job, jobs" in done.err
