"""Decoding of text files: exactly the author's characters, or an error."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.schemas.decoding.texts import codec_of_text, decode_text
from corpusmill.schemas.errors import DataError

WEST = {
    "en": "The café’s “new” menu — naïve, isn’t it? — costs £5. The façade is being repaired by the owner.",
    "pt": "Não é preciso marcação. As crianças comem maçãs, e a entrada é livre.",
    "sv": "På lördag är biblioteket stängt. Det finns bullar och äpplen att köpa på gården.",
    "it": "Perché così è più bello, cioè sarà una festa di città.",
    "es": "El niño preguntó: ¿cuándo abrirá la biblioteca del señor Muñoz?",
    "fr": "L’élève a été reçu à l’école où l’œuvre fut créée.",
    "de": "Der Fluß führt Wasser über die große Brücke.",
    "nl": "Het café biedt een reünie en één geïnteresseerde gast.",
}
OTHERS = {
    "pl": ("Biblioteka jest zamknięta w sobotę, a w niedzielę czytamy dzieciom bajki.", "cp1250", "iso8859-2"),
    "cs": ("V sobotu je knihovna zavřená, v neděli čteme dětem pohádky.", "cp1250", "iso8859-2"),
    "tr": ("Cumartesi günü kütüphane kapalıdır; çocuklara masal okuyacağız.", "cp1254"),
    "lt": ("Šeštadienį biblioteka uždaryta, o sekmadienį skaitome vaikams pasakas.", "cp1257"),
    "ru": (
        "В субботу библиотека закрыта, в воскресенье читаем детям сказки.",
        "cp1251",
        "koi8-r",
        "cp866",
        "iso8859-5",
    ),
    "uk": ("У суботу бібліотека зачинена, а в неділю читаємо дітям казки.", "cp1251", "koi8-u"),
    "el": ("Το Σάββατο η βιβλιοθήκη είναι κλειστή και την Κυριακή διαβάζουμε.", "cp1253", "iso8859-7"),
    "he": ("בשבת הספרייה סגורה, וביום ראשון אנחנו קוראים סיפורים לילדים.", "cp1255"),
    "ar": ("المكتبة مغلقة يوم السبت، ويوم الأحد نقرأ القصص للأطفال.", "cp1256", "iso8859-6"),
    "th": ("วันเสาร์ห้องสมุดปิด วันอาทิตย์เราอ่านนิทานให้เด็กฟัง", "cp874"),
    "ja": ("図書館は毎週土曜日に子供向けの朗読会を開いています。", "cp932", "euc_jp", "iso2022_jp"),
    "ko": ("도서관은 토요일에 문을 닫고 일요일에는 아이들에게 책을 읽어 줍니다.", "cp949"),
    "zh": ("近年来，随着经济的发展，人们的生活水平不断提高。", "gb18030"),
    "tw": ("圖書館星期六不開放，星期日為孩子們講故事。", "big5"),
}


@pytest.mark.parametrize("language", WEST)
@pytest.mark.parametrize("repeats", [1, 20])
def test_text_of_western_europe_is_read_as_windows_1252(language: str, repeats: int) -> None:
    """windows-1252 is the most common legacy encoding; similar encodings must not be preferred."""
    text = f"{WEST[language]}\n" * repeats

    assert decode_text(text.encode("cp1252")) == text


@pytest.mark.parametrize(
    "text", ["It costs £5.", "The café costs £5.", "it’s", "A fee of £20 – or €25.", "© 1998 Smith"]
)
def test_a_short_text_is_read_or_refused_but_never_changed(text: str) -> None:
    """A pound sign must not become half-width katakana, nor an apostrophe an ideograph."""
    try:
        assert decode_text(text.encode("cp1252")) == text
    except DataError as error:
        assert error.rule == "error.encoding"  # noqa: PT017


@pytest.mark.parametrize(("text", "codec"), [(text, codec) for text, *codecs in OTHERS.values() for codec in codecs])
def test_a_legacy_encoding_is_detected_from_a_sentence(text: str, codec: str) -> None:
    """Pairs of letters identify the language, and so the encoding."""
    assert decode_text(text.encode(codec)) == text


def test_ambiguous_bytes_are_refused() -> None:
    """The message lists the candidates and the recipe field that decides between them."""
    with pytest.raises(DataError, match=r"uncertain: .+ or .+ `encoding: ") as caught:
        decode_text(b"\xb9 \xea")

    assert caught.value.rule == "error.encoding"


def test_random_bytes_are_refused() -> None:
    """One encoding is always the most likely, but it can still be unlikely."""
    with pytest.raises(DataError):
        decode_text(bytes(range(0x80, 0x100)) * 9)


@pytest.mark.parametrize(
    ("label", "codec"), [("windows-1250", "cp1250"), ("latin2", "iso8859-2"), ("UTF-16", "utf-16-le")]
)
def test_the_encoding_in_the_recipe_is_not_checked_against_a_guess(label: str, codec: str) -> None:
    """Two letters are too few for a guess."""
    assert decode_text("ąę".encode(codec), encoding=label) == "ąę"


def test_a_byte_order_mark_takes_precedence_over_the_recipe() -> None:
    """A newer editor can have saved one file of a folder as UTF-8 (WHATWG Encoding 6, "decode")."""
    assert decode_text("naïve".encode("utf-8-sig"), encoding="windows-1252") == "naïve"


def test_a_file_that_is_invalid_in_the_encoding_of_the_recipe_is_refused() -> None:
    """The message names the offset of the first invalid byte."""
    with pytest.raises(DataError, match=r"not UTF-8: .* at byte 3") as caught:
        decode_text(b"caf\xe9", encoding="utf-8")

    assert caught.value.rule == "error.encoding"


@pytest.mark.parametrize(
    "line",
    [
        ".. -*- coding: iso-8859-2 -*-",
        "# vim: set fileencoding=latin2 :",
        "<!-- -*- mode: markdown; coding: latin-2-unix -*- -->",
    ],
)
def test_a_mode_line_declares_the_encoding(line: str) -> None:
    """Emacs and Vim read the file in this encoding."""
    text = f"{line}\nąę"

    assert decode_text(text.encode("iso8859-2")) == text


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["plain words and more of them", OTHERS["ru"][0], OTHERS["el"][0]])
def test_utf16_without_a_byte_order_mark_is_detected(text: str, codec: str) -> None:
    """Every second byte of UTF-16 is one of a few values."""
    assert decode_text(text.encode(codec)) == text


@given(data=st.binary(max_size=300))
def test_any_bytes_become_valid_text_or_an_error(data: bytes) -> None:
    """Other exceptions, or lone surrogates in the text, would stop a run."""
    try:
        decode_text(data).encode()
    except DataError as error:
        assert error.rule in ("error.not_text", "error.encoding")  # noqa: PT017


def test_a_guess_is_bounded_in_time() -> None:
    """The encoding of a 20 MB file is guessed from a sample."""
    data = (WEST["pt"] + "\n").encode("cp1252") * 200_000
    start = time.process_time()

    assert decode_text(data).startswith(WEST["pt"])

    assert time.process_time() - start < 5


def test_a_single_non_ascii_byte_in_a_long_text_is_in_the_sample() -> None:
    """The quotation mark is much further from the beginning than the length of the sample."""
    text = "plain words " * 20_000 + "and that’s all."

    assert decode_text(text.encode("cp1252")) == text


@pytest.mark.parametrize("codec", ["cp932", "euc_jp"])
def test_a_repeated_sentence_is_no_evidence_for_another_encoding(codec: str) -> None:
    """Sentences without spaces were counted each time in Japanese, and three times in encodings of single bytes."""
    sentences = ["東京都の人口は約千四百万人で、世界最大級の都市である。", "ソフトウェアの表を読み込む必要があります。"]
    text = "".join(f"{number},{sentences[number % 2]}\n" for number in range(300))

    assert decode_text(text.encode(codec)) == text


def test_iso_2022_jp_is_recognized_at_the_beginning_of_a_file() -> None:
    """Its bytes are ASCII, so that it passed for UTF-8 in tables."""
    assert codec_of_text("表を読む\n".encode("iso2022_jp")) == "iso2022_jp"
