"""Articles in JATS and its predecessor, the NLM format, as text and fields.

The text is the abstract and the body: paragraphs, headings, lists, and by choice tables, captions, formulas, footnotes
and references. Marks of citations that are only numbers go, with the brackets around them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from lxml import etree

from corpusmill.crawlers.readers.citation_marks import MARK, is_mark, tidied
from corpusmill.crawlers.readers.license_words import license_in_words
from corpusmill.crawlers.readers.mathml import tex_of
from corpusmill.crawlers.readers.xml import local_name
from corpusmill.schemas.licenses import spdx

ALI: Final = "{http://www.niso.org/schemas/ali/1.0/}license_ref"
HREF: Final = "{http://www.w3.org/1999/xlink}href"
LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_ABSTRACTS: Final = frozenset(
    (None, "", "summary", "executive-summary", "plain-language-summary", "key-points", "section")
)
"""Kinds of abstracts that are texts of their own; others repeat a sentence for a list or a picture."""
_NEVER: Final = frozenset(
    "object-id graphic media inline-graphic supplementary-material alt-text long-desc permissions contrib-group aff "
    "author-notes history attrib-group sec-meta kwd-group subj-group related-article related-object fn-type "
    "processing-instruction table-count x".split()
)
_OPTIONAL: Final = {
    "table-wrap": "tables",
    "table-wrap-group": "tables",
    "table": "tables",
    "caption": "captions",
    "disp-formula": "formulas",
    "inline-formula": "formulas",
    "ref-list": "references",
    "fn": "footnotes",
    "fn-group": "footnotes",
    "ack": "acknowledgments",
}
_BLOCKS: Final = frozenset(
    "sec p title list list-item def-list def-item def term disp-quote boxed-text preformat code verse-group verse-line "
    "fig fig-group table-wrap table-wrap-group table-wrap-foot table caption label disp-formula disp-formula-group "
    "statement speech speaker app app-group ref-list ref fn fn-group ack abstract body floats-group question answer "
    "glossary subtitle alternatives".split()
)
_PREAMBLE: Final = re.compile(r"\A.*?\\begin\{document\}|\\end\{document\}.*\Z", re.DOTALL)
_DELIMITERS: Final = re.compile(r"\A(?:\$\$?|\\\[|\\\()|(?:\$\$?|\\\]|\\\))\Z")
_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()


def text_of(article: etree._Element, *, keep: frozenset[str]) -> str:
    """Return the abstract and the body of *article* as text. *keep* names the optional parts, as `_OPTIONAL`."""
    writer = _Writer(keep)
    meta = article.find("front/article-meta")
    for abstract in () if meta is None else meta.iterfind("abstract"):
        if abstract.get("abstract-type") in _ABSTRACTS:
            writer.block(abstract)
    for part in ("body", "floats-group"):
        if (element := article.find(part)) is not None:
            writer.block(element)
    if (back := article.find("back")) is not None:
        for child in back:
            kind = local_name(child)
            is_section = kind == "sec" and "back_sections" in keep
            if is_section or kind in {"app", "app-group", "ack", "fn-group", "ref-list", "glossary"}:
                writer.block(child)
    return writer.text()


def title_of(article: etree._Element) -> str | None:
    """Return the title with its subtitle, without marks of footnotes."""
    group = article.find("front/article-meta/title-group")
    if group is None:
        return None
    writer = _Writer(frozenset(("formulas",)))
    parts = [writer.inline(element) for name in ("article-title", "subtitle") for element in group.iterfind(name)]
    return ": ".join(part for part in parts if part) or None


def license_of(article: etree._Element) -> tuple[str, str] | None:
    """Return the license of *article* and where it stands: an address, `ali:license_ref`, a link or words."""
    places = article.findall("front/article-meta/permissions/license") + article.findall("front/article-meta/license")
    candidates: list[tuple[str, str]] = []
    for place in places:
        candidates.append((place.get(HREF) or "", "jats:license@href"))
        candidates += [("".join(ref.itertext()), "jats:ali:license_ref") for ref in place.iter(ALI)]
        for link in (*place.iter("ext-link"), *place.iter("uri")):
            candidates.append((link.get(HREF) or "".join(link.itertext()), "jats:license-p"))
    for permissions in article.iterfind("front/article-meta/permissions"):
        candidates += [("".join(ref.itertext()), "jats:ali:license_ref") for ref in permissions.iterfind(ALI)]
    for value, source in candidates:
        if identifier := spdx(value):
            return identifier, source
    for place in places:
        if identifier := license_in_words(" ".join("".join(place.itertext()).split())):
            return identifier, "jats:license-p"
    return None


def published(article: etree._Element) -> datetime | None:
    """Return the earliest complete day of publication; without one, the earliest month or year."""
    days: list[datetime] = []
    others: list[datetime] = []
    for element in article.iterfind("front/article-meta/pub-date"):
        if (element.get("pub-type") or element.get("date-type") or "pub") in {
            "pmc-release",
            "nihms-submitted",
            "retracted",
        }:
            continue
        parts = [element.findtext(name) or "" for name in ("year", "month", "day")]
        if (moment := _moment(*parts)) is not None:
            (days if parts[1] and parts[2] else others).append(moment)
    return min(days or others, default=None)


def _moment(year: str, month: str, day: str) -> datetime | None:
    name = month.strip().lower()[:3]
    number = str(_MONTHS.index(name) + 1) if name in _MONTHS else month
    try:
        return datetime(int(year), int(number or 1), int(day or 1), tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def ids_of(article: etree._Element) -> dict[str, str]:
    """Return the ids of *article* by kind: `pmc`, `pmid`, `doi`, …."""
    found: dict[str, str] = {}
    for element in article.iterfind("front/article-meta/article-id"):
        if text := "".join(element.itertext()).strip():
            kind = (element.get("pub-id-type") or "").lower()
            found.setdefault("pmc" if kind == "pmcid" else kind, text)
    if (pmc := found.get("pmc")) and pmc.isdecimal():
        found["pmc"] = f"PMC{pmc}"
    return found


def without_namespace(article: etree._Element) -> etree._Element:
    """Remove the namespace of JATS, which some services such as OAI-PMH add, from the names of *article*; in place."""
    space = etree.QName(article).namespace
    for element in article.iter(f"{{{space}}}*") if space else ():
        element.tag = local_name(element)
    return article


def words_of(elements: Iterator[etree._Element] | list[etree._Element]) -> list[str]:
    """Return the text of each element in one line, without the empty ones."""
    return [text for element in elements if (text := " ".join("".join(element.itertext()).split()))]


class _Writer:
    """Collects blocks. Elements are nested at most 256 deep, because the parser refuses more."""

    def __init__(self, keep: frozenset[str]) -> None:
        self._keep = keep
        self._blocks: list[str] = []
        self._mark = ""

    def text(self) -> str:
        """Return the blocks, divided by empty lines."""
        return "\n\n".join(self._blocks)

    def _is_left_out(self, tag: str) -> bool:
        return not tag or tag in _NEVER or (tag in _OPTIONAL and _OPTIONAL[tag] not in self._keep)

    def block(self, element: etree._Element) -> None:
        """Add the blocks of *element*: the words between its blocks are blocks, too."""
        tag = local_name(element)
        if self._is_left_out(tag):
            return
        special: Callable[[etree._Element], None] | None = getattr(self, f"_{tag.replace('-', '_')}", None)
        if special is not None and tag in _SPECIAL:
            special(element)
            return
        pieces = [element.text or ""]
        for child in element:
            if local_name(child) in _BLOCKS:
                self._add("".join(pieces))
                pieces = []
                self.block(child)
            else:
                pieces.append(self._words(child))
            pieces.append(child.tail or "")
        self._add("".join(pieces))

    def _add(self, words: str, *, lines: bool = False) -> None:
        text = words.strip("\n") if lines else tidied(words)
        if text.strip():
            self._blocks.append(self._mark + text)
            self._mark = " " * len(self._mark)

    def _list(self, element: etree._Element) -> None:
        outer, start = self._mark, len(self._blocks)
        for child in element:
            if local_name(child) == "list-item":
                self._mark = " " * len(outer) + "- "
                for part in child:
                    if local_name(part) != "label":
                        self.block(part)
            else:
                self.block(child)
        self._blocks[start:] = ["\n".join(self._blocks[start:])] if len(self._blocks) > start else []
        self._mark = " " * len(outer)

    def _def_list(self, element: etree._Element) -> None:
        lines = []
        for item in element.iterfind("def-item"):
            term, meaning = item.find("term"), item.find("def")
            parts = [self.inline(part) for part in (term, meaning) if part is not None]
            lines.append(": ".join(part for part in parts if part))
        self._add("\n".join(filter(None, lines)), lines=True)

    def _table(self, element: etree._Element) -> None:
        rows = []
        for row in element.iter():
            if local_name(row) not in {"tr", "row"}:
                continue
            cells = [self.inline(cell) for cell in row if local_name(cell) in {"td", "th", "entry"}]
            if any(cells):
                rows.append(" | ".join(cells))
        self._add("\n".join(rows), lines=True)

    def _preformat(self, element: etree._Element) -> None:
        self._add("".join(element.itertext()), lines=True)

    def _verse_group(self, element: etree._Element) -> None:
        self._add("\n".join(self.inline(line) for line in element.iter("verse-line", "title")), lines=True)

    def _alternatives(self, element: etree._Element) -> None:
        """Write the first form that gives text: a table or a formula rather than its picture."""
        start = len(self._blocks)
        for child in element:
            self.block(child)
            if len(self._blocks) > start:
                return

    def _disp_formula(self, element: etree._Element) -> None:
        if formula := _formula(element):
            self._add(f"$${formula}$$")

    def _label(self, element: etree._Element) -> None:
        """Write the label of a figure, a table, a theorem or a box; others are numbers of parts."""
        parent = element.getparent()
        kind = local_name(parent) if parent is not None else ""
        if kind in {"statement", "boxed-text", "app"} or (kind in {"fig", "table-wrap"} and "captions" in self._keep):
            self._add(self._inner(element))

    def inline(self, element: etree._Element) -> str:
        """Return the words of *element* in one line."""
        pieces = [element.text or ""]
        for child in element:
            pieces += (self._words(child), child.tail or "")
        return tidied("".join(pieces))

    def _words(self, element: etree._Element) -> str:
        """Return the words of *element* as they stand in a line, without its tail."""
        tag = local_name(element)
        if tag == "alternatives":
            return next((words for child in element if (words := self._words(child)).strip()), "")
        if tag in {"inline-formula", "tex-math", "math"}:
            formula = _formula(element) if "formulas" in self._keep else ""
            return f"${formula}$" if formula else MARK
        if tag == "xref":
            words = "".join(element.itertext())
            return MARK if is_mark(element.get("ref-type"), words) else self._inner(element)
        if tag in {"break", "hr"}:
            return " "
        if tag == "sup":
            words = self._inner(element)
            if not words.strip(f" ,;–-{MARK}"):
                return MARK if MARK in words else ""
            return f"^{words}" if re.fullmatch(r"[+−–-]?\d+(?:\.\d+)?", words.strip()) else words
        if self._is_left_out(tag) or tag == "label":
            return MARK if tag else ""
        inner = self._inner(element)
        return f" {inner} " if tag in _BLOCKS else inner

    def _inner(self, element: etree._Element) -> str:
        return (element.text or "") + "".join(self._words(child) + (child.tail or "") for child in element)


_SPECIAL: Final = frozenset("list def-list table preformat code verse-group disp-formula label alternatives".split())
_Writer._code = _Writer._preformat  # type: ignore[attr-defined]


def _formula(element: etree._Element) -> str:
    """Return a formula as TeX: as the author wrote it, else from MathML, else the characters."""
    if (tex := next(element.iter("tex-math"), None)) is not None:
        source = _PREAMBLE.sub("", "".join(tex.itertext())).strip()
        return " ".join(_DELIMITERS.sub("", _DELIMITERS.sub("", source)).split())
    math = next((node for node in element.iter() if local_name(node) == "math"), None)
    if math is not None:
        return tex_of(math)
    return " ".join("".join(element.itertext()).split())
