r"""Convert formulas of a page to TeX: MathML, TeX in scripts, and images with TeX as their text.

Formulas are written as ``$…$`` or ``$$…$$`` into the markup before the page is parsed, so that the reader sees each one
as text within an element. KaTeX, MathJax and MediaWiki write a formula several times (as display, for screen readers,
as source); it is kept once. The conversion is one pass, linear in the markup.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Final

from corpusmill.pipelines.stages.extract import _reader, tex
from corpusmill.pipelines.stages.extract.mathml import MAX_CHARS, Formula
from corpusmill.pipelines.stages.extract.tags import Tag, attributes, tags
from corpusmill.schemas.decoding.references import unescaped

MAX_WRAPPER_CHARS: Final = 500_000
"""Maximum size of one formula with all its representations; longer ones are left unchanged."""
MAX_MARKUP_CHARS: Final = 2_000_000
"""Maximum size of a page to search. Formulas built to be slow take a second for this size; the largest of 2,884 gold
pages has 1.4 million."""
MAX_UNCLOSED_CHARS: Final = 5_000
"""Maximum size of a formula that never ends. A longer one contains the rest of the page, which is left unchanged."""
_NEVER_WITHIN: Final = frozenset("p h1 h2 h3 h4 h5 h6 ul ol li table section article blockquote".split())
"""An element that contains one of these is an article with formulas in its name, not a formula."""
MAX_SIGNS: Final = 150_000
"""Maximum number of tags to search, at 3 to 10 µs each: a thousand KaTeX formulas."""
_SIGNS: Final = (
    b"<math",
    b":math",
    b"math/",
    b"mwe-math",
    b"data-mathml",
    b'math"',
    b"math'",
    b"=math",
    b"latex",
    b'tex"',
)
_WRAPPER: Final = re.compile(
    r"(?<![\w-])(?:katex(?:-display)?|mwe-math-element|MathJax(?:_\w+|-\w+)?|MJXc-display|MathJax_?Display)(?![\w-])"
)
_PICTURE: Final = re.compile(r"(?<![\w-])(?:tex|latex|math|mwe-math-fallback-image-\w+)(?![\w-])", re.IGNORECASE)
_PICTURE_SOURCES: Final = ("latex.codecogs.com", "latex.php", "/math/render/", "mathtex.cgi", "mimetex.cgi")
_BREAKS_OUT: Final = frozenset(
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    "nobr ol p pre ruby s small span strong strike sub sup table tt u ul var td tr th section article".split()
)
"""HTML tags that end an open `math` element, as in a browser (HTML Standard, 13.2.6.5)."""


def has_formulas(markup: bytes) -> bool:
    """Return whether *markup*, in UTF-8, may contain formulas.

    >>> has_formulas(b"<p>The math is simple.</p>"), has_formulas(b"<math><mi>x</mi></math>")
    (False, True)
    """
    return _reader.speaks_of_formulas(markup) and any(sign in markup for sign in _SIGNS)


def with_formulas(markup: str) -> str:
    r"""Return *markup* with its formulas as text.

    >>> with_formulas("so <math><msup><mi>x</mi><mn>2</mn></msup><mo>&lt;</mo><mn>1</mn></math> holds")
    'so <math>$x^{2}&lt;1$</math> holds'
    """
    if len(markup) > MAX_MARKUP_CHARS or markup.count("<") > MAX_SIGNS:
        return markup
    page = _Page(markup)
    for tag in tags(markup):
        page.meet(tag)
    return page.finished()


@dataclass(slots=True)
class _Wrapper:
    """An element around all representations of one formula."""

    tag: Tag
    is_display: bool
    is_mathjax: bool
    depth: int = 1
    sources: list[str] = field(default_factory=list)
    source: str = ""


class _Page:
    """The output so far, and the formula that is being read."""

    def __init__(self, markup: str) -> None:
        self.markup = markup
        self.out: list[str] = []
        self.at = 0  # end of the markup that is written or dropped
        self.wrapper: _Wrapper | None = None
        self.formula: Formula | None = None
        self.formula_start = 0
        self.read_to = 0  # end of the formula text that is taken
        self.script: Tag | None = None
        self.beside: list[int] = []  # positions in `out` of renderings whose source may follow

    def meet(self, tag: Tag) -> None:
        """Process the next tag."""
        if self.formula is not None and self.in_formula(self.formula, tag):
            return
        if self.wrapper is not None and tag.start - self.wrapper.tag.start > MAX_WRAPPER_CHARS:
            self.wrapper = None
        if self.wrapper is not None and tag.name in _NEVER_WITHIN:
            self.wrapper = None
        if tag.name == "script":
            self.meet_script(tag)
        elif tag.is_end:
            self.meet_end(tag)
        elif tag.name.rpartition(":")[2] == "math":
            self.formula = Formula(attributes(tag.attributes))
            self.formula_start, self.read_to = tag.start, tag.end
        elif tag.name == "img":
            self.meet_picture(tag)
        elif self.wrapper is not None:
            self.wrapper.depth += tag.name == self.wrapper.tag.name
        elif tag.name == "mjx-container" or (tag.name in ("span", "div") and _WRAPPER.search(tag.attributes)):
            self.begin_wrapper(tag)

    def finished(self) -> str:
        """Return the page."""
        if self.formula is not None and len(self.markup) - self.formula_start <= MAX_UNCLOSED_CHARS:
            self.close_formula(self.formula, len(self.markup))
        return "".join([*self.out, self.markup[self.at :]])

    # ---- MathML

    def in_formula(self, formula: Formula, tag: Tag) -> bool:
        """Process a tag within `math`. Return False if it ends the formula and belongs to the page."""
        formula.take(unescaped(self.markup[self.read_to : tag.start]))
        self.read_to = tag.end
        name = tag.name.rpartition(":")[2]
        if tag.end - self.formula_start > MAX_CHARS:
            self.formula = None
            return True
        if name == "math":
            if tag.is_end:
                self.close_formula(formula, tag.end)
            return True
        if name in _BREAKS_OUT and not formula.in_text:
            self.close_formula(formula, tag.start)
            return False
        if tag.is_end:
            formula.end(name)
        else:
            formula.start(name, attributes(tag.attributes), is_empty=tag.attributes.endswith("/"))
        return True

    def close_formula(self, formula: Formula, end: int) -> None:
        self.formula = None
        source = formula.tex()
        if self.wrapper is None:
            self.write(source, self.formula_start, end, is_display=formula.is_display)
        elif source:
            self.wrapper.is_display |= formula.is_display
            if formula.source or formula.declared():
                self.wrapper.source = self.wrapper.source or source
            self.wrapper.sources.append(source)

    # ---- scripts and images

    def meet_script(self, tag: Tag) -> None:
        """Take the TeX or MathML in a script."""
        if not tag.is_end:
            kind = attributes(tag.attributes).get("type", "").lower().replace(" ", "")
            self.script = tag if kind.startswith(("math/tex", "math/latex", "math/mml")) else None
            return
        script, self.script = self.script, None
        if script is None:
            return
        content = self.markup[script.end : tag.start]
        is_display = "mode=display" in script.attributes.replace(" ", "")
        source = _bare(content) if "mml" in script.attributes else tex.cleaned(content)
        if self.wrapper is not None:
            self.wrapper.source = source or self.wrapper.source
            return
        if self.beside and not self.markup[self.at : script.start].strip():
            for place in self.beside:
                self.out[place] = ""
        self.write(source, script.start, tag.end, is_display=is_display)

    def meet_picture(self, tag: Tag) -> None:
        """Take the TeX that is the alternative text of a formula's image."""
        values = attributes(tag.attributes)
        alt = values.get("alt", "")
        is_formula = _PICTURE.search(values.get("class", "")) or any(
            source in values.get("src", "") for source in _PICTURE_SOURCES
        )
        if not alt or len(alt) > MAX_CHARS or not is_formula or not tex.looks_like_tex(alt):
            return
        source = tex.cleaned(alt)
        if self.wrapper is None:
            self.write(source, tag.start, tag.end, is_display="display" in values.get("class", ""))
        else:
            self.wrapper.source = self.wrapper.source or source

    # ---- wrappers

    def begin_wrapper(self, tag: Tag) -> None:
        values = attributes(tag.attributes)
        names = values.get("class", "")
        if _WRAPPER.search(names) is None and tag.name != "mjx-container":
            return  # the word is in another attribute
        is_display = "isplay" in names or values.get("display") == "true"
        is_mathjax = tag.name != "mjx-container" and "M" in names
        self.wrapper = _Wrapper(tag, is_display, is_mathjax)
        if mathml := values.get("data-mathml", ""):
            self.wrapper.sources += [converted] if (converted := _bare(mathml)) else []

    def meet_end(self, tag: Tag) -> None:
        wrapper = self.wrapper
        if wrapper is None or tag.name != wrapper.tag.name:
            return
        wrapper.depth -= 1
        if wrapper.depth:
            return
        self.wrapper = None
        source = wrapper.source or (wrapper.sources[-1] if wrapper.sources else "")
        if not wrapper.is_mathjax:
            if source:
                self.write(source, wrapper.tag.start, tag.end, is_display=wrapper.is_display)
            return
        beside = self.beside if not self.markup[self.at : wrapper.tag.start].strip() else []
        self.out.append(self.markup[self.at : wrapper.tag.start])
        shown = _written(source, is_display=wrapper.is_display) if source else self.markup[wrapper.tag.start : tag.end]
        if source:
            for place in beside:
                self.out[place] = ""
            beside = []
        beside.append(len(self.out))
        self.beside = beside
        self.out.append(shown)
        self.at = tag.end

    def write(self, source: str, start: int, end: int, *, is_display: bool) -> None:
        """Replace the markup from *start* to *end* with a formula."""
        self.out += self.markup[self.at : start], _written(source, is_display=is_display)
        self.at = end
        self.beside = []


def _written(source: str, *, is_display: bool) -> str:
    if not source:
        return ""
    sign = "$$" if is_display else "$"
    return f"<math>{html.escape(f'{sign}{source}{sign}', quote=False)}</math>"


def _bare(mathml: str) -> str:
    """Return the TeX of a single `math` element in a script or an attribute."""
    if len(mathml) > MAX_CHARS or not mathml.lstrip().startswith("<math"):
        return ""
    formula: Formula | None = None
    read_to = 0
    for tag in tags(mathml):
        if formula is not None:
            formula.take(unescaped(mathml[read_to : tag.start]))
        read_to = tag.end
        name = tag.name.rpartition(":")[2]
        if formula is None:
            formula = Formula(attributes(tag.attributes))
        elif tag.is_end:
            formula.end(name)
        else:
            formula.start(name, attributes(tag.attributes), is_empty=tag.attributes.endswith("/"))
    return formula.tex() if formula is not None else ""
