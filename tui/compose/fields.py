"""Texts with fields that a row fills in: ``{column}``, or Jinja where it is asked for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, Literal

import jinja2
import msgspec
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tui.core.text import one_line, quoted
from tui.errors import InputError

Syntax = Literal["auto", "braces", "jinja", "plain"]
"""``auto``: Jinja where the text holds ``{{``, ``{%`` or ``{#``, otherwise braces."""

_FIELD = re.compile(r"\{([^\W\d][\w .\-/]*)\}")
_UNDEFINED = re.compile(r"'(?P<name>[^']*)' is undefined|has no attribute '(?P<key>[^']*)'")
_ROW_NUMBER = "row_number"
_ROW = "row"


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


def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, finalize=shown, keep_trailing_newline=True
    )


def _renderer(template: jinja2.Template) -> Callable[[dict[str, Any]], str]:
    """What ``Template.render`` does, without copying the row twice."""
    known = dict(template.globals)

    def render(values: dict[str, Any]) -> str:
        context = template.new_context({**known, **values}, shared=True)
        return "".join(template.root_render_func(context))

    return render


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

    Raises:
        InputError: It is no correct Jinja template.
    """

    def __init__(self, text: str, *, where: str, syntax: Syntax = "auto") -> None:
        self.where = where
        self.text = text = text.strip()
        if syntax == "auto":
            syntax = "jinja" if re.search(r"\{[{%#]", text) else "braces"
        self._jinja: Callable[[dict[str, Any]], str] | None = None
        if syntax == "plain":
            pieces: list[tuple[str, bool]] | None = [(text, False)]
        elif syntax == "braces":
            pieces = [(p, bool(i % 2)) for i, p in enumerate(_FIELD.split(text))]
        else:
            pieces = self._compile(text)
        self.fields: frozenset[str] = frozenset()
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
        environment = _environment()
        try:
            pieces = _simple(environment.parse(text))
            if pieces is None:
                self._jinja = _renderer(environment.from_string(text))
            return pieces
        except TemplateSyntaxError as error:
            raise InputError(
                f"{self.where}, line {error.lineno}: {one_line(error.message or '', 120)}",
                "Mend the Jinja template, or set syntax = 'braces'.",
            ) from None

    @property
    def is_constant(self) -> bool:
        """Is the text the same for every row?"""
        return self._jinja is None and not self.fields

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
            return self._fill_jinja(self._jinja, row, number)
        if not self.fields:
            return self.text
        try:
            values = self._values(row)
        except KeyError:
            missing = [name for name in self._names if name not in row and name != _ROW_NUMBER]
            if missing:
                raise UnknownFieldError(missing[0], self.where) from None
            values = self._values({**row, _ROW_NUMBER: number})
        if len(self._names) == 1:
            return self._format % (values if type(values) is str else shown(values),)
        return self._format % tuple(map(shown, values))

    def _fill_jinja(
        self, render: Callable[[dict[str, Any]], str], row: Mapping[str, Any], number: int
    ) -> str:
        try:
            return render({_ROW_NUMBER: number, _ROW: row, **row})
        except UndefinedError as error:
            found = _UNDEFINED.search(str(error))
            if found is not None:
                name = found["name"] or found["key"] or ""
                raise UnknownFieldError(name, self.where) from None
            raise self._failed(number, error) from None
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise self._failed(number, error) from None
        except (AttributeError, OverflowError, RecursionError, MemoryError) as error:
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
            elif isinstance(inner, nodes.Name) and inner.name != _ROW:
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
