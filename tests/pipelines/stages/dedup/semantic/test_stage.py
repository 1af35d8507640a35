"""The laws of `semantic_dedup`, in the most adverse execution that the contract of engines allows."""

from __future__ import annotations

import math
import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill.pipelines.engines.base import Exchange, Map, Repeat
from corpusmill.pipelines.stages.base import Documents
from corpusmill.pipelines.stages.dedup.priority import Keep
from corpusmill.pipelines.stages.dedup.semantic.stage import RULE, SemanticDedup
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.identity import document_id
from tests.pipelines.stages.dedup.corpus import capture, edited, prose
from tests.pipelines.stages.dedup.corpus import families as text_families
from tests.pipelines.stages.dedup.corpus import table as text_table
from tests.pipelines.stages.dedup.exchange import Contrary, fates
from tests.pipelines.stages.dedup.semantic.embedded import (
    FINDS_ALL,
    SCHEMA,
    Row,
    as_float32,
    cosine,
    direction,
    embedded,
    families,
    fates_of,
    near,
    survivors,
    table,
)

contrary = st.builds(Contrary, parts=st.integers(1, 4), rows=st.sampled_from([1, 7, 1000]), seed=st.integers(0, 999))


def word_fates(captures: list[Row], *, stage: SemanticDedup | None = None, how: Contrary | None = None) -> list[Row]:
    stage = stage or SemanticDedup(threshold=0.9)
    return fates(text_table(captures), [("semantic_dedup", stage)], how or Contrary(parts=1, rows=1000))


@settings(max_examples=60, deadline=None)
@given(captures=families())
def test_the_result_is_that_of_comparing_all_with_all(captures: list[Row]) -> None:
    """Laws 1 and 3: if the planes propose all pairs, only the definition may decide."""
    kept = {fate["id"] for fate in fates_of(captures) if fate["rule"] is None}

    assert kept == survivors(captures, threshold=0.8)


@settings(max_examples=15, deadline=None)
@given(captures=families(), how=contrary)
def test_order_partitions_and_batches_do_not_matter(captures: list[Row], how: Contrary) -> None:
    """Law 3: the output is a function of the documents and the parameters."""
    assert fates_of(captures, how=how) == fates_of(captures)


@settings(max_examples=20, deadline=None)
@given(captures=text_families(), how=contrary)
def test_order_partitions_and_batches_do_not_matter_for_words(captures: list[Row], how: Contrary) -> None:
    """The frequencies of words are sums over the corpus."""
    assert word_fates(captures, how=how) == word_fates(captures)


@settings(max_examples=40, deadline=None)
@given(captures=families(), threshold=st.sampled_from([0.7, 0.9, 0.99]))
def test_each_removed_document_names_a_kept_one_that_is_like_it(captures: list[Row], threshold: float) -> None:
    """Law 2: the pair is verified, and cluster sizes add up."""
    found = fates_of(captures, stage=SemanticDedup.model_validate({"column": "vector", "threshold": threshold}))

    vectors = {one["id"]: as_float32(one["vector"]) for one in captures}
    kept = {fate["id"]: fate for fate in found if fate["rule"] is None}
    removed = [fate for fate in found if fate["rule"] == RULE]
    for fate in removed:
        assert fate["duplicate_of"] == fate["cluster_id"]
        assert fate["duplicate_of"] in kept
        assert fate["value"] == cosine(vectors[fate["id"]], vectors[fate["duplicate_of"]])
        assert fate["value"] >= fate["threshold"] == threshold
        assert fate["stage"] == "semantic_dedup"
    assert sum(fate["cluster_size"] for fate in kept.values()) == len(kept) + len(removed)


@settings(max_examples=30, deadline=None)
@given(captures=families(), later=families())
def test_documents_that_come_later_change_nothing_before(captures: list[Row], later: list[Row]) -> None:
    """Law 4: the oldest document is kept, so a growing corpus does not change earlier decisions."""
    before = [one | {"fetched_at": one["fetched_at"] or embedded("", [1.0])["fetched_at"]} for one in captures]
    after = [embedded(f"later {index}", one["vector"], day=100 + index) for index, one in enumerate(later)]
    after += [embedded(f"copy {index}", one["vector"], day=None) for index, one in enumerate(captures)]

    def decided(found: list[Row]) -> dict[str, tuple[object, ...]]:
        names = {one["id"] for one in before}
        return {
            fate["id"]: (fate["rule"], fate["duplicate_of"], fate["value"]) for fate in found if fate["id"] in names
        }

    assert decided(fates_of(before)) == decided(fates_of(before + after))


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.95, 0.99])
def test_the_chosen_planes_find_nearly_all_pairs(threshold: float) -> None:
    """The recall of the candidates at the threshold itself, where it is lowest, must be what `banding.FOUND` says."""
    chance = random.Random(3)
    captures = []
    for pair in range(300):
        one = direction(chance, 48)
        other = direction(chance, 48)
        square = sum(value * value for value in one)
        along = sum(a * b for a, b in zip(one, other, strict=True)) / square
        across = [b - along * a for a, b in zip(one, other, strict=True)]
        tangent = math.tan(math.acos(threshold + 1e-3)) * math.sqrt(square) / math.dist(across, [0] * 48)
        vectors = [one, [a + tangent * b for a, b in zip(one, across, strict=True)]]
        captures += [embedded(f"{pair} {number}", vector, day=number) for number, vector in enumerate(vectors)]
    stage = SemanticDedup.model_validate({"column": "vector", "threshold": threshold})

    removed = [fate for fate in fates_of(captures, stage=stage) if fate["rule"] is not None]

    assert len(removed) >= 297


@pytest.mark.parametrize(
    "vector",
    [
        None,
        [],
        [0.0, 0.0],
        [float("nan"), 1.0],
        [float("inf"), 1.0],
        [-float("inf"), 1.0],
        [None, 1.0],
        [1.0] * 8_193,
        [1.0] * 3,
    ],
    ids=lambda vector: str(vector)[:20],
)
def test_a_document_without_a_vector_is_kept(vector: list[float | None] | None) -> None:
    """Bad input is an answer: no cosine is defined, and no vector has another length than those that it is like."""
    captures = [embedded(str(number), [1.0, 1.0], day=number) for number in range(2)]
    captures += [embedded("odd", vector, day=2)]
    if vector != [1.0] * 3:
        captures += [embedded("again", vector, day=3)]

    rules = {fate["id"]: fate["rule"] for fate in fates_of(captures)}

    assert rules[document_id("test", "1")] == RULE
    assert rules[document_id("test", "odd")] is rules.get(document_id("test", "again")) is None


def test_a_longer_vector_in_one_direction_is_a_copy() -> None:
    """Only directions are compared, and float64 columns are read like float32 ones."""
    vectors = [[3e-40, -4e-40], [30.0, -40.0], [40.0, -30.0]]
    captures = [embedded(str(number), vector, day=number) for number, vector in enumerate(vectors)]
    doubles = pa.field("vector", pa.list_(pa.float64()))
    wide = pa.Table.from_pylist(captures, CAPTURE.set(CAPTURE.get_field_index("vector"), doubles))
    stage = SemanticDedup.model_validate({"column": "vector", "threshold": 1})

    found = {fate["id"]: fate for fate in fates(wide, [("semantic_dedup", stage)], Contrary())}

    values = [(found[document_id("test", name)]["rule"], found[document_id("test", name)]["value"]) for name in "012"]
    assert values == [(None, None), (RULE, 1.0), (None, None)]


@pytest.mark.parametrize(("keep", "kept"), [("oldest", "long"), ("newest", "short"), ("longest", "long")])
def test_the_document_to_keep_can_be_chosen(keep: Keep, kept: str) -> None:
    """As in the other stages that remove duplicates."""
    captures = [embedded("long", [1.0, 2.0], day=1) | {"text_bytes": 100}, embedded("short", [1.0, 2.0], day=2)]
    stage = SemanticDedup(column="vector", keep=keep)

    (one,) = [fate["id"] for fate in fates_of(captures, stage=stage) if fate["rule"] is None]

    assert one == document_id("test", kept)


def test_a_removed_document_takes_no_part() -> None:
    """A document that an earlier stage rejected must neither remove others nor be counted."""
    captures = [
        embedded("first", [1.0, 2.0], day=1) | {"rule": "early", "stage": "early"},
        embedded("second", [1.0, 2.0], day=2),
    ]

    (fate,) = fates_of(captures)

    assert (fate["rule"], fate["cluster_size"]) == (None, 1)


def test_texts_with_the_same_words_are_found_in_any_order() -> None:
    """That is what vectors of words add to `near_dedup`. Texts without words are never duplicates."""
    chance = random.Random(4)
    words = prose(chance, 200)
    texts = {
        "first": " ".join(words),
        "shuffled": " ".join(chance.sample(words, len(words))),
        "edited": " ".join(edited(words, chance, 8)),
        "other": " ".join(prose(chance, 200)),
        "empty": "",
        "dots": "...",
        "more dots": "....",
    }
    captures = [capture(name, text, day=day) for day, (name, text) in enumerate(texts.items())]

    found = {fate["id"]: fate for fate in word_fates(captures)}

    rules = {name: found[document_id("test", name)]["rule"] for name in texts}
    assert [name for name, rule in rules.items() if rule is not None] == ["shuffled", "edited"]
    assert found[document_id("test", "shuffled")]["value"] == 1.0


def test_a_chain_is_not_one_cluster() -> None:
    """Each document is like its neighbors alone, so every second or third one stays, in a few rounds."""
    captures = [embedded(str(number), [math.cos(number / 8), math.sin(number / 8)], day=number) for number in range(20)]
    how = Contrary()

    kept = {
        fate["id"]
        for fate in fates_of(captures, stage=FINDS_ALL.model_copy(update={"threshold": 0.95}), how=how)
        if fate["rule"] is None
    }

    assert kept == survivors(captures, threshold=0.95)
    assert len(kept) == 7
    assert how.rounds > 1


def test_a_thousand_copies_are_compared_with_one() -> None:
    """Near duplicates of one document must not be compared with each other."""
    chance = random.Random(5)
    center = direction(chance, 32)
    captures = [embedded(str(number), near(center, chance, 0.02), day=number) for number in range(1_000)]
    how = Contrary(rows=1000)
    stage = SemanticDedup(column="vector")
    steps = stage.steps("semantic_dedup", Documents("documents", SCHEMA))
    (repeat,) = [step for step in steps if isinstance(step, Repeat)]
    tables = how.run(steps[: steps.index(repeat)], {"documents": table(captures)})
    pairs = how.run(repeat.steps[:2], tables | {repeat.name: tables[repeat.start]})[repeat.steps[1].name]

    assert 999 <= pairs["leader"].drop_null().length() / 2 <= 999 * stage.bands


def test_no_document_at_all_is_fine() -> None:
    """An earlier filter may have rejected everything."""
    assert fates_of([embedded("a", [1.0], rule="error.encoding")]) == []
    assert word_fates([]) == []
    assert word_fates([capture("a", None, rule="error.encoding")]) == []


@pytest.mark.parametrize("stage", [SemanticDedup(), FINDS_ALL])
def test_between_steps_go_only_types_that_every_engine_carries(stage: SemanticDedup) -> None:
    """Unsigned, dictionary and large types are not supported, and keys must not be null."""
    allowed = {pa.bool_(), pa.string(), pa.binary(), pa.int64(), pa.float64(), pa.list_(pa.int64())}
    steps = stage.steps("semantic_dedup", Documents("d", SCHEMA))
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
        ('{"bands": 5}', "5 bands × 20 planes find only 47% .* use `bands: 46` and `planes: 20`"),
        ('{"bands": 300}', "need 6000 bits, at most 4096 are allowed"),
        ('{"threshold": 1.5}', "less than or equal to 1"),
        ('{"threshold": 0.1}', "greater than or equal to 0.5"),
        ('{"dimensions": 10000}', "less than or equal to 8192"),
        ('{"column": ""}', "at least 1 character"),
        ('{"planes": 63}', "less than or equal to 62"),
        ('{"treshold": 0.8}', "Extra inputs"),
    ],
)
def test_nonsense_is_refused_with_advice(given: str, message: str) -> None:
    """The recipe is refused before work starts, with advice on what to change."""
    with pytest.raises(ValidationError, match=message):
        SemanticDedup.model_validate_json(given, strict=True)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9, 0.95, 0.999, 1])
def test_every_threshold_works_without_further_parameters(threshold: float) -> None:
    """Bands and planes that are not set must suit the threshold and be written to the resolved recipe."""
    stage = SemanticDedup.model_validate_json(f'{{"threshold": {threshold}}}', strict=True)

    assert SemanticDedup.model_validate_json(stage.model_dump_json(), strict=True) == stage
    assert stage.bands * stage.planes <= 1_024


def test_a_column_of_another_type_is_refused() -> None:
    """The name of a column of text is an easy mistake."""
    with pytest.raises(RecipeError, match="`text` is not a list of float32 or float64, but string"):
        SemanticDedup(column="text").steps("semantic_dedup", Documents("d", SCHEMA))
