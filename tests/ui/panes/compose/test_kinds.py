"""Going from one kind of request to another: each keeps the texts that make sense for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ui.conftest import real_app, running, until
from tests.ui.panes.composing import drawn, kind_chosen, loaded, save, write_reviews
from tui.compose.sources.base import Source
from tui.paths import Paths
from tui.ui.models.template_form import FormTexts, PromptTexts, text_placeholders
from tui.ui.panes.compose.open_file import initial_text
from tui.ui.widgets.compose_inputs import PlainTextArea

REVIEW = ["id", "text", "stars"]


@pytest.mark.parametrize(
    ("prompt", "columns", "text"),
    [
        ("What does this customer feel? {text}", REVIEW, "{text}"),
        ("{stars} stars: {text}", REVIEW, "{text}"),
        ("Copy for {name}, made of {material}", ["name", "price", "material"],
         "{name}\n{material}"),
        ("{% if stars %}{{ id }}{% endif %} text", REVIEW, "{id}\n{stars}"),
        ("{{ row['what?'] }}", ["what?"], '{{ row["what?"] }}'),
        ("", REVIEW, "{text}"),
        ("no column", ["a", "b"], ""),
        ("{% if", ["only"], "{only}"),
    ],
)  # fmt: skip
def test_of_a_prompt_the_columns_are_the_text(prompt: str, columns: list[str], text: str) -> None:
    assert text_placeholders(prompt, columns) == text


def test_texts_come_back_with_their_kind() -> None:
    kinds = PromptTexts()
    chat = FormTexts("Feel? {text}", "One word.")
    assert kinds.changed("chat", "messages", chat, REVIEW) == chat
    bare = kinds.changed("messages", "summarize", chat, REVIEW)
    assert bare == FormTexts("{text}", "")
    mine = FormTexts("{id} {text}", "Be short.")
    assert kinds.changed("summarize", "classify", mine, REVIEW) == mine
    assert kinds.changed("classify", "embeddings", mine, REVIEW) == mine
    assert kinds.changed("embeddings", "chat", mine, REVIEW) == chat
    assert kinds.changed("chat", "summarize", chat, REVIEW) == mine
    # Another template begins anew, and what it says goes along as far as it can.
    kinds.clear()
    assert kinds.changed("summarize", "chat", mine, REVIEW) == mine


async def test_a_chat_prompt_is_no_text_for_scaledown(paths: Paths, tmp_path: Path) -> None:
    save(paths)
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        step = await loaded(pilot, app, write_reviews(tmp_path / "reviews.csv"))
        chat = step.text
        await kind_chosen(pilot, step, "summarize")
        assert (step.text.user, step.text.system) == ("{text}", "")
        await until(
            pilot,
            lambda: step.sketch and step.sketch.rows[0].request["body"].get("text") is not None,
        )
        assert step.sketch is not None
        assert step.sketch.rows[0].request["body"]["text"] == "Review 0, it works"
        step.query_one("#field-system", PlainTextArea).text = "In French."
        await kind_chosen(pilot, step, "chat")
        assert (step.text.user, step.text.system) == (chat.user, chat.system)
        await until(pilot, lambda: drawn(app))
        await kind_chosen(pilot, step, "extract")
        assert (step.text.user, step.text.system) == ("{text}", "In French.")


@pytest.mark.parametrize(
    ("columns", "id"),
    [
        (("text", "ID"), "ID"),
        (("review_id", "text"), "review_id"),
        (("user_id", "custom_id"), "custom_id"),
        (("text", "user_id"), ""),
        (("valid", "text"), ""),
    ],
)
def test_a_column_that_is_called_so_is_the_id(columns: tuple[str, ...], id: str) -> None:
    source = Source("t.csv", "table", columns, lambda: iter([]))
    assert initial_text(source, None, None, "").id == id
