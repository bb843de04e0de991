"""Find good answers of earlier jobs to the same requests, and copy them into a new job."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tui.core.requests import request_identity
from tui.core.results.openai_lines import UnreadableLineError, is_form_of
from tui.core.results.readers import READERS
from tui.core.rows import OUTCOME_CODES, Outcome
from tui.errors import HistoryError, UnknownJobError
from tui.paths import Paths, open_private
from tui.progress import NO_PROGRESS, Progress
from tui.store.database import Database, chunked
from tui.store.indexing.shared_answers import copy_line
from tui.store.job_records import JobData
from tui.store.reuse.index import RequestIndex
from tui.store.rows.reader import LineReader
from tui.store.rows.repeats import request_hash

_PAGE = 500
_MOST_KNOWN = 20_000
_MOST_OPEN = 20
"""Jobs whose files are open at a time."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode

REUSED_FROM = "reused_from"
"""The field of a copied line that says where it comes from."""


class ReusePolicy(NamedTuple):
    """Which answers may be reused.

    Attributes:
        same_server: Whether an answer of this account may be used for the new job.
        address: The address of the server; answers that were asked for at another one are not used,
            whatever the account names today.
        since: The oldest answer, in Unix seconds; 0 for any.
        only: The job whose answers are used; empty for all.
    """

    same_server: Callable[[str], bool]
    address: str
    since: float = 0.0
    only: str = ""


class FoundAnswer(NamedTuple):
    """A good answer to a request: where its line is, how it is written, and when it was given.

    ``cost`` is ``None`` if it is not known, or if the answer was shared.
    """

    job: str
    name: str
    custom_id: str
    seq: int
    file: int
    offset: int
    length: int
    style: str
    at: float
    cost: float | None


class ReusableAnswers:
    """Finds answers; a context manager, to be used in one thread.

    An answer can be reused if it is a good one (*succeeded*: not truncated, not refused), its
    request was sent as it was imported, and every byte of the request but the id is the same.

    Args:
        database: The history.
        paths: Locates the files of the jobs.
        policy: Which answers may be reused.
    """

    def __init__(self, database: Database, paths: Paths, policy: ReusePolicy) -> None:
        self._database = database
        self._paths = paths
        self._policy = policy
        self._index = RequestIndex(paths)
        self._readers: dict[str, tuple[JobData, LineReader]] = {}
        self._usable: dict[str, bool] = {}
        self._known: dict[bytes, FoundAnswer | None] = {}
        """What was found for the last requests, by a digest of what they say."""

    def __enter__(self) -> ReusableAnswers:
        return self

    def __exit__(self, *details: object) -> None:
        self._index.__exit__(*details)
        for _, lines in self._readers.values():
            lines.close()

    def refresh(self, progress: Progress = NO_PROGRESS) -> None:
        """Bring the index up to date; the first time it reads the requests of all jobs."""
        rows = self._database.read.execute("SELECT id FROM jobs ORDER BY pk")
        self._index.refresh([job for (job,) in rows], progress)

    def find(
        self, lines: Iterable[bytes], leave_out: str = ""
    ) -> Iterator[tuple[bytes, FoundAnswer | None]]:
        """Each request line with the newest answer to it, if there is one.

        Args:
            lines: Request lines, without line ends.
            leave_out: The job that they belong to.
        """
        rest = iter(lines)
        while page := list(islice(rest, _PAGE)):
            identities = [request_identity(line) for line in page]
            keys = [sha256(identity).digest() for identity in identities]
            known = {key: self._known[key] for key in keys if key in self._known}
            new = {
                key: identity
                for key, identity in zip(keys, identities, strict=True)
                if key not in known
            }
            known |= self._find_new(new, leave_out)
            for line, key in zip(page, keys, strict=True):
                yield line, known[key]

    def _find_new(
        self, identities: Mapping[bytes, bytes], leave_out: str
    ) -> dict[bytes, FoundAnswer | None]:
        """The newest answer to each of some requests; what was found last is kept.

        Without that, each repeat would look up all of the repeats in earlier jobs again.
        """
        hashes = {key: request_hash(identity) for key, identity in identities.items()}
        rows = self._index.find(list(hashes.values()), leave_out)
        answers = self._answers(rows)
        new: dict[bytes, FoundAnswer | None] = {}
        for key, identity in identities.items():
            places = rows.get(hashes[key], ())
            found = sorted(
                (answers[place] for place in places if place in answers),
                key=lambda answer: (-answer.at, answer.cost is None),
            )
            new[key] = next((one for one in found if self._is_same(one, identity)), None)
        self._known |= new
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return new

    def line(self, answer: FoundAnswer, custom_id: str) -> bytes:
        """The result line of an answer, as that of another row.

        Raises:
            UnreadableLineError: It is not what was stored.
        """
        _, reader = self._reader(answer.job)
        raw = reader.read(answer.file, answer.offset, answer.length)
        if not is_form_of(READERS[answer.style](raw, None).custom_id, answer.custom_id):
            raise UnreadableLineError("the line of another row")
        copied = _fields(copy_line(raw, custom_id, answer.style))
        source = {"job": answer.job, "name": answer.name, "custom_id": answer.custom_id}
        return _encode({**copied, REUSED_FROM: source})

    def _answers(
        self, rows: Mapping[int, Sequence[tuple[str, int]]]
    ) -> dict[tuple[str, int], FoundAnswer]:
        """The good answers of rows, by job and row number."""
        wanted: dict[str, list[int]] = {}
        for places in rows.values():
            for job, seq in places:
                if self._is_usable(job):
                    wanted.setdefault(job, []).append(seq)
        found: dict[tuple[str, int], FoundAnswer] = {}
        for job, seqs in wanted.items():
            for marks, part in chunked(seqs):
                for values in self._database.read.execute(
                    "SELECT j.id, j.name, q.custom_id, q.seq, r.file, r.offset, r.length, b.style,"
                    " coalesce(b.ended_at, b.submitted_at, b.created_at), r.cost"
                    " FROM jobs j JOIN requests q ON q.job=j.pk"
                    " JOIN results r ON r.job=q.job AND r.seq=q.seq JOIN batches b ON b.pk=r.batch"
                    f" WHERE j.id=? AND q.seq IN ({marks}) AND r.outcome=? AND r.file IS NOT NULL"
                    " AND b.edits='{}' AND b.reuses=0 AND b.address IN ('', ?)"
                    " AND coalesce(b.ended_at, b.submitted_at, b.created_at)>=?",
                    (
                        job,
                        *part,
                        OUTCOME_CODES[Outcome.SUCCEEDED],
                        self._policy.address,
                        self._policy.since,
                    ),
                ):
                    answer = FoundAnswer(*values)
                    found[answer.job, answer.seq] = answer
        return found

    def _is_usable(self, job: str) -> bool:
        if job not in self._usable:
            row = self._database.read.execute(
                "SELECT account FROM jobs WHERE id=?", (job,)
            ).fetchone()
            is_wanted = not self._policy.only or self._policy.only == job
            self._usable[job] = (
                is_wanted and row is not None and self._policy.same_server(str(row[0]))
            )
        return self._usable[job]

    def _is_same(self, answer: FoundAnswer, identity: bytes) -> bool:
        """Whether an answer is that to this request: its bytes are compared, and its line read."""
        try:
            data, reader = self._reader(answer.job)
            place = data.connection.execute(
                "SELECT offset, length FROM requests WHERE job=? AND seq=?", (data.pk, answer.seq)
            ).fetchone()
            if request_identity(reader.read(0, *place)) != identity:
                return False
            copied = self.line(answer, answer.custom_id)
            return READERS[answer.style](copied, None).outcome is Outcome.SUCCEEDED
        except (HistoryError, UnknownJobError, UnreadableLineError, ValueError):
            # A file that is lost or changed has no answer that can be trusted.
            return False

    def _reader(self, job: str) -> tuple[JobData, LineReader]:
        if job not in self._readers:
            if len(self._readers) >= _MOST_OPEN:
                _, oldest = self._readers.pop(next(iter(self._readers)))
                oldest.close()
            data = JobData(self._database.read, self._paths, job)
            self._readers[job] = (data, LineReader(data))
        return self._readers[job]


def write_lines(file: Path, lines: Iterable[bytes]) -> None:
    """Write copied lines, on the disk when this returns.

    Raises:
        HistoryError: The file cannot be written.
    """
    try:
        with os.fdopen(open_private(file), "wb") as stream:
            for line in lines:
                stream.write(line)
                stream.write(b"\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        file.unlink(missing_ok=True)
        raise HistoryError(
            f"{file} cannot be written: {error.strerror}", "Free some disk space."
        ) from error


def origin_of(line: bytes) -> dict[str, Any] | None:
    """Where a copied line comes from: ``job``, ``name`` and ``custom_id``; ``None`` for others."""
    if REUSED_FROM.encode() not in line:
        return None
    try:
        source = msgspec.json.decode(line).get(REUSED_FROM)
    except (msgspec.MsgspecError, UnicodeDecodeError, AttributeError):
        return None
    return source if isinstance(source, dict) else None
