"""``accounts``, ``keys`` and ``providers``; a key is never printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest

from tests.cli.broken_providers import closed_port, no_retry_delays, server_answering
from tests.cli.conftest import Run
from tests.fakes.keyring import MemoryKeyring


@pytest.fixture
def ring(environment: dict[str, str]) -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    memory = MemoryKeyring()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


def test_the_sandbox_is_available_without_configuration(run: Run) -> None:
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
        (["add", "a b", "--provider", "sandbox"], "invalid account name 'a b'"),
        (["remove", "x"], "there is no account 'x'"),
        (["test", "x"], "there is no account 'x'"),
    ],
)
def test_a_wrong_account_is_exit_code_2(arguments: list[str], error: str, run: Run) -> None:
    done = run("accounts", *arguments, "--json")
    assert (done.code, done.out) == (2, "")
    assert error in done.err.splitlines()[0]


def test_a_query_of_a_base_url_may_be_a_key_and_is_not_shown(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHDECK_KEY_FAR", "sk-1")
    no_retry_delays(home, "openai")
    url = f"http://127.0.0.1:{closed_port()}/v1"
    arguments = ("--provider", "openai", "--base-url", f"{url}?token=sk-planted-81")
    shown = [run("accounts", "add", "far", *arguments)]
    shown += [run("accounts", *words) for words in (["list"], ["list", "--json"])]
    for done in shown:
        assert done.code == 0 and f"{url}?…" in done.out
    shown.append(run("accounts", "test", "far"))
    assert f"cannot reach {url}?…" in shown[-1].err
    assert not any("planted" in done.out + done.err for done in shown)


def test_a_base_url_with_a_password_is_refused(run: Run, home: Path) -> None:
    url = "https://joe:planted-81@host.example/v1"
    done = run("accounts", "add", "far", "--provider", "openai", "--base-url", url)
    assert done.code == 2 and "holds a password" in done.err
    assert "planted" not in done.err
    assert (
        not (home / "config.toml").exists() or "planted" not in (home / "config.toml").read_text()
    )


def test_placeholders_of_a_base_url_are_filled_in(run: Run) -> None:
    done = run(
        "accounts", "add", "own", "--provider", "openai-compatible", "--param", "host=127.0.0.1:9"
    )
    assert done.code == 0, done.err
    assert "host" in Path(run("locate", "--json").document["config"]).read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (("bedrock",), ["region", "bucket", "role_arn"]),
        (("bedrock", "--param", "region=eu-west-1", "--param", "bucket=b"), ["role_arn"]),
        (("bedrock", "--direct"), ["region"]),
        (("bedrock", "--direct", "--param", "region=eu-west-1"), []),
        (("bedrock-openai", "--param", "region=eu-west-1"), ["role_arn", "bucket"]),
        (("scaleway",), ["bucket"]),
        (("openai",), []),
    ],
)
def test_an_account_is_added_with_all_that_its_bucket_needs(
    arguments: tuple[str, ...], missing: list[str], run: Run
) -> None:
    done = run("accounts", "add", "own", "--provider", *arguments)
    assert done.code == (2 if missing else 0), done.err
    if missing:
        assert f"needs {' and '.join(missing)}" in done.err
        assert all(f"--param {name}=" in done.err for name in missing)


def test_accounts_test_sets_the_exit_code(run: Run, home: Path) -> None:
    no_retry_delays(home, "tensorzero")
    done = run("accounts", "test", "sandbox", "--json")
    assert done.code == 0
    assert done.document["models"]
    assert "sandbox works" in run("accounts", "test", "sandbox").out
    assert run("accounts", "test", "openai").code == 4
    url = f"http://127.0.0.1:{closed_port()}/v1"
    run("accounts", "add", "down", "--provider", "tensorzero", "--base-url", url)
    assert run("accounts", "test", "down").code == 3
    with server_answering(401, '{"error": {"message": "no"}}', "application/json") as base_url:
        run("accounts", "add", "shut", "--provider", "tensorzero", "--base-url", base_url)
        assert run("accounts", "test", "shut").code == 4


def test_accounts_test_says_what_is_wrong(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_retry_delays(home, "openai")

    def error_of(name: str, url: str) -> str:
        run("accounts", "add", name, "--provider", "openai", "--base-url", url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
        done = run("accounts", "test", name, "--json")
        assert done.out == ""
        assert "sk-wrong" not in done.err
        lines = done.err.splitlines()
        assert [line.partition(" ")[0] for line in lines] == ["error:", "hint:"]
        return done.err

    with server_answering(401, '{"error": {"message": "no"}}', "application/json") as url:
        assert error_of("key", url).startswith("error: the key is wrong: ")
    with server_answering(404, "<html>nothing here</html>", "text/html") as url:
        assert "does not answer like this provider" in error_of("address", url)
    with server_answering(200, "<html>a web page</html>", "text/html") as url:
        assert "does not answer like this provider" in error_of("page", url)
    down = f"http://127.0.0.1:{closed_port()}/v1"
    assert error_of("network", down).startswith(f"error: cannot reach {down}: ")
    assert "cannot reach" in error_of("name", "https://nowhere.invalid/v1")


def test_a_key_is_stored_found_and_removed_and_never_shown(run: Run, ring: MemoryKeyring) -> None:
    missing = run("keys", "status", "openai", "--json")
    assert missing.code == 4
    assert missing.document["origin"] is None
    outputs = [run("keys", "set", "openai", "--json", stdin="sk-secret\n")]
    assert ring.kept == {("batchdeck", "openai https://api.openai.com:443"): "sk-secret"}
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
    assert "OPENAI_API_KEY is set and takes precedence" in done.err
    status = run("keys", "status", "openai", "--json").document
    assert (status["origin"], status["variable"]) == ("environment", "OPENAI_API_KEY")


@pytest.mark.parametrize(
    ("backend", "error"), [("null", "did not store"), ("fail", "this machine has no keyring")]
)
def test_a_missing_keyring_is_reported(backend: str, error: str, batchdeck: Run) -> None:
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


def test_providers_are_listed_and_shown(run: Run) -> None:
    ids = {document["id"] for document in run("providers", "--json").document}
    assert {"openai", "sandbox", "tensorzero"} <= ids
    document = run("providers", "tensorzero", "--json").document
    assert document["limits"]["rows"] == 50_000
    assert "TENSORZERO_API_KEY" in run("providers", "tensorzero").out
    assert run("providers", "bogus").code == 2


def test_a_removed_account_takes_its_key_along(run: Run, ring: MemoryKeyring) -> None:
    run("accounts", "add", "work", "--provider", "openai", "--base-url", "https://a.example/v1")
    run("keys", "set", "work", stdin="sk-secret\n")
    assert len(ring.kept) == 1
    done = run("accounts", "remove", "work")
    assert ring.kept == {} and "key was removed" in done.err


def test_names_that_would_share_a_variable_are_refused(run: Run) -> None:
    assert run("accounts", "add", "my-co", "--provider", "openai").code == 0
    done = run("accounts", "add", "my_co", "--provider", "openai")
    assert done.code == 2 and "BATCHDECK_KEY_MY_CO" in done.err
