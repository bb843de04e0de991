from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tui.core.jobs import BatchStatus
from tui.errors import ConfigError
from tui.providers.profiles.load import ProfileError, find_profile, load_profiles


def test_shipped_profiles_all_load_and_carry_their_file_name() -> None:
    profiles = load_profiles()
    assert {"openai", "openai-compatible", "sandbox", "tensorzero"} <= set(profiles)
    for name, profile in profiles.items():
        assert profile.id == name
        assert profile.name
        assert profile.endpoints
        assert all(isinstance(again, bool) for again in profile.retry_codes.values())


def test_openai_says_what_the_reference_says() -> None:
    openai = find_profile("openai")
    assert openai.env == ("OPENAI_API_KEY",)
    assert openai.needs_key
    assert openai.windows == ("24h",)
    assert (openai.limits.rows, openai.limits.bytes) == (50_000, 200 * 1024**2)
    assert openai.retention_days == 30
    assert "/v1/responses" in openai.endpoints
    assert openai.prices.batch_discount == 0.5


def test_sandbox_needs_no_key_and_is_polled_fast() -> None:
    sandbox = find_profile("sandbox")
    assert not sandbox.needs_key
    assert sandbox.env == ()
    assert (sandbox.poll.min_seconds, sandbox.poll.max_seconds) == (0.2, 2)
    assert not sandbox.limits.one_model


def test_a_table_of_a_persons_own_inherits_and_changes() -> None:
    profiles = load_profiles(
        {
            "corner": {
                "base": "openai",
                "base_url": "https://corner.example/v2",
                "limits": {"rows": 10},
                "batch": {"status_map": {"baked": "completed"}},
            }
        }
    )
    corner = profiles["corner"]
    assert corner.name == "corner"
    assert corner.limits.rows == 10
    assert corner.limits.bytes == 200 * 1024**2
    assert corner.batch.status_map == {"baked": BatchStatus.COMPLETED}
    assert profiles["openai"].limits.rows == 50_000


def test_a_table_with_a_shipped_name_changes_that_one_and_what_is_based_on_it() -> None:
    tables = {"openai": {"limits": {"rows": 7}}, "mine": {"base": "openai"}}
    profiles = load_profiles(tables)
    assert profiles["openai"].limits.rows == 7
    assert profiles["openai"].name == "OpenAI"
    assert profiles["mine"].limits.rows == 7
    explicit = load_profiles({"openai": {"base": "openai", "limits": {"rows": 8}}})
    assert explicit["openai"].limits.rows == 8


def test_lists_are_replaced_and_tables_merged() -> None:
    mine = find_profile("mine", {"mine": {"base": "openai", "endpoints": ["/v1/embeddings"]}})
    assert mine.endpoints == ("/v1/embeddings",)


@pytest.mark.parametrize(
    ("table", "words", "hint"),
    [
        ({"limitz": {}}, "unknown key limitz", "Did you mean 'limits'?"),
        ({"limits": {"row": 1}}, "unknown key limits.row", "Did you mean 'rows'?"),
        ({"limits": {"rows": "many"}}, "limits.rows: Expected `int`, got `str`", ""),
        ({"limits": {"rows": -1}}, "limits.rows: Expected `int` >= 0", ""),
        ({"create": {"window": {"kinds": "text"}}}, "create.window.kinds", "'kind'"),
        ({"batch": {"status_map": {"A": "compleet"}}}, "'compleet'", "'completed'"),
        ({"dialect": "fles"}, "'fles' is not an allowed value", "'files'"),
        ({"base": "openay"}, "unknown base 'openay'", "'openai'"),
        ({"base": 3}, "unknown base 3", ""),
        ({"paths": {"get": "/batches"}}, "paths.get must contain {id}", ""),
        ({"limits": {"custom_id_pattern": "["}}, "limits.custom_id_pattern is not a valid", ""),
        ({"poll": {"max_seconds": 1}}, "poll.max_seconds must not be less", ""),
        ({"base_url": "ftp://x"}, "base_url must start with", ""),
        ({"id": "x"}, "id cannot be set", ""),
        ({"retry_codes": {"a": 1}}, "a value of retry_codes: Expected `bool`", ""),
        ({"prices": {"batch_discount": 50}}, "prices.batch_discount", ""),
        (3, "is not a table", ""),
    ],
)
def test_a_bad_table_is_refused_with_place_key_and_reason(
    table: Any, words: str, hint: str
) -> None:
    with pytest.raises(ProfileError) as caught:
        load_profiles({"bad": table}, place="my.toml")
    assert words in caught.value.message
    assert caught.value.message.startswith("my.toml: [providers.bad]")
    assert hint in caught.value.hint
    assert isinstance(caught.value, ConfigError)


def test_bases_that_go_round_are_refused() -> None:
    with pytest.raises(ProfileError, match="circular `base`"):
        load_profiles({"a": {"base": "b"}, "b": {"base": "a"}})


def test_tables_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('theme = "dark"\n[providers.mine]\nbase = "openai"\nname = "Mine"\n')
    assert load_profiles(path)["mine"].name == "Mine"
    assert "mine" not in load_profiles(tmp_path / "absent.toml")
    path.write_text("[providers.mine]\nbase = \n")
    with pytest.raises(ProfileError, match=r"config\.toml is not valid TOML"):
        load_profiles(path)
    path.write_text("providers = 3\n")
    with pytest.raises(ProfileError, match="providers is not a table"):
        load_profiles(path)


def test_an_unknown_provider_names_the_nearest_and_a_bad_one_does_not_matter_to_others() -> None:
    with pytest.raises(ProfileError, match="Unknown provider 'opnai'") as caught:
        find_profile("opnai")
    assert "openai" in caught.value.hint
    assert find_profile("openai", {"bad": {"limitz": 1}}).id == "openai"
