"""Keys in a real Secret Service: gnome-keyring on a bus of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backends.SecretService import Keyring

from tests.config.keyring.conftest import SECRET_SERVICE, Run, in_ci, missing_tools, session
from tui.config.api_keys import find_key, remove_key, store_key, stored_key

KEY = "sk-real-keyring-71c0ffee"


@pytest.fixture
def service(bus: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process asks the real backend."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    yield
    keyring.set_keyring(before)


def test_in_ci_there_is_a_keyring() -> None:
    assert not (in_ci() and missing_tools())


def test_a_key_is_stored_read_and_removed(service: None) -> None:
    assert stored_key("real") is None
    assert find_key("real") is None
    store_key("real", KEY)
    try:
        assert stored_key("real") == KEY
        found = find_key("real")
        assert found is not None
        assert (found.value, found.origin) == (KEY, "keyring")
        store_key("real", KEY + "-new")
        assert stored_key("real") == KEY + "-new"
        assert stored_key("other") is None
    finally:
        assert remove_key("real") is True
    assert stored_key("real") is None
    assert remove_key("real") is False


def test_the_environment_comes_before_it(service: None, monkeypatch: pytest.MonkeyPatch) -> None:
    store_key("real", KEY)
    try:
        monkeypatch.setenv("BATCHDECK_KEY_REAL", "sk-environment")
        found = find_key("real")
        assert found is not None
        assert (found.value, found.origin) == ("sk-environment", "environment")
    finally:
        remove_key("real")


def test_the_program_stores_tells_and_removes(bus: str, batchdeck: Run, tmp_path: Path) -> None:
    real = {"DBUS_SESSION_BUS_ADDRESS": bus, "PYTHON_KEYRING_BACKEND": SECRET_SERVICE}
    missing = batchdeck("keys", "status", "openai", "--json", **real)
    assert missing.code == 4, missing.err
    done = [batchdeck("keys", "set", "openai", "--json", stdin=KEY + "\n", **real)]
    done.append(batchdeck("keys", "status", "openai", "--json", **real))
    assert json.loads(done[-1].out)["origin"] == "keyring"
    done.append(batchdeck("keys", "status", **real))
    done.append(batchdeck("doctor", "--json", **real))
    assert json.loads(done[-1].out)["keyring"] == SECRET_SERVICE
    done.append(batchdeck("keys", "remove", "openai", "--yes", "--json", **real))
    assert [one.code for one in done] == [0, 0, 0, 0, 0], [one.err for one in done]
    assert not any(KEY in one.out + one.err for one in done)
    again = batchdeck("keys", "remove", "openai", "--yes", **real)
    assert again.code == 2
    assert batchdeck("keys", "status", "openai", **real).code == 4
    kept = [file for file in (tmp_path / "home").rglob("*") if file.is_file()]
    assert not any(KEY.encode() in file.read_bytes() for file in kept)


def test_a_key_from_the_keyring_opens_the_provider(bus: str, batchdeck: Run) -> None:
    from tests.end_to_end.servers import join_all, sandbox

    real = {"DBUS_SESSION_BUS_ADDRESS": bus, "PYTHON_KEYRING_BACKEND": SECRET_SERVICE}
    with sandbox("tensorzero", key=KEY) as server:
        added = batchdeck(
            "accounts", "add", "own", "--provider", "tensorzero", "--base-url", server.url, **real
        )
        assert added.code == 0, added.err
        refused = batchdeck("accounts", "test", "own", **real)
        assert refused.code == 4
        assert "the key is wrong" in refused.err
        assert batchdeck("keys", "set", "own", stdin=KEY, **real).code == 0
        good = batchdeck("accounts", "test", "own", "--json", **real)
        assert good.code == 0, good.err
        assert json.loads(good.out)["models"]
    assert batchdeck("keys", "remove", "own", "-y", **real).code == 0
    join_all()


LOCK = """
import secretstorage
secretstorage.get_default_collection(secretstorage.dbus_init()).lock()
"""


def test_a_locked_keyring_is_told_and_the_environment_still_works(
    batchdeck: Run, tmp_path: Path
) -> None:
    (tmp_path / "session").mkdir()
    with session(tmp_path / "session") as address:
        real = {"DBUS_SESSION_BUS_ADDRESS": address, "PYTHON_KEYRING_BACKEND": SECRET_SERVICE}
        assert batchdeck("keys", "set", "openai", stdin=KEY, **real).code == 0
        # Nobody can be asked for its password: the session has no screen.
        subprocess.run(
            [sys.executable, "-c", LOCK], env={**os.environ, **real}, check=True, timeout=60
        )
        locked = batchdeck("keys", "status", "openai", "--json", **real)
        assert locked.code == 4
        assert json.loads(locked.out)["trouble"] == "the keyring is locked"
        assert "BATCHDECK_KEY_OPENAI" in locked.err
        again = batchdeck("keys", "set", "openai", stdin=KEY, **real)
        assert again.code == 4
        assert again.err.startswith("error: the keyring is locked\nhint: Unlock it.")
        other = batchdeck(
            "keys", "status", "openai", "--json", **real, BATCHDECK_KEY_OPENAI="sk-environment"
        )
        assert json.loads(other.out)["origin"] == "environment"
