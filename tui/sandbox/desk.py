"""The sandbox behind every dialect: keeps uploads, creates batches, says where they are."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from .failures import ApiError
from .options import Charges, SandboxOptions
from .planfile import Plan
from .planner import plan
from .results import ResultFile
from .shape import Shape
from .state import State, StoredBatch, StoredFile
from .timeline import View, look

_PLANS_KEPT = 256
_FILE_DAYS = 30


class Desk:
    """One sandbox: its options, its folder and its state.

    The methods block; handlers call them in a thread.
    """

    def __init__(self, options: SandboxOptions, shape: Shape) -> None:
        """Open the home folder of `options`, or a temporary one."""
        self.options = options
        self.shape = shape
        self.quirks = Charges(options.quirks)
        self.losses = Charges(options.lose_answer)
        home = options.home or Path(tempfile.mkdtemp(prefix="batchdeck-sandbox-"))
        # Also runs when the process ends without a close.
        self._tidy = weakref.finalize(self, _remove, None if options.home else home)
        for folder in (home, home / "files", home / "batches"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._files = home / "files"
        self._batches = home / "batches"
        self.state = State(home)
        self._seen: dict[str, int] = {}
        self._plans: OrderedDict[Path, Plan] = OrderedDict()

    def close(self) -> None:
        """Close the state and remove a temporary home."""
        self._plans.clear()
        self.state.close()
        self._tidy()

    def now(self) -> float:
        """The Unix time of the sandbox's clock."""
        return self.options.clock()

    @staticmethod
    def token() -> str:
        """Make a fresh id, 32 hexadecimal digits."""
        return secrets.token_hex(16)

    def draft(self) -> Path:
        """Create an empty private file to receive an upload."""
        path = self._files / f"{self.token()}.tmp"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return path

    def keep(
        self, source: IO[bytes] | Path, *, file_id: str, name: str, purpose: str,
        life: float | None = _FILE_DAYS * 86_400.0,
    ) -> StoredFile:  # fmt: skip
        """Store an upload, from an open file (copied) or from a draft (moved)."""
        if not isinstance(source, Path):
            draft = self.draft()
            with draft.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            source = draft
        now = self.now()
        file = StoredFile(
            id=file_id,
            like=self.options.like,
            name=name,
            purpose=purpose,
            bytes=source.stat().st_size,
            created=now,
            expires=None if life is None else now + life,
        )
        source.replace(self._files / file_id)
        self.state.add(file)
        return file

    def path_of(self, file: StoredFile) -> Path:
        """Where the bytes of an upload are."""
        return self._files / file.id

    def remove_file(self, file: StoredFile) -> None:
        """Delete an upload; batches made from it keep their own link to the bytes."""
        self.state.change(file, deleted=1)
        self.path_of(file).unlink(missing_ok=True)

    def create(
        self,
        source: Path,
        *,
        batch_id: str,
        endpoint: str,
        window: str,
        seconds: float,
        input_id: str = "",
        out_id: str = "",
        err_id: str = "",
        metadata: Any = None,
        extra: dict[str, Any] | None = None,
        refuse: Callable[[list[dict[str, Any]]], ApiError] | None = None,
    ) -> StoredBatch:
        """Create a batch from a file of lines and plan it.

        Args:
            source: The lines; they are linked, so that the caller may delete its name for them.
            batch_id: The id, which also names the files of the batch.
            endpoint: The endpoint as `/v1/...`.
            window: The asked window, as text.
            seconds: Its length; `window_seconds` of the options wins.
            input_id: Id of the input file.
            out_id: Id of the output file; empty makes one.
            err_id: Id of the error file; empty makes one.
            metadata: What the caller attached.
            extra: What the dialect keeps.
            refuse: Turns the problems of the lines into a refusal of the create; without it
                such a batch is created and fails.

        Raises:
            ApiError: `refuse` made it.
        """
        options = self.options
        batch = StoredBatch(
            id=batch_id,
            like=options.like,
            endpoint=endpoint,
            window=window,
            seconds=options.window_seconds or seconds,
            created=self.now(),
            rate=options.rows_per_second,
            seed=options.seed,
            input_id=input_id,
            out_id=out_id or f"file-{self.token()}",
            err_id=err_id or f"file-{self.token()}",
            metadata=metadata,
            extra=extra or {},
            number=self.state.next_number(),
        )
        own = self.lines_of(batch)
        try:
            os.link(source, own)
        except OSError:
            shutil.copyfile(source, own)
            own.chmod(0o600)
        planned = plan(own, batch, self.shape, self.state, options.fail_rate)
        if planned.problems and refuse is not None:
            own.unlink()
            raise refuse(planned.problems)
        batch.problems = planned.problems
        batch.extra.setdefault("model", planned.model)
        if not planned.problems:
            planned.writer.save(self.plan_path(batch))
        self.state.add(batch)
        return batch

    def lines_of(self, batch: StoredBatch) -> Path:
        """Where the input lines of a batch are."""
        return self._batches / f"{batch.id}.jsonl"

    def plan_path(self, batch: StoredBatch) -> Path:
        """Where the newest plan of a batch is."""
        return self._batches / f"{batch.id}.{batch.generation}.plan"

    def plan_of(self, batch: StoredBatch) -> Plan | None:
        """Open the plan of a batch; `None` for a refused one."""
        if batch.problems:
            return None
        path = self.plan_path(batch)
        known = self._plans.get(path)
        if known is None:
            known = self._plans[path] = Plan(path)
            while len(self._plans) > _PLANS_KEPT:
                self._plans.popitem(last=False)
        return known

    def view(self, batch: StoredBatch, *, fresh: bool = False, ago: float = 0.0) -> View:
        """Say where a batch is now, or was `ago` seconds ago; `fresh` is as the create says."""
        course = batch.course
        if self.shape.overdue_runs:
            course = replace(course, window=float("inf"))
        return look(course, self.plan_of(batch), self.now() - ago, fresh=fresh)

    def results(self, batch: StoredBatch, view: View, *, errors: bool) -> ResultFile | None:
        """The output or the error file of a batch; `None` for a refused one."""
        plan = self.plan_of(batch)
        if plan is None:
            return None
        return ResultFile(self.lines_of(batch), batch, plan, view, self.shape, errors=errors)

    def batch(self, batch_id: str, missing: ApiError) -> StoredBatch:
        """Find a batch of this dialect.

        Raises:
            ApiError: `missing`, when there is none.
        """
        found = self.state.batch(batch_id)
        if found is None or found.like != self.options.like:
            raise missing
        return found

    def hidden(self, batch: StoredBatch) -> bool:
        """Whether the quirk `404-after-create` hides a batch: its first retrieve, or first N."""
        if "404-after-create" not in self.quirks:
            return False
        seen = self._seen[batch.id] = self._seen.get(batch.id, 0) + 1
        return seen <= (self.quirks.count("404-after-create") or 1)

    def remove_batch(self, batch: StoredBatch) -> None:
        """Delete a batch and its files."""
        self.state.change(batch, deleted=1)
        self.lines_of(batch).unlink(missing_ok=True)
        for generation in range(batch.generation + 1):
            (self._batches / f"{batch.id}.{generation}.plan").unlink(missing_ok=True)


def _remove(folder: Path | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
