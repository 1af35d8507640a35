"""Links and images within a block: which to write, their addresses, and the spaces around them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urljoin

from corpusmill.pipelines.stages.extract.content import Block, Span

PERMALINKS: Final = "¶\uf0c1🔗"
"""Signs at the end of headings and definitions that link to themselves: Sphinx, the Read the Docs theme, others."""
_UNSAFE: Final = ("javascript:", "vbscript:", "data:", "file:", "about:", "blob:")
_MAX_TARGET_CHARS: Final = 2_000
_IN_TARGET: Final = str.maketrans(
    {" ": "%20", "(": "%28", ")": "%29", "<": "%3C", ">": "%3E", "\\": "%5C", "|": "%7C", '"': "%22", "`": "%60"}
    | {chr(code): "" for code in range(32)}
)


def without_permalink(block: Block) -> Block:
    """Return *block*, whose text ends with one of `PERMALINKS`, without this sign and its link.

    >>> without_permalink(Block("heading", "Sizes¶", spans=(Span("link", 5, 6, "#sizes"), Span("code", 0, 6))))[-2:]
    ((Span(kind='code', start=0, end=5, target='', alt=''),), False)
    """
    text = block.text[:-1].rstrip()
    spans = (span._replace(end=min(span.end, len(text))) for span in block.spans if span.start < len(text))
    return block._replace(text=text, spans=tuple(spans))


def is_word(alt: str) -> bool:
    """Return whether the alternative text of an image has words, unlike that of an emoji."""
    return any(map(str.isalnum, alt))


def spaced(inserted: str, text: str, place: int) -> str:
    """Return *inserted* with spaces that separate it from the words around *place* in *text*.

    >>> spaced("[map]", "See here", 4), spaced("[map]", "Seehere", 3)
    ('[map] ', ' [map] ')
    """
    before = " " if place and text[place - 1].isalnum() else ""
    after = " " if place < len(text) and text[place].isalnum() else ""
    return f"{before}{inserted}{after}"


def apart(spans: Iterable[Span]) -> list[Span]:
    """Return the spans that begin after the end of the previous one, so that none is nested."""
    separate: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.start < span.end and (not separate or span.start >= separate[-1].end):
            separate.append(span)
    return separate


def address(target: str, base: str | None = None) -> str:
    """Return *target* in the form for ``[text](address)``; empty if it does not lead to another page.

    >>> address("../a b?x=(1)", "https://example.org/docs/page"), address("javascript:void(0)"), address("#top")
    ('https://example.org/a%20b?x=%281%29', '', '')
    """
    target = target.strip()
    if not target or target.startswith("#") or len(target) > _MAX_TARGET_CHARS:
        return ""
    if base and len(base) > _MAX_TARGET_CHARS:  # it would be repeated in each relative link
        return "" if "://" not in target else address(target)
    if base:
        try:
            target = urljoin(base, target)
        except ValueError:  # for example http://[bad
            return ""
    if len(target) > _MAX_TARGET_CHARS:  # the page's own address, repeated in each link, can be long
        return ""
    target = target.translate(_IN_TARGET)
    return "" if target.lower().startswith(_UNSAFE) else target
