"""Accounts, keys and providers: added, tested, removed, and never a key on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest

from .conftest import MemoryKeyring, Run
from .wire import answering, closed_port, hurried


@pytest.fixture
def ring(environment: dict[str, str]) -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    memory = MemoryKeyring()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


def test_the_sandbox_is_there_from_the_start(run: Run) -> None:
    (account,) = run("accounts", "list", "--json").document
    assert account["name"] == account["provider"] == "sandbox"
    assert account["default"] is True
    assert account["key"]["needed"] is False
    assert "sandbox (default)" in run("accounts", "list").out


def test_an_account_is_added_used_and_removed(run: Run, home: Path, requests: Path) -> None:
    home.mkdir()
    config = home / "config.toml"
    config.write_text("# mine\ntheme = 'x'\n", "utf-8")
    done = run("accounts", "add", "own", "--provider", "sandbox", "--default", "--json")
    assert done.code == 0
    assert done.document["default"] is True
    assert run("submit", requests, "--wait", "--json").document["account"] == "own"
    assert "# mine" in config.read_text("utf-8")
    assert config.stat().st_mode & 0o777 == 0o600
    done = run("accounts", "remove", "own", "--json")
    assert done.document == {"removed": "own"}
    assert "The default account is now sandbox." in done.err
    assert run("submit", requests, "--wait", "--json").document["account"] == "sandbox"
    assert len(run("list", "--json").document) == 2


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["add", "x", "--provider", "tensorzoro"], "tensorzoro"),
        (["add", "x"], "missing option '--provider'"),
        (["add", "a b", "--provider", "sandbox"], "'a b' is no name"),
        (["remove", "x"], "there is no account 'x'"),
        (["test", "x"], "there is no account 'x'"),
    ],
)
def test_a_wrong_account_is_exit_code_2(arguments: list[str], error: str, run: Run) -> None:
    done = run("accounts", *arguments, "--json")
    assert (done.code, done.out) == (2, "")
    assert error in done.err.splitlines()[0]


def test_the_address_may_have_values_filled_in(run: Run) -> None:
    done = run(
        "accounts", "add", "own", "--provider", "openai-compatible", "--param", "host=127.0.0.1:9"
    )
    assert done.code == 0, done.err
    assert "host" in Path(run("locate", "--json").document["config"]).read_text("utf-8")


def test_testing_an_account_tells_by_exit_code(run: Run, home: Path) -> None:
    hurried(home, "tensorzero")
    done = run("accounts", "test", "sandbox", "--json")
    assert done.code == 0
    assert done.document["models"]
    assert "sandbox answers" in run("accounts", "test", "sandbox").out
    assert run("accounts", "test", "openai").code == 4
    url = f"http://127.0.0.1:{closed_port()}/v1"
    run("accounts", "add", "down", "--provider", "tensorzero", "--base-url", url)
    assert run("accounts", "test", "down").code == 3
    with answering(401, '{"error": {"message": "no"}}', "application/json") as base_url:
        run("accounts", "add", "shut", "--provider", "tensorzero", "--base-url", base_url)
        assert run("accounts", "test", "shut").code == 4


def test_testing_an_account_says_what_is_wrong(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(home, "openai")

    def told(name: str, url: str) -> str:
        run("accounts", "add", name, "--provider", "openai", "--base-url", url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
        done = run("accounts", "test", name, "--json")
        assert done.out == ""
        assert "sk-wrong" not in done.err
        lines = done.err.splitlines()
        assert [line.partition(" ")[0] for line in lines] == ["error:", "hint:"]
        return done.err

    with answering(401, '{"error": {"message": "no"}}', "application/json") as url:
        assert told("key", url).startswith("error: the key is wrong: ")
    with answering(404, "<html>nothing here</html>", "text/html") as url:
        assert "is not the address of this provider" in told("address", url)
    with answering(200, "<html>a web page</html>", "text/html") as url:
        assert "is not the address of this provider" in told("page", url)
    down = f"http://127.0.0.1:{closed_port()}/v1"
    assert told("network", down).startswith(f"error: no way to {down}: ")
    assert "no way to" in told("name", "https://nowhere.invalid/v1")


def test_a_key_is_stored_found_and_removed_and_never_shown(run: Run, ring: MemoryKeyring) -> None:
    missing = run("keys", "status", "openai", "--json")
    assert missing.code == 4
    assert missing.document["origin"] is None
    outputs = [run("keys", "set", "openai", "--json", stdin="sk-secret\n")]
    assert ring.kept == {("batchdeck", "openai"): "sk-secret"}
    outputs.append(run("keys", "status", "openai", "--json"))
    assert outputs[-1].document["origin"] == "keyring"
    outputs.append(run("keys", "status", "openai"))
    assert "in the keyring" in outputs[-1].out
    outputs.append(run("keys", "remove", "openai", "--json"))
    assert ring.kept == {}
    assert [done.code for done in outputs] == [0, 0, 0, 0]
    assert not any("secret" in done.out + done.err for done in outputs)
    again = run("keys", "remove", "openai")
    assert again.code == 2
    assert "has no key" in again.err


def test_the_environment_wins_and_is_named(
    run: Run, ring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    done = run("keys", "set", "openai", stdin="sk-ring\n")
    assert "OPENAI_API_KEY is used before" in done.err
    status = run("keys", "status", "openai", "--json").document
    assert (status["origin"], status["variable"]) == ("environment", "OPENAI_API_KEY")


@pytest.mark.parametrize(
    ("backend", "error"), [("null", "did not keep"), ("fail", "this machine has no keyring")]
)
def test_a_machine_without_a_keyring_is_told(backend: str, error: str, batchdeck: Run) -> None:
    done = batchdeck(
        "keys", "set", "openai", stdin="sk-secret",
        PYTHON_KEYRING_BACKEND=f"keyring.backends.{backend}.Keyring",
    )  # fmt: skip
    assert done.code == 4
    assert error in done.err
    assert "BATCHDECK_KEY_OPENAI" in done.err
    assert "secret" not in done.err


def test_no_key_at_all_is_exit_code_2(run: Run, ring: MemoryKeyring) -> None:
    assert run("keys", "set", "openai", stdin="\n").code == 2
    assert run("keys", "set", "bogus", stdin="x\n").code == 2
    assert ring.kept == {}


def test_providers_are_listed_and_told(run: Run) -> None:
    ids = {document["id"] for document in run("providers", "--json").document}
    assert {"openai", "sandbox", "tensorzero"} <= ids
    document = run("providers", "tensorzero", "--json").document
    assert document["limits"]["rows"] == 50_000
    assert "TENSORZERO_API_KEY" in run("providers", "tensorzero").out
    assert run("providers", "bogus").code == 2
