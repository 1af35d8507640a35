"""What links and pictures within a block are written as: which of them, their addresses, the space around them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urljoin

from corpusmill.pipelines.stages.extract.content import Block, Span

PERMALINKS: Final = "¶\uf0c1🔗"
"""Signs at the end of headings and definitions that link to themselves: Sphinx, its theme for Read the Docs, others."""
_UNSAFE: Final = ("javascript:", "vbscript:", "data:", "file:", "about:", "blob:")
_MAX_TARGET_CHARS: Final = 2_000
_IN_TARGET: Final = str.maketrans(
    {" ": "%20", "(": "%28", ")": "%29", "<": "%3C", ">": "%3E", "\\": "%5C", "|": "%7C", '"': "%22", "`": "%60"}
    | {chr(code): "" for code in range(32)}
)


def without_permalink(block: Block) -> Block:
    """Give *block*, whose text ends with one of `PERMALINKS`, without it and its link.

    >>> without_permalink(Block("heading", "Sizes¶", spans=(Span("link", 5, 6, "#sizes"), Span("code", 0, 6))))[-2:]
    ((Span(kind='code', start=0, end=5, target='', alt=''),), False)
    """
    text = block.text[:-1].rstrip()
    spans = (span._replace(end=min(span.end, len(text))) for span in block.spans if span.start < len(text))
    return block._replace(text=text, spans=tuple(spans))


def is_word(alt: str) -> bool:
    """Tell whether the text of a picture is more than a sign, as that of an emoji is."""
    return any(map(str.isalnum, alt))


def spaced(inserted: str, text: str, place: int) -> str:
    """Give *inserted* with the spaces that part it from the words on both sides of *place* in *text*.

    >>> spaced("[map]", "See here", 4), spaced("[map]", "Seehere", 3)
    ('[map] ', ' [map] ')
    """
    before = " " if place and text[place - 1].isalnum() else ""
    after = " " if place < len(text) and text[place].isalnum() else ""
    return f"{before}{inserted}{after}"


def apart(spans: Iterable[Span]) -> list[Span]:
    """Give the spans that begin after the end of the one before, so that none lies in another."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.start < span.end and (not found or span.start >= found[-1].end):
            found.append(span)
    return found


def address(target: str, base: str | None = None) -> str:
    """Give *target* as it can be written in ``[text](address)``; empty when it leads nowhere outside the page.

    >>> address("../a b?x=(1)", "https://example.org/docs/page"), address("javascript:void(0)"), address("#top")
    ('https://example.org/a%20b?x=%281%29', '', '')
    """
    target = target.strip()
    if not target or target.startswith("#") or len(target) > _MAX_TARGET_CHARS:
        return ""
    if base and len(base) > _MAX_TARGET_CHARS:  # it would stand in front of each relative link
        return "" if "://" not in target else address(target)
    if base:
        try:
            target = urljoin(base, target)
        except ValueError:  # such as http://[bad
            return ""
    if len(target) > _MAX_TARGET_CHARS:  # a page's own address can be long, and stands in front of each of its links
        return ""
    target = target.translate(_IN_TARGET)
    return "" if target.lower().startswith(_UNSAFE) else target
