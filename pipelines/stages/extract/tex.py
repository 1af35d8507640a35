r"""TeX for the characters of formulas, and cleaning of TeX source found on pages."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_GREEK: Final = (
    "α alpha β beta γ gamma δ delta ε varepsilon ϵ epsilon ζ zeta η eta θ theta ϑ vartheta ι iota κ kappa ϰ varkappa "
    "λ lambda μ mu ν nu ξ xi π pi ϖ varpi ρ rho ϱ varrho σ sigma ς varsigma τ tau υ upsilon φ varphi ϕ phi χ chi ψ psi "
    "ω omega Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Υ Upsilon Φ Phi Ψ Psi Ω Omega"
)
_SIGNS: Final = (
    "× times ÷ div ± pm ∓ mp ⋅ cdot · cdot ∗ ast ⋆ star ∘ circ • bullet ⊕ oplus ⊖ ominus ⊗ otimes ⊘ oslash ⊙ odot "
    "∪ cup ∩ cap ⊔ sqcup ⊓ sqcap ∨ vee ∧ wedge ∖ setminus ≀ wr † dagger ‡ ddagger ⨿ amalg "
    "≤ le ≥ ge ≦ leqq ≧ geqq ⩽ leqslant ⩾ geqslant ≪ ll ≫ gg ≠ ne ≡ equiv ∼ sim ≃ simeq ≈ approx ≅ cong ∝ propto "
    "≐ doteq ≺ prec ≻ succ ⪯ preceq ⪰ succeq ⊂ subset ⊃ supset ⊆ subseteq ⊇ supseteq ⊊ subsetneq ∈ in ∉ notin ∋ ni "
    "⊢ vdash ⊣ dashv ⊨ models ⊥ perp ∣ mid ∤ nmid ∥ parallel ∦ nparallel ⋈ bowtie ≲ lesssim ≳ gtrsim ≜ triangleq "
    "← leftarrow → to ↑ uparrow ↓ downarrow ↔ leftrightarrow ⇐ Leftarrow ⇒ Rightarrow ⇔ Leftrightarrow ⇑ Uparrow "
    "⇓ Downarrow ↦ mapsto ⟶ longrightarrow ⟵ longleftarrow ⟹ implies ⟸ impliedby ⟺ iff ⟷ longleftrightarrow "
    "⟼ longmapsto ↪ hookrightarrow ↩ hookleftarrow ⇀ rightharpoonup ⇌ rightleftharpoons ↗ nearrow ↘ searrow ⇝ leadsto "
    "∀ forall ∃ exists ∄ nexists ¬ neg ∅ emptyset ∞ infty ∂ partial ∇ nabla √ surd ∠ angle △ triangle □ square "
    "◇ diamond ♯ sharp ♭ flat ♮ natural ⊤ top ℓ ell ℏ hbar ℘ wp ℜ Re ℑ Im ℵ aleph ℶ beth ı imath ȷ jmath ð eth "
    "∑ sum ∏ prod ∐ coprod ∫ int ∬ iint ∭ iiint ∮ oint ⋂ bigcap ⋃ bigcup ⨆ bigsqcup ⋁ bigvee ⋀ bigwedge ⨁ bigoplus "
    "⨂ bigotimes ⨀ bigodot ⨄ biguplus … ldots ⋯ cdots ⋮ vdots ⋱ ddots ⟨ langle ⟩ rangle 〈 langle 〉 rangle ⌊ lfloor "
    "⌋ rfloor ⌈ lceil ⌉ rceil ⟦ llbracket ⟧ rrbracket ′ prime ∴ therefore ∵ because ∎ blacksquare ■ blacksquare"
)
_WRITTEN: Final = {
    "−": "-", "‐": "-", "‖": r"\|", "″": "''", "‴": "'''", "\u2061": "", "\u2062": "", "\u2063": "", "\u2064": "",
    "{": r"\{", "}": r"\}", "%": r"\%", "$": r"\$", "#": r"\#", "&": r"\&", "_": r"\_", "^": r"\hat{}", "~": r"\sim",
    "\\": r"\backslash", "\xa0": " ", "≔": ":=", "∶": ":", "⁄": "/", "∕": "/", "＝": "=", "“": "``", "”": "''",
    "\u2009": r"\,", "\u200a": r"\,", "\u2003": r"\quad", "\u200b": "", "\u2060": "", "\ufeff": "",
}  # fmt: skip
_NAMES: Final = iter(f"{_GREEK} {_SIGNS}".split())
SYMBOLS: Final[dict[str, str]] = _WRITTEN | {sign: f"\\{name}" for sign, name in zip(_NAMES, _NAMES, strict=True)}
"""Mathematical characters in TeX with the AMS symbols."""
FUNCTIONS: Final = frozenset(
    "arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf limsup ln log max "
    "min Pr sec sin sinh sup tan tanh".split()
)
ACCENTS: Final = (
    dict.fromkeys(("^", "ˆ", "\u0302"), "hat")
    | dict.fromkeys(("~", "˜", "∼", "\u0303"), "tilde")
    | dict.fromkeys(("¯", "‾", "_", "―", "\u0304"), "overline")
    | dict.fromkeys(("→", "\u20d7"), "vec")
    | dict.fromkeys(("˙", ".", "\u0307"), "dot")
    | dict.fromkeys(("¨", "\u0308"), "ddot")
    | {"⏞": "overbrace", "ˇ": "check", "˘": "breve", "´": "acute", "`": "grave"}
    | {"⟶": "overrightarrow", "←": "overleftarrow"}
)
UNDER_ACCENTS: Final = dict.fromkeys(("_", "¯", "‾", "\u0332"), "underline") | {"⏟": "underbrace"}
VARIANTS: Final = {
    "normal": "mathrm",
    "bold": "mathbf",
    "bold-italic": "boldsymbol",
    "double-struck": "mathbb",
    "script": "mathcal",
    "bold-script": "mathcal",
    "fraktur": "mathfrak",
    "bold-fraktur": "mathfrak",
    "sans-serif": "mathsf",
    "bold-sans-serif": "mathsf",
    "monospace": "mathtt",
}
"""Values of `mathvariant`, and their TeX commands."""
_STYLES: Final = (
    ("DOUBLE-STRUCK", "mathbb"), ("SCRIPT", "mathcal"), ("FRAKTUR", "mathfrak"), ("BLACK-LETTER", "mathfrak"),
    ("SANS-SERIF", "mathsf"), ("MONOSPACE", "mathtt"), ("BOLD ITALIC", "boldsymbol"), ("BOLD", "mathbf"),
)  # fmt: skip
_IN_TEXT: Final = str.maketrans(
    {sign: f"\\{sign}" for sign in "{}%$#&_"} | {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}", "\xa0": " "}
)
_COMMAND: Final = re.compile(r"\\[A-Za-z]+\Z")
_DELIMITED: Final = re.compile(r"\$\$(.+)\$\$|\$([^$]+)\$|\\\((.+)\\\)|\\\[(.+)\\\]", re.DOTALL)
_STYLED: Final = re.compile(
    r"\{\s*\\(?:displaystyle|textstyle|scriptstyle)(?![A-Za-z])\s*|\\(?:displaystyle|textstyle)(?![A-Za-z])\s*"
)
_COMMENT: Final = re.compile(r"(?<!\\)%[^\n]*(?:\n|\Z)")
_PROSE: Final = re.compile(r"[^\W\d_]{2,}[\s,.]+[^\W\d_]{2,}")


@lru_cache(maxsize=4_096)
def character(sign: str) -> str:
    r"""Return one character of a formula in TeX. Mathematical alphabets become letters in a style.

    >>> character("×"), character("𝐱"), character("ℝ"), character("𝑎"), character("é")
    ('\\times', '\\mathbf{x}', '\\mathbb{R}', 'a', 'é')
    """
    if sign in SYMBOLS:
        return SYMBOLS[sign]
    if sign < "\u2100":
        return sign
    name = unicodedata.name(sign, "")
    plain = unicodedata.normalize("NFKC", sign)
    if plain == sign or not name.startswith(("MATHEMATICAL ", "DOUBLE-STRUCK ", "SCRIPT ", "BLACK-LETTER ")):
        return sign
    letters = SYMBOLS.get(plain, plain)
    style = next((command for words, command in _STYLES if words in name), "")
    return f"\\{style}{{{letters}}}" if style else letters


def characters(text: str) -> str:
    """Return the characters of *text* in TeX."""
    return joined([character(sign) for sign in text])


def joined(parts: list[str]) -> str:
    r"""Concatenate *parts*, with a space where a command would swallow the next letter.

    >>> joined(["\\alpha", "x"]), joined(["2", "\\pi", "+", "r"])
    ('\\alpha x', '2\\pi+r')
    """
    out: list[str] = []
    is_command = False
    for part in parts:
        if not part:
            continue
        if is_command and part[0].isalpha():
            out.append(" ")
        out.append(part)
        is_command = part[-1].isalpha() and part[-1].isascii() and _COMMAND.search(part[-40:]) is not None
    return "".join(out)


def words(text: str) -> str:
    r"""Return words in a formula.

    >>> words(" if x_1 ")
    '\\text{ if x\\_1 }'
    """
    return f"\\text{{{text.translate(_IN_TEXT)}}}" if text.strip() else (r"\ " if text else "")


def cleaned(source: str) -> str:
    r"""Return TeX from a page on one line, without delimiters and style around the whole.

    >>> cleaned("{\\displaystyle E=mc^{2}}"), cleaned("$$a % note\n+ b$$"), cleaned("\\(x\\)")
    ('E=mc^{2}', 'a + b', 'x')
    """
    source = source.strip().removeprefix("% <![CDATA[").removesuffix("%]]>").strip()
    if "%" in source and "\n" in source:
        source = _COMMENT.sub(" ", source)
    match = _DELIMITED.fullmatch(source)
    if match is not None:
        source = next(group for group in match.groups() if group is not None).strip()
    styled = _STYLED.match(source)
    if styled is not None and (source[0] != "{" or _closes_at_end(source)):
        source = source[styled.end() : -1 if source[0] == "{" else None]
    return " ".join(source.split())


def _closes_at_end(source: str) -> bool:
    """Return whether the brace that begins *source* is closed by its last character."""
    depth = 0
    escaped = False
    for place, sign in enumerate(source):
        if escaped:
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign == "{":
            depth += 1
        elif sign == "}":
            depth -= 1
            if depth == 0:
                return place == len(source) - 1
    return False


def looks_like_tex(source: str) -> bool:
    r"""Return whether *source* is TeX rather than a description in words.

    >>> looks_like_tex("a^2"), looks_like_tex("n"), looks_like_tex("the square of a"), looks_like_tex("\\text{if so}")
    (True, True, False, True)
    """
    return any(sign in source for sign in "\\^_{") or (bool(source.strip()) and _PROSE.search(source[:300]) is None)
