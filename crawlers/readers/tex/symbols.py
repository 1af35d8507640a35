"""Letters with accents, and symbols that TeX names."""

from __future__ import annotations

import unicodedata
from typing import Final

ACCENTS: Final = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "=": "\u0304", ".": "\u0307",
    "c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "k": "\u0328", "r": "\u030a", "d": "\u0323",
    "b": "\u0331", "t": "\u0361",
}  # fmt: skip
"""Combining characters of the commands for accents."""
SYMBOLS: Final = {
    "ss": "ß", "SS": "SS", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "aa": "å", "AA": "Å",
    "l": "ł", "L": "Ł", "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "dj": "đ", "DJ": "Đ",
    "ng": "ŋ", "NG": "Ŋ", "S": "§", "P": "¶", "dag": "†", "ddag": "‡", "copyright": "©", "pounds": "£",
    "textsterling": "£", "euro": "€", "texteuro": "€", "textyen": "¥", "textcent": "¢", "ldots": "…", "dots": "…",
    "textellipsis": "…", "textendash": "–", "textemdash": "—", "textbackslash": "\\", "textasciitilde": "~",
    "textasciicircum": "^", "textless": "<", "textgreater": ">", "textbar": "|", "textunderscore": "_",
    "textbraceleft": "{", "textbraceright": "}", "textdollar": "$", "textquoteleft": "‘", "textquoteright": "’",
    "textquotedblleft": "“", "textquotedblright": "”", "lq": "‘", "rq": "’", "guillemotleft": "«",
    "guillemotright": "»", "guilsinglleft": "‹", "guilsinglright": "›", "quotedblbase": "„", "glqq": "„",
    "grqq": "“", "flqq": "«", "frqq": "»", "og": "« ", "fg": " »", "textregistered": "®", "texttrademark": "™",
    "textdegree": "°", "degree": "°", "degrees": "°", "textmu": "µ", "texttimes": "×", "textpm": "±",
    "textonehalf": "½", "textonequarter": "¼", "textperiodcentered": "·", "textbullet": "•", "textordfeminine": "ª",
    "textordmasculine": "º", "textsection": "§", "textparagraph": "¶", "textexclamdown": "¡",
    "textquestiondown": "¿", "textquotesingle": "'", "slash": "/", "TeX": "TeX", "LaTeX": "LaTeX",
    "LaTeXe": "LaTeX2e", "BibTeX": "BibTeX", "AmS": "AMS", "AmSTeX": "AMS-TeX", "eg": "e.g.", "ie": "i.e.",
    "etal": "et al.", "lbrack": "[", "rbrack": "]", "textcelsius": "°C", "arcdeg": "°", "arcmin": "′",
    "arcsec": "″", "sun": "☉", "micron": "µm", "cdots": "…", "checkmark": "✓",
    "textrightarrow": "→", "textleftarrow": "←", "qquad": " ", "quad": " ", "enspace": " ", "thinspace": " ",
    "space": " ", "nobreakspace": " ", "enskip": " ", "hfill": " ", "hfil": " ", "textvisiblespace": " ",
    "newline": " ", "linebreak": " ", "tab": " ", "obeylines": "", "break": " ",
}  # fmt: skip
"""Text of commands without arguments."""
CHARACTERS: Final = {
    "&": "&", "%": "%", "$": "$", "#": "#", "_": "_", "{": "{", "}": "}", " ": " ", "\n": " ", ",": " ", ";": " ",
    ":": " ", ">": " ", "!": "", "-": "", "/": "", "@": "", "*": "", "|": "‖", "": "", "+": "", "<": "", "\t": " ",
}  # fmt: skip
"""Text of commands that are one character, such as ``\\&``."""
UNITS: Final = {
    "metre": "m", "meter": "m", "gram": "g", "second": "s", "kelvin": "K", "ampere": "A", "mole": "mol",
    "candela": "cd", "hertz": "Hz", "newton": "N", "pascal": "Pa", "joule": "J", "watt": "W", "volt": "V",
    "ohm": "Ω", "tesla": "T", "electronvolt": "eV", "celsius": "°C", "degreeCelsius": "°C", "degree": "°",
    "percent": "%", "litre": "L", "liter": "L", "minute": "min", "hour": "h", "day": "d", "decibel": "dB",
    "bit": "bit", "byte": "B", "angstrom": "Å", "bar": "bar", "dalton": "Da", "parsec": "pc", "radian": "rad",
    "coulomb": "C", "farad": "F", "henry": "H", "weber": "Wb", "siemens": "S", "gauss": "G", "kilogram": "kg",
    "nano": "n", "micro": "µ", "milli": "m", "centi": "c", "deci": "d", "kilo": "k", "mega": "M", "giga": "G",
    "tera": "T", "peta": "P", "pico": "p", "femto": "f", "atto": "a", "kibi": "Ki", "mebi": "Mi", "gibi": "Gi",
    "per": "/", "squared": "²", "cubed": "³", "square": "²", "cubic": "³", "nm": "nm", "um": "µm", "mm": "mm",
    "cm": "cm", "km": "km", "ms": "ms", "us": "µs", "ns": "ns", "kg": "kg", "mg": "mg", "ug": "µg", "Hz": "Hz",
    "kHz": "kHz", "MHz": "MHz", "GHz": "GHz", "THz": "THz", "eV": "eV", "keV": "keV", "MeV": "MeV", "GeV": "GeV",
    "m": "m", "s": "s", "g": "g", "K": "K", "A": "A", "mol": "mol", "cd": "cd", "N": "N", "Pa": "Pa", "J": "J",
    "W": "W", "V": "V", "L": "L", "l": "l", "dm": "dm", "pm": "pm", "ps": "ps", "fs": "fs", "kN": "kN", "kPa": "kPa",
    "MPa": "MPa", "kJ": "kJ", "mJ": "mJ", "mL": "mL", "ml": "ml", "mmol": "mmol", "MW": "MW", "kWh": "kWh", "dB": "dB",
    "pF": "pF", "nF": "nF", "kohm": "kΩ", "Mohm": "MΩ", "uA": "µA", "uV": "µV", "uJ": "µJ", "uL": "µL",
    "TeV": "TeV", "mK": "mK", "mV": "mV", "mW": "mW", "kW": "kW", "mA": "mA", "kV": "kV",
}  # fmt: skip
"""Symbols of the macros of units of siunitx."""


def accented(letters: str, accent: str) -> str:
    r"""Return *letters* with the accent of the command *accent* on the first letter (for ``\t``, between two).

    >>> accented("e", "'"), accented("ı", '"'), accented("ou", "c")
    ('é', 'ï', 'o̧u')
    """
    if not letters:
        return ""
    first = {"ı": "i", "ȷ": "j"}.get(letters[0], letters[0])
    return unicodedata.normalize("NFC", first + ACCENTS[accent] + letters[1:])
