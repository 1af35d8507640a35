"""Formulas of Word (Office MathML) as TeX. Unknown elements give their content."""

from __future__ import annotations

from typing import Final

from lxml import etree

from corpusmill.crawlers.readers.mathml import CHARACTERS
from corpusmill.crawlers.readers.xml import local_name

_ACCENTS: Final = {
    "\u0302": r"\hat", "\u0303": r"\tilde", "\u0304": r"\bar", "\u0305": r"\bar", "\u20d7": r"\vec",
    "\u0307": r"\dot", "\u0308": r"\ddot", "\u0306": r"\breve", "\u030c": r"\check", "^": r"\hat", "~": r"\tilde",
}  # fmt: skip
_IGNORED: Final = frozenset(("", "instrText", "delText", "del", "moveFrom"))


def omml_tex(element: etree._Element) -> str:
    r"""Return the formula *element* as TeX.

    >>> omml_tex(etree.fromstring("<oMath><f><num><r><t>a</t></r></num><den><r><t>2</t></r></den></f></oMath>"))
    '\\frac{a}{2}'
    """
    return " ".join(_tex(element).split())


def _tex(element: etree._Element) -> str:
    name = local_name(element)
    if name == "t":
        return "".join(CHARACTERS.get(character, character) for character in element.text or "")
    if name.endswith("Pr") or name in _IGNORED:
        return ""
    parts = [(local_name(child), _tex(child)) for child in element]
    role = dict(parts)
    base = role.get("e", "")
    match name:
        case "f":
            above, below = role.get("num", ""), role.get("den", "")
            kind = _value(element, "type")
            return f"{_grouped(above)}/{_grouped(below)}" if kind in {"lin", "skw"} else rf"\frac{{{above}}}{{{below}}}"
        case "sSup":
            return f"{_grouped(base)}^{{{role.get('sup', '')}}}"
        case "sSub":
            return f"{_grouped(base)}_{{{role.get('sub', '')}}}"
        case "sSubSup":
            return f"{_grouped(base)}_{{{role.get('sub', '')}}}^{{{role.get('sup', '')}}}"
        case "sPre":
            return f"{{}}_{{{role.get('sub', '')}}}^{{{role.get('sup', '')}}}{base}"
        case "rad":
            degree = role.get("deg", "").strip()
            return rf"\sqrt[{degree}]{{{base}}}" if degree else rf"\sqrt{{{base}}}"
        case "nary":
            sign = _value(element, "chr", "∫")
            below, above = role.get("sub", ""), role.get("sup", "")
            bounds = (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")
            return f"{CHARACTERS.get(sign, sign).strip()}{bounds} {base}"
        case "d":
            cells = [text for role_name, text in parts if role_name == "e"]
            return (
                _value(element, "begChr", "(")
                + _value(element, "sepChr", "|").join(cells)
                + _value(element, "endChr", ")")
            )
        case "func":
            function = role.get("fName", "").strip()
            return (rf"\{function} " if function.isalpha() and function.isascii() else function) + base
        case "acc":
            accent = _ACCENTS.get(_value(element, "chr", "\u0302"))
            return f"{accent}{{{base}}}" if accent else base
        case "bar":
            return (r"\overline" if _value(element, "pos", "bot") == "top" else r"\underline") + f"{{{base}}}"
        case "limLow":
            return f"{base}_{{{role.get('lim', '')}}}"
        case "limUpp":
            return f"{base}^{{{role.get('lim', '')}}}"
        case "mr":
            return " & ".join(text for role_name, text in parts if role_name == "e")
        case "m":
            rows = r" \\ ".join(text for role_name, text in parts if role_name == "mr")
            return rf"\begin{{matrix}}{rows}\end{{matrix}}"
        case "eqArr":
            return r" \\ ".join(text for role_name, text in parts if role_name == "e")
        case _:
            return "".join(text for _, text in parts)


def _value(element: etree._Element, name: str, default: str = "") -> str:
    """Return the attribute `val` of the property *name* of *element*; *default* if it does not have the property."""
    for properties in element:
        if local_name(properties).endswith("Pr"):
            for node in properties:
                if local_name(node) == name:
                    return next((str(value) for key, value in node.items() if str(key).endswith("val")), "")
    return default


def _grouped(base: str) -> str:
    base = base.strip()
    return base if len(base) == 1 or (base.startswith("\\") and base[1:].isalpha()) else f"{{{base}}}"
