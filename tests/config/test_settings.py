from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.config.settings import (
    AccountConfig,
    Config,
    add_account,
    load_config,
    remove_account,
    set_option,
)
from tui.errors import BatchdeckError, ConfigError, UsageError
from tui.paths import Paths


def write(paths: Paths, text: str) -> None:
    paths.config_file.write_text(text, "utf-8")


def test_no_file_is_the_defaults(paths: Paths) -> None:
    config = load_config(paths)
    assert config == Config()
    assert config.default_account == "sandbox"


def test_everything_that_can_be_set(paths: Paths) -> None:
    write(
        paths,
        """
        default_account = "work"
        theme = "nord"
        compact = true
        [keymap]
        retry = "r,f5"
        [accounts.work]
        provider = "azure-openai"
        key_env = "WORK_KEY"
        allow_http = true
        clean_up = true
        params = { resource = "mine" }
        [accounts.other]
        provider = "openai"
        base_url = "https://example.com/v1"
        [providers.far]
        base = "openai"
        """,
    )
    config = load_config(paths)
    assert (config.default_account, config.theme, config.compact) == ("work", "nord", True)
    assert config.keymap == {"retry": "r,f5"}
    assert config.accounts["work"].params == {"resource": "mine"}
    assert config.accounts["other"] == AccountConfig(
        provider="openai", base_url="https://example.com/v1"
    )
    assert "none" not in config.accounts
    assert config.providers == {"far": {"base": "openai"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("theme = ", "not valid TOML"),
        ("\xff", "not valid TOML"),
        ("them = 'x'", "unknown key 'them'"),
        ("[accounts.a]\nprovidr = 'x'", "unknown key 'providr'"),
        ("[accounts.a]\nbase_url = 'x'", "provider"),
        ("accounts = 3", "accounts"),
        ("accounts = 'x'", "accounts"),
        ("[[accounts]]\nprovider = 'x'", "accounts"),
        ("accounts.a = 3", "accounts"),
        ("keymap = 'x'", "keymap"),
        ("theme = 3", "theme"),
        ("compact = 'yes'", "compact"),
        ("[providers]\nx = 3", "providers"),
    ],
)
def test_what_cannot_be_used_is_named(paths: Paths, text: str, words: str) -> None:
    paths.config_file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        load_config(paths)
    assert words in caught.value.message
    assert str(paths.config_file) in caught.value.message
    assert caught.value.hint


def test_the_nearest_key_is_proposed(paths: Paths) -> None:
    write(paths, "defalt_account = 'x'")
    with pytest.raises(ConfigError) as caught:
        load_config(paths)
    assert "default_account" in caught.value.hint


def test_a_file_that_cannot_be_read(paths: Paths) -> None:
    paths.config_file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(paths)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_config_or_an_error(raw: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        paths = Paths.find(Path(folder))
        paths.config_file.write_bytes(raw)
        try:
            load_config(paths)
        except ConfigError as error:
            assert error.message


def test_an_account_is_added_and_taken_away(paths: Paths) -> None:
    before = "# mine\ntheme = 'nord'  # dark\n\n[keymap]\nretry = 'f5'"
    write(paths, before)
    account = AccountConfig(
        provider="azure-openai", base_url='https://x/"v1"\\', params={"resource": "a b"}
    )
    add_account(paths, "work", account)
    assert load_config(paths).accounts == {"work": account}
    assert paths.config_file.read_text("utf-8").startswith(before)
    add_account(paths, "work-2", AccountConfig(provider="openai", allow_http=True))
    with pytest.raises(UsageError, match="already"):
        add_account(paths, "work", account)
    remove_account(paths, "work")
    config = load_config(paths)
    assert list(config.accounts) == ["work-2"]
    assert (config.theme, config.keymap) == ("nord", {"retry": "f5"})
    remove_account(paths, "work-2")
    assert paths.config_file.read_text("utf-8").rstrip() == before.rstrip()
    with pytest.raises(UsageError, match="no account"):
        remove_account(paths, "work")


@pytest.mark.parametrize("name", ["", "a b", "a.b", "\u00e4", "a]", '"', "-", "_"])
def test_names_that_an_account_cannot_have(paths: Paths, name: str) -> None:
    with pytest.raises(UsageError, match="invalid account name"):
        add_account(paths, name, AccountConfig(provider="openai"))
    assert not paths.config_file.exists()


@pytest.mark.parametrize(
    "text",
    [
        "[accounts.work]\nprovider = 'openai'\nparams = { a = 'b' }\n",
        "[accounts.work]\nprovider = 'openai'\n[accounts.work.params]\na = 'b'\n",
        "[accounts]\nwork = { provider = 'openai' }\n",
        "accounts.work.provider = 'openai'\n",
        "[accounts.'work']\nprovider = 'openai'\n",
        "[ accounts . work ]\nprovider = 'openai'\n",
        "[accounts.work] # mine\nprovider = 'openai'\n",
        "accounts = { work = { provider = 'openai' } }\n",
    ],
)
def test_an_account_goes_or_the_file_is_left_as_it_is(paths: Paths, text: str) -> None:
    """However a person has written it."""
    rest = "\n[keymap]\nhelp = '''\n[x]\n'''\n"
    write(paths, text + rest)
    try:
        remove_account(paths, "work")
    except UsageError as error:
        assert "work" in error.hint
        assert paths.config_file.read_text("utf-8") == text + rest
    else:
        assert load_config(paths).accounts == {}
        assert load_config(paths).keymap == {"help": "[x]\n"}


def test_an_account_cannot_be_added_where_the_file_has_no_room(paths: Paths) -> None:
    text = "accounts = {}\n"
    write(paths, text)
    with pytest.raises(BatchdeckError):
        add_account(paths, "work", AccountConfig(provider="openai"))
    assert paths.config_file.read_text("utf-8") == text


def test_an_option_is_set_in_its_place(paths: Paths) -> None:
    set_option(paths, "theme", "nord")
    set_option(paths, "compact", True)
    assert (load_config(paths).theme, load_config(paths).compact) == ("nord", True)
    write(paths, "# one\ntheme='x' # two\n[keymap]\ntheme='f2'\n")
    set_option(paths, "theme", 'a"\x7f\n\u2028b')
    config = load_config(paths)
    assert (config.theme, config.keymap) == ('a"\x7f\n\u2028b', {"theme": "f2"})
    assert paths.config_file.read_text("utf-8").startswith("# one\n")


@given(st.text(max_size=20))
def test_any_text_can_be_a_value(value: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        paths = Paths.find(Path(folder))
        try:
            value.encode()
        except UnicodeEncodeError:
            return
        set_option(paths, "theme", value)
        assert tomllib.loads(paths.config_file.read_text("utf-8")) == {"theme": value}


def test_the_file_is_private_and_a_link_stays_one(paths: Paths, tmp_path: Path) -> None:
    set_option(paths, "theme", "a")
    assert paths.config_file.stat().st_mode & 0o777 == 0o600
    kept = tmp_path / "dotfiles.toml"
    paths.config_file.rename(kept)
    paths.config_file.symlink_to(kept)
    set_option(paths, "theme", "b")
    assert paths.config_file.is_symlink()
    assert "b" in kept.read_text("utf-8")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dotfiles.toml", "home"]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('labels = ["a,b"]', "cannot be a label"),
        ('labels = ["any"]', "has a meaning"),
        ('labels = ["a", "A"]', "there twice"),
        (f"labels = {[str(n) for n in range(10)]}", "at most 9 labels"),
        ('name = "a\\nb"', "reviewer's name"),
        ('names = "x"', "unknown key 'names'"),
    ],
)
def test_what_cannot_be_a_label_or_a_reviewer_is_told(
    paths: Paths, table: str, problem: str
) -> None:
    paths.config_file.write_text(f"[review]\n{table}\n")
    with pytest.raises(ConfigError, match=problem):
        load_config(paths)


def test_reviewer_and_labels(paths: Paths) -> None:
    paths.config_file.write_text('[review]\nname = "anna"\nlabels = ["refund", "other"]\n')
    review = load_config(paths).review
    assert (review.name, review.labels) == ("anna", ("refund", "other"))
