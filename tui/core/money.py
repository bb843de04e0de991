"""Money as a person reads it, in one form wherever it is shown: ``$0.0378``, ``~$12.50``.

Documents for scripts hold plain numbers and the currency's code instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.core.jobs import Cost

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}

LEAST = 0.0001
"""Less is shown as ``<$0.0001``: a hundredth of a cent."""

UNKNOWN = "-"


def money(amount: float | None, currency: str = "USD") -> str:
    """An amount: ``$1,234.50``, ``$0.0378``, ``0.50 CHF``; ``-`` when it is not known, never zero.

    Cents, and below one dollar what is left of four digits.
    """
    if amount is None:
        return UNKNOWN
    if is_tiny(amount):
        return "<" + money(LEAST, currency)
    figure = f"{amount:,.2f}"
    if 0 < amount < 1:
        digits = f"{amount:.4f}".rstrip("0")
        figure = max(digits, f"{amount:.2f}", key=len)
    sign = _SIGNS.get(currency)
    return f"{sign}{figure}" if sign else f"{figure} {currency}"


def is_tiny(amount: float) -> bool:
    """Is it shown as less than the least?"""
    return 0 < amount < LEAST / 2


def cost_words(of: Cost) -> str:
    """What a job cost, else what we, or the provider, think that it costs (``~``), else ``-``."""
    if of.actual is not None:
        return money(of.actual, of.currency)
    guess = of.told if of.estimated is None else of.estimated
    return UNKNOWN if guess is None else "~" + money(guess, of.currency)
