"""The examples shown by ``--help``, by command."""

from __future__ import annotations

import click

EXAMPLES: dict[str, tuple[str, ...]] = {
    "tour": ("batchdeck tour",),
    "compose": (
        'batchdeck compose reviews.csv -t "Good or bad? {text}" -m gpt-5-mini --preview',
        'batchdeck compose reviews.csv -t "Good or bad? {text}" -m gpt-5-mini --id id -o out.jsonl',
        "batchdeck compose 'docs/*.md' -t summarize -o docs.jsonl",
        "batchdeck compose job:reviews -t judge -m gpt-5-mini -o judge.jsonl",
        "batchdeck compose hf://datasets/OWNER/NAME/train.parquet -t summarize --preview",
    ),
    "templates": ("batchdeck templates list",),
    "templates list": ("batchdeck templates list",),
    "templates show": ("batchdeck templates show sentiment",),
    "templates remove": ("batchdeck templates remove sentiment",),
    "check": (
        "batchdeck check reviews.jsonl --account openai",
        "batchdeck check reviews.jsonl --fix-to good.jsonl --renumber",
        "batchdeck check reviews.jsonl --split-to parts --rows 10000",
        "batchdeck check https://example.org/requests.jsonl --max-size 20GB",
    ),
    "try": ("batchdeck try reviews.jsonl --line 3 --account anthropic",),
    "submit": (
        "batchdeck submit reviews.jsonl --account doubleword --window 1h --wait",
        "batchdeck submit reviews.jsonl --sample 20 --seed 7 --budget 5 -y",
        "batchdeck submit reviews.jsonl --dedupe --wait",
        "batchdeck submit reviews.jsonl --deadline 18:00 --budget 5 --wait",
        "batchdeck submit gs://my-bucket/requests.jsonl --budget 5",
        "batchdeck submit reviews",
    ),
    "list": (
        "batchdeck list --short",
        "batchdeck list --section needs-me",
        "batchdeck list --status in_progress",
        "batchdeck list --since 7d",
        "batchdeck list --search week-47 --json",
    ),
    "show": ("batchdeck show reviews", "batchdeck show job_5f2 --json"),
    "provenance": (
        "batchdeck provenance reviews",
        "batchdeck provenance reviews --json",
    ),
    "again": (
        "batchdeck again reviews --source reviews-48.csv --wait",
        "batchdeck again reviews --reuse-since 30d --budget 2 -y",
    ),
    "watch": ("batchdeck watch", "batchdeck watch reviews --json"),
    "deadline": (
        "batchdeck deadline reviews 18:00",
        "batchdeck deadline reviews +6h --budget 5 -y",
        "batchdeck deadline reviews none",
    ),
    "collect": ("batchdeck collect reviews",),
    "results": (
        "batchdeck results reviews --outcome failed --outcome expired",
        "batchdeck results reviews --code 429 --limit 5",
        "batchdeck results reviews --search refund",
    ),
    "export": (
        "batchdeck export reviews -o reviews.csv",
        "batchdeck export reviews --outcome failed -o failed.jsonl",
        "batchdeck export reviews --view 'low scores' -o low.csv",
        "batchdeck export reviews -o reviews.batchdeck",
        "batchdeck export reviews -o s3://my-bucket/answers/reviews.parquet",
    ),
    "action": (
        "batchdeck action",
        "batchdeck action push reviews",
        "batchdeck action visidata reviews --where 'outcome:succeeded @score:<3'",
    ),
    "review": (
        "batchdeck review reviews",
        "batchdeck review reviews --sample 50 --seed 7 --by @label",
        "batchdeck review reviews --where review:disagree --reviewer anna",
        "batchdeck review reviews --import labels.csv --reviewer ben",
    ),
    "costs": (
        "batchdeck costs",
        "batchdeck costs --by month,account,model --since 2026-01-01",
        "batchdeck costs --by tag --json",
    ),
    "summary": ("batchdeck summary reviews --field data.label",),
    "describe": ("batchdeck describe reviews",),
    "facet": (
        "batchdeck facet reviews @label",
        "batchdeck facet reviews @label in.lang --where '@score:<3'",
    ),
    "pivot": (
        "batchdeck pivot reviews @label model",
        "batchdeck pivot reviews @label in.lang --mean @score",
    ),
    "column": (
        "batchdeck column reviews stars --match 'Stars: (\\d)'",
        "batchdeck column reviews level --expr \"'high' if score > 3 else 'low'\"",
        "batchdeck column reviews gold --from labels.csv --values label",
    ),
    "views": ("batchdeck views list",),
    "views list": ("batchdeck views list --json",),
    "views save": (
        "batchdeck views save 'low scores' --where '@score:<3' --sort @score,-cost"
        " --columns custom_id,@label,@score",
    ),
    "views rename": ("batchdeck views rename 'low scores' low",),
    "views remove": ("batchdeck views remove low",),
    "compare": ("batchdeck compare reviews reviews-2 --json",),
    "experiment": (
        "batchdeck experiment run reviews.csv --name tone -t tone.toml -m gpt-5-mini -m gpt-5",
        "batchdeck experiment show tone",
    ),
    "experiment run": (
        "batchdeck experiment run reviews.csv --name tone -t tone.toml -m gpt-5-mini -m gpt-5",
        "batchdeck experiment run reviews.csv --name tone -t short.toml -t long.toml"
        " -m claude-haiku-4-5@anthropic --limit 200 --budget 2 --wait",
    ),
    "experiment list": ("batchdeck experiment list",),
    "experiment show": (
        "batchdeck experiment show tone --answer @label --gold in.label",
        "batchdeck experiment show reviews reviews-2 reviews-3 --json",
    ),
    "evaluate": (
        "batchdeck evaluate reviews --gold in.label --answer @label",
        "batchdeck evaluate reviews --gold-file labels.csv --answer @label --normalise --json",
    ),
    "retry": (
        "batchdeck retry reviews --wait",
        "batchdeck retry reviews --outcome truncated --set max_tokens=2000",
        "batchdeck retry reviews --code 400 --model gpt-5 --budget 2 -y",
    ),
    "tag": ("batchdeck tag reviews week-47 --note 'second run'",),
    "cancel": ("batchdeck cancel reviews -y",),
    "delete": ("batchdeck delete reviews --remote",),
    "sync": ("batchdeck sync --account openai",),
    "adopt": (
        "batchdeck adopt batch_68f --account openai --name last-week",
        "batchdeck adopt batch_68f --job reviews",
    ),
    "import-results": (
        "batchdeck import-results reviews.batchdeck",
        "batchdeck import-results requests.jsonl output.jsonl errors.jsonl --account openai",
        "batchdeck import-results batch.jsonl results.jsonl --account anthropic --name last-week",
    ),
    "accounts": ("batchdeck accounts list",),
    "accounts list": ("batchdeck accounts list --json",),
    "accounts add": (
        "batchdeck accounts add work --provider openai --key-env WORK_KEY --default",
        "batchdeck accounts add gpu --provider openai-compatible --base-url http://127.0.0.1:8000/v1",
    ),
    "accounts remove": ("batchdeck accounts remove work",),
    "accounts test": ("batchdeck accounts test work",),
    "keys": ("batchdeck keys status",),
    "keys set": (
        "batchdeck keys set anthropic",
        "pass show anthropic | batchdeck keys set anthropic",
    ),
    "keys status": ("batchdeck keys status anthropic",),
    "keys remove": ("batchdeck keys remove anthropic -y",),
    "providers": ("batchdeck providers", "batchdeck providers doubleword"),
    "sandbox": ("batchdeck sandbox serve",),
    "sandbox serve": (
        "batchdeck sandbox serve --port 8099 --like anthropic --key test",
        "batchdeck sandbox serve --fail-rate 0.02 --rows-per-second 500",
    ),
    "locate": ("batchdeck locate --json",),
    "doctor": ("batchdeck doctor",),
    "reindex": ("batchdeck reindex reviews",),
    "schema": ("batchdeck schema", "batchdeck schema job"),
    "skill": ("batchdeck skill",),
    "mcp": ("batchdeck mcp --folder data --budget 5",),
    "config": ("batchdeck config schema --write",),
    "config schema": ("batchdeck config schema --write", "batchdeck config schema"),
    "completion": ("batchdeck completion install",),
    "completion install": (
        "batchdeck completion install",
        "batchdeck completion install zsh -y",
    ),
    "completion uninstall": ("batchdeck completion uninstall zsh",),
    "completion show": ("batchdeck completion show bash",),
    "man": ("batchdeck man",),
    "help": ("batchdeck help", "batchdeck help queries", "batchdeck help --search budget"),
}
"""Command (and subcommand) to example lines that can be pasted into a shell."""


def add_examples(command: click.Command, words: tuple[str, ...] = ()) -> None:
    """Append the examples to the help of a command and of its subcommands."""
    lines = EXAMPLES.get(" ".join(words), ())
    if lines:
        # \b stops click from wrapping the lines.
        block = "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
        command.epilog = "\n\n".join(filter(None, (command.epilog, block)))
    if isinstance(command, click.Group):
        for name, subcommand in command.commands.items():
            add_examples(subcommand, (*words, name))
