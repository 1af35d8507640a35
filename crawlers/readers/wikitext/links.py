"""Links between pages: their text, or, for categories, files and other languages, what they add to the page."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.crawlers.readers.wikitext.page import MAX_NAMES, Page

_FILE: Final = 6
_MEDIA: Final = -2
_CATEGORY: Final = 14
_LANGUAGE: Final = re.compile(
    r"[a-z]{2,3}(?:-[a-z]{2,8}){0,2}|simple|be-x-old|map-bms|zh-classical|zh-min-nan|roa-tara|cbk-zam|nds-nl"
)
_PROJECTS: Final = frozenset(
    "wikt wiktionary w wikipedia s wikisource b wikibooks q wikiquote n wikinews v wikiversity voy wikivoyage d "
    "wikidata c commons m meta mw species wikispecies wmf foundation bugzilla phab doi "
    "google imdbname imdbtitle rfc".split()
)
_NOT_LANGUAGES: Final = frozenset({"wp", "mw", "doi", "rfc", "voy", "wmf", "tv"})
_OPTION: Final = re.compile(
    r"\s*(?:thumb(?:nail)?|frame(?:d|less)?|border|right|left|cent(?:er|re)|none|baseline|middle|sub|super|top|bottom|"
    r"text-(?:top|bottom)|upright(?:\s*=?.*)?|\d*\s*x?\s*\d+\s*(?:px)+|(?:thumb|alt|link|lang|page|class|upright|start|"
    r"thumbtime|hochkant|alternativtext|verweis|seite|redresse|vignette)\s*=.*|mini(?:atur)?|rechts|links|zentriert|"
    r"ohne|hochkant|gerahmt|rahmenlos|rand|vignette|droite|gauche|centré|centre|néant|cadre|bordure|redresse|sans_cadre|"
    r"miniatura|miniaturadeimagen|miniaturaimagen|mini|derecha|izquierda|centro|centrado|centrada|marco|borde|"
    r"ninguno|sinmarco|destra|sinistra|nessuno|direita|esquerda|nenhum|миниатюра|мини|справа|слева|центр|обрамить|без|"
    r"безрамки|граница|дясно|ляво|център|рамка|ръб|缩略图|縮圖|右|左|居中|有框|无框|無框|サムネイル|フレーム|なし|中央)\s*",
    re.IGNORECASE,
)
_IN_PARENTHESES: Final = re.compile(r"\s*[(（][^()（）]*[)）]$|,.*$")


class Links:
    """Renders the links of a page."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def render(self, parts: list[str]) -> str:
        """Return the text of a link with *parts*, its target and what follows the vertical bars."""
        target = parts[0].strip()
        is_shown = target[:1] == ":"
        if is_shown:
            target = target[1:].strip()
        if "\n" in target or not target:
            return "|".join(parts) if "\n" in target else parts[-1].strip()
        if ":" in target:
            special = self._special(target, parts, is_shown=is_shown)
            if special is not None:
                return special
        if len(self._page.links) < MAX_NAMES:
            self._page.links[target.partition("#")[0].strip().replace("_", " ")] = None
        if len(parts) == 1:
            return _shown(target)
        label = "|".join(parts[1:])
        return label if label.strip() else _IN_PARENTHESES.sub("", target)

    def _special(self, target: str, parts: list[str], *, is_shown: bool) -> str | None:
        """Return the text of a link with a prefix that is not the beginning of a title; None: it is."""
        prefix = target.partition(":")[0].strip().lower().replace("_", " ")
        language = self._page.language
        number = self._page.namespaces.get(prefix)
        label = "|".join(parts[1:])
        if number == _CATEGORY or prefix in language.category_names:
            if is_shown:
                return label or target
            if len(self._page.categories) < MAX_NAMES:
                self._page.categories[target.partition(":")[2].strip().replace("_", " ")] = None
            return ""
        if number in {_FILE, _MEDIA} or (number is None and prefix in language.file_names):
            return label or target if is_shown or number == _MEDIA else self._caption(parts)
        if number is not None:
            return label or target
        if prefix in _PROJECTS or is_shown:
            rest = target.partition(":")[2].strip()
            return label or (rest.rpartition(":")[2] if prefix in _PROJECTS or _is_language(prefix) else target)
        if _is_language(prefix) and target[len(prefix) + 1 : len(prefix) + 2] != " ":
            return label
        return None

    def _caption(self, parts: list[str]) -> str:
        if "captions" not in self._page.keep:
            return ""
        caption = parts[-1].strip() if len(parts) > 1 else ""
        return "" if not caption or _OPTION.fullmatch(caption) else f"\n\n{caption}\n\n"


def _is_language(prefix: str) -> bool:
    return _LANGUAGE.fullmatch(prefix) is not None and prefix not in _NOT_LANGUAGES


def _shown(target: str) -> str:
    """Return the text of a link without a label."""
    return target.replace("_", " ").lstrip("#") if target[0] == "#" else target.replace("_", " ")
