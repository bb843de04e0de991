"""Buckets of Google Cloud Storage: files are put there, fetched with resume, listed and deleted.

Wire facts: the discovery document ``storage.v1`` and cloud.google.com/storage/docs/json_api;
resumable uploads: cloud.google.com/storage/docs/performing-resumable-uploads.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tui.core.remote_batches import ResultSource
from tui.errors import (
    BatchdeckError,
    ConfigError,
    KeyRejectedError,
    ProviderError,
    RequestRejectedError,
    UnexpectedResponseError,
)
from tui.progress import NO_PROGRESS, Progress
from tui.providers.stores.google import SIGN_IN
from tui.providers.stores.store import JSON_LINES, StoredObject, key_at, time_in
from tui.providers.wire.client import Call, HttpClient, Reply
from tui.providers.wire.download import Download, Downloader
from tui.providers.wire.errors import explaining, parse_error_body
from tui.providers.wire.retry import with_retries
from tui.providers.wire.upload import FileBody, size_of

_LARGEST = 5 << 40
_PAGE = 1000
_MOST_PARTS = 100_000
_LONGEST_PAUSE = 30.0
_STORE_FILE = "store the file"
_MORE = 308
_UPLOAD_IS_GONE = frozenset({404, 410})
_FIELDS = "nextPageToken,items(name,size,timeCreated)"
_GLOBAL = ("", "global")


@dataclass(frozen=True)
class GcsBucket:
    """Where an account keeps its files.

    Attributes:
        name: The bucket.
        region: The region that reads it, ``global``, or empty if any may.
        prefix: The start of the keys of all files, with a slash at its end, or empty.
        named_by: Where its name comes from, for errors.
    """

    name: str
    region: str = ""
    prefix: str = ""
    named_by: str = "params.bucket of the account"


class GcsStore:
    """The bucket of one account.

    Args:
        client: A client for the store, whose requests carry a token.
        bucket: The bucket.
    """

    def __init__(self, client: HttpClient, bucket: GcsBucket) -> None:
        self._client = client
        self._bucket = bucket
        self._downloader = Downloader(client)
        self._base = f"/storage/v1/b/{quote(bucket.name, safe='')}"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @property
    def prefix(self) -> str:
        """The start of the keys of the account's files."""
        return self._bucket.prefix

    def uri(self, key: str) -> str:
        """How the provider is told of an object."""
        return f"gs://{self._bucket.name}/{key}"

    def key_of(self, uri: str) -> str:
        """The key of an object of this bucket, from any address of it.

        Raises:
            RequestRejectedError: It is the address of something else, to which no token is sent.
        """
        name, bare = re.escape(self._bucket.name), uri.partition("?")[0]
        if match := re.fullmatch(rf"gs://{name}/(.+)", uri, re.DOTALL):
            return match[1]
        patterns = (
            rf"https://storage\.(?:googleapis|cloud\.google)\.com/{name}/(.+)",
            rf"https://{name}\.storage\.googleapis\.com/(.+)",
        )
        return key_at(bare, patterns, self._bucket.name)

    async def check(self) -> str:
        """Write, list, read and delete a small object; returns the place of the files.

        Raises:
            BatchdeckError: One of it is not allowed or not possible, or the bucket is in another
                region; the message says which.
        """
        await self._check_region()
        key = f"{self._bucket.prefix}batchdeck-test-{secrets.token_hex(8)}"
        call = Call(
            "POST",
            f"/upload{self._base}/o",
            "store a file",
            params={"uploadType": "media", "name": key},
            headers={"Content-Type": "application/jsonl"},
            body=lambda: {"content": b"{}\n"},
            idempotent=True,
        )
        with _explained(self._bucket, "write"):
            await self._client.ask(call)
        async for _ in self.objects(key):
            break
        media = f"{self._path(key)}?alt=media"
        with _explained(self._bucket, "read"):
            await self._client.ask(Call("GET", media, "read the file"))
        await self.delete(self.uri(key))
        return self.uri(self._bucket.prefix)

    async def put(
        self,
        path: Path,
        name: str,
        *,
        content_type: str = JSON_LINES,
        progress: Progress = NO_PROGRESS,
    ) -> str:
        """Store a file and return its address; an object of that name is replaced.

        An upload that breaks off goes on at the byte that the store waits for.

        Raises:
            BatchdeckError: It was not stored.
        """
        if size_of(path) > _LARGEST:
            raise RequestRejectedError(
                f"{path.name} is larger than {_LARGEST >> 40} TiB", "Split the file."
            )
        key = f"{self._bucket.prefix}{name}"
        route = f"/upload{self._base}/o"
        upload = _Upload(self._client, route, key, path, content_type, progress)
        with _explained(self._bucket, "write"):
            await upload.run()
        return self.uri(key)

    @asynccontextmanager
    async def open(
        self, source: ResultSource, *, have_bytes: int = 0, version: str = ""
    ) -> AsyncIterator[Download]:
        """Open an object by its address; see ``Dialect.download``.

        With a ``version``, its generation, the bytes are of no other one.

        Raises:
            BatchdeckError: It cannot be read.
        """
        media = f"{self._path(self.key_of(source.ref))}?alt=media"
        if version:
            media += f"&generation={version}"
        with _explained(self._bucket, "read"):
            async with self._downloader.open(source, media, have_bytes=have_bytes) as download:
                yield download

    async def describe(self, uri: str) -> StoredObject | None:
        """Size and generation of an object; ``None`` if there is none.

        Raises:
            BatchdeckError: That cannot be told.
        """
        call = Call("GET", self._path(self.key_of(uri)), "read the file", accept=frozenset({404}))
        with _explained(self._bucket, "read"):
            reply = await self._client.ask(call)
        if reply.status != 404:
            return _object(reply.table())
        if _NO_BUCKET in parse_error_body(reply.body.decode("utf-8", "replace"))[1].lower():
            raise _no_bucket(self._bucket)
        return None

    async def delete(self, uri: str) -> None:
        """Delete an object; one that is gone counts as deleted.

        Raises:
            BatchdeckError: It was not deleted.
        """
        call = Call(
            "DELETE", self._path(self.key_of(uri)), "delete the file", accept=frozenset({404})
        )
        with _explained(self._bucket, "delete"):
            await self._client.ask(call)

    async def objects(self, folder: str) -> AsyncIterator[StoredObject]:
        """Yield all objects whose keys start with ``folder``, by key.

        Raises:
            BatchdeckError: They cannot be listed.
        """
        params = {"prefix": folder, "maxResults": str(_PAGE), "fields": _FIELDS}
        token = ""
        while True:
            more = {"pageToken": token} if token else {}
            call = Call("GET", f"{self._base}/o", "list the files", params={**params, **more})
            with _explained(self._bucket, "list"):
                reply = await self._client.ask(call)
            page = reply.table()
            for item in page.get("items") or ():
                if (found := _object(item)) is not None and found.key.startswith(folder):
                    yield found
            following = page.get("nextPageToken")
            if not isinstance(following, str) or following in ("", token):
                return
            token = following

    async def _check_region(self) -> None:
        """Check that the bucket is in the account's region, if its place may be read.

        Raises:
            ConfigError: It is in another region, or does not exist.
        """
        bucket = self._bucket
        if bucket.region in _GLOBAL:
            return
        params = {"fields": "location,locationType"}
        call = Call("GET", self._base, "describe the bucket", params=params)
        try:
            with _explained(bucket, "describe"):
                found = (await self._client.ask(call)).table()
        except ConfigError as error:
            if error.status == 403:
                # The right to read files does not include the right to read of the bucket.
                return
            raise
        place = str(found.get("location") or "").lower()
        if found.get("locationType") == "region" and place and place != bucket.region.lower():
            raise ConfigError(
                f"the bucket {bucket.name} is in {place}, not in {bucket.region}",
                f"Set params.region of the account to {place}, or params.bucket to a bucket in"
                f" {bucket.region}.",
            )

    def _path(self, key: str) -> str:
        return f"{self._base}/o/{quote(key, safe='')}"


def _object(item: object) -> StoredObject | None:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        return None
    size = str(item.get("size") or "")
    return StoredObject(
        key=item["name"],
        size=int(size) if size.isdigit() else 0,
        created_at=time_in(str(item.get("timeCreated") or "")),
        version=str(item.get("generation") or ""),
    )


class _Upload:
    """The resumable upload of one file: its own address takes the bytes, without the token.

    Args:
        client: The HTTP client of the store.
        route: The route of the call that starts it.
        key: The key of the object.
        path: The file.
        content_type: The media type of the object.
        progress: Told about the bytes that are sent.
    """

    def __init__(
        self,
        client: HttpClient,
        route: str,
        key: str,
        path: Path,
        content_type: str,
        progress: Progress,
    ) -> None:
        self._client = client
        self._route = route
        self._key = key
        self._path = path
        self._content_type = content_type
        self._progress = progress
        self._size = size_of(path)
        self._address = ""
        self._failures = 0
        self._arrived = 0

    async def run(self) -> None:
        """Upload the file.

        Raises:
            BatchdeckError: It was not stored.
        """
        await with_retries(self._go_on, should_retry=self._pause, attempts=_MOST_PARTS)

    def _pause(self, error: BatchdeckError) -> bool | float:
        """Seconds until an upload that broke off goes on; ``False`` if it cannot.

        It may break off any number of times, as long as bytes arrive in between.
        """
        if isinstance(error, RequestRejectedError | UnexpectedResponseError):
            return False
        http = self._client.profile.http
        self._failures += 1
        if not isinstance(error, ProviderError) or self._failures >= http.attempts * 2:
            return False
        return float(min(http.first_pause * 2 ** (self._failures - 1), _LONGEST_PAUSE))

    async def _go_on(self) -> None:
        """Start, or go on at the byte that the store waits for."""
        # With an address, an earlier call has sent bytes, and its answer was lost.
        start = await self._received() if self._address else None
        if start is None:
            self._address = await self._start()
            self._arrived = 0
        elif start > self._arrived:
            self._arrived, self._failures = start, 0
        if start and start == self._size:
            self._progress.update(self._size, self._size)
            return
        await self._send(start or 0)

    async def _start(self) -> str:
        call = Call(
            "POST",
            self._route,
            _STORE_FILE,
            params={"uploadType": "resumable", "name": self._key},
            headers={
                "X-Upload-Content-Type": self._content_type,
                "X-Upload-Content-Length": str(self._size),
            },
            json={},
            patient=True,
        )
        reply = await self._client.ask(call)
        address: str = reply.headers.get("location", "")
        if not address:
            raise reply.unexpected("names no address to upload to")
        return address

    async def _received(self) -> int | None:
        """How many bytes the store has; ``None`` if the upload has to start anew."""
        headers = {"Content-Range": f"bytes */{self._size}", "Content-Length": "0"}
        reply = await self._client.ask(self._call(headers))
        if reply.status in _UPLOAD_IS_GONE:
            return None
        if reply.status == _MORE:
            return min(_received(reply), max(self._size - 1, 0))
        self._check_size(reply)
        return self._size

    async def _send(self, start: int) -> None:
        file = FileBody(self._path, start)
        span = f"{start}-{self._size - 1}" if self._size else "*"
        headers = {
            "Content-Range": f"bytes {span}/{self._size}",
            "Content-Type": self._content_type,
            **file.headers,
        }
        reply = await self._client.ask(self._call(headers, file))
        if reply.status in _UPLOAD_IS_GONE:
            self._address = ""
            raise ProviderError(
                f"{self._client.profile.name} has ended the upload",
                "It starts again from the beginning.",
            )
        if reply.status == _MORE:
            raise ProviderError(
                f"{self._client.profile.name} received {_received(reply):,} of {self._size:,}"
                " bytes",
                "The rest is sent again.",
            )
        self._check_size(reply)

    def _check_size(self, reply: Reply) -> None:
        """Check the object that was stored.

        Raises:
            UnexpectedResponseError: It has not all bytes of the file.
        """
        size = str(reply.table().get("size", self._size))
        if size != str(self._size):
            raise reply.unexpected(f"says that {size} of {self._size:,} bytes were stored")

    def _call(self, headers: dict[str, str], file: FileBody | None = None) -> Call:
        # The bytes are not simply sent again: ``run`` asks first how many of them arrived.
        return Call(
            "PUT",
            self._address,
            _STORE_FILE,
            headers=headers,
            body=None if file is None else lambda: file.body(self._progress),
            idempotent=file is None,
            keyless=True,
            accept=_UPLOAD_IS_GONE | {_MORE},
            read_timeout=self._client.profile.http.send_seconds,
        )


def _received(reply: Reply) -> int:
    """The bytes that the store has, from ``Range: bytes=0-41``; it has none without one."""
    match = re.fullmatch(r"(?:bytes=)?0-(\d+)", reply.headers.get("range", "").strip())
    return int(match[1]) + 1 if match else 0


_RIGHTS = {
    "write": "storage.objects.create (and .delete, to replace a file)",
    "read": "storage.objects.get",
    "delete": "storage.objects.delete",
    "list": "storage.objects.list",
    "describe": "storage.buckets.get",
}


_OF_BUCKET = frozenset({"write", "list", "describe"})
"""What is asked of the bucket itself, so that a 404 means that there is none."""


def _explained(bucket: GcsBucket, act: str) -> AbstractContextManager[None]:
    """Name the setting that is wrong when something is tried: a key of ``_RIGHTS``."""
    return explaining(lambda error: _explanation(error, bucket, act))


_NO_BUCKET = "bucket does not exist"


def _no_bucket(bucket: GcsBucket) -> ConfigError:
    return ConfigError(f"the bucket {bucket.name} does not exist", f"Check {bucket.named_by}.")


def _explanation(error: BatchdeckError, bucket: GcsBucket, act: str) -> BatchdeckError | None:
    told = parse_error_body(error.body)[1]
    if error.status == 401:
        return KeyRejectedError("the sign-in of the Google credentials has expired", SIGN_IN)
    if error.status == 404 and (act in _OF_BUCKET or _NO_BUCKET in told.lower()):
        return _no_bucket(bucket)
    if error.status == 400 and "requester pays" in told.lower():
        return ConfigError(
            f"the bucket {bucket.name} is requester-pays, and no project to bill is set",
            "Run `gcloud auth application-default set-quota-project PROJECT`.",
        )
    if error.status != 403:
        return None
    if "serviceusage" in told or "has not been used in project" in told:
        return ConfigError(
            f"the project of the Google credentials cannot be used: {told}",
            "Run `gcloud auth application-default set-quota-project PROJECT` with one that can.",
        )
    return ConfigError(
        f"the credentials may not {act} in gs://{bucket.name}/{bucket.prefix}",
        f"They need {_RIGHTS[act]} there, as roles/storage.objectAdmin has.",
    )
