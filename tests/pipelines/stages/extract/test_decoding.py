"""Bytes to characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.extract.decoding import decode, is_binary

RUSSIAN = "Порт вновь открылся во вторник после шторма, который закрыл его на девять дней. " * 3
JAPANESE = "港は九日間閉鎖された嵐の後、火曜日に再開した。水先人は航路が二度調査されたと述べた。" * 3


def with_meta(text: str, charset: str) -> str:
    return f'<html><head><meta charset="{charset}"></head><body><p>{text}</p>'


@pytest.mark.parametrize(
    ("data", "media_type", "expected"),
    [
        (RUSSIAN.encode("koi8-r"), "text/html; charset=koi8-r", RUSSIAN),
        (with_meta(RUSSIAN, "windows-1251").encode("cp1251"), None, RUSSIAN),
        (with_meta(JAPANESE, "shift_jis").encode("shift_jis"), None, JAPANESE),
        (with_meta(JAPANESE, "iso-2022-jp").encode("iso2022_jp"), None, JAPANESE),
        (with_meta("重新開放", "gb2312").encode("gb18030"), None, "重新開放"),
        (RUSSIAN.encode("utf-16"), "text/html; charset=utf-8", RUSSIAN),
        (b"\xef\xbb\xbf" + RUSSIAN.encode(), "text/html; charset=latin-1", RUSSIAN),
        (with_meta(RUSSIAN, "iso-8859-1").encode(), None, RUSSIAN),
        (with_meta(RUSSIAN, "utf-8").encode("cp1251"), None, RUSSIAN),
        (with_meta(RUSSIAN, "x-martian").encode("cp1251"), None, RUSSIAN),
        (f"<p>{RUSSIAN}</p>".encode("cp1251"), None, RUSSIAN),
        (f"<p>{JAPANESE}</p>".encode("euc_jp"), None, JAPANESE),
        (("<p>plain words</p>" * 9).encode("utf-16-le"), None, "plain words"),
        ("<p>caf\u00e9 cr\u00e8me</p>".encode("cp1252"), "text/html; charset=iso-8859-1", "café crème"),
        (b"te\0xt", None, "text"),
        ("<p>Ж".encode()[:-1], "text/html; charset=utf-8", "<p>\ufffd"),
    ],
)
def test_the_characters_are_found_whatever_was_declared(data: bytes, media_type: str | None, expected: str) -> None:
    """A wrong guess turns a whole site into mojibake."""
    assert expected in decode(data, media_type)


ENGLISH = "It’s the harbour’s first naïve ship, “said” the pilot – and he’s right. " * 5
POLISH = "Port otwarto we wtorek po burzy, która zamknęła go na dziewięć dni; miejcie żal, mówią. " * 3
TURKISH = "İstanbul’da şimdi fırtına var. " * 9


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (f"<p>{ENGLISH}".encode("cp1252"), ENGLISH),
        (with_meta(ENGLISH, "utf-8").encode("cp1252"), ENGLISH),
        (f"<p>{'plain words ' * 5_000}It’s so.".encode("cp1252"), "It’s so."),
        (f"<html lang=pl><p>{POLISH}".encode("iso8859-2"), POLISH),
        (f"<!DOCTYPE html><html class=x lang='pl-PL'><p>{POLISH} š".encode("cp1250"), f"{POLISH} š"),
        (f'<html lang="tr"><p>{TURKISH}'.encode("cp1254"), TURKISH),
        (f"<p>{RUSSIAN.strip()}".encode()[:-1], RUSSIAN.strip()[:-1]),
        (f"<p>{RUSSIAN}".encode() + b"\x92 " + RUSSIAN.encode(), RUSSIAN),
    ],
)
def test_characters_without_a_true_declaration_are_found(data: bytes, expected: str) -> None:
    """Quotation marks of old editors where nothing, or UTF-8, is declared; and UTF-8 that is cut or has an odd byte."""
    assert expected in decode(data)


@pytest.mark.parametrize("charset", ["utf-7", "zip", "rot13", "unicode_escape", "idna", "base64"])
def test_a_codec_that_is_no_charset_of_the_web_is_never_run(charset: str) -> None:
    """Python has codecs that unpack and execute escapes; a page must not choose them."""
    data = b"<p>+ADw-b+AD4- \\u0041 \xe9"

    assert "+ADw-b+AD4- \\u0041" in decode(data, f"text/html; charset={charset}")


@given(
    data=st.binary(max_size=300),
    media_type=st.sampled_from([None, "text/html; charset=utf-16", "text/html; charset=big5"]),
)
def test_any_bytes_become_text_without_surrogates(data: bytes, media_type: str | None) -> None:
    """Text that cannot be encoded again would stop the writer of a shard."""
    text = decode(data, media_type)

    text.encode()
    assert "\0" not in text


def test_binary_is_told_from_text_of_any_encoding() -> None:
    """Images and archives are served as text/html; UTF-16 is full of zeros and still text."""
    assert is_binary(b"\x89PNG\r\n")
    assert is_binary(bytes(range(256)) * 9)
    for codec in ("utf-16", "utf-8", "koi8-r", "cp1251"):
        assert not is_binary(RUSSIAN.encode(codec))
    for data in (JAPANESE.encode("iso2022_jp"), ("<p>plain</p>" * 9).encode("utf-16-be")):
        assert not is_binary(data)
