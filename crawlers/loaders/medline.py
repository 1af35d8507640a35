"""Abstracts of MEDLINE and PubMed: the baseline, the daily updates, and results that PubMed exports as XML."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO, ClassVar, Final, Literal

from lxml import etree
from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.base import cuts
from corpusmill.crawlers.loaders.streamed import Broken, Record, Streamed
from corpusmill.crawlers.loaders.streams import is_compressed, open_decompressed, packed
from corpusmill.crawlers.readers.medline import (
    abstract_of,
    headings_of,
    is_truncated,
    published,
    revised,
    title_of,
    words_of,
)
from corpusmill.crawlers.readers.xml import Element, elements, local_name, parsed
from corpusmill.crawlers.readers.xml_repair import as_utf8, codec_of_head
from corpusmill.schemas.errors import DataError

_HEAD_BYTES: Final = 1 << 16
_ROOT: Final = re.compile(
    rb"<(?:PubmedArticleSet|PubmedArticle|PubmedBookArticle|MedlineCitationSet|MedlineCitation)\b"
)
_OLD_SET: Final = re.compile(rb"<MedlineCitationSet\b")
_DELETED: Final = re.compile(rb"<PMID\b")
_DELETED_ID: Final = re.compile(rb"<PMID\b[^>]*>\s*(\d+)\s*</PMID>")


class Medline(Streamed):
    """Citations that have an abstract. Names of authors and their addresses are not read."""

    suffixes: ClassVar[tuple[str, ...]] = packed(".xml")
    depends: ClassVar[tuple[str, ...]] = ("lxml",)
    about: ClassVar[About] = About(
        license="none is stated: the National Library of Medicine claims no copyright, publishers and authors may have "
        "it in the abstracts; its terms ask to name the source and to keep the data current",
        get="the annual baseline and the daily update files, from the FTP service of PubMed, as .xml.gz",
        tried="one real citation of PubMed, and made files of both forms",
    )

    has_deletions: ClassVar[bool] = True

    keep: tuple[Literal["other_abstracts"], ...] = Field(
        default=(),
        description="Optional parts that stay in the text: `other_abstracts` are those in other languages, for "
        "patients, or of other publishers.",
        examples=[["other_abstracts"]],
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* has citations."""
        return _ROOT.search(head) is not None

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return byte ranges of a plain file; a citation belongs to the slice in which it begins."""
        return [(0, -1)] if is_compressed(path) else cuts(path)

    def deletions(self, path: str, *, start: int = 0, end: int = -1) -> Iterator[list[str]]:
        """Yield the PMIDs in the deletions that begin in ``[start, end)``; the citations are not parsed."""
        with contextlib.suppress(DataError), open_decompressed(path) as stream:
            if start:
                stream.seek(start)
            for element in elements(stream, "DeleteCitation", "DeleteDocument", start=start, end=end):
                yield [pmid.decode("ascii", "replace") for pmid in _DELETED_ID.findall(element.data or b"")]

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the citations that have an abstract; others are counted, as are deletions.

        Raises:
            DataError: ``wrong_format``: the file has no citations; ``truncated``: it ends within one; ``entities``: it
                declares entities of its own.
        """
        head = stream.read(_HEAD_BYTES) if start else stream.peek(_HEAD_BYTES) if hasattr(stream, "peek") else b""
        if not self.recognizes(head):
            raise DataError("not MEDLINE: the file begins with no set of citations", kind="wrong_format")
        codec = codec_of_head(head, _ROOT)
        articles = ("MedlineCitation",) if _OLD_SET.search(head) else ("PubmedArticle", "PubmedBookArticle")
        root = next((name for name in ("PubmedArticleSet", "MedlineCitationSet") if b"<" + name.encode() in head), "")
        if start:
            stream.seek(start)
        for element in elements(stream, *articles, "DeleteCitation", "DeleteDocument", start=start, end=end, root=root):
            if element.data is not None and element.data.startswith(b"<Delete"):
                counts["deletions"] += len(_DELETED.findall(element.data))
                continue
            try:
                record = self._record(element, codec)
            except DataError as error:
                native = element.data or b"%d" % element.offset
                yield Broken(native, error.kind, error.message, offset=element.offset)
                continue
            if record is None:
                counts["without_abstract"] += 1
            else:
                yield record

    def _record(self, element: Element, codec: str | None) -> Record | None:
        if element.data is None:
            raise DataError("the citation is larger than the limit", kind="too_large")
        root = parsed(as_utf8(element.data, codec))
        parts = {local_name(child): child for child in root}
        citation = parts.get("MedlineCitation", parts.get("BookDocument", root))
        article = citation.find("Article")
        article = citation if article is None else article
        abstracts = article.findall("Abstract")
        if "other_abstracts" in self.keep:
            abstracts += citation.findall("OtherAbstract")
        text = "\n\n".join(filter(None, map(abstract_of, abstracts)))
        if not text:
            return None
        pmid = words_of(citation.find("PMID"))
        truncated = "true" if any(map(is_truncated, abstracts)) else ""
        return Record(
            native=element.data,
            text=text,
            source_id=pmid or None,
            title=title_of(article),
            url=f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/" if pmid else None,
            published_at=published(article),
            fetched_at=revised(citation),
            metadata=_metadata(root, citation, article) | {"truncated": truncated},
            offset=element.offset,
        )


def _metadata(root: etree._Element, citation: etree._Element, article: etree._Element) -> dict[str, str]:
    ids = {id.get("IdType", ""): words_of(id) for id in root.iterfind("PubmedData/ArticleIdList/ArticleId")}
    return {
        "doi": ids.get("doi") or words_of(article.find("ELocationID[@EIdType='doi']")),
        "pmc": ids.get("pmc")
        or next((id for id in map(words_of, citation.iterfind("OtherID")) if id[:3] == "PMC"), ""),
        "journal": words_of(article.find("Journal/Title")) or words_of(article.find("Book/BookTitle")),
        "language": "; ".join(words_of(language) for language in article.iterfind("Language")),
        "publication_types": "; ".join(words_of(kind) for kind in article.iterfind(".//PublicationType")),
        "mesh": headings_of(citation),
        "keywords": "; ".join(words_of(keyword) for keyword in citation.iterfind("KeywordList/Keyword")),
    }
