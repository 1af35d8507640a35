"""OpenDocument texts, such as those of LibreOffice."""

from __future__ import annotations

from typing import Any, ClassVar

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.office import Office, offer_of
from corpusmill.crawlers.loaders.streams import packed
from corpusmill.crawlers.readers.odt import odt_document


class Odt(Office):
    """OpenDocument texts, without headers, footers, comments, deleted text and names of authors."""

    suffixes: ClassVar[tuple[str, ...]] = (".odt", ".ott", *packed(".fodt"))
    about: ClassVar[About] = About(
        license="`license` in the recipe: the format has no field for it.",
        get="Any folder of documents.",
        tried="the 16 test files of odfpy, and generated documents with each feature",
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether *head* is the beginning of an OpenDocument text, zipped or flat."""
        return b"application/vnd.oasis.opendocument.text" in head[: 4096 if head.lstrip().startswith(b"<") else 200]

    def offer(self, data: bytes) -> dict[str, Any]:
        """Return the document in *data*."""
        return offer_of(odt_document(data, notes="footnotes" in self.keep))
