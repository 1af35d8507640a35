"""Cookies are ignored unless the recipe asks for them, and never leave the host that set them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.cookies import MAX_COOKIE_BYTES, MAX_COOKIES, CookieStore
from corpusmill.crawlers.crawl import crawl
from tests.crawlers.sites import QUICK, Answer, page, serve, source_of

URL = "https://www.example.co.uk/a/b"


def _after(*values: str, url: str = URL, ask: str = URL) -> str | None:
    """Return the header of a request for *ask* after a response from *url* with these values of `Set-Cookie`."""
    store = CookieStore()
    store.keep(url, [b"HTTP/1.1 200 OK", *(f"SET-cookie: {value}".encode("latin-1") for value in values), b"Vary: a"])
    return store.header(ask)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a=1", "a=1"),
        ("a=1; Path=/a", "a=1"),
        ("a=1; Path=/", "a=1"),
        ("a=1; Path=/c", None),
        ("a=1; Secure; HttpOnly; SameSite=Lax", "a=1"),
        ("a=1; Max-Age=60", "a=1"),
        ("a=1; Max-Age=0", None),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("a=1; Domain=www.example.co.uk", "a=1"),
        ("a=1; Domain=.example.co.uk", "a=1"),
        ("a=1; Domain=co.uk", None),
        ("a=1; Domain=uk", None),
        ("a=1; Domain=other.co.uk", None),
        ("a=1; Domain=www.example.co.uk.evil.org", None),
        ("a=1; Domain=ple.co.uk", None),
        ("a=" + "1" * MAX_COOKIE_BYTES, None),
        ("a=\xe9", "a=\xe9"),
        ("", None),
        (";;;=;", None),
    ],
)
def test_a_cookie_is_kept_if_its_host_may_set_it(value: str, expected: str | None) -> None:
    """A cookie for a public suffix or another domain is ignored (RFC 6265 §5.3)."""
    assert _after(value) == expected


@given(st.text(st.characters(max_codepoint=0xFF)), st.text(st.sampled_from('a.=;, \t"\r\xe9\0:1-'), max_size=40))
def test_any_value_has_an_answer(name: str, attributes: str) -> None:
    """What a server sends must neither end a crawl nor add lines to the next request."""
    header = _after(f"{name}={name}; Domain={attributes}; Path={attributes}", f"{name}; {attributes}=a", attributes)

    assert header is None or not {*"\r\n\0"} & {*header.encode("latin-1").decode("latin-1")}


def test_a_cookie_is_only_sent_to_the_host_that_set_it() -> None:
    """A site cannot mark this crawler for other sites, whatever its `Domain` is."""
    value = "a=1; Domain=example.co.uk; Path=/"

    sent = {host: _after(value, ask=f"https://{host}/a") for host in ("www.example.co.uk", "example.co.uk", "b.org")}

    assert sent == {"www.example.co.uk": "a=1", "example.co.uk": None, "b.org": None}
    assert _after("a=1; Secure", ask="http://www.example.co.uk/a/b") is None


def test_a_host_cannot_set_cookies_without_end() -> None:
    """Every response could add some, and every request would carry them all."""
    header = _after(*(f"c{number}=1" for number in range(200)))

    assert header is not None
    assert len(header.split("; ")) == MAX_COOKIES


@pytest.mark.parametrize(("cookies", "sent"), [(False, [None, None]), (True, ["id=7; lang=de", "id=7; lang=f\xe9"])])
def test_a_crawl_sends_cookies_only_if_its_recipe_says_so(
    tmp_path: Path, cookies: bool, sent: list[str | None]
) -> None:
    """The log of the server says what was sent; a cookie of the robots.txt counts, too."""
    html = {"Content-Type": "text/html"}
    answers = {
        "/robots.txt": Answer("", headers={"Set-Cookie": "id=7"}),
        "/tdm": page(),
        "/": Answer("<a href=/a>a</a>", headers={**html, "Set-Cookie": "lang=f\xe9"}),
        "/a": page(),
    }
    with serve({**answers, "/ai.txt": Answer("", headers={"Set-Cookie": "lang=de"})}) as site:
        crawl(source_of(site, cookies=cookies), tmp_path / "raw" / "site", limits=QUICK)

    headers = dict(zip(site.paths, site.headers, strict=True))
    assert [headers[path].get("Cookie") for path in ("/", "/a")] == sent
    assert headers["/robots.txt"].get("Cookie") is None
