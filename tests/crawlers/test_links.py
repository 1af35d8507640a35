"""Links and robots directives are read like in browsers and search engines."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.crawlers.links import header_directives, page_links
from corpusmill.schemas.urls import MAX_URL_CHARACTERS

URL = "http://example.org/a/b"


def _follow(html: str | bytes, **headers: str) -> tuple[str, ...]:
    body = html.encode() if isinstance(html, str) else html
    return page_links(body, url=URL, headers={name.replace("_", "-"): value for name, value in headers.items()}).follow


@pytest.mark.parametrize(
    ("html", "links"),
    [
        ('<a href="c">', ("http://example.org/a/c",)),
        ('<a href=" /c\n">', ("http://example.org/c",)),
        ('<a href="//other.example/">', ("http://other.example/",)),
        ('<a href="c#top"><a href="c">', ("http://example.org/a/c",)),
        ('<a href="#top"><a href=""><a>', ()),
        ('<a href="mailto:a@example.org"><a href="javascript:go()"><a href="ftp://example.org/">', ()),
        ('<a href="http://[broken/">', ()),
        ('<base href="/d/"><a href="c">', ("http://example.org/d/c",)),
        ('<area href="c"><iframe src="d"></iframe>', ("http://example.org/a/c", "http://example.org/a/d")),
        ('<meta http-equiv="Refresh" content="0; URL=\'/c\'">', ("http://example.org/c",)),
        ('<a href="a b?c d">', ("http://example.org/a/a%20b?c%20d",)),
        ("<!-- <a href=c> -->", ()),
        ("<!--><a href=c><!-- --!><a href=d><!--", ("http://example.org/a/c", "http://example.org/a/d")),
        ("<!doctype html><? <a href=b> </ <a href=c>d", ()),
        ("<img alt='<a href=c>' title=\"<a href=d>\"><p a='><a href=e>", ()),
        ("<script>'<a href=c>'</script><style><a href=d></style><template><a href=e></template>", ()),
        ("<title><a href=c></title><textarea></title><a href=d></TEXTAREA ><a href=e>", ("http://example.org/a/e",)),
        ("<svg><style/><title/><a href=c></svg><plaintext><a href=d>", ("http://example.org/a/c",)),
        ("<A\nHREF = '/?a=1&amp;b=2&copy=3&#x26;d' href=/e><a href=/f", ("http://example.org/?a=1&b=2&copy=3&d",)),
        ("<abbr href=c><a/href=d><a\x0chref=/e><article href=f>", ("http://example.org/a/d", "http://example.org/e")),
        (f"<a href=/c?&#{'9' * 5000};>", ("http://example.org/c?%EF%BF%BD",)),
    ],
)
def test_links_are_absolute_web_addresses(html: str, links: tuple[str, ...]) -> None:
    """Only http and https addresses can be crawled."""
    assert _follow(html) == links


def test_links_without_a_valid_address_are_recorded() -> None:
    """Nothing is lost silently; links to mail or scripts lead to no page, so they are not links of the crawl."""
    long = "/" + "é" * MAX_URL_CHARACTERS
    html = f'<a href="http://[broken/"><a href="//a:99999/"><a href="{long}"><a href="{long}x"><a href="mailto:a@[">'

    page = page_links(html.encode(), url=URL, headers={})

    assert page.follow == page.nofollow == ()
    invalid, port, *too_long = page.unusable
    assert (invalid.reference, invalid.rule, port.rule) == ("http://[broken/", "link.invalid", "link.invalid")
    assert "99999" in port.reference
    assert [link.rule for link in too_long] == ["link.too_long"] * 2
    assert len({link.reference for link in too_long}) == 2, "each has a row of its own"
    assert all(len(text) < 300 for link in page.unusable for text in (link.reference, link.message))


def test_a_link_is_encoded_as_its_page_is() -> None:
    """The query of a URL is in the page's encoding, its path in UTF-8 (WHATWG URL, "percent-encode")."""
    links = _follow('<meta charset="iso-8859-1"><a href="/é?q=é">'.encode("latin-1"))

    assert links == ("http://example.org/%C3%A9?q=%E9",)


@pytest.mark.parametrize(
    ("html", "links"),
    [
        ("<meta charset=shift_jis><a href=/日?日>".encode(), ("http://example.org/%E6%97%A5?%E6%97%A5",)),
        (
            "<title>Порт и город</title><a href=/порт>".encode("koi8-r"),
            ("http://example.org/%D0%BF%D0%BE%D1%80%D1%82",),
        ),
        (b"<script>'<meta charset=big5>'</script><meta charset=latin1><a href=?\xe9>", (f"{URL}?%E9",)),
        ("<a href=/é?é>".encode("utf-16"), ("http://example.org/%C3%A9?%C3%A9",)),
        (b"<meta charset=koi8-r><a href='?&#1102;'>", (f"{URL}?%C0",)),
        (b'<base href="\\\\other.example\\x\\"><a href=y>', ("http://other.example/x/y",)),
    ],
)
def test_links_are_in_the_page_as_extract_reads_it(html: bytes, links: tuple[str, ...]) -> None:
    """A wrong or missing declaration of the encoding must not produce wrong addresses."""
    assert _follow(html) == links


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<title>A</title><style>b</style><script>c</script><p>d<template>e</template>", "A d"),
        ('<p>a <a href="/b">/b</a> <a href="/c">c</a>', "a c"),
        ("", ""),
    ],
)
def test_the_text_of_a_page_has_no_code_and_addresses(html: str, words: str) -> None:
    """Only the visible text is compared with other pages."""
    assert " ".join(page_links(html.encode(), url=URL, headers={}).text.split()) == words


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 200_000,
        "<a href=x>w<object>" * 50_000,
        "".join(f"<b id={number}>" for number in range(20_000)) + "<p>x" * 20_000,
        "<a href='\"" * 100_000,
        "<!--" * 200_000,
        "<title>" * 200_000,
        "<" * 500_000,
    ],
    ids=lambda html: html[:12],
)
def test_hostile_markup_takes_linear_time(html: str) -> None:
    """Quadratic time would block the crawl of all hosts for minutes; trees of these pages need it."""
    began = time.process_time()

    page_links(html.encode(), url=URL, headers={})

    assert time.process_time() - began < 3


def test_a_long_base_is_no_memory_bomb() -> None:
    """A base above the limit of an address is ignored; many links to a long one are refused with their page."""
    links = "".join(f"<a href={number}>" for number in range(4_000))

    assert len(_follow(f"<base href=/{'a' * MAX_URL_CHARACTERS}/>{links}")[0]) == len("http://example.org/a/0")
    with pytest.raises(Refusal, match="too_large"):
        _follow(f"<base href=/{'a' * (MAX_URL_CHARACTERS - 100)}/>{links}")


def test_a_link_without_nofollow_is_followed() -> None:
    """rel=nofollow applies to a link, not to its target."""
    links_of_page = page_links(
        b'<a rel="nofollow" href=c></a><a href=c></a><a rel=nofollow href=d>', url=URL, headers={}
    )

    assert links_of_page.follow == ("http://example.org/a/c",)
    assert links_of_page.nofollow == ("http://example.org/a/d",)


@pytest.mark.parametrize(
    ("value", "directives"),
    [
        ("noindex", {"noindex"}),
        ("NOINDEX, nofollow", {"noindex", "nofollow"}),
        ("none", {"none", "noindex", "nofollow"}),
        ("otherbot: noindex", set()),
        ("otherbot: noindex, nofollow", set()),
        ("corpusmill: noindex", {"noindex"}),
        ("max-snippet:20, noindex", {"max-snippet:20", "noindex"}),
    ],
)
def test_header_directives_for_other_crawlers_are_ignored(value: str, directives: set[str]) -> None:
    """A directive with the name of another crawler does not apply."""
    assert header_directives(value) - {""} == directives


@given(body=st.binary(max_size=300), content_type=st.text(max_size=30))
def test_no_page_is_too_broken_to_read(body: bytes, content_type: str) -> None:
    """Any bytes can be parsed for links."""
    links_of_page = page_links(b"<a href=" + body, url=URL, headers={"content-type": content_type})

    assert all(link.startswith(("http://", "https://")) for link in links_of_page.follow)
