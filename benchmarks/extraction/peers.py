"""Other extractors as functions from the bytes and URL of a page to its text. Each needs its own package.

pip install trafilatura pygoreadability resiliparse
"""

from __future__ import annotations


def trafilatura(html: bytes, url: str | None = None) -> str:
    """Extract the text with Trafilatura and its defaults."""
    from trafilatura import extract

    return extract(html, url=url) or ""


def go_readability(html: bytes, url: str | None = None) -> str:
    """Extract the text with go-readability, a port of Mozilla's Readability."""
    from pygoreadability import from_string

    article = from_string(_decoded(html), url) if url else from_string(_decoded(html))
    return (article.content_text or "") if article else ""


def resiliparse(html: bytes, url: str | None = None) -> str:  # noqa: ARG001
    """Extract the text with Resiliparse, without comments and alternative texts of images."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(_decoded(html))
    return extract_plain_text(tree, main_content=True, alt_texts=False, comments=False, links=False)


def _decoded(html: bytes) -> str:
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    try:
        return html.decode("utf-8")
    except UnicodeDecodeError:
        return bytes_to_str(html, detect_encoding(html))
