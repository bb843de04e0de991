"""Jinja for strangers' templates: it can do nothing but make text, and not too much of that.

The sandbox of Jinja keeps a template from files and from Python. What it does not stop are
templates that take all memory or all time: ``{{ 'a' * 10**9 }}``, loops in loops, a text that
is doubled again and again. Here every growing step is looked at before it is taken, and a
template has only so much work for one row.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import BuiltinMethodType
from typing import Any

import jinja2
from jinja2 import StrictUndefined, TemplateRuntimeError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST = 10_000_000
"""Characters that one value, and the whole text of a row, may have."""

WORK = 50_000_000
"""Steps that a template may take for one row; a character that is put out is one."""

_TURN = 10
"""What one turn of a loop costs, beside the text in it."""

_CALL = 2000
"""What one call costs: a macro is a function, and may call itself."""

_BITS = 100_000
_PIECES = 256
_MANY = 100_000
_WIDTHS = re.compile(r"\d{6,}")
_FORMATS = re.compile(r"%[^a-zA-Z%]*(\*|\d{6,})")
_COUNTED = " counted"
_PADDING = ("center", "ljust", "rjust", "zfill", "expandtabs")
_PLAIN = frozenset(
    {
        *("capitalize", "casefold", "lower", "swapcase", "title", "upper"),
        *("count", "endswith", "find", "index", "rfind", "rindex", "startswith"),
        *("isalnum", "isalpha", "isdigit", "islower", "isnumeric", "isspace", "isupper"),
        *("lstrip", "removeprefix", "removesuffix", "rstrip", "strip"),
        *("partition", "rpartition", "rsplit", "split", "splitlines"),
    }
)
"""Methods of texts that make no more than about the text of itself, and touch nothing else."""

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
"""What a template needs to make more of a row than it holds."""


class _QuickCode(CodeGenerator):
    """Puts out a text as it is, without a call of ``finalize``, which would give just that."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write("(put_out if type(put_out := (")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write(")) is str else environment.finalize(put_out))")


class TooMuchError(TemplateRuntimeError):
    """A template wants more text or time than one row may have."""


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """An environment for one template, with the work that is left for the row at hand.

    Args:
        finalize: Makes a text of a value that is put out.
    """

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, finalize: Callable[[Any], str]) -> None:
        self.left = WORK
        self.row_size = 0
        self._shown = finalize
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            finalize=finalize,
            keep_trailing_newline=True,
        )
        del self.globals["lipsum"]
        for name, check in _FILTERS.items():
            self.filters[name] = _checked(self.filters[name], check)
        self.filters[_COUNTED] = self._counted

    def prepare(self, text: str) -> tuple[nodes.Template, bool]:
        """Parse a template; can it make more of a row than the row holds?

        Raises:
            TemplateSyntaxError: It is no Jinja.
        """
        tree = self.parse(text)
        grows = any(True for _ in tree.find_all(_GROWS))
        if grows:
            # What is put out inside of loops and macros is work, too.
            self.finalize = self._shown_and_counted
        else:
            self.code_generator_class = _QuickCode
        for loop in list(tree.find_all(nodes.For)):
            said = sum(len(data.data) for data in loop.find_all(nodes.TemplateData))
            heavy = any(True for _ in loop.find_all((nodes.Filter, nodes.Call, nodes.Test)))
            cost = nodes.Const(_TURN + said)
            loop.iter = nodes.Filter(
                loop.iter, _COUNTED, [cost, nodes.Const(heavy)], [], None, None
            )
        return tree, grows

    def compiled(self, tree: nodes.Template) -> jinja2.Template:
        """A template of what ``prepare`` gave."""
        template = self.from_string(tree)
        # The operator ~ joins with this, which the code of a template has as a global.
        template.root_render_func.__globals__["str_join"] = self._joined
        return template

    def begin(self, size: int) -> None:
        """Give the next row, of so many characters, all the work that one may have."""
        self.left = WORK
        self.row_size = size >> 4

    def charge(self, steps: int) -> None:
        """Take steps of the row's work.

        Raises:
            TooMuchError: There are no more.
        """
        self.left -= steps
        if self.left < 0:
            raise TooMuchError("it does too much for one row")

    def collect(self, pieces: Iterable[str]) -> str:
        """The text that a template puts out, as long as it is one for a request."""
        made: list[str] = []
        size = 0
        left = iter(pieces)
        while some := list(islice(left, _PIECES)):
            text = "".join(some)
            size += len(text)
            _check_size(size)
            made.append(text)
        return made[0] if len(made) == 1 else "".join(made)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute, unless the result would be too large."""
        if operator == "*":
            _check_product(left, right)
        elif operator == "**":
            _check_power(left, right)
        elif operator == "+":
            _check_size(_length(left) + _length(right))
        elif isinstance(left, str) and _FORMATS.search(left):
            raise TooMuchError("it sets a width that is too large")
        result = super().call_binop(context, operator, left, right)
        self.charge(1 + _length(result))
        return result

    def getattr(self, obj: Any, attribute: str) -> Any:
        """An attribute as the sandbox gives it out; those of texts that are plain, at once."""
        if type(obj) is str and attribute in _PLAIN:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call, unless it would take too much."""
        self.charge(_CALL + self.row_size)
        if type(obj) is BuiltinMethodType and type(obj.__self__) is str and obj.__name__ in _PLAIN:
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

    def _shown_and_counted(self, value: Any) -> str:
        text = value if type(value) is str else self._shown(value)
        # What ``charge`` does, without a call: this is done for all that is put out.
        self.left -= len(text)
        if self.left < 0:
            self.charge(0)
        return text

    def _counted(self, items: Any, cost: int, heavy: bool) -> Iterator[Any]:
        if heavy:
            cost += self.row_size
        for item in items:
            self.left -= cost
            if self.left < 0:
                self.charge(0)
            yield item

    def _joined(self, parts: Iterable[Any]) -> str:
        texts = list(map(str, parts))
        _check_size(sum(map(len, texts)))
        made = "".join(texts)
        self.charge(len(made))
        return made


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, bytes, list, tuple)) else 0


def _check_size(size: int) -> None:
    if size > LONGEST:
        raise TooMuchError(f"it makes a text of more than {LONGEST:,} characters")


def _check_many(*numbers: Any) -> None:
    for number in numbers:
        if isinstance(number, (int, float)) and abs(number) > _MANY:
            raise TooMuchError(f"it asks for more than {_MANY:,} of something")


def _check_product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > _BITS:
            raise TooMuchError("it makes a number that is too large")
        return
    for sequence, times in ((left, right), (right, left)):
        if isinstance(times, int):
            _check_size(_length(sequence) * max(times, 0))


def _check_power(left: Any, right: Any) -> None:
    whole = isinstance(left, int) and isinstance(right, int)
    if whole and left.bit_length() * abs(right) > _BITS:
        raise TooMuchError("it makes a number that is too large")


def _check_method(
    text: str, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, ...]:
    """Look at a call of a text's method; the arguments to call it with."""
    if name in _PADDING:
        _check_many(*args, *kwargs.values())
        if name == "expandtabs" and args:
            _check_product(text, args[0])
    elif name == "replace" and len(args) > 1:
        _check_size((len(text) + 1) * max(_length(args[1]), 1))
    elif name == "join" and args:
        items = list(args[0])
        _check_size(len(text) * len(items) + sum(map(_length, items)))
        return (items,)
    elif name in ("format", "format_map"):
        # A width may also stand in an argument: "{:{}}".format(x, 10**9)
        _check_many(*args, *kwargs.values())
        if _WIDTHS.search(text):
            raise TooMuchError("it sets a width that is too large")
    return args


def _check_replace(text: Any, old: Any = "", new: Any = "", *_: Any) -> None:
    _check_size((len(str(text)) + 1) * max(len(str(new)), 1))


def _check_indent(text: Any, width: Any = 4, *_: Any) -> None:
    size = len(width) if isinstance(width, str) else width
    _check_many(size)
    _check_product(str(text).count("\n") * " ", size)


def _check_wordwrap(text: Any, width: Any = 79, *rest: Any, wrapstring: Any = None) -> None:
    if wrapstring is None and len(rest) > 1:
        wrapstring = rest[1]
    if wrapstring is not None:
        _check_size(len(str(text)) * max(len(str(wrapstring)), 1))


def _check_format(text: Any, *_: Any, **__: Any) -> None:
    if _FORMATS.search(str(text)):
        raise TooMuchError("it sets a width that is too large")


def _check_numbers(_: Any, *args: Any, **kwargs: Any) -> None:
    _check_many(*args, *kwargs.values())


def _check_round(_: Any, precision: Any = 0, *__: Any, **___: Any) -> None:
    if isinstance(precision, int) and abs(precision) > 100:
        raise TooMuchError("it rounds to too many places")


def _check_sum(_: Any, attribute: Any = None, start: Any = 0) -> None:
    if not isinstance(start, (int, float)):
        raise TooMuchError("it sums up what are no numbers")


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
"""Filters that can make far more than they are given, and what looks at their arguments."""


def _checked(function: Callable[..., Any], check: Callable[..., None]) -> Callable[..., Any]:
    """A filter that looks at its arguments first."""
    # Some filters are handed the environment or its settings before the value.
    first = 1 if hasattr(function, "jinja_pass_arg") else 0

    @functools.wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        check(*args[first:], **kwargs)
        return function(*args, **kwargs)

    return bounded
