"""Templates as text: by the recipe, the tables of the language, or, for unknown ones, by their form."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from corpusmill.crawlers.readers.wikitext import dates, gauges, quantities, regional, wording
from corpusmill.crawlers.readers.wikitext.arguments import Arguments, filled
from corpusmill.crawlers.readers.wikitext.citations import citation, is_citation
from corpusmill.crawlers.readers.wikitext.functions import FUNCTIONS, WORDS
from corpusmill.crawlers.readers.wikitext.infoboxes import infobox
from corpusmill.crawlers.readers.wikitext.page import Page

Renderer = Callable[[Arguments, Page], str]

_RENDERERS: Final[dict[str, Renderer]] = {
    function.__name__: function
    for module in (dates, gauges, quantities, regional, wording)
    for name, function in vars(module).items()
    if not name.startswith("_") and callable(function) and getattr(function, "__module__", "") == module.__name__
} | {"list": wording.item_list, "roman": quantities.roman_numeral, "fraction_choose": quantities.choose}
_PREFIX: Final = re.compile(r"(?:subst|safesubst|msgnw|msg|raw)\s*:\s*", re.IGNORECASE)
_LANGUAGE: Final = re.compile(r"lang-([a-z]{2,3}(?:-[a-z]+)?)(\d|-short|2)?")
_IPA: Final = re.compile(r"ipa-[a-z]{2,4}")
_MODULES: Final = frozenset({"convert", "lang", "val"})
"""Modules that are called as pages call the templates of their names, after the name of a function."""
_SPACES: Final = re.compile(r"[\s_]+")
_CODE: Final = re.compile(r"[a-z]{2,3}(?:-[a-z]+)?")
_MAX_INLINE: Final = 200
"""Characters of the only argument of an unknown template that is taken for its text."""


class Templates:
    """Renders the templates of a page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._language = page.language

    def render(self, parts: list[str], is_alone: bool) -> str:
        """Return the text of the template with *parts*, its name and its arguments.

        Args:
            is_alone: Whether it has a line of its own.
        """
        name = parts[0].strip()
        word = WORDS.get(name.lower())
        if word is not None and (len(parts) == 1 or len(name) < 3):
            return word(self._page)
        if name[:1] == ":":
            name = name[1:]
        if ":" in name:
            name = _PREFIX.sub("", name)
            before, colon, after = name.partition(":")
            function = FUNCTIONS.get(before.strip().lower())
            if colon and function is not None:
                return function([after, *parts[1:]], self._page)
            if colon and self._page.namespaces.get(before.strip().lower()) == 10:
                name = after
            if colon and before.strip().lower() in {"#invoke", "#вызвать", "#invoque"}:
                return self._module(after, parts[1:])
        key = _SPACES.sub(" ", name).strip().lower()
        text = self._by_name(key, parts)
        return self._unknown(key, parts, is_alone) if text is None else text

    def _module(self, name: str, parts: list[str]) -> str:
        """Return the text of a module as that of the template of its name; modules are not run."""
        key = _SPACES.sub(" ", name).strip().lower()
        text = self._by_name(key, parts) if key in self._page.patterns or key in _MODULES else None
        if text is None:
            self._page.note_unknown(f"#invoke:{key}")
        return text or ""

    def _by_name(self, key: str, parts: list[str]) -> str | None:
        """Return the text of a template that is in a table; None: it is not."""
        language, page = self._language, self._page
        pattern = page.patterns.get(key)
        if pattern is None and (function := language.functions.get(key)) is not None:
            function, _, first = function.partition(":")
            return _RENDERERS[function](Arguments([first, *parts[1:]] if first else parts[1:]), page)
        if pattern is None:
            pattern = language.texts.get(key)
        if pattern is not None:
            return filled(pattern, Arguments(parts[1:])) if "{" in pattern else pattern
        if key in language.disambiguations:
            page.is_disambiguation = True
            return ""
        if is_citation(key) and "references" in page.keep:
            return citation(Arguments(parts[1:]))
        if "infoboxes" in page.keep and key.startswith(language.infobox_prefixes):
            return infobox(Arguments(parts[1:]))
        if (
            key in language.dropped
            or key.startswith(language.dropped_prefixes)
            or key.endswith(language.dropped_suffixes)
        ):
            return ""
        if key.startswith(language.infobox_prefixes):
            return ""
        if (match := _LANGUAGE.fullmatch(key)) is not None:
            arguments = Arguments(parts[1:])
            return wording.with_language(match[1], arguments.numbered(), arguments, page)
        if language.code == "de" and key[-1:] == "s" and language.name_of(key[:-1]) is not None:
            return wording.labeled(page, key[:-1], Arguments(parts[1:]).get("1", ""))
        if (century := regional.century_by_name(key)) is not None:
            return century
        if language.code in {"fr", "oc", "wa"} and (ordinal := regional.ordinal_by_name(key)) is not None:
            return " ".join((ordinal, *Arguments(parts[1:]).numbered()[:1]))
        if _IPA.fullmatch(key) is not None:
            return wording.ipa_labeled(Arguments(parts[1:]), page)
        return None

    def _unknown(self, key: str, parts: list[str], is_alone: bool) -> str:
        """Return the text of an unknown template: its only argument, within a line; else nothing.

        Templates that format a text (``{{nowrap|…}}``) or say its language have it as their last argument.
        """
        self._page.note_unknown(key)
        if is_alone or len(parts) == 1 or len(parts) > 3:
            return ""
        arguments = Arguments(parts[1:])
        if arguments.positional != len(parts) - 1:
            return ""
        is_text = len(parts) == 2 or _CODE.fullmatch(arguments["1"]) is not None
        text = arguments[str(arguments.positional)]
        return text if is_text and len(text) <= _MAX_INLINE and "\n" not in text else ""
