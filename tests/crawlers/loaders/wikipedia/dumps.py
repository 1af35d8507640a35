"""Made dumps of MediaWiki."""

from __future__ import annotations

import bz2
from collections.abc import Iterable
from xml.sax.saxutils import escape

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="{language}">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <base>https://{language}.wikipedia.org/wiki/Main_Page</base>
    <generator>{generator}</generator>
    <namespaces>
      <namespace key="0" case="first-letter" />
      <namespace key="1" case="first-letter">Talk</namespace>
      <namespace key="14" case="first-letter">Category</namespace>
    </namespaces>
  </siteinfo>
"""
END = "</mediawiki>\n"


def head(language: str = "en", generator: str = "MediaWiki 1.44.0-wmf.3") -> str:
    """Return the beginning of a dump."""
    return HEAD.format(language=language, generator=generator)


def page(
    number: int,
    text: str,
    *,
    title: str | None = None,
    namespace: int = 0,
    extra: str = "",
    timestamp: str = "2024-05-06T07:08:09Z",
    model: str = "wikitext",
) -> str:
    """Return a page."""
    return f"""  <page>
    <title>{escape(title or f"Page {number}")}</title>
    <ns>{namespace}</ns>
    <id>{number}</id>{extra}
    <revision>
      <id>{number + 1000}</id>
      <timestamp>{timestamp}</timestamp>
      <contributor><username>Ann Author</username><id>7</id></contributor>
      <comment>an edit</comment>
      <model>{model}</model>
      <format>text/x-wiki</format>
      <text bytes="{len(text)}" xml:space="preserve">{escape(text)}</text>
    </revision>
  </page>
"""


def dump(pages: Iterable[str], **site: str) -> str:
    """Return a dump with *pages*."""
    return head(**site) + "".join(pages) + END


def multistream(pages: list[str], *, pages_in_stream: int = 3) -> bytes:
    """Return a dump in bzip2 with a stream for each few pages, as Wikimedia publishes it."""
    groups = ["".join(pages[at : at + pages_in_stream]) for at in range(0, len(pages), pages_in_stream)]
    return b"".join(bz2.compress(piece.encode()) for piece in (head(), *groups, END))
