"""Pages and plain text: a file is one document, or one error."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from corpusmill.crawlers.loaders import files
from corpusmill.crawlers.loaders.base import Loader
from corpusmill.crawlers.loaders.files import Encoded, Html, Text
from corpusmill.crawlers.loaders.markdown import Markdown
from corpusmill.crawlers.loaders.package_metadata import PackageMetadata
from corpusmill.crawlers.loaders.restructuredtext import RestructuredText
from corpusmill.crawlers.patterns import matching_files
from corpusmill.schemas.decoding.texts import decode_text
from tests.crawlers.loaders.reading import rows, samples

PAGE = b"<!doctype html><p>Hello"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 8


def one(loader: Loader, folder: Path, data: bytes, name: str = "a/x.html") -> dict[str, object]:
    path = folder / "file"
    path.write_bytes(data)
    (row,) = rows(loader, path, name=name)
    return row


def test_a_page_is_read_unchanged(tmp_path: Path) -> None:
    """The id is the name of the file and the hash is that of its bytes."""
    row = one(Html(), tmp_path, PAGE)

    assert (row["source_id"], row["content"], row["media_type"]) == ("a/x.html", PAGE, "text/html")
    assert row["record_sha256"] == hashlib.sha256(PAGE).hexdigest()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
@pytest.mark.parametrize("loader", [Html(), Text(), Markdown(), RestructuredText(), PackageMetadata()])
def test_a_compressed_file_is_the_same_record(tmp_path: Path, loader: Loader, pack: Callable[[bytes], bytes]) -> None:
    """Compression must not change the capture in any format."""
    data = b"Name: a\n\nHello there, this is a text.\n"

    packed, plain = one(loader, tmp_path, pack(data)), one(loader, tmp_path, data)

    assert {**packed, "length": None} == {**plain, "length": None}
    assert plain["rule"] is None


@pytest.mark.parametrize("suffix", [".html.bz2", ".HTM.xz", ".xhtml.zst", ".html.gz"])
def test_compressed_files_in_a_folder_are_matched(tmp_path: Path, suffix: str) -> None:
    """All supported compressions must be recognized."""
    (tmp_path / f"a{suffix}").write_bytes(PAGE)

    assert [match.name for match in matching_files(".", base=tmp_path, suffixes=Html.suffixes)] == [f"a{suffix}"]


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_truncated_compressed_text_is_an_error(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """Half a text must not be published."""
    assert one(Text(), tmp_path, pack(b"words")[:-3])["rule"] == "error.truncated"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "error.empty"),
        (b" \n", "error.empty"),
        (JPEG, "error.not_text"),
        (bytes(range(256)) * 20, "error.not_text"),
        (b"%PDF-1.7\n%abc", "error.not_text"),
        (gzip.compress(PAGE * 1000)[:-9], "error.truncated"),
        (gzip.compress(PAGE)[:-5] + b"12345", "error.truncated"),
    ],
)
@pytest.mark.parametrize("loader", [Html(), Text()])
def test_a_file_that_is_not_a_document_has_a_rule(tmp_path: Path, loader: Loader, data: bytes, rule: str) -> None:
    """An image with the suffix .html must not crash the run."""
    assert one(loader, tmp_path, data)["rule"] == rule


def test_a_file_above_the_size_limit_is_not_kept_in_memory(tmp_path: Path) -> None:
    """A file of 50 MB is set aside because of its size, a compressed one while it is decompressed."""
    plain = one(Html(), tmp_path, PAGE + b" " * 50_000_000)
    packed = one(Html(), tmp_path, gzip.compress(PAGE + b" " * 50_000_000, 1))

    assert (plain["rule"], packed["rule"]) == ("error.too_large", "error.too_large")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("\ufeffnaïve".encode(), "naïve"),
        ("naïve".encode("utf-16"), "naïve"),
        ("naïve".encode("utf-32"), "naïve"),
        ("naïve".encode(), "naïve"),
        (
            ("Der Fluß führt Wasser über die große Brücke. " * 9).encode("cp1252"),
            "Der Fluß führt Wasser über die große Brücke. " * 9,
        ),
        (
            ("Привет, это обычный русский текст о погоде. " * 9).encode("koi8-r"),
            "Привет, это обычный русский текст о погоде. " * 9,
        ),
    ],
)
def test_text_is_decoded(tmp_path: Path, data: bytes, text: str) -> None:
    """The encoding comes from a byte order mark, or is UTF-8, or is guessed."""
    assert one(Text(), tmp_path, data)["text"] == text


@pytest.mark.parametrize("data", ["Fußgänger über".encode() + b" \xff", "naïve".encode("utf-16")[:-1]])
def test_the_encoding_of_invalid_unicode_is_not_guessed(tmp_path: Path, data: bytes) -> None:
    """One invalid byte in UTF-8 must not turn each umlaut into two characters."""
    assert one(Text(), tmp_path, data)["rule"] == "error.encoding"


@pytest.mark.parametrize("loader", [Text, Markdown, RestructuredText])
@pytest.mark.parametrize(
    ("words", "codec"),
    [
        ("Não é preciso marcação.", "cp1252"),
        ("På lördag är biblioteket stängt.", "cp1252"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy.", "cp1250"),
        ("Каждую субботу библиотека проводит чтения.", "koi8-r"),
    ],
)
def test_all_text_formats_detect_legacy_encodings(
    tmp_path: Path, loader: type[Encoded], words: str, codec: str
) -> None:
    """They must share one decoder."""
    assert one(loader(), tmp_path, words.encode(codec))["text"] == words


@pytest.mark.parametrize("loader", [Text, Markdown, RestructuredText])
def test_the_encoding_of_the_recipe_is_used(tmp_path: Path, loader: type[Encoded]) -> None:
    """Even a single character, for which a guess is impossible, is decoded."""
    assert one(loader(), tmp_path, b"\xea \xb9")["rule"] == "error.encoding"
    assert one(loader(encoding="Windows-1250"), tmp_path, b"\xea \xb9")["text"] == "ę ą"


def test_the_encoding_of_the_recipe_is_declared_for_pages(tmp_path: Path) -> None:
    """It has the same effect as a charset from the server."""
    row = one(Html(encoding="koi8-r"), tmp_path, PAGE)

    assert row["media_type"] == "text/html; charset=koi8-r"


@pytest.mark.parametrize(
    ("case", "name", "text"),
    [
        ("02-text-old-encoding", "long-en.txt", "The café’s “new” menu — naïve, isn’t it? — costs £5."),
        ("02-text-old-encoding", "long-pt.txt", "Não é preciso marcação."),
        ("02-text-old-encoding", "long-sv.txt", "På söndag läser vi för barnen"),
        ("02-text-old-encoding", "long-it.txt", "così è più bello, cioè sarà una festa di città."),
        ("02-text-old-encoding", "pound.txt", "It costs £5."),
        ("02-text-old-encoding", "cafe.txt", "The café costs £5."),
        ("02-text-old-encoding", "apostrophe.txt", "it’s"),
    ],
)
def test_files_that_other_tools_read_wrongly(case: str, name: str, text: str) -> None:
    """The files come from public bug reports and are outside the repository."""
    (path,) = samples(f"../field/{case}", name)

    assert text in rows(Text(), path)[0]["text"]


def test_speeches_from_a_taiwanese_editor_are_read() -> None:
    """The text is a speech by Nixon in English, with quotation marks and dashes in Big5."""
    (packed,) = samples("nltk", "state_union.zip")
    with zipfile.ZipFile(packed) as speeches:
        texts = {
            year: decode_text(speeches.read(f"state_union/{year}.txt")) for year in ("1970-Nixon", "1954-Eisenhower")
        }

    assert "America’s priorities" in texts["1970-Nixon"]
    assert not set("ĄĽ¡¦") & set(texts["1970-Nixon"])
    assert "of the ½¢ decrease" in texts["1954-Eisenhower"]


def test_only_the_first_slice_has_the_document(tmp_path: Path) -> None:
    """The document begins at byte 0."""
    (tmp_path / "x").write_bytes(PAGE)

    assert rows(Html(), tmp_path / "x", start=5) == []


def test_every_sample_is_read() -> None:
    """The samples are real pages; one is compressed."""
    for path in samples("html"):
        assert rows(files.Html(), path)[0]["rule"] is None
