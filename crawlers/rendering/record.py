"""The record of a rendered page: the response with another body, so that its headers still speak for the page."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from corpusmill.crawlers._scan import declarations
from corpusmill.crawlers.warc import Exchange

_REPLACED: Final = re.compile(
    rb"(?:content-(?:type|encoding|length|md5)|(?:x-crawler-)?transfer-encoding|etag|digest|content-digest)\s*:",
    re.IGNORECASE,
)
_BEGINNING: Final = re.compile(r"\s*+(?:<!doctype[^>]*+>)?\s*+(?:<html[^>]*+>)?\s*+(?:<head[^>]*+>)?", re.IGNORECASE)


def rendered_exchange(exchange: Exchange, markup: str) -> Exchange:
    """Return *exchange* with the rendered *markup* as its body, in UTF-8 and without content coding."""
    body = markup.encode("utf-8", "replace")
    first, *lines = exchange.head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    kind = exchange.headers.get("content-type", "").partition(";")[0].strip() or "text/html"
    content_type = f"{kind}; charset=utf-8"
    kept = [line for line in lines if not _REPLACED.match(line)]
    head = b"\r\n".join((first, *kept, f"Content-Type: {content_type}".encode("latin-1", "replace"))) + b"\r\n\r\n"
    headers = {name: value for name, value in exchange.headers.items() if not _REPLACED.match(f"{name}:".encode())}
    return replace(exchange, head=head, headers=headers | {"content-type": content_type}, body=body, truncated=False)


def with_declarations(markup: str, original: str) -> str:
    """Return *markup* with the `<meta>` and `<link>` tags of the *original* page that scripts removed, in its head.

    >>> with_declarations("<html><head></head><p>a</html>", "<meta name=robots content=noai><p>a")
    '<html><head><meta name=robots content=noai></head><p>a</html>'
    """
    present = {(name, written) for name, _, written in declarations(markup)}
    stated = dict.fromkeys((name, written) for name, _, written in declarations(original))
    lost = [f"<{name}{written}>" for name, written in stated if (name, written) not in present]
    beginning = _BEGINNING.match(markup)
    end = beginning.end() if beginning else 0
    return markup[:end] + "".join(lost) + markup[end:]
