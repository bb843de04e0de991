"""Templates of strangers: they reach nothing, and take neither all memory nor all time."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.compose.templates.fields import FieldText, UnknownFieldError
from tui.errors import InputError

ROW = {"name": "Anna", "text": "word " * 200, "tags": ["a", "b"], "n": 7}


def filled(text: str, row: dict[str, Any] | None = None) -> str:
    field = FieldText(text, where="the user message", syntax="jinja")
    return field.fill(ROW if row is None else row, 1)


BOMBS = [
    "{{ 'a' * 10**9 }}",
    "{{ 10**9 * 'a' }}",
    "{{ ['a'] * 10**9 }}",
    "{{ 9**(9**9) }}",
    "{{ (9**9999) ** 9999 }}",
    "{% set x = 10**20000 %}{{ x * x * x * x * x * x }}",
    "{{ 'a'|center(10**9) }}",
    "{{ 'a'.center(10**9) }}{{ 'a'.ljust(n * 10**9) }}",
    "{{ 'a'.zfill(10**9) }}",
    "{{ '\t'.expandtabs(10**9) }}",
    "{{ ('a' * 10**6).replace('a', 'b' * 10**6) }}",
    "{{ ('a' * 10**6)|replace('a', 'b' * 10**6) }}",
    "{{ ('a' * 10**6).join(range(99999)) }}",
    "{{ range(99999)|join('a' * 10**6) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (10**9, 1) }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ '{:1000000000d}'.format(1) }}",
    "{{ '{:{}}'.format(1, 10**9) }}",
    "{{ '{:{w}}'.format(1, w=10**9) }}",
    "{{ '{x:1000000000}'.format_map({'x': 1}) }}",
    "{{ ('\n' * 10**6)|indent(10**5) }}",
    "{{ text|wordwrap(1, wrapstring='a' * 10**6) }}",
    "{{ text|wordwrap(1, true, 'a' * 10**6) }}",
    "{{ [1]|batch(10**9, 'x')|list }}",
    "{{ [1]|slice(10**9)|list }}",
    "{{ 1|round(10**9) }}",
    "{{ {'a': 1}|tojson(indent=10**9) }}",
    "{{ range(99999)|map('list')|sum(start=[]) }}",
    "{% for x in range(10**9) %}{% endfor %}",
    "{% for x in range(99999) %}{% for y in range(99999) %}{% endfor %}{% endfor %}",
    "{% for x in range(99999) %}{% for y in range(99999) %}x{% endfor %}{% endfor %}",
    "{% for x in range(99999) %}{{ text * 100 }}{% endfor %}",
    "{% for x in range(99999) %}{{ 'a' * 10**6 }}{% endfor %}",
    "{% set ns = namespace(x='aaaa') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}"
    "{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x='aaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}"
    "{% endfor %}{{ ns.x }}",
    "".join(f"{{% set x{n + 1} %}}{{{{ x{n} }}}}{{{{ x{n} }}}}{{% endset %}}" for n in range(60))
    .replace("{{ x0 }}", "{{ name }}") + "{{ x60 }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "{% for x in [tags] recursive %}{{ loop([tags]) }}{{ loop([tags]) }}{% endfor %}",
    "{{ lipsum(10**6) }}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{% for x in tags %}" * 60 + "{% endfor %}" * 60,
    "{{ " + "1" * 6000 + " }}",
    "{{ " + "-" * 50_000 + "1 }}",
    "{% if a %}" * 3000,
]  # fmt: skip

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ name|map(attribute='__class__')|list }}",
    "{{ [name]|map(attribute='__class__.__mro__')|list }}",
    "{{ '{0.__class__}'.format(name) }}",
    "{{ '{a.__init__.__globals__}'.format_map({'a': namespace()}) }}",
    "{{ ['{0.__class__}'.format]|map('call', name)|list }}",
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ dict.mro() }}{{ dict.__base__ }}",
    "{{ range.__class__ }}",
    "{{ (tags|map('upper')).gi_frame.f_globals }}",
    "{% macro m() %}{% endmacro %}{{ m.__globals__ }}",
    "{% for x in tags %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "{{ row.update({'a': 1}) }}",
    "{{ tags.append('c') }}",
    "{% include '/etc/passwd' %}",
    "{% import '/etc/passwd' as p %}{{ p }}",
    "{% extends '/etc/passwd' %}",
    "{% from 'os' import system %}",
    "{{ open('/etc/passwd').read() }}",
    "{{ __import__('os') }}",
    "{{ joined }}{{ environment }}",
    "{{ text.encode('idna' * 3) }}",
]


@pytest.mark.parametrize("text", BOMBS, ids=[text[:50] for text in BOMBS])
def test_bombs_are_refused_before_they_go_off(text: str) -> None:
    # To trace the memory of a loop takes long; what loops collect is bounded by their work.
    traced = "{%" not in text
    if traced:
        tracemalloc.start()
    try:
        with pytest.raises((InputError, UnknownFieldError)) as caught:
            filled(text)
        assert not traced or tracemalloc.get_traced_memory()[1] < 120_000_000
    finally:
        if traced:
            tracemalloc.stop()
    if isinstance(caught.value, InputError):
        assert caught.value.hint


@pytest.mark.parametrize("text", ESCAPES)
def test_nothing_is_reached(text: str) -> None:
    row = {**ROW, "tags": ["a", "b"]}
    with pytest.raises((InputError, UnknownFieldError)):
        filled(text, row)
    assert row == {**ROW, "tags": ["a", "b"]}


FINE: list[tuple[str, str]] = [
    ("{{ name * 3 }}", "AnnaAnnaAnna"),
    ("{{ 'x' ~ n ~ name }}", "x7Anna"),
    ("{% for t in tags %}{{ loop.index }}/{{ loop.length }}{{ t }} {% endfor %}", "1/2a 2/2b "),
    ("{% for t in tags if t != 'a' %}{{ t }}{% else %}none{% endfor %}", "b"),
    ("{% for t in tags %}{{ t }}{% if not loop.last %}, {% endif %}{% endfor %}", "a, b"),
    ("{% for x in [[1, [2]]] recursive %}{{ x[0] }}{% endfor %}", "1"),
    ("{% set a = name|upper %}{{ a }}{{ a }}", "ANNAANNA"),
    ("{% set a %}<{{ name }}>{% endset %}{{ a }}", "<Anna>"),
    ("{% macro tag(x) %}<{{ x }}>{% endmacro %}{{ tag(name) }}", "<Anna>"),
    ("{% block b %}{{ name }}{% endblock %}", "Anna"),
    ("{% set a = 1 %}{% block b %}{{ name }}{% endblock %}{{ a }}", "Anna1"),
    ("{{ '%05.2f' % n }} {{ '{:>4}'.format(n) }} {{ 2 ** 10 }}", "07.00    7 1024"),
    ("{{ name.ljust(6, '.') }}{{ name.replace('n', 'm') }}", "Anna..Amma"),
    ("{{ ', '.join(tags) }} {{ tags|join('-') }}", "a, b a-b"),
    ("{{ 'a\nb'|indent(2) }}", "a\n  b"),
    ("{{ 'a b'|wordwrap(1) }}", "a\nb"),
    ("{{ 3.14159|round(2) }} {{ [1, 2]|sum }}", "3.14 3"),
    ("{{ tags|batch(3, '-')|list }}", '[["a","b","-"]]'),
    ("{{ row.name }} {{ row['n'] }} {{ row_number }}", "Anna 7 1"),
    ("{{ missing_one|default('none') }} {{ n is odd }}", "none true"),
    ("{{ range(3)|list }}", "[0,1,2]"),
    ("{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}", "ab"),
    ("{{ {'a': [1, 2]}|tojson }}", '{"a": [1, 2]}'),
]


@pytest.mark.parametrize(("text", "made"), FINE)
def test_what_people_write_still_works_row_after_row(text: str, made: str) -> None:
    field = FieldText(text, where="x", syntax="jinja")
    assert [field.fill(ROW, 1) for _ in range(3)] == [made.strip()] * 3 or made != made.strip()
    assert field.fill(ROW, 1) == made


def test_each_row_has_work_of_its_own() -> None:
    field = FieldText("{% for x in range(9) %}{{ pad }}{% endfor %}", where="x", syntax="jinja")
    for number in range(1, 9):
        assert len(field.fill({"pad": "x" * 1_000_000}, number)) == 9_000_000
    with pytest.raises(InputError, match="more than 10,000,000 characters"):
        field.fill({"pad": "x" * 1_200_000}, 9)


def test_nothing_of_a_row_is_left_for_the_next() -> None:
    field = FieldText("{% set a = name %}{{ a }}{{ b }}", where="x", syntax="jinja")
    assert field.fill({"name": "x", "b": "y"}, 1) == "xy"
    with pytest.raises(UnknownFieldError) as caught:
        field.fill({"name": "x", "a": "z"}, 2)
    assert caught.value.name == "b"
    field = FieldText("{% if b %}{% set a = 1 %}{% endif %}{{ a }}", where="x", syntax="jinja")
    assert field.fill({"b": True}, 1) == "1"
    with pytest.raises(UnknownFieldError):
        field.fill({"b": False}, 2)


@given(
    st.dictionaries(st.sampled_from(["name", "row", "range", "row_number"]), st.text(max_size=5))
)
def test_a_column_wins_over_what_templates_know(row: dict[str, str]) -> None:
    for name, value in row.items():
        assert FieldText(f"{{{{ {name}|string }}}}", where="x").fill(row, 3) == value
