"""The parts of an OpenDocument text, in a zip archive (`.odt`) or in one XML file (`.fodt`)."""

from __future__ import annotations

from typing import Final

from lxml import etree

from corpusmill.crawlers.readers.docx_numbering import children
from corpusmill.crawlers.readers.xml import local_name, parsed
from corpusmill.crawlers.readers.zip_package import Package
from corpusmill.schemas.errors import DataError

_WHAT: Final = "an OpenDocument text"
_MANIFEST: Final = "META-INF/manifest.xml"


class OdtParts:
    """The parts of the file *data*: `content` has the text, `styles` and `meta` may be None.

    Raises:
        DataError: ``encrypted``, ``wrong_format``, ``truncated``, ``damaged``, or as `parsed`.
    """

    def __init__(self, data: bytes) -> None:
        self.package: Package | None = None
        self.missing: list[str] = []
        if data[:200].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            self.content = parsed(data.lstrip())
            self.styles: etree._Element | None = None
            self.meta: etree._Element | None = self.content
        else:
            self.package = Package(data, what=_WHAT)
            self._check_encryption(self.package)
            found = self.package.find("content.xml")
            if found is None:
                raise DataError(f"not {_WHAT}: the archive has no `content.xml`", kind="wrong_format")
            self.content = parsed(self.package.read(found))
            self.styles, self.meta = self._part("styles.xml"), self._part("meta.xml")
        bodies = [text for body in children(self.content, "body") for text in children(body, "text")]
        if not local_name(self.content).startswith("document") or not bodies:
            raise DataError(f"not {_WHAT}: it has no text but, for example, a table or slides", kind="wrong_format")
        self.body = bodies[0]

    def _check_encryption(self, package: Package) -> None:
        if package.find("encrypted-package"):
            raise DataError("the document is encrypted with a password", kind="encrypted")
        found = package.find(_MANIFEST)
        if found is None:
            return
        try:
            manifest = parsed(package.read(found))
        except DataError as error:
            if error.kind == "encrypted":
                raise
            return
        if any(local_name(node) == "encryption-data" for node in manifest.iter()):
            raise DataError("the document is encrypted with a password", kind="encrypted")

    def _part(self, name: str) -> etree._Element | None:
        if self.package is None or (found := self.package.find(name)) is None:
            return None
        try:
            return parsed(self.package.read(found))
        except DataError as error:
            if error.kind in {"too_large", "encrypted"}:
                raise
            self.missing.append(name)
            return None

    def formula(self, href: str) -> etree._Element | None:
        """Return the formula in the embedded object *href*; None if the object is none."""
        root = self._part(f"{href.removeprefix('./').rstrip('/')}/content.xml") if href else None
        return root if root is not None and local_name(root) == "math" else None

    def properties(self) -> dict[str, list[str]]:
        """Return the words of each property, by local name."""
        fields: dict[str, list[str]] = {}
        for group in children(self.meta, "meta") if self.meta is not None else ():
            for node in group:
                if words := " ".join("".join(node.itertext()).split()):
                    fields.setdefault(local_name(node), []).append(words)
        return fields
