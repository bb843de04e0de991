"""Runs one job through a proxy with a fault, and checks the result."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes.bucket import BUCKET, KEY_PAIR, REGION
from tests.fakes.gcs import GCS_BUCKET, GCS_REGION
from tests.faults.kill_server import ProviderRecord, served
from tests.faults.proxy import Act, Proxy, proxy_to, trap
from tests.waiting import Patience, within
from tui.config.settings import AccountConfig, Config
from tui.core.jobs import Job, Submission
from tui.engine.engine import Engine
from tui.errors import BatchdeckError
from tui.paths import Paths
from tui.providers.wire import retry

KEY = "sk-planted-4711-do-not-leak"
ROWS = 30
WAIT = 20.0
MODELS = {"vertex": "gemini-3.5-flash"}


class Clock:
    """The machine's clock, which a fault may change."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def jump(self, seconds: float) -> None:
        self.ahead += seconds


@dataclass(frozen=True)
class Surroundings:
    """What a fault may use: the clock, and another origin."""

    clock: Clock
    elsewhere: str


Make = Callable[[Surroundings], Act]


@dataclass(frozen=True)
class Case:
    """One fault.

    ``route`` is what fails, ``times`` how often, ``act`` how. ``errors``: must `submit`
    report it (``None``: it may). ``seconds`` is the program's timeout. ``reopens``:
    the program is restarted if waiting does not help (it was asked to wait long).
    ``address`` is the first address of the account. ``waits`` bounds the pause that the
    program made before it tried again, in seconds. ``quirks`` are those of the sandbox.
    ``also`` has the faults of other routes: the route, how, and how often.
    """

    name: str
    route: str
    act: Make
    times: int = 1
    errors: bool | None = None
    like: str = "openai"
    seconds: float = 20.0
    reopens: bool = False
    address: str = ""
    waits: tuple[float, float] | None = None
    real_pauses: bool = False
    quirks: tuple[str, ...] = ()
    also: tuple[tuple[str, Make, int], ...] = ()

    @property
    def rows(self) -> int:
        """The rows of the job; some providers require more than others."""
        return 100 if self.like == "bedrock" else ROWS


@dataclass
class Verdict:
    """The result of a case; ``wrong`` is empty if it passed."""

    case: Case
    seconds: float = 0.0
    batches: int = -1
    submits: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    said: str = ""
    wrong: list[str] = field(default_factory=list)


def requests_file(folder: Path, rows: int = ROWS, like: str = "openai") -> Path:
    """A requests file with known answers."""
    file = folder / "requests.jsonl"
    with file.open("w") as stream:
        for n in range(rows):
            text = f"sandbox:say=answer {n} to all"
            body: dict[str, object] = {"model": "summarize", "text": text}
            if like != "scaledown":
                messages = [{"role": "user", "content": text}]
                body = {"model": MODELS.get(like, "gpt-4"), "max_tokens": 100, "messages": messages}
            request = {
                "custom_id": f"row-{n}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": body,
            }
            stream.write(json.dumps(request) + "\n")
    return file


def config(like: str, url: str, seconds: float = 20.0, confirm_seconds: float = 0) -> Config:
    """An account ``far`` at an address, with a provider without long pauses."""
    table = {
        "base": like,
        "poll": {
            "min_seconds": 0.05,
            "max_seconds": 0.1,
            "grace_404_seconds": 1,
            "confirm_seconds": confirm_seconds,
            "list_is_complete": True,
        },
        "http": {"attempts": 3, "read_seconds": seconds, "send_seconds": seconds},
    }
    params = {"account_id": "acme"}
    if like == "bedrock":
        role = "arn:aws:iam::111122223333:role/bd"
        params = {"region": REGION, "bucket": BUCKET, "endpoint_url": url, "role_arn": role}
    if like == "vertex":
        params = {"project": "our-project", "region": GCS_REGION, "bucket": GCS_BUCKET}
        params["endpoint_url"] = url
    account = AccountConfig(provider="wire", base_url=url, allow_http=True, params=params)
    return Config(accounts={"far": account}, default_account="far", providers={"wire": table})


async def at_once(seconds: float) -> None:
    """A sleep that returns immediately."""


async def run_case(case: Case, folder: Path) -> Verdict:
    """Run a case in a new folder."""
    verdict = Verdict(case)
    began = time.monotonic()
    before = os.environ.get("BATCHDECK_KEY_FAR")
    os.environ["BATCHDECK_KEY_FAR"] = KEY
    try:
        with (
            served(case.like, folder / "provider", key=KEY, quirks=case.quirks) as truth,
            pytest.MonkeyPatch.context() as patch,
        ):
            if not case.real_pauses:
                patch.setattr(retry, "sleep", at_once)
            for name, value in KEY_PAIR.items():
                patch.setenv(name, value)
            port = int(truth.url.rpartition(":")[2])
            async with proxy_to(port) as proxy, trap() as (elsewhere, got):
                if truth.store_url:
                    proxy.places[f"/{BUCKET}"] = int(truth.store_url.rpartition(":")[2])
                if truth.gcs is not None:
                    port_of_gcs = int(truth.gcs.url.rpartition(":")[2])
                    proxy.places |= {"/storage/v1": port_of_gcs, "/upload/storage": port_of_gcs}
                surroundings = Surroundings(Clock(), elsewhere)
                for route, make, times in ((case.route, case.act, case.times), *case.also):
                    proxy.arm(route, make(surroundings), times)
                job = await _run(case, folder, proxy, surroundings, truth, verdict)
                verdict.asked = dict(proxy.asked)
                verdict.wrong += [f"the proxy: {error!r}" for error in proxy.troubles]
                secrets = (KEY.encode(), b"AWS4-HMAC-SHA256")
                verdict.wrong += ["the key went elsewhere"] * any(
                    secret in data for data in got for secret in secrets
                )
                _judge_pause(case, proxy, verdict)
            verdict.batches = len(truth.created)
    finally:
        if before is None:
            del os.environ["BATCHDECK_KEY_FAR"]
        else:
            os.environ["BATCHDECK_KEY_FAR"] = before
    if verdict.batches != 1:
        verdict.wrong.append(f"{verdict.batches} batches at the provider")
    if job is not None and job.counts.succeeded != case.rows:
        verdict.wrong.append(f"{job.counts.succeeded} of {case.rows} rows: {job.counts}")
    if case.errors is not None and case.errors != bool(verdict.said):
        verdict.wrong.append(f"submit said {verdict.said!r}")
    verdict.wrong += leaks(folder)
    verdict.seconds = time.monotonic() - began
    return verdict


async def _run(
    case: Case,
    folder: Path,
    proxy: Proxy,
    surroundings: Surroundings,
    truth: ProviderRecord,
    verdict: Verdict,
) -> Job | None:
    """Submit, wait, and restart the program if that does not finish the job."""
    paths = Paths.find(folder / "home").ensure()
    job_id = ""
    for start in range(3):
        url = case.address if case.address and start == 0 else proxy.url
        engine = await Engine.open(
            paths, config(case.like, url, case.seconds), clock=surroundings.clock
        )
        engine._context.sleep = short_sleep
        try:
            if not job_id:
                file = await asyncio.to_thread(requests_file, folder, case.rows, case.like)
                job_id = (await engine.requests.import_file(file)).id
            if not await _submitted(engine, job_id, verdict, tries=1 if case.address else 3):
                continue
            await _resolve(engine, job_id, truth)
            try:
                if case.reopens and start == 0:
                    await _wait_or_trouble(engine, job_id)
                else:
                    async with within(WAIT):
                        await engine.wait([job_id])
            except TimeoutError:
                if not (case.reopens and start == 0):
                    trouble = engine.history.jobs.get(job_id).trouble
                    verdict.wrong.append(f"it hangs; trouble: {trouble!r}")
                    return engine.history.jobs.get(job_id)
                _judge_waiting(engine, job_id, surroundings, verdict)
                continue
            except BatchdeckError as error:
                verdict.said = verdict.said or f"(wait) {error.message}"
                continue
            judge_answers(engine, job_id, verdict)
            return engine.history.jobs.get(job_id)
        finally:
            await engine.close()
    verdict.wrong.append(f"never submitted: {verdict.said}")
    return None


async def _wait_or_trouble(engine: Engine, job_id: str) -> None:
    """Wait for the end of the job, or until it says why it has to wait.

    Raises:
        TimeoutError: It waits.
    """
    waiting = asyncio.create_task(engine.wait([job_id]))
    patience = Patience(WAIT)
    while not waiting.done():
        if engine.history.batches.of_job(job_id)[0].trouble or patience.is_over:
            waiting.cancel()
            raise TimeoutError
        await asyncio.wait({waiting}, timeout=0.05)
    await waiting


async def _submitted(engine: Engine, job_id: str, verdict: Verdict, tries: int) -> bool:
    """Submit, and submit again after an error, as a user would."""
    for _ in range(tries):
        batches = engine.history.batches.of_job(job_id)
        if batches and all(batch.remote_id for batch in batches):
            return True
        verdict.submits += 1
        try:
            async with within(WAIT):
                await engine.submit(job_id)
        except TimeoutError:
            verdict.wrong.append("submit hangs")
            return False
        except BatchdeckError as error:
            verdict.said = verdict.said or error.message
            if not error.message:
                verdict.wrong.append("an error without words")
        except Exception as error:
            verdict.wrong.append(f"submit raised {error!r}")
            return False
        else:
            return True
        if engine.history.batches.of_job(job_id)[0].submission is Submission.UNCERTAIN:
            return True
    return False


async def _resolve(engine: Engine, job_id: str, truth: ProviderRecord) -> None:
    """Resolve unconfirmed batches as a user who looks at the provider's web page."""
    for batch in engine.history.batches.of_job(job_id):
        if batch.submission is not Submission.UNCERTAIN:
            continue
        if truth.created:
            await engine.remote.attach(job_id, truth.created[0])
        else:
            await engine.submit(job_id, resend=True)


def judge_answers(engine: Engine, job_id: str, verdict: Verdict) -> None:
    lines = list(engine.history.rows.lines(job_id, engine.history.rows.select(job_id)))
    bad = [n for n, line in enumerate(lines) if line.text != f"answer {n} to all"]
    if bad:
        verdict.wrong.append(f"wrong answers in rows {bad[:5]}: {lines[bad[0]].text!r}")
    strays = engine.history.rows.orphan_lines(job_id)
    if strays.unknown or strays.duplicate or strays.unreadable:
        verdict.wrong.append(f"strays: {strays}")


def _judge_waiting(
    engine: Engine, job_id: str, surroundings: Surroundings, verdict: Verdict
) -> None:
    """Check that a program that waits long says so, and when it tries again."""
    (batch,) = engine.history.batches.of_job(job_id)
    due = (batch.next_poll_at or 0.0) - surroundings.clock()
    if not batch.trouble:
        verdict.wrong.append("it waits and does not say why")
    if not 0 < due <= 3600 * 1.11:
        verdict.wrong.append(f"the next try is in {due:.0f} s")


def _judge_pause(case: Case, proxy: Proxy, verdict: Verdict) -> None:
    if case.waits is None:
        return
    least, most = case.waits
    if len(proxy.hits) < 2:
        verdict.wrong.append("it never asked again")
        return
    gap = proxy.hits[1] - proxy.hits[0]
    if not least <= gap <= most:
        verdict.wrong.append(f"it asked again after {gap:.2f} s, not {least} to {most}")


def leaks(folder: Path) -> list[str]:
    """The files of the program that contain the key."""
    return [
        f"the key stands in {path.name}"
        for path in (folder / "home").rglob("*")
        if path.is_file() and KEY.encode() in path.read_bytes()
    ]


async def short_sleep(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.01))
