"""https on localhost with an authority of one's own.

On the wire: TLS on localhost; ``SSL_CERT_FILE`` names the authority's certificate.

Right: It works, as with curl and with the official clients.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider

CA = ("-x509", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Wire CA")
HERE = ("-keyout", "here.key", "-out", "here.csr", "-subj", "/CN=localhost")
SIGN = ("-in", "here.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")


class Server(Provider):
    """As usual, behind TLS."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        new = ("req", "-newkey", "rsa:2048", "-nodes")
        self.openssl(*new, *CA, "-addext", "basicConstraints=critical,CA:TRUE")
        self.openssl(*new, *HERE)
        (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.openssl("x509", "-req", *SIGN, "-out", "here.pem", "-extfile", "names")

    def openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def secure(self, server: ThreadingHTTPServer) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "here.pem", self.folder / "here.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with openssl")
def test_own_ca_on_localhost(start: Start, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("ca")
    case = start(Server(folder), base_url="https://localhost:{port}/v1")
    case.submit(exits=(3,), says="not trusted")
    case.environment = {"SSL_CERT_FILE": str(folder / "ca.pem")}
    case.step("submit", "input", "--wait", "--json", "-y", exits=(0,), counts={"succeeded": 4})
