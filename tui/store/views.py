"""The views: kept in one file for all jobs, and read anew by each call."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tui.core.analysis.views import MOST_VIEWS, View, check_name
from tui.core.text import quoted
from tui.errors import HistoryError, UsageError
from tui.files import atomic_write
from tui.paths import Paths

VIEWS_FILE = "views.json"


class Views:
    """The views by name; ``history.views``. Blocking: each call reads the file.

    Args:
        paths: Where the file is.
    """

    def __init__(self, paths: Paths) -> None:
        self._file = paths.data / VIEWS_FILE

    def all(self) -> dict[str, View]:
        """All views by name, the one that was saved last at the end.

        Raises:
            HistoryError: The file is damaged.
        """
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, View])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError) as error:
            raise HistoryError(
                f"{self._file} cannot be read: {error}", "Delete it to remove all views."
            ) from error

    def get(self, name: str) -> View:
        """The view of a name.

        Raises:
            UsageError: There is none.
            HistoryError: The file is damaged.
        """
        return _found(self.all(), name)

    def save(self, name: str, view: View) -> None:
        """Keep a view under a name, in place of the one that has the name.

        Raises:
            UsageError: The name or the filter is not valid, or there are too many views.
            HistoryError: The file cannot be read or written.
        """
        name = check_name(name)
        view.check()

        def change(known: dict[str, View]) -> None:
            known.pop(name, None)
            if len(known) >= MOST_VIEWS:
                raise UsageError(f"there are {MOST_VIEWS} views already", "Remove one of them.")
            known[name] = view

        self._change(change)

    def rename(self, name: str, new: str) -> None:
        """Give a view another name, which no view has yet.

        Raises:
            UsageError: There is no such view, or the new name is not valid or taken.
            HistoryError: The file cannot be read or written.
        """
        new = check_name(new)

        def change(known: dict[str, View]) -> None:
            _found(known, name)
            if new != name and new in known:
                raise UsageError(f"there is a view {quoted(new)} already", "Use another name.")
            renamed = {new if each == name else each: view for each, view in known.items()}
            known.clear()
            known.update(renamed)

        self._change(change)

    def remove(self, name: str) -> None:
        """Remove a view.

        Raises:
            UsageError: There is no such view.
            HistoryError: The file cannot be read or written.
        """

        def change(known: dict[str, View]) -> None:
            _found(known, name)
            del known[name]

        self._change(change)

    def _change(self, change: Callable[[dict[str, View]], None]) -> None:
        known = self.all()
        change(known)
        atomic_write(self._file, msgspec.json.encode(known), HistoryError)


def _found(known: dict[str, View], name: str) -> View:
    try:
        return known[name]
    except KeyError:
        names = ", ".join(quoted(each, 30) for each in list(known)[-12:])
        raise UsageError(
            f"there is no view {quoted(name)}",
            f"Views: {names}." if names else "Save one with F in Results, or `batchdeck views`.",
        ) from None
