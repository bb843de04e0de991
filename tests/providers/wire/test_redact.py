from __future__ import annotations

import pytest

from tui.providers.wire.errors import redact


@pytest.mark.parametrize(
    "text",
    [
        "the key k3y/+= is wrong",
        'header "Bearer k3y/+="',
        "https://x.example/?key=k3y%2F%2B%3D",
    ],
)
def test_the_accounts_key_is_hidden_in_every_writing(text: str) -> None:
    hidden = redact(text, "k3y/+=")
    assert "k3y" not in hidden
    assert "[key]" in hidden


def test_a_key_with_characters_that_json_escapes_is_hidden_in_json() -> None:
    assert "abc" not in redact(r'{"got": "abc\"def\\ghi"}', 'abc"def\\ghi')


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefgh12345678",
        "x-api-key: abcdef123456",
        '{"api-key": "abcdef123456"}',
        "Incorrect API key provided: sk-proj-abcdefghijklmnop1234",
        "https://me:abcdef123456@example.com/",
    ],
)
def test_what_looks_like_a_key_is_hidden_although_it_is_not_ours(text: str) -> None:
    assert "abcdef" not in redact(text)


def test_ordinary_words_stay() -> None:
    text = "Line 3: custom_id task-1 is used twice; the API key is missing"
    assert redact(text, "secret") == text
