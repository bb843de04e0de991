"""Where the answers of a job come from: a document that depends on the job alone.

It has no time of its own and no path of this machine, so that two programs that hold the same job
write the same bytes, also after it was handed on in an archive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from tui.core.formatting import rfc3339
from tui.core.jobs import Batch
from tui.core.requests import edited_model
from tui.paths import Paths, home_folder
from tui.progress import NO_PROGRESS, Progress
from tui.store.job_records import JobData, read_batches
from tui.store.rows.inputs import InputColumns

_BLOCK = 1 << 20
_RESULT_KINDS = ("output", "errors")


def provenance_document(data: JobData, progress: Progress = NO_PROGRESS) -> dict[str, Any]:
    """Build the document; reads all files of the job, so call it in a thread.

    Args:
        data: The job.
        progress: Told the bytes that were read.
    """
    job = data.job
    batches = archived_batches(data)
    folder = data.paths.job_folder(data.id)
    files = [(data.requests, None), *_result_files(folder, batches)]
    hashes = _Hashes(progress, sum(_size(path) for path, _ in files))
    requests = hashes.of(data.requests)
    with InputColumns(data.paths, data.id) as inputs:
        template, source = without_homes(inputs.template, data.paths), source_facts(inputs)
    models = [job.model, *(edited_model(batch.edits, job.model) for batch in batches)]
    return {
        "format": 1,
        "job": {"id": job.id, "name": job.name, "experiment": job.experiment or None},
        "provider": job.provider,
        "endpoint": job.endpoint,
        "window": job.window,
        "requests": {"rows": job.counts.total, **requests},
        "results": [
            {"batch": batch, "file": path.name, **hashes.of(path)} for path, batch in files[1:]
        ],
        "template": None
        if template is None
        else {"sha256": digest_of(template), "content": template},
        "table": source,
        "sample": None if job.sample is None else msgspec.to_builtins(job.sample),
        "models": {
            "asked": sorted(set(filter(None, models))),
            "answered": _answered(data),
        },
        "attempts": [_attempt(batch, job.model) for batch in batches],
        "cost": msgspec.to_builtins(job.cost),
        "created_at": rfc3339(job.created_at),
        "submitted_at": rfc3339(job.submitted_at),
        "ended_at": rfc3339(job.ended_at),
    }


def archived_batches(data: JobData) -> list[Batch]:
    """The batches of a job as they ran, wherever that was: with the ids of the provider."""
    found = read_batches(data.connection, "j.pk=?", (data.pk,))
    sent = [batch for batch in found if not batch.is_unsent]
    sent.sort(key=lambda batch: (batch.attempt, batch.part, batch.id))
    return [
        batch
        if batch.elsewhere is None
        else msgspec.structs.replace(batch, remote_id=batch.elsewhere or None, elsewhere=None)
        for batch in sent
    ]


def source_facts(inputs: InputColumns) -> dict[str, Any] | None:
    """The table that the requests were made of; ``None`` if they were not."""
    if not inputs.columns:
        return None
    origin = None if inputs.origin is None else msgspec.to_builtins(inputs.origin)
    return {
        "name": Path(inputs.source).name,
        "columns": list(inputs.columns),
        "rows_of": origin,
    }


def digest_of(value: Any) -> str:
    """SHA-256 of a value as JSON with sorted keys, in hexadecimal digits."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def public_address(address: str) -> str:
    """An address without a user name, a password and a query."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def without_homes(value: Any, paths: Paths) -> Any:
    """A value whose texts do not say where the folders of this machine are."""
    if isinstance(value, str):
        for folder in (paths.data, paths.config, home_folder()):
            if folder is not None and len(folder.parts) > 1:
                value = value.replace(str(folder), "~")
        return value
    if isinstance(value, dict):
        return {key: without_homes(each, paths) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_homes(each, paths) for each in value]
    return value


class _Hashes:
    """Reads files and gives size and SHA-256 of each."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def of(self, path: Path) -> dict[str, Any]:
        digest = hashlib.sha256()
        size = 0
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                size += len(block)
                self._done += len(block)
                self._progress.update(self._done, self._total)
        return {"bytes": size, "sha256": digest.hexdigest()}


def _size(path: Path) -> int:
    return path.stat().st_size


def _result_files(folder: Path, batches: Iterable[Batch]) -> list[tuple[Path, str | None]]:
    return [
        (path, batch.id)
        for batch in batches
        for kind in _RESULT_KINDS
        if (path := folder / f"{batch.id}.{kind}.jsonl").is_file()
    ]


def _answered(data: JobData) -> list[dict[str, Any]]:
    rows: Sequence[tuple[str, int]] = data.connection.execute(
        "SELECT t.text, count(*) FROM (SELECT model FROM results WHERE job=:job UNION ALL"
        " SELECT model FROM attempts WHERE job=:job) r JOIN terms t ON t.pk=r.model"
        " GROUP BY t.text ORDER BY t.text",
        {"job": data.pk},
    ).fetchall()
    return [{"model": model, "rows": count} for model, count in rows]


def _attempt(batch: Batch, model: str) -> dict[str, Any]:
    return {
        "batch": batch.id,
        "remote_id": batch.remote_id,
        "attempt": batch.attempt,
        "part": batch.part,
        "rows": batch.rows,
        "repeats": batch.repeats,
        "reuses": batch.reuses,
        "model": edited_model(batch.edits, model),
        "edits": batch.edits,
        "status": batch.status.value,
        "address": public_address(batch.address) or None,
        "batchdeck": batch.made_by or None,
        "prices": batch.prices or None,
        "submitted_at": rfc3339(batch.submitted_at),
        "ended_at": rfc3339(batch.ended_at),
    }
