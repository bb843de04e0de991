"""The table of wire faults: where, what, how often, and what `submit` must report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

from tests.faults import wire_acts as acts
from tests.faults.proxy import Act
from tests.faults.wire_bench import Case, Make, Surroundings

ANSWER_PLACES = (
    "nothing",
    "one byte",
    "status line",
    "in the head",
    "head",
    "one byte of the body",
    "a quarter",
    "half",
    "all but one byte",
)
LIKES = (
    "openai", "anthropic", "doubleword", "tensorzero", "mistral", "melious", "scaledown", "xai",
    "gemini", "fireworks", "bedrock", "vertex",
)  # fmt: skip
INLINE = ("anthropic", "scaledown")
"""Those to which no file is sent before the create."""

ROUTES = ("upload", "create", "poll", "content")


def fixed(act: Act) -> Make:
    """A fault that does not use its surroundings."""
    return lambda _: act


def cuts() -> Iterator[Case]:
    """Connections that break in the request or in the answer, by a reset or a close."""
    for route in ("upload", "create"):
        for part in (0.0, 0.01, 0.5, 0.99, 1.0):
            act = acts.cut_request(part)
            yield Case(f"reset after {part:.0%} of the request", route, fixed(act))
    for like in LIKES:
        places = ANSWER_PLACES if like == "openai" else ("nothing", "half")
        for route in ROUTES:
            if route == "upload" and like in INLINE:
                continue
            for place in places:
                act = acts.cut_answer(place)
                yield Case(f"answer reset after {place}", route, fixed(act), like=like)
    for route in ROUTES:
        for place in ("nothing", "one byte", "head", "half", "all but one byte"):
            act = acts.cut_answer(place, gently=True)
            yield Case(f"answer ends after {place}", route, fixed(act))
        yield Case("answers lost 5 times", route, fixed(acts.cut_answer("nothing")), times=5)
    for times in (1, 3, 5):
        act = acts.cut_answer("nothing")
        yield Case(f"answer lost, {times} times", "create", fixed(act), times=times, like="bedrock")
    yield Case("content reset at half, 4 times", "content", fixed(acts.cut_answer("half")), times=4)
    for times in (1, 3):
        yield Case("connection reset", "connect", fixed(acts.refuse_connection()), times=times)


def statuses() -> Iterator[Case]:
    """Answers with an error status, before and after the provider acted."""
    for route in ROUTES:
        for status in (400, 401, 403, 404, 408, 409, 413, 425, 429, 500, 502, 503, 504, 520, 529):
            body = '{"error": {"message": "made up", "type": "made_up"}}'
            act = acts.answer(status, body)
            # The provider's own no is believed of a poll only when it is said again and again.
            yield Case(f"{status} instead", route, fixed(act))
            if status in (408, 500, 502, 503, 504, 520) and route in ("upload", "create"):
                yield Case(f"{status} after acting", route, fixed(acts.acted_but(status, body)))
        yield Case("storm of 503", route, fixed(acts.answer(503, "busy", "text/plain")), times=4)
        yield Case("storm of 500", route, fixed(acts.answer(500)), times=4)
        page = acts.answer(502, acts.PAGE, "text/html")
        yield Case("storm of 502 pages", route, fixed(page), times=4)
    for status in (403, 500, 502, 503):
        act = acts.acted_but(status, '{"message": "made up"}')
        yield Case(f"{status} after acting", "create", fixed(act), like="bedrock")
    yield Case("401 in the middle, twice", "poll", fixed(acts.answer(401)), times=2)
    yield Case("401 in the middle of the fetching", "content", fixed(acts.answer(401)), times=2)
    yield Case("413 before the body was read", "upload", fixed(acts.early(413)), errors=True)
    yield Case("401 before the body was read", "upload", fixed(acts.early(401)), errors=True)


def pages() -> Iterator[Case]:
    """Web pages where an answer should be."""
    for route in ROUTES:
        for status in (200, 403, 502, 503, 511):
            act = acts.answer(status, acts.PAGE, "text/html")
            yield Case(f"a page with {status}", route, fixed(act))
        yield Case("a page with 200, as JSON", route, fixed(acts.answer(200, acts.PAGE)))
        yield Case("empty 200", route, fixed(acts.answer(200)))
        yield Case("empty object", route, fixed(acts.answer(200, "{}")))
        yield Case("204", route, fixed(acts.answer(204)))
        yield Case("null", route, fixed(acts.answer(200, "null")))
        yield Case("deep JSON", route, fixed(acts.answer(200, "[" * 100_000)))
    for route in ("upload", "create"):
        act = acts.acted_but(200, acts.PAGE, "text/html")
        yield Case("a page after acting", route, fixed(act))
        yield Case("cut JSON after acting", route, fixed(acts.acted_but(200, '{"id": "ba')))


def bodies() -> Iterator[Case]:
    """Bodies that do not match their headers."""
    for route in ROUTES:
        yield Case("one byte at a time", route, fixed(acts.dribble()))
        yield Case("content-length too short", route, fixed(acts.with_length(-40)))
        yield Case("content-length too long", route, fixed(acts.with_length(40)))
        yield Case("content-length 0", route, fixed(acts.with_length(-(10**9))))
        yield Case("no length, whole", route, fixed(acts.until_close(1.0)))
        yield Case("no length, half", route, fixed(acts.until_close(0.5)))
        yield Case("gzip", route, fixed(acts.packed(1.0)))
        yield Case("gzip cut short", route, fixed(acts.packed(0.6)))
        yield Case("gzip without its last bytes", route, fixed(acts.packed(0.97)))
        yield Case("gzip of garbage", route, fixed(acts.packed(1.0, garbage=True)))
        yield Case("silence", route, fixed(acts.silence(acted=False)), seconds=0.4)
        yield Case("silence after acting", route, fixed(acts.silence(acted=True)), seconds=0.4)
        yield Case("slow-loris", route, fixed(acts.loris()), seconds=0.4)


def redirects() -> Iterator[Case]:
    """Redirects, within the origin and away from it."""
    for route in ROUTES:
        for status in (301, 302, 303, 307, 308):
            yield Case(f"{status} within the origin", route, fixed(acts.redirect(status)))
            yield Case(f"{status} to another origin", route, _away(status))
        yield Case("307 round in a circle", route, fixed(acts.redirect(307)), times=8)
        yield Case("302 to //host", route, _bare(302))
    for status in (301, 302, 303):
        act = acts.redirect(status, acted=True)
        yield Case(f"{status} after acting", "create", fixed(act))
        yield Case(f"{status} away after acting", "create", _away(status, acted=True))


def _away(status: int, *, acted: bool = False) -> Make:
    return lambda around: acts.redirect(status, around.elsewhere, acted=acted)


def _bare(status: int) -> Make:
    return lambda around: acts.redirect(status, around.elsewhere.removeprefix("http:"))


def pauses() -> Iterator[Case]:
    """Every form of Retry-After."""

    def busy(**headers: str) -> Make:
        return fixed(acts.answer(429, '{"error": {"message": "slow down"}}', **headers))

    def in_two_seconds(_: Surroundings) -> Act:
        return acts.answer(429, Retry_After=formatdate(time.time() + 2.9, usegmt=True))

    quick = (0.0, 8.0)
    yield Case("429, 1 second", "poll", busy(Retry_After="1"), waits=(0.95, 9), real_pauses=True)
    yield Case("429, 0.7 s", "poll", busy(Retry_After="0.7"), waits=(0.65, 8), real_pauses=True)
    yield Case("429, in ms", "poll", busy(Retry_After_ms="800"), waits=(0.75, 8), real_pauses=True)
    yield Case("429, a date", "poll", in_two_seconds, waits=(1.0, 9), real_pauses=True)
    for text in ("", "soon", "-5", "NaN", "Mon, 99 Foo 2026 99:99:99 GMT", "١"):
        encoded = text.encode().decode("latin-1")
        yield Case(f"429, {text or 'nothing'!r}", "poll", busy(Retry_After=encoded), waits=quick)
    for text in ("999999999", "1e308", "inf", "Fri, 31 Dec 9999 23:59:59 GMT", "9" * 400):
        name = f"429, {text[:20]}"
        yield Case(name, "poll", busy(Retry_After=text), reopens=True)
        yield Case(name, "create", busy(Retry_After=text), errors=True)
    yield Case("503, 1 second", "upload", fixed(acts.answer(503, Retry_After="1")), errors=False)
    yield Case("429, 1 second", "create", busy(Retry_After="1"), errors=False)


def clocks() -> Iterator[Case]:
    """Changes of the machine's clock during a request."""
    for seconds in (-86_400.0, 86_400.0, 400 * 86_400.0):
        for route in ROUTES:
            for lost in (False, True):

                def make(around: Surroundings, seconds: float = seconds, lost: bool = lost) -> Act:
                    return acts.jump(around.clock.jump, seconds, acted_first=lost)

                what = f"clock jumps {seconds / 86_400:+.0f} days"
                yield Case(f"{what}{', answer lost' if lost else ''}", route, make)


def stores() -> Iterator[Case]:
    """What fails between the program and a bucket, or while a file is uploaded in parts."""
    yield from _cut_uploads()
    yield from _odd_files()
    for like in ("vertex", "bedrock"):
        routes = ("upload", "send", "create", "poll", "files", "content")
        for route in routes if like == "vertex" else ("upload", "content"):
            for status in (401, 403, 404, 429, 503):
                act = acts.answer(status, _told(status, like), _KINDS[like])
                yield Case(f"{status} instead", route, fixed(act), like=like)
            busy = acts.answer(503, _told(503, like), _KINDS[like])
            yield Case("storm of 503", route, fixed(busy), times=4, like=like)
            for status in (301, 302, 307):
                yield Case(f"{status} to another origin", route, _away(status), like=like)
            yield Case("307 within the origin", route, fixed(acts.redirect(307)), like=like)
            page = acts.answer(200, acts.PAGE, "text/html")
            yield Case("a page with 200", route, fixed(page), like=like)
    for status in (500, 502, 503):
        act = acts.acted_but(status, _told(status, "vertex"))
        yield Case(f"{status} after acting", "create", fixed(act), like="vertex")


_KINDS = {"vertex": "application/json", "bedrock": "application/xml"}
_CODES = {401: "ExpiredToken", 403: "AccessDenied", 404: "NoSuchKey", 503: "SlowDown"}


def _told(status: int, like: str) -> str:
    """The body of an error, in the form of the cloud."""
    if like == "vertex":
        return f'{{"error": {{"code": {status}, "message": "made up"}}}}'
    return f"<Error><Code>{_CODES.get(status, 'SlowDown')}</Code><Message>made up</Message></Error>"


def _cut_uploads() -> Iterator[Case]:
    """Uploads that break off after any part of the bytes."""
    for like, route in (("bedrock", "upload"), ("vertex", "send"), ("gemini", "send")):
        for part in (0.0, 0.01, 0.25, 0.5, 0.99, 1.0):
            act = acts.cut_request(part)
            yield Case(f"reset after {part:.0%} of the bytes", route, fixed(act), like=like)
        for place in ("nothing", "half"):
            yield Case(
                f"answer reset after {place}", route, fixed(acts.cut_answer(place)), like=like
            )
    for part in (0.01, 0.25, 0.5, 0.99):
        for times in (1, 4):
            kept = fixed(acts.stored_in_part(part))
            yield Case(f"reset, {part:.0%} arrived", "send", kept, times, like="vertex")
            short = fixed(acts.stored_in_part(part, answers=True))
            yield Case(f"308, {part:.0%} arrived", "send", short, times, like="vertex")
    for status in (404, 410):
        gone = fixed(acts.answer(status))
        yield Case(f"{status}: the upload is gone", "send", gone, like="vertex")


def _odd_files() -> Iterator[Case]:
    """Lists of files and of jobs that are late, and results that are half written."""
    empty = fixed(acts.answer(200, "{}"))
    half = fixed(acts.changed_json(_sizes_halved))
    fewer = fixed(acts.changed_json(_without_last))
    for times in (1, 3):
        yield Case("the list of files is late", "files", empty, times, like="vertex")
        yield Case("a file was smaller", "files", half, times, like="vertex")
        several = ("several-files",)
        yield Case("a file is late", "files", fewer, times, like="vertex", quirks=several)
        for like in ("vertex", "bedrock"):
            cut = fixed(acts.part_of_it(0.5))
            yield Case("a file half written", "content", cut, times, like=like)
            lost = fixed(acts.cut_answer("half"))
            yield Case("content reset at half", "content", lost, times, like=like)

    lost = fixed(acts.cut_answer("nothing"))
    for times in (1, 3):
        late = (("list", empty, times),)
        name = f"answer lost, the list is late {times} times"
        yield Case(name, "create", lost, like="vertex", also=late)


def _sizes_halved(page: dict[str, Any]) -> dict[str, Any]:
    items = [{**item, "size": str(int(item["size"]) // 2)} for item in page.get("items", ())]
    return {**page, "items": items}


def _without_last(page: dict[str, Any]) -> dict[str, Any]:
    return {**page, "items": page.get("items", [])[:-1]}


def places() -> Iterator[Case]:
    """Addresses without a provider."""
    nothing = fixed(acts.answer(200))
    for name, address in (
        ("the name is not known", "http://no-such-host.invalid/v1"),
        ("nobody listens", "http://127.0.0.1:9/v1"),
        ("TLS where plain is spoken", "https://127.0.0.1:{plain}/v1"),
        ("a certificate that nobody trusts", "https://127.0.0.1:{selfsigned}/v1"),
        ("the handshake breaks off", "https://127.0.0.1:{closing}/v1"),
    ):
        yield Case(name, "nothing", nothing, errors=True, address=address)


GROUPS = {
    "cuts": cuts,
    "statuses": statuses,
    "pages": pages,
    "bodies": bodies,
    "redirects": redirects,
    "retry-after": pauses,
    "clocks": clocks,
    "stores": stores,
    "addresses": places,
}
