"""The tags of a page one after the other, without a tree: linear in the markup, whatever it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from corpusmill.pipelines.stages.extract.references import unescaped

_VALUE: Final = r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\s>"'][^\s>]*+)"""
_ATTRIBUTES: Final = rf"""(?:[\s/]++|[^\s/>=][^\s/>=]*+(?:\s*+=\s*+{_VALUE}?+)?+|=)*+"""
_TAG: Final = re.compile(
    rf"<(?:!--.*?(?:-->|\Z)|(?P<end>/)?(?P<name>[a-zA-Z][^\s/>]*+)(?P<attributes>{_ATTRIBUTES})(?:>|\Z)|[!?/][^>]*+>?)",
    re.DOTALL,
)
"""Every alternative consumes what it has looked at: no sign is looked at more than a few times."""
_ATTRIBUTE: Final = re.compile(
    r"""([^\s/>=][^\s/>=]*+)(?:\s*+=\s*+(?:"([^"]*+)"?|'([^']*+)'?|([^\s>"'][^\s>]*+))?)?""", re.DOTALL
)
_RAW: Final = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
}
"""Elements whose content is text, in which a ``<`` begins nothing, and where they end."""


class Tag(NamedTuple):
    """A start or end tag: characters `start` to `end` of the markup; `name` is in lower case."""

    name: str
    is_end: bool
    attributes: str
    start: int
    end: int


def tags(markup: str) -> Iterator[Tag]:
    """Give the tags of *markup* in order, those in comments and in raw text excepted.

    >>> [tag.name for tag in tags("<p class='a>b'>x<!-- <i> --><script>if (a<b) </script></p>")]
    ['p', 'script', 'script', 'p']
    """
    at = 0
    while (found := _TAG.search(markup, at)) is not None:
        at = found.end()
        if not found["name"]:
            continue
        name = found["name"].lower()
        yield Tag(name, bool(found["end"]), found["attributes"], found.start(), at)
        if name in _RAW and not found["end"]:
            end = _RAW[name].search(markup, at)
            at = end.start() if end is not None else len(markup)


def attributes(source: str) -> dict[str, str]:
    """Give the attributes of a tag; names in lower case, the first of two with one name.

    >>> attributes(" Class='a b' alt=&lt;x checked")
    {'class': 'a b', 'alt': '<x', 'checked': ''}
    """
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(source):
        value = double or single or bare
        found.setdefault(name.lower(), unescaped(value))
    return found
