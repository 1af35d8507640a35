"""Extract the links and robots directives of a page."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.crawlers.frontier.robots import PRODUCT_TOKEN
from corpusmill.crawlers.frontier.traps import SKETCHED_CHARACTERS
from corpusmill.crawlers.references import names_another_scheme, resolved_url
from corpusmill.crawlers.tags import Tag, attributes_of, tags, visible_text
from corpusmill.schemas.decoding.pages import decode_with_codec
from corpusmill.schemas.urls import TooLongURLError

_ROBOTS_NAMES: Final = frozenset(("robots", PRODUCT_TOKEN))
_HIDDEN: Final = frozenset(("/script", "/style"))
"""End tags of elements whose content is not text."""
_REFRESH: Final = re.compile(r"^\s*[\d.]*\s*[;,]\s*(?:url\s*=\s*)?[\"']?([^\"']+)", re.IGNORECASE)
_REFERENCE_CHARACTERS: Final = 200

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
    has the links without a valid address.
    """

    follow: tuple[str, ...]
    nofollow: tuple[str, ...]
    noindex: bool
    text: str = ""
    unusable: tuple[UnusableLink, ...] = ()


@dataclass
class _Page:
    """The links, directives and texts of a page, as far as it is scanned.

    Args:
        hrefs: The references, and whether one of the links with them may be followed.
    """

    base: str | None = None
    hrefs: dict[str, bool] = field(default_factory=dict)
    directives: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    _characters: int = 0
    _link: tuple[str, int] | None = None

    def add_text(self, markup: str) -> None:
        """Add the text of *markup*, unless the page has more text than is compared."""
        if markup and self._characters <= SKETCHED_CHARACTERS:
            text = visible_text(markup[: 10 * SKETCHED_CHARACTERS])
            self._characters += len(text)
            self.texts.append(text)

    def add(self, tag: Tag) -> None:
        """Add what *tag* declares."""
        if tag.name in ("a", "/a", ""):
            self._end_link()
        match tag.name:
            case "a" | "area":
                self._add_link(tag)
            case "iframe" | "frame":
                self._add_href(attributes_of(tag).get("src"))
            case "base" if self.base is None:
                self.base = attributes_of(tag).get("href")
            case "meta":
                self._add_meta(attributes_of(tag))

    def _add_link(self, tag: Tag) -> None:
        attributes = attributes_of(tag)
        href = attributes.get("href")
        self._add_href(href, may_follow="nofollow" not in attributes.get("rel", "").lower().split())
        if tag.name == "a" and href is not None:
            self._link = href, len(self.texts)

    def _end_link(self) -> None:
        """Delete the text of the link that ends here if it only shows its address."""
        if self._link is not None:
            href, start = self._link
            self._link = None
            if "".join(map(str.strip, self.texts[start:])) == href:
                del self.texts[start:]

    def _add_href(self, href: str | None, *, may_follow: bool = True) -> None:
        if href is not None:
            self.hrefs[href] = self.hrefs.get(href, False) or may_follow

    def _add_meta(self, attributes: Mapping[str, str]) -> None:
        if attributes.get("name", "").strip().lower() in _ROBOTS_NAMES:
            self.directives.append(attributes.get("content", ""))
        if attributes.get("http-equiv", "").lower() == "refresh":
            hit = _REFRESH.match(attributes.get("content", ""))
            self._add_href(hit[1] if hit else None)


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
    page = _scanned(text)
    tags = [headers.get("x-robots-tag", "")] if robots_tags is None else robots_tags
    directives = _words(page.directives).union(*map(header_directives, tags))
    base = _base(page.base, url)
    follows = "nofollow" not in directives
    links: dict[str, bool] = {}
    unusable: list[UnusableLink] = []
    characters = 0
    for href, may_follow in page.hrefs.items():
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
        text=" ".join(page.texts),
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


def _scanned(text: str) -> _Page:
    page = _Page()
    templates = 0
    for tag in tags(text):
        if not templates and tag.name not in _HIDDEN:
            page.add_text(tag.before)
        if tag.name == "template":
            templates += 1
        elif tag.name == "/template":
            templates = max(0, templates - 1)
        elif not templates:
            page.add(tag)
    return page


def _absolute(href: str, *, base: str, encoding: str) -> str | None:
    """Return the address of *href* without fragment; None if it is no link to another page.

    Raises:
        ValueError: The address is not valid, or too long.
    """
    href = href.strip()
    if not href or href[0] == "#" or names_another_scheme(href):
        return None
    return resolved_url(href, base=base, encoding=encoding)
