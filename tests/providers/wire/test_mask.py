"""The key is taken out of bytes whatever pieces they come in, and nothing else is changed."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from tui.providers.wire.mask import Mask

KEY = 'sk-"/ab\\sk-sk-cd'
FORMS = (KEY, quote(KEY, safe=""), KEY.replace("\\", "\\\\").replace('"', '\\"'))


@given(
    parts=st.lists(
        st.sampled_from([*FORMS, *(form[:9] for form in FORMS)]) | st.text(max_size=3), max_size=6
    ),
    sizes=st.lists(st.integers(1, 9), min_size=1),
)
def test_no_piece_holds_the_key(parts: list[str], sizes: list[int]) -> None:
    data = "".join(parts).encode()
    stream = Mask(KEY).stream()
    found = b""
    start = turn = 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        found += stream.feed(data[start : start + size])
        start, turn = start + size, turn + 1
    found += stream.rest
    assert len(found) == len(data)
    assert not any(form.encode() in found for form in FORMS)
    if not any(form.encode() in data for form in FORMS):
        assert found == data


def test_a_short_key_is_a_word() -> None:
    stream = Mask("EMPTY").stream()
    assert stream.feed(b"an EMPTY answer") == b"an EMPTY answer"
    assert Mask(None).stream().feed(b"x") == b"x"
