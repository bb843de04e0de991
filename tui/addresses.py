"""Addresses of files elsewhere: ``https://``, ``hf://``, ``s3://`` and ``gs://``.

An address may be a key: a signed one has it in the query. What is stored, logged or shown is
``FileAddress.shown``, which has no query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from tui.errors import InputError

Scheme = Literal["https", "http", "hf", "s3", "gs"]

_START = re.compile(r"(?i)(https?|hf|s3|gs)://([^/?#\s]*)")
_LEFT_OUT = "?…"
_LONGEST_NAME = 80
_DATASET = re.compile(r"datasets/([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")


@dataclass(frozen=True)
class FileAddress:
    """The address of one file.

    Attributes:
        scheme: How it is reached; ``http`` only on this machine.
        url: The whole address, without the part.
        part: What is meant of the file, as after ``FILE::``: a sheet, a table, a list.
    """

    scheme: Scheme
    url: str
    part: str = ""

    @property
    def host(self) -> str:
        """The host, or the bucket."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def path(self) -> str:
        """What follows the host, without the query; of a bucket the key, as it is."""
        if self.is_bucket:
            return self.url.split("/", 3)[3]
        return urlsplit(self.url).path.removeprefix("/")

    @property
    def is_bucket(self) -> bool:
        """Whether it is a file of an object store, which can be written too."""
        return self.scheme in ("s3", "gs")

    @property
    def has_secret(self) -> bool:
        """Whether the address has a query, which may be a key, so that it is not stored."""
        return not self.is_bucket and bool(urlsplit(self.url).query)

    @property
    def shown(self) -> str:
        """The address without its query, for people, logs and jobs."""
        part = f"::{self.part}" if self.part else ""
        if self.is_bucket:
            return f"{self.url}{part}"
        plain = f"{self.scheme}://{self.host}/{self.path}"
        return f"{plain}{_LEFT_OUT if self.has_secret else ''}{part}"

    @property
    def name(self) -> str:
        """A name for the file on this machine: the last word of the address."""
        path = self.path if self.is_bucket else unquote(self.path)
        found = [word for word in re.split(r"[/\\]", path) if word]
        name = re.sub(r"[^\w.@+-]+", "-", found[-1] if found else self.host).strip(".-")
        suffix = PurePosixPath(name).suffix[:12]
        return f"{name.removesuffix(suffix)[: _LONGEST_NAME - len(suffix)]}{suffix}" or "table"

    @property
    def dataset(self) -> tuple[str, str, str]:
        """Of ``hf://``: OWNER/NAME of the dataset, its revision, and the path in it."""
        found = _DATASET.fullmatch(self.url.partition("://")[2])
        assert found is not None, "parse_address takes no other form"
        return found[1], unquote(found[2] or "main"), found[3]


def is_address(spec: str) -> bool:
    """Whether a source or a target is an address, and not a path of this machine."""
    return _START.match(spec) is not None


def parse_address(spec: str) -> FileAddress:
    """Read an address, with ``::PART`` after it.

    Raises:
        InputError: It names no file, holds a password, or is one that was shown without its query.
    """
    spec = spec.strip()
    start = _START.match(spec)
    if start is None:
        raise InputError("this is no address", "Write https://, hf://datasets/, s3:// or gs://.")
    # The address of a host may have `::` in it: http://[::1]:8080/table.csv
    cut = spec.find("::", start.end())
    url, part = (spec, "") if cut < 0 else (spec[:cut], spec[cut + 2 :].strip())
    scheme: Scheme = start[1].lower()  # type: ignore[assignment]
    rest = url[len(start[1]) :]
    if scheme not in ("s3", "gs"):
        rest = rest.partition("#")[0]
    address = FileAddress(scheme, f"{scheme}{rest}", part)
    if scheme == "hf" and not _DATASET.fullmatch(rest.removeprefix("://")):
        raise InputError(
            "an address of Hugging Face names a file of a dataset",
            "Write hf://datasets/OWNER/NAME/FILE, or hf://datasets/OWNER/NAME@REVISION/FILE.",
        )
    if address.is_bucket:
        if not start[2] or not url[start.end() + 1 :] or url.endswith("/"):
            raise InputError(
                f"{url} names no file of a bucket", f"Write {scheme}://BUCKET/PATH/FILE."
            )
        return address
    if not start[2]:
        raise InputError("the address has no host", "Write https://HOST/PATH.")
    if "@" in start[2]:
        raise InputError(
            f"the address of a file at {address.host} holds a password, which is not sent",
            "Use a signed address, or download the file and give its path.",
        )
    if lacks_query(url):
        raise InputError(
            f"the query of {address.shown} was not stored, because it may be a key",
            "Paste the whole address again.",
        )
    return address


def lacks_query(spec: str) -> bool:
    """Whether an address was shown without its query, so that it leads nowhere."""
    return _LEFT_OUT in spec


def name_at(shown: str) -> str:
    """The name of the file at an address, also at one that was shown without its query."""
    return parse_address(shown.replace(_LEFT_OUT, "")).name


def shown_address(spec: str) -> str:
    """A source as it may be stored and shown: an address without its query, a path as it is."""
    if not is_address(spec):
        return spec
    try:
        return parse_address(spec).shown
    except InputError:
        bare = re.sub(r"(?<=://)[^/?#\s]*@", "", spec)
        return re.sub(r"\?.*", _LEFT_OUT, bare, flags=re.DOTALL)
