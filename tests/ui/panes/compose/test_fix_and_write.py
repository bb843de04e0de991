"""Mending a file, and writing one request by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import Button, Input

from tests.ui.conftest import notes, real_app, running, screen_text, until
from tui.compose.templates.model import Template
from tui.errors import UsageError
from tui.paths import Paths
from tui.ui.dialogs.fixes import FixesDialog
from tui.ui.models.dropped_paths import dropped_paths
from tui.ui.models.template_form import KINDS, TemplateFields, placeholder, to_jinja
from tui.ui.panes.compose.check import CheckStep
from tui.ui.panes.compose.request import RequestStep, request_problem
from tui.ui.widgets.basics import DotCheckbox
from tui.ui.widgets.compose_inputs import JsonTextArea


def request(custom_id: str, model: str = "m") -> str:
    messages = [{"role": "user", "content": "x"}]
    body = {"model": model, "messages": messages, "max_tokens": 10}
    url = "/v1/chat/completions"
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": body})


async def test_fixes_are_chosen_and_go_into_a_copy(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join([request("a"), request("a"), request("b c")]) + "\n", "utf-8")
    before = file.read_bytes()
    app = real_app(paths, open_file=file)
    async with running(app) as pilot:
        await until(pilot, lambda: "to fix in the file" in screen_text(app))
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, FixesDialog))
        assert "● Replace invalid or duplicate ids" in " ".join(screen_text(app).split())
        app.screen.query_one("#fix-most", Input).value = "5"
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        mended = app.main.compose_pane.path
        assert mended is not None and mended.name == "rows-fixed.jsonl"
        rows = [json.loads(line) for line in mended.read_text("utf-8").splitlines()]
        assert len({row["custom_id"] for row in rows}) == 3
        assert {row["body"]["max_tokens"] for row in rows} == {5}
        assert file.read_bytes() == before
        await pilot.press("escape")
        await until(pilot, lambda: app.main.compose_pane.path == file)


async def test_a_line_is_edited_in_a_copy(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{request('a')}\nnot json\n", "utf-8")
    app = real_app(paths, open_file=file)
    async with running(app) as pilot:
        await until(pilot, lambda: "to fix in the file" in screen_text(app))
        await pilot.press("E")
        pane = app.main.compose_pane
        await until(pilot, lambda: isinstance(pane.step, RequestStep))
        await until(pilot, lambda: "line 1, column 1" in screen_text(app))
        area = pane.query_one(JsonTextArea)
        assert area.text == "not json"
        assert pane.query_one("#do-check", Button).disabled or app.focused is area
        area.text = json.dumps(json.loads(request("b")), indent=2).replace("10", "1.50")
        await until(pilot, lambda: "✓ Valid request" in screen_text(app))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        edited = pane.path
        assert edited is not None and edited.name == "rows-edited.jsonl"
        lines = edited.read_text("utf-8").splitlines()
        # Other lines keep their bytes, and the new one its very numbers.
        assert lines[0] == request("a") and '"max_tokens": 1.50' in lines[1]


async def test_requests_in_order_are_shown_and_the_shown_one_is_edited(
    paths: Paths, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    long = request("third").replace('"x"', '"a longer question"')
    file.write_text("\n".join([request("first"), request("second"), long]) + "\n", "utf-8")
    app = real_app(paths, open_file=file)
    async with running(app) as pilot:
        await until(pilot, lambda: "▸ first" in screen_text(app))
        assert "first  " in screen_text(app) and "Ready to submit" in screen_text(app)
        while "row 3" not in screen_text(app):
            await pilot.press("ctrl+g")
        assert "a longer question" in screen_text(app)
        await pilot.press("E")
        pane = app.main.compose_pane
        await until(pilot, lambda: isinstance(pane.step, RequestStep))
        assert '"third"' in pane.query_one(JsonTextArea).text


async def test_a_request_that_cannot_be_used_is_left_with_escape(
    paths: Paths, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{request('a')}\n", "utf-8")
    app = real_app(paths, open_file=file)
    async with running(app) as pilot:
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        await pilot.press("E")
        pane = app.main.compose_pane
        await until(pilot, lambda: isinstance(pane.step, RequestStep))
        await until(pilot, lambda: isinstance(app.focused, JsonTextArea))
        await pilot.press("x")
        await until(pilot, lambda: "✗ line 1" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "do-outside")
        await pilot.press("escape")
        await until(pilot, lambda: any("Not saved" in note for note in notes(app)))
        assert isinstance(pane.step, RequestStep)
        await pilot.press("escape")
        await until(pilot, lambda: pane.path == file)


async def test_requests_are_written_one_after_the_other(paths: Paths) -> None:
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: "Write a single request" in screen_text(app))
        await pilot.press("E")
        pane = app.main.compose_pane
        await until(pilot, lambda: isinstance(pane.step, RequestStep))
        area = pane.query_one(JsonTextArea)
        area.text = area.text.replace('"model": ""', '"model": "m"')
        await pilot.click("#do-another")
        await until(pilot, lambda: '"request-2"' in area.text)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: isinstance(pane.step, CheckStep) and pane.path is not None)
        assert pane.path is not None
        await until(pilot, lambda: "2 requests" in screen_text(app))
        ids = [json.loads(line)["custom_id"] for line in pane.path.read_text().splitlines()]
        assert ids == ["request-1", "request-2"]


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        (request("a"), ""),
        ('{"custom_id": "a",\n "body": {,}}', "line 2, column 11"),
        ("[]", "a JSON object"),
        ('{"body": {}}', "no custom_id"),
        ('{"custom_id": "a"}', "neither body nor params"),
        ('{"custom_id": "a", "params": {}}', ""),
        ('{"custom_id": "a", "body": {"x": NaN}}', "NaN"),
        ("[" * 100_000, "nested"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(text: str, trouble: str) -> None:
    assert (trouble in request_problem(text)) if trouble else request_problem(text) == ""


def test_a_template_comes_back_out_of_the_form_as_it_was() -> None:
    template = Template(
        name="n",
        model="m",
        system="S",
        user="U {a}",
        max_tokens=9,
        temperature=0.25,
        schema={"type": "object"},
        tools=[{"type": "function"}],
        settings={"top_p": 0.5, "user": "1", "tags": ["a"], "note": "two\nlines"},
        id="a",
    )
    assert TemplateFields.of(template).template() == template


@pytest.mark.parametrize("kind", KINDS)
def test_fields_that_a_kind_lacks_are_left_out(kind: str) -> None:
    from tui.compose.templates.model import check_template

    text = TemplateFields(
        kind=kind,  # type: ignore[arg-type]
        model="m", system="s", user="u", max_tokens="5", temperature="0.5", schema="{}",
        entities=(("a", "b"),), labels=(("a", "b"), ("c", "d")),
        rest=Template(tools=[1], images=("x.png",)),
    )  # fmt: skip
    check_template(text.template())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_tokens": "many"}, "must be a whole number"),
        ({"temperature": "nan"}, "must be a number"),
        ({"schema": "{"}, "not valid JSON"),
        ({"schema": "/not/there.json"}, "cannot read the schema"),
        ({"settings": "top_p"}, "invalid setting"),
        ({"model": ""}, "no model"),
        ({"user": " "}, "prompt is empty"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, str], words: str) -> None:
    values = {"model": "m", "user": "u", **changes}
    with pytest.raises(UsageError, match=words):
        TemplateFields(**values).template()  # type: ignore[arg-type]


def test_columns_are_named_in_the_syntax_of_the_text() -> None:
    assert placeholder("name", "") == "{name}"
    assert placeholder("name", "{{ x }}") == "{{ name }}"
    assert placeholder("a?", "") == '{{ row["a?"] }}'
    assert to_jinja('{a} and {"json": 1}', ["a"]) == '{{ a }} and {"json": 1}'


@pytest.mark.parametrize(
    ("pasted", "path"),
    [
        (" /a/b c.csv\n", "/a/b c.csv"),
        ("'/a/b c.csv'", "/a/b c.csv"),
        ("file:///a/b%20c.csv", "/a/b c.csv"),
        ("shop.db::SELECT 'x'", "shop.db::SELECT 'x'"),
    ],
)
def test_a_pasted_path_loses_its_wrapping(pasted: str, path: str) -> None:
    assert dropped_paths(pasted) == [path]


async def test_refused_fields_and_empty_prompts_are_offered_to_go(
    paths: Paths, tmp_path: Path
) -> None:
    rows = [json.loads(request(id)) for id in "abc"]
    rows[1]["body"]["stream"] = True
    rows[2]["body"]["messages"][0]["content"] = " "
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    app = real_app(paths, open_file=file)
    async with running(app) as pilot:
        await until(pilot, lambda: "to fix in the file" in screen_text(app))
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, FixesDialog))
        assert "Drop rows with an empty prompt  (1 row)" in screen_text(app)
        assert "Write the copy" in screen_text(app)
        unset = app.screen.query_one("#fix-unset", Input)
        assert unset.value == "stream"
        unset.value = "stream; [["
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "is not a field path" in screen_text(app))
        unset.value = "stream; max_tokens"
        app.screen.query_one("#fix-empty", DotCheckbox).value = True
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        mended = app.main.compose_pane.path
        assert mended is not None
        bodies = [json.loads(line)["body"] for line in mended.read_text("utf-8").splitlines()]
        assert [set(body) for body in bodies] == [{"model", "messages"}] * 2


async def test_the_line_of_a_problem_is_tried_and_not_another(paths: Paths, tmp_path: Path) -> None:
    rows = [json.loads(request(id)) for id in ("a", "b", "c")]
    rows[2]["body"]["stream"] = True
    lines = ["", "", *map(json.dumps, rows)]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    app = real_app(paths, open_file=file)
    async with running(app) as pilot:
        await until(pilot, lambda: "to fix in the file" in screen_text(app))
        await pilot.press("t")
        await until(pilot, lambda: any("is blank" in note for note in notes(app)))
        await until(pilot, lambda: app.focused is not None and app.focused.id == "problems")
        await pilot.press("end", "t")
        await until(pilot, lambda: "'stream' must not be set" in screen_text(app))
        await pilot.press("escape")
