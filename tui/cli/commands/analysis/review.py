"""``review``: the queue of a reviewer for other tools, labels from a file, and the agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.addresses import shown_address
from tui.cli.errors import EXIT_OK
from tui.cli.input_file import InputFile, open_source
from tui.cli.options import (
    Settings,
    complete_columns,
    job_argument,
    max_size_option,
    row_filter,
    row_options,
    shared,
)
from tui.cli.output import (
    Cell,
    json_bytes,
    print_bytes,
    print_done,
    print_result,
    say,
    table,
)
from tui.cli.progress import file_progress
from tui.cli.session import run
from tui.core.formatting import counted, percent
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.core.jobs import Job
    from tui.core.reviews.review import Review
    from tui.engine.engine import Engine
    from tui.engine.reviews.labels import ImportedReviews
    from tui.engine.reviews.queue import ReviewQueue
    from tui.store.history import ReviewerCounts, ReviewSummary

EXIT_LEFT_OUT = 1
"""The exit code when lines of a file were left out."""

_PAGE = 100


@click.command(short_help="Review answers: progress, a queue for tools, labels from a file.")
@job_argument
@row_options
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Print a queue of N of the rows that have an answer, chosen at random.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of the sample; the same seed chooses the same rows.",
)
@click.option(
    "--by",
    default="",
    metavar="COLUMN",
    shell_complete=complete_columns,
    help="Sample the same number of rows with each value of a column: @label, in.lang, model.",
)
@click.option(
    "--import",
    "source",
    metavar="FILE",
    type=InputFile(dir_okay=False),
    help="Store labels, corrections and notes from a table or JSON lines, also at an address.",
)
@click.option(
    "--reviewer",
    default="",
    metavar="NAME",
    help="The reviewer; default: [review] name in config.toml, else your user name.",
)
@max_size_option
@shared
def review(
    settings: Settings,
    job: str,
    sample: int | None,
    seed: int,
    by: str,
    source: str | None,
    reviewer: str,
    **selection: Any,
) -> int:
    """Show what reviewers said about the answers of a JOB, and how far they agree.

    With conditions on rows or --sample, print the queue as JSON lines instead: id, request, answer,
    and the reviewer's own review. The first rows of a sample are a random sample too.

    With --import, store reviews from FILE. It has the column custom_id, and one or more of label
    (or verdict), correction, note and reviewer. What is stored already is not stored again. The
    exit code is 1 if lines were left out.

    The dashboard reviews answers with V in Results.
    """

    async def work(engine: Engine) -> int:
        found = engine.history.jobs.find(job)
        chosen = any(selection.values()) or sample is not None or bool(by)
        if source is not None and chosen:
            raise UsageError("--import takes no conditions on rows", "Leave them out.")
        if source is not None:
            opened = await open_source(engine, source)
            with file_progress("reading", plural_of="line") as progress:
                done = await engine.reviews.import_table(
                    found.id, opened, reviewer=reviewer, progress=progress
                )
            _print_import(settings, found, shown_address(source), done)
            return EXIT_LEFT_OUT if _left_out(done) else EXIT_OK
        if not chosen:
            summary = await engine.reviews.summary(found.id)
            print_result(
                settings, lambda: _document(found, summary), lambda: _report(found, summary)
            )
            return EXIT_OK
        with file_progress("reading", plural_of="row") as progress:
            queue = await engine.reviews.queue(
                found.id,
                row_filter(**selection),
                reviewer=reviewer,
                sample=sample,
                seed=seed,
                by=by,
                progress=progress,
            )
        assert queue is not None, "a queue that is stopped is cancelled before this line"
        await _print_queue(settings, engine, queue, by)
        return EXIT_OK

    return run(settings, work)


async def _print_queue(settings: Settings, engine: Engine, queue: ReviewQueue, by: str) -> None:
    """Print the rows of a queue: as JSON lines, or as parts of one document."""
    import asyncio

    if settings.json:
        head = {
            "job": queue.job_id,
            "reviewer": queue.reviewer,
            "total": len(queue),
            "done": queue.done,
            "without_answer": queue.without_answer,
            "strata": [vars(stratum) for stratum in queue.strata],
        }
        print_bytes(json_bytes(head)[:-1] + b',"rows":[')
    for start in range(0, len(queue), _PAGE):
        rows = await asyncio.to_thread(_rows, engine, queue, by, start)
        lines = [json_bytes(row) for row in rows]
        if settings.json:
            print_bytes((b"," if start else b"") + b",".join(lines))
        else:
            print_bytes(b"\n".join(lines) + b"\n")
    if settings.json:
        print_bytes(b"]}\n")
    else:
        for stratum in queue.strata:
            say(f"{stratum.value}: {stratum.chosen:,} of {counted(stratum.rows, 'row')}")


def _rows(engine: Engine, queue: ReviewQueue, by: str, start: int) -> list[dict[str, Any]]:
    """One page of a queue, as documents."""
    from tui.core.query import RowSelection
    from tui.core.results.openai_lines import UnreadableLineError, decode_lenient

    history, job_id = engine.history, queue.job_id
    seqs = queue.seqs[start : start + _PAGE]
    pages = history.rows.page(job_id, seqs)
    lines = history.rows.lines(job_id, RowSelection(seqs=seqs, total=len(seqs)))
    requests = dict(history.rows.newest_requests(job_id, seqs))
    reviews = history.reviews.of_rows(job_id, seqs)
    values = history.rows.values(job_id, [by], seqs) if by else [(None,)] * len(seqs)
    documents: list[dict[str, Any]] = []
    for row, line, (value,) in zip(pages, lines, values, strict=True):
        try:
            request = decode_lenient(requests[row.seq])
        except UnreadableLineError:
            request = None
        own = [
            each
            for each in reviews.get(row.seq, ())
            if each.reviewer == queue.reviewer and each.is_of(row.batch_id)
        ]
        document = {
            "custom_id": row.custom_id,
            "attempt": row.attempt,
            "batch_id": row.batch_id,
            "outcome": row.outcome.value,
            "model": row.model,
            "request": request,
            "text": line.text,
            "data": line.data,
            "review": _review_document(own[0]) if own else None,
        }
        documents.append({**document, "value": value} if by else document)
    return documents


def _review_document(review: Review) -> dict[str, Any]:
    from tui.core.formatting import rfc3339

    return {
        "reviewer": review.reviewer,
        "label": review.label or None,
        "correction": review.correction,
        "note": review.note or None,
        "at": rfc3339(review.at),
    }


def _left_out(done: ImportedReviews) -> int:
    return done.unknown + done.unanswered + done.invalid


def _print_import(settings: Settings, job: Job, source: str, done: ImportedReviews) -> None:
    import msgspec

    document = {"job": job.id, "path": source, **msgspec.to_builtins(done)}
    message = f"Stored {counted(done.stored, 'review')} of {job.name}"
    facts = [
        (done.unchanged, "unchanged"),
        (done.empty, "empty"),
        (done.unknown, "with an unknown id"),
        (done.unanswered, "for rows without an answer"),
        (done.invalid, "invalid"),
    ]
    rest = ", ".join(f"{count:,} {words}" for count, words in facts if count)
    print_done(settings, document, f"{message} from {counted(done.lines, 'line')}.")
    if rest and not settings.json:
        say(f"Not stored: {rest}.")
    if done.examples and not settings.json:
        say(f"For example: {'; '.join(done.examples)}.")


def _document(job: Job, summary: ReviewSummary) -> dict[str, Any]:
    return {
        "job": job.id,
        "total": job.counts.total,
        "answered": job.counts.answered,
        "reviewed": summary.rows,
        "earlier": summary.earlier,
        "reviewers": [
            {
                "reviewer": each.reviewer,
                "rows": each.rows,
                "labels": each.labels,
                "corrected": each.corrected,
                "right": _right(each),
            }
            for each in summary.reviewers
        ],
        "agreements": [
            {
                "reviewers": list(each.reviewers),
                "rows": each.rows,
                "same": each.same,
                "share": each.share,
                "kappa": each.kappa,
            }
            for each in summary.agreements
        ],
    }


def _right(counts: ReviewerCounts) -> dict[str, float] | None:
    """The share of right answers and its 95 % interval; ``None`` with labels of one's own."""
    from tui.core.analysis.evaluation import wilson
    from tui.core.reviews.review import RIGHT, VERDICTS

    interval = wilson(right := counts.labels.get(RIGHT, 0), counts.rows)
    if interval is None or not counts.labels.keys() <= set(VERDICTS):
        return None
    return {"share": right / counts.rows, "low": interval.low, "high": interval.high}


def _right_text(counts: ReviewerCounts) -> str:
    found = _right(counts)
    if found is None:
        return "-"
    return f"{percent(found['share'])} ({percent(found['low'])} to {percent(found['high'])})"


def _report(job: Job, summary: ReviewSummary) -> list[str]:
    answered = counted(job.counts.answered, "answer")
    lines = [
        f"{summary.rows:,} of {answered} reviewed ({percent(summary.rows, job.counts.answered)})."
    ]
    if summary.earlier:
        lines.append(f"Of {counted(summary.earlier, 'row')} only an earlier attempt was reviewed.")
    if not summary.reviewers:
        return [*lines, "Review answers with V in the dashboard's Results, or use --import."]
    cells: list[list[Cell | str]] = [
        [
            each.reviewer,
            f"{each.rows:,}",
            ", ".join(f"{label} {count:,}" for label, count in each.labels.items()),
            f"{each.corrected:,}",
            _right_text(each),
        ]
        for each in summary.reviewers
    ]
    titles = ("REVIEWER", "ANSWERS", "LABELS", "CORRECTED", "RIGHT (95% INTERVAL)")
    lines += ["", *table(titles, cells, right=frozenset({1, 3}), elastic=2)]
    if any(_right(each) for each in summary.reviewers):
        lines.append("The interval is that of all answers if those reviewed are a random sample.")
    if summary.agreements:
        both: list[list[Cell | str]] = [
            [
                " and ".join(each.reviewers),
                f"{each.rows:,}",
                percent(each.same, each.rows),
                "-" if each.kappa is None else f"{each.kappa:.2f}",
            ]
            for each in summary.agreements
        ]
        headers = ("BOTH", "ANSWERS", "SAME", "KAPPA")
        lines += ["", *table(headers, both, right=frozenset({1, 2, 3}))]
    return lines
