"""``skill``: a ``SKILL.md`` that tells a coding agent how to run batch jobs with Batchdeck."""

from __future__ import annotations

import click

from tui.cli.options import Settings, shared
from tui.cli.output import print_result

_HEAD = """\
---
name: batchdeck
description: >-
  Run the same LLM prompt over hundreds to millions of rows at batch prices (OpenAI, Anthropic,
  Gemini, Bedrock, Mistral and others), check what it may cost before it is sent, wait, read and
  filter the answers, retry the failed rows. Use it for classification, extraction, translation,
  summaries, judging or embeddings of a table or a list. Not for a single question.
---

# Batch jobs with `batchdeck`

Every command takes `--json` and then prints one JSON document on standard output; `batchdeck schema
NAME` prints its JSON Schema. Messages and progress go to standard error. An error is two lines,
`error: …` and `hint: …`: do what the hint says.

## The loop

```sh
batchdeck compose rows.csv -t "Good or bad? {text}" -m MODEL --id id -o rows.jsonl
batchdeck check rows.jsonl --account ACCOUNT --json
batchdeck submit rows.jsonl --account ACCOUNT --budget 5 -y --json
batchdeck watch rows --timeout 50 --json
batchdeck results rows --where outcome:failed --limit 20 --json
batchdeck retry rows --budget 1 -y --json
batchdeck export rows -o answers.csv
```

- `{text}` is a column of the table. `batchdeck templates list` has templates for judges and more.
- A batch takes minutes to a day. Do not wait in a loop of your own: `watch` returns with exit
  code 3 when `--timeout` seconds are over, and the job goes on at the provider. Come back later.
- `batchdeck list --short` is one line: what runs, and what needs attention.
- `batchdeck mcp --folder DIR --budget AMOUNT` serves the same loop as tools over MCP.
- Practise with the account `sandbox`: it is free, needs no key and sends nothing anywhere.

## Money

- Always give `--budget AMOUNT`. It is compared with the most that the job may cost, before anything
  is sent; exit code 5 means that nothing was sent. Ask the user before you raise it.
- `-y` answers the question whether to send. Use it only for what the user has agreed to.
- Exit code 3 after `submit` does not mean that nothing was sent. Never submit the file again: read
  `batchdeck show JOB --json`, and use `batchdeck watch JOB`.
- `--dedupe` sends equal requests once, `--reuse` copies good answers of earlier jobs to the same
  requests. `batchdeck again JOB --source newer.csv` sends only new and changed rows.
- Try a few rows first: `batchdeck submit rows.jsonl --sample 20 --budget 1 -y --wait`.

## Keys

Keys are in the keyring of the system or in environment variables, and never in a document or an
error. Do not ask the user for a key or print one: `batchdeck keys set ACCOUNT` is for the user.

## Exit codes

`0` done · `1` rows failed · `2` wrong usage or input · `3` provider or network, later · `4` key
missing or rejected · `5` stopped by a budget or a limit · `130` interrupted

## Commands

`batchdeck COMMAND --help` has the options and examples of each.

"""


@click.command(short_help="Print a SKILL.md for coding agents.")
@shared
def skill(settings: Settings) -> None:
    """Print a SKILL.md: when and how a coding agent uses Batchdeck, and what it may spend.

    Save it where your agent reads skills, such as .claude/skills/batchdeck/SKILL.md.
    """
    text = skill_text(click.get_current_context().find_root().command)
    print_result(settings, lambda: {"skill": text}, lambda: text.rstrip("\n").split("\n"))


def skill_text(program: click.Command) -> str:
    """The text, with a line for each command of the program."""
    assert isinstance(program, click.Group)
    lines = [
        f"- `{name}`: {command.get_short_help_str(200)}"
        for name, command in program.commands.items()
        if not command.hidden
    ]
    return _HEAD + "\n".join(lines) + "\n"
