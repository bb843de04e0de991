"""How far two reviewers agree: percent, and Cohen's kappa."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """The agreement of two reviewers on the answers that both gave a label.

    Attributes:
        reviewers: Their names.
        rows: How many answers both have labelled.
        same: How many of them got the same label.
        kappa: Cohen's kappa, from -1 to 1: the agreement beyond what two people who give labels
            as often as these, but by chance, would reach (J. Cohen, 1960). ``None`` if it is
            undefined: there are no rows, or both gave one and the same label throughout.
    """

    reviewers: tuple[str, str]
    rows: int = 0
    same: int = 0
    kappa: float | None = None

    @property
    def share(self) -> float | None:
        """Share of the answers with the same label, 0 to 1; ``None`` without rows."""
        return self.same / self.rows if self.rows else None


def measure_agreement(
    reviewers: tuple[str, str], pairs: Mapping[tuple[str, str], int]
) -> Agreement:
    """Measure the agreement of two reviewers.

    Args:
        reviewers: Their names.
        pairs: How often the first gave one label and the second another: counts by both labels.
    """
    rows = sum(pairs.values())
    same = sum(count for (left, right), count in pairs.items() if left == right)
    lefts: Counter[str] = Counter()
    rights: Counter[str] = Counter()
    for (left, right), count in pairs.items():
        lefts[left] += count
        rights[right] += count
    by_chance = sum(count * rights[label] for label, count in lefts.items())
    kappa = None
    if rows * rows > by_chance:
        # In whole numbers as long as possible: full agreement is exactly 1.
        kappa = (same * rows - by_chance) / (rows * rows - by_chance)
    return Agreement(reviewers=reviewers, rows=rows, same=same, kappa=kappa)


def is_disagreement(labels: Iterable[str]) -> bool:
    """Whether the labels of an answer differ; those without a label do not count."""
    return len({label for label in labels if label}) > 1
