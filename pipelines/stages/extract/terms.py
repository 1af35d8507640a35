"""The license that a page states for itself, for its site or for its pictures, and its source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from corpusmill.pipelines.stages.extract.declared import Declared
from corpusmill.pipelines.stages.extract.found import Found
from corpusmill.pipelines.stages.extract.linked_data import LinkedData
from corpusmill.schemas.licenses import spdx

METAS: Final = (
    *("dcterms.license", "dcterms:license", "dct:license", "dc.rights", "dc:rights", "dcterms.rights"),
    *("dcterms:rights", "dct:rights", "citation_license", "license"),
)
"""Names of `<meta>`, the spellings of Dublin Core with a dot (HTML) or a colon (RDFa) among them."""
_SITES: Final = frozenset(("website",))
_PICTURES: Final = frozenset(("imageobject",))
_URL_CHARS: Final = 2_000
OF_SITE: Final = "json-ld:WebSite"


@dataclass(frozen=True, slots=True)
class Terms:
    """An SPDX identifier, or the address of a license without one, or nothing.

    Args:
        scope: ``site`` if the license is stated for the whole site; None: for the page.
        picture: The license of the pictures, as an identifier or an address, if it is the same for all of them.
    """

    identifier: Found[str] | None = None
    url: Found[str] | None = None
    scope: Found[str] | None = None
    picture: Found[str] | None = None


def license_of(page: Declared, linked: LinkedData) -> Terms:
    """Return the license from the first source that states one.

    A page that lists several licenses there (often one per image) says nothing about its text.
    """
    terms = next((_terms(sorted(set(those)), source) for source, those in _stated(page, linked) if those), Terms())
    if (stated := terms.identifier or terms.url) is not None and stated.source == OF_SITE:
        terms = replace(terms, scope=Found("site", OF_SITE))
    return replace(terms, picture=_of_pictures(linked))


def _stated(page: Declared, linked: LinkedData) -> Iterator[tuple[str, list[str]]]:
    yield "rel-license", page.links.get("license", [])
    yield "json-ld", _addresses(linked.addresses("license", but=_SITES))
    yield "microdata", _addresses(page.microdata.get("license", []))
    for name in METAS:
        if name in page.metas:
            yield f"meta:{name}", _addresses(page.metas[name])
    yield OF_SITE, _addresses(linked.addresses("license", of=_SITES))


def _of_pictures(linked: LinkedData) -> Found[str] | None:
    """Return the license of the pictures; None if they have several, because the text does not say which is where."""
    stated = sorted(set(_addresses(linked.addresses("license", of=_PICTURES))))
    names = {spdx(address) or address[:_URL_CHARS] for address in stated}
    return Found(names.pop(), "json-ld:ImageObject") if len(names) == 1 else None


def _addresses(values: list[str]) -> list[str]:
    """Return the *values* that link to a license or name one; others are sentences about rights."""
    return [value for value in values if "//" in value or spdx(value)]


def _terms(urls: list[str], source: str) -> Terms:
    names = {spdx(url) for url in urls}
    if len(names) == 1 and (name := names.pop()) is not None:
        return Terms(identifier=Found(name, source))
    return Terms(url=Found(urls[0][:_URL_CHARS], source)) if len(urls) == 1 else Terms()
