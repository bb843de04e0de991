"""The variants of an experiment: each template with each model, and the job of each."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tui.compose.templates.model import ROW_HASH, Template, with_overrides
from tui.compose.templates.saved import find_template
from tui.core.analysis.comparison import MAX_COMPARED
from tui.core.text import quoted, visible
from tui.errors import UsageError

MAX_NAME_LENGTH = 60
"""Longest name of an experiment, in characters."""

_DIGEST = 2
_UNUSUAL = re.compile(r"[^\w.+]+")


@dataclass(frozen=True)
class Variant:
    """One job of an experiment.

    Attributes:
        name: The name of the job.
        template: The template, with its model; ``None`` for ready-made requests.
        model: The model; empty for the one of the template or of the requests.
        account: The account that sends it.
    """

    name: str
    template: Template | None
    model: str
    account: str


def check_name(name: str) -> str:
    """The name of an experiment, without surrounding space.

    Raises:
        UsageError: It is empty or too long, or has control characters.
    """
    checked = name.strip()
    if not checked or len(checked) > MAX_NAME_LENGTH or visible(checked) != checked:
        raise UsageError(
            f"{quoted(name, 80)} is not a name for an experiment",
            f"Use 1 to {MAX_NAME_LENGTH} characters.",
        )
    return checked


def find_templates(
    templates: Sequence[str | Template], folder: Path, custom_id: str | None, source_ids: str
) -> list[Template]:
    """The templates by their names or paths, all with the same ``id``. Blocking.

    Rows of different jobs belong together by their ids, so these must not depend on the prompt:
    without a column for them, they are hashes of the rows.

    Args:
        templates: Templates, or what the user typed for them.
        folder: The folder of saved templates.
        custom_id: The id that the user wants; ``None`` for that of the templates.
        source_ids: The column of the source that has ids.

    Raises:
        InputError: There is no such template.
        UsageError: The templates make different ids.
    """
    found = [find_template(one, folder) if isinstance(one, str) else one for one in templates]
    ids = dict.fromkeys(template.id for template in found if template.id)
    if custom_id is None and len(ids) > 1:
        raise UsageError(
            f"the templates make different ids: {', '.join(ids)}",
            "Add --id COLUMN, so that the rows of all jobs have the same ids.",
        )
    chosen = custom_id or next(iter(ids), "") or source_ids or ROW_HASH
    return [with_overrides(template, id=chosen) for template in found]


def make_variants(
    name: str,
    templates: Sequence[Template],
    models: Sequence[str],
    account: str,
    accounts: Sequence[str],
) -> list[Variant]:
    """Each model with each template.

    Args:
        name: The name of the experiment.
        templates: The templates; empty for ready-made requests.
        models: The models, each as ``MODEL`` or ``MODEL@ACCOUNT``; empty for those of the
            templates.
        account: The account of the models that name none.
        accounts: The names of all accounts.

    Raises:
        UsageError: Two variants have the same name, or there are too many.
    """
    labels = [_label(template) for template in templates]
    for label, times in Counter(labels).items():
        if times > 1:
            raise UsageError(f"two templates are called {quoted(label)}", "Rename one of them.")
    chosen: Sequence[Template | None] = templates or [None]
    variants: list[Variant] = []
    for model in models or [""]:
        model_name, sender = _parse_model(model, accounts)
        for template, label in zip(chosen, labels or [""], strict=True):
            shown = model_name or ("" if template is None else template.model_name)
            parts = (name, shown, sender, label)
            variants.append(
                Variant(
                    name="-".join(filter(None, (parts[0], *map(_slug, parts[1:])))),
                    template=template,
                    model=model_name,
                    account=sender or account,
                )
            )
    for job, times in Counter(variant.name for variant in variants).items():
        if times > 1:
            raise UsageError(f"{quoted(job, 80)} is given twice", "Leave one out.")
    if len(variants) > MAX_COMPARED:
        raise UsageError(
            f"{len(variants)} jobs are too many for an experiment",
            f"Use at most {MAX_COMPARED} pairs of a model and a template.",
        )
    return variants


def _label(template: Template) -> str:
    """The name of a template; of one that is not saved, a digest of its content."""
    if template.name:
        return template.name
    digest = hashlib.blake2b(msgspec.json.encode(template), digest_size=_DIGEST).hexdigest()
    return f"prompt-{digest}"


def _parse_model(model: str, accounts: Sequence[str]) -> tuple[str, str]:
    """Model and account; the names of models may contain ``@`` themselves."""
    before, _, after = model.rpartition("@")
    return (before, after) if before and after in accounts else (model, "")


def _slug(text: str) -> str:
    return _UNUSUAL.sub("-", text).strip("-")
