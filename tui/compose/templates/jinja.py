"""Sandboxed Jinja with bounded work and output, for templates from other people."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from types import BuiltinMethodType
from typing import Any

import jinja2
import msgspec
from jinja2 import StrictUndefined, TemplateError, TemplateRuntimeError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

MAX_TEXT = 10_000_000
"""The maximum characters of a value, and of the whole text of a row."""

MAX_WORK = 50_000_000
"""The work budget for one row, in steps; each character of output is one step."""

_LOOP_COST = 10
"""The steps of one loop iteration, in addition to the text in its body."""

_CALL_COST = 2000
"""The steps of one call; macros are functions and may be recursive."""

_MAX_BITS = 100_000
_PIECES_PER_JOIN = 256
_MAX_ARGUMENT = 100_000
_WIDTHS = re.compile(r"\d{6,}")
_FORMATS = re.compile(r"%[^a-zA-Z%]*(\*|\d{6,})")
_COUNTED = " counted"
_PADDING = ("center", "ljust", "rjust", "zfill", "expandtabs")
_HARMLESS = frozenset(
    {
        *("capitalize", "casefold", "lower", "swapcase", "title", "upper"),
        *("count", "endswith", "find", "index", "rfind", "rindex", "startswith"),
        *("isalnum", "isalpha", "isdigit", "islower", "isnumeric", "isspace", "isupper"),
        *("lstrip", "removeprefix", "removesuffix", "rstrip", "strip"),
        *("partition", "rpartition", "rsplit", "split", "splitlines"),
    }
)
"""Methods of ``str`` whose result is about as large as the text, without side effects."""

_GROWS = (
    nodes.For,
    nodes.Macro,
    nodes.CallBlock,
    nodes.AssignBlock,
    nodes.Block,
    nodes.Call,
    nodes.Concat,
    nodes.Add,
    nodes.Mul,
    nodes.Pow,
    nodes.Mod,
)
"""The nodes that can make the output larger than the row."""


RENDER_ERRORS = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
    MemoryError,
)
"""The errors that rendering a template can raise."""


def as_prompt_text(value: Any) -> str:
    """A row's value as prompt text: empty for null, JSON for nested values."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, (bool, dict, list, tuple)):
        return msgspec.json.encode(value).decode()
    return str(value)


class _QuickCode(CodeGenerator):
    """Outputs texts without calling ``finalize``, which would return them unchanged."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write("(put_out if type(put_out := (")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write(")) is str else environment.finalize(put_out))")


class TemplateLimitError(TemplateRuntimeError):
    """A template exceeds the text or the work allowed for one row."""


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """An environment for one template; tracks the work left for the current row.

    Args:
        finalize: Converts an output value to text.
    """

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, finalize: Callable[[Any], str]) -> None:
        self.left = MAX_WORK
        self.row_size = 0
        self._to_text = finalize
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            finalize=finalize,
            keep_trailing_newline=True,
        )
        del self.globals["lipsum"]
        for name, check in _FILTERS.items():
            self.filters[name] = _checked(self.filters[name], check)
        self.filters[_COUNTED] = self._count_iterations

    def prepare(self, text: str) -> tuple[nodes.Template, bool]:
        """Parse a template, and tell whether its output can be larger than the row.

        Raises:
            TemplateSyntaxError: The text is not valid Jinja.
        """
        tree = self.parse(text)
        grows = any(True for _ in tree.find_all(_GROWS))
        if grows:
            # Output inside loops and macros also counts as work.
            self.finalize = self._to_counted_text
        else:
            self.code_generator_class = _QuickCode
        for loop in list(tree.find_all(nodes.For)):
            text_size = sum(len(data.data) for data in loop.find_all(nodes.TemplateData))
            heavy = any(True for _ in loop.find_all((nodes.Filter, nodes.Call, nodes.Test)))
            cost = nodes.Const(_LOOP_COST + text_size)
            loop.iter = nodes.Filter(
                loop.iter, _COUNTED, [cost, nodes.Const(heavy)], [], None, None
            )
        return tree, grows

    def compiled(self, tree: nodes.Template) -> jinja2.Template:
        """Compile the tree returned by ``prepare``."""
        template = self.from_string(tree)
        # The operator ~ joins its operands with this global of the compiled template.
        template.root_render_func.__globals__["str_join"] = self._join_checked
        return template

    def reset_budget(self, size: int) -> None:
        """Reset the work budget for the next row, which has ``size`` characters."""
        self.left = MAX_WORK
        self.row_size = size >> 4

    def charge(self, steps: int) -> None:
        """Subtract steps from the row's budget.

        Raises:
            TemplateLimitError: The budget is used up.
        """
        self.left -= steps
        if self.left < 0:
            raise TemplateLimitError("the template does too much work for one row")

    def collect(self, pieces: Iterable[str]) -> str:
        """Join the output of a template, up to the maximum size."""
        made: list[str] = []
        size = 0
        left = iter(pieces)
        while some := list(islice(left, _PIECES_PER_JOIN)):
            text = "".join(some)
            size += len(text)
            _check_size(size)
            made.append(text)
        return made[0] if len(made) == 1 else "".join(made)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Evaluate a binary operation, unless the result would be too large."""
        if operator == "*":
            _check_product(left, right)
        elif operator == "**":
            _check_power(left, right)
        elif operator == "+":
            _check_size(_length(left) + _length(right))
        elif isinstance(left, str) and _FORMATS.search(left):
            raise TemplateLimitError("a format width is too large")
        result = super().call_binop(context, operator, left, right)
        self.charge(1 + _length(result))
        return result

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Get an attribute through the sandbox; harmless ``str`` methods directly, for speed."""
        if type(obj) is str and attribute in _HARMLESS:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a function, unless the result would be too large."""
        self.charge(_CALL_COST + self.row_size)
        if (
            type(obj) is BuiltinMethodType
            and type(obj.__self__) is str
            and obj.__name__ in _HARMLESS
        ):
            result = obj(*args, **kwargs)
            self.charge(_length(result))
            return result
        method = getattr(obj, "__wrapped__", obj)
        owner = getattr(method, "__self__", None)
        if isinstance(owner, str):
            args = _check_method(owner, method.__name__, args, kwargs)
        result = super().call(context, obj, *args, **kwargs)
        self.charge(_length(result))
        return result

    def _to_counted_text(self, value: Any) -> str:
        text = value if type(value) is str else self._to_text(value)
        # Same as ``charge``, inlined because this runs for every output.
        self.left -= len(text)
        if self.left < 0:
            self.charge(0)
        return text

    def _count_iterations(self, items: Any, cost: int, heavy: bool) -> Iterator[Any]:
        if heavy:
            cost += self.row_size
        for item in items:
            self.left -= cost
            if self.left < 0:
                self.charge(0)
            yield item

    def _join_checked(self, parts: Iterable[Any]) -> str:
        texts = list(map(str, parts))
        _check_size(sum(map(len, texts)))
        made = "".join(texts)
        self.charge(len(made))
        return made


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, bytes, list, tuple)) else 0


def _check_size(size: int) -> None:
    if size > MAX_TEXT:
        raise TemplateLimitError(f"a text has more than {MAX_TEXT:,} characters")


def _check_arguments(*numbers: Any) -> None:
    for number in numbers:
        if isinstance(number, (int, float)) and abs(number) > _MAX_ARGUMENT:
            raise TemplateLimitError(f"an argument is above {_MAX_ARGUMENT:,}")


def _check_product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > _MAX_BITS:
            raise TemplateLimitError("a number is too large")
        return
    for sequence, times in ((left, right), (right, left)):
        if isinstance(times, int):
            _check_size(_length(sequence) * max(times, 0))


def _check_power(left: Any, right: Any) -> None:
    whole = isinstance(left, int) and isinstance(right, int)
    if whole and left.bit_length() * abs(right) > _MAX_BITS:
        raise TemplateLimitError("a number is too large")


def _check_method(
    text: str, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, ...]:
    """Check a call of a ``str`` method and return the arguments to use."""
    if name in _PADDING:
        _check_arguments(*args, *kwargs.values())
        if name == "expandtabs" and args:
            _check_product(text, args[0])
    elif name == "replace" and len(args) > 1:
        _check_size((len(text) + 1) * max(_length(args[1]), 1))
    elif name == "join" and args:
        items = list(args[0])
        _check_size(len(text) * len(items) + sum(map(_length, items)))
        return (items,)
    elif name in ("format", "format_map"):
        # The width can also be an argument: "{:{}}".format(x, 10**9)
        _check_arguments(*args, *kwargs.values())
        if _WIDTHS.search(text):
            raise TemplateLimitError("a format width is too large")
    return args


def _check_replace(text: Any, old: Any = "", new: Any = "", *_: Any) -> None:
    _check_size((len(str(text)) + 1) * max(len(str(new)), 1))


def _check_indent(text: Any, width: Any = 4, *_: Any) -> None:
    size = len(width) if isinstance(width, str) else width
    _check_arguments(size)
    _check_product(str(text).count("\n") * " ", size)


def _check_wordwrap(text: Any, width: Any = 79, *rest: Any, wrapstring: Any = None) -> None:
    if wrapstring is None and len(rest) > 1:
        wrapstring = rest[1]
    if wrapstring is not None:
        _check_size(len(str(text)) * max(len(str(wrapstring)), 1))


def _check_format(text: Any, *_: Any, **__: Any) -> None:
    if _FORMATS.search(str(text)):
        raise TemplateLimitError("a format width is too large")


def _check_numbers(_: Any, *args: Any, **kwargs: Any) -> None:
    _check_arguments(*args, *kwargs.values())


def _check_round(_: Any, precision: Any = 0, *__: Any, **___: Any) -> None:
    if isinstance(precision, int) and abs(precision) > 100:
        raise TemplateLimitError("the precision of round is too large")


def _check_sum(_: Any, attribute: Any = None, start: Any = 0) -> None:
    if not isinstance(start, (int, float)):
        raise TemplateLimitError("sum works on numbers only")


_FILTERS: dict[str, Callable[..., None]] = {
    "batch": _check_numbers,
    "center": _check_numbers,
    "format": _check_format,
    "indent": _check_indent,
    "replace": _check_replace,
    "round": _check_round,
    "slice": _check_numbers,
    "sum": _check_sum,
    "tojson": _check_numbers,
    "wordwrap": _check_wordwrap,
}
"""Filters whose output can be much larger than their input, with checks of arguments."""


def _checked(function: Callable[..., Any], check: Callable[..., None]) -> Callable[..., Any]:
    """Wrap a filter to check its arguments first."""
    # Some filters get the environment or its context before the value.
    first = 1 if hasattr(function, "jinja_pass_arg") else 0

    @functools.wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        check(*args[first:], **kwargs)
        return function(*args, **kwargs)

    return bounded


ROW_NUMBER = "row_number"
ROW = "row"


class _Values(dict[str, Any]):
    """The variables of a template; an unknown name gives Jinja's ``missing``."""

    def __missing__(self, name: str) -> Any:
        return missing


class CompiledText:
    """A compiled template; renders the same text as Jinja's ``Template.render``, but faster.

    Args:
        environment: The environment that parsed the template.
        tree: The parsed template.
        grows: Whether the text can be larger than the row it is rendered from.
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
        # Only blocks look up the template's own variables through the context.
        self._flat = not any(True for _ in tree.find_all(nodes.Block))

    def render(self, row: Mapping[str, Any], number: int) -> str:
        """Render one row; ``number`` is its row number."""
        values = _Values(self._extras)
        values[ROW_NUMBER] = number
        values[ROW] = row
        values.update(row)
        self._use_values(values)
        if not self._grows:
            return "".join(self._root(self._context))
        return self._render_bounded(sum(len(value) for value in row.values() if type(value) is str))

    def render_all(
        self, columns: Sequence[str], cells: Sequence[Sequence[str]], number: int
    ) -> list[str]:
        """Render consecutive rows; ``number`` is the row number of the first."""
        if ROW in self._names:
            rows = (dict(zip(columns, each, strict=True)) for each in cells)
            return [self.render(row, index) for index, row in enumerate(rows, number)]
        named = [index for index, name in enumerate(columns) if name in self._names]
        if len(named) < 2:
            # With a single index, itemgetter does not return a tuple.
            named = [*named, 0, 0][:2]
        names = [columns[index] for index in named]
        pick = itemgetter(*named)
        values = _Values(self._extras)
        self._use_values(values)
        texts: list[str] = []
        root, context = self._root, self._context
        counts = ROW_NUMBER in self._names
        for index, each in enumerate(cells, number):
            if counts:
                values[ROW_NUMBER] = index
            values.update(zip(names, pick(each)))  # noqa: B905 - same length
            text = (
                self._render_bounded(sum(map(len, each))) if self._grows else "".join(root(context))
            )
            texts.append(text)
        return texts

    def _use_values(self, values: _Values) -> None:
        self._context.parent = values
        if self._flat:
            # Every name is looked up once per row; a dict lookup is the fastest way.
            self._context.resolve_or_missing = values.__getitem__  # type: ignore[assignment, method-assign]

    def _render_bounded(self, size: int) -> str:
        """Render a row of ``size`` characters with a fresh work budget."""
        context = self._context
        context.vars.clear()
        context.exported_vars.clear()
        self._environment.reset_budget(size)
        return self._environment.collect(self._root(context))
