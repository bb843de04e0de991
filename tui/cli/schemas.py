"""Rows of a job with the verdict on the form of their answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.filtering import RowSelection
    from tui.core.rows import RowLine
    from tui.core.verdicts import Judge
    from tui.engine.engine import Engine

_FITS = {1: True, 2: False, 3: False}
"""Numbers of ``tui.core.verdicts.Verdict`` that say yes or no."""


@dataclass(frozen=True)
class Checked:
    """Rows with a verdict each."""

    job_id: str
    selection: RowSelection
    verdicts: bytes
    judge: Judge

    def misfits(self) -> Checked:
        """Only the rows that are not what was asked for."""
        from array import array

        from tui.core.filtering import RowSelection

        bad = [place for place, code in enumerate(self.verdicts) if _FITS.get(code) is False]
        seqs = array("q", (self.selection.seqs[place] for place in bad))
        selection = RowSelection(seqs=seqs, total=self.selection.total)
        return Checked(
            self.job_id, selection, bytes(self.verdicts[place] for place in bad), self.judge
        )

    def document(self, engine: Engine, place: int, line: RowLine) -> dict[str, Any]:
        """A row line with its verdict; what is wrong is found out for bad rows alone."""
        import msgspec

        document: dict[str, Any] = msgspec.to_builtins(line)
        fits = _FITS.get(self.verdicts[place])
        problems: tuple[str, ...] = ()
        if fits is False:
            seq = self.selection.seqs[place]
            problems = engine.judge_row(self.job_id, seq, self.judge).problems
        document["schema"] = {"fits": fits, "problems": list(problems)}
        return document


async def check(
    engine: Engine, job_id: str, selection: RowSelection, schema: str, *, stop: Callable[[], bool]
) -> Checked:
    """Check rows.

    Args:
        engine: Which does it.
        job_id: The job.
        selection: The rows.
        schema: A file, or ``own`` for the schemas that the requests ask with.
        stop: Asked now and then.

    Raises:
        InputError: The schema cannot be read or used.
    """
    given = None if schema == "own" else _read(Path(schema))
    judge = engine.judge(given)
    verdicts = await engine.check_schema(
        job_id, selection.seqs, given, own=given is None, stop=stop
    )
    return Checked(job_id, selection, verdicts.each, judge)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error
