"""Decoding of web pages."""

from __future__ import annotations

import hashlib
import time
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.schemas.decoding import letters
from corpusmill.schemas.decoding.binary import is_binary
from corpusmill.schemas.decoding.pages import decode

RUSSIAN = "Порт вновь открылся во вторник после шторма, который закрыл его на девять дней. " * 3
CHINESE = "图书馆每周六为儿童举办朗读会"
KOREAN = "도서관은 매주 토요일에 어린이를 위한 낭독회를 엽니다"
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
        (with_meta(CHINESE, "hz-gb-2312").encode("hz"), None, CHINESE),
        (with_meta(KOREAN, "iso-2022-kr").encode("iso2022_kr"), None, KOREAN),
        (with_meta("shell: ~{user}", "utf-8").encode(), None, "shell: ~{user}"),
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
def test_a_page_is_decoded_despite_wrong_declarations(data: bytes, media_type: str | None, expected: str) -> None:
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
def test_a_page_is_decoded_without_a_correct_declaration(data: bytes, expected: str) -> None:
    """Old editors wrote windows-1252 quotation marks without declaring it; UTF-8 can be cut or have an invalid byte."""
    assert expected in decode(data)


@pytest.mark.parametrize("charset", ["utf-7", "zip", "rot13", "unicode_escape", "idna", "base64"])
def test_a_page_cannot_select_other_codecs_of_python(charset: str) -> None:
    """Some Python codecs decompress data or evaluate escapes."""
    data = b"<p>+ADw-b+AD4- \\u0041 \xe9"

    assert "+ADw-b+AD4- \\u0041" in decode(data, f"text/html; charset={charset}")


@given(
    data=st.binary(max_size=300),
    media_type=st.sampled_from([None, "text/html; charset=utf-16", "text/html; charset=big5"]),
)
def test_any_bytes_become_text_without_surrogates(data: bytes, media_type: str | None) -> None:
    """Text with surrogates cannot be encoded as UTF-8, so it would stop the writer of a shard."""
    text = decode(data, media_type)

    text.encode()
    assert "\0" not in text


def test_binary_data_is_distinguished_from_text_in_any_encoding() -> None:
    """Servers send images and archives as text/html; UTF-16 is text although it is full of zeros."""
    assert is_binary(b"\x89PNG\r\n")
    assert is_binary(bytes(range(256)) * 9)
    assert not is_binary(b"First line\vsecond line\v" * 9)
    for codec in ("utf-16", "utf-8", "koi8-r", "cp1251"):
        assert not is_binary(RUSSIAN.encode(codec))
    for data in (JAPANESE.encode("iso2022_jp"), ("<p>plain</p>" * 9).encode("utf-16-be")):
        assert not is_binary(data)


SCRIPT = "<script>var pages = {menu: 'open', items: [1, 2, 3], load: function (name) { return name; }};</script>" * 20
STYLE = "<style>.menu li { color: #123; margin: 0 } /* nothing to read here */</style><!-- no text at all -->" * 20
SENTENCES = {
    "cp1251": RUSSIAN,
    "koi8-r": RUSSIAN,
    "iso8859-5": RUSSIAN,
    "cp866": RUSSIAN,
    "cp1253": "Το λιμάνι άνοιξε πάλι την Τρίτη μετά την καταιγίδα που το έκλεισε για εννέα μέρες.",
    "cp1255": "הנמל נפתח שוב ביום שלישי אחרי הסערה שסגרה אותו לתשעה ימים.",
    "cp1256": "أعيد فتح الميناء يوم الثلاثاء بعد العاصفة التي أغلقته تسعة أيام.",
    "cp874": "ท่าเรือเปิดอีกครั้งในวันอังคารหลังพายุที่ปิดท่าเรือไปเก้าวัน",
    "cp932": JAPANESE,
    "euc_jp": JAPANESE,
    "iso2022_jp": JAPANESE,
    "gb18030": "近年来，随着经济的发展，人们的生活水平不断提高，城市里的图书馆也越来越多。",
    "big5": "港口因為風暴關閉了九天，星期二重新開放。",
    "cp949": "폭풍으로 아흐레 동안 닫혔던 항구가 화요일에 다시 열렸다.",
    "cp1250": "Port otwarto we wtorek po burzy, która zamknęła go na dziewięć dni.",
    "iso8859-2": "Přístav byl v úterý znovu otevřen po bouři, která jej na devět dní zavřela.",
    "cp1254": "Liman, dokuz gün kapalı kaldığı fırtınadan sonra salı günü yeniden açıldı.",
    "cp1257": "Uostas antradienį vėl atidarytas po audros, kuri jį buvo uždariusi devynioms dienoms.",
}


@pytest.mark.parametrize("codec", SENTENCES)
@pytest.mark.parametrize("before", ["", SCRIPT, STYLE, "<script>" + "x" * 20_000 + "</SCRIPT >"])
def test_scripts_and_styles_do_not_change_the_guess(codec: str, before: str) -> None:
    """They are ASCII in every language and not part of the text (HTML 13.2.3.2)."""
    page = f"<html><head>{before}</head><body><p>{SENTENCES[codec]}</p></body></html>"

    assert decode(page.encode(codec)) == page


@pytest.mark.parametrize(
    "declaration",
    [
        "<meta charset=koi8-r>",
        '<META content="text/html; charset=KOI8-R" http-equiv="Content-Type" />',
        "<meta name=a content='charset=big5'><meta charset='koi8-r'>",
    ],
)
@pytest.mark.parametrize(
    "before", [SCRIPT * 3, "<!-- <meta charset=big5> -->", "<script>'<meta charset=big5>'</script>"]
)
def test_a_declaration_counts_wherever_a_parser_finds_it(declaration: str, before: str) -> None:
    """It counts after a long script, but not inside a script or a comment (HTML 13.2.3, changing the encoding)."""
    page = f"<head>{before}{declaration}</head><p>Да"

    assert decode(page.encode("koi8-r")) == page


def test_an_xml_declaration_counts() -> None:
    """XHTML pages declare their encoding there."""
    page = '<?xml version="1.0" encoding="ISO-8859-2"?>\n<html><p>żó'

    assert decode(page.encode("iso8859-2")) == page


@pytest.mark.parametrize("attribute", ["lang=pl", "xml:lang='pl-PL'", 'class=a xml:lang="PL"'])
def test_the_declared_language_decides_between_equally_likely_encodings(attribute: str) -> None:
    """Two letters fit Polish and French about equally well."""
    page = f"<html {attribute}><p>Łódź, Żory"

    assert decode(page.encode("cp1250")) == page


def test_attributes_are_sampled_if_there_is_no_other_text() -> None:
    """A page can consist of pictures with descriptions."""
    page = f"<img alt='{RUSSIAN}'>"

    assert decode(page.encode("cp1251")) == page


@pytest.mark.parametrize(
    "piece", [b"<script>", b"<!--", b"<", b"<meta ", b"<meta charset=", b"</script", b"<style>\xe9"]
)
def test_a_page_of_repeated_opening_tags_takes_linear_time(piece: bytes) -> None:
    """Searching for the end of each one from its start would take hours on a hostile page."""
    start = time.process_time()

    decode(piece * 200_000 + b"\xe9")

    assert time.process_time() - start < 5


def test_the_letter_statistics_are_unchanged() -> None:
    """If this file changes, raise the `version` of the text loaders; `extract` depends on the file itself."""
    digest = hashlib.sha256(files(letters.__package__).joinpath(letters.FILE).read_bytes()).hexdigest()

    assert digest.startswith("04382ff84b48e8c0")
