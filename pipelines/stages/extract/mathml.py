"""Convert Presentation MathML to TeX: a stack of open elements, each converted when it ends.

Unknown elements are transparent. Nothing recurses; elements nested deeper than `MAX_DEPTH` are read as if they were at
that depth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from corpusmill.pipelines.stages.extract import tex

MAX_DEPTH: Final = 100
"""Maximum number of open elements; formulas written by people have up to 30."""
MAX_CHARS: Final = 200_000
"""Maximum markup of one formula; longer ones are left unchanged."""

_ATOM: Final = re.compile(r"[^\\\s]|[0-9.]+|\\(?:[A-Za-z]+|[^A-Za-z])|\\[A-Za-z]+\{[^{}]*\}")
_OPERATOR: Final = re.compile(
    r"\\(?:sum|prod|coprod|big[a-z]+|lim|limsup|liminf|max|min|sup|inf|det|gcd|Pr|i*int|oint|underbrace|overbrace)"
    r"(?![A-Za-z]).*|\\operatorname\{[^{}]*\}",
    re.DOTALL,
)
_SPACES: Final = re.compile(r"-?(\d*\.?\d+)\s*([a-z]+)")
_WIDTH_CHARS: Final = 40
_MAX_TEXT_CHARS: Final = 20_000
"""Maximum text of one formula. A sign becomes up to 20 letters of TeX, which every enclosing element copies."""
_TOKENS: Final = frozenset(("mi", "mn", "mo", "mtext", "ms", "annotation", "annotation-xml"))
_TEX: Final = frozenset(("application/x-tex", "application/x-latex", "tex", "latex", "text/x-tex", "application/tex"))
_NONE: Final = frozenset(("none", "mprescripts"))


@dataclass(slots=True)
class _Open:
    """An open element: the converted children, and the text directly in it."""

    name: str
    attributes: dict[str, str]
    children: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


class Formula:
    r"""A `math` element that is being read.

    >>> formula = Formula({"display": "block"})
    >>> for name, text in (("mi", "x"), ("mo", "≤"), ("mn", "2")):
    ...     formula.start(name, {}); formula.take(text); formula.end(name)
    >>> formula.tex(), formula.is_display
    ('x\\le2', True)
    """

    def __init__(self, attributes: dict[str, str]) -> None:
        self.attributes = attributes
        self.is_display = attributes.get("display") == "block" or attributes.get("mode") == "display"
        self.open = [_Open("math", attributes)]
        self.beyond = 0
        self.taken = 0
        self.source = ""

    @property
    def in_text(self) -> bool:
        """Whether the innermost element may hold HTML."""
        return self.open[-1].name in ("mtext", "mi", "mn", "mo", "ms", "annotation-xml", "annotation")

    def start(self, name: str, attributes: dict[str, str], *, is_empty: bool = False) -> None:
        """Open an element."""
        if self.open[-1].name in _TOKENS and name not in _ELEMENTS:
            return  # HTML within text: only its words are used
        if len(self.open) >= MAX_DEPTH:
            self.beyond += not is_empty
            return
        self.open.append(_Open(name, attributes))
        if is_empty:
            self.end(name)

    def take(self, text: str) -> None:
        """Append text to the innermost element."""
        self.taken += len(text)
        if self.taken > _MAX_TEXT_CHARS:
            return
        if text and (self.open[-1].name in _TOKENS or not text.isspace()):
            self.open[-1].text.append(text)

    def end(self, name: str) -> None:
        """End the innermost element with this name and all unclosed elements within it."""
        if self.beyond:
            self.beyond -= 1
            return
        if all(element.name != name for element in self.open[1:]):
            return
        while True:
            element = self.open.pop()
            self.close(element)
            if element.name == name:
                return

    def close(self, element: _Open) -> None:
        """Append the converted *element* to its parent."""
        name = element.name
        text = "".join(element.text)
        if name == "annotation":
            if element.attributes.get("encoding", "").lower() in _TEX and not self.source:
                self.source = tex.cleaned(text)
            return
        if name == "annotation-xml":
            return
        if name not in _TOKENS and text:
            element.children.append(tex.characters(text.strip()))
            element.names.append("")
        parent = self.open[-1]
        parent.children.append(_ELEMENTS.get(name, _row)(element))
        parent.names.append(name)

    def tex(self) -> str:
        """Return the formula as TeX: from an annotation if there is one, else converted."""
        while len(self.open) > 1:
            self.close(self.open.pop())
        return self.source or self.declared() or self.made()

    def declared(self) -> str:
        """Return the TeX in the attributes of `math`."""
        if source := self.attributes.get("data-latex", ""):
            return tex.cleaned(source)
        source = self.attributes.get("alttext", "")
        return tex.cleaned(source) if tex.looks_like_tex(source) else ""

    def made(self) -> str:
        """Return the TeX converted from the elements."""
        math = self.open[0]
        if not math.children:  # TeX in a `math` element, as older wikis wrote it
            return tex.cleaned("".join(math.text))
        return " ".join(tex.joined(math.children).split())


def _row(element: _Open) -> str:
    return tex.joined(element.children)


def _identifier(element: _Open) -> str:
    name = "".join(element.text).strip()
    variant = element.attributes.get("mathvariant", "")
    if name in tex.FUNCTIONS:
        return f"\\{name}"
    if name == "lim sup" or name == "lim inf":
        return f"\\{name.replace(' ', '')}"
    letters = tex.characters(name)
    if variant in tex.VARIANTS and letters and not (variant == "normal" and letters.startswith("\\")):
        return f"\\{tex.VARIANTS[variant]}{{{letters}}}"
    if len(name) > 1 and name.isalpha():
        return f"\\mathrm{{{letters}}}"
    return letters


def _number(element: _Open) -> str:
    return tex.characters("".join("".join(element.text).split()))


def _sign(element: _Open) -> str:
    sign = "".join(element.text).strip()
    if sign in tex.FUNCTIONS:
        return f"\\{sign}"
    return tex.words(sign) if len(sign) > 1 and sign.isalpha() else tex.characters(sign)


def _text(element: _Open) -> str:
    return tex.words(" ".join("".join(element.text).split(" ")))


def _string(element: _Open) -> str:
    marks = element.attributes
    return tex.words(f"{marks.get('lquote', chr(34))}{''.join(element.text)}{marks.get('rquote', chr(34))}")


def _space(element: _Open) -> str:
    match = _SPACES.match(element.attributes.get("width", "")[:_WIDTH_CHARS])
    if element.attributes.get("linebreak") == "newline":
        return r"\\ "
    if match is None or element.attributes["width"].startswith("-"):
        return ""
    ems = float(match[1]) if match[2] == "em" else float(match[1]) / 2 if match[2] == "ex" else 0.2
    return r"\quad " if ems >= 0.9 else r"\," if ems > 0 else ""


def _argument(element: _Open, index: int) -> str:
    return element.children[index] if index < len(element.children) else ""


def _base(source: str) -> str:
    return source if _ATOM.fullmatch(source) else f"{{{source}}}"


def _fraction(element: _Open) -> str:
    above, below = _argument(element, 0), _argument(element, 1)
    if element.attributes.get("linethickness", "")[:1] == "0":
        return f"{{{above} \\atop {below}}}"
    if element.attributes.get("bevelled") == "true":
        return f"{_base(above)}/{_base(below)}"
    return f"\\frac{{{above}}}{{{below}}}"


def _power(element: _Open) -> str:
    return _base(_argument(element, 0)) + _raised(_argument(element, 1))


def _raised(source: str) -> str:
    if set(source.replace("\\prime", "'").replace(" ", "")) == {"'"}:
        return source.replace("\\prime", "'").replace(" ", "")
    return f"^{{{source}}}" if source else ""


def _lowered(source: str) -> str:
    return f"_{{{source}}}" if source else ""


def _index(element: _Open) -> str:
    return _base(_argument(element, 0)) + _lowered(_argument(element, 1))


def _index_and_power(element: _Open) -> str:
    return _base(_argument(element, 0)) + _lowered(_argument(element, 1)) + _raised(_argument(element, 2))


def _root(element: _Open) -> str:
    return f"\\sqrt[{_argument(element, 1)}]{{{_argument(element, 0)}}}"


def _square_root(element: _Open) -> str:
    return f"\\sqrt{{{_row(element)}}}"


def _under(element: _Open) -> str:
    return _limits(_argument(element, 0), _argument(element, 1), "")


def _over(element: _Open) -> str:
    return _limits(_argument(element, 0), "", _argument(element, 1))


def _under_and_over(element: _Open) -> str:
    return _limits(_argument(element, 0), _argument(element, 1), _argument(element, 2))


_PLAIN: Final = {
    written: sign for sign, written in tex.SYMBOLS.items() if sign in tex.ACCENTS or sign in tex.UNDER_ACCENTS
}


def _limits(base: str, below: str, above: str) -> str:
    """Write the parts under and over *base*: limits of an operator, an accent, or anything else."""
    if _OPERATOR.fullmatch(base):
        return base + _lowered(below) + _raised(above)
    accent = tex.ACCENTS.get(_PLAIN.get(above, above))
    if above:
        base = f"\\{accent}{{{base}}}" if accent else f"\\overset{{{above}}}{{{base}}}"
    accent = tex.UNDER_ACCENTS.get(_PLAIN.get(below, below))
    if below:
        base = f"\\{accent}{{{base}}}" if accent else f"\\underset{{{below}}}{{{base}}}"
    return base


def _multiscripts(element: _Open) -> str:
    """Write the base, the pairs of index and power after it, and those before it (after `mprescripts`)."""
    base, scripts = _argument(element, 0), list(zip(element.children[1:], element.names[1:], strict=True))
    behind: list[str] = []
    before: list[str] = []
    where = behind
    for source, name in scripts:
        if name == "mprescripts":
            where = before
        else:
            where.append("" if name in _NONE else source)
    front = _pairs(before)
    return ("{}" + front if front else "") + _base(base) + _pairs(behind)


def _pairs(scripts: Sequence[str]) -> str:
    pairs = zip(scripts[::2], [*scripts[1::2], ""], strict=False)
    return "{}".join([_lowered(below) + _raised(above) for below, above in pairs if below or above])


def _fenced(element: _Open) -> str:
    opening = element.attributes.get("open", "(")
    closing = element.attributes.get("close", ")")
    separators = "".join(element.attributes.get("separators", ",").split())
    parts: list[str] = [tex.characters(opening)]
    for index, child in enumerate(element.children):
        if index and separators:
            parts.append(tex.characters(separators[min(index - 1, len(separators) - 1)]))
        parts.append(child)
    return tex.joined([*parts, tex.characters(closing)])


def _table(element: _Open) -> str:
    return f"\\begin{{matrix}} {' '.join(element.children).removesuffix(_ROW_END).rstrip()} \\end{{matrix}}"


_ROW_END: Final = r"\\"


def _table_row(element: _Open) -> str:
    return " & ".join(element.children) + " " + _ROW_END


def _enclosed(element: _Open) -> str:
    return f"\\boxed{{{_row(element)}}}" if "box" in element.attributes.get("notation", "") else _row(element)


def _first(element: _Open) -> str:
    return _argument(element, 0)


def _nothing(_: _Open) -> str:
    return ""


_ELEMENTS: Final[dict[str, Callable[[_Open], str]]] = {
    **dict.fromkeys(("mrow", "mstyle", "merror", "mpadded", "mtd", "math"), _row),
    "mi": _identifier,
    "mn": _number,
    "mo": _sign,
    "mtext": _text,
    "ms": _string,
    "mspace": _space,
    "mfrac": _fraction,
    "msup": _power,
    "msub": _index,
    "msubsup": _index_and_power,
    "msqrt": _square_root,
    "mroot": _root,
    "munder": _under,
    "mover": _over,
    "munderover": _under_and_over,
    "mmultiscripts": _multiscripts,
    "mprescripts": _nothing,
    "none": _nothing,
    "mphantom": _nothing,
    "mfenced": _fenced,
    "menclose": _enclosed,
    "mtable": _table,
    "mtr": _table_row,
    "mlabeledtr": _table_row,
    "semantics": _first,
    "maction": _first,
    "annotation": _nothing,
    "annotation-xml": _nothing,
}
