"""The filter language of rows: its conditions, its parser, and its keys with their help."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Literal

import msgspec

from tui.core.analysis.columns import (
    FACTS,
    ColumnCondition,
    InvalidConditionError,
    is_on_answer,
    parse_column,
    parse_condition,
    write_value,
)
from tui.core.analysis.number_range import ANY, NumberRange
from tui.core.reviews.review import STATES, VERDICTS
from tui.core.rows import ANSWERED, NOT_SUCCEEDED, UNANSWERED, Outcome
from tui.core.text import PatternSizeError, check_pattern_size, close_matches
from tui.errors import UsageError

SortColumn = Literal[
    "seq",
    "custom_id",
    "outcome",
    "status",
    "code",
    "attempt",
    "input_tokens",
    "output_tokens",
    "finish",
    "model",
    "cost",
    "length",
]
"""The columns that the database can sort by."""


class RowFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions that a row must all meet; an unset condition matches every row.

    Attributes:
        outcomes: Any of these outcomes.
        error_group: The id of an error group of this job.
        groups: Any of the error groups with these keys (``ErrorGroup.key``).
        code: The provider's error code, or an HTTP status in digits.
        codes: Any of these codes, in addition to ``code``.
        finish: Any of these finish reasons.
        models: Any of these models.
        attempt: The number of the attempt that is shown.
        input_tokens: Tokens of the prompt.
        output_tokens: Tokens of the answer.
        tokens: Input and output tokens together.
        length: Characters of the answer.
        cost: Cost in the account's currency, if the provider bills each row.
        custom_id: A part of the id; with ``*`` or ``?`` a pattern for the whole id.
        text: Text to find in the ``custom_id``, the request or the result line
            (case-insensitive); with the prefix ``re:`` a regular expression.
        texts: More texts, all of which must be found.
        checks: Checks of the answer (see ``tui.store.search.answer_checks``), such as ``json:bad``.
        reviews: Labels or states of reviews (see ``tui.core.reviews.review``), any of them.
        reviewers: Reviewers; without ``reviews``, those who gave the answer a label.
        columns: Conditions on columns, all of which must be met.
        differs: Pairs of columns that both have a value, and not the same one.
    """

    outcomes: frozenset[Outcome] = frozenset()
    error_group: int | None = None
    groups: frozenset[str] = frozenset()
    code: str = ""
    codes: frozenset[str] = frozenset()
    finish: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    attempt: NumberRange = ANY
    input_tokens: NumberRange = ANY
    output_tokens: NumberRange = ANY
    tokens: NumberRange = ANY
    length: NumberRange = ANY
    cost: NumberRange = ANY
    custom_id: str = ""
    text: str = ""
    texts: tuple[str, ...] = ()
    checks: frozenset[str] = frozenset()
    reviews: frozenset[str] = frozenset()
    reviewers: frozenset[str] = frozenset()
    columns: tuple[ColumnCondition, ...] = ()
    differs: tuple[tuple[str, str], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it matches every row."""
        return self == ALL_ROWS

    @property
    def selects_answers(self) -> bool:
        """Whether it names rows by their outcome, answer or review, so that a retry sends them all.

        With any other filter, a retry sends the failed rows among those that match.
        """
        return bool(
            self.outcomes or self.groups or self.checks or self.reviews or self.reviewers
        ) or any(map(is_on_answer, (*chain(*self.differs), *(one.column for one in self.columns))))

    @property
    def search_texts(self) -> tuple[str, ...]:
        """All texts to find."""
        return tuple(text for text in (self.text, *self.texts) if text)

    @classmethod
    def errors_only(cls) -> RowFilter:
        """A filter for the rows that ended without an answer."""
        return cls(outcomes=UNANSWERED)


class RowSort(msgspec.Struct, frozen=True, kw_only=True):
    """A sort order; rows with equal values keep the order of the input.

    Attributes:
        column: ``seq`` for the order of the input, or the name of a column (``@label``).
        descending: From the largest value to the smallest; rows without a value come last.
        more: Columns that order rows with equal values, each with its direction.
    """

    column: str = "seq"
    descending: bool = False
    more: tuple[tuple[str, bool], ...] = ()

    @property
    def keys(self) -> tuple[tuple[str, bool], ...]:
        """All columns to sort by, the most important first, and whether each is descending."""
        return ((self.column, self.descending), *self.more)


class RowSelection(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that match a filter, in order, as row numbers.

    ``seqs`` is a ``range`` or an ``array('q')``: at most eight bytes per row. ``total`` is the
    number of rows in the job.
    """

    seqs: Sequence[int]
    total: int

    def __len__(self) -> int:
        return len(self.seqs)


ALL_ROWS = RowFilter()
"""A filter that matches every row."""

INPUT_ORDER = RowSort()
"""The order of ``requests.jsonl``."""


_OUTCOME_SETS: dict[str, frozenset[Outcome]] = {
    "answered": ANSWERED,
    "unanswered": UNANSWERED,
    "bad": NOT_SUCCEEDED,
}
"""Words for sets of outcomes."""

_CHECKS = ("ok", "bad")
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6}
# The patterns are compiled when they are first used: most commands read no query.
_NUMBER = r"(\d[\d_]*(?:\.\d+)?|\.\d+)([kKmM]?)"
_SPAN = r"(>=|<=|>|<|=)?([^<>=]+)"
_BETWEEN = r"(.+?)(?:\.\.|-)(.+)"


class InvalidValueError(ValueError):
    """An invalid value of a key; ``meant`` is a suggested replacement."""

    def __init__(self, message: str, meant: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.meant = meant


class Key(msgspec.Struct, frozen=True):
    """A key: its name, aliases, an example, one line of help, and values to choose from."""

    name: str
    example: str
    help: str
    meet: Callable[[RowFilter, str], RowFilter]
    others: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


def key_named(word: str) -> Key | None:
    """The key with a name or alias, case-insensitive; ``None`` if unknown."""
    return _BY_NAME.get(word.lower())


def _or(rows: RowFilter, field: str, values: frozenset[Any]) -> RowFilter:
    return msgspec.structs.replace(rows, **{field: getattr(rows, field) | values})


def _listed(value: str) -> list[str]:
    return [part for part in value.split(",") if part]


def _outcome(rows: RowFilter, value: str) -> RowFilter:
    found: frozenset[Outcome] = frozenset()
    words = _listed(value.lower())
    for word in words:
        if word in _OUTCOME_SETS:
            found |= _OUTCOME_SETS[word]
        elif word in OUTCOME_WORDS:
            found |= {Outcome(word)}
        else:
            near = close_matches(word, OUTCOME_WORDS)
            rest = (
                ["outcome:" + ",".join(near[0] if w == word else w for w in words)] if near else []
            )
            raise InvalidValueError(f"Unknown outcome {word!r}", *rest)
    return _or(rows, "outcomes", found)


def _words(field: str) -> Callable[[RowFilter, str], RowFilter]:
    def meet(rows: RowFilter, value: str) -> RowFilter:
        return _or(rows, field, frozenset(_listed(value)))

    return meet


def _folded(field: str) -> Callable[[RowFilter, str], RowFilter]:
    """Words that are compared without regard to case."""

    def meet(rows: RowFilter, value: str) -> RowFilter:
        return _or(rows, field, frozenset(_listed(value.casefold())))

    return meet


def _group(rows: RowFilter, value: str) -> RowFilter:
    return _or(rows, "groups", frozenset(_listed(value.lower())))


def _custom_id(rows: RowFilter, value: str) -> RowFilter:
    if rows.custom_id:
        raise InvalidValueError("id: can be given only once")
    return msgspec.structs.replace(rows, custom_id=value)


def _expression(rows: RowFilter, value: str) -> RowFilter:
    # Compile with the package that runs the search; it is slow to import.
    import regex

    try:
        check_pattern_size(value)
        regex.compile(value)
    except PatternSizeError as error:
        raise InvalidValueError(f"re: is too large: {error}") from None
    except (regex.error, ValueError, OverflowError, RecursionError) as error:
        raise InvalidValueError(f"re: is not a regular expression: {error}") from None
    return _with_needle(rows, f"re:{value}")


def _check(name: str) -> Callable[[RowFilter, str], RowFilter]:
    def meet(rows: RowFilter, value: str) -> RowFilter:
        word = value.lower()
        if word not in _CHECKS:
            raise InvalidValueError(f"{name}: must be ok or bad", f"{name}:bad")
        return _or(rows, "checks", frozenset({f"{name}:{word}"}))

    return meet


def _differs(rows: RowFilter, value: str) -> RowFilter:
    for place, character in enumerate(value):
        if character == ",":
            try:
                names = parse_column(value[:place]), parse_column(value[place + 1 :])
            except UsageError:
                continue
            pair = (str(names[0]), str(names[1]))
            return msgspec.structs.replace(rows, differs=(*rows.differs, pair))
    raise InvalidValueError("differs: needs two columns, such as differs:in.label,@label")


def _number(name: str, field: str, *, whole: bool = True) -> Callable[[RowFilter, str], RowFilter]:
    def meet(rows: RowFilter, value: str) -> RowFilter:
        span = getattr(rows, field).meet(_span(name, value, whole=whole))
        return msgspec.structs.replace(rows, **{field: span})

    return meet


def _span(name: str, value: str, *, whole: bool) -> NumberRange:
    """``5``, ``>5``, ``>=5``, ``<5``, ``<=5``, ``5-9`` and ``5..9``, with ``k`` and ``m``."""
    match = re.fullmatch(_SPAN, value)
    if match is not None:
        sign, rest = match[1] or "", match[2].strip()
        between = re.fullmatch(_BETWEEN, rest) if not sign else None
        parts = [between[1], between[2]] if between is not None else [rest]
        numbers = [_amount(part) for part in parts]
        if None not in numbers:
            bounds = [number for number in numbers if number is not None]
            if len(bounds) == 2:
                return NumberRange(min(bounds), max(bounds))
            return _bounded(sign, bounds[0], whole=whole)
    raise InvalidValueError(
        f"{name}: needs a number, such as {name}:>500, {name}:<=20 or {name}:5-9"
    )


def _bounded(sign: str, bound: float, *, whole: bool) -> NumberRange:
    if sign == ">":
        return NumberRange(
            least=math.floor(bound) + 1 if whole else math.nextafter(bound, math.inf)
        )
    if sign == "<":
        return NumberRange(most=math.ceil(bound) - 1 if whole else math.nextafter(bound, -math.inf))
    return NumberRange(least=None if sign == "<=" else bound, most=None if sign == ">=" else bound)


def _amount(word: str) -> float | None:
    match = re.fullmatch(_NUMBER, word.strip().lstrip("$"))
    if match is None:
        return None
    return float(match[1].replace("_", "")) * _UNITS[match[2].lower()]


OUTCOME_WORDS = (*(outcome.value for outcome in Outcome), *_OUTCOME_SETS)

KEYS: tuple[Key, ...] = (
    Key(
        "outcome", "outcome:failed,expired", "result of the row", _outcome,
        choices=OUTCOME_WORDS,
    ),
    Key("code", "code:429", "error code or HTTP status", _words("codes"), ("error",)),
    Key("group", "group:1f0c2a7b", "error group by its key", _group),
    Key("attempt", "attempt:>1", "number of the attempt shown", _number("attempt", "attempt"),
        ("try",)),
    Key("tokens", "tokens:>500", "input and output tokens together", _number("tokens", "tokens")),
    Key("in", "in:>4k", "input tokens", _number("in", "input_tokens"), ("input",)),
    Key("out", "out:<20", "output tokens", _number("out", "output_tokens"), ("output",)),
    Key("length", "length:<20", "characters of the answer", _number("length", "length"), ("len",)),
    Key("cost", "cost:>0.01", "what the row cost", _number("cost", "cost", whole=False)),
    Key("finish", "finish:length", "why the model stopped", _words("finish"),
        choices=("stop", "length", "tool_calls", "content_filter", "end_turn", "max_tokens")),
    Key("model", "model:gpt-5-mini", "the model that answered", _words("models")),
    Key("id", "id:review-00*", "part of the id, or a pattern", _custom_id, ("custom_id",)),
    Key("json", "json:bad", "is the answer JSON?", _check("json"), choices=_CHECKS),
    Key("schema", "schema:bad", "does it match the requested schema?", _check("schema"),
        choices=_CHECKS),
    Key("review", "review:wrong", "what reviewers said about the answer, or a label of theirs",
        _folded("reviews"), choices=(*VERDICTS, *STATES)),
    Key("reviewer", "reviewer:anna", "who reviewed the answer", _folded("reviewers")),
    Key("differs", "differs:in.label,@label", "two columns with different values", _differs),
    Key("re", "re:refund.*", "a regular expression, in request and answer", _expression),
)  # fmt: skip
"""All keys, in the order of the help."""

_BY_NAME: dict[str, Key] = {name: key for key in KEYS for name in (key.name, *key.others)}

_OWN_VALUES = ("outcome", "review")
"""Keys with more values than the columns of their names."""


_TOKEN = r'(?:"[^"]*(?:"|$)|[^\s"])+'
_KEYED = r"(?s)([A-Za-z_]+):(.*)"
_COLUMN = (
    r'(?s)(-?)(@(?:"[^"]*"|\[[^\]\s]*\]|[^\s":<>=\[])+|in\.(?:"[^"]*"|[^\s":<>=]+)|calc\.\w+|'
    + "|".join(FACTS)
    + r'|(?:"[^"]*"|[^\s":<>=@]+)\.(?:answer|@(?:"[^"]*"|\[[^\]\s]*\]|[^\s":<>=\[])+)'
    + r")(?::|(?=[<>=]))(.*)"
)
"""A condition on a column: an optional minus, the name, and the value."""

_COMPARED = r"([A-Za-z_]+)([<>]=?\d.*)"
_SIMILARITY = 0.75


class Term(msgspec.Struct, frozen=True):
    """One condition as typed; ``key`` is empty for plain text, ``re`` for a regular expression.

    ``key`` is the name of a column, with ``-`` in front if the condition is negated, for conditions
    on columns. ``start`` and ``stop`` are its position in the query.
    """

    written: str
    key: str
    value: str
    start: int = 0
    stop: int = 0


class Problem(msgspec.Struct, frozen=True):
    """An error in a query, its position, and a suggested replacement (or empty)."""

    message: str
    meant: str
    start: int
    stop: int


class Query(msgspec.Struct, frozen=True):
    """A parsed query; terms with a problem are left out of the filter.

    Attributes:
        terms: The conditions, in the order typed.
        rows: The filter that they describe.
        problems: The terms that could not be parsed.
    """

    terms: tuple[Term, ...] = ()
    rows: RowFilter = ALL_ROWS
    problems: tuple[Problem, ...] = ()


def parse_query(text: str) -> Query:
    """Parse a query. Never fails; see ``Query.problems``."""
    terms: list[Term] = []
    problems: list[Problem] = []
    rows = ALL_ROWS
    for term in _terms(text):
        try:
            rows = _narrowed(rows, term)
        except InvalidValueError as error:
            problems.append(Problem(error.message, error.meant, term.start, term.stop))
        else:
            terms.append(term)
    return Query(tuple(terms), rows, tuple(problems))


def query_filter(text: str) -> RowFilter:
    """The filter that a query describes.

    Raises:
        UsageError: A part of it is not valid.
    """
    query = parse_query(text)
    for problem in query.problems:
        hint = f"Did you mean {problem.meant}?" if problem.meant else ""
        message = f"{problem.message[:1].lower()}{problem.message[1:]}"
        raise UsageError(message, hint or "See `batchdeck results --help`.")
    return query.rows


def written(terms: Iterable[Term]) -> str:
    """Format terms as a query; adjacent phrases are quoted to keep them separate."""
    parts: list[str] = []
    plain_before = False
    for term in terms:
        plain = not term.key and not term.written.startswith('"')
        if plain and plain_before:
            parts.append(quote_value(term.value, always=True))
        else:
            parts.append(term.written)
        plain_before = plain
    return " ".join(parts)


def make_term(key: str, value: str) -> Term:
    """A term for any value, quoted if necessary."""
    prefix = f"{key}:" if key else ""
    return Term(prefix + quote_value(value), key, value)


def make_column_term(column: str, values: Sequence[str | None], *, negated: bool = False) -> Term:
    """A term for the rows with one of some values of a column; ``None`` for those without one."""
    if column == "review" and not negated:
        return make_term(column, ",".join(value or "none" for value in values))
    # Without quotation marks an id is a part of ids.
    quotes = column == "custom_id"
    value = ",".join(write_value(value, always_quoted=quotes) for value in values)
    key = ("-" if negated else "") + column
    return Term(f"{key}:{value}", key, value)


def quote_value(value: str, *, always: bool = False) -> str:
    """A value as written in a query."""
    # Quotes cannot be escaped; no value to compare with contains one.
    value = value.replace('"', "")
    return f'"{value}"' if always or not value or re.search(r"\s", value) else value


def last_token(text: str) -> str:
    """The word that is being typed at the end of a query; empty after a space."""
    tokens = list(re.finditer(_TOKEN, text))
    return tokens[-1].group() if tokens and tokens[-1].end() == len(text) else ""


def column_in(token: str) -> str | None:
    """The name of the column that a condition is on; ``None`` for any other word."""
    named = re.fullmatch(_COLUMN, token)
    return named[2] if named is not None and _is_column(*named.groups()) else None


def _terms(text: str) -> list[Term]:
    found: list[Term] = []
    for match in re.finditer(_TOKEN, text):
        token, start, stop = match.group(), match.start(), match.end()
        if (named := re.fullmatch(_COLUMN, token)) is not None and _is_column(*named.groups()):
            found.append(Term(token, named[1] + named[2], named[3], start, stop))
            continue
        keyed = re.fullmatch(_KEYED, token)
        key = keyed[1].lower() if keyed is not None and _is_key(keyed[1]) else ""
        if key and keyed is not None:
            # A regular expression keeps its case; quotes only group.
            found.append(Term(token, key, keyed[2].replace('"', ""), start, stop))
            continue
        before = found[-1] if found else None
        if (compared := re.fullmatch(_COMPARED, token)) is not None and _is_numeric(compared[1]):
            # Comparison without a colon: tokens>500.
            key, value = compared[1].lower(), compared[2]
            found.append(Term(f"{key}:{value}", key, value, start, stop))
            continue
        plain = not token.startswith('"')
        if plain and before is not None and not before.key and not before.written.startswith('"'):
            # Spaces between plain words are part of the phrase, as typed.
            phrase = text[before.start : stop]
            found[-1] = Term(phrase, "", phrase.replace('"', ""), before.start, stop)
        else:
            found.append(Term(token, "", token.replace('"', ""), start, stop))
    return [term for term in found if term.key or term.value]


def _is_column(minus: str, word: str, value: str) -> bool:
    """Whether a condition is on a column; a key of the same name has its own syntax.

    It is on the column after all with ``none``, values in quotation marks, or a list of numbers.
    """
    if minus or (key := key_named(word)) is None:
        return True
    if key.name in _OWN_VALUES or '"' in value:
        return key.name not in _OWN_VALUES
    parts = value.lower().split(",")
    return ("none" in parts and key.name != "id") or (len(parts) > 1 and _is_numeric(word))


def _is_key(word: str) -> bool:
    """Whether a word before a colon is a key, or similar enough to be a misspelled one.

    Anything else is text: ``http://``, ``sandbox:refuse``.
    """
    return key_named(word) is not None or bool(_nearest(word))


def _is_numeric(word: str) -> bool:
    """Whether a word is a key with numeric values, like ``tokens``."""
    key = key_named(word)
    return key is not None and any(sign in key.example for sign in "<>")


def _nearest(word: str) -> str:
    names = [name for key in KEYS for name in (key.name, *key.others)]
    near = close_matches(word.lower(), names, cutoff=_SIMILARITY)
    return near[0] if near else ""


def _narrowed(rows: RowFilter, term: Term) -> RowFilter:
    if not term.key:
        return with_text(rows, term.value)
    named = re.fullmatch(_COLUMN, term.written)
    if named is not None and _is_column(*named.groups()):
        return _with_column(rows, named[2], term.value, negated=bool(named[1]))
    key = key_named(term.key)
    if key is None:
        meant = f"{_nearest(term.key)}:{term.value}"
        raise InvalidValueError(f"Unknown key {term.key}:", meant)
    if not term.value:
        raise InvalidValueError(f"{key.name}: needs a value, such as {key.example}")
    return key.meet(rows, term.value)


def _with_column(rows: RowFilter, name: str, value: str, *, negated: bool) -> RowFilter:
    try:
        column = str(parse_column(name))
        condition = parse_condition(column, value, negated=negated)
    except UsageError as error:
        raise InvalidValueError(error.message) from None
    except InvalidConditionError as error:
        raise InvalidValueError(str(error)) from None
    if column == "outcome":
        words = (_OUTCOME_SETS.get(text, {text}) for text in condition.texts)
        texts = frozenset(str(outcome) for word in words for outcome in word)
        condition = msgspec.structs.replace(condition, texts=texts)
    return msgspec.structs.replace(rows, columns=(*rows.columns, condition))


def with_text(rows: RowFilter, text: str) -> RowFilter:
    """The filter narrowed to rows that contain a text (never a regular expression)."""
    return _with_needle(rows, f"re:{re.escape(text)}" if text.startswith("re:") else text)


def _with_needle(rows: RowFilter, needle: str) -> RowFilter:
    if not rows.text:
        return msgspec.structs.replace(rows, text=needle)
    return msgspec.structs.replace(rows, texts=(*rows.texts, needle))
