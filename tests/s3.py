"""A real S3 server (moto) on 127.0.0.1, behind a proxy that can simulate faults of networks and stores."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
from s3fs import S3FileSystem

BUCKET = "corpora"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "tester",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "eu-central-1",
    "AWS_MAX_ATTEMPTS": "2",
}
_ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"


@dataclass
class Seen:
    """A request, and the size of the response body in bytes."""

    method: str
    path: str
    range: str | None
    sent: int = 0


@dataclass
class Server:
    """The proxy in front of the store, and the faults to simulate."""

    endpoint: str
    requests: list[Seen] = field(default_factory=list)
    denied: str | None = None
    """Requests for paths with this suffix are refused (403)."""
    cut: str | None = None
    """Responses for paths with this suffix are truncated."""
    is_down: bool = False
    """All connections are closed without a response."""
    puts_until_down: int | None = None
    """Number of writes after which the store becomes unreachable."""
    writes: threading.Lock = field(default_factory=threading.Lock)

    def heal(self) -> None:
        """Stop simulating faults."""
        self.requests.clear()
        self.denied = self.cut = self.puts_until_down = None
        self.is_down = False


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _ProxyServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _forward(self) -> None:
        faults = self.server.faults
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = Seen(self.command, self.path, self.headers.get("Range"))
        faults.requests.append(seen)
        if self.command == "PUT" and faults.puts_until_down is not None:
            faults.is_down |= faults.puts_until_down == 0
            faults.puts_until_down -= 1
        if faults.is_down:
            self.close_connection = True
            return
        if faults.denied and self.path.partition("?")[0].endswith(faults.denied):
            self._answer(403, [("Content-Type", "application/xml")], _ERROR.format(code="AccessDenied").encode())
            return
        # S3 serializes conditional writes, but moto checks the condition before it writes.
        with faults.writes if self.command == "PUT" else contextlib.nullcontext():
            status, headers, content = self._ask(body)
        seen.sent = len(content)
        is_cut = faults.cut is not None and self.command == "GET" and self.path.endswith(faults.cut)
        self._answer(status, headers, content, cut=len(content) // 2 if is_cut else None)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), content

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, cut: int | None = None) -> None:
        self.send_response_only(status)
        length = dict(headers).get("Content-Length") if self.command == "HEAD" else None
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:cut])
        if cut is not None:
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _forward  # noqa: N815 - required by the library


class _ProxyServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _Proxy)
        self.behind = behind
        self.faults = Server(f"http://127.0.0.1:{self.server_address[1]}")


@contextlib.contextmanager
def running_server() -> Iterator[Server]:
    """Start the store and the proxy, create the bucket, and set the environment variables of boto."""
    port = _free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        proxy = _ProxyServer(port)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        before, retries = dict(os.environ), S3FileSystem.retries
        try:
            S3FileSystem.retries = 1  # s3fs retries in addition to boto
            _await(port)
            os.environ.update(CREDENTIALS, AWS_ENDPOINT_URL=proxy.faults.endpoint)
            client = boto3.client("s3", region_name="us-east-1")
            client.create_bucket(Bucket=BUCKET)
            client.close()
            yield proxy.faults
        finally:
            os.environ.clear()
            os.environ.update(before)
            S3FileSystem.retries = retries
            process.kill()
            proxy.shutdown()
            proxy.server_close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise TimeoutError("moto's server did not start")
