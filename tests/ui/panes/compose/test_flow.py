"""From a table, a text or a sample over a template to a job, with few keys."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.events import Paste
from textual.widgets import Input

from tests.ui.conftest import notes, real_app, running, screen_text, until
from tests.ui.panes.composing import (
    SAVED,
    asked,
    drawn,
    form_of,
    job_rows,
    kind_chosen,
    loaded,
    pasted,
    save,
    template_step,
    write_reviews,
)
from tui.compose.sources.base import Row, Source
from tui.config.settings import BudgetConfig, Config, PriceConfig
from tui.core.jobs import SamplePart
from tui.engine.engine import Engine
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.choose import ChooseDialog
from tui.ui.dialogs.confirm import ConfirmDialog, SubmitDialog
from tui.ui.dialogs.input import SampleDialog
from tui.ui.dialogs.templates import TemplatesDialog
from tui.ui.panes.compose.pane import ComposePane
from tui.ui.panes.compose.template import TemplateStep
from tui.ui.widgets.compose_inputs import MAX_TEXT_LENGTH, PlainTextArea
from tui.ui.widgets.template_form import PairRows

pytestmark = pytest.mark.usefixtures("at_once")


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    return write_reviews(tmp_path / "reviews.csv")


async def test_from_a_path_to_a_job_in_under_ten_keys(paths: Paths, reviews: Path) -> None:
    save(paths)
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        await pasted(pilot, app, f"'{reviews}'\n")
        await form_of(pilot, app)
        keys = 0

        async def press(key: str) -> None:
            nonlocal keys
            keys += 1
            await pilot.press(key)

        await press("f2")
        await until(pilot, lambda: "Feeling" in screen_text(app))
        await press("enter")
        await until(pilot, lambda: drawn(app))
        text = screen_text(app)
        assert "60 rows" in text and "tokens in" in text and "free" in text
        assert "What does this customer feel? Review 0, it works" in text
        await press("S")
        await until(pilot, lambda: isinstance(app.screen, SubmitDialog))
        assert "60" in screen_text(app) and "sandbox-small" in screen_text(app)
        await press("y")
        await until(pilot, lambda: app.main.batches.job and app.main.batches.job.counts.succeeded)
        assert keys < 10
        rows = job_rows(app)
        assert [row["custom_id"] for row in rows] == [f"r{n}" for n in range(60)]
        assert rows[59]["body"]["messages"][1]["content"].endswith("feel? Two\nlines")
        assert app.main.batches.job is not None and app.main.batches.job.name == "reviews"
        assert app.session.state.sources == [str(reviews)]


@pytest.mark.parametrize(("down", "rows", "word"), [(1, 5, "library"), (2, 10, "Harbour Lamp")])
async def test_the_samples_are_a_first_batch_by_keys_alone(
    paths: Paths, down: int, rows: int, word: str
) -> None:
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: "Five documents" in screen_text(app))
        await pilot.press(*["down"] * down, "enter")
        await until(pilot, lambda: drawn(app))
        sketch = template_step(app).sketch
        assert sketch is not None and sketch.count == rows
        assert word in json.dumps(sketch.rows[0].request)
        await asked(pilot, app)
        await pilot.press("y")
        job = app.main.batches
        await until(pilot, lambda: job.job and job.job.counts.succeeded == rows)


async def test_an_undefined_column_names_row_and_nearest(paths: Paths, reviews: Path) -> None:
    app = real_app(paths)
    async with running(app) as pilot:
        app.main.action_show("compose")
        app.main.compose_pane.open_source(str(reviews))
        await until(pilot, lambda: "prompt is empty" in screen_text(app))
        assert isinstance(app.focused, PlainTextArea)
        # Letters are text here, and keys with ctrl or a number act.
        await pilot.press(*"Sum", "space", *"{txt}")
        await until(pilot, lambda: "unknown column 'txt'" in screen_text(app))
        assert "row 1" in screen_text(app) and "Did you mean 'text'?" in screen_text(app)
        await pilot.press("f8")
        await until(pilot, lambda: any("not valid yet" in note for note in notes(app)))
        await pilot.press("left", "left", "left", "e")
        await until(pilot, lambda: drawn(app))
        assert template_step(app).text.user == "Sum {text}"


async def test_columns_are_put_in_by_keys_and_mouse(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    file.write_text("name,what it is?\na,b\n", "utf-8")
    app = real_app(paths, open_file=file)
    async with running(app, (120, 36)) as pilot:
        await form_of(pilot, app)
        await until(pilot, lambda: isinstance(app.focused, PlainTextArea))
        await pilot.press(*"Say:", "tab", "enter")
        area = template_step(app).query_one("#field-user", PlainTextArea)
        await until(pilot, lambda: area.text == "Say:{name}")
        await pilot.press("tab", "down", "enter")
        # A column that braces cannot name takes Jinja, and the others go along.
        await until(pilot, lambda: area.text == 'Say:{{ name }}{{ row["what it is?"] }}')
        template_step(app).query_one("#field-model", Input).value = "m"
        await until(pilot, lambda: "Say:ab" in screen_text(app))


SCALEDOWN: list[tuple[str, str, list[str], dict[str, Any]]] = [
    ("summarize", "", [], {"model": "summarize", "text": "Review 0, it works"}),
    (
        "extract",
        "#field-entities",
        ["who", "the person", "what", "the thing"],
        {"model": "extract", "entities": {"who": "the person", "what": "the thing"}},
    ),
    (
        "classify",
        "#field-labels",
        ["good", "Is it good?", "bad", "Is it bad?"],
        {
            "model": "classify",
            "labels": [
                {"name": "good", "rubric": "Is it good?"},
                {"name": "bad", "rubric": "Is it bad?"},
            ],
        },
    ),
]


@pytest.mark.parametrize(("kind", "field", "typed", "wanted"), SCALEDOWN)
async def test_the_scaledown_forms_reach_the_wire(
    paths: Paths, reviews: Path, kind: str, field: str, typed: list[str], wanted: dict[str, Any]
) -> None:
    app = real_app(paths, open_file=reviews)
    async with running(app) as pilot:
        step = await form_of(pilot, app)
        await kind_chosen(pilot, step, kind)
        assert step.text.user == "{text}"
        if field:
            step.query_one(f"{field} Input", Input).focus()
            for words in typed:
                await pilot.press(*(c if c != " " else "space" for c in words), "enter")
            assert len(step.query_one(field, PairRows).pairs) == 2
        await until(pilot, lambda: drawn(app))
        await asked(pilot, app, "f8")
        await pilot.press("y")
        await until(pilot, lambda: app.main.batches.job)
        body = job_rows(app)[0]["body"]
        assert {name: body[name] for name in wanted} == wanted


def priced_app(paths: Paths, budget: BudgetConfig) -> BatchdeckApp:
    """The app with OpenAI as its account, at a price of its own, and a budget."""
    config = Config(
        default_account="openai",
        budget=budget,
        prices={"m": PriceConfig(input=100.0, output=400.0)},
    )

    async def open_engine() -> Engine:
        return await Engine.open(paths, config)

    return BatchdeckApp(paths, config, open_engine)


async def test_a_budget_stops_before_anything_is_sent(paths: Paths, reviews: Path) -> None:
    save(paths, SAVED.replace("sandbox-small", "m"))
    app = priced_app(paths, BudgetConfig(per_submit=0.3))
    async with running(app, (120, 36)) as pilot:
        await loaded(pilot, app, reviews)
        assert "$0." in screen_text(app)
        await asked(pilot, app)
        await until(pilot, lambda: "Over budget" in screen_text(app))
        await pilot.press("y")
        assert isinstance(app.screen, SubmitDialog)
        # Twenty of the sixty rows are cheap enough.
        await pilot.press("s")
        await until(pilot, lambda: "20 of 60" in screen_text(app))
        assert "Over budget" not in screen_text(app)
        await pilot.press("s")
        await until(pilot, lambda: "Over budget" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "over budget" in screen_text(app))
        assert app.engine is not None and not app.engine.history.jobs.list()


def told_of_input(app: BatchdeckApp) -> str:
    return next(line for line in screen_text(app).split("\n") if " input " in line)


async def test_a_sample_is_sent_first_and_the_rest_waits(paths: Paths, reviews: Path) -> None:
    save(paths)
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        await loaded(pilot, app, reviews)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        await pilot.click("#do-sample_first")
        await until(pilot, lambda: isinstance(app.screen, SampleDialog))
        assert "The other 40 rows wait as a draft" in screen_text(app)
        await pilot.press("end", "0")
        await until(pilot, lambda: "A sample has 1 to 59 of the 60 rows." in screen_text(app))
        await pilot.press("enter")
        assert isinstance(app.screen, SampleDialog)
        await pilot.press("backspace", "down", *"in.stars", "down", "7", "enter")
        await until(pilot, lambda: isinstance(app.screen, SubmitDialog))
        assert "20 of 60 at random, seed 7, equal shares of in.stars" in screen_text(app)
        # Twenty rows have fewer tokens than sixty.
        few = told_of_input(app)
        await pilot.press("s")
        await until(pilot, lambda: "20 of 60" not in screen_text(app))
        assert few != told_of_input(app)
        await pilot.press("s")
        await pilot.press("y")
        assert app.engine is not None
        history = app.engine.history
        await until(pilot, lambda: [j.counts.succeeded for j in history.jobs.list()].count(20) == 1)
        by_name = {job.name: job for job in history.jobs.list()}
        assert by_name["reviews-sample"].counts.succeeded == 20
        part = SamplePart(rows=20, of=60, seed=7, by="in.stars")
        assert by_name["reviews-sample"].sample == part
        assert by_name["reviews"].counts.pending == 40 and by_name["reviews"].status == "draft"


async def test_repeats_are_told_and_can_be_sent_once(paths: Paths, tmp_path: Path) -> None:
    save(paths)
    table = tmp_path / "reviews.csv"
    rows = [f"{number},{'n/a' if number < 30 else number},5" for number in range(32)]
    table.write_text("\n".join(["id,text,stars", *rows]) + "\n", "utf-8")
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        await loaded(pilot, app, table)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "29 of 32 rows repeat another: 91%" in screen_text(app))
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, SubmitDialog))
        assert "29 of 32 rows repeat another" in screen_text(app)
        whole = told_of_input(app)
        await pilot.press("d")
        await until(pilot, lambda: "3 of 32" in screen_text(app))
        assert told_of_input(app) != whole
        await pilot.press("y")
        assert app.engine is not None
        history = app.engine.history
        await until(pilot, lambda: [j.counts.succeeded for j in history.jobs.list()] == [32])
        (batch,) = history.batches.of_job(history.jobs.list()[0].id)
        assert (batch.rows, batch.repeats) == (3, 29)
        app.main.open_job(history.jobs.list()[0].id)
        await until(pilot, lambda: "All rows" in screen_text(app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "not sent: same request as" in screen_text(app))


async def test_answers_of_earlier_jobs_are_copied_when_asked(paths: Paths, tmp_path: Path) -> None:
    save(paths)
    table = tmp_path / "reviews.csv"
    lines = [f"{number},text {number},5" for number in range(12)]
    table.write_text("\n".join(["id,text,stars", *lines[:10]]) + "\n", "utf-8")
    app = real_app(paths)
    async with running(app, (80, 24)) as pilot:
        await loaded(pilot, app, table)
        await asked(pilot, app)
        assert "earlier jobs" not in screen_text(app)
        await pilot.press("y")
        assert app.engine is not None
        history = app.engine.history
        await until(pilot, lambda: [j.counts.succeeded for j in history.jobs.list()] == [10])
    table.write_text("\n".join(["id,text,stars", *lines]) + "\n", "utf-8")
    app = real_app(paths)
    async with running(app, (80, 24)) as pilot:
        await loaded(pilot, app, table)
        await asked(pilot, app)
        await pilot.press("r")
        await until(pilot, lambda: "2 of 12" in screen_text(app))
        assert "10 rows have an answer already" in screen_text(app)
        await pilot.press("y")
        assert app.engine is not None
        history = app.engine.history
        await until(pilot, lambda: 12 in [j.counts.succeeded for j in history.jobs.list()])
        newest = max(history.jobs.list(), key=lambda job: job.created_at)
        assert [batch.rows for batch in history.batches.of_job(newest.id)] == [10, 2]


async def test_a_row_is_tried_beside_its_prompt(paths: Paths, reviews: Path) -> None:
    save(paths, SAVED.replace("Answer in one word.", "sandbox:say=Joy {stars}"))
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        await loaded(pilot, app, reviews)
        await pilot.press("t")
        await until(pilot, lambda: "succeeded" in screen_text(app))
        assert "Joy 0" in screen_text(app).partition("Answer")[2]
        # Another row has no answer yet, and is asked for itself.
        await pilot.press("ctrl+g", "ctrl+g")
        await until(pilot, lambda: "▸ longest" in screen_text(app))
        assert "succeeded" not in screen_text(app)
        assert app.engine is not None and not app.engine.history.jobs.list()


async def test_a_program_runs_only_after_a_yes_to_its_path(paths: Paths, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    file = tmp_path / "builder.py"
    file.write_text(
        f"from pathlib import Path\nPath({str(mark)!r}).touch()\n"
        "def requests():\n    yield {'custom_id': 'a', 'body': {'model': 'm',"
        " 'messages': [{'role': 'user', 'content': 'x'}]}}\n",
        "utf-8",
    )
    app = real_app(paths)
    async with running(app) as pilot:
        await pasted(pilot, app, str(file))
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "builder.py" in "".join(screen_text(app).split())
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert not mark.exists() and app.main.compose_pane.path is None
        await pilot.press("1")
        app.main.compose_pane.open_source(str(file))
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        assert mark.exists()


async def test_all_kinds_of_sources_open(paths: Paths, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE items (name TEXT)")
        connection.execute("INSERT INTO items VALUES ('Lamp')")
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.txt").write_text("A letter", "utf-8")
    (tmp_path / "flat.json").write_text(
        json.dumps([{"custom_id": "a", "model": "summarize", "text": "x"}]), "utf-8"
    )
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("1")
        pane = app.main.compose_pane
        for spec, column in (
            (f"{tmp_path}/shop.db::SELECT name AS title FROM items", "title"),
            (f"{folder}/*.txt", "file"),
            (str(folder), "path"),
        ):
            pane.open_source(spec)
            await until(
                pilot,
                lambda c=column: isinstance(pane.step, TemplateStep) and c in pane.step.columns,  # type: ignore[misc]
            )
        pane.open_source(str(tmp_path / "flat.json"))
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        pane.open_source(str(tmp_path / "none.csv"))
        await until(pilot, lambda: "does not exist" in " ".join(screen_text(app).split()))
        await until(pilot, lambda: pane.step is None and "Start with a" in screen_text(app))


async def test_escape_goes_back_one_level_at_a_time(paths: Paths, reviews: Path) -> None:
    save(paths)
    app = real_app(paths)
    async with running(app) as pilot:
        await pasted(pilot, app, str(reviews))
        pane: ComposePane = app.main.compose_pane
        await until(pilot, lambda: isinstance(app.focused, PlainTextArea))
        await pilot.press("f2")
        await until(pilot, lambda: "Feeling" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: drawn(app))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: pane.path is not None and "Ready" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pane.step, TemplateStep))
        assert template_step(app).text.system == "Answer in one word."
        await until(pilot, lambda: app.focused is not None and app.focused.id == "do-submit")
        await pilot.press("escape")
        await until(pilot, lambda: pane.step is None and "Start with" in screen_text(app))
        await until(pilot, lambda: app.focused is not None and app.focused.id == "start-list")
        # What was written is there again for a table that has its columns.
        await pilot.press("end", "enter")
        await until(pilot, lambda: drawn(app))
        assert template_step(app).text.system == "Answer in one word."
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.main.pane == "batches")


async def test_templates_are_saved_and_deleted_by_name(paths: Paths, reviews: Path) -> None:
    save(paths)
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        await loaded(pilot, app, reviews)
        await pilot.press("P")
        await until(pilot, lambda: "Feeling" in screen_text(app))
        await pilot.press("tab", "end", *"-2", "enter")
        await until(pilot, lambda: (paths.templates / "feeling-2.toml").exists())
        await until(pilot, lambda: app.screen is app.main)
        await pilot.press("P")
        await until(pilot, lambda: "Feeling-2" in screen_text(app))
        await pilot.press("D")
        await until(pilot, lambda: "Delete the template?" in screen_text(app))
        await pilot.press("D", "enter")
        await until(pilot, lambda: isinstance(app.screen, TemplatesDialog))
        assert (paths.templates / "feeling.toml").exists()
        await pilot.press("D", "y")
        await until(pilot, lambda: not (paths.templates / "feeling.toml").exists())
        await pilot.press("escape")


async def test_a_saved_template_is_overwritten_after_a_yes_only(
    paths: Paths, reviews: Path
) -> None:
    save(paths)
    file = paths.templates / "feeling.toml"
    before = file.read_bytes()
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        await loaded(pilot, app, reviews)
        await pilot.press("P")
        await until(pilot, lambda: "Feeling" in screen_text(app))
        await pilot.press("tab", "enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, TemplatesDialog))
        assert file.read_bytes() == before
        await pilot.press("enter", "y")
        await until(pilot, lambda: file.read_bytes() != before)


async def test_hostile_text_is_only_shown(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "hostile.csv"
    file.write_text('"[red]x[/",b\x1b[31m\n"[/ \x1b]0;hi\x07 \u202e","[bold]{\n"\n', "utf-8")
    save(paths, 'name = "[/x"\nuser = "Say {b}[/"\nmodel = "[b]m"\nid = "[/"\n', "odd")
    app = real_app(paths, open_file=file)
    async with running(app, (120, 36)) as pilot:
        await form_of(pilot, app)
        await until(pilot, lambda: "prompt is empty" in screen_text(app))
        template_step(app).query_one(
            "#field-user", PlainTextArea
        ).text = "\x1b[2J {[red]x[/} \u202e"
        template_step(app).query_one("#field-model", Input).value = "[/"
        await until(pilot, lambda: drawn(app))
        assert "\x1b" not in screen_text(app) and "\u202e" not in screen_text(app)
        await pilot.press("f2")
        await until(pilot, lambda: "[/x" in screen_text(app))
        await pilot.press("escape")


async def test_a_huge_paste_is_cut_and_said(paths: Paths, reviews: Path) -> None:
    app = real_app(paths, open_file=reviews)
    async with running(app) as pilot:
        await until(pilot, lambda: isinstance(app.focused, PlainTextArea))
        app.post_message(Paste("word " * 200_000))
        await until(pilot, lambda: any("Truncated to" in note for note in notes(app)))
        assert len(template_step(app).text.user) == MAX_TEXT_LENGTH


class Slow:
    """A table of half a million rows whose reading waits for the test."""

    def __init__(self) -> None:
        import threading

        self.go = threading.Event()
        self.began = threading.Event()
        self.threads: set[str] = set()

    def source(self) -> Source:
        return Source("slow.csv", "table", ("text",), self._rows, count=500_000)

    def _rows(self) -> Iterator[Row]:
        import threading

        self.threads.add(threading.current_thread().name)
        for number in range(500_000):
            if number == 100:
                self.began.set()
                assert self.go.wait(30)
            yield {"text": f"row {number}"}


async def test_keys_are_taken_while_a_huge_table_is_read(
    paths: Paths, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = real_app(paths)
    slow = Slow()
    async with running(app) as pilot:
        assert app.engine is not None

        async def open_source(spec: str, **_: Any) -> Source:
            return slow.source()

        monkeypatch.setattr(app.engine.requests, "open_source", open_source)
        app.main.action_show("compose")
        app.main.compose_pane.open_source("slow.csv")
        await until(pilot, lambda: isinstance(app.focused, PlainTextArea))
        await until(pilot, slow.began.is_set)
        # The reading hangs: every key arrives all the same, and none waits for it.
        template_step(app).query_one("#field-model", Input).value = "m"
        await asyncio.wait_for(pilot.press(*"Sum up {text}".replace(" ", "_")), 30)
        assert template_step(app).text.user == "Sum_up_{text}"
        assert not drawn(app)
        slow.go.set()
        await until(pilot, lambda: drawn(app))
        sketch = template_step(app).sketch
        assert sketch is not None and sketch.count == 500_000
        # The last word wins, and the source was read once, in a thread.
        message = sketch.rows[0].request["body"]["messages"][0]["content"]
        assert message == "Sum_up_row 0"
        assert len(slow.threads) == 1 and "MainThread" not in slow.threads


async def test_a_file_with_several_tables_asks_which(paths: Paths, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", "name,text\n1,x\n")
        archive.writestr("b.csv", "title,text\n2,y\n")
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("1")
        app.main.compose_pane.open_source(str(tmp_path / "two.zip"))
        await until(pilot, lambda: isinstance(app.screen, ChooseDialog))
        assert "a.csv" in screen_text(app) and "b.csv" in screen_text(app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "title" in screen_text(app))
        app.main.compose_pane.open_source(str(tmp_path / "two.zip"))
        await until(pilot, lambda: isinstance(app.screen, ChooseDialog))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
