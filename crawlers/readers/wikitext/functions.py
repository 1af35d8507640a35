"""Parser functions (``{{#if:…}}``, ``{{#switch:…}}``, ``{{lc:…}}``) and magic words (``{{PAGENAME}}``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from corpusmill.crawlers.readers.wikitext.braces import EQUALS
from corpusmill.crawlers.readers.wikitext.expressions import evaluated, written
from corpusmill.crawlers.readers.wikitext.numbers import number
from corpusmill.crawlers.readers.wikitext.page import Page

Function = Callable[[list[str], Page], str]
MAX_PADDED: Final = 500


def _argument(parts: list[str], place: int) -> str:
    return parts[place].strip().replace(EQUALS, "=") if place < len(parts) else ""


def _if(parts: list[str], page: Page) -> str:
    return _argument(parts, 1 if _argument(parts, 0) else 2)


def _ifeq(parts: list[str], page: Page) -> str:
    one, other = _argument(parts, 0), _argument(parts, 1)
    values = number(one), number(other)
    is_equal = one == other or (None not in values and values[0] == values[1])
    return _argument(parts, 2 if is_equal else 3)


def _ifexpr(parts: list[str], page: Page) -> str:
    return _argument(parts, 1 if evaluated(_argument(parts, 0)) else 2)


def _iferror(parts: list[str], page: Page) -> str:
    return _argument(parts, 0)


def _ifexist(parts: list[str], page: Page) -> str:
    return _argument(parts, 1)


def _expr(parts: list[str], page: Page) -> str:
    value = evaluated(_argument(parts, 0))
    return "" if value is None else written(value)


def _switch(parts: list[str], page: Page) -> str:
    subject = _argument(parts, 0)
    default, falls_through = "", False
    for place, part in enumerate(parts[1:], start=1):
        name, equals, value = part.partition("=")
        case = name.strip().replace(EQUALS, "=")
        if not equals:
            falls_through = falls_through or case == subject
            if place == len(parts) - 1:
                return case
        elif falls_through or case == subject:
            return value.strip().replace(EQUALS, "=")
        elif case == "#default":
            default = value.strip().replace(EQUALS, "=")
    return default


def _tag(parts: list[str], page: Page) -> str:
    return page.tag(_argument(parts, 0).lower(), _argument(parts, 1))


def _formatnum(parts: list[str], page: Page) -> str:
    text = _argument(parts, 0)
    if _argument(parts, 1).upper() == "R":
        return text.replace(",", "")
    return page.language.grouped(text) if number(text) is not None else text


def _pad(parts: list[str], page: Page, *, is_left: bool) -> str:
    text, width, filler = _argument(parts, 0), _argument(parts, 1), _argument(parts, 2)[:1] or "0"
    size = min(int(width), MAX_PADDED) if width.isdecimal() and len(width) < 5 else 0
    return text.rjust(size, filler) if is_left else text.ljust(size, filler)


FUNCTIONS: Final[dict[str, Function]] = {
    "#if": _if,
    "#ifeq": _ifeq,
    "#ifexpr": _ifexpr,
    "#iferror": _iferror,
    "#ifexist": _ifexist,
    "#expr": _expr,
    "#switch": _switch,
    "#tag": _tag,
    "#time": lambda parts, page: "",
    "#titleparts": lambda parts, page: _argument(parts, 0),
    "#language": lambda parts, page: page.language.name_of(_argument(parts, 0)) or _argument(parts, 0),
    "formatnum": _formatnum,
    "lc": lambda parts, page: _argument(parts, 0).lower(),
    "uc": lambda parts, page: _argument(parts, 0).upper(),
    "lcfirst": lambda parts, page: _argument(parts, 0)[:1].lower() + _argument(parts, 0)[1:],
    "ucfirst": lambda parts, page: _argument(parts, 0)[:1].upper() + _argument(parts, 0)[1:],
    "urlencode": lambda parts, page: quote(_argument(parts, 0)),
    "padleft": lambda parts, page: _pad(parts, page, is_left=True),
    "padright": lambda parts, page: _pad(parts, page, is_left=False),
    "plural": lambda parts, page: _argument(parts, 1 if number(_argument(parts, 0)) == 1 else 2),
    "gender": lambda parts, page: _argument(parts, 1),
    "ns": lambda parts, page: _argument(parts, 0),
    "anchorencode": lambda parts, page: _argument(parts, 0),
    "nowrap": lambda parts, page: _argument(parts, 0),
    "int": lambda parts, page: "",
    "defaultsort": lambda parts, page: "",
    "sortierung": lambda parts, page: "",
    "ordena": lambda parts, page: "",
    "clédetri": lambda parts, page: "",
    "defaultsortkey": lambda parts, page: "",
    "displaytitle": lambda parts, page: "",
    "#lst": lambda parts, page: "",
    "#section": lambda parts, page: "",
    "#coordinates": lambda parts, page: "",
    "#related": lambda parts, page: "",
    "#babel": lambda parts, page: "",
    "#property": lambda parts, page: "",
    "#statements": lambda parts, page: "",
    "#seo": lambda parts, page: "",
    "fullurl": lambda parts, page: "",
    "localurl": lambda parts, page: "",
    "filepath": lambda parts, page: "",
}
"""By name in lower case; the first part is what follows the colon."""

_PARTS_OF_TIME: Final = (
    "year month month1 monthname monthnamegen monthabbrev day day2 dow dayname time hour week timestamp".split()
)
_WORDS_OF_TIME: Final = tuple(f"{which}{part}" for which in ("current", "local") for part in _PARTS_OF_TIME)
WORDS: Final[dict[str, Callable[[Page], str]]] = {
    "!": lambda page: "|",
    "=": lambda page: "=",
    "(": lambda page: "{",
    ")": lambda page: "}",
    "((": lambda page: "{{",
    "))": lambda page: "}}",
    "!!": lambda page: "||",
    "!-": lambda page: "|-",
    "(!": lambda page: "{|",
    "!)": lambda page: "|}",
    "pagename": lambda page: page.title,
    "fullpagename": lambda page: page.title,
    "basepagename": lambda page: page.title,
    "subpagename": lambda page: page.title.rpartition("/")[2],
    "pagenamee": lambda page: quote(page.title.replace(" ", "_")),
    "sitename": lambda page: page.site,
    "namespace": lambda page: "",
    "contentlanguage": lambda page: page.language.code,
    **dict.fromkeys(_WORDS_OF_TIME, lambda page: ""),
}
"""Words that stand for a text, by name in lower case. The day on which a page is read is left out."""
