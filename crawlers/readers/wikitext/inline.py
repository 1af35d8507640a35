"""Markup within lines (HTML tags, bold, external links, entities), and punctuation that dropped parts leave."""

from __future__ import annotations

import html
import re
from typing import Final

from corpusmill.crawlers.readers.wikitext.extensions import LINE
from corpusmill.crawlers.readers.wikitext.numbers import APART, exponent_of, index_of

_TAG_NAMES: Final = (
    "abbr|b|bdi|bdo|big|blockquote|caption|center|cite|code|col|colgroup|data|dd|del|dfn|div|dl|dt|em|figure|"
    "figcaption|font|h[1-6]|hr|i|img|ins|kbd|li|link|mark|meta|nobr|noinclude|includeonly|nowiki|ol|onlyinclude|p|"
    "pre|q|rb|rbc|rp|rt|rtc|ruby|s|samp|section|small|span|strike|strong|sub|sup|table|tbody|td|th|thead|time|tr|tt|"
    "u|ul|var|wbr|ref|references|math|gallery|poem|timeline|syntaxhighlight|source|score|includeonly|noinclude|"
    "translate|tvar|languages|indicator|templatestyles|imagemap|hiero|inputbox|section|a|article|center"
)
_BREAK: Final = re.compile(r"<\s{0,3}/?\s{0,3}br\b[^<>]{0,300}>", re.IGNORECASE)
_SCRIPTS: Final = re.compile(r"<(su[pb])\b[^<>]{0,300}>([^<>\n]{0,300})</\1\s*>", re.IGNORECASE)
_READINGS: Final = re.compile(r"<(rt|rp)\b[^<>]{0,300}>[^<>]{0,300}</\1\s*>", re.IGNORECASE)
_CELLS: Final = re.compile(r"<t[dh]\b[^<>]{0,300}>", re.IGNORECASE)
_ITEMS: Final = re.compile(r"<li\b[^<>]{0,300}>\s*", re.IGNORECASE)
_BLOCKS: Final = re.compile(
    r"</?(?:p|div|blockquote|center|ul|ol|dl|dd|dt|table|tbody|thead|tr|caption|h[1-6]|hr|figure|figcaption|pre|li|poem)"
    r"(?=[\s/>])[^<>]{0,2000}>",
    re.IGNORECASE,
)
_TAGS: Final = re.compile(rf"</?(?:{_TAG_NAMES})(?=[\s/>])[^<>]{{0,2000}}>", re.IGNORECASE)
_LINKS: Final = re.compile(
    r"\[(?:(?:https?|ftps?|ircs?|git|news|gopher|svn)://|//|mailto:|tel:)[^\s\[\]<>\"|]*+[ \t|]*+"
    r"([^\[\]\n]*+(?:\[[^\[\]\n]*+\][^\[\]\n]*+)?+)\]",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(r"__[^\W\d_a-z]{3,40}(?:_[^\W\d_a-z]{1,40}){0,4}__")
_QUOTES: Final = re.compile(r"'{2,}")
_MARK_OF_ITALICS: Final = "\x04"
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_MAX_NESTED_VARIANTS: Final = 4
_VARIANT: Final = re.compile(r"-\{([^{}]*)\}-")


def without_tags(text: str) -> str:
    """Return *text* without HTML tags, external addresses that have a label, and magic words.

    >>> without_tags("10<sup>6</sup> [https://a.example word]<br/>x __NOTOC__")
    '10⁶ word\\x02x '
    """
    if "<" in text:
        text = _BREAK.sub(LINE, text)
        text = _SCRIPTS.sub(_raised_or_lowered, text)
        if "<r" in text:
            text = _READINGS.sub("", text)
        if "<l" in text or "<t" in text:
            text = _ITEMS.sub("\n* ", _CELLS.sub("  ", text))
        text = _BLOCKS.sub("\n\n", text)
        text = _TAGS.sub("", text)
    if "[" in text:
        text = _LINKS.sub(lambda match: match[1], text)
    return _WORDS.sub("", text) if "__" in text else text


def _raised_or_lowered(match: re.Match[str]) -> str:
    base = match.string[max(match.start() - 8, 0) : match.start()].rstrip("'")[-1:]
    return (exponent_of if match[1].lower() == "sup" else index_of)(base, match[2].replace("''", "").strip())


def with_variant(text: str, variants: tuple[str, ...]) -> str:
    """Return *text* with one of the ``-{variants}-`` of the writing systems of Chinese and Serbian.

    >>> with_variant("-{zh-hans:计算机;zh-hant:電腦}- -{龍}-", ("zh-hans", "zh-cn"))
    '计算机 龍'
    """

    def chosen(match: re.Match[str]) -> str:
        content = match[1]
        flags, bar, rest = content.partition("|")
        if bar and len(flags) < 20:
            if flags.strip() in {"H", "T", "-"} or flags.strip().startswith("T"):
                return ""
            content = rest
        if ":" not in content:
            return content
        choices = {}
        for choice in content.split(";"):
            name, colon, value = choice.partition(":")
            if colon:
                choices[name.rpartition("=>")[2].strip().lower()] = value.strip()
        return next((choices[name] for name in variants if name in choices), next(iter(choices.values()), ""))

    for _ in range(_MAX_NESTED_VARIANTS):
        if "-{" not in text or (shorter := _VARIANT.sub(chosen, text)) == text:
            break
        text = shorter
    return text


def without_quotes(line: str) -> str:
    """Return *line* without the marks of bold and italic text; apostrophes next to them stay.

    >>> without_quotes("'''Ann''''s L'''Amour''")
    "Ann's L'Amour"
    """
    if "''" not in line:
        return line
    runs = [len(match[0]) for match in _QUOTES.finditer(line)]
    bold = sum(run in {3, 4} or run >= 5 for run in runs)
    italic = sum(run == 2 or run >= 5 for run in runs)
    if bold % 2 and italic % 2:
        line = _with_apostrophe(line)
    return _QUOTES.sub(lambda match: "'" * _apostrophes(len(match[0])), line).replace(_MARK_OF_ITALICS, "")


def _apostrophes(run: int) -> int:
    return 1 if run == 4 else max(run - 5, 0)


def _with_apostrophe(line: str) -> str:
    """Read one of the runs of three as an apostrophe and the beginning or end of italics, as MediaWiki does."""
    places = [match.start() for match in _QUOTES.finditer(line) if len(match[0]) == 3]
    after_words = [place for place in places if place and not line[place - 1].isspace()]
    after_letters = [place for place in after_words if place == 1 or line[place - 2].isspace()]
    place = next(iter(after_letters or after_words or places), None)
    if place is None:
        return line
    return f"{line[:place]}'{_MARK_OF_ITALICS}{line[place + 3 :]}"


def with_characters(text: str) -> str:
    """Return *text* with characters in place of entities, and with plain spaces.

    >>> with_characters("a&nbsp;b &amp;amp; &#8212; &unknown;")
    'a b &amp; — &unknown;'
    """
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    return _UNUSUAL.sub(lambda match: "" if match[0] in _INVISIBLE else " ", text)


_UNUSUAL: Final = re.compile("[\t\r\xa0\xad\u2002\u2003\u2009\u200a\u200b\u200e\u200f\u202f\u2060\ufeff]")
_INVISIBLE: Final = frozenset("\r\xad\u200b\u200e\u200f\u2060\ufeff")

_MARKS: Final = ",;،、，；"
_AFTER_DIGIT: Final = re.compile(rf"(?<=\d){APART}")
_REPEATED: Final = re.compile(rf"([{_MARKS}])(?:[ ]?[{_MARKS}])+")
_AFTER_OPENING: Final = re.compile(rf"([(（])[ {_MARKS}:]{{1,8}}")
_BEFORE_CLOSING: Final = re.compile(rf"[ {_MARKS}]{{1,8}}([)）])")
_EMPTY: Final = re.compile(rf"[(（\[](?<![\w.].)[ {_MARKS}:·/–—=-]{{0,8}}[)）\]](?!\()")
_TWO_STOPS: Final = re.compile(r"\.\.(?![.\w/])(?<=\w\.\.)")
_BEFORE_STOP: Final = re.compile(r" ([,.])(?=[\s)]|$)(?<![\s–—-] [,.])")


def tidied(text: str) -> str:
    """Return *text* without empty parentheses and the punctuation that dropped parts leave.

    >>> tidied("Rome ( ; , ) is (, x; ) a  city , main() too.")
    'Rome is (x) a city, main() too.'
    """
    if APART in text:
        text = _AFTER_DIGIT.sub(" ", text).replace(APART, "")
    text = _in_single_spaces(text)
    text = _REPEATED.sub(r"\1", text)
    if "(" in text or "（" in text or "[" in text:
        text = _AFTER_OPENING.sub(r"\1", text)
        text = _BEFORE_CLOSING.sub(r"\1", text)
        text = _in_single_spaces(_EMPTY.sub("", text))
    text = _BEFORE_STOP.sub(r"\1", text)
    return _TWO_STOPS.sub(".", text) if ".." in text else text


def _in_single_spaces(text: str) -> str:
    return _BLANKS.sub(" ", text) if "  " in text else text


_BLANKS: Final = re.compile("   *")
