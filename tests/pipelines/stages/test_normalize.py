"""Normalization: golden texts, and the law that normalizing twice equals normalizing once."""

from __future__ import annotations

import sys
import time
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from ftfy.badness import is_bad
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT
from corpusmill.pipelines.stages.normalize import Normalize
from corpusmill.pipelines.stages.normalize.characters import _NOT_ALWAYS_NFC
from corpusmill.pipelines.stages.normalize.mojibake import suspicious
from tests.pipelines.stages.captures import captures

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
SCOTLAND = "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbsct") + "\U000e007f"
PERSIAN = "می\u200cخواهم"
TRICKY = (
    list(" \t\n\r\x0b\x0c\x85\u00a0\u2003\u2028\u3000")
    + list("\x00\x1b\x7f\x9d\u00ad\u200b\u200c\u200d\u200e\u202e\u2060\ufeff\ufff9\U000e0067")
    + list("aAiIe.,'’“—…-_=<\u0301\u0307\u0338\u05b0\u0327")
    + ["Ã©", "â€™", "Â", "Ã", "©", "€", "é", "İ", "ﬁ", "Å", "ｅ", "’", "ي", "م", "क", "्", "한", "ᄒ", "ᅡ", "ᆫ"]
    + ["don't", "can’t", "I'd've", FAMILY, SCOTLAND, PERSIAN]
)
texts = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(TRICKY), max_size=14).map("".join))
batches = st.lists(texts, min_size=4, max_size=30)
parameters = st.builds(
    Normalize,
    unicode=st.sampled_from(["NFC", "NFKC", "none"]),
    mojibake=st.booleans(),
    control_characters=st.booleans(),
    whitespace=st.booleans(),
    lowercase=st.booleans(),
    punctuation=st.sampled_from(["keep", "ascii", "remove"]),
    contractions=st.sampled_from(["keep", "expand"]),
)


def normalized(text: str, stage: Normalize | None = None) -> str:
    return str((stage or Normalize()).build()(captures([text]))["text"][0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("e\u0301te\u0301", "été"),
        ("cafÃ© â€” itâ€™s", "café — it’s"),
        ("a\x00b\x1b[0m\x9d", "ab"),
        ("\ufeffso\u00adft\u200b\u202e", "soft"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("  one   two \t three  \n\n\n\n  four\u00a0five \n ", "one two three\n\n  four five"),
        ("def f():\n    return  1\n\tpass", "def f():\n    return 1\n\tpass"),
        (FAMILY, FAMILY),
        (SCOTLAND, SCOTLAND),
        (PERSIAN, PERSIAN),
        ("hid\U000e0041\U000e0042den zero\u200dwidth", "hidden zerowidth"),
        ("שלום \u200fעולם", "שלום עולם"),
        ("\u0301", "\u0301"),
        ("Ein “Zitat”, wie es sein soll – 25 € für Åse.", "Ein “Zitat”, wie es sein soll – 25 € für Åse."),
    ],
)
def test_the_defaults_give_these_texts(text: str, expected: str) -> None:
    """Golden output: a change requires a new version of the stage."""
    assert normalized(text) == expected


@pytest.mark.parametrize(
    ("given_parameters", "text", "expected"),
    [
        ({"unicode": "NFKC"}, "ﬁne ２ ℂ", "fine 2 C"),
        ({"unicode": "none"}, "e\u0301", "e\u0301"),
        ({"mojibake": False}, "cafÃ©", "cafÃ©"),
        ({"control_characters": False}, "a\x01b", "a\x01b"),
        ({"whitespace": False}, " a  b \r\n", " a  b \n"),
        ({"whitespace": False, "control_characters": False}, "a\r\n", "a\r\n"),
        ({"lowercase": True}, "ÅNGSTRÖM ΣΑΣ", "ångström σασ"),
        ({"punctuation": "ascii"}, "“It’s” — a–b…", '"It\'s" -- a-b...'),
        ({"punctuation": "remove"}, "“Don’t”, he said: snake_case; 3.5 + 1!", "Dont he said snake case 3 5 + 1"),
        (
            {"contractions": "expand"},
            "DON'T worry, I’m sure it'll do. Can't you?",
            "DO NOT worry, I am sure it will do. Cannot you?",
        ),
        ({"contractions": "expand"}, "the dog's o'clock, rock'n'roll", "the dog's o'clock, rock'n'roll"),
    ],
)
def test_each_parameter_does_what_it_says(given_parameters: dict[str, object], text: str, expected: str) -> None:
    """A parameter without its own effect would be misleading."""
    assert normalized(text, Normalize.model_validate(given_parameters)) == expected


def normalized_batch(batch: list[str], stage: Normalize) -> list[str]:
    return stage.build()(captures(batch))["text"].to_pylist()


@given(batch=batches, stage=parameters)
@settings(max_examples=80, deadline=None)
def test_normalizing_twice_is_normalizing_once(batch: list[str], stage: Normalize) -> None:
    """Otherwise a version made from a version would differ for no reason."""
    once = normalized_batch(batch, stage)

    assert normalized_batch(once, stage) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [("caf\u00c3\u200b\u00a9", "café"), ("e\u200b\u0301", "é"), ("a\u00ad \u2060 b", "a b"), ("<\u2060\u0338", "≮")],
)
def test_what_one_operation_uncovers_another_one_finds(text: str, expected: str) -> None:
    """A zero-width space hides mojibake from the repair, which runs before its removal."""
    assert normalized(text) == expected


@given(batch=batches, stage=parameters)
@settings(max_examples=40, deadline=None)
def test_a_text_does_not_depend_on_its_neighbours(batch: list[str], stage: Normalize) -> None:
    """Batches are cut anywhere."""
    half = len(batch) // 2

    pieces = normalized_batch(batch[half:], stage) + normalized_batch(batch[:half], stage)

    assert normalized_batch(batch, stage) == pieces[-half:] + pieces[:-half]


@given(batch=batches, stage=parameters)
@settings(max_examples=40, deadline=None)
def test_every_byte_is_accounted_for(batch: list[str], stage: Normalize) -> None:
    """`before + added = after + cut` is the law of conservation, which the engine checks."""
    out = stage.build()(captures(batch))

    columns = (out["text"].to_pylist(), out[TEXT_ADDED].to_pylist(), out[TEXT_CUT].to_pylist())
    for before, after, added, cut in zip(batch, *columns, strict=True):
        assert len(before.encode()) + added == len(after.encode()) + cut
        assert added >= 0
        assert cut >= 0


@given(batch=batches)
@settings(max_examples=40, deadline=None)
def test_the_default_form_is_nfc_without_controls_and_tidy(batch: list[str]) -> None:
    """Defines the defaults in terms of another implementation (Python's)."""
    for once in normalized_batch(batch, Normalize()):
        assert unicodedata.is_normalized("NFC", once)
        assert not any(unicodedata.category(c) == "Cc" for c in once if c not in "\n\t")
        assert once == once.strip(" \n\t")
        assert "\n\n\n" not in once


@given(batch=batches)
@settings(max_examples=40, deadline=None)
def test_the_compiled_scan_finds_all_that_ftfy_finds_wrong(batch: list[str]) -> None:
    """The scan is ftfy's own expression in another syntax; a miss would leave mojibake in the corpus."""
    found = pc.match_substring_regex(pa.array(batch), suspicious()).to_pylist()

    assert all(is_found or not is_bad(text) for is_found, text in zip(found, batch, strict=True))


def test_every_character_that_nfc_may_change_is_scanned_for() -> None:
    """The scan for NFC is a list of ranges by hand; Python's tables define what it must cover."""
    characters = [chr(code) for code in range(0x80, sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    scanned = pc.match_substring_regex(pa.array(characters), _NOT_ALWAYS_NFC).to_pylist()

    for character, is_scanned in zip(characters, scanned, strict=True):
        changes = unicodedata.combining(character) or not unicodedata.is_normalized("NFC", character)
        assert is_scanned or not changes, hex(ord(character))


def test_a_text_of_which_nothing_is_left_is_rejected() -> None:
    """An empty document is useless, and the ledger must record it."""
    out = Normalize().build()(captures(["\u200b \n", "text", ""]))

    assert out["rule"].to_pylist() == ["normalize.empty", None, "normalize.empty"]


@pytest.mark.parametrize(
    "unit",
    [
        " ",
        "\n",
        "a",
        "\u0301",
        "\u0301\u0327",
        "\u200d",
        "’",
        "Ã©",
        "a'",
        "Ã©\n",
        "don't ",
        "\t \n",
        "\U0001f468\u200d",
        "\x00",
        "ش\u200c",
    ],
)
def test_a_hostile_text_takes_linear_time(unit: str) -> None:
    """A quadratic expression would need hours for a megabyte of one character."""
    stage = Normalize(unicode="NFKC", lowercase=True, punctuation="ascii", contractions="expand")
    hostile = unit * (200_000 // len(unit))
    start = time.process_time()

    normalized(hostile, stage)

    assert time.process_time() - start < 5


def test_no_batch_and_slices_of_a_batch_work() -> None:
    """Engines pass empty batches and slices with an offset."""
    function = Normalize().build()
    batch = captures(["a  b", "c  d", "e  f"])

    assert function(batch.slice(0, 0)).num_rows == 0
    assert function(batch.slice(1, 1))["text"].to_pylist() == ["c d"]


def test_an_unknown_form_is_refused() -> None:
    """A misspelled parameter must be reported before work starts."""
    with pytest.raises(ValidationError, match="unicode"):
        Normalize.model_validate_json('{"unicode": "nfc"}', strict=True)
