"""Texts in TEI: papers that GROBID read from PDF, and digital editions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO, ClassVar, Final, Literal

from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.streamed import Broken, Record, Streamed
from corpusmill.crawlers.loaders.streams import packed
from corpusmill.crawlers.readers.tei import doi_of, license_of, metadata_of, published, text_of, title_of
from corpusmill.crawlers.readers.xml import elements, local_name, parsed
from corpusmill.crawlers.readers.xml_repair import as_utf8, codec_of_head
from corpusmill.schemas.errors import DataError

Part = Literal["tables", "captions", "formulas", "footnotes", "references", "acknowledgments"]
_TAGS: Final = ("TEI", "tei:TEI", "TEI.2")
_HEAD_BYTES: Final = 1 << 16
_ROOT: Final = re.compile(rb"<(?:tei:)?(?:TEI|TEI\.2|teiCorpus|teiCorpus\.2)[\s>]")
_CORPUS: Final = re.compile(rb"<(?:tei:)?teiCorpus(?:\.2)?(?:\s[^>]*)?>")
_HEADER: Final = re.compile(rb"<((?:tei:)?teiHeader)[\s>].*?</\1\s*>", re.DOTALL)
_PREFIX: Final = re.compile(rb"\s(xmlns(?::[\w.-]+)?)\s*=\s*(?:\"[^\"]*\"|'[^']*')")


class Tei(Streamed):
    """Elements `TEI`, each a document: abstract and text. Names of authors and their addresses are not read."""

    version: ClassVar[int] = 2
    uses_name: ClassVar[bool] = True
    suffixes: ClassVar[tuple[str, ...]] = packed(".tei.xml", ".tei", ".xml")
    depends: ClassVar[tuple[str, ...]] = ("lxml",)
    about: ClassVar[About] = About(
        license="that of the file, from `availability`; GROBID knows none, so the recipe has to name it",
        get="run GROBID on a folder of PDF files; or editions from an archive such as the Oxford Text Archive",
        tried="two real papers by GROBID, and made editions",
    )

    keep: tuple[Part, ...] = Field(
        default=("tables", "captions", "formulas"),
        description="Optional parts that stay in the text.",
        examples=[["tables", "captions", "formulas", "references"]],
    )
    readings: Literal["edited", "original"] = Field(
        default="edited",
        description="Which of two readings is in the text: the corrected, regularized, expanded one, or the original.",
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* is in TEI."""
        return _ROOT.search(head) is not None

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the text, or the texts of a corpus.

        Raises:
            DataError: ``wrong_format``: the file has no TEI; ``truncated``: it ends within a text; ``entities``: it
                declares entities of its own.
        """
        head = stream.peek(_HEAD_BYTES) if hasattr(stream, "peek") else b""
        if not self.recognizes(head):
            raise DataError("not TEI: the file has no <TEI>", kind="wrong_format")
        codec = codec_of_head(head, _ROOT)
        corpus = _CORPUS.search(head)
        license = _license_of_corpus(head) if corpus else None
        for number, element in enumerate(elements(stream, *_TAGS), 1):
            id = f"{name}#{number}" if corpus else name
            if element.data is None:
                message = "the text is larger than the limit"
                yield Broken(b"%d" % element.offset, "too_large", message, id, offset=element.offset)
                continue
            try:
                data = _with_prefixes(element.data, corpus[0]) if corpus else element.data
                yield self._record(as_utf8(data, codec), element.data, id, license, element.offset)
            except DataError as error:
                yield Broken(element.data, error.kind, error.message, id, offset=element.offset)

    def _record(
        self, data: bytes, native: bytes, id: str, license_of_corpus: tuple[str, str] | None, offset: int
    ) -> Record:
        tei = parsed(data)
        header = next((child for child in tei if local_name(child) == "teiHeader"), None)
        license, license_source = (header is not None and license_of(header)) or license_of_corpus or (None, None)
        doi = doi_of(tei)
        return Record(
            native=native,
            text=text_of(tei, keep=frozenset(self.keep), readings=self.readings) or None,
            source_id=doi or id,
            title=title_of(tei),
            url=f"https://doi.org/{doi}" if doi else None,
            license=license,
            license_source=license_source,
            published_at=published(tei),
            metadata=metadata_of(tei),
            offset=offset,
        )


def _license_of_corpus(head: bytes) -> tuple[str, str] | None:
    """Return the license of the header of a corpus, which applies to texts without one; None if it cannot be read."""
    header = _HEADER.search(head)
    first = re.search(rb"<(?:tei:)?TEI(?:\.2)?[\s>]", head)
    if header is None or (first is not None and first.start() < header.start()):
        return None
    try:
        return license_of(parsed(as_utf8(header[0], None)))
    except DataError:
        return None


def _with_prefixes(data: bytes, corpus: bytes) -> bytes:
    """Add the namespaces that the tag *corpus* declares to the first tag of *data*, where it does not declare them."""
    first = data.find(b">")
    declared = {match[1] for match in _PREFIX.finditer(data[:first])}
    missing = b"".join(match[0] for match in _PREFIX.finditer(corpus) if match[1] not in declared)
    name = re.match(rb"<[\w.:-]+", data)
    return data if name is None or not missing else data[: name.end()] + missing + data[name.end() :]
