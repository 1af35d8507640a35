"""Other extractors in the form that is measured: page in bytes and its address to text. Each needs its own package.

pip install trafilatura pygoreadability resiliparse
"""

from __future__ import annotations


def trafilatura(html: bytes, url: str | None = None) -> str:
    """Give the text by Trafilatura's defaults."""
    from trafilatura import extract

    return extract(html, url=url) or ""


def go_readability(html: bytes, url: str | None = None) -> str:
    """Give the text by go-readability, a port of Mozilla's Readability."""
    from pygoreadability import from_string

    article = from_string(_characters(html), url) if url else from_string(_characters(html))
    return (article.content_text or "") if article else ""


def resiliparse(html: bytes, url: str | None = None) -> str:  # noqa: ARG001
    """Give the text by Resiliparse, without comments and texts of pictures."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(_characters(html))
    return extract_plain_text(tree, main_content=True, alt_texts=False, comments=False, links=False)


def _characters(html: bytes) -> str:
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    try:
        return html.decode("utf-8")
    except UnicodeDecodeError:
        return bytes_to_str(html, detect_encoding(html))
