"""Ids of our own: short enough to type, long enough not to meet."""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_job_id() -> str:
    """Ten characters without look-alikes, 50 random bits; any unique prefix names the job."""
    return _random(10)


def new_batch_id() -> str:
    """Twenty characters, 100 random bits: it also goes to the provider, as the intent."""
    return _random(20)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
