"""Recognize versions, section numbers and object identifiers that look like IPv4 addresses.

The context decides. A word for a version right before the numbers ("version", "release") is enough. After any other
word ("section", "Firefox", "update from") the numbers must also be small: the first up to `_MAX_MAJOR`, the others up
to `_MAX_MINOR`, and at least one of these up to `_MAX_SMALLEST`, as in 1 of 300 addresses. Numbers with a port are an
address. Two zeros at the end name a network or a version, not a machine.
"""

from __future__ import annotations

import re
from typing import Final

_CONTEXT: Final = 96
"""Characters of context before and after the numbers."""
_MAX_LINKS: Final = 8
_MAX_MAJOR: Final = 40
_MAX_MINOR: Final = 99
_MAX_SMALLEST: Final = 9
_MAX_HEADING: Final = 30
_PORT: Final = re.compile(r":\d{1,5}(?![\d.])|/\d{1,2}(?![\d.])")
"""A port, or the length of a prefix."""

_VERSION: Final = frozenset("v ver rv oid oids release releases выпуск релиз גרסה نسخة إصدار الإصدار".split())
_VERSION_STEMS: Final = (
    *("version", "versió", "versione", "versioni", "versie", "versã", "versõ", "wersj", "verze", "verzi", "verzió"),
    *("верси", "версі", "έκδοση", "έκδοσ", "sürüm", "firmware"),
)
_VERSION_ENDINGS: Final = ("版本", "バージョン", "リリース", "버전", "릴리스")
_PRODUCT: Final = re.compile(r"(?<![\w.:/@-])([^\W\d_][^\W_]*\+*)/$")
"""A product in front of its version, as in a user agent. A host, a path and a page of a wiki are no product."""
_SECTION: Final = frozenset(
    "sec secs fig figs clause clauses table tables tabelle abbildung ziffer "
    "kapitel chapitre capítulo capitulo capitolo appendix κεφάλαιο ενότητα bölüm глава главе главы".split()
)
_SECTION_STEMS: Final = (
    *("section", "sección", "secciones", "sezion", "seção", "seções", "abschnitt", "chapter", "figure", "paragraph"),
    *("раздел", "пункт"),
)
_SECTION_ENDINGS: Final = ("§", "第")
_WEAK: Final = frozenset(
    "build builds patch patches patched hotfix hotfixes changelog kernel bump bumped updates released bijgewerkt "
    "windows android ios macos chrome chromium firefox opera safari edge java jdk jre php mysql oracle db2 "
    "edg edga edgios opr crios fxios headlesschrome websphere weblogic flash acrobat office openssl python node.js "
    "sdk".split()
)
_WEAK_STEMS: Final = (
    *(
        "updat",
        "upgrad",
        "downgrad",
        "migrat",
        "aktualis",
        "aktualiz",
        "actualiz",
        "atualiz",
        "aggiorn",
        "обнов",
        "онов",
    ),
    *("güncell", "oppdater", "uppdater", "opdater", "päivit"),
)
_WEAK_ENDINGS: Final = (
    *("更新", "升级", "更新到", "更新至", "升级到", "升级至", "アップデート", "업데이트", "تحديث"),
    *("mise à jour", "mis à jour", "mise à niveau", "oracle database", "flash player", "acrobat reader"),
    *("net framework", "rolled back", "object identifier", "object identifiers", "版", "章", "节", "節"),
)
_OPERATORS: Final = (">=", "<=", "==", "~=", "!=", "^", "≥", "≤")
_LITTLE: Final = frozenset(
    "from to of is was and or through until with no nr number the v von auf bis zu und oder der die de du la le el "
    "les à au a et ou y e o da di del della do para per van naar en til till fra från z ze na из с со на до от и "
    "или".split()
)
"""Short words that may be between such a word and numbers that look like a version. Other numbers may be, too."""
_NUMBER: Final = re.compile(r"\d{1,5}(?:\.\d{1,5}){1,3}")
_TOKEN: Final = re.compile(r"\w+(?:[.-]\w+)*|[^\w\s.,:;=#\"'“”„«»(\[>~→–—-]")
"""A word, a number, or a sign that ends the context; other signs may be between words."""
_BEHIND: Final = re.compile(
    r"-(?:alpha|beta|rc|pre|dev|snapshot|release|final|ga|preview|stable|hotfix|\d+[a-z~])"
    r"|\.(?:zip|tar|tgz|exe|msi|jar|war|dll|so|dmg|pkg|apk|rpm|deb|whl|gem|iso|img)(?![^\W_])"
    r"|[ ,]{1,2}\(?(?:released?|versions?|builds?|beta|alpha|rc\d?|update|patch|hotfix|stable|lts|sp\d"
    r"|(?:or|and) (?:later|newer|higher|above|earlier|older)|oder (?:neuer|höher|älter))(?![^\W_])",
    re.IGNORECASE,
)
_HEADING: Final = re.compile(r"[.)]?[ \t]+[^\W\d_]")


def is_numbering(text: str, start: int, end: int) -> bool:
    """Return whether the four numbers at ``[start, end)`` of *text* are a version, a section or an object identifier.

    >>> line = "update from 1.10.0.3 to 1.11.2.4, seen from 93.184.216.34"
    >>> [is_numbering(line, line.index(n), line.index(n) + len(n)) for n in ("1.10.0.3", "1.11.2.4", "93.184.216.34")]
    [True, True, False]
    """
    numbers = tuple(map(int, text[start:end].split(".")))
    before, behind = text[max(0, start - _CONTEXT) : start], text[end : end + _CONTEXT]
    if numbers[2:] == (0, 0):
        return True
    is_plausible = numbers[0] <= _MAX_MAJOR and max(numbers[1:]) <= _MAX_MINOR and min(numbers[1:]) <= _MAX_SMALLEST
    is_plausible = is_plausible and not _PORT.match(behind)
    if is_plausible and (numbers[3] == 0 or _BEHIND.match(behind) or _is_heading(text, start, behind, numbers)):
        return True
    return _follows_a_cue(before, is_plausible=is_plausible)


def _follows_a_cue(before: str, *, is_plausible: bool) -> bool:
    """Return whether *before* ends with a word for a version or a section, followed only by signs and short words."""
    before = before.rstrip()
    if product := _PRODUCT.search(before):
        return is_plausible or _is_weak(product[1].casefold())
    if before.endswith("/"):
        return False
    if is_plausible and before.endswith(("§", *_OPERATORS)):
        return True
    tokens = _TOKEN.findall(before.casefold())[-_MAX_LINKS:]
    if not is_plausible:
        return bool(tokens) and _is_version(tokens[-1])
    for place in range(len(tokens) - 1, -1, -1):
        token = tokens[place]
        if (
            _is_version(token)
            or _is_section(token)
            or _is_weak(token)
            or " ".join(tokens[: place + 1]).endswith(_WEAK_ENDINGS)
        ):
            return True
        if token not in _LITTLE and not _NUMBER.fullmatch(token):
            return False
    return False


def _is_version(word: str) -> bool:
    return word in _VERSION or word.startswith(_VERSION_STEMS) or word.endswith(_VERSION_ENDINGS)


def _is_section(word: str) -> bool:
    return word in _SECTION or word.startswith(_SECTION_STEMS) or word.endswith(_SECTION_ENDINGS)


def _is_weak(word: str) -> bool:
    return word in _WEAK or word.startswith(_WEAK_STEMS)


def _is_heading(text: str, start: int, behind: str, numbers: tuple[int, ...]) -> bool:
    """Return whether small *numbers* begin a line and words follow: ``1.2.3.4 Installation``."""
    if max(numbers) > _MAX_HEADING or not _HEADING.match(behind):
        return False
    return not text[max(start - _CONTEXT, text.rfind("\n", 0, start) + 1, 0) : start].strip(" \t#*")
