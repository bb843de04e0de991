"""Drafts of Compose: what was typed and not submitted, kept across quits and crashes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from tui.files import atomic_write
from tui.paths import Paths
from tui.ui.models.template_form import TemplateFields

FILE = "drafts.json"

MAX_DRAFTS = 20
"""Number of drafts that are kept, the newest."""

NEW_REQUEST_PLACE = "request"
"""The place of a request that belongs to no file."""


class Draft(msgspec.Struct, frozen=True):
    """What was typed for one source.

    Attributes:
        place: The source, with an absolute path.
        at: When it was last changed, in Unix seconds.
        fields: The template form; ``None`` for a single request.
        request: The text of a single request.
        base: The text that the request was before it was edited.
        account: The account chosen.
        name: The name of the job.
    """

    place: str
    at: float = 0.0
    fields: TemplateFields | None = None
    request: str = ""
    base: str = ""
    account: str = ""
    name: str = ""

    def says_the_same(self, other: Draft | None) -> bool:
        """Whether another draft has the same content, whenever it was written."""
        return other is not None and msgspec.structs.replace(other, at=self.at) == self


class Drafts:
    """The drafts of one home, by place; several dashboards may share the file.

    Args:
        paths: Paths of the Batchdeck home.
        now: The clock, in Unix seconds.
    """

    def __init__(self, paths: Paths, now: Callable[[], float] = time.time) -> None:
        self._file = paths.data / FILE
        self._now = now
        self._drafts = _read(self._file)
        self._changed: dict[str, Draft | None] = {}

    def find(self, place: str) -> Draft | None:
        """The draft of a place, if there is one."""
        return self._drafts.get(place)

    def newest(self) -> list[Draft]:
        """All drafts, the newest first."""
        return sorted(self._drafts.values(), key=lambda draft: -draft.at)

    def keep(self, drafts: Iterable[Draft]) -> bool:
        """Note drafts; ``False`` if nothing has changed since they were last noted."""
        for draft in drafts:
            if not draft.says_the_same(self._drafts.get(draft.place)):
                dated = msgspec.structs.replace(draft, at=self._now())
                self._drafts[draft.place] = self._changed[draft.place] = dated
        return bool(self._changed)

    def forget(self, places: Iterable[str]) -> None:
        """Remove the drafts of places, because they were submitted."""
        for place in places:
            if self._drafts.pop(place, None) is not None:
                self._changed[place] = None

    def save(self) -> None:
        """Write what has changed. Blocks on the disk; errors are ignored, as nothing else can be.

        The file is read again first: another dashboard may have written other drafts.
        """
        changed, self._changed = self._changed, {}
        if not changed:
            return
        stored = _read(self._file)
        for place, draft in changed.items():
            if draft is None:
                stored.pop(place, None)
            else:
                stored[place] = draft
        newest = sorted(stored.values(), key=lambda draft: -draft.at)[:MAX_DRAFTS]
        # A text with a lone surrogate cannot be written as JSON.
        with contextlib.suppress(OSError, UnicodeEncodeError):
            atomic_write(self._file, msgspec.json.encode(newest), error=None)


def _read(file: Path) -> dict[str, Draft]:
    try:
        drafts = msgspec.json.decode(file.read_bytes(), type=list[Draft])
    except (OSError, msgspec.MsgspecError):
        return {}
    return {draft.place: draft for draft in drafts}
