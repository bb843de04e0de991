"""The provider that outlives the killed program, and the truth of what was asked of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.providers_loop.serving import join_all, serving
from tui.sandbox.options import SandboxOptions
from tui.sandbox.serve import configure

_CREATE = re.compile(r"/(?:batches|batch/jobs)$")
_UPLOAD = re.compile(r"/files$")
_ONE = re.compile(r"/(?:files|batches)/([^/]+)$")
_CANCEL = re.compile(r"/(?:batches|jobs)/([^/]+)/cancel$")


@dataclass
class Truth:
    """What the provider did.

    Attributes:
        created: The ids of all batches that it made, oldest first.
        cancelled: The ids of those that it was asked to stop.
        uploaded: The ids of the files that were sent to it.
        deleted: The ids of files and batches that it was asked to remove.
    """

    url: str = ""
    created: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    uploaded: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)

    def kept(self) -> list[str]:
        """The files that it was sent, or where there are none the batches, and still has."""
        return [one for one in self.uploaded or self.created if one not in self.deleted]


class _Watcher:
    """Passes everything on, and keeps what was created and stopped."""

    def __init__(self, app: Any, truth: Truth) -> None:
        self._app = app
        self._truth = truth

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] not in ("POST", "DELETE"):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "DELETE" and (found := _ONE.search(scope["path"])):
            # Some servers answer 500 and have done it.
            self._truth.deleted.add(found[1])
        status = 0
        body = b""

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal status, body
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                body += message.get("body", b"")
                if not message.get("more_body") and 200 <= status < 300:
                    self._keep(scope["path"], body)
            await send(message)

        await self._app(scope, receive, noting)

    def _keep(self, path: str, body: bytes) -> None:
        if _CREATE.search(path):
            made = json.loads(body)
            self._truth.created.append(made.get("id") or made["batch_id"])
        elif _UPLOAD.search(path):
            self._truth.uploaded.append(json.loads(body)["id"])
        elif found := _CANCEL.search(path):
            self._truth.cancelled.add(found[1])


@contextmanager
def served(like: str, home: Path, rows_per_second: float = 0, key: str = "") -> Iterator[Truth]:
    """A sandbox on TCP in a thread of this process, and what it knows."""
    truth = Truth()
    options = SandboxOptions(like=like, home=home, rows_per_second=rows_per_second, key=key or None)
    config = configure(options)
    config.app = _Watcher(config.app, truth)
    with serving(config) as server:
        truth.url = server.url
        yield truth
    join_all()
