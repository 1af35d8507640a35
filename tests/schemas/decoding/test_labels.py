"""Names of encodings."""

from __future__ import annotations

import codecs

import pytest
from w3lib.encoding import resolve_encoding

from corpusmill.schemas.decoding.labels import ENCODINGS, closest, codec_of, name_of


def test_every_label_has_a_codec() -> None:
    """Python supports all encodings of the standard, under its own names."""
    labels = [label for name, (_, more) in ENCODINGS.items() for label in (name, *more.split())]

    assert len(labels) == len(set(labels)) == 224
    assert all(codecs.lookup(codec_of(label) or "") for label in labels)


@pytest.mark.parametrize("label", ["latin1", "ISO-8859-1", "gb2312", "x-sjis", " utf8 ", "ks_c_5601-1987", "koi8-u"])
def test_labels_agree_with_w3lib(label: str) -> None:
    """Scrapy decodes pages with w3lib."""
    theirs = codecs.lookup(resolve_encoding(label) or "").name

    assert codecs.lookup(codec_of(label) or "").name == theirs


@pytest.mark.parametrize("label", ["rot13", "zip", "utf-7", "idna", "x-user-defined", ""])
def test_a_label_that_is_not_a_text_encoding_has_no_codec(label: str) -> None:
    """A page must not select Python codecs that decompress data or evaluate escapes."""
    assert codec_of(label) is None


def test_a_codec_has_the_name_of_the_standard() -> None:
    """Error messages propose this name for the recipe."""
    assert all(codec_of(name_of(codec)) == codec for codec, _ in ENCODINGS.values())
    assert closest("win-1252") == "windows-1252"
