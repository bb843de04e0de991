"""The file of the first start, edits that keep what a person wrote, and files with faults."""

from __future__ import annotations

import re
import tempfile
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.config import settings
from tui.config.settings import (
    Config,
    create_config,
    line_of,
    load_config,
    load_valid_settings,
    set_option,
)
from tui.errors import ConfigError, UsageError
from tui.paths import Paths
from tui.ui.commands.own_commands import own_commands

DEFAULT_CONFIG = settings.DEFAULT_CONFIG.read_text()


def write(paths: Paths, text: str) -> None:
    paths.config_file.write_text(text, "utf-8")


def test_the_first_file_changes_nothing_and_names_every_setting(paths: Paths) -> None:
    assert create_config(paths)
    assert load_config(paths) == Config()
    assert paths.config_file.stat().st_mode & 0o777 == 0o600
    structs = ("notifications", "hooks", "budget", "polling", "review")
    names = set(Config.__struct_fields__) - {"providers"}
    for section in structs:
        names |= set(getattr(Config(), section).__struct_fields__)
    for name in names:
        assert re.search(rf"^#?\[?{name}\b", DEFAULT_CONFIG, re.M), name


def test_the_first_file_with_its_marks_taken_away_is_right(paths: Paths) -> None:
    taken = re.sub(r"^#(?=[\[a-z])", "", DEFAULT_CONFIG, flags=re.M)
    write(paths, taken)
    config = load_config(paths)
    assert config.budget.per_month == 50.0
    assert config.hooks.on_job_end
    assert config.accounts["work"].provider == "openai"
    assert config.actions["visidata"].terminal and config.actions["slack"].env
    # The keys of the examples are free.
    own = own_commands(config.actions, {}, paths.config_file)
    assert len(own.commands) == 4 and not own.problems
    assert config.prices["my-model"].output == 0.8
    # Its examples of defaults are the defaults.
    assert (config.theme, config.compact) == (Config().theme, Config().compact)
    assert config.notifications == Config().notifications


def test_a_file_that_is_there_is_never_written_over(paths: Paths) -> None:
    write(paths, "theme = 'nord'\n")
    assert not create_config(paths)
    assert paths.config_file.read_text() == "theme = 'nord'\n"


def test_every_setting_can_be_set_and_taken_away_in_the_first_file(paths: Paths) -> None:
    create_config(paths)
    values = {
        "theme": "nord",
        "compact": True,
        "default_account": "work",
        "editor": 'code "-w" # not a comment',
        "notifications.bell": False,
        "notifications.desktop": "osc9",
        "hooks.on_job_end": "notify 'it is # done'",
        "budget.per_submit": 2.5,
        "polling.slowest": 60.0,
    }
    for key, value in values.items():
        set_option(paths, key, value)
    text = paths.config_file.read_text()
    config = load_config(paths)
    assert (config.theme, config.compact, config.editor) == ("nord", True, values["editor"])
    assert (config.budget.per_submit, config.polling.slowest) == (2.5, 60.0)
    assert config.hooks.on_job_end == values["hooks.on_job_end"]
    assert set(DEFAULT_CONFIG.splitlines()) <= set(text.splitlines())
    for key in values:
        set_option(paths, key, None)
    assert paths.config_file.read_text() == DEFAULT_CONFIG


def test_comments_and_order_outlive_a_change(paths: Paths) -> None:
    before = "# mine\ntheme = 'a # b'  # why\n\n[budget]  # money\nper_month = 3 # a month\n"
    write(paths, before)
    set_option(paths, "theme", "nord")
    set_option(paths, "budget.per_month", 7.5)
    set_option(paths, "budget.per_submit", 1.0)
    assert paths.config_file.read_text() == (
        '# mine\ntheme = "nord"  # why\n\n[budget]  # money\nper_submit = 1.0\n'
        "per_month = 7.5 # a month\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("budget = { per_month = 3 } # x\n", "budget = { per_month = 4.0 } # x\n"),
        ("budget = {}\n", "budget = {per_month = 4.0}\n"),
        ("budget.per_month = 3 # x\n", "budget.per_month = 4.0 # x\n"),
        ("budget.currency = 'EUR'\n", "budget.per_month = 4.0\nbudget.currency = 'EUR'\n"),
        ("[budget]", "[budget]\nper_month = 4.0\n"),
        ("[budget] # x\r\n# y\r\n", "[budget] # x\r\nper_month = 4.0\n# y\r\n"),
    ],
)
def test_a_value_is_set_in_every_layout(paths: Paths, before: str, after: str) -> None:
    paths.config_file.write_bytes(before.encode())
    set_option(paths, "budget.per_month", 4.0)
    assert paths.config_file.read_bytes().decode() == after
    set_option(paths, "budget.per_month", None)
    assert load_config(paths).budget.per_month is None


def test_a_value_that_is_not_allowed_changes_nothing(paths: Paths) -> None:
    before = "budget = { per_month = 3 }\n"
    write(paths, before)
    with pytest.raises(ConfigError, match=r"invalid notifications\.desktop"):
        set_option(paths, "notifications.desktop", "loud")
    assert paths.config_file.read_text() == before


def test_an_edit_that_does_not_give_what_is_wanted_is_refused(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(paths, "theme = 'x'\n")
    monkeypatch.setattr(settings, "_edited", lambda file, change: "theme = 'y'\n")
    with pytest.raises(UsageError, match=r"cannot edit .* automatically") as caught:
        set_option(paths, "theme", "nord")
    assert "theme" in caught.value.hint
    assert paths.config_file.read_text() == "theme = 'x'\n"


@pytest.mark.parametrize(
    ("text", "line", "words", "near"),
    [
        ("\n\nthemme = 'x'", 3, "unknown key 'themme'", "theme"),
        ("[budget]\n# c\nper_mnth = 1", 3, "unknown key 'per_mnth'", "per_month"),
        ("[hooks]\non_end = 'x'", 2, "unknown key 'on_end'", "on_job_end"),
        ("[notification]\nbell = true", 1, "unknown key 'notification'", "notifications"),
        ("theme = 'x'\n[accounts.a]\nprovider='p'\nbase_ur = 'x'", 4, "base_ur", "base_url"),
        ('[prices."m"]\ninput = 1\noutput = 1\ncashed = 1', 4, "cashed", "cached"),
        ("\ncompact = 'yes'", 2, "compact", ""),
        ("[budget]\nper_month = -1", 2, "per_month", ""),
        ("a = 1\nb = = 2", 2, "not valid TOML", ""),
    ],
)
def test_faults_name_file_line_and_the_nearest_key(
    paths: Paths, text: str, line: int, words: str, near: str
) -> None:
    write(paths, text)
    with pytest.raises(ConfigError) as caught:
        load_config(paths)
    assert str(paths.config_file) in caught.value.message
    assert f"line {line}" in caught.value.message
    assert words in caught.value.message
    assert near in caught.value.hint


@pytest.mark.parametrize(
    ("text", "theme", "per_submit"),
    [
        ("theme = 'nord'\ncompact = 3", "nord", None),
        ("theme = 3\n[budget]\nper_submit = 2.0", "batchdeck-dark", 2.0),
        # Whoever misspells the budget does not get an endless one.
        ("theme = 'nord'\n[budgt]\nper_submit = 2.0", "nord", 0.0),
        ("theme = 'nord'\n[budget]\nper_submt = 2.0", "nord", 0.0),
        ("theme = ", "batchdeck-dark", 0.0),
    ],
)
def test_of_a_file_with_faults_the_rest_holds(
    paths: Paths, text: str, theme: str, per_submit: float | None
) -> None:
    write(paths, text)
    config, error = load_valid_settings(paths)
    assert error is not None
    assert (config.theme, config.budget.per_submit) == (theme, per_submit)


def test_one_wrong_account_does_not_take_the_others_along(paths: Paths) -> None:
    write(paths, "[accounts.a]\nprovider = 'openai'\n[accounts.b]\nprovidr = 'x'\n")
    config, error = load_valid_settings(paths)
    assert error is not None
    assert list(config.accounts) == ["a"]
    assert config.budget.per_submit is None


def test_a_right_file_has_no_complaint(paths: Paths) -> None:
    write(paths, "theme = 'nord'")
    config, error = load_valid_settings(paths)
    assert (config.theme, error) == ("nord", None)


def test_lines_are_found_in_their_own_table() -> None:
    text = "key = 1\n[a]\nkey = 2\n['b c']\nkey = 3\n"
    assert [line_of(text, section, "key") for section in ("", "a", "b c", "d")] == [1, 3, 5, None]


_TOML = st.lists(
    st.sampled_from(
        ["# a comment", "", "theme = 'x' # y", "#theme = 'z'", "[budget]", "per_month = 1",
         "[keymap]", "retry = 'r'", "compact = true"]
    ),
    max_size=8,
).map("\n".join)  # fmt: skip


@given(_TOML, st.sampled_from(["theme", "budget.currency"]), st.text(max_size=12))
def test_an_edit_says_what_is_wanted_and_keeps_the_other_lines(
    text: str, key: str, value: str
) -> None:
    try:
        before = tomllib.loads(text)
        msgspec.convert(before, Config)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError):
        return
    section, _, name = key.rpartition(".")
    expected = before.setdefault(section, {}) if section else before
    expected[name] = value
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths.find(Path(folder))
        write(paths, text)
        set_option(paths, key, value)
        after = paths.config_file.read_text("utf-8")
    assert tomllib.loads(after) == before or msgspec.convert(before, Config) == Config()
    comments = [line for line in text.split("\n") if line.startswith("#")]
    assert [line for line in after.split("\n") if line.startswith("#")] == comments
