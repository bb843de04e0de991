"""What an archive of a job is made of: a ZIP file with the files of the job's folder.

The first entry is a small mark by which the file is recognised, the last one a manifest with the
size and the SHA-256 of every other entry. Two archives of an unchanged job are equal byte by byte.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from tui.store.columns.derived import DERIVED_FILE
from tui.store.job_folder import REQUESTS, SCHEMA_FILE
from tui.store.manifests import JOB_FILE
from tui.store.reviews.log import LOG_FILE
from tui.store.rows.inputs import INPUTS

FORMAT = "batchdeck-job"
VERSION = 1
"""The version of the format; a newer one is refused."""

MARK = "batchdeck.json"
"""The first entry: format and version."""

MANIFEST = "manifest.json"
"""The last entry: an ``ArchiveManifest``."""

PROVENANCE = "provenance.json"
TIMELINE = "timeline.jsonl"
"""The events of the job: ``[time, batch or null, text]``, one a line."""

COSTS = "costs.jsonl"
"""What rows cost: ``[place of the batch in the manifest, row number, cost]``, one a line."""

PACE = "pace.jsonl"
"""How many rows had ended when: ``[place of the batch, time, rows]``, one a line."""

OUTCOMES = "outcomes.json"
"""For each batch the outcome of its rows without a result line, if there are any."""

VIEWS = "views.json"
"""The views that were saved from this job."""

RECORDS = frozenset({MARK, MANIFEST, PROVENANCE, TIMELINE, COSTS, PACE, OUTCOMES, VIEWS})
"""Entries that do not become files of the job's folder."""

MOST_ENTRIES = 20_000
MOST_RECORD_BYTES = 64 << 20
"""Bytes of an entry that is read into memory."""

_NAMED = frozenset({JOB_FILE, REQUESTS, INPUTS, SCHEMA_FILE, LOG_FILE, DERIVED_FILE})
_BATCH_FILE = re.compile(
    r"[0-9a-z]{8,40}\.(?:batch\.json|repeats\.jsonl|(?:output|errors)\.(?:jsonl|unreadable))"
)
_COLUMN_FILE = re.compile(r"column-[^\W\d]\w{0,39}\.jsonl")


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the first entry."""

    format: str
    version: int


class ArchiveEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry: its name, its size unpacked, and its SHA-256 in hexadecimal digits."""

    name: str
    bytes: int
    sha256: str


class ArchiveManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the last entry.

    Attributes:
        format: ``FORMAT``.
        version: ``VERSION``.
        batchdeck: The version of Batchdeck that wrote the archive.
        job: The id of the job.
        batches: The ids of its batches, in the order that ``COSTS`` counts.
        files: All other entries, in their order.
    """

    format: str = FORMAT
    version: int = VERSION
    batchdeck: str
    job: str
    batches: tuple[str, ...]
    files: tuple[ArchiveEntry, ...]

    @property
    def digest(self) -> str:
        """What identifies the content, whatever version wrote it: 64 hexadecimal digits."""
        return hashlib.sha256(msgspec.json.encode([self.job, self.batches, self.files])).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all entries, unpacked."""
        return sum(entry.bytes for entry in self.files)


def is_job_file(name: str) -> bool:
    """Whether a file of a job's folder belongs into an archive, and may come out of one.

    Copies of answers that rows share, the index of the input columns, and temporary files do not.
    """
    return bool(name in _NAMED or _BATCH_FILE.fullmatch(name) or _COLUMN_FILE.fullmatch(name))
