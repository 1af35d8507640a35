"""Presentation MathML as TeX: enough for the formulas of papers. Unknown elements give their content."""

from __future__ import annotations

from typing import Final

from lxml import etree

from corpusmill.crawlers.readers.xml import local_name

CHARACTERS: Final = {
    "×": r"\times ", "·": r"\cdot ", "≤": r"\leq ", "≥": r"\geq ", "≠": r"\neq ", "≈": r"\approx ", "±": r"\pm ",
    "∑": r"\sum ", "∏": r"\prod ", "∫": r"\int ", "∞": r"\infty ", "∂": r"\partial ", "∈": r"\in ", "→": r"\to ",
    "−": "-", "√": r"\surd ", "…": r"\ldots ", "\u2061": "", "\u2062": "", "\u2063": "", "∇": r"\nabla ",
    "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ", "ε": r"\epsilon ", "θ": r"\theta ",
    "λ": r"\lambda ", "μ": r"\mu ", "π": r"\pi ", "ρ": r"\rho ", "σ": r"\sigma ", "τ": r"\tau ", "φ": r"\phi ",
    "χ": r"\chi ", "ω": r"\omega ", "Δ": r"\Delta ", "Σ": r"\Sigma ", "Ω": r"\Omega ", "%": r"\%", "&": r"\&",
}  # fmt: skip
_ACCENTS: Final = {
    "^": r"\hat",
    "ˆ": r"\hat",
    "¯": r"\bar",
    "‾": r"\bar",
    "~": r"\tilde",
    "˜": r"\tilde",
    "→": r"\vec",
    "˙": r"\dot",
}
_IGNORED: Final = frozenset(("annotation", "annotation-xml", "mspace", "mphantom", "maligngroup", "malignmark", ""))


def tex_of(element: etree._Element) -> str:
    r"""Return *element* as TeX.

    >>> markup = "<math><mfrac><mi>a</mi><msup><mi>b</mi><mn>2</mn></msup></mfrac><mo>≤</mo><mn>1</mn></math>"
    >>> tex_of(etree.fromstring(markup))
    '\\frac{a}{b^{2}}\\leq 1'
    """
    return " ".join(_tex(element).split())


def _tex(element: etree._Element) -> str:
    name = local_name(element)
    parts = [_tex(child) for child in element if local_name(child) not in _IGNORED]
    match name, parts:
        case ("mfrac", [above, below]):
            return rf"\frac{{{above}}}{{{below}}}"
        case ("msup", [base, above]):
            return f"{_grouped(base)}^{{{above}}}"
        case ("msub" | "munder", [base, below]):
            return f"{_grouped(base)}_{{{below}}}"
        case ("msubsup" | "munderover", [base, below, above]):
            return f"{_grouped(base)}_{{{below}}}^{{{above}}}"
        case ("mover", [base, above]):
            accent = _ACCENTS.get(above.strip())
            return f"{accent}{{{base}}}" if accent else f"{_grouped(base)}^{{{above}}}"
        case ("msqrt", _):
            return rf"\sqrt{{{''.join(parts)}}}"
        case ("mroot", [base, degree]):
            return rf"\sqrt[{degree}]{{{base}}}"
        case ("mfenced", _):
            opening, closing = element.get("open", "("), element.get("close", ")")
            return opening + ",".join(parts) + closing
        case ("mtr", _):
            return " & ".join(parts)
        case ("mtable", _):
            rows = r" \\ ".join(parts)
            return rf"\begin{{matrix}}{rows}\end{{matrix}}"
        case ("mtext" | "ms", _):
            words = " ".join("".join(element.itertext()).split())
            return rf"\text{{{words}}}" if words else " "
        case ("mi" | "mn" | "mo", _):
            return "".join(CHARACTERS.get(character, character) for character in "".join(element.itertext()).strip())
        case _:
            own = (element.text or "").strip() if not len(element) else ""
            return own + "".join(parts)


def _grouped(base: str) -> str:
    return base if len(base) <= 1 or base.startswith("\\") else f"{{{base}}}" if base else "{}"
