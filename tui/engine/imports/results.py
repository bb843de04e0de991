"""Open a batch that ran elsewhere as a job: its requests and its results, from files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from tui.compose.requests.block_reader import open_bytes
from tui.compose.requests.recognition import recognize
from tui.compose.sources.base import normalize_request
from tui.core import jobs
from tui.core.formatting import counted
from tui.core.remote_batches import FileState, ResultSource
from tui.core.results.google.row_ids import id_in
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient
from tui.core.rows import Outcome, RowError
from tui.core.text import BOM, quoted, split_lines
from tui.engine.accounts import FREE_PROVIDER
from tui.engine.context import Context, run_in_thread
from tui.engine.costs.billing import store_cost
from tui.engine.events import JobImported
from tui.engine.remote import store_existing
from tui.errors import ConfigError, InputError
from tui.paths import is_file, open_private
from tui.progress import NO_PROGRESS, Progress
from tui.store.history import ExistingBatch
from tui.temporary import temporary_folder

_STYLES = {
    "openai-results": "openai",
    "anthropic-results": "messages",
    "gemini-results": "openai",
    "vertex-results": "openai",
    "bedrock-results": "openai",
}
"""How the lines of a form of results are read; a key of ``READERS``."""

_USUAL = {"openai-results": "openai", "anthropic-results": "anthropic"}
"""The account for results that several providers return, if the default is the sandbox."""

_OWN = {"gemini-results": "gemini", "vertex-results": "vertex", "bedrock-results": "bedrock"}
"""The provider, and its dialect, of results that no other one returns."""


async def import_results(
    context: Context,
    requests: Path,
    results: Sequence[Path],
    *,
    account: str | None = None,
    name: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> jobs.Job:
    """Import the requests and results of a batch as a finished job; nothing is sent.

    Args:
        context: The engine context.
        requests: The file of requests.
        results: The result files: output and errors, in any order.
        account: The account that a retry uses, and whose prices apply; by default the default
            account, or one of the provider if only that returns results of this form.
        name: The name of the job; by default that of the requests file.
        progress: Counts the bytes.

    Returns:
        The job. Requests without a result are ``missing``.

    Raises:
        InputError: A file is not what it should be, or cannot be read.
    """

    def work(running: Progress) -> jobs.Batch:
        form = _form_of(results)
        found = recognize(requests)
        if found.kind in ("results", "packed", "pointer"):
            raise InputError(
                f"{quoted(requests.name)} is {found.what}, not requests",
                "Give the file of requests first, then the results.",
                path=requests,
            )
        # Vertex AI gives no id to a row, but its request.
        ids: Ids = {}
        with _common_requests(requests, found.form, ids) as lines:
            batch = _store_job(context, requests, lines, form, account, name)
        _store_results(context, batch, results, form, ids, running)
        return batch

    batch = await context.shielded(run_in_thread(work, progress))
    error = RowError(code="missing", message="No result line for this row", retryable=True)
    batches = context.history.batches
    await asyncio.to_thread(batches.finish_remaining, batch, Outcome.MISSING, error, error.message)
    await store_cost(context, batches.get(batch.id))
    context.publish(JobImported(batch.job_id))
    return context.history.jobs.get(batch.job_id)


def results_beside(path: Path) -> list[Path]:
    """A result file, and the one of its batch beside it: of the errors, or of the output.

    Providers name both alike, such as ``batch_1_output.jsonl`` and ``batch_1_error.jsonl``.
    """
    form = recognize(path).form
    for word, others in (
        ("output", ("error", "errors")),
        ("errors", ("output",)),
        ("error", ("output",)),
    ):
        before, found, after = path.name.rpartition(word)
        for other in others if found else ():
            beside = path.with_name(f"{before}{other}{after}")
            if is_file(beside) and recognize(beside).form == form:
                return [path, beside]
    return [path]


def _form_of(results: Sequence[Path]) -> str:
    """The form of the lines of all files.

    Raises:
        InputError: A file has no results, or results that are not read.
    """
    forms: set[str] = set()
    for path in results:
        found = recognize(path)
        if found.form not in _STYLES:
            raise InputError(
                f"{quoted(path.name)} is {found.what}, not the results of a batch that can be read"
                if found.kind == "results"
                else f"{quoted(path.name)} is {found.what}, not the results of a batch",
                "Results of OpenAI, Azure, Mistral, ScaleDown, Anthropic, Gemini, Vertex AI and"
                " Bedrock batches can be imported.",
                path=path,
            )
        forms.add(found.form)
    if len(forms) != 1:
        raise InputError("the result files are of different providers", "Import them one by one.")
    return forms.pop()


Ids = dict[bytes, list[str]]
"""The ids of equal requests, by their canonical JSON."""

_FOREIGN = ("gemini", "vertex", "bedrock")


@contextmanager
def _common_requests(path: Path, form: str, ids: Ids) -> Iterator[Path]:
    """The file of requests in the common form; a temporary one if it is not in it."""
    if form not in _FOREIGN:
        yield path
        return
    with temporary_folder("import") as folder:
        made = folder / "requests.jsonl"
        with open_bytes(path) as file, made.open("wb") as common:
            for number, (_, line) in enumerate(split_lines(file), 1):
                request = _common_request(line, number, ids)
                if request is not None:
                    common.write(msgspec.json.encode(request) + b"\n")
        yield made


def _common_request(line: bytes, number: int, ids: Ids) -> dict[str, Any] | None:
    row = _object(line)
    if row is None:
        return None
    body = row.get("modelInput", row.get("request"))
    if not isinstance(body, dict):
        return None
    custom_id = row.get("recordId") or row.get("key") or row.get("custom_id")
    custom_id = custom_id or id_in(body.get("labels"))
    custom_id = custom_id if isinstance(custom_id, str) else f"row-{number}"
    ids.setdefault(_canonical(body), []).append(custom_id)
    request = normalize_request(row) or {"body": body}
    return {**request, "custom_id": custom_id}


def _common_result(line: bytes, form: str, ids: Ids) -> bytes:
    """A line of Vertex AI or Bedrock in the form of OpenAI; other lines as they are."""
    row = _object(line) if form in ("vertex-results", "bedrock-results") else None
    if row is None:
        return line
    if form == "bedrock-results":
        custom_id, body, failed = row.get("recordId"), row.get("modelOutput"), row.get("error")
        if isinstance(failed, dict):
            failed = {"code": failed.get("errorCode"), "message": failed.get("errorMessage")}
    else:
        request = row.get("request")
        same = ids.get(_canonical(request), [])
        custom_id = row.get("custom_id") or row.get("key")
        if not custom_id and isinstance(request, dict):
            custom_id = id_in(request.get("labels"))
        custom_id = custom_id or (same.pop(0) if same else None)
        body, status = row.get("response") or None, row.get("status")
        failed = {"message": status} if isinstance(status, str) and status else None
    if not isinstance(custom_id, str):
        return line
    response = None if failed else {"status_code": 200, "body": body}
    return msgspec.json.encode({"custom_id": custom_id, "response": response, "error": failed})


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = decode_lenient(line.removeprefix(BOM))
    except UnreadableLineError:
        return None
    return value if isinstance(value, dict) else None


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _usual_account(context: Context, form: str) -> str:
    """The account of a job that was imported without one."""
    accounts = context.accounts
    if form not in _OWN:
        is_free = accounts.profile(accounts.default).id == FREE_PROVIDER
        return _USUAL[form] if is_free else accounts.default
    for name in accounts.names():
        # An account that cannot be used is no reason to import nothing.
        with suppress(ConfigError):
            if accounts.profile(name).dialect == _OWN[form]:
                return name
    return _OWN[form]


def _endpoint_of(lines: Path) -> str:
    """The endpoint of the first request, if it names one."""
    with lines.open("rb") as stream:
        row = _object(next(stream, b"")) or {}
    return str(row.get("url") or "")


def _store_job(
    context: Context,
    requests: Path,
    lines: Path,
    form: str,
    account: str | None,
    name: str | None,
) -> jobs.Batch:
    chosen = account or _usual_account(context, form)
    info = context.accounts.info(chosen)
    with open_bytes(requests) as file:
        created = os.fstat(file.fileno()).st_mtime
    style = _STYLES[form]
    endpoint = "/v1/messages" if style == "messages" else "/v1/chat/completions"
    if form in _OWN:
        endpoint = _endpoint_of(lines) or endpoint
    batch = jobs.Batch(
        id=jobs.new_batch_id(), job_id=jobs.new_job_id(), account=chosen, created_at=created
    )
    state: dict[str, Any] = {
        "submission": jobs.Submission.RUNNING,
        "status": jobs.BatchStatus.COMPLETED,
        "raw_status": "imported",
        "collected": True,
        "submitted_at": created,
        "ended_at": created,
        "style": style,
    }
    job = jobs.Job(
        id=batch.job_id,
        name=name or requests.stem,
        account=chosen,
        provider=info.provider,
        endpoint=endpoint,
        model="",
        status=jobs.BatchStatus.DRAFT,
        counts=jobs.Counts(),
        window="24h",
        source=str(requests),
        created_at=created,
    )
    sent = ExistingBatch(batch, state, f"Imported the results of {requests.name} from files")
    store_existing(context, job, lines, sent)
    return context.history.batches.get(batch.id)


def _store_results(
    context: Context,
    batch: jobs.Batch,
    results: Sequence[Path],
    form: str,
    ids: Ids,
    progress: Progress,
) -> None:
    """Copy the result files into the job's folder as one, and index it."""
    files = context.history.files
    file = files.get(batch.id, "output")
    with os.fdopen(open_private(file.path, os.O_WRONLY | os.O_CREAT), "wb") as copy:
        for path in results:
            with open_bytes(path) as source:
                for _, line in split_lines(source):
                    copy.write(_common_result(line, form, ids))
                    copy.write(b"\n")
                    progress.update(copy.tell())
    rules = context.accounts.profile(batch.account).retry_codes
    indexer = files.indexer(batch, file, _STYLES[form], rules)
    try:
        source_of = ResultSource(kind="output", ref="imported")
        verdict = files.finish(file, indexer, source_of, growing=False)
    finally:
        indexer.close()
    if verdict.state is not FileState.WHOLE:
        raise InputError(f"the results cannot be read: {verdict.reason}", "Check the files.")
    if verdict.unreadable:
        what = f"{counted(verdict.unreadable, 'line')} of the results could not be read"
        context.history.jobs.note(batch.job_id, context.clock(), what)
