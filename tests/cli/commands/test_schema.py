from __future__ import annotations

import pytest

from tests.cli.conftest import Run
from tui.cli.commands.maintenance import names


def test_documents_are_listed_with_descriptions(run: Run) -> None:
    descriptions = run("schema", "--json").document
    assert {"job", "row"} <= set(descriptions)
    assert all(descriptions.values())
    shown = run("schema").out
    assert all(name in shown for name in descriptions)


@pytest.mark.parametrize("name", names())
def test_a_schema_is_printed(name: str, run: Run) -> None:
    document = run("schema", name).document
    assert document["$schema"].endswith("2020-12/schema")
    assert document["title"] and document["description"]


def test_an_unknown_schema(run: Run) -> None:
    done = run("schema", "jbos")
    assert done.code == 2
    assert "job, jobs" in done.err
