"""Papers in JATS, such as those of PubMed Central."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO, ClassVar, Final, Literal

from lxml import etree
from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.streamed import Broken, Record, Streamed
from corpusmill.crawlers.loaders.streams import packed
from corpusmill.crawlers.readers.jats import (
    LANG,
    ids_of,
    license_of,
    published,
    text_of,
    title_of,
    without_namespace,
    words_of,
)
from corpusmill.crawlers.readers.xml import elements, local_name, parsed
from corpusmill.crawlers.readers.xml_repair import as_utf8, codec_of_head
from corpusmill.schemas.errors import DataError

Part = Literal["tables", "captions", "formulas", "footnotes", "references", "acknowledgments", "back_sections"]
_HEAD_BYTES: Final = 1 << 16
_ROOT: Final = re.compile(rb"<(?:article|pmc-articleset)[\s>]")


class Jats(Streamed):
    """Articles in JATS or NLM XML: abstract and body. Names of authors and their addresses are not read."""

    uses_name: ClassVar[bool] = True
    suffixes: ClassVar[tuple[str, ...]] = packed(".nxml", ".xml")
    depends: ClassVar[tuple[str, ...]] = ("lxml",)
    about: ClassVar[About] = About(
        license="of each article, from its permissions; an article without one has that of the recipe",
        get="the bulk packages of the PMC Open Access Subset, from the FTP service of PubMed Central or its cloud copy",
        tried="11 real articles of 8 journals: license on 9, 2 have none",
    )

    keep: tuple[Part, ...] = Field(
        default=("tables", "captions", "formulas"),
        description="Optional parts that stay in the text. `back_sections` are those after the body, such as funding, "
        "contributions of authors (with their initials) and availability of data.",
        examples=[["tables", "captions", "formulas", "references"]],
    )
    sub_articles: bool = Field(
        default=False,
        description="Whether sub-articles and responses, such as letters of reviewers, are documents of their own. "
        "They are never part of the article.",
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* has articles in JATS."""
        return b"JATS" in head[:1000] or b"NLM//DTD Journal" in head[:1000] or _ROOT.search(head[:2000]) is not None

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the article, or the articles of a set.

        Raises:
            DataError: ``wrong_format``: the file has no article; ``truncated``: it ends within one; ``entities``: it
                declares entities of its own.
        """
        head = stream.peek(_HEAD_BYTES) if hasattr(stream, "peek") else b""
        codec = codec_of_head(head, _ROOT)
        is_set = b"<pmc-articleset" in head[:4096]
        found = 0
        for element in elements(stream, "article"):
            found += 1
            if element.data is None:
                message = "the article is larger than the limit"
                yield Broken(b"%d" % element.offset, "too_large", message, offset=element.offset)
                continue
            try:
                article = without_namespace(parsed(as_utf8(element.data, codec)))
            except DataError as error:
                yield Broken(element.data, error.kind, error.message, offset=element.offset)
                continue
            yield from self._records(article, element.data, element.offset, None if is_set else name, counts)
        if not found:
            raise DataError("not JATS: the file has no <article>", kind="wrong_format")

    def _records(
        self, article: etree._Element, native: bytes, offset: int, name: str | None, counts: Counter[str]
    ) -> Iterator[Record]:
        record = self._record(article, native, offset, name)
        yield record
        parts = [child for child in article if local_name(child) in {"sub-article", "response"}]
        if not self.sub_articles:
            counts["sub_articles"] += len(parts)
            return
        for number, part in enumerate(parts, 1):
            for stub in part.findall("front-stub"):
                front = etree.SubElement(part, "front")
                stub.tag = "article-meta"
                front.append(stub)
            id = f"{record.source_id}#{part.get('id') or number}"
            yield self._record(part, native, offset, id, is_part=True)

    def _record(
        self, article: etree._Element, native: bytes, offset: int, name: str | None, *, is_part: bool = False
    ) -> Record:
        ids = ids_of(article)
        license, license_source = license_of(article) or (None, None)
        meta = "front/article-meta"
        doi, pmc = ids.get("doi"), ids.get("pmc")
        id = None if is_part else pmc or ids.get("pmid") or doi
        url = f"https://pmc.ncbi.nlm.nih.gov/articles/{pmc}/" if pmc else f"https://doi.org/{doi}" if doi else None
        return Record(
            native=native,
            text=text_of(article, keep=frozenset(self.keep)) or None,
            source_id=id or name,
            title=title_of(article),
            url=url,
            license=license,
            license_source=license_source,
            published_at=published(article),
            metadata={
                "journal": next(iter(words_of(list(article.iterfind("front/journal-meta//journal-title")))), ""),
                "doi": doi or "",
                "pmid": ids.get("pmid", ""),
                "article_type": article.get("article-type", ""),
                "language": article.get(LANG, ""),
                "subjects": "; ".join(words_of(list(article.iterfind(f"{meta}/article-categories//subject")))),
                "keywords": "; ".join(words_of(list(article.iterfind(f"{meta}/kwd-group/kwd")))),
            },
            offset=offset,
        )
