from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill.pipelines.engines.base import Exchange, Map, Repeat
from corpusmill.pipelines.stages.base import Documents
from corpusmill.pipelines.stages.dedup.exact import ExactDedup
from corpusmill.pipelines.stages.dedup.near import RULE, NearDedup
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.identity import document_id
from tests.pipelines.stages.dedup.corpus import capture, edited, families, prose, similarity, table, words_of
from tests.pipelines.stages.dedup.exchange import Contrary, fates

FINDS_ALL = NearDedup(threshold=0.6, bands=40, rows=1)
"""Bands of one row: two documents are candidates unless they are quite different."""
contrary = st.builds(Contrary, parts=st.integers(1, 4), rows=st.sampled_from([1, 7, 1000]), seed=st.integers(0, 999))


def fates_of(
    captures: list[dict[str, Any]], *, stage: NearDedup = FINDS_ALL, how: Contrary | None = None
) -> list[dict[str, Any]]:
    stages = [("exact_dedup", ExactDedup()), ("near_dedup", stage)]
    return fates(table(captures), stages, how or Contrary(parts=1, rows=1000))


def survivors(captures: list[dict[str, Any]], *, threshold: float) -> set[str]:
    """Return the ids of the documents that are kept when all pairs are compared, slowly."""

    def age(one: dict[str, Any]) -> tuple[bool, Any, str]:
        return one["fetched_at"] is None, one["fetched_at"], one["id"]

    ordered = sorted(captures, key=lambda one: (age(one)[0], str(age(one)[1]), one["id"]))
    different = {}
    for one in ordered:
        different.setdefault(one["text"], one)
    kept: list[dict[str, Any]] = []
    for one in different.values():
        if all(similarity(one["text"], other["text"]) < threshold for other in kept):
            kept.append(one)
    return {one["id"] for one in kept}


@settings(max_examples=40, deadline=None)
@given(captures=families())
def test_the_result_is_that_of_comparing_all_with_all(captures: list[dict[str, Any]]) -> None:
    """If the bands detect all pairs, only the definition may decide."""
    kept = {fate["id"] for fate in fates_of(captures) if fate["rule"] is None}

    assert kept == survivors(captures, threshold=0.6)


@settings(max_examples=40, deadline=None)
@given(captures=families(), how=contrary)
def test_order_partitions_and_batches_do_not_matter(captures: list[dict[str, Any]], how: Contrary) -> None:
    """Promise 1: the output is a function of the documents and the parameters."""
    stage = NearDedup()

    assert fates_of(captures, stage=stage, how=how) == fates_of(captures, stage=stage)


@settings(max_examples=40, deadline=None)
@given(captures=families())
def test_each_removed_document_names_a_kept_one_that_is_like_it(captures: list[dict[str, Any]]) -> None:
    """Each removed text must still be in the corpus in another wording, and cluster sizes must add up."""
    found = fates_of(captures, stage=NearDedup())

    texts = {one["id"]: one["text"] for one in captures}
    kept = {fate["id"]: fate for fate in found if fate["rule"] is None}
    removed = [fate for fate in found if fate["rule"] == RULE]
    for fate in removed:
        assert fate["duplicate_of"] == fate["cluster_id"]
        assert fate["duplicate_of"] in kept
        assert fate["value"] == similarity(texts[fate["id"]], texts[fate["duplicate_of"]]) >= fate["threshold"] == 0.8
        assert fate["stage"] == "near_dedup"
    assert all(fate["cluster_id"] == fate["id"] for fate in kept.values())
    assert sum(fate["cluster_size"] for fate in kept.values()) == len(kept) + len(removed)


@settings(max_examples=30, deadline=None)
@given(captures=families(), later=families())
def test_documents_that_come_later_change_nothing_before(
    captures: list[dict[str, Any]], later: list[dict[str, Any]]
) -> None:
    """A growing corpus must not change earlier decisions, since the oldest document is kept."""
    before = [one | {"fetched_at": one["fetched_at"] or capture("", "")["fetched_at"]} for one in captures]
    after = [capture(f"later {index}", one["text"], day=100 + index) for index, one in enumerate(later)]
    after += [capture(f"copy {index}", one["text"] + " more", day=None) for index, one in enumerate(captures)]

    def decided(found: list[dict[str, Any]]) -> dict[str, Any]:
        names = {one["id"] for one in before}
        return {
            fate["id"]: (fate["rule"], fate["duplicate_of"], fate["value"]) for fate in found if fate["id"] in names
        }

    assert decided(fates_of(before)) == decided(fates_of(before + after))


def test_a_removed_document_takes_no_part() -> None:
    """An exact duplicate or an old capture must neither remove documents nor be counted."""
    chance = random.Random(1)
    words = prose(chance, 80)
    captures = [capture("first", " ".join(words), day=1), capture("copy", " ".join(words), day=2)]
    for number in range(8):
        captures.append(capture(f"changed {number}", " ".join(edited(words, chance, 1)), day=0))
        captures.append(capture(f"changed {number}", " ".join(prose(chance, 80)), day=3))

    found = fates_of(captures)

    assert [fate["rule"] for fate in found].count(RULE) == 0
    living = [fate for fate in found if fate["rule"] is None]
    assert len(living) == 9
    assert all(fate["cluster_id"] == fate["id"] and fate["cluster_size"] == 1 for fate in living)


def test_a_verdict_that_was_given_before_stays() -> None:
    """The document is removed, but its old capture was superseded: each has its own ledger row."""
    chance = random.Random(6)
    words = prose(chance, 80)
    captures = [
        capture("first", " ".join(words), day=0),
        capture("changed", " ".join(prose(chance, 80)), day=1),
        capture("changed", " ".join(edited(words, chance, 1)), day=2),
    ]

    found = [fate for fate in fates_of(captures) if fate["id"] == document_id("test", "changed")]

    first = document_id("test", "first")
    assert [(fate["stage"], fate["duplicate_of"], fate["cluster_id"]) for fate in found] == [
        ("identity", None, None),
        ("near_dedup", first, first),
    ]


def test_texts_without_words_are_never_near() -> None:
    """They have no shingles, so no similarity is defined."""
    found = fates_of([capture("a", "..."), capture("b", "!!!"), capture("c", ""), capture("d", "?!")])

    assert [fate["rule"] for fate in found] == [None] * 4
    assert all(fate["cluster_id"] == fate["id"] and fate["cluster_size"] == 1 for fate in found)


def test_short_texts_are_one_shingle() -> None:
    """With fewer words than a shingle, only equal words make a duplicate."""
    captures = [capture("a", "Read me!", day=0), capture("b", "read me", day=1), capture("c", "read it", day=2)]

    rules = {fate["id"]: fate["rule"] for fate in fates_of(captures)}

    assert [rules[document_id("test", name)] for name in "abc"] == [None, RULE, None]


def test_a_second_comparison_adds_up_clusters() -> None:
    """`cluster_size` counts the documents that a kept one represents, over all stages."""
    chance = random.Random(2)
    first = prose(chance, 100)
    second = edited(first, chance, 4)
    texts = [" ".join(words) for words in (first, second, edited(second, chance, 1))]
    assert similarity(texts[0], texts[1]) < 0.9 < similarity(texts[1], texts[2])
    captures = [capture(f"{index}", text, day=index) for index, text in enumerate(texts)]
    stages = [("near_dedup", NearDedup(threshold=0.9)), ("near_dedup_2", NearDedup(threshold=0.6))]

    found = sorted(fates(table(captures), stages, Contrary()), key=lambda fate: fate["captured"])

    assert [fate["stage"] for fate in found] == [None, "near_dedup_2", "near_dedup"]
    assert found[0]["cluster_size"] == 3


def test_no_document_at_all_is_fine() -> None:
    """An earlier filter may have rejected everything."""
    assert fates_of([]) == []
    assert fates_of([capture("a", None, rule="error.encoding")]) == []


def test_between_steps_go_only_types_that_every_engine_carries() -> None:
    """Unsigned, dictionary and large types are not supported, and keys must not be null."""
    allowed = {pa.bool_(), pa.string(), pa.binary(), pa.int64(), pa.float64(), pa.list_(pa.int64())}
    steps = NearDedup().steps("near_dedup", Documents("d", CAPTURE))
    inside = [one for step in steps if isinstance(step, Repeat) for one in step.steps]
    for step in [*inside, *(step for step in steps if not isinstance(step, Repeat))]:
        assert isinstance(step, Exchange | Map)
        schemas = [step.schema, step.moved] if isinstance(step, Exchange) else [step.writes]
        assert {kind for schema in schemas for kind in schema.types} <= allowed
        if isinstance(step, Exchange):
            assert not any(step.moved.field(key).nullable for key in (step.by, *step.order))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('{"bands": 5, "rows": 20}', "5 bands × 20 rows find only 6% .* use `bands: 20` and `rows: 6`"),
        ('{"bands": 300}', "need 1800 permutations, at most 1024 are allowed"),
        ('{"threshold": 1.5}', "less than or equal to 1"),
        ('{"threshold": 0}', "greater than or equal to 0.3"),
        ('{"ngram": 0}', "greater than or equal to 1"),
        ('{"keep": "shortest"}', "oldest"),
        ('{"treshold": 0.8}', "Extra inputs"),
        ('{"threshold": "high"}', "valid number"),
    ],
)
def test_nonsense_is_refused_with_advice(given: str, message: str) -> None:
    """The recipe is refused before work starts, with advice on what to change."""
    with pytest.raises(ValidationError, match=message):
        NearDedup.model_validate_json(given, strict=True)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.95, 1])
def test_every_threshold_works_without_further_parameters(threshold: float) -> None:
    """Bands and rows that are not set must suit the threshold and be written to the resolved recipe."""
    stage = NearDedup.model_validate_json(f'{{"threshold": {threshold}}}', strict=True)

    assert NearDedup.model_validate_json(stage.model_dump_json(), strict=True) == stage
    assert (stage.bands, stage.rows) == (20, 6) or threshold < 0.8


SENTENCES = {
    "Chinese": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
    "Traditional Chinese": "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心，並應以兄弟關係的精神相對待。",
    "Japanese": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "Katakana": "コンピュータデータベースプログラミングアルゴリズムネットワークセキュリティ",
    "Thai": "มนุษย์ทั้งปวงเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "Lao": "ມະນຸດເກີດມາມີສິດເສລີພາບແລະສະເໝີໜ້າກັນໃນທາງກຽດຕິສັກແລະທາງສິດ",
    "Khmer": "មនុស្សទាំងអស់កើតមកមានសេរីភាពនិងសមភាពក្នុងផ្នែកសេចក្ដីថ្លៃថ្នូរនិងសិទ្ធិ",
    "Burmese": "လူတိုင်းသည်တူညီလွတ်လပ်သောဂုဏ်သိက္ခာဖြင့်လည်းကောင်းတူညီလွတ်လပ်သောအခွင့်အရေးများဖြင့်",
    "mixed": "使用Python處理資料庫SQL的API介面，版本3更新於2024年，支援Linux與macOS系統。",
}


def letters_of(chance: random.Random, sentence: str, count: int) -> list[str]:
    """Return *count* random words of *sentence*, which are letters in most scripts here, in clauses."""
    words = words_of(sentence)
    return [chance.choice(words) + ("，" if place % 20 == 19 else "") for place in range(count)]


@pytest.mark.parametrize("language", SENTENCES)
def test_near_duplicates_are_found_where_no_spaces_separate_words(language: str) -> None:
    """One changed letter in a hundred counts like one word in a hundred; different texts stay apart."""
    chance = random.Random(7)
    one, other = (letters_of(chance, SENTENCES[language], 600) for _ in range(2))
    changed = list(one)
    for place in range(50, 600, 100):
        changed[place] = chance.choice(words_of(SENTENCES[language]))
    captures = [
        capture("one", "".join(one)),
        capture("changed", "".join(changed), day=1),
        capture("other", "".join(other)),
    ]

    found = fates_of(captures, stage=NearDedup())

    rules = {fate["id"]: fate["rule"] for fate in found}
    assert rules == {
        document_id("test", "one"): None,
        document_id("test", "changed"): RULE,
        document_id("test", "other"): None,
    }


def test_short_texts_without_spaces_are_not_all_alike() -> None:
    """Clauses with one different letter in ten share few shingles; punctuation changes none."""
    captures = [
        capture("a", "今天天气很好我们去公园"),
        capture("b", "今天天气很坏我们去公园", day=1),
        capture("c", "今天，天气很好；我们去公园。", day=2),
    ]

    rules = {fate["id"]: fate["rule"] for fate in fates_of(captures, stage=NearDedup())}

    assert [rules[document_id("test", name)] for name in "abc"] == [None, None, RULE]
