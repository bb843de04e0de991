from __future__ import annotations

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, NoKeyringError, PasswordDeleteError

from tui import keys
from tui.keys import (
    FoundKey,
    KeyringTroubleError,
    account_variable,
    find_key,
    remember_key,
    remove_key,
    store_key,
    stored_key,
)


class Memory(KeyringBackend):
    """A keyring in memory, which fails when it is told to."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.trouble: Exception | None = None

    def _fail(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def get_password(self, service: str, username: str) -> str | None:
        self._fail()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._fail()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._fail()
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("none")


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Memory:
    ring = Memory()
    for name in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(keyring, name, getattr(ring, name))
    return ring


def test_the_variable_of_an_account() -> None:
    assert account_variable("work") == "BATCHDECK_KEY_WORK"
    assert account_variable("my-work_2") == "BATCHDECK_KEY_MY_WORK_2"


def test_no_key_anywhere(ring: Memory) -> None:
    assert find_key("work", ["OPENAI_API_KEY"]) is None


def test_the_order(ring: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was typed, the account's own variable, the provider's, the keyring."""
    store_key("work", " ring \n")
    assert find_key("work", ["X_API_KEY"]) == FoundKey("ring", "keyring", "work")
    monkeypatch.setenv("X_API_KEY", " usual ")
    assert find_key("work", ["X_API_KEY"]) == FoundKey("usual", "environment", "X_API_KEY")
    monkeypatch.setenv("BATCHDECK_KEY_WORK", "own")
    found = find_key("work", ["X_API_KEY"])
    assert found == FoundKey("own", "environment", "BATCHDECK_KEY_WORK")
    monkeypatch.setenv("BATCHDECK_KEY_WORK", "  ")
    assert find_key("work", ["X_API_KEY"]) == FoundKey("usual", "environment", "X_API_KEY")
    remember_key("work", " typed ")
    assert find_key("work", ["X_API_KEY"]) == FoundKey("typed", "session", "work")
    monkeypatch.delitem(keys._session, "work")
    monkeypatch.delenv("X_API_KEY")
    assert find_key("work") == FoundKey("ring", "keyring", "work")
    assert find_key("other") is None


def test_a_key_is_not_shown() -> None:
    found = FoundKey("secret", "session", "work")
    assert "secret" not in repr(found)
    assert "secret" not in f"{found}"


def test_a_key_is_taken_away(ring: Memory) -> None:
    assert not remove_key("work")
    store_key("work", "a")
    remember_key("work", "b")
    assert remove_key("work")
    assert stored_key("work") is None
    assert find_key("work") is None
    remember_key("work", "b")
    assert remove_key("work")


@pytest.mark.parametrize(
    "trouble", [NoKeyringError("none"), KeyringLocked("locked"), OSError("dbus"), RuntimeError()]
)
def test_a_keyring_that_fails(
    ring: Memory, trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring.trouble = trouble
    for work in (lambda: find_key("work"), lambda: store_key("work", "secret")):
        with pytest.raises(KeyringTroubleError) as caught:
            work()
        assert "BATCHDECK_KEY_WORK" in caught.value.hint
        assert "secret" not in str(caught.value)
        # A chain would keep frames alive that hold the key.
        assert caught.value.__cause__ is None
    monkeypatch.setenv("BATCHDECK_KEY_WORK", "own")
    assert find_key("work") == FoundKey("own", "environment", "BATCHDECK_KEY_WORK")
    remember_key("work", "typed")
    assert find_key("work") == FoundKey("typed", "session", "work")


def test_keys_of_the_session_live_in_memory_only() -> None:
    remember_key("work", "typed")
    assert keys._session == {"work": "typed"}
