"""Addresses in pages and in `Location` are read like in browsers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.crawlers.references import request_target, resolved_location, resolved_url
from corpusmill.schemas.urls import MAX_URL_CHARACTERS

BASE = "http://example.org/a/b?c=d"


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("c", "http://example.org/a/c"),
        ("/c", "http://example.org/c"),
        ("//other.example/c", "http://other.example/c"),
        ("///other.example/c", "http://other.example/c"),
        ("/\\other.example\\c", "http://other.example/c"),
        ("http:\\\\other.example\\c?d\\e", "http://other.example/c?d\\e"),
        ("HTTP:c", "http://example.org/a/c"),
        ("http:////other.example", "http://other.example/"),
        ("https:other.example", "https://other.example/"),
        ("?e", "http://example.org/a/b?e"),
        ("?", "http://example.org/a/b?"),
        ("", "http://example.org/a/b?c=d"),
        ("#e", "http://example.org/a/b?c=d"),
        (" \t/c\n/d ", "http://example.org/c/d"),
        ("/c d?e f", "http://example.org/c%20d?e%20f"),
        ("/کوه", "http://example.org/%DA%A9%D9%88%D9%87"),
        ("/c/%2E%2e/./d/..", "http://example.org/"),
        ("../../../c/.", "http://example.org/c/"),
        ("/c[1]|^{}?d[]='{}^", "http://example.org/c[1]|%5E%7B%7D?d[]=%27{}^"),
        ("/%zz%7e", "http://example.org/%zz%7e"),
        ("//user:secret@Other.Example:80/", "http://other.example/"),
        ("//bücher.example/", "http://xn--bcher-kva.example/"),
        ("//%6fther.example/", "http://other.example/"),
        ("./mailto:x", "http://example.org/a/mailto:x"),
    ],
)
def test_a_reference_is_resolved_like_in_a_browser(reference: str, url: str) -> None:
    """Each case was compared with the states of WHATWG URL 4.4."""
    assert resolved_url(reference, base=BASE) == url


@pytest.mark.parametrize(
    "reference", ["mailto:a@b.c", "localhost:80/", "//", "http://", "//a:99999/", "//a b/", "//[1/"]
)
def test_other_addresses_are_refused(reference: str) -> None:
    """These have another scheme, no host or an invalid one."""
    with pytest.raises(ValueError, match=r"web address|host|[Pp]ort|IPv6"):
        resolved_url(reference, base=BASE)


@pytest.mark.parametrize(
    ("reference", "base"),
    [("/" + "a" * MAX_URL_CHARACTERS, BASE), ("/c", BASE + "a" * MAX_URL_CHARACTERS), ("/" + "é" * 2000, BASE)],
)
def test_addresses_above_the_limit_are_refused(reference: str, base: str) -> None:
    """Each link of a page would repeat a long base, and the cache would keep it."""
    with pytest.raises(ValueError, match=f"longer than {MAX_URL_CHARACTERS}"):
        resolved_url(reference, base=base)


def test_a_query_is_in_the_encoding_of_its_page() -> None:
    """Other characters become character references, as in forms (WHATWG URL, "percent-encode after")."""
    assert resolved_url("/é?é=ю", base=BASE, encoding="cp1252") == "http://example.org/%C3%A9?%E9=%26%231102%3B"
    assert resolved_url("?é", base=BASE, encoding="utf-16-le") == "http://example.org/a/b?%C3%A9"


@given(reference=st.text(max_size=60))
def test_resolving_an_address_twice_changes_nothing(reference: str) -> None:
    """The result is also ASCII, so that it can be sent."""
    try:
        url = resolved_url(reference, base=BASE)
    except ValueError:
        return

    assert url.isascii()
    assert resolved_url(url, base="https://elsewhere.example/") == url


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        (b"Location: /\xda\xa9", "http://example.org/%DA%A9"),
        (b"LOCATION:/caf\xe9", "http://example.org/caf%E9"),
        (b"Location: /c\r\n d", "http://example.org/c%20d"),
        (b"Location: /c\r\nLocation: /c", "http://example.org/c"),
        (b"Location:\r\nLocation: /c", "http://example.org/c"),
        (b"X-Location: /c", None),
        (b"Location: ", None),
    ],
)
def test_a_location_is_escaped_byte_by_byte(fields: bytes, url: str | None) -> None:
    """Bytes beyond ASCII are escaped; an empty value does not count."""
    assert resolved_location(b"HTTP/1.1 302 Found\r\n" + fields + b"\r\n\r\n", base=BASE) == url


@pytest.mark.parametrize("value", [b"ftp://a/", b"/c\r\nLocation: /d", b"http:///", b"/" + b"x" * 9000])
def test_a_location_that_leads_nowhere_is_a_refusal(value: bytes) -> None:
    """Browsers also refuse two different values."""
    with pytest.raises(Refusal, match=r"error\.bad_redirect"):
        resolved_location(b"HTTP/1.1 302 Found\r\nLocation: " + value + b"\r\n\r\n", base=BASE)


@pytest.mark.parametrize(
    ("url", "target"), [("http://a", "/"), ("http://a/?", "/?"), ("http://a?b#c", "/?b"), ("http://a/b?", "/b?")]
)
def test_an_empty_query_is_requested(url: str, target: str) -> None:
    """`/a` and `/a?` are different addresses for a server."""
    assert request_target(url) == target
