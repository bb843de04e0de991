"""Finding an account's key: what was typed this session, the environment, the keyring.

A key lives in memory only, is handed to the provider's transport and to nothing else, and
never appears in a file, a message or a log. The keyring may ask the desktop and may hang:
call ``stored_key`` and friends off the event loop.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tui.errors import KeyMissingError

SERVICE = "batchdeck"
"""The name under which keys are kept in the keyring; the account is the user name."""

KeyOrigin = Literal["environment", "keyring", "session"]


@dataclass(frozen=True)
class FoundKey:
    """A key and where it came from; its ``repr`` does not show it."""

    value: str
    origin: KeyOrigin
    name: str

    def __repr__(self) -> str:
        return f"FoundKey(origin={self.origin!r}, name={self.name!r})"


class KeyringTroubleError(KeyMissingError):
    """The keyring is missing, locked or failing; the other two ways still work."""


_session: dict[str, str] = {}


def account_variable(account: str) -> str:
    """The environment variable of one account: ``BATCHDECK_KEY_<ACCOUNT>``."""
    return "BATCHDECK_KEY_" + "".join(c if c.isalnum() else "_" for c in account).upper()


def find_key(account: str, variables: Iterable[str] = ()) -> FoundKey | None:
    """The account's key, or ``None``. May block on the keyring: call it in a thread.

    Args:
        account: The account's name.
        variables: The provider's usual environment variables, tried after the account's own.

    Raises:
        KeyringTroubleError: No key in the environment or the session, and the keyring fails.
    """
    if account in _session:
        # Typed because the others were missing or refused: it wins until the program ends.
        return FoundKey(_session[account], "session", account)
    for variable in (account_variable(account), *variables):
        value = os.environ.get(variable, "").strip()
        if value:
            return FoundKey(value, "environment", variable)
    value = stored_key(account) or ""
    return FoundKey(value, "keyring", account) if value else None


def remember_key(account: str, value: str) -> None:
    """Keep a key until the program ends."""
    _session[account] = value.strip()


def stored_key(account: str) -> str | None:
    """The key in the keyring. Blocking.

    Raises:
        KeyringTroubleError: The keyring cannot be used.
    """
    return _with_keyring("read", account)


def store_key(account: str, value: str) -> None:
    """Put a key into the keyring. Blocking.

    Raises:
        KeyringTroubleError: The keyring cannot be used.
    """
    _with_keyring("write", account, value.strip())


def remove_key(account: str) -> bool:
    """Take the key out of the keyring and the session; was there one? Blocking.

    Raises:
        KeyringTroubleError: The keyring cannot be used.
    """
    had = _session.pop(account, None) is not None
    if stored_key(account) is None:
        return had
    _with_keyring("remove", account)
    return True


def _with_keyring(
    verb: Literal["read", "write", "remove"], account: str, value: str = ""
) -> str | None:
    import keyring
    import keyring.errors

    try:
        if verb == "read":
            return keyring.get_password(SERVICE, account)
        if verb == "write":
            keyring.set_password(SERVICE, account, value)
        else:
            keyring.delete_password(SERVICE, account)
    except keyring.errors.NoKeyringError:
        raise KeyringTroubleError("this machine has no keyring", _other_ways(account)) from None
    except keyring.errors.KeyringLocked:
        raise KeyringTroubleError(
            "the keyring is locked", f"Unlock it. {_other_ways(account)}"
        ) from None
    # Backends raise what their desktop gives them (D-Bus, GLib, OSError), not only KeyringError.
    except Exception as error:
        kind = type(error).__name__
        raise KeyringTroubleError(
            f"the keyring cannot be used ({kind})", _other_ways(account)
        ) from None
    return None


def _other_ways(account: str) -> str:
    return f"Set {account_variable(account)}, or type the key for this session in the dashboard."
