"""Texts with fields that a row fills in: ``{column}``, or Jinja where it is asked for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal

import msgspec
from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError, nodes

from tui.compose.bounded import BoundedEnvironment
from tui.compose.compiled import ROW, ROW_NUMBER, CompiledText
from tui.core.text import one_line, quoted
from tui.errors import InputError

Syntax = Literal["auto", "braces", "jinja", "plain"]
"""``auto``: Jinja where the text holds ``{{``, ``{%`` or ``{#``, otherwise braces."""

_FIELD = re.compile(r"\{([^\W\d][\w .\-/]*)\}")
_UNDEFINED = re.compile(r"'(?P<name>[^']*)' is undefined|has no attribute '(?P<key>[^']*)'")
_TEXTS = {str}

FAILURES = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
    MemoryError,
)
"""What a template raises that cannot be filled in."""


class UnknownFieldError(Exception):
    """A text (``where``) asks for a column (``name``) that the row does not have."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(name)
        self.name = name
        self.where = where


def shown(value: Any) -> str:
    """A value of a row as it stands in a prompt: nothing for null, JSON for what is nested."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, (bool, dict, list, tuple)):
        return msgspec.json.encode(value).decode()
    return str(value)


class FieldText:
    """A text compiled once and filled in for each row.

    With braces, ``{name}`` stands for a column where the name looks like one (it begins with
    a letter and holds letters, digits, spaces, ``.``, ``-``, ``/`` or ``_``); every other
    brace is an ordinary character, so that JSON examples need no care. In Jinja the columns
    are variables, ``row["Any name"]`` reaches every column, and the sandbox keeps the text
    from doing anything but making text. Both know ``row_number``, counted from 1.

    Args:
        text: The text; white space around it is left out.
        where: What it is, for errors: "the user message".
        syntax: How fields are written.

    Attributes:
        pieces: The text cut at its fields, each with whether it is one; ``None`` for a
            template that does more than to put columns in.

    Raises:
        InputError: It is no correct Jinja template.
    """

    def __init__(self, text: str, *, where: str, syntax: Syntax = "auto") -> None:
        self.where = where
        self.text = text = text.strip()
        if syntax == "auto":
            syntax = "jinja" if re.search(r"\{[{%#]", text) else "braces"
        self._jinja: CompiledText | None = None
        if syntax == "plain":
            pieces: list[tuple[str, bool]] | None = [(text, False)]
        elif syntax == "braces":
            pieces = [(p, bool(i % 2)) for i, p in enumerate(_FIELD.split(text))]
        else:
            pieces = self._compile(text)
        self.fields: frozenset[str] = frozenset()
        self.pieces = pieces
        if pieces is not None:
            names = [piece for piece, is_field in pieces if is_field]
            self.fields = frozenset(names)
            if not names:
                self.text = "".join(piece for piece, _ in pieces)
            self._format = "".join(
                "%s" if is_field else piece.replace("%", "%%") for piece, is_field in pieces
            )
            self._names = names
            self._values: Callable[[Mapping[str, Any]], Any] = itemgetter(*names) if names else dict

    def _compile(self, text: str) -> list[tuple[str, bool]] | None:
        """Compile Jinja; a text that only puts columns in is given back in pieces."""
        environment = BoundedEnvironment(shown)
        try:
            tree, grows = environment.prepare(text)
            pieces = _simple(tree)
            if pieces is None:
                self._jinja = CompiledText(environment, tree, grows)
            return pieces
        except TemplateSyntaxError as error:
            raise InputError(
                f"{self.where}, line {error.lineno}: {one_line(error.message or '', 120)}",
                "Mend the Jinja template, or set syntax = 'braces'.",
            ) from None
        # Nested too deeply for Jinja, or for the Python that it makes of a template.
        except (TemplateError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise InputError(
                f"{self.where} cannot be used: {one_line(str(error), 120) or 'it is too deep'}",
                "Make the template simpler.",
            ) from None

    @property
    def is_constant(self) -> bool:
        """Is the text the same for every row?"""
        return self._jinja is None and not self.fields

    def fill_all(
        self, columns: Sequence[str], cells: Sequence[Sequence[str]], number: int
    ) -> list[str]:
        """The texts of a Jinja template for rows in a row, given as the cells of columns.

        Nothing tells which row is at fault: ``fill`` does, for one after the other.

        Args:
            columns: The names.
            cells: For each row its texts, in the order of ``columns``.
            number: Of the first row.

        Raises:
            Exception: A row cannot be filled in.
        """
        assert self._jinja is not None
        return self._jinja.render_all(columns, cells, number)

    def fill(self, row: Mapping[str, Any], number: int) -> str:
        """The text for one row.

        Args:
            row: Column to value.
            number: The row's number, from 1.

        Raises:
            UnknownFieldError: The row lacks a column that the text asks for.
            InputError: The Jinja template fails in another way.
        """
        if self._jinja is not None:
            return self._fill_jinja(self._jinja.render, row, number)
        if not self.fields:
            return self.text
        try:
            values = self._values(row)
        except KeyError:
            missing = [name for name in self._names if name not in row and name != ROW_NUMBER]
            if missing:
                raise UnknownFieldError(missing[0], self.where) from None
            values = self._values({**row, ROW_NUMBER: number})
        if len(self._names) == 1:
            return self._format % (values if type(values) is str else shown(values),)
        if {*map(type, values)} != _TEXTS:
            values = tuple(map(shown, values))
        made: str = self._format % values
        return made

    def _fill_jinja(
        self, render: Callable[[Mapping[str, Any], int], str], row: Mapping[str, Any], number: int
    ) -> str:
        try:
            return render(row, number)
        except UndefinedError as error:
            found = _UNDEFINED.search(str(error))
            if found is not None:
                name = found["name"] or found["key"] or ""
                raise UnknownFieldError(name, self.where) from None
            raise self._failed(number, error) from None
        except FAILURES as error:
            raise self._failed(number, error) from None

    def _failed(self, number: int, error: Exception) -> InputError:
        return InputError(
            f"row {number}: {self.where} cannot be filled in: {one_line(str(error), 120)}",
            "Mend the template, or the row.",
            line=number,
        )


def _simple(tree: nodes.Template) -> list[tuple[str, bool]] | None:
    """The pieces of a template that does nothing but put columns in, else ``None``."""
    pieces: list[tuple[str, bool]] = []
    for node in tree.body:
        if not isinstance(node, nodes.Output):
            return None
        for inner in node.nodes:
            if isinstance(inner, nodes.TemplateData):
                pieces.append((inner.data, False))
            elif isinstance(inner, nodes.Name) and inner.name != ROW:
                pieces.append((inner.name, True))
            else:
                return None
    return pieces


def unknown_column(name: str, columns: Iterable[str], number: int, where: str) -> InputError:
    """The error for a column that is not there, with the nearest that is."""
    known = [str(column) for column in columns]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5) or [
        column for column in known if column.lower().strip() == name.lower().strip()
    ]
    listed = ", ".join(quoted(column, 30) for column in known[:12])
    hint = f"Did you mean {quoted(near[0])}? " if near else ""
    return InputError(
        f"row {number}: there is no column {quoted(name)}, which {where} asks for",
        f"{hint}Columns: {listed or 'none'}.",
        line=number,
    )
