"""The backend of a sandbox, which keeps its uploads and batches, and the parts of a façade."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from starlette.responses import Response
from starlette.routing import Route

from tui.sandbox.clouds.objects import ObjectStore
from tui.sandbox.clouds.stored_objects import StoredObjects
from tui.sandbox.errors import ApiError, openai_error
from tui.sandbox.options import BUCKETS, FaultBudget, SandboxOptions
from tui.sandbox.plan_file import Plan
from tui.sandbox.planner import plan
from tui.sandbox.results import ResultFile
from tui.sandbox.rows import RowFormat
from tui.sandbox.state import BatchView, State, StoredBatch, StoredFile, view_at

_PLANS_KEPT = 256
DAY = 86_400.0
"""Seconds in a day."""


class Backend:
    """The backend of one sandbox: its options, folder and state.

    The methods are blocking; async handlers call them in a thread.
    """

    def __init__(self, options: SandboxOptions, row_format: RowFormat) -> None:
        """Open the home folder of `options`, or a temporary one."""
        self.options = options
        self.row_format = row_format
        self.quirks = FaultBudget(options.quirks)
        self.dropped_responses = FaultBudget(options.lose_answer)
        home = options.home or claimed_folder("batchdeck-sandbox-")
        # Also runs when the process ends without close().
        self._cleanup = weakref.finalize(self, _remove, None if options.home else home)
        for folder in (home, home / "files", home / "batches"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._files = home / "files"
        self._batches = home / "batches"
        self.state = State(home)
        self.buckets = None
        if options.objects is None and options.like in BUCKETS:
            self.buckets = StoredObjects(home / "buckets", options.region, options.clock)
        self._seen: dict[str, int] = {}
        self._plans: OrderedDict[Path, Plan] = OrderedDict()

    def close(self) -> None:
        """Close the state and remove a temporary home."""
        self._plans.clear()
        self.state.close()
        if self.buckets is not None:
            self.buckets.close()
        self._cleanup()

    @property
    def objects(self) -> ObjectStore:
        """The buckets of the user: those of the options, or the sandbox's own."""
        found = self.options.objects or self.buckets
        assert found is not None
        return found

    def now(self) -> float:
        """The current Unix time of the sandbox's clock."""
        return self.options.clock()

    @staticmethod
    def token() -> str:
        """Generate an id of 32 hexadecimal digits."""
        return secrets.token_hex(16)

    def draft(self) -> Path:
        """Create an empty file, readable only by the owner, to receive an upload."""
        path = self._files / f"{self.token()}.tmp"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return path

    def keep(
        self, source: IO[bytes], *, file_id: str, name: str, purpose: str, life: float
    ) -> StoredFile:
        """Store a copy of an upload for `life` seconds."""
        draft = self.draft()
        with draft.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        now = self.now()
        file = StoredFile(
            id=file_id,
            like=self.options.like,
            name=name,
            purpose=purpose,
            bytes=draft.stat().st_size,
            created=now,
            expires=now + life,
        )
        draft.replace(self._files / file_id)
        self.state.add(file)
        return file

    def file_path(self, file: StoredFile) -> Path:
        """The path of an upload's content."""
        return self._files / file.id

    def remove_file(self, file: StoredFile) -> None:
        """Delete an upload; batches created from it have their own hard link to the content."""
        self.state.change(file, deleted=1)
        self.file_path(file).unlink(missing_ok=True)

    def create(
        self,
        source: StoredFile | Path,
        *,
        endpoint: str,
        batch_id: str = "",
        window: str = "24h",
        seconds: float = DAY,
        out_id: str = "",
        err_id: str = "",
        metadata: Any = None,
        extra: dict[str, Any] | None = None,
        refuse: Callable[[list[dict[str, Any]]], ApiError] | None = None,
    ) -> StoredBatch:
        """Create a batch from an upload or a JSONL file, and plan it.

        Args:
            source: The input lines; hard-linked, so the caller may delete the file afterwards.
            endpoint: The endpoint as `/v1/...`.
            batch_id: The id, which also names the files of the batch; generated if empty.
            window: The requested completion window, as text.
            seconds: Its length; `window_seconds` of the options takes precedence.
            out_id: Id of the output file; generated if empty.
            err_id: Id of the error file; generated if empty.
            metadata: The caller's metadata.
            extra: Data that the dialect stores with the batch.
            refuse: Turns problems of the lines into an error of the create call; without it
                such a batch is created and fails.

        Raises:
            ApiError: The lines have problems and `refuse` is given.
        """
        options = self.options
        batch = StoredBatch(
            id=batch_id or f"batch_{self.token()}",
            like=options.like,
            endpoint=endpoint,
            window=window,
            seconds=options.window_seconds or seconds,
            created=self.now(),
            rate=options.rows_per_second,
            seed=options.seed,
            input_id=source.id if isinstance(source, StoredFile) else "",
            out_id=out_id or f"file-{self.token()}",
            err_id=err_id or f"file-{self.token()}",
            metadata=metadata,
            extra=extra or {},
            number=self.state.next_number(),
        )
        own = self.input_path(batch)
        if isinstance(source, StoredFile):
            source = self.file_path(source)
        try:
            os.link(source, own)
        except OSError:
            shutil.copyfile(source, own)
            own.chmod(0o600)
        planned = plan(own, batch, self.row_format, self.state, options.fail_rate)
        if planned.problems and refuse is not None:
            own.unlink()
            raise refuse(planned.problems)
        batch.problems = planned.problems
        batch.extra.setdefault("model", planned.model)
        if not planned.problems:
            planned.writer.save(self.plan_path(batch))
        self.state.add(batch)
        return batch

    def input_path(self, batch: StoredBatch) -> Path:
        """The path of a batch's input lines."""
        return self._batches / f"{batch.id}.jsonl"

    def plan_path(self, batch: StoredBatch) -> Path:
        """The path of a batch's newest plan."""
        return self._batches / f"{batch.id}.{batch.generation}.plan"

    def plan_of(self, batch: StoredBatch) -> Plan | None:
        """Open the plan of a batch; `None` if its input was rejected."""
        if batch.problems:
            return None
        path = self.plan_path(batch)
        known = self._plans.get(path)
        if known is None:
            known = self._plans[path] = Plan(path)
            while len(self._plans) > _PLANS_KEPT:
                self._plans.popitem(last=False)
        return known

    def rows(self, batch: StoredBatch) -> int:
        """The number of rows of a batch; 0 if its input was rejected."""
        plan = self.plan_of(batch)
        return plan.rows if plan else 0

    def tokens(self, batch: StoredBatch, view: BatchView) -> tuple[int, int]:
        """Input and output tokens of the rows that ran."""
        plan = self.plan_of(batch)
        return plan.tokens(view.done) if plan else (0, 0)

    def view(self, batch: StoredBatch, *, fresh: bool = False, ago: float = 0.0) -> BatchView:
        """The state of a batch now or `ago` seconds ago; `fresh` is that of a create response."""
        window = float("inf") if self.row_format.runs_after_window else batch.seconds
        now = self.now() - ago
        return view_at(batch, self.plan_of(batch), now, window=window, fresh=fresh)

    def results(self, batch: StoredBatch, view: BatchView, *, errors: bool) -> ResultFile | None:
        """The output or error file of a batch; `None` if its input was rejected."""
        plan = self.plan_of(batch)
        if plan is None:
            return None
        return ResultFile(self.input_path(batch), batch, plan, view, self.row_format, errors=errors)

    def batch(self, batch_id: str, missing: ApiError) -> StoredBatch:
        """Find a batch of this dialect.

        Raises:
            ApiError: `missing`, if there is no such batch.
        """
        found = self.state.batch(batch_id)
        if found is None or found.like != self.options.like:
            raise missing
        return found

    def batches(self) -> list[StoredBatch]:
        """All batches of this dialect, newest first."""
        return self.state.batches(self.options.like)

    def upload(self, file_id: str, missing: ApiError) -> StoredFile:
        """Find an upload of this dialect.

        Raises:
            ApiError: `missing`, if there is no such upload.
        """
        found = self.state.file(file_id)
        if found is None or found.like != self.options.like:
            raise missing
        return found

    def is_hidden(self, batch: StoredBatch) -> bool:
        """Whether the quirk `404-after-create` hides a batch, on its first or first N retrieves."""
        if "404-after-create" not in self.quirks:
            return False
        seen = self._seen[batch.id] = self._seen.get(batch.id, 0) + 1
        return seen <= (self.quirks.count("404-after-create") or 1)

    def remove_batch(self, batch: StoredBatch) -> None:
        """Delete a batch and its files."""
        self.state.change(batch, deleted=1)
        self.input_path(batch).unlink(missing_ok=True)
        for generation in range(batch.generation + 1):
            (self._batches / f"{batch.id}.{generation}.plan").unlink(missing_ok=True)


def _remove(folder: Path | None) -> None:
    if folder is not None:
        release_folder(folder)


class Endpoints(ABC):
    """Some routes of a façade, such as those of its files, for one backend."""

    def __init__(self, backend: Backend) -> None:
        """Serve what `backend` stores."""
        self.backend = backend

    @abstractmethod
    def routes(self) -> list[Route]:
        """The routes, for the app."""


@dataclass(frozen=True)
class Dialect:
    """The parts of a simulated provider from which the app is built.

    Attributes:
        row_format: Its row format.
        parts: Its groups of routes; each is made for a backend.
        error: Builds its error responses.
        id_header: The response header with the request id.
        checks_key: Whether its routes check the key themselves, as where requests are signed.
    """

    row_format: RowFormat
    parts: tuple[type[Endpoints], ...]
    error: Callable[[ApiError], Response] = openai_error
    id_header: str = "x-request-id"
    checks_key: bool = False


_LOCK = ".in-use"
_claims: dict[Path, int] = {}
"""Folders of this process, and the locked file of each."""


def claimed_folder(prefix: str, parent: str | None = None) -> Path:
    """A new temporary folder; those of the same prefix whose process was killed are removed.

    A locked file in it shows that its process lives: the lock ends with the process.
    """
    for old in Path(parent or tempfile.gettempdir()).glob(f"{prefix}*"):
        if old not in _claims and not old.is_symlink() and _lock(old, _LOCK, os.O_RDWR):
            release_folder(old)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    # Under another name until it is locked: another process that starts at this moment would take
    # the lock, and remove the folder.
    new = f"{_LOCK}.new"
    if _lock(folder, new, os.O_RDWR | os.O_CREAT):
        (folder / new).rename(folder / _LOCK)
    return folder


def release_folder(folder: Path) -> None:
    """Remove a temporary folder."""
    descriptor = _claims.pop(folder, None)
    if descriptor is not None:
        os.close(descriptor)
    shutil.rmtree(folder, ignore_errors=True)


def _lock(folder: Path, name: str, flags: int) -> bool:
    """Lock a file of the folder; ``False`` if another process holds it, or there is none."""
    try:
        import fcntl

        descriptor = os.open(folder / name, flags, 0o600)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return False
    _claims[folder] = descriptor
    return True
