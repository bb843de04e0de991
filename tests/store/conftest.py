from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store.bench import Desk
from tui.paths import Paths


@pytest.fixture
def desk(paths: Paths) -> Iterator[Desk]:
    made = Desk(paths)
    yield made
    made.history.close()
