"""Citation templates as a line of text, for `keep: [references]`."""

from __future__ import annotations

from typing import Final

from corpusmill.crawlers.readers.wikitext.arguments import Arguments

_FIELDS: Final = (
    ("author", "authors", "last", "last1", "vauthors"),
    ("title", "chapter", "titre", "titel", "título", "titolo", "заглавие", "загл"),
    ("work", "journal", "website", "newspaper", "magazine", "encyclopedia", "book-title"),
    ("publisher", "verlag", "éditeur", "editorial", "издательство"),
    ("date", "year", "datum", "jahr", "année", "fecha", "año", "год"),
    ("pages", "page", "p"),
    ("url",),
)


def is_citation(name: str) -> bool:
    """Return whether the template *name*, in lower case, is a citation."""
    return name.startswith(
        ("cite ", "citation", "cita ", "lien web", "ouvrage", "literatur", "internetquelle", "книга")
    )


def citation(arguments: Arguments) -> str:
    """Return the authors, title, work, publisher, date, pages and address.

    >>> citation(Arguments(["title=On Rivers", "last=Doe", "first=Jane", "year=2001"]))
    'Doe, Jane. On Rivers. 2001.'
    """
    values = []
    for names in _FIELDS:
        value = arguments.first(*names)
        if value and names[0] == "author" and (given := arguments.first("first", "first1")):
            value = f"{value}, {given}"
        values += [value.rstrip(".")] if value else []
    return ". ".join(values) + "." if values else ""
