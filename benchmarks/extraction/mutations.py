"""Random mutations of pages, similar to those by crawlers and attackers, as inputs for the fuzzer.

A mutation takes a page and returns a changed page; `mutated` chains a few. All randomness comes from the generator that
is passed in.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

Mutation: TypeAlias = Callable[[random.Random, bytes, Sequence[bytes]], bytes]

MAX_BYTES: Final = 120_000
"""Largest size of an input, so that it takes milliseconds even under a sanitizer."""
_OPEN: Final = (
    b"<title>", b"<select><option>", b"<textarea>", b"<svg><path d='M0'/>", b"<template>", b"<script>", b"<style>",
    b"<!--", b"<![CDATA[", b"<?xml ", b"<iframe>", b"<noscript>", b"<object>", b"<math><mi>", b"<button>",
    b"<datalist>", b"<canvas>", b"<video>", b"<xmp>", b"<plaintext>", b"<pre>\n", b"<listing>", b"<table><tr><td>",
    b"<ul><li>", b"<ol start=-9>", b"<dl><dt>", b"<a href=x>", b"<b>", b"<h1>", b"<h6>", b"<p>", b"<body hidden>",
    b"<frameset>", b"<details><summary>", b"<caption>", b"<rp>", b"<time datetime=1>", b"<span class=author>",
    b"<x-y-z>", b"<noembed>", b"<map>", b"<figure><figcaption>", b"<legend>",
)  # fmt: skip
_CLOSE: Final = (
    b"</title>", b"</select>", b"</textarea>", b"</svg>", b"</template>", b"</script>", b"</style>", b"-->", b"]]>",
    b"?>", b"</p>", b"</br>", b"</a>", b"</div>", b"</table>", b"</td>", b"</ul>", b"</li>", b"</h2>", b"</pre>",
    b"</body>", b"</html>", b"</x-y-z>", b"</object>", b"</button>", b"</math>", b"</xmp>",
)  # fmt: skip
_ODD: Final = (
    b"<", b"</", b"<!", b"<!-", b"<!-->", b"<!--->", b"--!>", b"<a", b"<a href", b"<a href=", b"<a href='",
    b'<a href="', b"<a b=c/d>", b"<a =x>", b"< p>", b"<p/>", b"<br/", b"&", b"&#", b"&#x", b"&#0;", b"&#128;",
    b"&#xd800;", b"&#x10ffff;", b"&#99999999999;", b"&notit;", b"&nGt;", b"&amp", b"&CounterClockwiseContourIntegral;",
    b"\x00", b"\r", b"\r\n", b"\t", b"\x0b", b"\x1b$B", b"\x7f", b"\xc2\x85", b"\xc2\xa0", b"\xe2\x80\x8b",
    b"\xef\xbb\xbf", b"\xef\xbf\xbf", b"\xed\xa0\x80", b"\xf4\x8f\xbf\xbf", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98",
    b"\xff", b"\xc0\xaf", b"\xe6\xb8\xaf", b"\xd0\x9f", b'<img src="x" alt="a &lt; b">',
    b'<meta property="og:type" content="article">', b'<meta charset="utf-16">', b'<meta charset="gb2312">',
    b'<script type="application/ld+json">{"@type": "Article", "author": [{', b'"\\ud800\\u0000"', b"\\udfff",
    b'<link rel="license author" href="//a">', b"<td colspan=999999999 rowspan=-1>", b'<div style="display: NONE">',
    b'<p itemprop="articleBody">', b"<br><br>", b"<hr>",
)  # fmt: skip
_REPEATED: Final = (
    b"<div>", b"<p>x", b"<b>y", b"<li>z", b"<ul><li>", b"<table><tr><td>", b"<a href=q>r", b"<h2>", b"</p>", b"</div>",
    b"<br>", b"&amp;", b"&a", b"<!-- -->", b"<", b" ", b"\n", b"-", b"a", b"\xe6\xb8\xaf", b"<td>1", b"<tr>", b"<svg>",
    b"<select>", b"<title>", b"<font><a href=x>", b"<object><p>", b"<span>w ", b"<pre>\n", b"<dt>", b"<option>",
    b"<img src=x>", b"<x-y>", b"no-",
)  # fmt: skip


def _offset(rng: random.Random, page: bytes) -> int:
    """Return an offset in *page*, in half of the cases directly before a tag."""
    offset = rng.randint(0, len(page))
    tag = page.find(b"<", offset) if rng.random() < 0.5 else -1
    return tag if tag >= 0 else offset


def _stretch(rng: random.Random, page: bytes) -> tuple[int, int]:
    start = _offset(rng, page)
    return start, min(len(page), start + int(2 ** rng.uniform(0, 14)))


def _inserted(page: bytes, offset: int, data: bytes) -> bytes:
    return page[:offset] + data + page[offset:]


def _flip(rng: random.Random, page: bytes, _others: Sequence[bytes]) -> bytes:
    changed = bytearray(page)
    for _ in range(rng.randint(1, 20) if page else 0):
        changed[rng.randrange(len(changed))] = rng.choice((rng.randrange(256), *b"<>/='\"&;! -\0"))
    return bytes(changed)


def _delete(rng: random.Random, page: bytes, _others: Sequence[bytes]) -> bytes:
    start, stop = _stretch(rng, page)
    return page[:start] + page[stop:]


def _duplicate(rng: random.Random, page: bytes, _others: Sequence[bytes]) -> bytes:
    start, stop = _stretch(rng, page)
    return _inserted(page, _offset(rng, page), page[start:stop] * rng.choice((1, 1, 2, 20)))


def _splice(rng: random.Random, page: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    return page[: _offset(rng, page)] + other[_offset(rng, other) :]


def _cut(rng: random.Random, page: bytes, _others: Sequence[bytes]) -> bytes:
    return page[: rng.randint(0, len(page))]


def _insert(rng: random.Random, page: bytes, _others: Sequence[bytes]) -> bytes:
    for _ in range(rng.choice((1, 1, 3, 30))):
        page = _inserted(page, _offset(rng, page), rng.choice(rng.choice((_OPEN, _CLOSE, _ODD))))
    return page


def _repeat(rng: random.Random, page: bytes, _others: Sequence[bytes]) -> bytes:
    unit = b"".join(rng.choice(_REPEATED) for _ in range(rng.choice((1, 1, 2, 4))))
    return _inserted(page, _offset(rng, page), unit * rng.choice((10, 100, 600, 5_000)))


def _soup(rng: random.Random, page: bytes, _others: Sequence[bytes]) -> bytes:
    parts = (*_OPEN, *_CLOSE, *_ODD, b"word ", b"One, two. ", b" ")
    return _inserted(page, _offset(rng, page), b"".join(rng.choices(parts, k=rng.choice((10, 100, 1_000)))))


def _attributes(rng: random.Random, page: bytes, _others: Sequence[bytes]) -> bytes:
    name = rng.choice((b"class", b"id", b"style", b"href", b"itemprop", b"rel", b"alt", b"start", b"x", b"\xc3\xa9"))
    value = rng.choice((b"a ", b"comment-author ", b"display:none;", b"&amp;", b"\xe6\xb8\xaf", b"9", b"\n"))
    quote = rng.choice((b'"', b"'", b""))
    attribute = name + b"=" + quote + value * rng.choice((1, 50, 3_000)) + quote + b" "
    tag = b"<" + rng.choice((b"div", b"a", b"img", b"ol", b"meta", b"p", b"time", b"td")) + b" "
    return _inserted(page, _offset(rng, page), tag + attribute * rng.choice((1, 1, 300)) + b">text")


def _unend(rng: random.Random, page: bytes, _others: Sequence[bytes]) -> bytes:
    """Delete one kind of closing delimiter from a stretch of *page*."""
    start, stop = _stretch(rng, page)
    return (
        page[:start]
        + page[start:stop].replace(rng.choice((b">", b'"', b"'", b";", b"/", b"-->", b"</")), b"")
        + page[stop:]
    )


def _recode(rng: random.Random, page: bytes, _others: Sequence[bytes]) -> bytes:
    return page.decode("utf-8", "replace").encode(
        rng.choice(("utf-16", "utf-16-le", "cp1251", "gb18030", "utf-7")), "replace"
    )


_MUTATIONS: Final[tuple[Mutation, ...]] = (
    *(_flip, _delete, _duplicate, _splice, _cut, _insert, _insert, _repeat, _repeat, _soup, _attributes, _unend),
)
_RECODED_SHARE: Final = 0.03


def mutated(rng: random.Random, pages: Sequence[bytes]) -> bytes:
    """Return a page of *pages* after one to six mutations, cut to `MAX_BYTES`."""
    page = rng.choice(pages)
    if len(page) > MAX_BYTES:
        start = rng.randrange(len(page) - MAX_BYTES)
        page = page[start : start + MAX_BYTES]
    for _ in range(rng.randint(1, 6)):
        page = rng.choice(_MUTATIONS)(rng, page, pages)[:MAX_BYTES]
    return _recode(rng, page, pages) if rng.random() < _RECODED_SHARE else page
