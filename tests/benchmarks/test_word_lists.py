"""The lists of words for de-identification are made from a dictionary and the census, and hold what they should."""

from __future__ import annotations

from pathlib import Path

from benchmarks.deidentify.word_lists import common_words, family_names, frequent_names, given_names
from corpusmill.schemas.deidentification import lexicon


def test_only_names_that_are_also_words_or_rare_are_marked() -> None:
    """A name without a mark is removed wherever it stands, so an ordinary word must never lack its mark."""
    common = common_words("desk grace smith Smith's Grace naïve", names={"smith"})

    family = family_names({"smith": 1.0, "grace": 0.1, "ng": 0.01}, common, {"smith"})
    given = given_names(
        [{"grace": 0.3, "anna": 0.4}, {"zebulon": 0.004}], {"ngozi": 1200, "lyric": 9000, "rare": 99}, common, {"lyric"}
    )

    assert {"desk", "grace", "stenosis"} <= common
    assert not {"smith", "Smith's", "naïve"} & common
    assert family == ["grace*", "ng*", "smith"]
    assert given == ["anna", "grace*", "lyric*", "ngozi", "zebulon*"]


def test_a_frequent_name_is_no_word_unless_notes_have_the_word() -> None:
    """`smith` and `mike` are in every dictionary; `ward` and `page` are in every note."""
    names = frequent_names({"smith": 1.006, "ward": 0.1, "archer": 0.024}, [{"mike": 0.1, "page": 0.06, "al": 0.01}])

    assert names == {"smith", "mike"}


def test_the_licenses_of_the_lists_are_beside_them() -> None:
    """The license of the dictionary asks for its notice in every copy."""
    notice = (Path(lexicon.__file__).parent / "sources.txt").read_text(encoding="utf-8")

    assert "Copyright 2000-2011 by Kevin Atkinson" in notice
    assert all(name in notice for name in lexicon.FILES)
