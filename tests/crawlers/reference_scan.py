"""The scan of a page and the sketch of a text in Python, as a reference for the extension in C."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from html.entities import html5
from typing import Final, NamedTuple
from zlib import crc32

from corpusmill.schemas.splitmix import splitmix64

_RAW: Final = ("script", "style", "title", "textarea", "xmp", "noembed", "noframes", "iframe")
"""Elements whose content has no tags."""
_FOREIGN: Final = ("svg", "math")
_HIDDEN: Final = frozenset(("#script", "#style"))
_SCANNED: Final = "|".join((*_RAW, *_FOREIGN, "a", "area", "base", "link", "meta", "frame", "template", "plaintext"))
_MAX_ALTERNATES: Final = 64

# Repetitions are possessive, and what is not closed ends with the page, so that no character is scanned twice.
_BLANK: Final = r"[\t\n\f\r ]"
_NAME: Final = r"[^\t\n\f\r />][^\t\n\f\r />=]*+"
_VALUE: Final = r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >]*+)"""
_ATTRIBUTES: Final = rf"(?:[\t\n\f\r /]*+{_NAME}(?:{_BLANK}*+={_BLANK}*+{_VALUE})?+)*+[\t\n\f\r /]*+"
_COMMENT: Final = r"<!--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))"
_BOGUS_COMMENT: Final = r"<(?:[!?]|/(?![A-Za-z]))[^>]*+(?:>|\Z)"
_OTHER_TAG: Final = rf"</?(?!(?:{_SCANNED})(?:[\t\n\f\r />]|\Z))[A-Za-z][^\t\n\f\r />]*+{_ATTRIBUTES}(?:>|\Z)"
_MARKUP: Final = rf"(?:{_COMMENT}|{_BOGUS_COMMENT}|{_OTHER_TAG})"
_FLAGS: Final = re.IGNORECASE | re.ASCII
_NEXT: Final = re.compile(
    rf"(?:[^<]++|{_MARKUP}|<(?![A-Za-z/!?]))*+(<(/?)({_SCANNED})(?=[\t\n\f\r />]|\Z)({_ATTRIBUTES})(>|\Z))?+", _FLAGS
)
_IN_TEXT: Final = re.compile(_MARKUP, _FLAGS)
_ATTRIBUTE: Final = re.compile(rf"[\t\n\f\r /]*+({_NAME})(?:{_BLANK}*+={_BLANK}*+({_VALUE}))?+", _FLAGS)
_END_OF: Final = {name: re.compile(rf"</{name}(?=[\t\n\f\r />])[^>]*+>?+", _FLAGS) for name in _RAW}
_REFERENCE: Final = re.compile(r"&(?:(#(?:[0-9]++|[xX][0-9a-fA-F]++);?+)|([A-Za-z][A-Za-z0-9]*+(?:;|(?!=))))")
_TOO_LONG: Final = re.compile(r"&#(?:0*[1-9][0-9]{7,}+|[xX]0*[1-9a-fA-F][0-9a-fA-F]{7,}+);?+")
"""References to invalid code points, which Python fails to parse if they have thousands of digits."""
_REFRESH: Final = re.compile(
    r"\s*+[0-9.]*+\s*+[;,]\s*+(?:url\s*+=\s*+)?+[\"']?+([^\"']+)".replace(r"\s", _BLANK), re.IGNORECASE
)
_WORD: Final = re.compile(r"[a-z0-9]+|[^\W\d_]+")


class Tag(NamedTuple):
    """A tag, or the end of the page, whose `name` is empty. `before` is the markup since the tag before."""

    before: str
    name: str
    attributes: str


def tags(text: str) -> Iterator[Tag]:
    """Yield the scanned tags; the content of elements such as `script` is the `before` of `#script`."""
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
            yield Tag(content.replace("<", "&lt;"), f"#{name}", "")
    yield Tag("", "", "")


def attributes_of(written: str) -> dict[str, str]:
    """Return the attributes of a tag, with names in lower case; of equal names, the first counts."""
    attributes: dict[str, str] = {}
    for hit in _ATTRIBUTE.finditer(written):
        value = hit[2] or ""
        value = value[1:-1] if value[:1] in ("'", '"') else value
        attributes.setdefault(_lower(hit[1]), _REFERENCE.sub(_character, value))
    return attributes


def _character(reference: re.Match[str]) -> str:
    return _visible_text(reference[0]) if reference[1] else html5.get(reference[2], reference[0])


def _lower(text: str) -> str:
    return re.sub("[A-Z]+", lambda hit: hit[0].lower(), text)


def _visible_text(markup: str) -> str:
    return unescape(_TOO_LONG.sub("\ufffd", _IN_TEXT.sub(" ", markup)))


def _words(value: str) -> list[str]:
    return re.findall(r"[^\t\n\f\r ]+", _lower(value))


@dataclass
class _Page:
    agent: str
    max_characters: int
    base: str | None = None
    hrefs: dict[str, bool] = field(default_factory=dict)
    directives: list[str] = field(default_factory=list)
    alternates: list[tuple[str, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    _characters: int = 0
    _link: tuple[str, int] | None = None

    def add_text(self, markup: str) -> None:
        if markup and self._characters <= self.max_characters:
            text = _visible_text(markup)
            self._characters += len(text)
            self.texts.append(text)

    def add(self, tag: Tag) -> None:
        if tag.name in ("a", "/a", ""):
            self._end_link()
        attributes = attributes_of(tag.attributes)
        match tag.name:
            case "a" | "area":
                self._add_link(tag.name, attributes)
            case "iframe" | "frame":
                self._add_href(attributes.get("src"))
            case "base" if self.base is None:
                self.base = attributes.get("href")
            case "link" if len(self.alternates) < _MAX_ALTERNATES and "href" in attributes:
                if "alternate" in _words(attributes.get("rel", "")):
                    self.alternates.append((attributes.get("type", ""), attributes["href"]))
            case "meta":
                self._add_meta(attributes)

    def _add_link(self, name: str, attributes: Mapping[str, str]) -> None:
        href = attributes.get("href")
        self._add_href(href, may_follow="nofollow" not in _words(attributes.get("rel", "")))
        if name == "a" and href is not None:
            self._link = href, len(self.texts)

    def _end_link(self) -> None:
        if self._link is not None:
            href, start = self._link
            self._link = None
            if "".join(map(str.strip, self.texts[start:])) == href:
                del self.texts[start:]

    def _add_href(self, href: str | None, *, may_follow: bool = True) -> None:
        if href is not None:
            self.hrefs[href] = self.hrefs.get(href, False) or may_follow

    def _add_meta(self, attributes: Mapping[str, str]) -> None:
        content = attributes.get("content", "")
        if _lower(attributes.get("name", "").strip("\t\n\f\r ")) in ("robots", self.agent):
            self.directives.append(f"{content},")
        if _lower(attributes.get("http-equiv", "")) == "refresh":
            hit = _REFRESH.match(content)
            self._add_href(hit[1] if hit else None)


def scan(
    text: str, agent: str, max_characters: int
) -> tuple[str | None, dict[str, bool], str, list[tuple[str, str]], str]:
    """Do what `_scan.scan` does."""
    page = _Page(agent, max_characters)
    for tag, templates in _with_templates(text):
        if not templates and tag.name not in _HIDDEN:
            page.add_text(tag.before)
        if not templates and tag.name.removeprefix("/") != "template":
            page.add(tag)
    return page.base, page.hrefs, "".join(page.directives), page.alternates, " ".join(page.texts)


def declarations(text: str) -> list[tuple[str, dict[str, str], str]]:
    """Do what `_scan.declarations` does."""
    return [
        (tag.name, attributes_of(tag.attributes), tag.attributes)
        for tag, templates in _with_templates(text)
        if tag.name in ("meta", "link") and not templates
    ]


def _with_templates(text: str) -> Iterator[tuple[Tag, int]]:
    """Yield each tag, with the number of templates that are open before it."""
    templates = 0
    for tag in tags(text):
        yield tag, templates
        if tag.name == "template":
            templates += 1
        elif tag.name == "/template":
            templates = max(0, templates - 1)


def sketch(text: str, own: str, max_words: int) -> bytes:
    """Do what `_scan.sketch` does."""
    counts = Counter(_hashes(text))
    left_out = set(_hashes(own))
    features = {
        splitmix64(time << 32 | word) & 0xFFFFFFFF
        for word, times in counts.items()
        if word not in left_out
        for time in range(times)
    }
    return b"".join(feature.to_bytes(4, "little") for feature in sorted(features)[:max_words])


def _hashes(text: str) -> list[int]:
    return [crc32(word.encode("utf-8", "replace")) for word in _WORD.findall(text) if not word.isdigit()]


def same(one: bytes, others: list[bytes], compared: int, share: float) -> bool:
    """Do what `_scan.same` does."""
    return any(_is_alike(_values(one)[:compared], _values(other)[:compared], compared, share) for other in others)


def _is_alike(one: list[int], other: list[int], compared: int, share: float) -> bool:
    union = sorted({*one, *other})
    if max(len(one), len(other)) == compared:
        union = union[:compared]
    return len({*one} & {*other} & {*union}) >= share * len(union)


def _values(sketch: bytes) -> list[int]:
    return [int.from_bytes(sketch[at : at + 4], "little") for at in range(0, len(sketch) // 4 * 4, 4)]
