"""Scan HTML for the tags that matter to a crawler, in linear time and without a tree.

The trees of hostile pages (unclosed or misnested elements) take quadratic time or memory. The scan follows the
tokenizer of the HTML standard (13.2.5). Unlike a tree, it also has tags that browsers ignore because of their place,
such as a frame in a paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5
from typing import Final, NamedTuple

_RAW: Final = ("script", "style", "title", "textarea", "xmp", "noembed", "noframes", "iframe")
"""Elements whose content has no tags."""
_FOREIGN: Final = ("svg", "math")
_SCANNED: Final = "|".join((*_RAW, *_FOREIGN, "a", "area", "base", "link", "meta", "frame", "template", "plaintext"))

# Repetitions are possessive, and what is not closed ends with the page, so that no character is scanned twice.
_NAME: Final = r"[^\t\n\f\r />][^\t\n\f\r />=]*+"
_VALUE: Final = r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >]*+)"""
_ATTRIBUTES: Final = rf"(?:[\s/]*+{_NAME}(?:\s*+=\s*+{_VALUE})?+)*+[\s/]*+"
_COMMENT: Final = r"<!--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))"
_BOGUS_COMMENT: Final = r"<(?:[!?]|/(?![A-Za-z]))[^>]*+(?:>|\Z)"
_OTHER_TAG: Final = rf"</?(?!(?:{_SCANNED})(?:[\s/>]|\Z))[A-Za-z][^\t\n\f\r />]*+{_ATTRIBUTES}(?:>|\Z)"
_MARKUP: Final = rf"(?:{_COMMENT}|{_BOGUS_COMMENT}|{_OTHER_TAG})"
_FLAGS: Final = re.IGNORECASE | re.ASCII
_NEXT: Final = re.compile(
    rf"(?:[^<]++|{_MARKUP}|<(?![A-Za-z/!?]))*+(<(/?)({_SCANNED})(?=[\s/>]|\Z)({_ATTRIBUTES})(>|\Z))?+", _FLAGS
)
_IN_TEXT: Final = re.compile(_MARKUP, _FLAGS)
_ATTRIBUTE: Final = re.compile(rf"[\s/]*+({_NAME})(?:\s*+=\s*+({_VALUE}))?+", _FLAGS)
_END_OF: Final = {name: re.compile(rf"</{name}(?=[\s/>])[^>]*+>?+", _FLAGS) for name in _RAW}
_REFERENCE: Final = re.compile(r"&(?:(#(?:[0-9]++|[xX][0-9a-fA-F]++);?+)|([A-Za-z][A-Za-z0-9]*+(?:;|(?!=))))")
_TOO_LONG: Final = re.compile(r"&#(?:[0-9]{8,}+|[xX][0-9a-fA-F]{8,}+);?+")
"""References to invalid code points, which Python fails to parse if they have thousands of digits."""


class Tag(NamedTuple):
    """A tag, or the end of the page, whose `name` is empty.

    Args:
        before: The markup since the tag before, which has none of the scanned tags.
        name: In lower case; end tags begin with a slash.
        attributes: As written; see `attributes_of`.
    """

    before: str
    name: str
    attributes: str


def tags(text: str) -> Iterator[Tag]:
    """Yield the tags of the page *text* that have links or directives, or decide which text is visible.

    The content of elements such as `script` and `title` is the `before` of their end tag.
    """
    at, foreign = 0, 0
    while at < len(text):
        hit = _NEXT.match(text, at)
        assert hit is not None
        name = (hit[2] + hit[3]).lower() if hit[5] else ""
        yield Tag(text[at : hit.start(1) if hit[1] else hit.end()], name, hit[4] or "")
        at = hit.end()
        if name.removeprefix("/") in _FOREIGN:
            foreign = max(0, foreign + (-1 if name[0] == "/" else not hit[4].endswith("/")))
        elif name == "plaintext":
            yield Tag(text[at:].replace("<", "&lt;"), "", "")
            return
        elif name in _RAW and not (foreign and hit[4].endswith("/")):
            end = _END_OF[name].search(text, at)
            content = text[at : end.start() if end else len(text)]
            at = end.end() if end else len(text)
            yield Tag(content.replace("<", "&lt;"), f"/{name}", "")


def attributes_of(tag: Tag) -> dict[str, str]:
    """Return the attributes of *tag*, with names in lower case; of equal names, the first counts.

    >>> attributes_of(Tag("", "a", " HREF='?a=1&copy=2&amp;b' href=x download"))
    {'href': '?a=1&copy=2&b', 'download': ''}
    """
    attributes: dict[str, str] = {}
    for hit in _ATTRIBUTE.finditer(tag.attributes):
        value = hit[2] or ""
        attributes.setdefault(hit[1].lower(), _decoded(value[1:-1] if value[:1] in ("'", '"') else value))
    return attributes


def visible_text(markup: str) -> str:
    """Return the text of *markup*, the `before` of a tag, with blanks in place of its tags.

    >>> visible_text("1 &lt; 2<br>&#" + "9" * 5_000)
    '1 < 2 \ufffd'
    """
    return unescaped(_IN_TEXT.sub(" ", markup))


def unescaped(text: str) -> str:
    """Return *text* with its character references replaced; invalid ones become U+FFFD."""
    return unescape(_TOO_LONG.sub("\ufffd", text))


def _decoded(value: str) -> str:
    """Return the attribute *value* with its references, among which `&copy=` and `&copyright` are not."""
    return _REFERENCE.sub(_character, value) if "&" in value else value


def _character(reference: re.Match[str]) -> str:
    return visible_text(reference[0]) if reference[1] else html5.get(reference[2], reference[0])
