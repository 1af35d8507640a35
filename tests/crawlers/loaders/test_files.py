"""Pages and plain text: a file is one document, or one answer why not."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from corpusmill.crawlers.loaders import files
from corpusmill.crawlers.loaders.base import Loader
from corpusmill.crawlers.loaders.files import Html, Text
from corpusmill.crawlers.loaders.markdown import Markdown
from corpusmill.crawlers.loaders.package_metadata import PackageMetadata
from corpusmill.crawlers.loaders.restructuredtext import RestructuredText
from corpusmill.crawlers.patterns import matching_files
from tests.crawlers.loaders.reading import rows, samples

PAGE = b"<!doctype html><p>Hello"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 8


def one(loader: Loader, folder: Path, data: bytes, name: str = "a/x.html") -> dict[str, object]:
    path = folder / "file"
    path.write_bytes(data)
    (row,) = rows(loader, path, name=name)
    return row


def test_a_page_is_offered_as_it_lies(tmp_path: Path) -> None:
    """Its name is what it is, its bytes what it says."""
    row = one(Html(), tmp_path, PAGE)

    assert (row["source_id"], row["content"], row["media_type"]) == ("a/x.html", PAGE, "text/html")
    assert row["record_sha256"] == hashlib.sha256(PAGE).hexdigest()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
@pytest.mark.parametrize("loader", [Html(), Text(), Markdown(), RestructuredText(), PackageMetadata()])
def test_a_packed_file_is_the_file(tmp_path: Path, loader: Loader, pack: Callable[[bytes], bytes]) -> None:
    """Packing does not make another capture, whatever the format."""
    data = b"Name: a\n\nHello there, this is a text.\n"

    packed, plain = one(loader, tmp_path, pack(data)), one(loader, tmp_path, data)

    assert {**packed, "length": None} == {**plain, "length": None}
    assert plain["rule"] is None


@pytest.mark.parametrize("suffix", [".html.bz2", ".HTM.xz", ".xhtml.zst", ".html.gz"])
def test_a_folder_is_searched_for_packed_files_too(tmp_path: Path, suffix: str) -> None:
    """Whatever tool packed them."""
    (tmp_path / f"a{suffix}").write_bytes(PAGE)

    assert [match.name for match in matching_files(".", base=tmp_path, suffixes=Html.suffixes)] == [f"a{suffix}"]


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_packed_text_that_is_cut_off_says_so(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """Half a text is not published."""
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
def test_a_file_that_is_no_document_says_why(tmp_path: Path, loader: Loader, data: bytes, rule: str) -> None:
    """A picture called .html is set aside, nothing crashes."""
    assert one(loader, tmp_path, data)["rule"] == rule


def test_a_file_above_the_bound_is_not_held(tmp_path: Path) -> None:
    """A document of 50 MB is set aside by its size alone, a packed one when it unfolds."""
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
    """By its mark, as UTF-8, else by a guess."""
    assert one(Text(), tmp_path, data)["text"] == text


@pytest.mark.parametrize("data", ["Fußgänger über".encode() + b" \xff", "naïve".encode("utf-16")[:-1]])
def test_broken_unicode_is_not_guessed_at(tmp_path: Path, data: bytes) -> None:
    """One bad byte in UTF-8 does not turn the umlauts into two letters each."""
    assert one(Text(), tmp_path, data)["rule"] == "error.encoding"


def test_only_the_first_slice_holds_the_document(tmp_path: Path) -> None:
    """It begins at 0."""
    (tmp_path / "x").write_bytes(PAGE)

    assert rows(Html(), tmp_path / "x", start=5) == []


def test_every_sample_gives_an_answer() -> None:
    """Real pages, one of them packed."""
    for path in samples("html"):
        assert rows(files.Html(), path)[0]["rule"] is None
