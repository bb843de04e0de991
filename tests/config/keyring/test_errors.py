"""Keyrings that are missing, locked or failing: one clear line, and the other two ways work."""

from __future__ import annotations

from collections.abc import Iterator

import keyring
import keyring.errors
import pytest
from keyring.backend import KeyringBackend

from tui.config.api_keys import (
    KeyringUnavailableError,
    find_key,
    remember_key,
    remove_key,
    store_key,
    stored_key,
)

KEY = "sk-not-in-any-message"


class Failing(KeyringBackend):
    """Raises what it is told to, whatever it is asked."""

    priority = 1

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self.error

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self.error

    def delete_password(self, service: str, username: str) -> None:
        raise self.error


TROUBLES = [
    (keyring.errors.NoKeyringError(KEY), "this machine has no keyring"),
    (keyring.errors.KeyringLocked(KEY), "the keyring is locked"),
    (keyring.errors.PasswordSetError(KEY), "the keyring failed to save the key"),
    (keyring.errors.InitError(KEY), "the keyring failed to start"),
    (OSError(5, KEY), "the keyring failed (OSError)"),
    (RuntimeError(f"D-Bus said {KEY}"), "the keyring failed (RuntimeError)"),
]


@pytest.fixture(params=TROUBLES, ids=lambda trouble: type(trouble[0]).__name__)
def words(request: pytest.FixtureRequest) -> Iterator[str]:
    """A keyring in trouble; the words that tell of it."""
    error, text = request.param
    before = keyring.get_keyring()
    keyring.set_keyring(Failing(error))
    yield text
    keyring.set_keyring(before)


def test_every_way_of_asking_says_what_is_wrong(words: str) -> None:
    for ask in (
        lambda: stored_key("own"),
        lambda: find_key("own"),
        lambda: store_key("own", KEY),
        lambda: remove_key("own"),
    ):
        with pytest.raises(KeyringUnavailableError) as caught:
            ask()
        assert caught.value.message == words
        assert "BATCHDECK_KEY_OWN" in caught.value.hint
        assert "this session" in caught.value.hint
        assert KEY not in caught.value.message + caught.value.hint
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


def test_the_environment_still_works(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USUAL_API_KEY", KEY)
    found = find_key("own", ["USUAL_API_KEY"])
    assert found is not None
    assert (found.value, found.origin, found.name) == (KEY, "environment", "USUAL_API_KEY")
    assert KEY not in repr(found)


def test_a_key_for_this_session_still_works(words: str) -> None:
    remember_key("own", f" {KEY}\n")
    found = find_key("own")
    assert found is not None
    assert (found.value, found.origin) == (KEY, "session")
