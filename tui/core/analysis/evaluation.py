"""Answers compared with known true values: accuracy, scores of each class, confusion matrix.

The true value of a row is called *gold*. Values are texts and are compared as they are.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from itertools import repeat

import msgspec

from tui.core.counters import BoundedCounter

MAX_CLASSES = 10_000
"""Different values that are counted one by one; further ones are counted together."""

OTHER = "(others)"
"""Heading of the classes of a matrix that have no row and column of their own."""

_MAX_CELLS = 100_000
_LONGEST_NAME = 120
_KEPT_OF_LONG = 80
_EXAMPLES = 5
_Z = 1.959963984540054
_QUOTES = "\"'`“”‘’«»„"


class Interval(msgspec.Struct, frozen=True):
    """A range from ``low`` to ``high`` of a share, 0 to 1."""

    low: float
    high: float


def wilson(successes: int, total: int) -> Interval | None:
    """The 95 % Wilson score interval of a share; ``None`` without any observation."""
    if total <= 0:
        return None
    share = successes / total
    square = _Z * _Z
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = (
        _Z
        / (1 + square / total)
        * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    )
    # Rounding must not leave the share itself out.
    return Interval(max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def normalise(value: str) -> str:
    """A value without surrounding space and quotation marks, and without upper case."""
    return value.strip().strip(_QUOTES).strip().casefold()


def class_name(value: str) -> str:
    """The name of the class of a value: the value, or the start of a long one and its digest."""
    if len(value) <= _LONGEST_NAME:
        return value
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{value[:_KEPT_OF_LONG]}… ({len(value):,} characters, {digest})"


class ClassScore(msgspec.Struct, frozen=True, kw_only=True):
    """How well one class is found.

    Attributes:
        name: The value.
        support: Rows whose gold is this class.
        answered: Rows whose answer is this class.
        right: Rows where both are.
        precision: Share of ``answered`` that is right; ``None`` if it was never answered.
        recall: Share of ``support`` that is right; ``None`` if it is never gold.
        f1: Harmonic mean of both; 0 if one of them is ``None``.
    """

    name: str
    support: int
    answered: int
    right: int
    precision: float | None
    recall: float | None
    f1: float


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of rows by gold (rows of the table) and answer (columns of the table).

    Attributes:
        classes: The names of the most frequent classes, in order.
        cells: A list of counts for each class, and one more for all other classes if
            ``has_other``; each list has a count for each class in the same order.
        has_other: Whether the last row and column are all other classes together.
    """

    classes: tuple[str, ...] = ()
    cells: tuple[tuple[int, ...], ...] = ()
    has_other: bool = False

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings of rows and columns."""
        return (*self.classes, OTHER) if self.has_other else self.classes


class Spelling(msgspec.Struct, frozen=True, kw_only=True):
    """Gold and answer that differ only in case, surrounding space or quotation marks."""

    gold: str
    answer: str
    rows: int


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Result of comparing answers with gold.

    ``rows`` = ``compared`` + ``without_gold`` + ``without_answer`` + ``without_value`` +
    ``without_both``.

    Attributes:
        rows: Rows that were looked at.
        compared: Rows with gold and with a value of the answer; all scores are about these.
        agree: Compared rows whose values are equal.
        without_gold: Rows with a value of the answer but without gold.
        without_answer: Rows with gold whose request has no answer (failed, pending …).
        without_value: Rows with gold whose answer lacks the value, for example because it is
            not JSON.
        without_both: Rows without gold and without a value of the answer.
        accuracy: Share of equal values; ``None`` if nothing was compared.
        interval: Its 95 % Wilson score interval.
        kappa: Cohen's kappa; ``None`` if it is undefined or not ``exact``.
        macro_f1: Mean F1 of all classes; ``None`` if nothing was compared or not ``exact``.
        weighted_f1: Mean F1 of all classes, weighted by support; ``None`` as ``macro_f1``.
        distinct: Number of classes in gold and answers; a lower bound if not ``exact``.
        exact: Whether each class was counted by itself. If there are more than
            ``MAX_CLASSES``, the later ones are counted together.
        classes: Scores of the most frequent classes.
        confusion: The confusion matrix of the most frequent classes.
        normalised: Whether the values were normalised before they were compared.
        spellings: Compared rows that are not equal, but would be if normalised.
        examples: The most frequent of these.
        unknown_ids: Ids of a file with gold that the job does not have.
        repeated_ids: Rows of a file with gold whose id came before; the first one counts.
        is_whole: Whether all rows were read.
    """

    rows: int = 0
    compared: int = 0
    agree: int = 0
    without_gold: int = 0
    without_answer: int = 0
    without_value: int = 0
    without_both: int = 0
    accuracy: float | None = None
    interval: Interval | None = None
    kappa: float | None = None
    macro_f1: float | None = None
    weighted_f1: float | None = None
    distinct: int = 0
    exact: bool = True
    classes: tuple[ClassScore, ...] = ()
    confusion: Confusion = Confusion()
    normalised: bool = False
    spellings: int = 0
    examples: tuple[Spelling, ...] = ()
    unknown_ids: int = 0
    repeated_ids: int = 0
    is_whole: bool = True


class Evaluator:
    """Builds an ``Evaluation`` from pairs of gold and answer, in bounded memory.

    Args:
        normalised: Normalise both values before they are compared (see ``normalise``).
        max_classes: Different values that are counted one by one.
    """

    def __init__(self, *, normalised: bool = False, max_classes: int = MAX_CLASSES) -> None:
        self._normalised = normalised
        self._max_classes = max_classes
        self._numbers: dict[str, int] = {}
        self._cells: dict[tuple[int, int], int] = {}
        self._gold: list[int] = []
        self._answers: list[int] = []
        self._right: list[int] = []
        self._exact = True
        self._rows = self._compared = self._agree = self._spelled = 0
        self._without_gold = self._without_answer = self._without_value = self._without_both = 0
        self._spellings = BoundedCounter(200)

    def add(
        self, gold: str | None, answer: str | None, *, has_answer: bool = True, rows: int = 1
    ) -> None:
        """Add a row, or several that are alike.

        Args:
            gold: The true value; ``None`` if there is none.
            answer: The value of the answer; ``None`` if there is none.
            has_answer: Whether the row has an answer at all.
            rows: Number of rows.
        """
        self._rows += rows
        if gold is None or answer is None:
            if gold is not None:
                if has_answer:
                    self._without_value += rows
                else:
                    self._without_answer += rows
            elif answer is not None:
                self._without_gold += rows
            else:
                self._without_both += rows
            return
        self._compared += rows
        if self._normalised:
            gold, answer = normalise(gold), normalise(answer)
        is_same = gold == answer
        self._agree += rows * is_same
        if not is_same and not self._normalised and normalise(gold) == normalise(answer):
            self._spelled += rows
            named = class_name(gold)
            self._spellings.add(repeat(f"{len(named)}:{named}{class_name(answer)}", rows))
        row, column = self._number(gold), self._number(answer)
        self._gold[row] += rows
        self._answers[column] += rows
        self._right[row] += rows * is_same
        cell = (row, column)
        if cell not in self._cells and len(self._cells) >= _MAX_CELLS and row != column:
            # Both classes keep their totals; the cell is counted with the other classes.
            cell = (_REST, _REST)
            self._exact = False
        self._cells[cell] = self._cells.get(cell, 0) + rows

    def _number(self, value: str) -> int:
        """The number of the class of a value; ``_REST`` for a class that is not counted alone."""
        if not self._gold:
            self._append()
        name = class_name(value)
        number = self._numbers.get(name)
        if number is None:
            if len(self._numbers) >= self._max_classes:
                self._exact = False
                return _REST
            number = self._numbers[name] = len(self._gold)
            self._append()
        return number

    def _append(self) -> None:
        for counts in (self._gold, self._answers, self._right):
            counts.append(0)

    def evaluation(self, most: int = 20) -> Evaluation:
        """The scores of all rows added so far.

        Args:
            most: Most classes in the confusion matrix and the list of classes.
        """
        scores = self._scores()
        scores.sort(key=lambda score: (-score.support, -score.answered, score.name))
        compared = self._compared
        has_means = bool(compared) and self._exact
        return Evaluation(
            rows=self._rows,
            compared=compared,
            agree=self._agree,
            without_gold=self._without_gold,
            without_answer=self._without_answer,
            without_value=self._without_value,
            without_both=self._without_both,
            accuracy=self._agree / compared if compared else None,
            interval=wilson(self._agree, compared),
            kappa=self._kappa() if has_means else None,
            macro_f1=sum(score.f1 for score in scores) / len(scores) if has_means else None,
            weighted_f1=(
                sum(score.f1 * score.support for score in scores) / compared if has_means else None
            ),
            distinct=len(scores),
            exact=self._exact,
            classes=tuple(scores[:most]),
            confusion=self._confusion([score.name for score in scores[:most]]),
            normalised=self._normalised,
            spellings=self._spelled,
            examples=tuple(self._examples()),
        )

    def _scores(self) -> list[ClassScore]:
        return [
            _score(name, self._gold[number], self._answers[number], self._right[number])
            for name, number in self._numbers.items()
        ]

    def _kappa(self) -> float | None:
        total = self._compared
        chance = sum(
            gold * answered for gold, answered in zip(self._gold, self._answers, strict=True)
        )
        if chance == total * total:
            return None
        return (total * self._agree - chance) / (total * total - chance)

    def _confusion(self, names: list[str]) -> Confusion:
        places = {self._numbers[name]: place for place, name in enumerate(names)}
        rest = len(names)
        has_other = len(self._numbers) > rest or not self._exact
        size = rest + has_other
        cells = [[0] * size for _ in range(size)]
        for (row, column), count in self._cells.items():
            cells[places.get(row, rest)][places.get(column, rest)] += count
        return Confusion(classes=tuple(names), cells=tuple(map(tuple, cells)), has_other=has_other)

    def _examples(self) -> Iterable[Spelling]:
        for pair, rows in self._spellings.tally(_EXAMPLES).items:
            length, _, names = pair.partition(":")
            yield Spelling(gold=names[: int(length)], answer=names[int(length) :], rows=rows)


_REST = 0
"""Number of the classes that are counted together."""


def _score(name: str, support: int, answered: int, right: int) -> ClassScore:
    return ClassScore(
        name=name,
        support=support,
        answered=answered,
        right=right,
        precision=right / answered if answered else None,
        recall=right / support if support else None,
        f1=2 * right / (support + answered),
    )
