"""E-prints of arXiv: papers with their sources in TeX."""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar, Final, Literal

from pydantic import Field, field_validator

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.files import known_encoding
from corpusmill.crawlers.loaders.streamed import Broken, Record, Streamed
from corpusmill.crawlers.readers.tex.paper import PaperReader
from corpusmill.crawlers.readers.tex.sources import SUFFIXES, decoded, main_file
from corpusmill.schemas.errors import DataError

Part = Literal["tables", "captions", "footnotes", "references"]
MAX_EPRINT_BYTES: Final = 1 << 28
"""A larger e-print (decompressed, with its figures) is set aside."""
_MAX_SOURCE_BYTES: Final = 1 << 25
"""Largest size of the sources in TeX of one paper."""
_MAX_OTHER_BYTES: Final = 1 << 20
"""Larger files without a suffix of TeX are data."""
_MAX_MEMBERS: Final = 20_000
_ID: Final = r"(?:\d{4}\.\d{4,5}|[a-z]+(?:-[a-z]+)?(?:\.[A-Z]{2})?[/_]?\d{7})(?:v\d+)?"
_EPRINT: Final = re.compile(rf"({_ID})(\.(?:gz|pdf|tar\.gz|tgz|tar|tex|html\.gz|ps\.gz))\Z")
_OLD: Final = re.compile(r"([a-z]+(?:-[a-z]+)?(?:\.[A-Z]{2})?)[/_]?(\d{7})\Z")
_BLOCK: Final = 512


class Arxiv(Streamed):
    """Papers of arXiv in LaTeX or plain TeX: abstract and body. Authors and their addresses are not read.

    A file is an e-print (a TeX file or a tar, gzipped or not), or a tar with many of them.
    """

    version: ClassVar[int] = 2
    uses_name: ClassVar[bool] = True
    suffixes: ClassVar[tuple[str, ...]] = (".tar", ".gz", ".tgz", ".tex", ".ltx", ".latex")
    about: ClassVar[About] = About(
        license="not in the sources: take it from the metadata of arXiv, and set `license` in the recipe. Many papers "
        "grant arXiv alone the right to distribute them.",
        get="the bulk tars `arXiv_src_YYMM_NNN.tar` in the requester-pays bucket of arXiv, or single e-prints",
        tried="1 real e-print, 1911.02782, and made papers in LaTeX, LaTeX 2.09, AMS-TeX and plain TeX",
    )

    keep: tuple[Part, ...] = Field(
        default=("tables", "captions", "footnotes"),
        description="Optional parts that stay in the text.",
        examples=[["tables", "captions", "footnotes", "references"]],
    )
    encoding: str | None = Field(
        default=None,
        description="Encoding of sources that are not UTF-8 and declare none: a label of the WHATWG Encoding Standard. "
        "null: windows-1252.",
        examples=["iso-8859-2"],
    )

    _known = field_validator("encoding")(known_encoding)

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* is TeX, or a tar with e-prints."""
        if re.search(rb"\\document(?:class|style)\b", head):
            return True
        return _is_tar(head) and _EPRINT.match(_base(head[:100].rstrip(b"\0").decode("utf-8", "replace"))) is not None

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the paper of an e-print, or the papers of a tar with many of them.

        Raises:
            DataError: ``truncated``, ``damaged``: the archive cannot be read to its end; ``too_large``.
        """
        peeked = stream.peek(_BLOCK)[:_BLOCK]  # type: ignore[attr-defined]
        if not _is_tar(peeked):
            data = _bounded(stream, MAX_EPRINT_BYTES)
            yield self._paper({"": data}, data, name)
            return
        files = _Files()
        found = False
        for path, size, member in _members(stream):
            if (match := _EPRINT.match(_base(path))) and not _is_figure(path):
                found = True
                yield self._member(path, size, member, match[2])
            else:
                files.add(path, size, member)
        if files.sources or not found:
            yield self._paper(files.sources, files.native(), name, has_pdf=files.has_pdf)

    def _member(self, path: str, size: int, member: BinaryIO, suffix: str) -> Record | Broken:
        """Return the paper of a member of a bulk tar."""
        id = arxiv_id(path)
        if size > MAX_EPRINT_BYTES // 4:
            return Broken(path.encode(), "too_large", f"{path}: the e-print is larger than the limit", id)
        native = member.read(size)
        if suffix in {".pdf", ".html.gz", ".ps.gz"}:
            kind = suffix.split(".")[1].upper()
            return Broken(native, "not_text", f"{path}: the paper has no source in TeX, only {kind}", id)
        try:
            stream = io.BufferedReader(_Gunzip(native)) if native[:2] == b"\x1f\x8b" else io.BytesIO(native)
            head = stream.peek(_BLOCK)[:_BLOCK] if isinstance(stream, io.BufferedReader) else native[:_BLOCK]
            if not _is_tar(head):
                return self._paper({"": _bounded(stream, MAX_EPRINT_BYTES)}, native, path)
            files = _Files()
            for inner, inner_size, content in _members(stream):
                files.add(inner, inner_size, content)
            return self._paper(files.sources, native, path, has_pdf=files.has_pdf)
        except DataError as error:
            return Broken(native, error.kind, f"{path}: {error.message}", id)

    def _paper(self, sources: dict[str, bytes], native: bytes, path: str, *, has_pdf: bool = False) -> Record | Broken:
        id = arxiv_id(path)
        try:
            if not sources and has_pdf:
                raise DataError("the paper has no source in TeX, only PDF", kind="not_text")
            for data in sources.values():
                _check(data)
            files = {name: decoded(data, encoding=self.encoding) for name, data in sources.items()}
            main = main_file(files)
            paper = PaperReader(files, keep=frozenset(self.keep)).read(main)
        except DataError as error:
            return Broken(native, error.kind, f"{path}: {error.message}", id or path)
        if not paper.text:
            return Broken(native, "no_text", f"{path}: the paper has no text", id or path)
        url = f"https://arxiv.org/abs/{id}" if id else None
        return Record(native, paper.text, id or path, title=paper.title, url=url, metadata=paper.facts)


def arxiv_id(path: str) -> str | None:
    """Return the id of arXiv in the name of a file, without its version; None if it has none.

    >>> arxiv_id("9802/quant-ph9802040.gz"), arxiv_id("1911.02782v2.gz"), arxiv_id("math.GT_0309136.tar.gz")
    ('quant-ph/9802040', '1911.02782', 'math/0309136')
    >>> arxiv_id("hep-th/9901001"), arxiv_id("paper.tex")
    ('hep-th/9901001', None)
    """
    name = _base(path)
    while name.endswith((".gz", ".tar", ".tgz", ".tex", ".pdf", ".html", ".ps", ".zip", ".ltx", ".latex")):
        name = name[: name.rindex(".")]
    name = re.sub(r"v\d+\Z", "", name)
    if re.fullmatch(r"\d{4}\.\d{4,5}", name):
        return name
    if match := _OLD.match(name):
        return f"{match[1].partition('.')[0]}/{match[2]}"
    folder = path.rstrip("/").split("/")[-2:-1]
    if re.fullmatch(r"\d{7}", name) and folder and re.fullmatch(r"[a-z]+(?:-[a-z]+)?(?:\.[A-Z]{2})?", folder[0]):
        return f"{folder[0].partition('.')[0]}/{name}"
    return None


class _Files:
    """The sources among the members of an e-print."""

    def __init__(self) -> None:
        self.sources: dict[str, bytes] = {}
        self.has_pdf = False
        self._bytes = 0
        self._read = 0
        self._count = 0

    def add(self, path: str, size: int, member: BinaryIO) -> None:
        """Read a member if it is a source.

        Raises:
            DataError: ``too_large``.
        """
        self._bytes += size
        self._count += 1
        if self._bytes > MAX_EPRINT_BYTES or self._count > _MAX_MEMBERS:
            raise DataError(
                f"the e-print is larger than {MAX_EPRINT_BYTES:,} bytes, or has too many files", kind="too_large"
            )
        base = _base(path).lower()
        self.has_pdf |= base.endswith(".pdf")
        is_tex = base.endswith((".tex", ".ltx", ".latex", ".bbl", ".sty"))
        if path.removeprefix("./").startswith("anc/") or (size > _MAX_OTHER_BYTES and not is_tex):
            return
        if base.endswith(SUFFIXES) or "." not in base or base.startswith("00readme"):
            self._read += size
            if self._read > _MAX_SOURCE_BYTES:
                raise DataError(f"the sources are larger than {_MAX_SOURCE_BYTES:,} bytes", kind="too_large")
            data = member.read(size)
            if "." in base or b"\0" not in data[:1000]:
                self.sources[path.removeprefix("./").lstrip("/")] = data

    def native(self) -> bytes:
        """Return the sources, in the order of their names."""
        return b"\0".join(part for path in sorted(self.sources) for part in (path.encode(), self.sources[path]))


class _Gunzip(io.RawIOBase):
    """Decompresses gzip in memory, up to a bound."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._decoder = zlib.decompressobj(wbits=31)
        self._total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if self._decoder.eof:
            return 0
        try:
            piece = self._decoder.decompress(self._data, len(buffer))
        except zlib.error as error:
            raise DataError(f"the gzip stream is damaged: {error}", kind="truncated") from error
        self._data = self._decoder.unconsumed_tail
        if not piece and not self._decoder.eof:
            raise DataError("the gzip stream ends in the middle", kind="truncated")
        self._total += len(piece)
        if self._total > MAX_EPRINT_BYTES:
            raise DataError(f"the e-print expands to more than {MAX_EPRINT_BYTES:,} bytes", kind="too_large")
        buffer[: len(piece)] = piece
        return len(piece)


def _members(stream: BinaryIO) -> Iterator[tuple[str, int, BinaryIO]]:
    """Yield path, size and content of the regular files in a tar; those with a path that leads out are left out.

    Raises:
        DataError: ``truncated``: the tar ends early, or is damaged.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                is_inside = ".." not in member.name.split("/")
                if member.isfile() and is_inside and (content := archive.extractfile(member)) is not None:
                    yield member.name, member.size, content  # type: ignore[misc]
                archive.members.clear()  # type: ignore[attr-defined]
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise DataError(f"the tar ends early or is damaged: {error}", kind="truncated") from error


def _is_tar(head: bytes) -> bool:
    """Return whether *head* is the header of a tar: its checksum is right (POSIX ustar, or older)."""
    if len(head) < _BLOCK:
        return False
    try:
        tarfile.TarInfo.frombuf(head[:_BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _is_figure(path: str) -> bool:
    return "/fig" in path.lower()


def _base(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _bounded(stream: BinaryIO, limit: int) -> bytes:
    data = stream.read(min(limit, _MAX_SOURCE_BYTES) + 1)
    if len(data) > min(limit, _MAX_SOURCE_BYTES):
        raise DataError(f"the source is larger than {_MAX_SOURCE_BYTES:,} bytes", kind="too_large")
    return data


def _check(data: bytes) -> None:
    """Raise `DataError` if *data*, which should be TeX, is a file of another kind."""
    if data.startswith((b"%PDF-", b"%!PS")):
        kind = "PDF" if data.startswith(b"%PDF") else "PostScript"
        raise DataError(f"the paper has no source in TeX, only {kind}", kind="not_text")
    if data.count(b"\0") > len(data) // 1000:
        raise DataError("the content is binary, not TeX", kind="not_text")
    if re.match(rb"\s*<(?:!doctype\s+html|html|\?xml)", data[:1000], re.IGNORECASE):
        raise DataError("not TeX: the file is a web page or XML", kind="wrong_format")
