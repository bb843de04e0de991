"""API keys of accounts: from this session, the environment or the keyring.

A key that was typed or stored belongs to an account and to the origin of its address (scheme,
host and port): an account of that name with another address has to be given its key anew.

A key is held in memory only, passed to the provider's transport only, and never appears in a
file, a message or a log. The keyring may prompt the user and block for up to
``KEYRING_SECONDS``: call ``stored_key``, ``store_key`` and ``remove_key`` in a thread.
"""

from __future__ import annotations

import getpass
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NoReturn
from urllib.parse import urlsplit

from tui.errors import KeyMissingError

SERVICE = "batchdeck"
"""Service name of our entries in the keyring; the user name is the account and its origin."""

KEYRING_SECONDS = 8.0
"""How long the keyring may take: it may wait for a prompt that nobody sees."""

KeyOrigin = Literal["environment", "keyring", "session"]


@dataclass(frozen=True)
class FoundKey:
    """A key and its origin; the ``repr`` hides the key."""

    value: str
    origin: KeyOrigin
    name: str

    def __repr__(self) -> str:
        return f"FoundKey(origin={self.origin!r}, name={self.name!r})"


class KeyringUnavailableError(KeyMissingError):
    """The keyring is missing, locked or failing; a key can still come from elsewhere."""


_session: dict[str, str] = {}


def account_variable(account: str) -> str:
    """The environment variable of one account: ``BATCHDECK_KEY_<ACCOUNT>``."""
    return "BATCHDECK_KEY_" + "".join(c if c.isalnum() else "_" for c in account).upper()


def sharing(account: str, accounts: Iterable[str]) -> list[str]:
    """The other accounts whose environment variable has the same name as this one's."""
    own = account_variable(account)
    return [name for name in accounts if name != account and account_variable(name) == own]


def _entry(account: str, address: str) -> str:
    """The name under which a key is kept."""
    if not address:
        return account
    parts = urlsplit(address)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme.lower(), 0)
    return f"{account} {parts.scheme.lower()}://{(parts.hostname or '').lower()}:{port}"


def find_key(
    account: str, variables: Iterable[str] = (), *, address: str = "", own: bool = True
) -> FoundKey | None:
    """Find the account's key. May block on the keyring: call it in a thread.

    Args:
        account: The account's name.
        variables: The provider's usual environment variables, tried after the account's own.
        address: The account's base URL; a key that was given for another origin is not found.
        own: Whether to read the account's own variable; not if it is another account's too.

    Returns:
        The key, or ``None`` when none was found.

    Raises:
        KeyringUnavailableError: There is no key in the session or the environment, and the
            keyring failed.
    """
    entry = _entry(account, address)
    if entry in _session:
        # Entered because the others were missing or rejected: it wins until the program ends.
        return FoundKey(_session[entry], "session", account)
    for variable in (*([account_variable(account)] if own else []), *variables):
        value = os.environ.get(variable, "").strip()
        if value:
            return FoundKey(value, "environment", variable)
    value = stored_key(account, address) or ""
    return FoundKey(value, "keyring", account) if value else None


def remember_key(account: str, value: str, address: str = "") -> None:
    """Keep a key for an account and its address in memory until the program ends."""
    _session[_entry(account, address)] = value.strip()


def stored_key(account: str, address: str = "") -> str | None:
    """The key in the keyring. Blocking.

    Raises:
        KeyringUnavailableError: The keyring failed.
    """
    return _with_keyring("read", account, _entry(account, address))


def store_key(account: str, value: str, address: str = "") -> None:
    """Save a key for an account and its address in the keyring. Blocking.

    Raises:
        KeyringUnavailableError: The keyring failed.
    """
    _with_keyring("write", account, _entry(account, address), value.strip())


def remove_key(account: str, address: str = "") -> bool:
    """Remove the key from the keyring and the session. Blocking.

    A key that was stored without an address, by an older version, is removed too.

    Returns:
        Whether there was a key.

    Raises:
        KeyringUnavailableError: The keyring failed.
    """
    had = False
    for entry in {_entry(account, address), account}:
        had = _session.pop(entry, None) is not None or had
        if _with_keyring("read", account, entry) is not None:
            _with_keyring("remove", account, entry)
            had = True
    return had


class _PromptRefusedError(Exception):
    """The keyring wanted to ask for a password on a terminal that is in use."""


def refuse_terminal_prompts() -> None:
    """Let a keyring fail that asks for its password on the terminal, which a screen uses."""

    def refuse(*_args: object, **_options: object) -> NoReturn:
        raise _PromptRefusedError

    getpass.getpass = refuse


_one_call = threading.Lock()
_last_call: list[threading.Thread] = []
"""The last call of the keyring, which may still hang."""


def _within_deadline(call: Callable[[], str | None], account: str) -> str | None:
    """Call the keyring in a thread that nobody has to wait for, not even the end of the program.

    Raises:
        KeyringUnavailableError: It does not answer; while an earlier call hangs, at once.
    """
    results: list[str | None] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:
            errors.append(error)

    with _one_call:
        if not any(thread.is_alive() for thread in _last_call):
            thread = threading.Thread(target=run, name="keyring", daemon=True)
            _last_call[:] = [thread]
            thread.start()
            thread.join(KEYRING_SECONDS)
    if errors:
        raise errors[0]
    if not results:
        hint = (
            f"It may be waiting for a password in another window: unlock it. {_other_ways(account)}"
        )
        raise KeyringUnavailableError("the keyring does not answer", hint)
    return results[0]


def _with_keyring(
    verb: Literal["read", "write", "remove"], account: str, entry: str, value: str = ""
) -> str | None:
    import keyring
    import keyring.errors

    def call() -> str | None:
        if verb == "read":
            return keyring.get_password(SERVICE, entry)
        if verb == "write":
            keyring.set_password(SERVICE, entry, value)
        else:
            keyring.delete_password(SERVICE, entry)
        return None

    try:
        return _within_deadline(call, account)
    except KeyringUnavailableError:
        raise
    except keyring.errors.NoKeyringError:
        raise KeyringUnavailableError("this machine has no keyring", _other_ways(account)) from None
    except keyring.errors.KeyringLocked:
        raise KeyringUnavailableError(
            "the keyring is locked", f"Unlock it. {_other_ways(account)}"
        ) from None
    except _PromptRefusedError:
        raise KeyringUnavailableError(
            "the keyring asks for its password on the terminal, which the dashboard uses",
            _other_ways(account),
        ) from None
    # Backends also raise errors of their desktop (D-Bus, GLib, OSError), not only KeyringError.
    except Exception as error:
        # The text of the error may contain the key: show its type only.
        kind = type(error).__name__
        what = _FAILURES.get(kind, f"the keyring failed ({kind})")
        raise KeyringUnavailableError(what, _other_ways(account)) from None


_FAILURES = {
    "PasswordSetError": "the keyring failed to save the key",
    "PasswordDeleteError": "the keyring failed to remove the key",
    "InitError": "the keyring failed to start",
}
"""What failed, by the type of the error."""


def _other_ways(account: str) -> str:
    return f"Set {account_variable(account)}, or enter the key for this session in the dashboard."
