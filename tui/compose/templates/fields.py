"""Texts with fields that are filled in from a row: ``{column}`` or Jinja."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal

from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError, nodes

from tui.compose.templates.jinja import (
    RENDER_ERRORS,
    ROW,
    ROW_NUMBER,
    BoundedEnvironment,
    CompiledText,
    as_prompt_text,
)
from tui.compose.templates.jinja_process import ProcessText, is_linear
from tui.core.text import one_line, quoted
from tui.errors import InputError

Syntax = Literal["auto", "braces", "jinja", "plain"]
"""``auto``: Jinja if the text contains ``{{``, ``{%`` or ``{#``, otherwise braces."""

_NAME = r"[^\W\d][\w .\-/]*|@[^\W\d][\w.\-\[\]]*"
_FIELD = re.compile(rf"\{{({_NAME})\}}")
_UNDEFINED = re.compile(r"'(?P<name>[^']*)' is undefined|has no attribute '(?P<key>[^']*)'")
_ONLY_TEXT = {str}


MAX_ROW_CHARACTERS = 100_000_000
"""The maximum characters that the columns of one row add to a text."""

_FEW_FIELDS = 16
"""So many fields cannot make a text much longer than its row."""


def is_field_name(name: str) -> bool:
    """Whether ``{name}`` is a field in every text, whatever the columns of the source are."""
    return re.fullmatch(_NAME, name) is not None


class UnknownFieldError(Exception):
    """A text (``where``) uses a column (``name``) that the row does not have."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(name)
        self.name = name
        self.where = where


class FieldText:
    """A text compiled once and filled in for each row.

    With braces, ``{name}`` inserts a column if the source has one of this name, or if the name
    starts with a letter and consists of letters, digits, spaces, ``.``, ``-``, ``/`` and ``_``.
    ``{@name}`` inserts a field of an answer, if the rows are those of a job.
    All other braces are literal, so JSON examples need no escaping. In Jinja, the columns are
    variables, ``row["Any name"]`` gives any column, and a sandbox limits what the template can
    do. Both have ``row_number``, which counts from 1.

    Args:
        text: The text; surrounding white space is stripped.
        where: What the text is, for errors: "the user message".
        syntax: How fields are written.
        columns: The columns of the source.

    Attributes:
        fields: The names of the columns it uses; empty for a Jinja template with logic.
        pieces: The text split at its fields, as pairs of text or name and whether it is a
            field; ``None`` for a Jinja template with logic.

    Raises:
        InputError: The text is not a valid Jinja template.
    """

    def __init__(
        self, text: str, *, where: str, syntax: Syntax = "auto", columns: Iterable[str] = ()
    ) -> None:
        self.where = where
        self.text = text = text.strip()
        if syntax == "auto":
            syntax = "jinja" if re.search(r"\{[{%#]", text) else "braces"
        self._jinja: CompiledText | ProcessText | None = None
        if syntax == "plain":
            pieces: list[tuple[str, bool]] | None = [(text, False)]
        elif syntax == "braces":
            pieces = [(p, bool(i % 2)) for i, p in enumerate(_field_pattern(columns).split(text))]
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
        """Compile Jinja; a template that only inserts columns is returned as pieces."""
        environment = BoundedEnvironment(as_prompt_text)
        try:
            parsed = environment.parse(text)
            _check_names(parsed, environment)
            linear = is_linear(parsed)
            tree, grows = environment.prepare(text)
            pieces = _pieces_of(tree)
            if pieces is None:
                # Anything else may take all time and memory: a process that can be ended does it.
                self._jinja = (
                    CompiledText(environment, tree, grows) if linear else ProcessText(text, tree)
                )
            return pieces
        except TemplateSyntaxError as error:
            raise InputError(
                f"{self.where}, line {error.lineno}: {one_line(error.message or '', 120)}",
                "Fix the Jinja template, or set syntax = 'braces'.",
            ) from None
        # Nested too deeply for Jinja, or for the Python code it compiles to.
        except (TemplateError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise InputError(
                f"{self.where} cannot be used: {one_line(str(error), 120) or 'nested too deeply'}",
                "Simplify the template.",
            ) from None

    @property
    def is_constant(self) -> bool:
        """Whether the text is the same for every row."""
        return self._jinja is None and not self.fields

    def fill_all(
        self, columns: Sequence[str], cells: Sequence[Sequence[str]], number: int
    ) -> list[str]:
        """Fill in a Jinja template for consecutive rows, given as lists of cells.

        Errors do not say which row failed; call ``fill`` for each row to find out.

        Args:
            columns: The names of the columns.
            cells: The cells of each row, in the order of ``columns``.
            number: The number of the first row.

        Raises:
            Exception: A row cannot be filled in.
        """
        assert self._jinja is not None
        return self._jinja.render_all(columns, cells, number)

    def fits(self, lengths: Iterable[int]) -> bool:
        """Whether values with these lengths, one for each field, do not make it too long."""
        return len(self._names) <= _FEW_FIELDS or sum(lengths) <= MAX_ROW_CHARACTERS

    def fill(self, row: Mapping[str, Any], number: int) -> str:
        """Fill in the text for one row.

        Args:
            row: Column names to values.
            number: The row's number, from 1.

        Raises:
            UnknownFieldError: The row lacks a column that the text uses.
            InputError: The Jinja template fails in another way.
        """
        if self._jinja is not None:
            return self._fill_jinja(self._jinja.render, row, number)
        if not self.fields:
            return self.text
        try:
            values = self._values(row)
        except KeyError:
            values = self._values(_Numbered(row, number, self.where))
        # With one name, the value itself is returned and not a tuple.
        given = (values,) if len(self._names) == 1 else values
        if not self.fits(len(as_prompt_text(value)) for value in given):
            raise InputError(
                f"row {number}: {self.where} has more than {MAX_ROW_CHARACTERS:,} characters",
                "Insert a long column only once.",
                line=number,
            )
        if len(self._names) == 1:
            return self._format % (values if type(values) is str else as_prompt_text(values),)
        if {*map(type, values)} != _ONLY_TEXT:
            values = tuple(map(as_prompt_text, values))
        filled: str = self._format % values
        return filled

    def _fill_jinja(
        self, render: Callable[[Mapping[str, Any], int], str], row: Mapping[str, Any], number: int
    ) -> str:
        try:
            return render(row, number)
        except UndefinedError as error:
            found = _UNDEFINED.search(str(error))
            if found is not None and not str(error).startswith("'None'"):
                name = found["name"] or found["key"] or ""
                raise UnknownFieldError(name, self.where) from None
            raise self._failed(number, error) from None
        except RENDER_ERRORS as error:
            raise self._failed(number, error) from None

    def _failed(self, number: int, error: Exception) -> InputError:
        return InputError(
            f"row {number}: {self.where} cannot be rendered: {one_line(str(error), 120)}",
            "Fix the template or the row.",
            line=number,
        )


class _Numbered(Mapping[str, Any]):
    """A row together with its number; rows may know more names than they list."""

    def __init__(self, row: Mapping[str, Any], number: int, where: str) -> None:
        self._row = row
        self._number = number
        self._where = where

    def __getitem__(self, name: str) -> Any:
        try:
            return self._row[name]
        except KeyError:
            if name == ROW_NUMBER:
                return self._number
            raise UnknownFieldError(name, self._where) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)


def _field_pattern(columns: Iterable[str]) -> re.Pattern[str]:
    """Matches a field of any column, such as ``{2019}`` or ``{Price (EUR)}``."""
    others = [name for name in columns if re.fullmatch(_NAME, name) is None]
    if not others:
        return _FIELD
    names = "|".join(re.escape(name) for name in sorted(others, key=len, reverse=True))
    return re.compile(rf"\{{({_NAME}|{names})\}}")


def _check_names(tree: nodes.Template, environment: BoundedEnvironment) -> None:
    """Check that the filters and tests of a template exist.

    Raises:
        TemplateSyntaxError: One does not.
    """
    for kind, what, known in (
        (nodes.Filter, "filter", environment.filters),
        (nodes.Test, "test", environment.tests),
    ):
        for node in tree.find_all(kind):
            if node.name not in known:
                raise TemplateSyntaxError(f"No {what} named {node.name!r}.", node.lineno)


def _pieces_of(tree: nodes.Template) -> list[tuple[str, bool]] | None:
    """The pieces of a template that only inserts columns, else ``None``."""
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
    """The error for a missing column, with the closest existing name as a hint."""
    known = [str(column) for column in columns]
    similar = difflib.get_close_matches(name, known, n=1, cutoff=0.5) or [
        column for column in known if column.lower().strip() == name.lower().strip()
    ]
    listed = ", ".join(quoted(column, 30) for column in known[:12])
    hint = f"Did you mean {quoted(similar[0])}? " if similar else ""
    return InputError(
        f"row {number}: unknown column {quoted(name)} in {where}",
        f"{hint}Columns: {listed or 'none'}.",
        line=number,
    )
