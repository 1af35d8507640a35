"""Books and documents made by the tests: zip archives of XML."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from corpusmill.crawlers.loaders.base import Loader
from tests.crawlers.loaders.reading import Row, rows

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
_NAMES = (
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:v="urn:schemas-microsoft-com:vml"'
)
_ODT_NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{uri}:1.0"'
    for name, uri in (
        ("office", "office"), ("text", "text"), ("table", "table"), ("style", "style"), ("draw", "drawing"),
        ("meta", "meta"),
    )
)  # fmt: skip
ODT_NAMES = f'{_ODT_NAMES} xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xlink="http://www.w3.org/1999/xlink"'


def zipped(parts: dict[str, str | bytes]) -> bytes:
    """Return a zip archive of *parts*."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return data.getvalue()


def read(loader: Loader, data: bytes, folder: Path, *, name: str = "shelf/file") -> Row:
    """Return the only row that *loader* reads from a file with *data*."""
    path = folder / "file"
    path.write_bytes(data)
    (row,) = rows(loader, path, name=name)
    return row


def chapter(body: str) -> str:
    """Return a chapter in XHTML."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head><title>not read</title></head><body>{body}</body></html>'
    )


def epub(
    chapters: dict[str, str],
    *,
    metadata: str = "<dc:title>The Lamp</dc:title><dc:language>en</dc:language>",
    manifest: str | None = None,
    spine: str | None = None,
    guide: str = "",
    more: dict[str, str | bytes] | None = None,
) -> bytes:
    """Return a book whose manifest and spine list *chapters* (by name) in their order."""
    ids = {name: f"c{place}" for place, name in enumerate(chapters)}
    items = "".join(f'<item id="{id}" href="{name}" media-type="application/xhtml+xml"/>' for name, id in ids.items())
    references = "".join(f'<itemref idref="{id}"/>' for id in ids.values())
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:opf="http://www.idpf.org/2007/opf" version="3.0" '
        'unique-identifier="uid"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"{metadata}</metadata><manifest>{manifest or items}</manifest><spine>{spine or references}</spine>{guide}"
        "</package>"
    )
    texts = {f"OPS/{name}": chapter(body) for name, body in chapters.items()}
    parts: dict[str, str | bytes] = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER}
    return zipped(parts | {"OPS/book.opf": package} | texts | (more or {}))


def docx(body: str, *, more: dict[str, str | bytes] | None = None, namespace: str = W) -> bytes:
    """Return a document of Word with *body*; *more* are other parts in `word/`, by name, or elsewhere with a ``/``."""
    parts: dict[str, str | bytes] = {"word/document.xml": part("document", f"<w:body>{body}</w:body>", namespace)}
    named = {name if "/" in name else f"word/{name}": content for name, content in (more or {}).items()}
    return zipped(parts | named)


def part(name: str, content: str, namespace: str = W) -> str:
    """Return the part *name* of a document of Word."""
    return f'<w:{name} xmlns:w="{namespace}" {_NAMES}>{content}</w:{name}>'


def p(*runs: str, properties: str = "") -> str:
    """Return a paragraph of *runs*: text, or markup."""
    inner = "".join(run if run.startswith("<") else f'<w:r><w:t xml:space="preserve">{run}</w:t></w:r>' for run in runs)
    return f"<w:p><w:pPr>{properties}</w:pPr>{inner}</w:p>"


def odt(
    body: str, *, styles: str = "", more: dict[str, str | bytes] | None = None, flat: bool = False, meta: str = ""
) -> bytes:
    """Return an OpenDocument text with *body* and automatic *styles*, in one XML file if *flat*."""
    content = (
        f"<office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:text>{body}</office:text></office:body>"
    )
    properties = f"<office:meta>{meta}</office:meta>"
    if flat:
        return f"<office:document {ODT_NAMES}>{properties}{content}</office:document>".encode()
    parts: dict[str, str | bytes] = {
        "mimetype": "application/vnd.oasis.opendocument.text",
        "content.xml": f"<office:document-content {ODT_NAMES}>{content}</office:document-content>",
        "meta.xml": f"<office:document-meta {ODT_NAMES}>{properties}</office:document-meta>",
    }
    return zipped(parts | (more or {}))
