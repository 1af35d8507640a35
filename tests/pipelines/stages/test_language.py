"""Language identification: known texts, separate measuring and judging, refused codes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill.pipelines.stages.language import (
    DECIMALS,
    SECOND_LOOK,
    JudgeLanguage,
    Language,
    MeasureLanguage,
    _model,
    _table,
)
from tests.pipelines.stages.captures import captures

ENGLISH = "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience."
GERMAN = "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt."
FRENCH = "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison."
RUSSIAN = "Все люди рождаются свободными и равными в своем достоинстве и правах."
CHINESE = "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。"
HEBREW = "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון."
texts = st.one_of(
    st.text(max_size=60), st.sampled_from([ENGLISH, GERMAN, FRENCH, RUSSIAN, CHINESE, HEBREW, ENGLISH[:30], "x"])
)
measure = MeasureLanguage().build()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (ENGLISH, "en"),
        (GERMAN, "de"),
        (FRENCH, "fr"),
        (RUSSIAN, "ru"),
        (CHINESE, "zh"),
        (HEBREW, "he"),
        (ENGLISH.upper(), "en"),
    ],
)
def test_plain_texts_get_their_language(text: str, language: str) -> None:
    """Golden output; capitals are noise to the model unless they are lower-cased."""
    out = measure(captures([text]))

    assert out["language"].to_pylist() == [language]
    assert out["language_score"][0].as_py() > 0.8


def test_golden_scores_have_three_decimals() -> None:
    """Scores are part of a version's identity."""
    scores = measure(captures([ENGLISH, GERMAN, "Menü"]))["language_score"].to_numpy()

    assert scores.dtype == np.float32
    assert scores.tolist() == np.round(scores.astype(float), DECIMALS).astype(np.float32).tolist()


def test_a_poor_beginning_is_looked_at_again() -> None:
    """A page that begins with a menu of names must not get a low score for it."""
    names = "xj.py 3.4.1 > github.com/qx/zz [ci] [pypi] v0.9 » 404 " * 2

    out = measure(captures([names, names + ENGLISH * 5]))

    assert out["language_score"][0].as_py() < 0.65 < out["language_score"][1].as_py()
    assert out["language"][1].as_py() == "en"


@pytest.mark.parametrize("text", ["", " \n ", "12345 67,8 %", "\u0301", "—…!?", "1" * SECOND_LOOK + ENGLISH])
def test_a_text_without_letters_has_no_language(text: str) -> None:
    """The model would call it English with 0.12."""
    out = Language().build()(captures([text]))

    assert out["language"].to_pylist() == out["language_score"].to_pylist() == [None]
    assert out["rule"].to_pylist() == ["language.not_kept"]


def test_verdicts_name_the_language_and_the_bound() -> None:
    """The ledger must record the identified language and its score."""
    batch = measure(captures([ENGLISH, GERMAN, ENGLISH]))
    score = batch.schema.get_field_index("language_score")
    batch = batch.set_column(score, batch.schema.field(score), np.array([0.65, 0.9, 0.649], np.float32))

    out = JudgeLanguage(keep=("en",), min_score=0.65).build()(batch)

    assert out["rule"].to_pylist() == [None, "language.not_kept", "language.low_score"]
    assert out["message"].to_pylist() == [None, "de", "en"]
    assert out["value"].to_pylist() == [None, 0.9, 0.649]
    assert out["threshold"].to_pylist() == [None, None, 0.65]


def test_without_a_list_all_languages_stay() -> None:
    """`keep: []` with `min_score: 0` measures and rejects nothing."""
    out = Language(keep=(), min_score=0).build()(captures([GERMAN, "12345"]))

    assert out["rule"].to_pylist() == [None, None]


@given(batch=st.lists(texts, max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_verdict_does_not_depend_on_the_batch(batch: list[str]) -> None:
    """Batches are cut anywhere, and the two parts in sequence must equal the whole."""
    stage = Language(keep=("en", "de"))
    half = len(batch) // 2
    whole = stage.build()(captures(batch))
    in_turn = captures(batch)
    for _, part in stage.sub_stages():
        in_turn = part.build()(in_turn)

    pieces = stage.build()(captures(batch[half:]))

    assert in_turn.equals(whole)
    for column in ("language", "language_score", "rule", "value"):
        assert pieces[column].to_pylist() == whole[column].to_pylist()[half:]


def test_a_changed_bound_changes_the_judging_alone() -> None:
    """The measuring part has no bound, so its address must not change."""
    strict, loose = Language(min_score=0.9), Language(min_score=0.1, keep=("fr",))

    assert [name for name, _ in strict.sub_stages()] == ["measure", ""]
    assert strict.sub_stages()[0] == loose.sub_stages()[0]


def test_codes_of_three_letters_mean_the_same() -> None:
    """ISO 639-1 and 639-3 codes of a language must give the same fingerprint."""
    assert Language(keep=("eng", "deu", "en")) == Language(keep=("de", "en"))


@pytest.mark.parametrize(
    ("code", "told"), [("english", "`en` (English)"), ("EN", "`en`"), ("germn", "`de` (German)"), ("zz9", "zz9")]
)
def test_an_unknown_code_is_refused_with_the_nearest(code: str, told: str) -> None:
    """A misspelled code would reject the whole corpus."""
    with pytest.raises(ValidationError) as refused:
        Language.model_validate_json(f'{{"keep": ["{code}"]}}', strict=True)

    assert told in str(refused.value)


def test_the_table_has_every_language_of_the_model() -> None:
    """Every language that the model reports must be allowed in `keep`."""
    labels = {label.removeprefix("__label__") for _, label in _model().predict("text\n", 200, 0.0, "strict")}

    assert labels - {"als"} <= set(_table())
    assert len(_table()) == 176


@pytest.mark.parametrize("unit", ["a", "\n", "\u0301", "\U0001f468\u200d", "ש", "\x00"])
def test_a_megabyte_of_one_character_is_no_trouble(unit: str) -> None:
    """Only the beginning is read."""
    assert measure(captures([unit * 1_000_000])).num_rows == 1


def test_no_rows_are_no_trouble() -> None:
    """Engines pass empty batches."""
    assert Language().build()(captures([])).num_rows == 0
