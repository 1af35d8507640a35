"""Citation templates as a line of text, for `keep: [references]`."""

from __future__ import annotations

from typing import Final

from corpusmill.crawlers.readers.wikitext.arguments import Arguments

_FIELDS: Final = (
    (
        *("author", "authors", "last", "last1", "vauthors", "autor", "autor1", "auteur", "auteur1", "auteurs", "nom1"),
        *("nom", "apellidos", "apellido", "apellidos1", "autore", "cognome", "último", "autores", "автор", "著者"),
    ),
    ("title", "chapter", "titre", "titel", "título", "titolo", "tytuł", "заглавие", "загл", "название"),
    ("work", "journal", "website", "newspaper", "magazine", "encyclopedia", "book-title", "périodique", "werk"),
    ("publisher", "verlag", "éditeur", "editorial", "editore", "editora", "издательство"),
    ("date", "year", "datum", "jahr", "année", "fecha", "año", "ano", "anno", "data", "rok", "год"),
    ("pages", "page", "p", "seiten", "passage", "páginas", "страницы"),
    ("url",),
)
"""Names of arguments in lower case, in English, German, French, Spanish, Italian, Portuguese, Polish and Russian."""
_GIVEN_NAMES: Final = ("first", "first1", "prénom1", "prénom", "nombre", "nombre1", "nome")


def is_citation(name: str) -> bool:
    """Return whether the template *name*, in lower case, is a citation."""
    return name.startswith(
        ("cite ", "citation", "cita ", "lien web", "ouvrage", "literatur", "internetquelle", "книга")
    )


def _first(fields: dict[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := fields.get(name))), "")


def citation(arguments: Arguments) -> str:
    """Return the authors, title, work, publisher, date, pages and address.

    >>> citation(Arguments(["title=On Rivers", "last=Doe", "first=Jane", "year=2001"]))
    'Doe, Jane. On Rivers. 2001.'
    >>> citation(Arguments(["Autor=Jane Doe", "Titel=Über Flüsse", "Jahr=2001"]))
    'Jane Doe. Über Flüsse. 2001.'
    """
    fields = {name.lower(): value for name, value in arguments.items()}
    values = []
    for names in _FIELDS:
        value = _first(fields, names)
        if value and names[0] == "author" and (given := _first(fields, _GIVEN_NAMES)):
            value = f"{value}, {given}"
        values += [value.rstrip(".")] if value else []
    return ". ".join(values) + "." if values else ""
