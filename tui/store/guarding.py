"""Damage met while reading the history, told as what it is."""

from __future__ import annotations

import functools
import inspect
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tui.store.database import history_error

_DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError, msgspec.MsgspecError)
"""What SQLite, its texts and the JSON in its cells raise when bytes were lost."""


C = TypeVar("C")


@contextmanager
def told_as_damage(path: Path) -> Iterator[None]:
    """Turn the errors of a damaged database into one that a person can act on.

    Raises:
        HistoryError: In place of them.
    """
    try:
        yield
    except _DAMAGE as error:
        raise history_error(error, path) from error


def guarded(cls: type[C]) -> type[C]:
    """Let every public method of a class with a ``database`` tell damage as ``HistoryError``."""
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            wrap = _generating if inspect.isgeneratorfunction(method) else _calling
            setattr(cls, name, wrap(method))
    return cls


def _calling(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *values: Any, **named: Any) -> Any:
        with told_as_damage(self.database.path):
            return method(self, *values, **named)

    return call


def _generating(method: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    @functools.wraps(method)
    def generate(self: Any, *values: Any, **named: Any) -> Iterator[Any]:
        with told_as_damage(self.database.path):
            yield from method(self, *values, **named)

    return generate
