"""Small corpora for tests of deduplication."""

from __future__ import annotations

import hashlib
import random
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.identity import document_id

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)

UNSPACED = (
    *(
        "CJK UNIFIED IDEOGRAPH",
        "CJK COMPATIBILITY IDEOGRAPH",
        "IDEOGRAPHIC",
        "HANGZHOU NUMERAL",
        "VERTICAL IDEOGRAPHIC",
    ),
    *("HIRAGANA", "KATAKANA", "HENTAIGANA", "HALFWIDTH KATAKANA", "COMBINING KATAKANA", "VERTICAL KANA"),
    *("BOPOMOFO LETTER", "BOPOMOFO FINAL LETTER", "YI SYLLABLE"),
    *("THAI", "LAO", "KHMER", "MYANMAR", "TAI LE", "NEW TAI LUE", "TAI THAM", "TAI VIET", "AHOM"),
)
"""How names of characters of scripts without spaces begin."""


def capture(
    name: str, text: str | None, *, day: int | None = 0, record: str | None = None, **more: Any
) -> dict[str, Any]:
    """Return one capture of the document *name*, fetched on *day*."""
    return {
        "id": document_id("test", name),
        "source": "test",
        "source_id": name,
        "record_sha256": hashlib.sha256((record if record is not None else str(text)).encode()).hexdigest(),
        "fetched_at": None if day is None else EPOCH + timedelta(days=day),
        "text": text,
        "text_bytes": len((text or "").encode()),
        **more,
    }


def table(captures: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return *captures* as the output of a step."""
    return pa.Table.from_pylist(list(captures), schema=CAPTURE)


def words_of(text: str) -> list[str]:
    """Return the words of *text* as defined in the contract, slowly, from the names of characters."""
    words: list[str] = []
    kinds = [kind_of(character) for character in text.lower()]
    for character, kind, before in zip(text.lower(), kinds, [None, *kinds], strict=False):
        goes_on = kind == before == "word" or (kind == "mark" and before in ("letter", "mark"))
        if kind and goes_on:
            words[-1] += character
        elif kind:
            words.append(character)
    return words


def kind_of(character: str) -> str | None:
    """Return whether *character* is a letter of a script without spaces, a mark on one, or part of another word."""
    if not re.match(r"\w", character):
        is_mark = unicodedata.category(character) in ("Mn", "Mc")
        return "mark" if is_mark and unicodedata.name(character, "").startswith(UNSPACED) else None
    is_number = unicodedata.category(character) in ("Nd", "No")
    return "letter" if unicodedata.name(character, "").startswith(UNSPACED) and not is_number else "word"


def shingle_set(text: str, *, ngram: int = 5) -> set[tuple[str, ...]]:
    """Return the shingles of *text* as defined in the contract, slowly."""
    words = words_of(text)
    if len(words) < ngram:
        return {tuple(words)} if words else set()
    return {tuple(words[place : place + ngram]) for place in range(len(words) - ngram + 1)}


def similarity(one: str, other: str, *, ngram: int = 5) -> float:
    """Return the Jaccard similarity of two texts, 0 when one has no words."""
    left, right = shingle_set(one, ngram=ngram), shingle_set(other, ngram=ngram)
    return len(left & right) / len(left | right) if left and right else 0.0


def prose(chance: random.Random, words: int) -> list[str]:
    """Return *words* random words."""
    return [f"word{chance.randrange(5000)}" for _ in range(words)]


def edited(words: list[str], chance: random.Random, edits: int) -> list[str]:
    """Return *words* with *edits* of them replaced."""
    changed = list(words)
    for _ in range(edits):
        changed[chance.randrange(len(changed))] = f"edit{chance.randrange(10**6)}"
    return changed


@st.composite
def families(draw: st.DrawFn, *, largest: int = 24) -> list[dict[str, Any]]:
    """Draw captures in families of more or less similar texts, some with equal days, some without a day."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    captures = []
    for family in range(draw(st.integers(1, 4))):
        base = prose(chance, chance.choice([3, 40, 60, 90]))
        for member in range(draw(st.integers(1, largest // 4))):
            text = " ".join(edited(base, chance, chance.choice([0, 0, 1, 1, 2, 3])))
            day = chance.choice([None, 0, 1, 2, 3])
            captures.append(capture(f"{family}-{member}", text, day=day))
    return captures
