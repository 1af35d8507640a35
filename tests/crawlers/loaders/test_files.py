"""Pages and plain text: a file is one document, or one answer why not."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from corpusmill.crawlers.loaders import files
from corpusmill.crawlers.loaders.base import Loader
from corpusmill.crawlers.loaders.files import Html, Text
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


def test_a_packed_page_is_the_page(tmp_path: Path) -> None:
    """Packing does not make another capture."""
    packed, plain = one(Html(), tmp_path, gzip.compress(PAGE)), one(Html(), tmp_path, PAGE)

    assert packed["record_sha256"] == plain["record_sha256"]


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
