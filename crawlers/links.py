"""Extract the links and robots directives of a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from corpusmill.crawlers.frontier.robots import PRODUCT_TOKEN
from corpusmill.crawlers.references import resolved_url
from corpusmill.schemas.decoding.pages import decode_with_codec

_ROBOTS_NAMES: Final = frozenset(("robots", PRODUCT_TOKEN))
_REFRESH: Final = re.compile(r"^\s*[\d.]*\s*[;,]\s*(?:url\s*=\s*)?[\"']?([^\"']+)", re.IGNORECASE)


@dataclass(frozen=True)
class PageLinks:
    """Distinct absolute URLs that a page links to, in page order; `nofollow` has those with that directive.

    `noindex` says whether the page has that directive. `text` is its text, including title and navigation.
    """

    follow: tuple[str, ...]
    nofollow: tuple[str, ...]
    noindex: bool
    text: str = ""


def page_links(body: bytes, *, url: str, headers: Mapping[str, str]) -> PageLinks:
    """Parse the HTML page *body*, which was fetched from *url* with *headers* (names in lower case)."""
    text, encoding = decode_with_codec(body, headers.get("content-type"))
    tree = LexborHTMLParser(text)
    directives = header_directives(headers.get("x-robots-tag", "")) | _meta_directives(tree)
    base = _base(tree, url)
    hrefs: dict[str, bool] = {}
    for href, may_follow in _hrefs(tree):
        hrefs[href] = hrefs.get(href, False) or may_follow
    follows = "nofollow" not in directives
    links: dict[str, bool] = {}
    for href, may_follow in hrefs.items():
        target = _absolute(href, base=base, encoding=encoding)
        if target is not None:
            links[target] = links.get(target, False) or (may_follow and follows)
    return PageLinks(
        follow=tuple(target for target, follow in links.items() if follow),
        nofollow=tuple(target for target, follow in links.items() if not follow),
        noindex="noindex" in directives,
        text=_text(tree),
    )


def header_directives(value: str) -> set[str]:
    """Return the directives of an ``X-Robots-Tag``, except those for crawlers with other names.

    >>> sorted(header_directives("nofollow, otherbot: noindex"))
    ['nofollow']
    """
    directives: set[str] = set()
    name = ""
    for part in value.lower().split(","):
        head, colon, tail = part.partition(":")
        # `unavailable_after: date` and `max-snippet: 20` are directives with a value, not names of crawlers.
        is_name = bool(colon) and not head.strip().startswith(("unavailable_after", "max-"))
        name = head.strip() if is_name else name
        if name in ("", *_ROBOTS_NAMES):
            directives |= _words([tail if is_name else part])
    return directives


def _meta_directives(tree: LexborHTMLParser) -> set[str]:
    named = [(node.attributes.get("name") or "", node) for node in tree.css("meta[name]")]
    return _words(node.attributes.get("content") or "" for name, node in named if name.strip().lower() in _ROBOTS_NAMES)


def _words(values: Iterable[str]) -> set[str]:
    words = {word for value in values for word in re.split(r"[\s,]+", value.lower())}
    return words | {"noindex", "nofollow"} if "none" in words else words


def _base(tree: LexborHTMLParser, url: str) -> str:
    node = tree.css_first("base[href]")
    try:
        return resolved_url(node.attributes.get("href") or "", base=url) if node else url
    except ValueError:
        return url


def _text(tree: LexborHTMLParser) -> str:
    """Return the text of the page, without links that only show their address."""
    tree.strip_tags(["script", "style", "template"])
    for node in tree.css("a[href]"):
        if node.text(strip=True) == node.attributes.get("href"):
            node.decompose()
    return tree.root.text(separator=" ") if tree.root is not None else ""


def _hrefs(tree: LexborHTMLParser) -> Iterable[tuple[str, bool]]:
    """Yield the references of the page, and whether each may be followed."""
    for node in tree.css("a[href], area[href]"):
        attributes = node.attributes
        yield attributes.get("href") or "", "nofollow" not in (attributes.get("rel") or "").lower().split()
    for node in tree.css("iframe[src], frame[src]"):
        yield node.attributes.get("src") or "", True
    for node in tree.css("meta[http-equiv]"):
        if (node.attributes.get("http-equiv") or "").lower() == "refresh":
            hit = _REFRESH.match(node.attributes.get("content") or "")
            if hit:
                yield hit[1], True


def _absolute(href: str, *, base: str, encoding: str) -> str | None:
    """Return the address of *href* without fragment; None if it is not a web address."""
    href = href.strip()
    if not href or href[0] == "#":
        return None
    try:
        return resolved_url(href, base=base, encoding=encoding)
    except ValueError:
        return None
