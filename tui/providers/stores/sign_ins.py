"""Which credentials of clouds this machine has, told without the network and without secrets."""

from __future__ import annotations

import os
from pathlib import Path

from tui.providers.profiles.model import Profile, SignIn

_ASKS_NETWORK = frozenset({"iam-role", "container-role"})
"""Providers of botocore that ask a server, which takes seconds on a machine that has none."""

_GOOGLE_FILE = "GOOGLE_APPLICATION_CREDENTIALS"


def ways_of(profile: Profile) -> tuple[SignIn, ...]:
    """The ways to sign in at a provider, and at the bucket where it keeps files."""
    ways = list(profile.auth.ways)
    if profile.store.kind == "s3" and not profile.store.access_key_env:
        ways.append("aws")
    return tuple(dict.fromkeys(ways))


def found_credentials(profile: Profile) -> dict[str, str]:
    """What this machine has of the credentials that an account of a provider can use.

    Returns:
        By way: where they are, in words; "none found", or what has to be installed. Those that
        only a server of the machine has (roles of EC2, Cloud Run) are not asked for.
    """
    found: dict[str, str] = {}
    for way in ways_of(profile):
        if way == "aws":
            found[way] = _aws()
        elif way == "google":
            found[way] = _google()
    return found


def _aws() -> str:
    try:
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session
    except ImportError:
        return "batchdeck[aws] is not installed"
    try:
        for provider in Session().get_component("credential_provider").providers:
            if provider.METHOD not in _ASKS_NETWORK and provider.load() is not None:
                return str(provider.METHOD)
    except BotoCoreError as error:
        return f"not usable ({type(error).__name__})"
    return "none found"


def _google() -> str:
    try:
        from google.auth import _cloud_sdk
    except ImportError:
        return "batchdeck[google] is not installed"
    if given := os.environ.get(_GOOGLE_FILE):
        return _GOOGLE_FILE if Path(given).is_file() else f"{_GOOGLE_FILE} names no file"
    path = _cloud_sdk.get_application_default_credentials_path()  # type: ignore[no-untyped-call]
    usual = Path(path)
    return "gcloud auth application-default login" if usual.is_file() else "none found"
