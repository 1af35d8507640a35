"""A real server that sends any bytes, valid HTTP or not, from many loopback addresses with one port."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import TypeAlias

Send: TypeAlias = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""Answers one request."""


@dataclass
class RawServer:
    """A running server; `seen` has the address and the path of each request, in order."""

    port: int = 0
    seen: list[tuple[str, str]] = field(default_factory=list)
    connections: list[str] = field(default_factory=list)


def response(body: bytes | str = b"", *, status: str = "200 OK", **headers: str) -> bytes:
    """Return a response with a correct `Content-Length`, unless *headers* has another one (`_` stands for `-`)."""
    data = body.encode() if isinstance(body, str) else body
    fields = {"Content-Type": "text/plain", "Content-Length": str(len(data))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + data


def page(*links: str) -> bytes:
    """Return the response with a web page."""
    anchors = "".join(f"<a href='{link}'>x</a>" for link in links)
    return response(f"<title>t</title><p>a page {anchors}", Content_Type="text/html")


def sending(data: bytes, *, closes: bool = False) -> Send:
    """Return what sends *data*; with *closes*, the connection ends after it."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if closes:
            writer.close()

    return send


def repeating(data: bytes, part: bytes, *, every_s: float = 0.0) -> Send:
    """Return what sends *data*, and then *part* without end."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(every_s)

    return send


async def hang(writer: asyncio.StreamWriter) -> None:
    """Send nothing."""
    await asyncio.sleep(3600)


async def reset(writer: asyncio.StreamWriter) -> None:
    """Reset the connection."""
    place = writer.get_extra_info("socket")
    place.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def gzip_bomb(size: int) -> bytes:
    """Return one gzip stream of about *size* null bytes, a thousandth as large, made without holding them in memory.

    Its checksum is wrong, which a reader notices after it has decoded all of it.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    return gzip.compress(b"")[:10] + block * (size >> 24) + b"\x03\x00" + bytes(8)


@contextmanager
def serve_raw(
    answers: Mapping[str, Mapping[str, Send]], *, tls: Mapping[str, ssl.SSLContext] | None = None
) -> Iterator[RawServer]:
    """Serve *answers* by address (``127.0.0.2``) and path, with the certificate of an address in *tls*, if any."""
    server = RawServer()
    loop = asyncio.new_event_loop()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("sockname")[0]
        server.connections.append(address)
        try:
            while line := await reader.readline():
                while (await reader.readline()).strip():
                    continue
                path = line.split()[1].decode()
                server.seen.append((address, path))
                await answers[address].get(path, sending(response(status="404 Not Found")))(writer)
        except (OSError, asyncio.CancelledError):  # the client has left, or the test is over
            return
        finally:
            writer.transport.abort()

    async def start() -> list[asyncio.Server]:
        servers = []
        for address in answers:
            context = (tls or {}).get(address)
            servers.append(await asyncio.start_server(handle, address, server.port, ssl=context, backlog=64))
            server.port = servers[0].sockets[0].getsockname()[1]
        return servers

    async def stop() -> None:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.05)

    servers = loop.run_until_complete(start())
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        for one in servers:
            loop.call_soon_threadsafe(one.close)
        asyncio.run_coroutine_threadsafe(stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
