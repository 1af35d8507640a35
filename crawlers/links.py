"""Extract the links and robots directives of a page."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from corpusmill.crawlers._scan import scan
from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.crawlers.frontier.robots import PRODUCT_TOKEN
from corpusmill.crawlers.frontier.traps import SKETCHED_CHARACTERS
from corpusmill.crawlers.references import names_another_scheme, resolved_url
from corpusmill.schemas.decoding.pages import decode_with_codec
from corpusmill.schemas.urls import TooLongURLError

_ROBOTS_NAMES: Final = frozenset(("robots", PRODUCT_TOKEN))
_REFERENCE_CHARACTERS: Final = 200
FEED_TYPES: Final = frozenset(("application/rss+xml", "application/atom+xml", "application/feed+json"))
"""Types of the links in which a page announces its feeds (https://www.rssboard.org/rss-autodiscovery)."""
MAX_FEEDS: Final = 4
"""Announced feeds of a page that are read: most sites have one of posts, one of comments, each in two formats."""
MAX_LINK_CHARACTERS: Final = 1 << 24
"""Maximum length of all links of a page, each counted once: 200,000 links of 80 characters. A long base address makes
long links of short references."""


@dataclass(frozen=True)
class UnusableLink:
    """A link that cannot be followed: its reference, shortened with a hash if it is long, the rule and the message."""

    reference: str
    rule: str
    message: str

    @classmethod
    def of(cls, reference: str, error: ValueError) -> UnusableLink:
        """Describe the *reference* that cannot be resolved because of *error*."""
        rule = "link.too_long" if isinstance(error, TooLongURLError) else "link.invalid"
        text = reference.encode("utf-8", "replace")
        shown = text.decode()
        if len(shown) > _REFERENCE_CHARACTERS:
            shown = f"{shown[:_REFERENCE_CHARACTERS]}… {hashlib.sha256(text).hexdigest()[:16]}"
        return cls(shown, rule, f"{str(error)[:_REFERENCE_CHARACTERS]}; the link has {len(reference):,}")


@dataclass(frozen=True)
class PageLinks:
    """Distinct absolute URLs that a page links to, in page order; `nofollow` has those with that directive.

    `noindex` says whether the page has that directive. `text` is its text, including title and navigation. `unusable`
    has the links without a valid address. `feeds` are the feeds that it announces.
    """

    follow: tuple[str, ...]
    nofollow: tuple[str, ...]
    noindex: bool
    text: str = ""
    unusable: tuple[UnusableLink, ...] = ()
    feeds: tuple[str, ...] = ()


def page_links(
    body: bytes, *, url: str, headers: Mapping[str, str], robots_tags: Sequence[str] | None = None
) -> PageLinks:
    """Scan the HTML page *body*, which was fetched from *url* with *headers* (names in lower case).

    Args:
        robots_tags: The values of repeated `X-Robots-Tag` headers. Joined by commas, as in *headers*, the name of an
            agent in one of them would hold for the next one as well.

    Raises:
        Refusal: ``error.too_large``: its links have more than `MAX_LINK_CHARACTERS`.
    """
    text, encoding = decode_with_codec(body, headers.get("content-type"))
    base_href, references, stated, alternates, visible = scan(text, PRODUCT_TOKEN, SKETCHED_CHARACTERS)
    tags = [headers.get("x-robots-tag", "")] if robots_tags is None else robots_tags
    directives = _words([stated]).union(*map(header_directives, tags))
    base = _base(base_href, url)
    follows = "nofollow" not in directives
    links: dict[str, bool] = {}
    unusable: list[UnusableLink] = []
    characters = 0
    for href, may_follow in references.items():
        try:
            target = _absolute(href, base=base, encoding=encoding)
        except ValueError as error:
            unusable.append(UnusableLink.of(href.strip(), error))
            continue
        if target is None:
            continue
        characters += 0 if target in links else len(target)
        if characters > MAX_LINK_CHARACTERS:
            raise Refusal("error.too_large", f"links above {MAX_LINK_CHARACTERS:,} characters")
        links[target] = links.get(target, False) or (may_follow and follows)
    return PageLinks(
        follow=tuple(target for target, follow in links.items() if follow),
        nofollow=tuple(target for target, follow in links.items() if not follow),
        noindex="noindex" in directives,
        feeds=tuple(_feeds(alternates, base=base, encoding=encoding)),
        text=visible,
        unusable=tuple(dict.fromkeys(unusable)),
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


def _words(values: Iterable[str]) -> set[str]:
    words = {word for value in values for word in re.split(r"[\s,]+", value.lower())}
    return words | {"noindex", "nofollow"} if "none" in words else words


def _base(href: str | None, url: str) -> str:
    try:
        return url if href is None else resolved_url(href, base=url)
    except ValueError:
        return url


def _absolute(href: str, *, base: str, encoding: str) -> str | None:
    """Return the address of *href* without fragment; None if it is no link to another page.

    Raises:
        ValueError: The address is not valid, or too long.
    """
    href = href.strip()
    if not href or href[0] == "#" or names_another_scheme(href):
        return None
    return resolved_url(href, base=base, encoding=encoding)


def _feeds(alternates: Iterable[tuple[str, str]], *, base: str, encoding: str) -> Iterable[str]:
    """Yield the addresses of the first feeds among the *alternates* of a page: types and references."""
    types = [(media_type.partition(";")[0].strip().lower(), href) for media_type, href in alternates]
    for href in [href for media_type, href in types if media_type in FEED_TYPES][:MAX_FEEDS]:
        with suppress(ValueError):
            if feed := _absolute(href, base=base, encoding=encoding):
                yield feed
