"""Templates of words: languages, pronunciations, quotations, lists, captions, names."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.crawlers.readers.wikitext.arguments import Arguments
from corpusmill.crawlers.readers.wikitext.extensions import LINE
from corpusmill.crawlers.readers.wikitext.page import Page

_IPA_WORDS: Final = frozenset(
    {"lang", "pron", "local", "us", "uk", "us also", "uk also", "also", "or", "au", "nz", "small", "ipa"}
)
_CAPTION: Final = re.compile(r"(?:footer|caption\d*|\d+)")
_FILE: Final = re.compile(r"\.(?:jpe?g|png|gif|svg|tiff?|webp|og[gv]|webm)\s*$", re.IGNORECASE)


def labeled(page: Page, code: str, text: str) -> str:
    """Return *text* with the name of its language, as wikis write it: "German: Haus"."""
    language = page.language
    name = language.name_of(code) or language.name_of(code.partition("-")[0])
    return language.label.format(name=name, text=text) if name and language.label and text else text


def lang(arguments: Arguments, page: Page) -> str:
    """Return the text of {{lang|de|…}}."""
    return arguments.first("2", "text", "3")


def langx(arguments: Arguments, page: Page) -> str:
    """Return the text of {{langx|de|…}} with the name of the language, and with its translation."""
    return with_language(arguments.get("1", ""), arguments.numbered(2), arguments, page)


def with_language(code: str, values: list[str], arguments: Arguments, page: Page) -> str:
    """Return a text of the language *code*, with its name, its transliteration and its translation."""
    text = arguments.first("text", default=values[0] if values else "")
    if arguments.get("label") == "none" or arguments.get("links") == "none":
        shown = text
    elif label := arguments.get("label"):
        shown = f"{label}: {text}"
    else:
        shown = labeled(page, code, text)
    latin = arguments.first("translit", "tr", default=values[1] if len(values) > 1 else "")
    meaning = arguments.first("lit", "translation", default=values[2] if len(values) > 2 else "")
    if not text:
        return ""
    extra = (f", romanized: {latin}" if latin else "") + (f", lit. '{meaning}'" if meaning else "")
    return shown + (extra if page.language.code in {"en", "simple"} else f", {latin}" if latin else "")


def nihongo(arguments: Arguments, page: Page) -> str:
    """Return an English term with its Japanese writing and its transliteration."""
    english, kanji, latin, extra = (arguments.get(str(place), "") for place in (1, 2, 3, 4))
    inner = ", ".join(
        value
        for value in (kanji, latin, extra or arguments.get("extra", ""), arguments.get("lead", ""))
        if len(value) > 1 or value == kanji
    )
    after = arguments.get("5", "") or arguments.get("extra2", "")
    shown = english or latin
    return f"{shown} ({inner})".replace(" ()", "") + (f" {after}" if after else "") if shown else inner


def korean(arguments: Arguments, page: Page) -> str:
    """Return Korean writing with its transliteration."""
    hangul, hanja = arguments.first("hangul", "1"), arguments.first("hanja", "2")
    latin = arguments.first("rr", "mr", "3")
    return "; ".join(value for value in (f"Korean: {hangul}" if hangul else "", hanja, latin) if value)


def chinese(arguments: Arguments, page: Page) -> str:
    """Return Chinese writing with its transliteration."""
    labels = (
        ("t", "traditional Chinese"),
        ("s", "simplified Chinese"),
        ("c", "Chinese"),
        ("p", "pinyin"),
        ("w", "Wade–Giles"),
        ("j", "Jyutping"),
        ("l", "lit."),
    )
    return "; ".join(f"{label}: {value}" for name, label in labels if (value := arguments.get(name)))


def ipa(arguments: Arguments, page: Page) -> str:
    """Return a pronunciation in brackets: {{IPA|[…]}} or {{IPA|fr|…}}."""
    values = arguments.numbered()
    if len(values) >= 2 and re.fullmatch(r"[a-z]{2,3}(?:-[A-Za-z]+)?", values[0]):
        return with_brackets(values[1])
    return values[0] if values else ""


def ipa_labeled(arguments: Arguments, page: Page) -> str:
    """Return a pronunciation in brackets: {{IPA-de|…}}."""
    return with_brackets(arguments.get("1", ""))


def with_brackets(text: str) -> str:
    """Return *text* in brackets, unless it has its own."""
    return text if not text or text[0] in "[/" else f"[{text}]"


def ipac(arguments: Arguments, page: Page) -> str:
    """Return the pronunciation that {{IPAc-en|…}} spells in pieces."""
    pieces = [value for value in arguments.numbered() if value.lower() not in _IPA_WORDS]
    sounds = "".join(" " if piece == "_" else piece for piece in pieces)
    return f"/{sounds}/" if sounds else ""


def respell(arguments: Arguments, page: Page) -> str:
    """Return a respelled pronunciation, with hyphens between the syllables."""
    words = "-".join(value or " " for value in arguments.numbered())
    return words.replace("- -", " ").replace("-'-", "")


def quote(arguments: Arguments, page: Page) -> str:
    """Return a quotation as a paragraph, with its author and source."""
    text = arguments.first(*_QUOTATION, "1")
    if not text:
        return ""
    author = arguments.first(*_AUTHOR, "2")
    source = arguments.first(*_SOURCE, "3")
    if "<" in author or len(author) > 300:
        author = ""
    credit = ", ".join(value for value in (author.strip("—– "), source.strip("—– ")) if value)
    body = re.sub(r"\n(?!\n)", LINE, text) if "poem" in arguments.get("class", "") else text
    return f"\n\n{body}" + (f"\n\n— {credit}" if credit else "") + "\n\n"


_QUOTATION: Final = (
    "text", "quote", "content", "Text", "texte", "citation", "texto", "cita", "testo", "treść", "tekst", "текст",
    "цитата", "תוכן", "内容", "引文", "引用文",
)  # fmt: skip
_AUTHOR: Final = (
    "author", "sign", "by", "Autor", "auteur", "autor", "autore", "auteurs", "автор", "作者", "著者", "発言者",
)  # fmt: skip
_SOURCE: Final = (
    "source", "title", "Quelle", "titre", "fuente", "título", "fonte", "źródło", "bron", "источник", "מקור",
    "来源", "出典",
)  # fmt: skip


def verse(arguments: Arguments, page: Page) -> str:
    """Return a poem and its translation."""
    return "\n\n" + "\n\n".join(value.replace("\n", LINE) for value in arguments.numbered()[:2] if value) + "\n\n"


def block(arguments: Arguments, page: Page) -> str:
    """Return a text with its lines, such as the list in {{plainlist|…}}."""
    text = arguments.first("1", "list", "liste", "lista", "content", "contenu")
    return f"\n{text}\n" if "\n" in text or text.startswith("*") else text


def columns(arguments: Arguments, page: Page) -> str:
    """Return the texts of columns one below the other."""
    values = [arguments[name] for name in sorted(arguments) if re.fullmatch(r"(?:col|kolom)?\d", name.lower())]
    return "".join(f"\n{value}\n" for value in values if value)


def item_list(arguments: Arguments, page: Page) -> str:
    """Return the arguments as a list."""
    values = [value for value in arguments.numbered() if value]
    return "\n" + "\n".join(f"* {value}" for value in values) + "\n" if len(values) > 1 else "".join(values)


def inline_list(arguments: Arguments, page: Page) -> str:
    """Return the arguments in one line."""
    return ", ".join(value for value in arguments.numbered() if value)


def captions(arguments: Arguments, page: Page) -> str:
    """Return the captions of several images, if captions are kept."""
    if "captions" not in page.keep:
        return ""
    values = [value for name, value in arguments.items() if _CAPTION.fullmatch(name) and not _FILE.search(value)]
    return "\n\n" + "\n\n".join(value for value in values if " " in value) + "\n\n"


def track_listing(arguments: Arguments, page: Page) -> str:
    """Return the titles of a track listing as a list."""
    if "lists" not in page.keep:
        return ""
    numbers = sorted(
        int(name[5:]) for name in arguments if name.startswith("title") and name[5:].isdecimal() and len(name) < 9
    )
    titles = (arguments[f"title{place}"] for place in numbers if f"title{place}" in arguments)
    return "\n" + "".join(f"# {title}\n" for title in titles if title)


def text_link(arguments: Arguments, page: Page) -> str:
    """Return the text of a link to a page of another language."""
    return (
        re.sub(r"\s*\([^()]*\)$", "", arguments.first("lt", "display"))
        if arguments.first("lt")
        else arguments.get("1", "")
    )


def link(arguments: Arguments, page: Page) -> str:
    """Return the text of a link with a description."""
    return arguments.first("2", "display", "1")


def sic(arguments: Arguments, page: Page) -> str:
    """Return a misspelled text; the note "[sic]" follows it unless it is hidden."""
    text = "".join(arguments.get(str(place), "") for place in (1, 2, 3)).replace("hide=y", "")
    is_hidden = arguments.get("hide", "").lower() in {"y", "yes", "1"}
    return text if is_hidden else f"{text} [sic]".strip()


def ship(arguments: Arguments, page: Page) -> str:
    """Return the name of a ship with its prefix and number: {{ship|HMS|Victory|1765}}, or the parts the 4th names."""
    prefix, name, number, form = (arguments.get(str(place), "") for place in (1, 2, 3, 4))
    if form == "1":
        return number or name
    pieces = ("" if form in {"2", "3"} else prefix, name, f"({number})" if number and form not in {"2", "6"} else "")
    return " ".join(piece for piece in pieces if piece)


def literal(arguments: Arguments, page: Page) -> str:
    """Return a literal translation."""
    values = [value for value in arguments.numbered() if value]
    return "lit. " + ", ".join(f"'{value}'" for value in values) if values else ""


def first(arguments: Arguments, page: Page) -> str:
    """Return the first argument that is not empty."""
    return next((value for value in arguments.numbered() if value), "")


def all_first(arguments: Arguments, page: Page) -> str:
    """Return the first argument, also where its text has an equals sign and was read as a name."""
    if "1" in arguments:
        return arguments["1"]
    return next((f"{name}={value}" for name, value in arguments.items()), "")


def by(arguments: Arguments, page: Page) -> str:
    """Return the words of a byline."""
    return first(arguments, page)


def music(arguments: Arguments, page: Page) -> str:
    """Return a sign of musical notation."""
    signs = {"sharp": "♯", "#": "♯", "flat": "♭", "b": "♭", "natural": "♮"}
    return signs.get(arguments.get("1", ""), arguments.get("1", ""))


def pagename(arguments: Arguments, page: Page) -> str:
    """Return the title of the page."""
    return page.title
