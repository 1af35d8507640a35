"""Templates that wikis of other languages than English have: units, dates, centuries, lead sentences."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.crawlers.readers.wikitext.arguments import Arguments
from corpusmill.crawlers.readers.wikitext.dates import written_date
from corpusmill.crawlers.readers.wikitext.numbers import superscript
from corpusmill.crawlers.readers.wikitext.page import Page

_DIGITS: Final = re.compile(r"[-\u2212+]?\d[\d\u00a0\u202f]*(?:[.,]\d+)?")
_BETWEEN: Final = frozenset({"-", "–", "a", "à", "e", "et", "o", "ou", "x", "×", "y", "и"})
"""Words between two numbers with one unit."""
_EXPONENT: Final = re.compile(r"[-\u2212]?\d{1,2}")
_HEIGHTS: Final = {
    "DE-NN": "m ü. NN",
    "DE-NHN": "m ü. NHN",
    "DE-HN": "m ü. HN",
    "AT": "m ü. A.",
    "CH": "m ü. M.",
    "IT": "m s.l.m.",
    "FR": "m",
}
_CENTURY: Final = re.compile(r"(-)?([ivxlc]+)(er?|ère) (siècles?|millénaire)( av\. j\.-c\.)?")
_ORDINAL: Final = re.compile(r"(?:((?=[ivx])x{0,3}(?:ix|iv|v?i{0,3}))|(\d{1,2}))(er?|re|ère|ème)(?: ([a-zéû]{3,9}))?")


def unit(arguments: Arguments, page: Page) -> str:
    """Return a number with its units: {{unité|10|m||s|-1}} (with exponents), {{unidad|10|km}}, {{M|10|ul=km}}."""
    values = arguments.numbered()
    text = number_in_style(values[0], page) if values else ""
    if len(values) > 2 and values[1] in _BETWEEN and _DIGITS.fullmatch(values[2]):
        joint = "–" if values[1] in {"-", "–"} else f" {values[1]} "
        text += joint + number_in_style(values[2], page)
        values = [values[0], *values[3:]]
    if last := arguments.get("à"):
        text += f" à {number_in_style(last, page)}"
    if power := arguments.get("e"):
        text += f"×10{superscript(power)}"
    units = ""
    for value in (*values[1:], arguments.first("u", "ul", "um")):
        if _EXPONENT.fullmatch(value) and units:
            units += superscript(value)
        elif value and value not in {",", "."}:
            units += f"⋅{value}" if units and len(values) > 3 else f" {value}" if units else value
    return f"{text} {units}".strip()


def number_in_style(text: str, page: Page) -> str:
    """Return *text* with the separators of the language if it is a number."""
    if not _DIGITS.fullmatch(text):
        return text
    plain = text.replace("\u00a0", "").replace("\u202f", "").replace(",", ".")
    if text.count(".") == 1 and "," not in text and page.language.thousands == "." and re.search(r"\.\d{3}$", text):
        return text
    return page.language.grouped(plain)


def formatnum_unit(arguments: Arguments, page: Page) -> str:
    """Return a number with the word behind it."""
    return " ".join((number_in_style(arguments.get("1", ""), page), *arguments.numbered(2))).strip()


def date_day_first(arguments: Arguments, page: Page) -> str:
    """Return a date from day, month and year, or from year, month and day."""
    values = [arguments.get(str(place), "") for place in (1, 2, 3)]
    if not values[1]:
        return values[0]
    if re.fullmatch(r"\d{3,4}", values[0]) and not re.fullmatch(r"\d{3,4}", values[2]):
        values.reverse()
    day, month, year = values
    return written_date(page, year, month, day)


def date_french(arguments: Arguments, page: Page) -> str:
    """Return a French date; the first day of a month is "1er"."""
    values = [arguments.get(str(place), "") for place in (1, 2, 3)]
    if not values[1]:
        return values[0]
    day = "1er" if values[0].lstrip("0") == "1" else values[0]
    month = values[1]
    if month.isdecimal() and 1 <= int(month[:4]) <= 12:
        month = page.language.months[int(month) - 1]
    return " ".join(value for value in (day.lstrip("0"), month, values[2]) if value)


def century_french(arguments: Arguments, page: Page) -> str:
    """Return "XIXe siècle"."""
    return f"{arguments.get('1', '')}{arguments.first('2', default='e')} siècle"


def century_french_bc(arguments: Arguments, page: Page) -> str:
    """Return "Ve siècle av. J.-C."."""
    return f"{century_french(arguments, page)} av. J.-C."


def centuries_french(arguments: Arguments, page: Page) -> str:
    """Return "XVIIIe et XIXe siècles"."""
    values = [*arguments.numbered(), "", "", "", "", ""]
    if len(values) < 10:
        values.insert(2, "et")
    joint = {"-": "-", "–": "–"}.get(values[2], f" {values[2]} ")
    return f"{values[0]}{values[1]}{joint}{values[3]}{values[4]} siècles"


def century_by_name(name: str) -> str | None:
    """Return the text of a French template such as ``{{XIXe siècle}}``; None for other names.

    >>> century_by_name("xixe siècle"), century_by_name("-ve siècle"), century_by_name("ville")
    ('XIXe siècle', 'Ve siècle av. J.-C.', None)
    """
    match = _CENTURY.fullmatch(name)
    if match is None:
        return None
    return f"{match[2].upper()}{match[3]} {match[4]}" + (" av. J.-C." if match[1] or match[5] else "")


def ordinal_by_name(name: str) -> str | None:
    """Return the text of a French template such as ``{{XXe}}`` or ``{{1er avril}}``; None for other names.

    >>> ordinal_by_name("xxe"), ordinal_by_name("1er avril"), ordinal_by_name("ville")
    ('XXe', '1er avril', None)
    """
    match = _ORDINAL.fullmatch(name)
    if match is None:
        return None
    return f"{(match[1] or match[2]).upper()}{match[3]}" + (f" {match[4]}" if match[4] else "")


def century_spanish(arguments: Arguments, page: Page) -> str:
    """Return "siglo XIX", or the numeral alone."""
    word = {"s": "siglo ", "S": "Siglo "}.get(arguments.get("3", ""), "")
    before = " a. C." if arguments.get("2", "").startswith("a") else ""
    return f"{word}{arguments.get('1', '')}{before}"


def number_with_exponent(arguments: Arguments, page: Page) -> str:
    """Return a number with a power of ten: {{ZahlExp|1,38|-23|suffix=J/K}}."""
    power = f" · 10{superscript(arguments.get('2', ''))}" if arguments.get("2") else ""
    unit = arguments.first("suffix", "post")
    return f"{number_in_style(arguments.get('1', ''), page)}{power}" + (f" {unit}" if unit else "")


def height_above_sea(arguments: Arguments, page: Page) -> str:
    """Return a height in metres with its reference level: {{Höhe|123|DE-NHN}}."""
    return f"{number_in_style(arguments.get('1', ''), page)} {_HEIGHTS.get(arguments.get('2', ''), 'm')}"


def coordinate_de(arguments: Arguments, page: Page) -> str:
    """Return the name of coordinates that stand in the text; the coordinates themselves are left out."""
    text = arguments.get("text", "")
    return "" if text in {"", "/", "DMS", "DM", "DEC", "ICON0", "ICON1", "ICON2", "none"} else text


def temperature(arguments: Arguments, page: Page) -> str:
    """Return a temperature: {{tmp|12.5|°C}}."""
    values = [arguments.get("1", ""), arguments.get("2", "")]
    return f"{number_in_style(values[0], page)} {values[1] if values[1][:1] in {'°', 'K'} else '°C'}"


def two_calendars_russian(arguments: Arguments, page: Page) -> str:
    """Return a date in both calendars: {{OldStyleDate|17 мая|1800|5 мая}}, {{СС2|5|17|мая|1800}}."""
    values = arguments.numbered()
    if len(values) == 3 and values[2]:
        return f"{values[2]} ({values[0]}) {values[1]}"
    if len(values) > 3 and values[0].isdecimal() and values[1].isdecimal():
        return " ".join((values[0], f"({values[1]})", *values[2:]))
    return old_style_russian(arguments, page)


def old_style_russian(arguments: Arguments, page: Page) -> str:
    """Return a date in two calendars as its parts are written."""
    return " ".join(value for value in arguments.numbered() if value)


def birth_death_chinese(arguments: Arguments, page: Page) -> str:
    """Return the days of birth and death in parentheses."""
    values = [*arguments.numbered()[:4], "", "", "", ""]
    born, died = values[0] + values[1], values[2] + values[3]
    return f"（{born}－{died}）" if born or died else ""


def death_first_ymd(arguments: Arguments, page: Page) -> str:
    """Return the second of two dates, that of death."""
    year, month, day = (arguments.get(str(place), "") for place in (4, 5, 6))
    return written_date(page, year, month, day) if year else ""


def fraction_japanese(arguments: Arguments, page: Page) -> str:
    """Return a fraction."""
    return "/".join(arguments.numbered()[:2])


_ERAS: Final = ((2019, "令和"), (1989, "平成"), (1926, "昭和"), (1912, "大正"), (1868, "明治"))


def year_japanese(arguments: Arguments, page: Page) -> str:
    """Return a year in the Japanese calendar."""
    text = arguments.get("1", "")
    if not text.isdecimal() or len(text) > 4:
        return text
    first, era = next(((first, era) for first, era in _ERAS if int(text) >= first), (0, ""))
    number = int(text) - first + 1
    return f"{era}{'元' if number == 1 else number}年" if era else f"{text}年"


def ipa_bare(arguments: Arguments, page: Page) -> str:
    """Return a pronunciation that has its own brackets."""
    return arguments.get("1", "")


def quote_inline_or_block(arguments: Arguments, page: Page) -> str:
    """Return a quotation, with its author."""
    text, author = arguments.get("1", ""), arguments.get("2", "")
    return f"«{text}»" + (f" ({author})" if author else "") if text else ""


def person_italian(arguments: Arguments, page: Page) -> str:
    """Return the first sentence of a biography, which {{Bio}} writes from its fields."""
    get = arguments.get
    name = " ".join(value for value in (get("Titolo"), get("Nome"), get("Cognome")) if value) or page.title
    name += f"{',' if get('PostCognomeVirgola') else ''} {get('PostCognomeVirgola') or get('PostCognome', '')}".rstrip()
    born = _life(get("LuogoNascita", ""), get("GiornoMeseNascita", ""), get("AnnoNascita", ""))
    died = _life(get("LuogoMorte", ""), get("GiornoMeseMorte", ""), get("AnnoMorte", ""))
    life = f" ({born}{' – ' if born and died else ''}{died})" if born or died else ""
    is_woman = get("Sesso", "M").upper() == "F"
    verb = f"è stat{'a' if is_woman else 'o'}" if died else "è"
    article = "una" if is_woman else "uno" if re.match(r"s[bcdfgmnpqrtv]|z|ps|gn", get("Attività", "")) else "un"
    work = " ".join(value for value in (get("Attività"), get("Attività2") and f"e {get('Attività2')}") if value)
    nation = get("Nazionalità", "")
    end = get("FineIncipit") or " ".join((verb, article, work, nation)).strip()
    after = get("PostNazionalità", "")
    return f"\n\n{name}{life} {end}{after if after[:1] in ',;.' else f' {after}' if after else ''}.\n\n"


def _life(place: str, day: str, year: str) -> str:
    return ", ".join(value for value in (place, f"{day} {year}".strip()) if value)
