"""Documents of Word."""

from __future__ import annotations

from typing import Any, ClassVar

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.office import Office, offer_of
from corpusmill.crawlers.readers.docx import docx_document


class Docx(Office):
    """Documents of Word 2007 and later, without headers, footers, comments, deleted text and names of authors."""

    suffixes: ClassVar[tuple[str, ...]] = (".docx", ".docm", ".dotx", ".dotm")
    about: ClassVar[About] = About(
        license="`license` in the recipe: the format has no field for it.",
        get="Any folder of documents.",
        tried="one real chapter of a book, the 47 documents of python-docx, and generated documents with each feature",
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether *head* is the beginning of a zip archive with a document of Word."""
        return head.startswith(b"PK") and b"word/document.xml" in head

    def offer(self, data: bytes) -> dict[str, Any]:
        """Return the document in *data*."""
        return offer_of(docx_document(data, notes="footnotes" in self.keep))
