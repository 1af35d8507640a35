"""Iterate over the tags of a page without building a tree, in linear time for any markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from corpusmill.schemas.decoding.references import unescaped

_VALUE: Final = r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\s>"'][^\s>]*+)"""
_ATTRIBUTES: Final = rf"""(?:[\s/]++|[^\s/>=][^\s/>=]*+(?:\s*+=\s*+{_VALUE}?+)?+|=)*+"""
_TAG: Final = re.compile(
    rf"<(?:!--.*?(?:-->|\Z)|(?P<end>/)?(?P<name>[a-zA-Z][^\s/>]*+)(?P<attributes>{_ATTRIBUTES})(?:>|\Z)|[!?/][^>]*+>?)",
    re.DOTALL,
)
"""Every alternative consumes the text it inspects, so no character is inspected more than a few times."""
_ATTRIBUTE: Final = re.compile(
    r"""([^\s/>=][^\s/>=]*+)(?:\s*+=\s*+(?:"([^"]*+)"?|'([^']*+)'?|([^\s>"'][^\s>]*+))?)?""", re.DOTALL
)
_RAW: Final = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
}
"""Raw text elements, in which ``<`` begins no tag, and their end tags."""


class Tag(NamedTuple):
    """A start or end tag: characters `start` to `end` of the markup; `name` is in lower case."""

    name: str
    is_end: bool
    attributes: str
    start: int
    end: int


def tags(markup: str) -> Iterator[Tag]:
    """Yield the tags of *markup* in order, except those in comments and raw text.

    >>> [tag.name for tag in tags("<p class='a>b'>x<!-- <i> --><script>if (a<b) </script></p>")]
    ['p', 'script', 'script', 'p']
    """
    at = 0
    while (match := _TAG.search(markup, at)) is not None:
        at = match.end()
        if not match["name"]:
            continue
        name = match["name"].lower()
        yield Tag(name, bool(match["end"]), match["attributes"], match.start(), at)
        if name in _RAW and not match["end"]:
            end = _RAW[name].search(markup, at)
            at = end.start() if end is not None else len(markup)


def attributes(source: str) -> dict[str, str]:
    """Return the attributes of a tag, with lower-case names. Of duplicate names, the first counts.

    >>> attributes(" Class='a b' alt=&lt;x checked")
    {'class': 'a b', 'alt': '<x', 'checked': ''}
    """
    values: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(source):
        value = double or single or bare
        values.setdefault(name.lower(), unescaped(value))
    return values
