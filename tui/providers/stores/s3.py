"""Buckets that speak S3: files are put there, fetched with resume, listed and deleted.

Wire facts: botocore's service model ``s3/2006-03-01``; the object's address is
``ENDPOINT/BUCKET/KEY``, which AWS, Scaleway, MinIO and others accept.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote
from xml.etree import ElementTree

from tui.core.remote_batches import ResultSource
from tui.errors import (
    BatchdeckError,
    ConfigError,
    KeyRejectedError,
    RequestRejectedError,
    UnexpectedResponseError,
)
from tui.progress import NO_PROGRESS, Progress
from tui.providers.stores.aws import sign_in_ended
from tui.providers.stores.store import JSON_LINES, StoredObject, key_at, time_in
from tui.providers.wire.client import Call, HttpClient
from tui.providers.wire.download import Download, Downloader
from tui.providers.wire.errors import explaining
from tui.providers.wire.retry import date_in
from tui.providers.wire.upload import FileBody, size_of

_LARGEST_PUT = 5 << 30
_SAFE = "/-_.~"
_REGION_ERRORS = frozenset(
    {
        "PermanentRedirect",
        "TemporaryRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    }
)
_REGION = re.compile(
    r"<Region>([\w-]+)</Region>|expecting '([\w-]+)'"
    r"|<Endpoint>[\w.-]*\bs3[.-]([a-z]+-[a-z-]+-\d)\.amazonaws"
)
_MOVED = re.compile(r"\bs3[.-]([a-z]+-[a-z-]+-\d)\.amazonaws")
"""The region in the address that a redirect leads to, where nothing is signed for it."""
_KEY_ERRORS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch"})
_ENDED_ERRORS = frozenset({"ExpiredToken", "TokenRefreshRequired", "InvalidToken"})


@dataclass(frozen=True)
class Bucket:
    """Where an account keeps its files.

    Attributes:
        name: The bucket.
        region: Its region.
        prefix: The start of the keys of all files, with a slash at its end, or empty.
        uri: How the provider is told of an object, with ``{bucket}``, ``{region}`` and ``{key}``.
        of_account: An account names it, and not an address that the user has typed.
    """

    name: str
    region: str
    prefix: str = ""
    uri: str = "s3://{bucket}/{key}"
    of_account: bool = True

    def setting(self, name: Literal["bucket", "region"]) -> str:
        """Where the user says the bucket or the region, for errors."""
        if self.of_account:
            return f"params.{name} of the account"
        return "the address" if name == "bucket" else "AWS_REGION"


class S3Store:
    """The bucket of one account.

    Args:
        client: A client for the store, whose requests are signed.
        bucket: The bucket.
    """

    def __init__(self, client: HttpClient, bucket: Bucket) -> None:
        self._client = client
        self._bucket = bucket
        self._downloader = Downloader(client)
        self._versions: dict[str, str] = {}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @property
    def prefix(self) -> str:
        """The start of the keys of the account's files."""
        return self._bucket.prefix

    def uri(self, key: str) -> str:
        """How the provider is told of an object."""
        bucket = self._bucket
        return bucket.uri.format(bucket=bucket.name, region=bucket.region, key=key)

    @property
    def bucket(self) -> Bucket:
        """Where the files are."""
        return self._bucket

    def key_of(self, uri: str) -> str:
        """The key of an object of this bucket, from any address of it.

        Raises:
            RequestRejectedError: It is the address of something else, to which no request is
                signed.
        """
        name, bare = re.escape(self._bucket.name), uri.partition("?")[0]
        patterns = (
            rf"s3://{name}/(.+)",
            rf"https?://{name}\.[^/]+/(.+)",
            rf"https?://[^/]+/{name}/(.+)",
        )
        return key_at(bare, patterns, self._bucket.name)

    async def check(self) -> str:
        """Write, list, read and delete a small object; returns the place of the files.

        Raises:
            BatchdeckError: One of it is not allowed or not possible; the message says which.
        """
        key = f"{self._bucket.prefix}batchdeck-test-{secrets.token_hex(8)}"
        call = Call("PUT", self._path(key), "store a file", body=lambda: {"content": b"{}\n"})
        with _explained(self._bucket, "write"):
            await self._client.ask(call)
        async for _ in self.keys(key):
            break
        with _explained(self._bucket, "read"):
            await self._client.ask(Call("GET", self._path(key), "read the file"))
        await self.delete(self.uri(key))
        return f"s3://{self._bucket.name}/{self._bucket.prefix}"

    async def put(
        self,
        path: Path,
        name: str,
        *,
        content_type: str = JSON_LINES,
        progress: Progress = NO_PROGRESS,
    ) -> str:
        """Store a file and return its address; an object of that name is replaced.

        Raises:
            BatchdeckError: It was not stored.
        """
        if size_of(path) > _LARGEST_PUT:
            raise RequestRejectedError(
                f"{path.name} is larger than {_LARGEST_PUT >> 30} GiB", "Split the file."
            )
        key = f"{self._bucket.prefix}{name}"
        body = FileBody(path)
        call = Call(
            "PUT",
            self._path(key),
            "store the file",
            headers={**body.headers, "Content-Type": content_type},
            body=lambda: body.body(progress),
            read_timeout=self._client.profile.http.send_seconds,
            patient=True,
        )
        with _explained(self._bucket, "write"):
            reply = await self._client.ask(call)
        if not reply.headers.get("etag"):
            # A page of a gateway, for example: S3 names what it has stored.
            raise reply.unexpected("does not confirm that the file was stored")
        return self.uri(key)

    @asynccontextmanager
    async def open(
        self,
        source: ResultSource,
        *,
        have_bytes: int = 0,
        rewritten: bool = False,
        version: str = "",
    ) -> AsyncIterator[Download]:
        """Open an object by its address; see ``Dialect.download``.

        Args:
            source: The object.
            have_bytes: How much of it is here.
            rewritten: The object is written anew while the batch runs: it is resumed only if it
                is known to be the one of which the bytes are.
            version: The ETag of the bytes that are here, if it is known; another object is read
                from its start.

        Raises:
            BatchdeckError: It cannot be read.
        """
        path = self._path(self.key_of(source.ref))
        version = version or self._versions.get(source.ref, "")
        if rewritten and not version:
            have_bytes = 0
        with _explained(self._bucket, "read"):
            async with self._downloader.open(
                source, path, have_bytes=have_bytes, etag=version
            ) as download:
                self._versions[source.ref] = download.etag
                yield download

    async def read(self, uri: str) -> bytes | None:
        """The content of a small object; ``None`` if there is none.

        Raises:
            BatchdeckError: It cannot be read.
        """
        call = Call("GET", self._path(self.key_of(uri)), "read the file", accept=frozenset({404}))
        with _explained(self._bucket, "read"):
            reply = await self._client.ask(call)
        return None if reply.status == 404 else reply.body

    async def describe(self, uri: str) -> StoredObject | None:
        """Size and ETag of an object; ``None`` if there is none.

        Raises:
            BatchdeckError: That cannot be told; without the right to list, of none that is missing.
        """
        key = self.key_of(uri)
        call = Call("HEAD", self._path(key), "read the file", accept=frozenset({404}))
        with _explained(self._bucket, "read"):
            reply = await self._client.ask(call)
        if reply.status == 404:
            return None
        size = reply.headers.get("content-length", "")
        written = reply.headers.get("last-modified", "")
        return StoredObject(
            key=key,
            size=int(size) if size.isdigit() else 0,
            created_at=date_in({"date": written}) or 0.0,
            version=reply.headers.get("etag", ""),
        )

    async def has(self, uri: str) -> bool:
        """Whether there is an object at an address.

        Raises:
            BatchdeckError: That cannot be told; without the right to list, of none that is missing.
        """
        return await self.describe(uri) is not None

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

    async def keys(self, folder: str) -> AsyncIterator[str]:
        """Yield the keys of all objects below a folder, in order.

        Raises:
            BatchdeckError: They cannot be listed.
        """
        async for item in self.objects(folder):
            yield item.key

    async def objects(self, folder: str) -> AsyncIterator[StoredObject]:
        """Yield all objects whose keys start with ``folder``, by key.

        Raises:
            BatchdeckError: They cannot be listed.
        """
        token = ""
        while True:
            params = {"list-type": "2", "prefix": folder}
            if token:
                params["continuation-token"] = token
            call = Call("GET", f"/{self._bucket.name}", "list the files", params=params)
            with _explained(self._bucket, "list"):
                reply = await self._client.ask(call)
            found, token = _listed(reply.body)
            for item in found:
                yield item
            if not token:
                return

    def _path(self, key: str) -> str:
        return f"/{self._bucket.name}/{quote(key, safe=_SAFE)}"


async def bucket_region(client: HttpClient, name: str) -> str:
    """The region of a bucket of AWS, which tells it to everybody; empty if it does not.

    Args:
        client: A client of S3 in any region, which signs nothing.
        name: The bucket.

    Raises:
        ConfigError: There is no such bucket.
        BatchdeckError: S3 cannot be reached.
    """
    told = frozenset({301, 307, 400, 403, 404})
    reply = await client.ask(Call("HEAD", f"/{quote(name, safe='')}", "find it", accept=told))
    if reply.status == 404:
        raise ConfigError(f"the bucket {name} does not exist", "Check the address.")
    return str(reply.headers.get("x-amz-bucket-region", ""))


def _listed(body: bytes) -> tuple[list[StoredObject], str]:
    """The objects of a page of a list, and the token of the next page."""
    try:
        tree = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise UnexpectedResponseError(
            f"the store's list of files cannot be read: {error}", "Try again later."
        ) from None
    found = [_object(node) for node in tree.iterfind("{*}Contents")]
    return found, (tree.findtext("{*}NextContinuationToken") or "")


def _object(node: ElementTree.Element) -> StoredObject:
    size = node.findtext("{*}Size") or ""
    return StoredObject(
        key=node.findtext("{*}Key") or "",
        size=int(size) if size.isdigit() else 0,
        created_at=time_in(node.findtext("{*}LastModified") or ""),
    )


_UNLISTED = " Without s3:ListBucket, S3 gives the same error for a file that does not exist."
_RIGHTS = {
    "write": "s3:PutObject",
    "read": "s3:GetObject",
    "delete": "s3:DeleteObject",
    "list": "s3:ListBucket",
}


def _explained(bucket: Bucket, act: str) -> AbstractContextManager[None]:
    """Name the setting that is wrong when something is tried: a key of ``_RIGHTS``."""
    return explaining(lambda error: _explanation(error, bucket, act))


def _explanation(error: BatchdeckError, bucket: Bucket, act: str) -> BatchdeckError | None:
    found = re.search(r"<Code>(\w+)</Code>", error.body)
    code = found[1] if found else ""
    if code == "NoSuchBucket":
        return ConfigError(
            f"the bucket {bucket.name} does not exist", f"Check {bucket.setting('bucket')}."
        )
    moved = _MOVED.search(error.message)
    is_elsewhere = moved is not None and moved[1] != bucket.region
    if code in _REGION_ERRORS or error.status == 301 or is_elsewhere:
        region = _REGION.search(error.body) or moved
        right = next(filter(None, region.groups())) if region else ""
        where = f"in {right}" if right else "in another region"
        return ConfigError(
            f"the bucket {bucket.name} is {where}, not in {bucket.region}",
            f"Set {bucket.setting('region')}{f' to {right}' if right else ''}.",
        )
    if code == "RequestTimeTooSkewed":
        return ConfigError(
            "the clock of this machine is wrong by more than 15 minutes", "Set it, then try again."
        )
    if code in _ENDED_ERRORS:
        return sign_in_ended()
    if code in _KEY_ERRORS:
        return KeyRejectedError(
            f"the store rejected the access key ({code})", "Check the access key and its secret."
        )
    if error.status == 403:
        return ConfigError(
            f"the credentials may not {act} in s3://{bucket.name}/{bucket.prefix}",
            f"They need {_RIGHTS[act]} there.{_UNLISTED if act == 'read' else ''}",
        )
    return None
