"""What a page says to a crawler: its links, and whether it wants to be kept and followed."""

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
    """Absolute URLs a page links to, in page order, each once; `nofollow` those it does not vouch for.

    `noindex`: the page asks not to be kept. `text`: what it says, title and navigation included.
    """

    follow: tuple[str, ...]
    nofollow: tuple[str, ...]
    noindex: bool
    text: str = ""


def page_links(body: bytes, *, url: str, headers: Mapping[str, str]) -> PageLinks:
    """Read the HTML page *body* that came from *url* with *headers* (names in lower case)."""
    text, encoding = decode_with_codec(body, headers.get("content-type"))
    tree = LexborHTMLParser(text)
    wishes = header_wishes(headers.get("x-robots-tag", "")) | _meta_wishes(tree)
    base = _base(tree, url)
    hrefs: dict[str, bool] = {}
    for href, is_vouched in _hrefs(tree):
        hrefs[href] = hrefs.get(href, False) or is_vouched
    follows = "nofollow" not in wishes
    found: dict[str, bool] = {}
    for href, is_vouched in hrefs.items():
        target = _absolute(href, base=base, encoding=encoding)
        if target is not None:
            found[target] = found.get(target, False) or (is_vouched and follows)
    return PageLinks(
        follow=tuple(target for target, follow in found.items() if follow),
        nofollow=tuple(target for target, follow in found.items() if not follow),
        noindex="noindex" in wishes,
        text=_text(tree),
    )


def header_wishes(value: str) -> set[str]:
    """Give what an ``X-Robots-Tag`` asks of us; a part that begins with another crawler's name is for that one.

    >>> sorted(header_wishes("nofollow, otherbot: noindex"))
    ['nofollow']
    """
    wishes: set[str] = set()
    name = ""
    for part in value.lower().split(","):
        head, colon, tail = part.partition(":")
        # `unavailable_after: date` and `max-snippet: 20` are rules with a value, not names of crawlers.
        is_name = bool(colon) and not head.strip().startswith(("unavailable_after", "max-"))
        name = head.strip() if is_name else name
        if name in ("", *_ROBOTS_NAMES):
            wishes |= _words([tail if is_name else part])
    return wishes


def _meta_wishes(tree: LexborHTMLParser) -> set[str]:
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
    """Return the words of the page; a link that shows its address and nothing else has none."""
    tree.strip_tags(["script", "style", "template"])
    for node in tree.css("a[href]"):
        if node.text(strip=True) == node.attributes.get("href"):
            node.decompose()
    return tree.root.text(separator=" ") if tree.root is not None else ""


def _hrefs(tree: LexborHTMLParser) -> Iterable[tuple[str, bool]]:
    """Give what the page refers to, with whether it vouches for it."""
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
    """Return the address *href* means, without fragment; None when it is not one of the web."""
    href = href.strip()
    if not href or href[0] == "#":
        return None
    try:
        return resolved_url(href, base=base, encoding=encoding)
    except ValueError:
        return None
