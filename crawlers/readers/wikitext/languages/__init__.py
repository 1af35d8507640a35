"""What differs between the wikis of languages: templates, headings of references, months, separators, namespaces.

Each language is a file `<code>.toml`; `all.toml` holds for all of them, and the templates of `en.toml` are tried in all
wikis, because most have redirects from the English names.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from corpusmill.crawlers.readers.wikitext.numbers import grouped

_FALLBACKS: Final = {
    "simple": "en",
    "sco": "en",
    "als": "de",
    "bar": "de",
    "nds": "de",
    "be": "ru",
    "be-tarask": "ru",
    "uk": "ru",
    "kk": "ru",
    "mk": "bg",
    "nb": "no",
    "nn": "no",
    "ca": "es",
    "gl": "es",
    "ast": "es",
    "oc": "fr",
    "wa": "fr",
    "scn": "it",
    "lmo": "it",
    "wuu": "zh",
    "zh-yue": "zh",
    "yue": "zh",
    "gan": "zh",
    "zh-classical": "zh",
}
"""Languages without a file of their own or with a small one, and the language whose templates they mostly share."""


@dataclass(frozen=True)
class Language:
    """The tables of a language. Names of templates are in lower case."""

    code: str
    texts: dict[str, str]
    functions: dict[str, str]
    dropped: frozenset[str]
    dropped_prefixes: tuple[str, ...]
    dropped_suffixes: tuple[str, ...]
    infobox_prefixes: tuple[str, ...]
    disambiguations: frozenset[str]
    references: frozenset[str]
    reference_lists: frozenset[str]
    file_names: frozenset[str]
    category_names: frozenset[str]
    redirects: tuple[str, ...]
    months: tuple[str, ...]
    date: str
    thousands: str
    decimal: str
    at_least: int
    names: dict[str, str]
    label: str
    words: dict[str, str]

    def grouped(self, text: str) -> str:
        """Write the digits *text* with the separators of the language."""
        return grouped(text, thousands=self.thousands, decimal=self.decimal, at_least=self.at_least)

    def name_of(self, code: str) -> str | None:
        """Return the name of the language *code* in this language; None if it is not in the table."""
        return self.names.get(code)


@cache
def _file(code: str) -> dict[str, Any]:
    path = files(__package__) / f"{code}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _extended(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of *base* with those of *own*: its values count, and its lists follow those of *base*.

    >>> _extended({"pages": {"files": ["a"]}, "words": {"and": "y"}}, {"pages": {"files": ["b"]}})
    {'pages': {'files': ['a', 'b']}, 'words': {'and': 'y'}}
    """
    tables = {name: dict(table) for name, table in base.items()}
    for name, table in own.items():
        known = tables.setdefault(name, {})
        for key, value in table.items():
            is_added = isinstance(value, list) and key in known and name != "writing"
            known[key] = known[key] + value if is_added else value
    return tables


@cache
def language(code: str) -> Language:
    """Return the tables of the language *code*; those of all languages if there is no file for it.

    >>> language("de").grouped("1234567.5"), language("xx").thousands
    ('1.234.567,5', ',')
    """
    code = code.lower()
    own = _file(code) if code.replace("-", "").isalnum() else {}
    if code in _FALLBACKS:
        own = _extended(_file(_FALLBACKS[code]), own)
    english, common = _file("en"), _file("all")
    layers = (common, english, own)

    def merged(name: str) -> dict[str, str]:
        return {key.lower(): value for layer in layers for key, value in layer.get(name, {}).items()}

    def joined(section: str, name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value for layer in layers for value in layer.get(section, {}).get(name, ())))

    def lowered(section: str, name: str) -> frozenset[str]:
        return frozenset(value.lower() for value in joined(section, name))

    writing = own.get("writing", {})
    texts, functions = merged("texts") | own.get("names", {}), merged("functions")
    own_texts = {name.lower() for name in own.get("texts", {})}
    mine = own_texts | {name.lower() for name in own.get("functions", {})}
    unwanted = {name.lower() for name in own.get("drop", {}).get("names", ())} - mine
    return Language(
        code=code,
        texts={name: text for name, text in texts.items() if name not in unwanted},
        functions={name: key for name, key in functions.items() if name not in unwanted and name not in own_texts},
        dropped=lowered("drop", "names") - mine,
        dropped_prefixes=tuple(lowered("drop", "prefixes")),
        dropped_suffixes=tuple(lowered("drop", "suffixes")),
        infobox_prefixes=tuple(lowered("drop", "infoboxes")),
        disambiguations=lowered("pages", "disambiguations"),
        references=lowered("sections", "references"),
        reference_lists=lowered("sections", "reference_lists"),
        file_names=lowered("pages", "files"),
        category_names=lowered("pages", "categories"),
        redirects=tuple(sorted(lowered("pages", "redirects"))),
        months=tuple(writing.get("months") or english["writing"]["months"]),
        date=writing.get("date", english["writing"]["date"]),
        thousands=writing.get("thousands", ","),
        decimal=writing.get("decimal", "."),
        at_least=writing.get("at_least", 4),
        names=own.get("languages", {}),
        label=writing.get("label", ""),
        words=english["words"] | own.get("words", {}),
    )
