"""Google's resumable upload: a first call names the file, a second one sends its bytes.

The address of the second call holds the right to upload, so it is sent without the key, and only
to the account's own origin. After a cut the server is asked how many bytes it has
(google-genai 3.6.1 ``_api_client.py`` for start and upload; ``query`` as in Google's other APIs).
"""

from __future__ import annotations

from pathlib import Path

from tui.errors import BatchdeckError, ProviderError, RequestRejectedError, UnexpectedResponseError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.wire.client import Call, HttpClient, Reply
from tui.providers.wire.retry import with_retries
from tui.providers.wire.upload import FileBody, size_of

STORE_FILE = "store the file"
_URL = "x-goog-upload-url"
_STATUS = "x-goog-upload-status"
_RECEIVED = "x-goog-upload-size-received"


class ResumableUpload:
    """The upload of one file.

    Args:
        client: The HTTP client of the account.
        route: The route of the first call.
        path: The file.
        content_type: Its media type.
        name: The name that the file gets at the provider.
        progress: Told about the bytes that are sent.
    """

    def __init__(
        self,
        client: HttpClient,
        route: str,
        path: Path,
        *,
        content_type: str,
        name: str,
        progress: Progress = NO_PROGRESS,
    ) -> None:
        self._client = client
        self._route = route
        self._path = path
        self._content_type = content_type
        self._name = name
        self._progress = progress
        self._size = 0
        self._address = ""

    async def run(self) -> Reply:
        """Upload the file and return the response to its last byte.

        Raises:
            BatchdeckError: It could not be uploaded; the provider may have a file that expires.
        """
        self._size = size_of(self._path)
        http = self._client.profile.http
        return await with_retries(
            self._go_on, should_retry=_can_go_on, attempts=http.attempts * 2, first=http.first_pause
        )

    async def _go_on(self) -> Reply:
        """Start, or go on at the byte that the server waits for."""
        # With an address, an earlier call has sent bytes, and its answer was lost.
        start = await self._received() if self._address else None
        if start is None:
            # Nothing was sent; or all bytes, and the answer with the file's name was lost.
            self._address = await self._start()
        return await self._send(start or 0)

    async def _start(self) -> str:
        headers = {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(self._size),
            "X-Goog-Upload-Header-Content-Type": self._content_type,
        }
        body = {"file": {"display_name": self._name}}
        call = Call("POST", self._route, STORE_FILE, headers=headers, json=body, patient=True)
        reply = await self._client.ask(call)
        address: str = reply.headers.get(_URL, "")
        if not address:
            raise reply.unexpected("names no address to upload to")
        return address

    async def _received(self) -> int | None:
        """How many bytes the server has; ``None`` if the upload has to start anew."""
        headers = {"X-Goog-Upload-Command": "query"}
        call = Call("POST", self._address, STORE_FILE, headers=headers, keyless=True)
        try:
            reply = await self._client.ask(call)
        except RequestRejectedError:
            # The address is not valid any more.
            return None
        received = reply.headers.get(_RECEIVED, "")
        if reply.headers.get(_STATUS, "").lower() != "active" or not received.isdigit():
            return None
        return min(int(received), self._size)

    async def _send(self, start: int) -> Reply:
        file = FileBody(self._path, start)
        headers = {
            "X-Goog-Upload-Offset": str(start),
            "X-Goog-Upload-Command": "upload, finalize",
            "Content-Type": self._content_type,
            **file.headers,
        }
        call = Call(
            "POST",
            self._address,
            STORE_FILE,
            headers=headers,
            body=lambda: file.body(self._progress),
            idempotent=False,
            keyless=True,
            read_timeout=self._client.profile.http.send_seconds,
        )
        return await self._client.ask(call)


def _can_go_on(error: BatchdeckError) -> bool:
    """Whether an upload that broke off can go on: nothing is paid for a file."""
    if isinstance(error, UnexpectedResponseError | RequestRejectedError):
        return False
    return isinstance(error, ProviderError)
