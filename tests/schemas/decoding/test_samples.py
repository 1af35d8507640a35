"""Samples from which encodings are guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.schemas.decoding.pages import decode
from corpusmill.schemas.decoding.samples import MAX_SAMPLE_BYTES, sample

SENTENCE = "The town library reopened last week, and the first visitors waited at the door long before nine. "


@pytest.mark.parametrize("name", ["Pâté", "São", "Škoda", "Compiègne", "København", "Łódź"])
@pytest.mark.parametrize("times", [10, 100])
def test_a_repeated_name_does_not_change_the_encoding(name: str, times: int) -> None:
    """Thirty times "Pâté" made an English page in windows-1252 Latvian, with "Pāté"."""
    text = f"<p>{SENTENCE}{name} wrote to us. " * times
    encoding = "cp1250" if name == "Łódź" else "cp1252"

    assert name in decode(text.encode(encoding))


@given(
    pieces=st.lists(st.tuples(st.integers(0, 3_000), st.binary(min_size=1, max_size=5)), max_size=40),
    rest=st.integers(0, 40_000),
)
def test_a_sample_is_bounded_and_has_the_non_ascii_bytes(pieces: list[tuple[int, bytes]], rest: int) -> None:
    """If all of them fit, none may be missing, because each one is evidence."""
    data = b"".join(b"a" * length + piece for length, piece in pieces) + b"a" * rest

    taken = sample(data)

    assert len(taken) <= MAX_SAMPLE_BYTES
    assert _non_ascii(taken) == _non_ascii(data)


def test_a_long_text_is_sampled_at_its_beginning_and_middle() -> None:
    """A page often begins with a menu in another language."""
    data = "é début ".encode("cp1252") * 4_000 + "ü Mitte ".encode("cp1252") * 4_000

    taken = sample(data)

    assert len(taken) <= MAX_SAMPLE_BYTES
    assert "é".encode("cp1252") in taken
    assert "ü".encode("cp1252") in taken


def _non_ascii(data: bytes) -> bytes:
    return bytes(byte for byte in data if byte > 127)
