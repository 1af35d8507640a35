"""The license that a page states for itself, and its source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from corpusmill.pipelines.stages.extract.declared import Declared
from corpusmill.pipelines.stages.extract.found import Found
from corpusmill.pipelines.stages.extract.linked_data import LinkedData
from corpusmill.schemas.licenses import spdx

METAS: Final = ("dcterms.license", "dc.rights", "dcterms.rights", "citation_license", "license")
_URL_CHARS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Terms:
    """An SPDX identifier, or the address of a license without one, or nothing."""

    identifier: Found[str] | None = None
    url: Found[str] | None = None


def license_of(page: Declared, linked: LinkedData) -> Terms:
    """Return the license from the first source that states one.

    A page that lists several licenses there (often one per image) says nothing about its text.
    """
    for source, addresses in _stated(page, linked):
        if addresses:
            return _terms(sorted(set(addresses)), source)
    return Terms()


def _stated(page: Declared, linked: LinkedData) -> Iterator[tuple[str, list[str]]]:
    yield "rel-license", page.links.get("license", [])
    yield "json-ld", _addresses(linked.addresses("license"))
    yield "microdata", _addresses(page.microdata.get("license", []))
    for name in METAS:
        if name in page.metas:
            yield f"meta:{name}", _addresses(page.metas[name])


def _addresses(values: list[str]) -> list[str]:
    """Return the *values* that link to a license or name one; others are sentences about rights."""
    return [value for value in values if "//" in value or spdx(value)]


def _terms(urls: list[str], source: str) -> Terms:
    names = {spdx(url) for url in urls}
    if len(names) == 1 and (name := names.pop()) is not None:
        return Terms(identifier=Found(name, source))
    return Terms(url=Found(urls[0][:_URL_CHARS], source)) if len(urls) == 1 else Terms()
