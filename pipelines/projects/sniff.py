"""Detect the formats of files, and the fields of records that hold the text and the id.

Reads only the beginning of each file. The formats and their suffixes come from the table of loaders.
"""

from __future__ import annotations

import bz2
import codecs
import glob
import gzip
import json
import lzma
import os
import re
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.projects.beginnings import GENERAL, begins_as
from corpusmill.pipelines.projects.members import ending_of, samples_of
from corpusmill.schemas.errors import CorpusmillError

SAMPLE_BYTES: Final = 4_000_000
SAMPLE_ROWS: Final = 200
HEAD_BYTES: Final = 1 << 16
"""Part of a file by which formats recognize it."""
_MAX_IDS: Final = 200_000
"""Ids that are compared at most: those of 1,000 files."""
ID_FIELDS: Final = (
    "id",
    "_id",
    "uuid",
    "guid",
    "doc_id",
    "document_id",
    "docid",
    "article_id",
    "page_id",
    "pmid",
    "doi",
)
"""Usual names of id fields. The first one with unique values is used; otherwise the first such address field."""
ADDRESS_FIELDS: Final = ("url", "uri", "link", "permalink", "path", "file", "filename")
_ARRAY: Final = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*"[^"\\]*"\s*:\s*)?\[\s*\{')
_TABLE: Final = re.compile(r"\.(xlsx?|ods|orc|avro)(\.[a-z0-9]+)?$")
_ARCHIVE: Final = re.compile(r"\.(zip|tgz|tar(\.[a-z0-9]+)?)$")
_CATALOG: Final = re.compile(r"metadata\.yaml|pg\d+\.rdf|pg_catalog\.csv")
"""What the format `gutenberg` reads beside a book."""
_SITEMAP: Final = re.compile(rb"<(?:urlset|sitemapindex)\b")
_UNREADABLE: Final = (OSError, ValueError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
_MAX_WINDOW: Final = 1 << 31
"""The window of Reddit's monthly files."""
_BLANKS: Final = re.compile(r"\s*")
_SEPARATOR: Final = re.compile(r"\s*,\s*")
_GIT: Final = "git"
_BUNDLE: Final = b"# v2 git bundle"
_DECODER: Final = json.JSONDecoder()
_TEXTS: Final = frozenset(("text", "html", "markdown", "restructuredtext"))


@dataclass(frozen=True)
class Records:
    """The text and id fields of some records; *text_field* is None if no field holds text.

    With *ids_repeat*, records of different files have the same id and different texts: ids start again in each file.
    """

    text_field: str | None
    id_field: str | None
    ids_repeat: bool = field(default=False, repr=False)


@dataclass(frozen=True)
class Finding:
    """Files of one format that one source can read.

    Args:
        format: Name of the loader; None if no loader reads these files.
        suffix: The end of their names.
        files: Paths, sorted.
        size: Total size in bytes.
        records: Fields, for formats with records.
        note: The reason why they cannot be read.
        inside: If *files* are archives, the pattern of the members with this format.
    """

    format: str | None
    suffix: str
    files: tuple[Path, ...]
    size: int
    records: Records | None = None
    note: str | None = None
    inside: str | None = None


_Kind: TypeAlias = tuple[str | None, str, Records | None, str | None, str | None]
"""Format, suffix, fields, note and pattern of members, as in `Finding`."""


def look(start: Path, *, loaders: Mapping[str, str]) -> list[Finding]:
    """Return the kinds of files at *start*, a file or a folder with all its subfolders. Skips hidden files.

    A repository of Git is one finding if it has no work tree, or most files in there have no other format.

    Args:
        loaders: Table of loaders, ``name -> "module:Class"``.
    """
    repository = [Finding(_GIT, ".git", (start,), 0)] if _GIT in loaders and _is_repository(start) else []
    if repository and not (start / ".git").exists():
        return repository
    formats = _Formats(loaders)
    groups: dict[tuple[Any, ...], list[Path]] = {}
    ids = _Ids()
    for path in _files(start):
        for kind in _inside(path, formats) or [(*_kind(path, formats, ids), None)]:
            groups.setdefault(kind, []).append(path)
    findings = [
        Finding(name, suffix, tuple(paths), _size(paths), ids.judged(name, records), note, inside)
        for (name, suffix, records, note, inside), paths in groups.items()
    ]
    readable = sum(len(finding.files) for finding in findings if finding.format)
    if repository and 2 * readable < sum(len(finding.files) for finding in findings):
        return repository
    return sorted(findings, key=lambda finding: (finding.format is None, -len(finding.files), finding.suffix))


def _size(paths: Sequence[Path]) -> int:
    files = (file for path in paths for file in (path.rglob("*") if path.is_dir() else (path,)))
    return sum(file.stat().st_size for file in files if file.is_file())


def _inside(path: Path, formats: _Formats) -> list[_Kind]:
    """Return the kinds of members of the archive at *path* that can be read; nothing if it is none, or is a format."""
    if not _ARCHIVE.search(path.name.lower()) or formats.of(path) is not None:
        return []
    try:
        samples = samples_of(path)
    except (*_UNREADABLE, zipfile.BadZipFile, tarfile.TarError):
        return []
    kinds: list[_Kind] = []
    with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder:
        for ending, (name, data) in samples.items():
            member = Path(folder, name)
            member.write_bytes(data)
            format_, _, records, _ = _kind(member, formats, _Ids())
            if format_ is not None:
                pattern = f"**/{'' if ending == name else '*'}{glob.escape(ending)}"
                kinds.append((format_, ending_of(path.name).lower(), records, None, pattern))
    return kinds


def _is_repository(start: Path) -> bool:
    """Return whether *start* is a work tree, a bare repository or a bundle of Git."""
    if start.is_file():
        with start.open("rb") as file:
            return file.read(len(_BUNDLE)) == _BUNDLE
    return _is_bare_repository(start) or (start / ".git").exists()


def _is_bare_repository(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir()


def _is_saved_dataset(folder: Path) -> bool:
    """Return whether `datasets` wrote *folder* with `save_to_disk`."""
    is_dataset = (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    return is_dataset or (folder / "dataset_dict.json").is_file()


def _files(start: Path) -> Iterator[Path]:
    """Yield the files to look at, and the folders that are read as one."""
    if start.is_file():
        yield start
        return
    for folder, folders, names in os.walk(start):
        if _is_bare_repository(Path(folder)) or _is_saved_dataset(Path(folder)):
            folders.clear()
            yield Path(folder)
            continue
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not _is_workspace(Path(folder, name))
        )
        for name in sorted(names):
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _is_workspace(folder: Path) -> bool:
    return (folder / "corpusmill.db").exists()


class _Ids:
    """The ids of sampled records, and whether an id has different texts in two files."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, Records, Any], int] = {}
        self._repeating: set[tuple[str, Records]] = set()

    def add(self, name: str, records: Records, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the records of a file, except those with a time of fetching: they are captures of one document."""
        if records.id_field is None or records.text_field is None or len(self._texts) > _MAX_IDS:
            return
        texts = {
            (name, records, row[records.id_field]): hash(row[records.text_field])
            for row in rows
            if records.text_field in row and records.id_field in row and "fetched_at" not in row
        }
        if any(self._texts.get(key, text) != text for key, text in texts.items()):
            self._repeating.add((name, records))
        self._texts |= texts

    def judged(self, name: str | None, records: Records | None) -> Records | None:
        """Return *records* with `ids_repeat` set from all files of their kind."""
        if name is None or records is None:
            return records
        return replace(records, ids_repeat=(name, records) in self._repeating)


class _Formats:
    """The formats of files, by the ends of their names and by their first bytes."""

    def __init__(self, loaders: Mapping[str, str]) -> None:
        self._loaders = {name: resolve(place) for name, place in loaders.items()}

    def of(self, path: Path) -> tuple[str, str] | None:
        """Return the format of the file at *path*, and the suffix by which such files are found.

        Of several formats with the suffix, one that recognizes the beginning of the file comes first. If none has the
        suffix, or it is that of XML or archives, any format may recognize it; if the suffix is that of texts or JSON,
        a format of marked-up data or of mail may.
        """
        name = path.name.lower()
        ends = [(suffix, kind) for kind in self._loaders for suffix in self._loaders[kind].suffixes]
        fitting = [(suffix, kind) for suffix, kind in ends if name.endswith(suffix.lower())]
        longest = max((len(suffix) for suffix, _ in fitting), default=0)
        candidates = [(suffix, kind) for suffix, kind in fitting if len(suffix) == longest]
        if len(candidates) == 1 and candidates[0][1] not in GENERAL and not _is_shared(candidates[0][0]):
            return candidates[0][1], candidates[0][0]
        head = _head(path)
        ending = candidates[0][0] if candidates else path.suffix.lower() or path.name
        others = [(ending, kind) for kind in self._loaders if kind not in GENERAL]
        if candidates and not _is_shared(ending):
            is_general = any(kind in GENERAL for _, kind in candidates)
            others = [each for each in others if is_general and (head.lstrip()[:1] in _MARKS or each[1] in _LINES)]
        for group in (candidates, others):
            for suffix, kind in group:
                if kind not in GENERAL and self._recognizes(kind, head):
                    return kind, suffix
        return (candidates[0][1], candidates[0][0]) if candidates and not _is_shared(ending) else None

    def _recognizes(self, kind: str, head: bytes) -> bool:
        is_recognized: bool = self._loaders[kind].recognizes(head)
        return is_recognized or begins_as(kind, head)

    def sample(self, kind: str, path: Path) -> list[Mapping[str, Any]] | None:
        """Return the first rows of the file at *path*; None if the format *kind* has no rows with fields.

        Raises:
            ValueError, OSError: The file cannot be read.
        """
        if kind in _SAMPLERS:
            return _SAMPLERS[kind](path)
        rows: list[Mapping[str, Any]] | None = self._loaders[kind].sample(str(path))
        return rows


_MARKS: Final = (b"<", b"{")
"""First characters of XML and JSON."""
_LINES: Final = frozenset(("hl7", "mbox"))
"""Formats of text with a first line of their own; archives of mailing lists are often named ``.txt``."""


def _is_shared(suffix: str) -> bool:
    """Return whether *suffix* says nothing about the format: that of XML, or of archives."""
    return suffix.lower().startswith(".xml") or suffix.lower() in {".gz", ".tar", ".tgz", ".zst"}


def _head(path: Path) -> bytes:
    """Return the first bytes of the file at *path*, decompressed and in UTF-8; empty if it is damaged."""
    try:
        head = _beginning(path, HEAD_BYTES)
        is_wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return head.decode("utf-16", errors="replace").encode("utf-8", errors="replace") if is_wide else head
    except _UNREADABLE:
        return b""


def _kind(path: Path, formats: _Formats, ids: _Ids) -> tuple[str | None, str, Records | None, str | None]:
    """Return the format, suffix, fields and note of the file at *path*, or of a folder that is read as one."""
    if path.is_dir():
        if _is_bare_repository(path):
            return _GIT, ".git", None, None
        shard = next(path.rglob("*.arrow"), None)
        rows = None if shard is None else formats.sample("arrow", shard)
        return "huggingface", "saved dataset", None if rows is None else fields_of(rows), None
    found = None if _CATALOG.fullmatch(path.name) else formats.of(path)
    if found is None:
        return None, path.suffix.lower() or path.name, None, _note_on_unknown(path.name.lower(), _head(path))
    name, suffix = found
    try:
        rows = None if name in _TEXTS else formats.sample(name, path)
    except (CorpusmillError, pa.ArrowException, *_UNREADABLE) as error:
        return (
            None,
            suffix,
            None,
            f"cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
        )
    if rows is None:
        return name, suffix, None, None
    records = fields_of(rows)
    if records.text_field is None:
        return None, suffix, None, _note_on_textless(rows)
    ids.add(name, records, rows)
    return name, suffix, records, None


def _note_on_unknown(name: str, head: bytes = b"") -> str:
    """Return why a file with this *name*, in lower case, and these first bytes is left out.

    >>> _note_on_unknown("a.jpg"), _note_on_unknown("a.orc.gz")
    ('no loader reads this format', 'no loader reads this format; convert it to JSON Lines or Parquet')
    """
    if _CATALOG.fullmatch(name):
        return "a catalog of Project Gutenberg, which is read with the books beside it"
    if _SITEMAP.search(head):
        return "a sitemap; crawl its pages with `crawl: {sitemaps: [ADDRESS]}`"
    note = "no loader reads this format"
    if _ARCHIVE.search(name):
        return f"{note}; name the files in the archive, for example `path: {name}!/**/*.txt`"
    return f"{note}; convert it to JSON Lines or Parquet" if _TABLE.search(name) else note


def _note_on_textless(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return why records cannot be read: none at all, or no field that has text in half of them.

    >>> _note_on_textless([{"text": "a b"}, {"text": None}, {"id": "7"}])
    'only 1 of the first 3 records has text, in `text`; at least half are required to detect the field'
    """
    if not rows:
        return "no records, which are JSON objects or rows"
    counts = Counter(
        name
        for row in rows
        for name, value in row.items()
        if isinstance(value, str) and value.strip() and name not in ID_FIELDS
    )
    if not counts:
        return "no field with text"
    ((name, number),) = counts.most_common(1)
    verb = "has" if number == 1 else "have"
    return (
        f"only {number} of the first {len(rows)} records {verb} text, in `{name}`; at least half are required to "
        "detect the field"
    )


def fields_of(rows: Sequence[Mapping[str, Any]]) -> Records:
    """Return the field with the longest texts among those that half of *rows* have, and the id field.

    >>> fields_of([{"id": 7, "title": "One", "body": "A long story."}, {"id": 8, "title": "Two", "body": "Another."}])
    Records(text_field='body', id_field='id')
    """
    lengths: Counter[str] = Counter()
    present: Counter[str] = Counter()
    for row in rows:
        for name, value in row.items():
            if isinstance(value, str) and value.strip():
                lengths[name] += len(value)
                present[name] += 1
    texts = [name for name in lengths if 2 * present[name] >= len(rows) and name not in ID_FIELDS]
    text = max(texts, key=lambda name: (lengths[name] / present[name], name == "text"), default=None)
    return Records(text, _id_field([row for row in rows if text in row], unlike=text))


def _id_field(rows: Sequence[Mapping[str, Any]], *, unlike: str | None) -> str | None:
    named = {name.lower(): name for row in rows for name in row}
    for usual in (*ID_FIELDS, *ADDRESS_FIELDS):
        name = named.get(usual)
        if name is None or name == unlike:
            continue
        values = [row.get(name) for row in rows]
        if all(isinstance(value, str | int) and value != "" for value in values) and len(set(values)) == len(values):
            return name
    return None


def _json_rows(path: Path) -> list[Mapping[str, Any]]:
    """Return the first objects of the file at *path*: one per line, or in an array if the file starts with one.

    Other values are skipped.

    Raises:
        ValueError: None of the first lines is JSON.
    """
    data = _beginning(path)
    if _ARRAY.match(data):
        return _elements(data.decode(errors="replace"))
    lines = data.split(b"\n")
    if len(data) == SAMPLE_BYTES:
        lines.pop()
    values = [value for line in lines[:SAMPLE_ROWS] for value in _json_value(line)]
    if not values and data.strip():
        raise ValueError("no line is JSON" if len(lines) <= SAMPLE_ROWS else "none of the first lines is JSON")
    return [value for value in values if isinstance(value, dict)]


def _json_value(line: bytes) -> tuple[Any, ...]:
    """Return the value of *line*; nothing if it is not JSON."""
    try:
        return (json.loads(line),)
    except (ValueError, RecursionError):
        return ()


def _elements(text: str) -> list[Mapping[str, Any]]:
    """Return the first complete objects of the first array of *text*."""
    rows: list[Mapping[str, Any]] = []
    position = _BLANKS.match(text, text.index("[") + 1).end()  # type: ignore[union-attr]  # the pattern matches the empty string
    while len(rows) < SAMPLE_ROWS:
        try:
            row, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            break
        rows += [row] if isinstance(row, dict) else []
        separator = _SEPARATOR.match(text, position)
        if separator is None:
            break
        position = separator.end()
    return rows


def _beginning(path: Path, size: int = SAMPLE_BYTES) -> bytes:
    """Return the first *size* bytes of the file at *path*, decompressed."""
    with path.open("rb") as stream:
        magic = stream.read(6)
        stream.seek(0)
        if magic[:2] == b"\x1f\x8b":
            return gzip.open(stream).read(size)
        if magic[:3] == b"BZh":
            return bz2.open(stream).read(size)
        if magic == b"\xfd7zXZ\x00":
            return lzma.open(stream).read(size)
        if magic[:4] == b"\x28\xb5\x2f\xfd":
            return (
                zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
                .stream_reader(stream, read_across_frames=True)
                .read(size)
            )
        return stream.read(size)


def _parquet_rows(path: Path) -> list[Mapping[str, Any]]:
    """Return the first rows of the Parquet file at *path*, with the columns of text and whole numbers."""
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        columns = [field.name for field in schema if _is_plain(field.type)]
        batch = next(file.iter_batches(batch_size=SAMPLE_ROWS, columns=columns), None)
    rows: list[Mapping[str, Any]] = [*batch.to_pylist()] if batch is not None else []
    return rows


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer))


_SAMPLERS: Final = {"jsonl": _json_rows, "parquet": _parquet_rows}


def slug(text: str) -> str:
    """Convert *text* to a name that recipes allow; ``corpus`` if nothing is left.

    >>> slug("My Notes (2024)")
    'my-notes-2024'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64].strip("-") or "corpus"
