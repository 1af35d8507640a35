"""No server can make a crawl wait, compute or grow without end, and no certificate is taken on trust."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from corpusmill.crawlers.client import Client, decoded
from corpusmill.crawlers.frontier.refusal import Refusal
from tests.crawlers.raw_servers import Send, gzip_bomb, hang, page, repeating, response, sending, serve_raw

HTML = frozenset(("text/html",))
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
MAX_BYTES = 4_000_000


class Outcome(NamedTuple):
    """The rule and message of a refusal (empty for none), and what it cost."""

    rule: str
    message: str
    seconds: float
    peak_bytes: int


def _fetch(send: Send, *, timeout_s: float = 20.0, silence_s: float = 20.0, max_bytes: int = MAX_BYTES) -> Outcome:
    """Fetch and decode a page, and measure this process; the server is a thread of it, which holds what it sends."""

    async def get(port: int) -> None:
        client = Client(
            user_agent="test", allow_private=True, timeout_s=timeout_s, silence_s=silence_s, max_bytes=max_bytes
        )
        try:
            exchange = await client.get(f"http://127.0.0.2:{port}/", media_types=HTML)
            decoded(exchange, max_bytes=max_bytes)
        finally:
            await client.close()

    with serve_raw({"127.0.0.2": {"/": send}}) as server:
        tracemalloc.start()
        began = time.monotonic()
        try:
            asyncio.run(get(server.port))
            rule, message = "", ""
        except Refusal as refusal:
            rule, message = refusal.rule, refusal.message
        finally:
            seconds, peak = time.monotonic() - began, tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    return Outcome(rule, message, seconds, peak)


@pytest.mark.parametrize(
    ("send", "rule", "message"),
    [
        (repeating(ENDLESS, b"x" * 65536), "error.too_large", "body above"),
        (repeating(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"), "error.too_large", "body above"),
        (repeating(CHUNKED, b"1;" + b"e" * 8000 + b"\r\nx\r\n"), "error.bad_response", "more framing"),
        (repeating(CHUNKED + b"0\r\n", b"A: " + b"a" * 8000 + b"\r\n"), "error.bad_response", "trailers above"),
        (repeating(CHUNKED, b"1" * 65536), "error.bad_response", "longer than"),
        (repeating(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 1000), "error.bad_response", "headers above"),
        (repeating(b"HTTP/1.1 200 OK\r\n", b"a" * 65536), "error.bad_response", "longer than"),
        (repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "error.bad_response", "interim"),
        (
            sending(ENDLESS.replace(b"\r\n\r\n", b"\r\nContent-Length: 99999999999\r\n\r\n")),
            "error.too_large",
            "body above",
        ),
    ],
    ids=["body", "chunks", "extensions", "trailers", "chunk", "headers", "header", "interim", "length"],
)
def test_an_endless_answer_is_refused_by_its_size(send: Send, rule: str, message: str) -> None:
    """The server sends as fast as it can, so only a limit on bytes keeps the memory flat."""
    outcome = _fetch(send)

    assert outcome.rule == rule
    assert message in outcome.message
    assert outcome.seconds < 10
    assert outcome.peak_bytes < 3 * MAX_BYTES


def test_chunks_of_a_byte_take_no_more_memory_than_their_content() -> None:
    """A Python object for each byte would be 34 times as much."""
    body = b"1\r\nx\r\n" * 40_000

    outcome = _fetch(sending(CHUNKED + body + b"0\r\n\r\n"))

    assert outcome.rule == ""
    assert outcome.peak_bytes < 1_000_000


@pytest.mark.parametrize(
    ("send", "message"),
    [
        (hang, "silent for 0.5 s"),
        (sending(ENDLESS + b"<p>begun"), "silent for 0.5 s"),
        (sending(b"HTTP/1.1 200 OK\r\nContent-"), "silent for 0.5 s"),
        (repeating(ENDLESS, b"x", every_s=0.1), "no whole answer in 1 s"),
        (repeating(b"", b"H", every_s=0.1), "no whole answer in 1 s"),
    ],
    ids=["silent", "silent-in-body", "silent-in-head", "drip-of-body", "drip-of-head"],
)
def test_a_slow_answer_is_refused_by_its_time(send: Send, message: str) -> None:
    """A drip of bytes is never silent, so there is a limit for the whole exchange as well."""
    outcome = _fetch(send, timeout_s=1.0, silence_s=0.5)

    assert (outcome.rule, outcome.message) == ("error.timeout", message)
    assert outcome.seconds < 5


def test_a_bomb_of_five_gigabytes_is_refused_when_it_reaches_the_limit() -> None:
    """Little on the wire, much in memory: a bomb is never decoded as a whole."""
    packed = gzip_bomb(5_000_000_000)

    outcome = _fetch(
        sending(response(packed, Content_Type="text/html", Content_Encoding="gzip")), max_bytes=2 * len(packed)
    )

    assert 4_000_000 < len(packed) < 6_000_000
    assert (outcome.rule, outcome.message[:10]) == ("error.too_large", "the body i")
    assert outcome.peak_bytes < 7 * len(packed)


def test_bytes_after_a_response_are_not_taken_for_the_next_one() -> None:
    """A wrong `Content-Length` must not let one page supply the content of another."""
    smuggled = response("<p>smuggled", Content_Type="text/html")
    first = response("<p>first", Content_Type="text/html") + smuggled

    async def get(port: int) -> list[bytes]:
        client = Client(user_agent="test", allow_private=True, timeout_s=5, max_bytes=MAX_BYTES)
        bodies = []
        for path in ("/first", "/second"):
            bodies.append((await client.get(f"http://127.0.0.2:{port}{path}")).body)
            await asyncio.sleep(0.05)
        await client.close()
        return bodies

    answers = {"/first": sending(first), "/second": sending(response("<p>second"))}
    with serve_raw({"127.0.0.2": answers}) as server:
        assert asyncio.run(get(server.port)) == [b"<p>first", b"<p>second"]


def test_the_next_address_is_tried_when_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many machines have no route to the IPv6 address of a site, and only find out by waiting."""
    monkeypatch.setattr("corpusmill.crawlers.client._CONNECT_S", 0.2)

    async def addresses(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.3"]

    async def get(port: int) -> str:
        client = Client(user_agent="test", allow_private=True, timeout_s=5, max_bytes=MAX_BYTES, lookup=addresses)
        address = (await client.get(f"http://name.test:{port}/")).address
        await client.close()
        return address

    with serve_raw({"127.0.0.3": {"/": sending(page())}}) as server, full_backlog("127.0.0.2", server.port):
        assert asyncio.run(get(server.port)) == "127.0.0.3"


@contextmanager
def full_backlog(address: str, port: int) -> Iterator[None]:
    """Listen without accepting, with so many connections that the system ignores another one."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((address, port))
        yield


class Authority:
    """A certificate authority of the test."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        root = self._builder(self._name, self._key, days=1).add_extension(x509.BasicConstraints(True, 0), critical=True)
        self.file.write_bytes(root.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - timedelta(days=9)).not_valid_after(now + timedelta(days=days))

    def server(self, address: str, *, days: int = 1) -> ssl.SSLContext:
        """Return the context of a server with a certificate for *address* that ends in *days*."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = self._builder(x509.Name([]), key, days=days).add_extension(names, critical=True)
        file = self._folder / f"{address}.{days}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Return an authority that this machine trusts during the test."""
    one = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(one.file))
    return one


def test_only_a_valid_certificate_is_accepted(authority: Authority, tmp_path: Path) -> None:
    """A self-signed, expired or wrong one means that anybody may have written the page."""
    contexts = {
        "127.0.0.2": authority.server("127.0.0.2"),
        "127.0.0.3": authority.server("127.0.0.3", days=-1),
        "127.0.0.4": authority.server("127.0.0.9"),
        "127.0.0.5": Authority(tmp_path, "stranger").server("127.0.0.5"),
    }

    async def get(address: str, port: int) -> str:
        client = Client(user_agent="test", allow_private=True, timeout_s=5, max_bytes=MAX_BYTES)
        try:
            return str((await client.get(f"https://{address}:{port}/")).status)
        except Refusal as refusal:
            return f"{refusal}; retry: {refusal.retry_after_s}"
        finally:
            await client.close()

    answers = {address: {"/": sending(page())} for address in contexts}
    with serve_raw(answers, tls=contexts) as server:
        results = [asyncio.run(get(address, server.port)) for address in contexts]

    assert results[0] == "200"
    assert results[1] == "error.tls: the certificate is not valid: certificate has expired; retry: None"
    assert "mismatch" in results[2]
    assert "unable to get local issuer certificate" in results[3]
    assert {result.partition(":")[0] for result in results[1:]} == {"error.tls"}
    assert {address for address, _ in server.seen} == {"127.0.0.2"}
