"""Decoding of HTTP bodies gives the complete body or a specific error."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.content_codings import undo_content_codings
from corpusmill.schemas.errors import DataError

PAGE = "<html><p>Größe, and words.</p>".encode() * 40


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(body) + packer.flush()


def gzip_with_name(body: bytes) -> bytes:
    packed = gzip.compress(body, mtime=0)
    head = packed[:3] + b"\x1e" + packed[4:10] + b"\x03\0abc" + b"page.html\0" + b"note\0"
    return head + (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little") + packed[10:]


def undo(body: bytes, codings: str, **options: bool) -> bytes:
    return undo_content_codings(body, codings, max_bytes=1_000_000, **options)


@pytest.mark.parametrize(
    ("body", "codings"),
    [
        (gzip.compress(PAGE[:200]) + gzip.compress(PAGE[200:]), "gzip"),
        (b"".join(gzip.compress(PAGE[at : at + 99]) for at in range(0, len(PAGE), 99)), "x-gzip"),
        (gzip.compress(PAGE[:200]) + bytes(20) + gzip.compress(PAGE[200:])[:-8], "gzip"),
        (gzip.compress(PAGE)[:-8], "gzip"),
        (gzip.compress(PAGE)[:-3], "GZIP"),
        (gzip_with_name(PAGE)[:-8], "gzip"),
        (gzip.compress(PAGE) + b"\r\nand what a broken server adds", "gzip"),
        (zlib.compress(PAGE), "deflate"),
        (zlib.compress(PAGE)[:-4], "deflate"),
        (zlib.compress(PAGE[:200]) + zlib.compress(PAGE[200:])[:-4], "deflate"),
        (zlib.compress(PAGE) + b"\r\nand what a broken server adds", "deflate"),
        (raw_deflate(PAGE), "deflate"),
        (gzip.compress(PAGE), "deflate"),
        (zlib.compress(PAGE), "gzip"),
        (brotli.compress(PAGE), "br"),
        (brotli.compress(gzip.compress(PAGE[:200]) + gzip.compress(PAGE[200:])), "gzip, br"),
        (gzip.compress(brotli.compress(PAGE)), "br,gzip"),
        (zstandard.compress(PAGE[:200]) + zstandard.compress(PAGE[200:]), "zstd"),
        (raw_deflate(zstandard.compress(gzip.compress(PAGE))), "gzip, zstd, identity, deflate"),
        (PAGE, "identity"),
    ],
)
def test_the_whole_page_is_decoded(body: bytes, codings: str) -> None:
    """Servers compress in pieces, omit trailers and wrappers, and compress repeatedly."""
    assert undo(body, codings) == PAGE
    assert undo(body, codings, is_archived=True) == PAGE


@pytest.mark.parametrize(
    ("body", "codings", "rule"),
    [
        (gzip.compress(PAGE)[:-12], "gzip", "error.truncated"),
        (gzip.compress(PAGE) + gzip.compress(PAGE)[:30], "gzip", "error.truncated"),
        (gzip.compress(PAGE)[:-8] + bytes(8), "gzip", "error.encoding"),
        (zlib.compress(PAGE)[:-8], "deflate", "error.truncated"),
        (raw_deflate(PAGE)[:-8], "deflate", "error.truncated"),
        (brotli.compress(PAGE)[:-8], "br", "error.truncated"),
        (brotli.compress(PAGE) + b"\xff", "br", "error.encoding"),
        (zstandard.compress(PAGE)[:-8], "zstd", "error.truncated"),
        (gzip.compress(brotli.compress(PAGE)[:-8]), "br, gzip", "error.truncated"),
        (brotli.compress(PAGE), "dcb", "error.encoding"),
        (brotli.compress(PAGE), "gzip", "error.encoding"),
        (gzip.compress(bytes(2_000_000)), "gzip", "error.too_large"),
        (b"".join([gzip.compress(bytes(400_000))] * 3), "gzip", "error.too_large"),
        (brotli.compress(bytes(2_000_000)), "br", "error.too_large"),
        (zstandard.compress(bytes(2_000_000)), "zstd", "error.too_large"),
        (zlib.compress(bytes(2_000_000)), "deflate", "error.too_large"),
        (gzip.compress(brotli.compress(bytes(2_000_000))), "br, gzip", "error.too_large"),
    ],
)
@pytest.mark.parametrize("is_archived", [True, False])
def test_an_incomplete_body_is_an_error(body: bytes, codings: str, rule: str, is_archived: bool) -> None:
    """Half a page must not be published as a page."""
    with pytest.raises(DataError) as caught:
        undo(body, codings, is_archived=is_archived)

    assert caught.value.rule == rule


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "compress"])
@pytest.mark.parametrize("body", [PAGE, b"; plain words", b"x^2 + y^2 = z^2", b"h\xf6ren und sehen"])
def test_a_coding_that_does_not_fit_is_passed_over_in_archives(coding: str, body: bytes) -> None:
    """Archives may have decoded bodies with the original header; from a server, that is an error."""
    assert undo(body, coding, is_archived=True) == body
    with pytest.raises(DataError):
        undo(body, coding)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw_deflate, brotli.compress, zstandard.compress])
def test_a_body_that_was_cut_when_it_was_fetched_gives_what_came_before(pack: Callable[[bytes], bytes]) -> None:
    """The record and the document say that the body was cut."""
    noise = b"".join(zlib.crc32(b"%d" % n).to_bytes(4, "big") for n in range(20_000)).hex().encode()
    coding = {gzip.compress: "gzip", brotli.compress: "br", zstandard.compress: "zstd"}.get(pack, "deflate")

    body = undo(pack(noise)[:-9000], coding, is_cut=True)

    assert noise.startswith(body)
    assert len(body) > len(noise) // 2 or coding == "br"


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "br", "zstd"]), st.booleans())
def test_any_bytes_have_an_answer(body: bytes, coding: str, is_archived: bool) -> None:
    """Servers send arbitrary bytes, which must not crash a crawl."""
    try:
        undo(body, coding, is_archived=is_archived)
    except DataError:
        return  # which says what happened


@pytest.mark.parametrize(
    ("coding", "member"),
    [("gzip", gzip.compress(b"")), ("deflate", zlib.compress(b"")), ("zstd", zstandard.compress(b""))],
)
def test_a_million_empty_members_are_refused(coding: str, member: bytes) -> None:
    """Each member costs time and adds nothing to the size, so only their number can be limited."""
    with pytest.raises(DataError, match="more than 10,000 members"):
        undo_content_codings(member * 1_000_000, coding, max_bytes=1000)
