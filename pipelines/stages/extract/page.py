"""One page: from its bytes to its text and what it says about itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from pipelines.stages.extract.blocks import Block, tree_of
from pipelines.stages.extract.choice import main_blocks
from pipelines.stages.extract.decoding import decode, is_binary
from pipelines.stages.extract.evidence import Evidence, evidence_of
from pipelines.stages.extract.flat import flat_text
from pipelines.stages.extract.guard import MAX_PAGE_BYTES, is_beyond_limits
from pipelines.stages.extract.options import Options
from pipelines.stages.extract.rendering import render
from pipelines.stages.extract.selection import selected
from schemas.errors import DataError

DEFAULT: Final = Options()
_PLAIN: Final = frozenset(("text/plain", "text/markdown", "text/x-rst", "text/csv"))
_MARKUP: Final = frozenset(("text/html", "application/xhtml+xml", "application/xml", "text/xml", ""))


@dataclass(frozen=True)
class Page:
    """What a page gave.

    Args:
        text: The main content; empty when there is none.
        blocks: The blocks that `text` is made of; empty for a page that was read without a tree.
        is_flat: The markup is beyond the parser's limits and was read as a stream of tags.
    """

    text: str
    title: str | None = None
    blocks: tuple[Block, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)
    is_flat: bool = False


def extract(html: bytes, url: str | None = None) -> str:
    """Give the main text of a page; the empty string when there is none or *html* is no markup.

    >>> extract(b"<nav><a href=/>Home</a></nav><p>The harbour reopened on Tuesday, after the storm.</p>")
    'The harbour reopened on Tuesday, after the storm.'
    """
    try:
        return extract_page(html, url).text
    except DataError:
        return ""


def extract_page(
    html: bytes, url: str | None = None, *, media_type: str | None = None, options: Options = DEFAULT
) -> Page:
    """Read a page: its text, the blocks it is made of, and what it says about itself.

    Args:
        html: The body as it was sent, after content decoding.
        url: Where it was found: chooses `options.sites`.
        media_type: The value of `Content-Type`; its charset counts.

    Raises:
        DataError: The body is too large (`too_large`) or no text (`not_html`).
    """
    if len(html) > MAX_PAGE_BYTES:
        raise DataError(f"{len(html)} bytes, more than {MAX_PAGE_BYTES}", kind="too_large")
    kind = (media_type or "").partition(";")[0].strip().lower()
    if is_binary(html) or (kind not in _MARKUP and not kind.startswith("text/")):
        raise DataError(f"no markup: {kind or 'unknown type'}, begins with {html[:8]!r}", kind="not_html")
    markup = decode(html, media_type)
    if kind in _PLAIN:
        return Page(text=_lines(markup))
    if is_beyond_limits(markup):
        return Page(text=flat_text(markup), is_flat=True)
    return _read(LexborHTMLParser(markup), url, options)


def _read(parser: LexborHTMLParser, url: str | None, options: Options) -> Page:
    selectors = options.selectors_for(url)
    evidence = evidence_of(parser)
    was_selected = False
    if selectors:
        parser, was_selected = selected(parser, selectors)
    tree = tree_of(parser)
    blocks = tree.blocks if was_selected else main_blocks(tree, options.favor)
    return Page(text=render(blocks), title=evidence.title, blocks=tuple(blocks), evidence=evidence)


def _lines(text: str) -> str:
    """Give plain text with the line ends of Unix and without white space around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
