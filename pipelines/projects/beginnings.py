"""How files of well-known data sets begin, by which `init --from` recognizes their format."""

from __future__ import annotations

import re
from typing import Final

GENERAL: Final = frozenset(("jsonl", "text"))
"""Formats of many kinds of files; a data set that is recognized in such a file has a format of its own."""
_BEGINNINGS: Final = {
    "wikipedia": rb"<mediawiki\b",
    "medline": rb"<PubmedArticleSet\b|<MedlineCitationSet\b",
    "jats": rb"<article\b[^>]*(?:article-type|dtd-version|xmlns:xlink)|DTD JATS|NLM//DTD Journal|<pmc-articleset\b",
    "tei": rb"<TEI\b|<teiCorpus\b",
    "stackexchange": rb"<posts>\s*<row ",
    "feed": rb"<rss\b|<feed\b[^>]*www\.w3\.org/2005/Atom|<rdf:RDF\b[^>]*purl\.org/rss|jsonfeed\.org/version",
    "reuters": rb"<!DOCTYPE lewis|<REUTERS\b",
    "gutenberg": rb"Project Gutenberg(?:'s|\(TM\))? (?:EBook|eBook|Etext)|START OF TH(?:E|IS) PROJECT GUTENBERG",
    "mbox": rb"\AFrom [^\n]+\d{4}[^\n]*\n(?:[\w-]+:|>)",
    "fhir": rb'\A\s*\{[^{}\[\]]*"resourceType"\s*:',
    "hl7": rb"\A\x0b?(?:MSH|FHS|BHS)\|",
    "wet": rb"\AWARC/[^\n]+\n(?:.*?\n)?WARC-Type: *conversion",
    "notebook": rb'"nbformat"|"cell_type"\s*:',
    "arxiv": rb"\\document(?:class|style)\b",
    "pdf": rb"\A%PDF-",
    "reddit": rb'\A\{[^\n]*"subreddit(?:_id)?"\s*:',
    "epub": rb"\APK\x03\x04.{26}mimetype.{0,28}application/epub\+zip",
    "odt": rb"\APK\x03\x04.{26}mimetype.{0,28}application/vnd\.oasis\.opendocument\.text",
    "docx": rb"\APK\x03\x04.*word/document\.xml",
}
_PATTERNS: Final = {name: re.compile(pattern, re.DOTALL) for name, pattern in _BEGINNINGS.items()}


def begins_as(name: str, head: bytes) -> bool:
    """Return whether *head*, the first bytes of a file, is the beginning of a data set of the format *name*.

    >>> begins_as("hl7", b"MSH|^~&|LAB|"), begins_as("wikipedia", b"<article>"), begins_as("csv", b"a,b")
    (True, False, False)
    """
    return name in _PATTERNS and _PATTERNS[name].search(head) is not None
