"""A Jinja template compiled once, with one context for all rows in place of one for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from jinja2 import nodes
from jinja2.utils import missing

from tui.compose.bounded import BoundedEnvironment

ROW_NUMBER = "row_number"
ROW = "row"


class _Values(dict[str, Any]):
    """What a template may name; everything else is missing to it, as Jinja wants to hear."""

    def __missing__(self, name: str) -> Any:
        return missing


class CompiledText:
    """Does what ``Template.render`` does.

    Args:
        environment: The template's own.
        tree: The template, parsed.
        grows: Can it make more of a row than the row holds?
    """

    def __init__(self, environment: BoundedEnvironment, tree: nodes.Template, grows: bool) -> None:
        self._environment = environment
        self._names = {node.name for node in tree.find_all(nodes.Name)}
        template = environment.compiled(tree)
        self._context = template.new_context()
        self._root = template.root_render_func
        known = self._context.parent
        self._extras = {name: known[name] for name in self._names if name in known}
        self._grows = grows
        # A block asks the context for what the template has set; nothing else has to.
        self._flat = not any(True for _ in tree.find_all(nodes.Block))

    def render(self, row: Mapping[str, Any], number: int) -> str:
        """The text for one row and its number."""
        values = _Values(self._extras)
        values[ROW_NUMBER] = number
        values[ROW] = row
        values.update(row)
        self._take(values)
        if not self._grows:
            return "".join(self._root(self._context))
        return self._bounded(sum(len(value) for value in row.values() if type(value) is str))

    def render_all(
        self, columns: Sequence[str], cells: Sequence[Sequence[str]], number: int
    ) -> list[str]:
        """The texts for rows in a row, of which the first has this number."""
        if ROW in self._names:
            rows = (dict(zip(columns, each, strict=True)) for each in cells)
            return [self.render(row, place) for place, row in enumerate(rows, number)]
        named = [place for place, name in enumerate(columns) if name in self._names]
        if len(named) < 2:
            # An itemgetter of one place gives no tuple.
            named = [*named, 0, 0][:2]
        names = [columns[place] for place in named]
        pick = itemgetter(*named)
        values = _Values(self._extras)
        self._take(values)
        made: list[str] = []
        root, context = self._root, self._context
        counts = ROW_NUMBER in self._names
        for place, each in enumerate(cells, number):
            if counts:
                values[ROW_NUMBER] = place
            values.update(zip(names, pick(each)))  # noqa: B905 - as many as were picked
            text = self._bounded(sum(map(len, each))) if self._grows else "".join(root(context))
            made.append(text)
        return made

    def _take(self, values: _Values) -> None:
        self._context.parent = values
        if self._flat:
            # Every name of a template is looked up once for each row: a dict is quicker at it.
            self._context.resolve_or_missing = values.__getitem__  # type: ignore[assignment, method-assign]

    def _bounded(self, size: int) -> str:
        """The text for a row of so many characters, with all the work that one may have."""
        context = self._context
        context.vars.clear()
        context.exported_vars.clear()
        self._environment.begin(size)
        return self._environment.collect(self._root(context))
