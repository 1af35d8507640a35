"""Comments and extension tags (`<ref>`, `<math>`, `<nowiki>`, …), whose content is not wikitext, before the rest.

MediaWiki reads them first, from left to right, so that braces within them mean nothing. What stays in the text is kept
apart, and a mark of two NUL characters, which XML cannot contain, stands in its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Final

from corpusmill.schemas.decoding.references import unescaped

LINE: Final = "\x02"
"""A line break that paragraphs keep."""
_RAW: Final = frozenset({"nowiki", "pre", "syntaxhighlight", "source"})
_MATH: Final = frozenset({"math", "chem", "ce"})
_DROPPED: Final = frozenset(
    "score timeline imagemap templatedata graph mapframe maplink hiero indicator categorytree inputbox templatestyles "
    "includeonly charinsert quiz section references style script rss dynamicpagelist languages".split()
)
_TAGS: Final = "|".join(sorted({"ref", "gallery", "poem", *_RAW, *_MATH, *_DROPPED}, key=lambda tag: (-len(tag), tag)))
_OPENING: Final = re.compile(rf"<!--|<({_TAGS})(?=[\s/>])([^<>]{{0,2000}})>", re.IGNORECASE)
_TRANSCLUSION: Final = re.compile(r"</?(?:noinclude|onlyinclude)\s*/?>", re.IGNORECASE)
_MARK: Final = re.compile("\0([0-9]+)\0")
_NOTE_BEGINS: Final = re.compile(r"<ref(?=[\s>])[^<>]{0,2000}(?<!/)>", re.IGNORECASE)
_NOTE_PARTS: Final = re.compile(rf"{_NOTE_BEGINS.pattern}|</ref\s*>|\n\n", re.IGNORECASE)
_MAX_NOTES_IN_NOTE: Final = 20
_SOURCE: Final = re.compile(r"\s{0,10}(?:\{\{[^{}]{0,5000}\}\}|\[[^\[\]\n]{0,5000}\])")
_SPACES: Final = re.compile(r"\s+")


@dataclass
class Apart:
    """What was set apart: the texts of marks, and the contents of `<ref>` and `<gallery>` tags as wikitext."""

    texts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def mark(self, text: str) -> str:
        """Keep *text* and return its mark."""
        self.texts.append(text)
        return f"\0{len(self.texts) - 1}\0"

    def restored(self, text: str) -> str:
        """Return *text* with the kept texts in place of their marks."""
        if "\0" not in text:
            return text
        return _MARK.sub(lambda match: self.texts[int(match[1])], text)


@cache
def _closing(tag: str) -> re.Pattern[str]:
    return re.compile(rf"</{tag}\s*>", re.IGNORECASE)


def without_extensions(text: str, apart: Apart, *, keep: frozenset[str]) -> str:
    """Return *text* without comments and extension tags; time is linear in the size of *text*.

    >>> apart = Apart()
    >>> apart.restored(without_extensions("a<!-- b --> <math>x^2</math><ref>c</ref>", apart, keep=frozenset()))
    'a $x^2$'
    """
    pieces: list[str] = []
    position = 0
    unclosed: set[str] = set()
    closings: dict[str, re.Match[str]] = {}
    while (opening := _OPENING.search(text, position)) is not None:
        pieces.append(text[position : opening.start()])
        if opening[1] is None:
            end = text.find("-->", opening.end())
            position = len(text) if end < 0 else _past_line(text, opening.start(), end + 3)
            continue
        tag, position = opening[1].lower(), opening.end()
        if opening[2].endswith("/") or tag in unclosed:
            continue
        closing = closings.get(tag)
        if closing is None or closing.start() < position:
            closing = _closing(tag).search(text, position)
        if closing is None:
            unclosed.add(tag)
            position = _past_source(text, position) if tag == "ref" else position
            continue
        closings[tag] = closing
        end, after = _note(text, position, closing) if tag == "ref" else closing.span()
        pieces.append(_rendered(tag, opening[2], text[position:end], apart, keep))
        position = after
    rest = "".join((*pieces, text[position:])) if pieces else text
    return _TRANSCLUSION.sub("", rest) if "include" in rest else rest


def _note(text: str, start: int, closing: re.Match[str]) -> tuple[int, int]:
    """Return the end of the note that begins at *start*, and of its closing tag.

    If a second note begins before the end, the first one contains it, with a closing tag in the same paragraph, or its
    author forgot the end or a slash: then the text behind it is not part of the note.
    """
    if _NOTE_BEGINS.search(text, start, closing.start()) is None:
        return closing.span()
    depth = 1
    for match in islice(_NOTE_PARTS.finditer(text, start), _MAX_NOTES_IN_NOTE):
        if match[0][0] == "\n":
            break
        depth += -1 if match[0][1] == "/" else 1
        if not depth:
            return match.span()
    end = _past_source(text, start)
    return end, end


def _past_source(text: str, start: int) -> int:
    """Return the end of the source, a template or an address, that a note without an end begins with."""
    source = _SOURCE.match(text, start)
    return source.end() if source is not None else start


def _past_line(text: str, start: int, end: int) -> int:
    """Return *end*, or the start of the next line if the comment in ``[start, end)`` is alone on its line."""
    is_alone = (start == 0 or text[start - 1] == "\n") and text[end : end + 1] == "\n"
    return end + 1 if is_alone else end


def _rendered(tag: str, attributes: str, content: str, apart: Apart, keep: frozenset[str]) -> str:
    if tag == "ref":
        if "references" in keep:
            apart.notes.append(content)
        return ""
    if tag == "references" and "references" in keep:
        without_extensions(content, apart, keep=keep)
    if tag in _MATH:
        return _math(tag, attributes, content, apart)
    if tag in _RAW:
        return _raw(tag, attributes, content, apart)
    if tag == "poem":
        return "\n\n" + content.strip("\n").replace("\n", LINE) + "\n\n"
    if tag == "gallery" and "captions" in keep:
        return _captions(content)
    return ""


def _math(tag: str, attributes: str, content: str, apart: Apart) -> str:
    tex = _SPACES.sub(" ", content).strip()
    if not tex:
        return ""
    if tag != "math":
        tex = rf"\ce{{{tex}}}"
    is_block = "block" in attributes and "display" in attributes
    return apart.mark(f"$${tex}$$" if is_block else f"${tex}$")


def _raw(tag: str, attributes: str, content: str, apart: Apart) -> str:
    content = unescaped(content)
    if tag == "nowiki" or (tag != "pre" and re.search(r"\binline\b", attributes)):
        return apart.mark(content)
    return f"\n\n{apart.mark(content.strip(chr(10)))}\n\n" if content.strip() else ""


def _captions(content: str) -> str:
    captions = (line.partition("|")[2] for line in content.splitlines())
    kept = [caption.rpartition("alt=")[0] if caption.startswith("alt=") else caption for caption in captions]
    return "\n\n" + "\n\n".join(caption.strip() for caption in kept if caption.strip()) + "\n\n"
