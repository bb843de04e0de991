"""Several models and templates over one table: one price, all or nothing, and nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.end_to_end.servers import Served, sandbox
from tests.engine.conftest import Opener
from tui.compose.templates.model import Template
from tui.config.settings import BudgetConfig, PriceConfig
from tui.core.analysis.comparison import CompareOptions
from tui.core.jobs import BatchStatus, Deadline
from tui.engine.batches.batch_plan import plan_first_attempt
from tui.engine.engine import Engine
from tui.engine.experiments.matrix import MatrixOptions
from tui.engine.experiments.service import ExperimentFacts, plan_deadlines
from tui.errors import BudgetError, InputError, UnknownJobError, UsageError
from tui.store.history import History

DEAR = PriceConfig(input=0, output=1000)
"""A thousand answers of a thousand tokens cost a thousand."""

ROWS = ("bread", "good"), ("milk", "bad"), ("tea", "good"), ("rice", "good")


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "food.csv"
    path.write_text("food,label\n" + "".join(f"{food},{label}\n" for food, label in ROWS))
    return str(path)


def template(name: str, user: str, **changes: Any) -> Template:
    return Template(name=name, user=user, model="m", max_tokens=1000, **changes)


PLAIN = template("plain", "What is {food}?")
GOOD = template("good", 'sandbox:say={"label": "good"}\n{{ food }}')
LABEL = template("label", 'sandbox:say={"label": "{{ label }}"}\n{{ food }}')


def nothing_was_sent(server: Served) -> bool:
    return not [call for call in server.asked if call.method == "POST"]


def names(engine: Engine) -> list[str]:
    return sorted(job.name for job in engine.history.jobs.list())


async def finished(
    engine: Engine, name: str, source: str, *templates: Template, **more: Any
) -> None:
    made = await engine.experiments.make(name, source, templates, **more)
    assert await engine.submit_experiment(made.jobs) == {}
    await engine.wait([job.id for job in made.jobs])


async def test_each_model_with_each_template_over_the_same_rows(engine: Engine, table: str) -> None:
    await finished(engine, "tone", table, PLAIN, GOOD, models=["small", "org/large"])
    jobs = engine.experiments.jobs("tone")
    assert [job.name for job in jobs] == [
        "tone-small-plain", "tone-small-good", "tone-org-large-plain", "tone-org-large-good",
    ]  # fmt: skip
    assert [job.model for job in jobs] == ["small", "small", "org/large", "org/large"]
    assert {job.experiment for job in jobs} == {"tone"}
    report, compared = await engine.experiments.compare([job.id for job in jobs])
    assert (report.ids, report.in_common, report.different) == (4, 4, 4)
    assert [one.answered for one in report.variants] == [4, 4, 4, 4]
    shares = [[None if pair is None else pair.share for pair in row] for row in report.agreement]
    assert shares == [[None, 0, 1, 0], [0, None, 0, 1], [1, 0, None, 0], [0, 1, 0, None]]
    assert len(compared.seqs) == 4 and list(compared.seqs[0]) == list(compared.seqs[3])


async def test_the_same_rows_have_the_same_ids_in_another_order(
    engine: Engine, table: str, tmp_path: Path
) -> None:
    """Ids of rows are made of the rows, so a variant that is added later fits."""
    await finished(engine, "tone", table, PLAIN)
    again = tmp_path / "again.csv"
    again.write_text("food,label\n" + "".join(f"{one},{other}\n" for one, other in reversed(ROWS)))
    await finished(engine, "tone", str(again), GOOD)
    report, _ = await engine.experiments.compare([j.id for j in engine.experiments.jobs("tone")])
    assert (report.ids, report.in_common) == (4, 4)


async def test_accuracy_of_each_variant(engine: Engine, table: str) -> None:
    await finished(engine, "tone", table, LABEL, GOOD)
    ids = [job.id for job in engine.experiments.jobs("tone")]
    options = MatrixOptions(compare=CompareOptions(column="@label"), gold="in.label")
    report, _ = await engine.experiments.compare(ids, options)
    assert [one.accuracy for one in report.variants] == [1.0, 0.75]
    assert [one.agreement for one in report.variants] == [0.75, 0.75]
    assert (report.same, report.different) == (3, 1)
    with pytest.raises(UsageError, match="no input column"):
        await engine.experiments.compare(ids, MatrixOptions(gold="in.nothing"))


async def test_a_judge_scores_its_job_alone(engine: Engine, table: str) -> None:
    await finished(engine, "tone", table, LABEL, GOOD)
    first, second = engine.experiments.jobs("tone")
    judge = template("judge", 'sandbox:say={"score": 4}\n{{ answer }}')
    report = await engine.requests.compose(f"job:{first.id}", judge)
    job = await engine.requests.import_file(Path(report.path), name="the-judge")
    await engine.submit(job.id)
    await engine.wait([job.id])
    matrix, _ = await engine.experiments.compare([first.id, second.id])
    assert [(one.score, one.scored) for one in matrix.variants] == [(4.0, 4), (None, 0)]
    assert matrix.variants[0].judge == "the-judge.@score"


@pytest.mark.parametrize("by", ["call", "per_submit", "per_month"])
async def test_all_jobs_fit_in_the_budget_or_nothing_is_sent(
    by: str, opened: Opener, table: str
) -> None:
    """Each job alone would fit."""
    config = BudgetConfig(**{by: 7.99}) if by != "call" else BudgetConfig()
    budget = 7.99 if by == "call" else None
    with sandbox("openai") as server:
        async with opened("openai", server.url, budget=config, prices={"m": DEAR}) as engine:
            with pytest.raises(BudgetError, match=r"2 jobs may cost \$8\.00 together"):
                await engine.experiments.make("tone", table, [PLAIN, GOOD], budget=budget)
            assert nothing_was_sent(server) and names(engine) == []


async def test_what_is_left_of_the_month_is_taken_for_all_at_once(
    opened: Opener, table: str
) -> None:
    """It changed after the question: nothing is sent, and no job is left."""
    config = BudgetConfig(per_month=8)
    with sandbox("openai") as server:
        async with opened("openai", server.url, budget=config, prices={"m": DEAR}) as engine:
            made = await engine.experiments.make("tone", table, [PLAIN, GOOD])
            engine.apply_config(engine.config)
            engine.costs.budgets.config = BudgetConfig(per_month=7.99)
            with pytest.raises(BudgetError, match=r"2 jobs may cost \$8\.00 together"):
                await engine.submit_experiment(made.jobs)
            assert nothing_was_sent(server) and names(engine) == []
            assert engine.costs.spending().amount == 0
            engine.costs.budgets.config = config
            made = await engine.experiments.make("tone", table, [PLAIN, GOOD])
            assert await engine.submit_experiment(made.jobs) == {}
            assert engine.costs.spending().amount == pytest.approx(8)


async def test_a_job_that_was_sent_during_the_question_is_not_sent_again(
    opened: Opener, table: str
) -> None:
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices={"m": DEAR}) as engine:

            async def yes_after_another_program(_: ExperimentFacts) -> bool:
                made = await engine.experiments.make("tone", table, [PLAIN])
                assert await engine.submit_experiment(made.jobs) == {}
                return True

            ask = yes_after_another_program
            with pytest.raises(UsageError, match="another program has sent"):
                await engine.experiments.make("tone", table, [PLAIN, GOOD], ask=ask)
            assert names(engine) == ["tone-m-plain"] and server.count("POST", "/batches") == 1


async def test_long_names_and_names_that_differ_in_case_have_their_own_requests(
    engine: Engine, table: str
) -> None:
    models = ["m" * 70 + end for end in ("a", "b")]
    templates = [template("A", "first {food}"), template("a", "second {food}")]
    made = await engine.experiments.make("tone", table, templates, models)
    texts = [engine.history.jobs.requests_file(job.id).read_text() for job in made.jobs]
    assert [("first" in text, models[0] in text) for text in texts] == [
        (True, True), (False, True), (True, False), (False, False),
    ]  # fmt: skip
    assert {job.source for job in made.jobs} == {table}


async def test_what_a_killed_program_had_reserved_is_given_back(opened: Opener, table: str) -> None:
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices={"m": DEAR}) as engine:
            made = await engine.experiments.make("tone", table, [PLAIN, GOOD])
            for job in made.jobs:
                plan_first_attempt(engine._context, job.id)
            reserve = await engine.costs.jobs_within_budget(made.jobs, 8)
            await reserve([b for job in made.jobs for b in engine.history.batches.of_job(job.id)])
            again = await engine.experiments.make("tone", table, [PLAIN, GOOD])
            assert again.sent == [] and len(names(engine)) == 2
            assert await engine.submit_experiment(again.jobs) == {}
            assert engine.costs.spending().amount == pytest.approx(8)


async def test_one_question_has_the_price_of_all(opened: Opener, table: str) -> None:
    asked: list[ExperimentFacts] = []

    async def no(facts: ExperimentFacts) -> bool:
        asked.append(facts)
        return False

    with sandbox("openai") as server:
        async with opened("openai", server.url, prices={"m": DEAR}) as engine:
            made = await engine.experiments.make("tone", table, [PLAIN, GOOD], ask=no)
            assert made.jobs == [] and names(engine) == [] and nothing_was_sent(server)
    (facts,) = asked
    assert [variant.name for variant in facts.variants] == ["tone-m-plain", "tone-m-good"]
    assert (facts.price.high, facts.price.text) == (8.0, "$0.00 to $8.00")


async def test_with_a_deadline_the_jobs_stay_within_the_budget_together(
    opened: Opener, table: str
) -> None:
    planned: dict[str, Deadline] = {}
    long = msgspec.structs.replace(GOOD, max_tokens=3000)
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices={"m": DEAR}) as engine:
            at = engine._context.clock() + 3600

            async def ask(facts: ExperimentFacts) -> bool:
                planned.update(plan_deadlines(engine.deadlines, facts, at, 20.0))
                return True

            templates = [PLAIN, long]
            made = await engine.experiments.make("tone", table, templates, ask=ask, budget=20.0)
            sent = engine.submit_experiment(made.jobs, budget=20.0, deadlines=planned)
            assert await sent == {}
            stored = [engine.history.jobs.get(job.id).deadline for job in made.jobs]
            assert [one.budget for one in stored if one is not None] == pytest.approx([5.0, 15.0])
            assert [one.at for one in stored if one is not None] == [at, at]


async def test_a_job_that_is_not_accepted_leaves_the_others_alone(
    opened: Opener, table: str
) -> None:
    """The same call sends what is missing, and nothing twice."""
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices={"m": DEAR}) as engine:
            made = await engine.experiments.make("tone", table, [PLAIN, GOOD])
            wait, engine._submitter.send = engine._submitter.send, refused_once(engine)  # type: ignore[method-assign]
            errors = await engine.submit_experiment(made.jobs)
            engine._submitter.send = wait  # type: ignore[method-assign]
            assert list(errors) == [made.jobs[0].id]
            first, second = (engine.history.jobs.get(job.id) for job in made.jobs)
            assert first.status is BatchStatus.DRAFT and second.submitted_at is not None
            # What the refused job would have cost is given back.
            assert engine.costs.spending().amount == pytest.approx(4)
            again = await engine.experiments.make("tone", table, [PLAIN, GOOD])
            assert [job.name for job in again.sent] == ["tone-m-good"]
            assert [job.name for job in again.jobs] == ["tone-m-plain"]
            assert await engine.submit_experiment(again.jobs) == {}
            assert names(engine) == ["tone-m-good", "tone-m-plain"]
            with pytest.raises(UsageError, match="sent already"):
                await engine.experiments.make("tone", table, [PLAIN, GOOD])
            assert names(engine) == ["tone-m-good", "tone-m-plain"]
            await engine.wait([job.id for job in engine.experiments.jobs("tone")])


def refused_once(engine: Engine) -> Any:
    """Sends batches, but the first one is not accepted."""
    send = engine._submitter.send
    left = [UsageError("the model is not known")]

    async def sending(batch_id: str, **options: bool) -> None:
        if left:
            raise left.pop()
        await send(batch_id, **options)

    return sending


async def test_jobs_that_do_not_go_together_are_not_made(engine: Engine, table: str) -> None:
    make = engine.experiments.make
    with pytest.raises(UsageError, match="different ids: food, label"):
        await make(
            "tone", table, [template("a", "{food}", id="food"), template("b", "{food}", id="label")]
        )
    with pytest.raises(UsageError, match="two templates are called 'plain'"):
        await make("tone", table, [PLAIN, PLAIN])
    with pytest.raises(UsageError, match="given twice"):
        await make("tone", table, [PLAIN], ["a", "a"])
    with pytest.raises(UsageError, match="13 jobs are too many"):
        await make("tone", table, [PLAIN], [f"m{n}" for n in range(13)])
    with pytest.raises(UsageError, match="not a name"):
        await make(" ", table, [PLAIN])
    with pytest.raises(InputError, match="nothing"):
        await make("tone", table, [PLAIN, template("odd", "{nothing}")])
    assert names(engine) == []
    with pytest.raises(UnknownJobError, match="no experiment"):
        engine.experiments.jobs("tone")


async def test_a_model_of_another_account(opened: Opener, table: str) -> None:
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices={"m": DEAR}) as engine:
            made = await engine.experiments.make(
                "tone", table, [PLAIN], ["m", "m@sandbox", "claude@20240620"]
            )
            assert [(job.name, job.model, job.account) for job in made.jobs] == [
                ("tone-m-plain", "m", "there"),
                ("tone-m-sandbox-plain", "m", "sandbox"),
                ("tone-claude-20240620-plain", "claude@20240620", "there"),
            ]


async def test_running_and_deleted_jobs_and_other_rows(engine: Engine, table: str) -> None:
    await finished(engine, "tone", table, PLAIN, GOOD)
    made = await engine.experiments.make("tone", table, [LABEL], limit=3)
    ids = [job.id for job in engine.experiments.jobs("tone")]
    report, _ = await engine.experiments.compare(ids)
    assert (report.ids, report.in_common, report.not_in_all) == (4, 3, 0)
    assert [(one.rows, one.pending) for one in report.variants] == [(4, 0), (4, 0), (3, 3)]
    assert report.variants[2].agreement is None
    await engine.remote.delete(made.jobs[0].id)
    assert len(engine.experiments.jobs("tone")) == 2
    with pytest.raises(UnknownJobError):
        await engine.experiments.compare(ids)


async def test_the_experiment_outlives_the_database(engine: Engine, table: str) -> None:
    await finished(engine, "tone", table, PLAIN, GOOD)
    before = [job.id for job in engine.experiments.jobs("tone")]
    paths = engine.paths
    await engine.close()
    for path in paths.data.glob("history.db*"):
        path.unlink()
    history = History(paths)
    history.jobs.restore(1.0)
    assert sorted(job.id for job in history.jobs.of_experiment("tone")) == sorted(before)
    assert json.loads((paths.job_folder(before[0]) / "job.json").read_text())["job"]["experiment"]
    history.close()
