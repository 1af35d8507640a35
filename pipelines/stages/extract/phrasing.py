"""Write the text of one block as Markdown: escapes, links, code, strong and emphasized words.

Escapes and marks are written in one pass over the text, from one list of positions each. Marks that CommonMark would
not recognize (such as emphasis that ends after a bracket in the middle of a word) are omitted. TeX is not escaped:
Markdown parsers that support formulas (GitHub, Pandoc, Jupyter) read the text between dollar signs verbatim.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from corpusmill.pipelines.stages.extract import inline
from corpusmill.pipelines.stages.extract.content import Block, Span

_SPECIAL: Final = re.compile(
    r"\\|(?P<run>`+|\*+|_+|~~+)|\](?=\()|<(?=[A-Za-z/!?])|&(?=\#?[0-9A-Za-z]{1,32};)",
)
_MAYBE_SPECIAL: Final = re.compile(r"[\\`*_~\]<&]")
_PUNCTUATION: Final = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_EMPHASIS: Final = {"strong": "**", "emphasis": "*"}
_SIGNS: Final = {
    **_EMPHASIS,
    "sub": "<sub>",
    "sup": "<sup>",
    "link": "[",
    **dict.fromkeys(("image", "code", "formula"), ""),
}
_LEAVES: Final = frozenset(("code", "formula", "image"))
_MAX_DEPTH: Final = 8
_AT_START: Final = re.compile(
    r"(?P<mark>\#{1,6}(?=\s|$)|>|[-+*](?=\s|$)|`{3,}+(?!.*`)|~{3,}|(?P<rule>[-*_])(?:\ *(?P=rule))+\ *$)"
    r"|(?P<number>\d{1,9})[.)](?=\s|$)",
    re.VERBOSE,
)
_TEX: Final = re.compile(r"(\$\$?)(?:\\[^\n]|(?!\*\*)[^\\$`\n])++\1")
"""TeX between dollar signs. Code and strong words in it cannot be written in another way."""
_NO_TEX: Final = re.compile(r"<(?=[A-Za-z/!?])|\](?=\()|\\\|")
_SAYS_THE_SAME: Final = {"<": r"\lt ", "]": "] ", r"\|": r"\Vert "}
"""Characters that would be a tag, a link or the end of a cell if TeX is parsed as Markdown."""
_UNDER_A_LINE: Final = re.compile(r"(?:=+|\|?\ *:?-+:?\ *(?:\|\ *:?-+:?\ *)*+\|?)\ *$", re.VERBOSE)
"""A line that turns the line of text before it into a heading or a table head."""
_DEFINITION: Final = re.compile(r"\[(?:[^\[\]\\]|\\.)*+\]:", re.DOTALL)


@dataclass(slots=True)
class _Mark:
    """A marked range, within the open ranges before it."""

    kind: str
    start: int
    end: int
    target: str = ""
    alt: str = ""


def phrase(block: Block, *, links: bool, images: bool, base: str | None) -> str:
    r"""Return the text of *block* with its marks, and with all other special characters escaped.

    >>> phrase(Block("paragraph", "a_b *c* d", spans=(Span("strong", 8, 9),)), links=False, images=False, base=None)
    'a_b \\*c\\* **d**'
    """
    text, spans = block.text, block.spans
    if not spans:
        return _escaped(text)
    return _written(text, _marks(text, _usable(spans, links=links, images=images, base=base)))


def at_line_start(text: str) -> str:
    r"""Return *text* escaped so that no line begins a list, a heading, a quote, code, a rule or a table.

    >>> at_line_start("# 1\n2. x")
    '\\# 1\\\n2\\. x'
    """
    if text[:1].isalpha() and "\n" not in text:
        return text.rstrip()
    lines = [line for line in map(str.strip, text.split("\n")) if line] if "\n" in text else [text.strip()]
    if lines and lines[0].startswith("[") and _DEFINITION.match("\n".join(lines)):
        lines[0] = "\\" + lines[0]
    return "\\\n".join([_started(line, is_first=index == 0) for index, line in enumerate(lines)])


def _started(line: str, *, is_first: bool) -> str:
    match = _AT_START.match(line)
    if match is not None:
        number = match["number"]
        return f"{number}\\{line[len(number) :]}" if number else f"\\{line}"
    if not is_first and _UNDER_A_LINE.match(line):
        return f"\\{line}"
    return line


def _escaped(text: str) -> str:
    return _backslashed(text, _escapes(text))


def _backslashed(text: str, places: Sequence[int]) -> str:
    if not places:
        return text
    pieces: list[str] = []
    after = 0
    for place in places:
        pieces.append(text[after:place])
        after = place
    return "\\".join([*pieces, text[after:]])


def _escapes(text: str, edges: Collection[int] = ()) -> list[int]:
    """Return the positions in *text* that need a backslash. A single run of stars alone needs none.

    Args:
        edges: Positions at which marks begin and end.
    """
    if _MAYBE_SPECIAL.search(text) is None:
        return []
    places: list[int] = []
    runs: dict[str, list[tuple[int, int]]] = {}
    for match in _SPECIAL.finditer(text):
        start, end = match.span()
        sign = text[start]
        if match["run"]:
            if start in edges or end in edges or not _is_harmless(text, start, end):
                runs.setdefault(sign, []).append((start, end))
        elif sign != "\\" or end in edges or end == len(text) or text[end] in _PUNCTUATION or text[end] == "\n":
            places.append(start)
    for stretches in runs.values():
        if len(stretches) > 1 or edges:
            places += [place for start, end in stretches for place in range(start, end)]
    return sorted(places)


def _is_harmless(text: str, start: int, end: int) -> bool:
    """Return whether a run of stars or underscores can neither begin nor end emphasis."""
    sign = text[start]
    before = text[start - 1] if start else "\n"
    after = text[end] if end < len(text) else " "
    if sign in "*_" and before == after == " ":  # lines may begin and end with a backslash
        return True
    return sign == "_" and before.isalnum() and after.isalnum()


def _usable(spans: Iterable[Span], *, links: bool, images: bool, base: str | None) -> Iterator[Span]:
    """Yield the spans to write, with their targets in written form."""
    for span in spans:
        if span.kind == "link" or span.kind == "image":
            target = inline.address(span.target, base) if (links if span.kind == "link" else images) else ""
            if target:
                yield span._replace(target=target)
        elif span.kind in _SIGNS:
            yield span._replace(target="")


def _marks(text: str, spans: Iterable[Span]) -> list[_Mark]:
    """Return marks that are nested or separate, in order, without white space at their ends."""
    marks: list[_Mark] = []
    open_: list[_Mark] = []
    for span in sorted((_within(text, span) for span in spans), key=lambda span: (span.start, -span.end)):
        start, end = span.start, span.end
        left: _Mark | None = None
        while open_ and open_[-1].end <= start:
            left = open_.pop()
        if span.kind != "image":
            end = _trimmed(text, start, min(end, open_[-1].end))[1] if open_ else end
            if start >= end or (span.kind == "formula" and not _is_tex(text[start:end])):
                continue
        if left is not None and left.end == start and left.kind == span.kind and not span.target:
            left.end = end
            open_.append(left)
        elif _fits(span.kind, open_):
            marks.append(_Mark(span.kind, start, end, span.target, span.alt))
            open_.append(marks[-1])
        elif span.kind == "image" and start == open_[-1].start and open_[-1] is marks[-1]:
            marks.insert(-1, _Mark(span.kind, start, end, span.target, span.alt))  # before code, not inside it
    return _readable(text, marks)


def _within(text: str, span: Span) -> Span:
    """Return *span* without white space at its ends. An image keeps its position."""
    if span.kind == "image":
        start = end = min(span.start, len(text))
    else:
        start, end = _trimmed(text, span.start, min(span.end, len(text)))
    return span._replace(start=start, end=end)


def _is_tex(text: str) -> bool:
    """Return whether a formula is written as TeX and stays verbatim. Other formulas are ordinary text."""
    return _TEX.fullmatch(text) is not None


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _fits(kind: str, open_: Sequence[_Mark]) -> bool:
    return len(open_) < _MAX_DEPTH and not any(mark.kind == kind or mark.kind in _LEAVES for mark in open_)


def _readable(text: str, marks: Sequence[_Mark]) -> list[_Mark]:
    """Return the marks without those that CommonMark would not recognize because of the characters around them."""
    others = [mark for mark in marks if mark.kind not in _EMPHASIS]
    starts = {mark.start for mark in others}
    ends = {mark.end for mark in others}
    others_end = {place for mark in others if mark.kind != "code" for place in (mark.start, mark.end)}
    taken: set[int] = set()
    code_ends: set[int] = set()
    kept: list[_Mark] = []
    around: list[_Mark] = []  # open strong and emphasized words
    for mark in marks:
        if mark.kind in _EMPHASIS:
            while around and around[-1].end <= mark.start:
                around.pop()
            if around and (around[-1].start == mark.start) != (around[-1].end == mark.end):
                continue  # three stars in a row would be read as both marks or as neither
            outside = (_at(text, mark.start - 1), _at(text, mark.end))
            opens = (text[mark.start].isalnum() and mark.start not in starts) or outside[0] in _BREAKS
            closes = (text[mark.end - 1].isalnum() and mark.end not in ends) or outside[1] in _BREAKS
            if not (opens and closes) or mark.start in taken:
                continue
            taken.add(mark.end)
            around.append(mark)
        elif mark.kind == "code":
            if mark.start in code_ends and mark.start not in others_end:
                continue  # two runs of backticks would merge
            code_ends.add(mark.end)
        kept.append(mark)
    return kept


_BREAKS: Final = _PUNCTUATION | frozenset(" \n")


def _at(text: str, place: int) -> str:
    return text[place] if 0 <= place < len(text) else " "


def _written(text: str, marks: Sequence[_Mark]) -> str:
    """Write *text* with *marks* and escapes."""
    escapes = iter([*_bracketed(text, marks), len(text) + 1])
    return "".join(_Pen(text, escapes).write(marks))


def _bracketed(text: str, marks: Sequence[_Mark]) -> list[int]:
    """Return all positions that need a backslash, including brackets within the text of a link or an image."""
    places = set(_escapes(text, {place for mark in marks for place in (mark.start, mark.end)}))
    for mark in marks:
        if mark.kind == "link":
            places |= {place for place in range(mark.start, mark.end) if text[place] in "[]"}
    return sorted(places)


class _Pen:
    """The position of the writer in the text, and its open marks."""

    def __init__(self, text: str, escapes: Iterator[int]) -> None:
        self.text, self.escapes = text, escapes
        self.escape = next(escapes)
        self.at = 0
        self.out: list[str] = []

    def write(self, marks: Sequence[_Mark]) -> list[str]:
        open_: list[_Mark] = []
        for mark in marks:
            while open_ and open_[-1].end <= mark.start:
                self.close(open_.pop())
            self.go_to(mark.start)
            self.begin(mark)
            open_.append(mark)
        while open_:
            self.close(open_.pop())
        self.go_to(len(self.text))
        return self.out

    def go_to(self, place: int) -> None:
        """Write the text up to *place*."""
        while self.escape < place:
            self.out += self.text[self.at : self.escape], "\\"
            self.at = self.escape
            self.escape = next(self.escapes)
        self.out.append(self.text[self.at : place])
        self.at = place

    def begin(self, mark: _Mark) -> None:
        if mark.kind == "link" and self.out and self.out[-1].endswith("!"):
            self.out[-1] = self.out[-1][:-1] + "\\!"
        if mark.kind == "image":
            self.out.append(inline.spaced(_picture(mark), self.text, mark.start))
        elif mark.kind in ("code", "formula"):
            text = self.text[mark.start : mark.end]
            self.out.append(code(text) if mark.kind == "code" else tex(text))
            self.at = mark.end
            while self.escape < mark.end:
                self.escape = next(self.escapes)
        else:
            self.out.append(_SIGNS[mark.kind])

    def close(self, mark: _Mark) -> None:
        if mark.kind in _LEAVES:
            return
        self.go_to(mark.end)
        if mark.target:
            self.out.append(f"]({mark.target})")
        else:
            self.out.append(_SIGNS[mark.kind].replace("<", "</"))


def _picture(mark: _Mark) -> str:
    alt = " ".join(mark.alt.split())
    places = {place for place, sign in enumerate(alt) if sign in "[]"}.union(_escapes(alt, (0, len(alt))))
    return f"![{_backslashed(alt, sorted(places))}]({mark.target})"


def code(text: str) -> str:
    """Return *text* as inline code.

    >>> code("x = 1"), code("`")
    ('`x = 1`', '`` ` ``')
    """
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{pad}{text.replace(chr(10), ' ')}{pad}{fence}"


def tex(text: str) -> str:
    r"""Return TeX so that it can be used in Markdown, including parsers that do not support TeX.

    >>> tex(r"$a<b$"), tex(r"$\|x\|$"), tex("$a < b$")
    ('$a\\lt b$', '$\\Vert x\\Vert $', '$a < b$')
    """
    return _NO_TEX.sub(lambda match: _SAYS_THE_SAME[match[0]], text)
