from __future__ import annotations

import getpass
import threading

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, NoKeyringError, PasswordDeleteError

from tui.config import api_keys
from tui.config.api_keys import (
    FoundKey,
    KeyringUnavailableError,
    account_variable,
    find_key,
    remember_key,
    remove_key,
    sharing,
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
    monkeypatch.delitem(api_keys._session, "work")
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
        with pytest.raises(KeyringUnavailableError) as caught:
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
    assert api_keys._session == {"work": "typed"}


def test_a_keyring_that_does_not_answer_is_left_alone(
    ring: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "KEYRING_SECONDS", 0.05)
    answers = threading.Event()
    calls: list[str] = []

    def hang(service: str, username: str) -> str:
        calls.append(username)
        answers.wait()
        return "late"

    monkeypatch.setattr(keyring, "get_password", hang)
    for account in ("work", "other"):
        with pytest.raises(KeyringUnavailableError, match="does not answer") as caught:
            find_key(account)
        assert f"BATCHDECK_KEY_{account.upper()}" in caught.value.hint
    # While the first call hangs, the keyring is not asked again.
    assert calls == ["work"]
    answers.set()
    api_keys._last_call[0].join()
    assert find_key("other") == FoundKey("late", "keyring", "other")


def test_a_keyring_that_asks_on_the_terminal_fails(
    ring: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getpass", getpass.getpass)
    api_keys.refuse_terminal_prompts()
    monkeypatch.setattr(keyring, "get_password", lambda service, name: getpass.getpass("Password"))
    with pytest.raises(KeyringUnavailableError, match="on the terminal"):
        find_key("work")


def test_a_stored_key_belongs_to_an_origin(ring: Memory) -> None:
    store_key("work", "secret", "https://a.example/v1")
    assert find_key("work", address="https://A.example:443/other") == FoundKey(
        "secret", "keyring", "work"
    )
    for other in ("https://b.example/v1", "http://a.example/v1", "https://a.example:8443", ""):
        assert find_key("work", address=other) is None
    remember_key("work", "typed", "https://a.example")
    assert find_key("work", address="https://b.example") is None
    assert remove_key("work", "https://a.example/v1")
    assert find_key("work", address="https://a.example/v1") is None


def test_names_that_would_share_a_variable_are_told() -> None:
    assert sharing("my-co", ["my-co", "my_co", "other"]) == ["my_co"]
    assert sharing("other", ["my-co", "my_co", "other"]) == []


def test_a_shared_variable_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHDECK_KEY_MY_CO", "secret")
    assert find_key("my-co", own=False, address="https://a.example") is None
