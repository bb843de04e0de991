from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.compose.templates.fields import (
    FieldText,
    Syntax,
    UnknownFieldError,
    unknown_column,
)
from tui.compose.templates.jinja import as_prompt_text
from tui.errors import InputError


def filled(text: str, row: dict[str, Any], syntax: Syntax = "auto", number: int = 1) -> str:
    return FieldText(text, where="the user message", syntax=syntax).fill(row, number)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Say {name}!", "Say Anna!"),
        ("{name} {name} {Full name}", "Anna Anna A. B."),
        ("{a.b} {a-b} {a/b}", "dot dash slash"),
        ("{row_number}: {name}", "7: Anna"),
        ('JSON {"a": 1} {} {1} { name }', 'JSON {"a": 1} {} {1} { name }'),
        ("100% {name} %s", "100% Anna %s"),
        ("{{ name }} {name}", "Anna {name}"),
        ("{{ name | upper }}", "ANNA"),
        ("{% for x in tags %}{{ x }};{% endfor %}", "a;b;"),
        ('{{ row["Full name"] }} {{ row_number + 1 }}', "A. B. 8"),
        ("{# nothing #}{name}", "{name}"),
        ("  \n{name}\n\n", "Anna"),
        ("{tags} {none}", '["a","b"] '),
        ("{{ tags }}{{ none }}{{ yes }}", '["a","b"]true'),
    ],
)
def test_fields_are_filled_in(text: str, result: str) -> None:
    row = {
        "name": "Anna",
        "Full name": "A. B.",
        "a.b": "dot",
        "a-b": "dash",
        "a/b": "slash",
        "tags": ["a", "b"],
        "none": None,
        "yes": True,
    }
    assert filled(text, row, number=7) == result


def test_fields_of_answers_are_columns() -> None:
    row = {"@label": "good", "@a[0].b": 1, '@"first name"': "Ada", "answer": None}
    text = '{@label} {@a[0].b} {@"first name"} {answer}.{@ none} {@code x} {"@label"} {row_number}'
    field = FieldText(text, where="it", columns=[*row])
    assert field.fill(row, 7) == 'good 1 Ada .{@ none} {@code x} {"@label"} 7'
    with pytest.raises(UnknownFieldError):
        FieldText("{@lable} {row_number}", where="it", columns=[*row]).fill(row, 1)
    jinja = FieldText('{{ row["@label"] }}!', where="it", columns=[*row])
    assert jinja.fill(row, 1) == "good!"


def test_the_syntax_can_be_chosen() -> None:
    row = {"name": "Anna"}
    assert filled("{{name}}", row, "braces") == "{Anna}"
    assert filled("{name}", row, "jinja") == "{name}"
    assert filled("{name}", row, "plain") == "{name}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{titel}", "titel"),
        ("{title} {titel}", "titel"),
        ("{{ titel }}", "titel"),
        ("{{ titel | upper }}", "titel"),
        ('{{ row["titel"] }}', "titel"),
        ("{% if titel %}x{% endif %}", "titel"),
        ("{row_number} {titel}", "titel"),
    ],
)
def test_an_unknown_column_is_named(text: str, name: str) -> None:
    with pytest.raises(UnknownFieldError) as caught:
        filled(text, {"title": "x"})
    assert caught.value.name == name


def test_the_nearest_column_is_offered() -> None:
    error = unknown_column("titel", ["id", "title", "text"], 4, "the user message")
    assert error.message == "row 4: unknown column 'titel' in the user message"
    assert error.hint == "Did you mean 'title'? Columns: 'id', 'title', 'text'."
    assert error.line == 4
    assert "'NAME'" in unknown_column("name", ["NAME"], 1, "x").hint
    assert "Did you mean" not in unknown_column("zzz", ["id"], 1, "x").hint


@pytest.mark.parametrize("text", ["{{ name", "{% if %}", "{{ name | nofilter }}", "{% include 'x"])
def test_wrong_jinja_is_an_error_with_its_line(text: str) -> None:
    with pytest.raises(InputError, match="the user message, line 1") as caught:
        filled(text, {})
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ row.update({'a': 1}) }}",
        "{{ self.__init__.__globals__ }}",
        "{{ 1 // 0 }}",
        "{{ name + 1 }}",
        "{% for x in range(10 ** 9) %}{% endfor %}",
        "{% include 'secret' %}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ name.format_map }}{{ '{0.__class__}'.format(name) }}",
    ],
)
def test_the_sandbox_holds(text: str) -> None:
    with pytest.raises((InputError, UnknownFieldError)):
        filled(text, {"name": "Anna"}, number=3)


def test_a_row_is_not_changed_by_its_template() -> None:
    row = {"tags": ["a"]}
    with pytest.raises(InputError, match="row 1"):
        filled("{{ tags.append('b') }}", row)
    assert row == {"tags": ["a"]}


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True).filter(
    lambda name: name not in {"if", "in", "is", "or", "not", "and", "row", "none", "true", "false",
                              "else", "self", "context", "caller"}
)  # fmt: skip


PLAIN = st.text(alphabet=st.characters(exclude_characters="{}"), max_size=5)


@given(st.lists(st.tuples(PLAIN, NAMES), max_size=4), st.text(max_size=5))
def test_both_syntaxes_say_the_same(pieces: list[tuple[str, str]], value: str) -> None:
    row = {name: value for _, name in pieces}
    braces = "".join(f"{text}{{{name}}}" for text, name in pieces)
    jinja = "".join(f"{text}{{{{ {name} }}}}" for text, name in pieces)
    # Jinja makes every kind of line end in the template a plain one.
    expected = re.sub(r"\r\n|\r", "\n", braces.strip())
    expected = re.sub(r"\{[a-z][a-z0-9_]*\}", lambda _: value, expected)
    assert filled(jinja, row, "jinja") == expected


@given(st.text())
def test_any_text_is_filled_in_or_refused(text: str) -> None:
    try:
        made = filled(text, {"a": "x"})
    except (InputError, UnknownFieldError):
        return
    assert isinstance(made, str)


def test_values_as_they_are_shown() -> None:
    values = ["a", None, True, 3, 1.5, {"k": [1]}]
    assert [as_prompt_text(value) for value in values] == ["a", "", "true", "3", "1.5", '{"k":[1]}']


@pytest.mark.parametrize("value", [5, 2.5, True, None, ["a"], "text"])
def test_one_column_of_any_type_is_inserted(value: object) -> None:
    text = FieldText("Score {score}", where="the user message")
    assert text.fill({"score": value}, 1) == f"Score {as_prompt_text(value)}"


def test_a_column_of_any_name_is_a_field() -> None:
    columns = ("2019", "Price (EUR), net", "Price", "text")
    text = FieldText(
        'In {2019}: {Price (EUR), net} not {Price}, {"a": {1}}', where="x", columns=columns
    )
    row = {"2019": 5, "Price (EUR), net": "7", "Price": "8", "text": ""}
    assert text.fill(row, 1) == 'In 5: 7 not 8, {"a": {1}}'
    with pytest.raises(InputError, match="cannot be rendered"):
        FieldText("{{ n.b }}", where="x").fill({"n": None}, 1)
