"""Every command with --json prints exactly one document, and it matches its schema.

All commands run once, in the order of the table, in one home; the tests check their output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click
import keyring
import pytest

from tests.cli.conftest import Done, isolate, request_line, run_here
from tests.cli.schema import violations
from tests.fakes.keyring import MemoryKeyring
from tui.cli.commands.maintenance import names
from tui.cli.program import program


class Call(NamedTuple):
    """A command with its arguments, the schema of its document, and its exit code.

    ``{remote}`` is the provider's id of the first job's batch; ``lines`` are JSON lines;
    ``slow`` uses a sandbox in which nothing ends during the test.
    """

    command: str
    rest: str
    schema: str
    code: int = 0
    lines: bool = False
    stdin: str = ""
    slow: bool = False


CALLS = (
    Call("submit", "mixed.jsonl --name one --wait", "job", 1),
    Call("submit", "mixed.jsonl --name two --fix", "job"),
    Call("watch", "two", "job", 1),
    Call("watch", "", "jobs"),
    Call("watch", "one two", "jobs", 1),
    Call("list", "", "jobs"),
    Call("list", "--short", "jobs-short"),
    Call("list", "--search nothing-is-called-so", "jobs"),
    Call("show", "one", "job"),
    Call("provenance", "one", "provenance"),
    Call("collect", "one", "job"),
    Call("tag", "one week-47 --note again", "job"),
    Call("results", "one", "row", lines=True),
    Call("results", "one --schema own", "row", lines=True),
    Call("summary", "one --field data.label", "summary"),
    Call("describe", "one", "facets"),
    Call("column", "one first --match ^(.)", "columns"),
    Call("column", "one size --expr answer|length", "columns"),
    Call("column", "one", "columns"),
    Call("views save", "low --where outcome:failed --sort -cost --columns custom_id", "views"),
    Call("views list", "", "views"),
    Call("views rename", "low lower", "views"),
    Call("results", "one --view lower", "row", lines=True),
    Call("views remove", "lower", "views"),
    Call("pivot", "one outcome model --mean output_tokens", "pivot"),
    Call("facet", "one @label outcome --where -outcome:pending", "facets"),
    Call("compare", "one two --kind same --kind unanswered", "compare", 1),
    Call(
        "experiment run",
        "table.csv --name trial -t {{text}} -m sandbox-small -m sandbox-large --wait",
        "experiment-run",
    ),
    Call("experiment list", "", "experiments"),
    Call("experiment show", "trial --gold in.text --judge @label", "experiment"),
    Call("experiment show", "one two", "experiment"),
    Call("review", "one --import labels.csv", "review-import", 1),
    Call("review", "one", "review"),
    Call("review", "one --sample 2 --by model", "review-queue"),
    Call("review", "one --where review:any", "review-queue"),
    Call("evaluate", "one --gold outcome --answer @label", "evaluation"),
    Call("costs", "--by tag,model --since 7d", "costs"),
    Call("export", "one -o rows.csv", "export"),
    Call("action", "", "actions"),
    Call("action", "copy one --where outcome:failed", "action"),
    Call("retry", "one --dry-run --all --set max_tokens=20 --unset user", "rehearsal"),
    Call("retry", "one --all --wait --model sandbox-small", "job", 1),
    Call("check", "mixed.jsonl --split-to parts --rows 2", "check"),
    Call("check", "twice.jsonl --fix-to once.jsonl --renumber", "check"),
    Call("check", "twice.jsonl", "check", 2),
    Call("compose", "table.csv -t {{text}} -m sandbox-small --preview", "preview"),
    Call("compose", "table.csv -t {{text}} -m sandbox-small -o made.jsonl --try 1", "compose"),
    Call("submit", "made.jsonl --name composed --wait", "job"),
    Call("again", "composed --wait", "job"),
    Call("compose", "--samples", "samples"),
    Call("compose", "-t {{text}} -m sandbox-small --save-template kept", "template"),
    Call("templates list", "", "templates"),
    Call("templates show", "kept", "template"),
    Call("templates remove", "kept -y", "done"),
    Call("try", "mixed.jsonl --line 3", "trial"),
    Call("sync", "", "sync"),
    Call("reindex", "one", "reindexed"),
    Call("reindex", "", "reindex"),
    Call("submit", "mixed.jsonl --name held", "job", slow=True),
    Call("deadline", "held +6h", "job", slow=True),
    Call("cancel", "held -y", "job", slow=True),
    Call("export", "one -o one.batchdeck", "export"),
    Call("delete", "one --forget -y", "done"),
    Call("import-results", "one.batchdeck", "job"),
    Call("delete", "one --forget -y", "done"),
    Call("adopt", "{remote}", "job"),
    Call("import-results", "mixed.jsonl elsewhere.jsonl", "job"),
    Call("accounts list", "", "accounts"),
    Call("accounts add", "work --provider openai --default", "account"),
    Call("accounts test", "sandbox", "account-test"),
    Call("keys set", "work", "done", stdin="a-key\n"),
    Call("keys status", "", "keys"),
    Call("keys status", "work", "key"),
    Call("keys remove", "work -y", "done"),
    Call("keys status", "work", "key", 4),
    Call("accounts remove", "work", "done"),
    Call("providers", "", "providers"),
    Call("providers", "openai", "provider"),
    Call("locate", "", "locate"),
    Call("doctor", "", "doctor"),
    Call("schema", "", "schemas"),
    Call("skill", "", "skill"),
    Call("config schema", "", "config-schema"),
    Call("config schema", "--write", "done"),
    Call("completion install", "zsh -y", "completion"),
    Call("completion uninstall", "zsh -y", "completion"),
    Call("completion show", "fish", "completion"),
    Call("man", "", "man"),
    Call("help", "", "help-topics"),
    Call("help", "costs", "help-page"),
    Call("help", "--search budget", "help-matches"),
)

ELSEWHERE = {"sandbox serve", "mcp", "tour"}
"""The first two serve until they are stopped: ``test_sandbox.py`` reads the document of the first,
``tests/mcp`` the replies of the second. The tour opens the dashboard."""

PARTS = {"cost", "problem", "review-row", "sandbox"}
"""Schemas of documents inside others, and of ``sandbox serve``."""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[Call, Done]]:
    """The output of each call of the table."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "mixed.jsonl").write_text(
        request_line("good", "What is 2+2?", user="u")
        + request_line("bad", "sandbox:fail=400")
        + request_line("form", 'sandbox:say={"label": "good"}')
        + request_line("cut", "sandbox:truncate", max_tokens=10)
    )
    (folder / "twice.jsonl").write_text(request_line("a", "one") + request_line("a", "two"))
    (folder / "elsewhere.jsonl").write_text(
        '{"id": "b", "custom_id": "good", "response": null, "error": {"message": "No"}}\n'
    )
    (folder / "table.csv").write_text("text\nbread\nmilk\n")
    (folder / "labels.csv").write_text("custom_id,label\ngood,right\nform,wrong\nnone,right\n")
    (folder / "home").mkdir(mode=0o700)
    (folder / "home" / "config.toml").write_text(
        "[actions.copy]\ncommand = ['cat']\nwhere = 'rows'\nkey = 'K'\n"
    )
    before = keyring.get_keyring()
    keyring.set_keyring(MemoryKeyring())
    with pytest.MonkeyPatch.context() as patch:
        isolate(folder / "home", patch)
        patch.chdir(folder)
        done: dict[Call, Done] = {}
        remote = ""
        for call in CALLS:
            patch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0.1" if call.slow else "0")
            words = [*call.command.split(), *call.rest.format(remote=remote).split(), "--json"]
            done[call] = run_here(*words, stdin=call.stdin)
            if call is CALLS[0]:
                remote = done[call].document["batches"][0]["remote_id"]
        yield done
    keyring.set_keyring(before)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.command} {call.rest}".strip())
def test_stdout_is_one_document_of_its_schema(call: Call, outputs: Mapping[Call, Done]) -> None:
    done = outputs[call]
    assert done.code == call.code, done.err
    documents = done.out.splitlines()
    assert done.out.endswith("\n")
    assert len(documents) >= 1 if call.lines else len(documents) == 1
    for document in documents:
        assert violations(json.loads(document), call.schema) == []


def _leaves(group: click.Group, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _leaves(command, f"{name} ")
        else:
            yield before + name


def test_every_command_is_in_the_table() -> None:
    assert {call.command for call in CALLS} | ELSEWHERE == set(_leaves(program))


def test_every_schema_describes_a_printed_document() -> None:
    assert {call.schema for call in CALLS} | PARTS == set(names())


def test_a_real_job_fills_the_optional_fields(outputs: Mapping[Call, Done]) -> None:
    """So the tests above have checked these parts."""
    job = outputs[CALLS[0]].document
    assert job["error_groups"] and job["batches"] and job["results_expire_at"]
    preview = outputs[next(call for call in CALLS if call.schema == "rehearsal")].document
    assert preview["preview"][0]["changes"]
    summary = outputs[next(call for call in CALLS if call.schema == "summary")].document
    assert summary["labels"]["items"] and summary["fields"]


def _places() -> tuple[Path, ...]:
    import tui.cli

    return tuple(sorted((Path(tui.cli.__file__).parent / "documents").glob("*.json")))


@pytest.mark.parametrize("path", _places(), ids=lambda path: path.stem)
def test_a_schema_has_the_name_of_its_file(path: Path) -> None:
    assert json.loads(path.read_text("utf-8"))["$id"] == f"urn:batchdeck:{path.stem}"
