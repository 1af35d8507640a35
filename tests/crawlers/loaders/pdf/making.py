"""A small writer of PDF files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Placed = tuple[float, float, float, str]
"""A text: left edge, baseline, size in points, and the words."""
WIDTH, HEIGHT = 595, 842
LINE = "The river carries sand and gravel down to the sea, as the survey of 1888 found."


def pdf(
    pages: Iterable[Sequence[Placed] | bytes],
    *,
    catalog: str = "",
    info: str = "",
    trailer: str = "",
    xmp: bytes | None = None,
    to_unicode: bytes | None = None,
) -> bytes:
    """Return a file with *pages*: placed texts in Helvetica, or the operators of a page."""
    objects: list[bytes] = []

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    def stream(data: bytes, entries: str = "") -> bytes:
        return b"<< /Length %d %s >>\nstream\n" % (len(data), entries.encode()) + data + b"\nendstream"

    root, tree = add(b""), add(b"")
    mapping = f"/ToUnicode {add(stream(to_unicode))} 0 R" if to_unicode else ""
    encoding = "/Encoding /WinAnsiEncoding"
    font = add(f"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica {encoding} {mapping} >>".encode())
    kids = []
    for page in pages:
        content = add(stream(page if isinstance(page, bytes) else operators(page)))
        kids.append(add(
            f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Contents {content} 0 R "
            f"/Resources << /Font << /F {font} 0 R >> >> >>".encode()
        ))  # fmt: skip
    if xmp is not None:
        catalog += f" /Metadata {add(stream(xmp, '/Type /Metadata /Subtype /XML'))} 0 R"
    objects[root - 1] = f"<< /Type /Catalog /Pages {tree} 0 R {catalog} >>".encode()
    names = " ".join(f"{kid} 0 R" for kid in kids)
    objects[tree - 1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{names}] >>".encode()
    details = add(f"<< {info} >>".encode("latin-1"))
    data, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    ends = f"<< /Size {len(objects) + 1} /Root {root} 0 R /Info {details} 0 R {trailer} >>\nstartxref\n{len(data)}\n"
    start = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    return data + start + table + b"trailer\n" + ends.encode() + b"%%EOF\n"


def operators(texts: Iterable[Placed]) -> bytes:
    """Return the operators that print *texts*."""
    return b"\n".join(
        f"BT /F {size} Tf 1 0 0 1 {x} {y} Tm ({_escaped(text)}) Tj ET".encode("cp1252") for x, y, size, text in texts
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def column(lines: Iterable[str], *, x: float = 72, top: float = 760, size: float = 10) -> list[Placed]:
    """Return *lines* below each other."""
    return [(x, top - 1.2 * size * index, size, line) for index, line in enumerate(lines)]
