"""Groups of similar documents are the connected components of all verified pairs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.engines.base import Exchange, Map, Repeat
from corpusmill.pipelines.stages.assemble import census_step
from corpusmill.pipelines.stages.dedup import chunks, crowds
from corpusmill.pipelines.stages.leakage import groups
from corpusmill.pipelines.stages.leakage.check import PAIRS, SEPARATED, check_steps
from corpusmill.pipelines.stages.leakage.groups import GROUP, GROUP_SIZE, GroupSteps, Similar, group_steps
from corpusmill.schemas.identity import document_id
from tests.pipelines.stages.dedup.corpus import capture, edited, prose, similarity, table
from tests.pipelines.stages.dedup.exchange import Contrary

SHARES = {"train": 0.5, "validation": 0.25, "test": 0.25}
contrary = st.builds(Contrary, parts=st.integers(1, 4), rows=st.sampled_from([1, 7, 1000]), seed=st.integers(0, 999))


class FindsAll(Similar):
    """Bands of one row: two documents are candidates unless they are quite different."""

    @property
    def bands(self) -> tuple[int, int]:
        return (200, 1)


ALL = FindsAll(similarity=0.5, ngram=5)


def grouped(captures: Sequence[dict[str, Any]], how: Contrary, *, similar: Similar = ALL) -> dict[str, str]:
    """Return the least id of the group of each living document, by its id."""
    after = tables_of(captures, how, group_steps(":leakage", of="documents", similar=similar))[":leakage"]
    return {row["id"]: row[GROUP] or row["id"] for row in after.to_pylist() if row["rule"] is None}


def tables_of(captures: Sequence[dict[str, Any]], how: Contrary, groups: GroupSteps) -> dict[str, pa.Table]:
    return how.run(groups.steps, {"documents": table(captures)})


def components(captures: Sequence[dict[str, Any]], *, threshold: float = 0.5) -> dict[str, str]:
    """Return the least id of each component of all pairs, slowly."""
    living = [one for one in captures if one.get("rule") is None]
    root = {one["id"]: one["id"] for one in living}
    for place, one in enumerate(living):
        for other in living[:place]:
            if similarity(one["text"] or "", other["text"] or "") >= threshold:
                low, high = sorted((root[one["id"]], root[other["id"]]))
                root = {name: low if of == high else of for name, of in root.items()}
    return root


def family(chance: random.Random, name: str, *, size: int, words: int = 80) -> list[dict[str, Any]]:
    """Return a chain or a star of texts, of which neighbors are more or less similar."""
    base = prose(chance, words)
    captures = []
    for member in range(size):
        changed = edited(base, chance, chance.choice([0, 1, 2, 4, 6]))
        captures.append(capture(f"{name}-{member}", " ".join(changed)))
        base = chance.choice([base, changed])
    return captures


@st.composite
def corpora(draw: st.DrawFn) -> list[dict[str, Any]]:
    chance = random.Random(draw(st.integers(0, 2**32)))
    captures = [one for name in "abc" for one in family(chance, name, size=chance.randrange(1, 12))]
    captures += [capture("short", "read me"), capture("copy", "Read me!"), capture("empty", ""), capture("none", "...")]
    captures.append(captures[0] | {"id": document_id("test", "rejected"), "rule": "x", "stage": "x"})
    return captures


@settings(max_examples=20, deadline=None)
@given(captures=corpora(), how=contrary)
def test_groups_are_the_components_of_all_pairs(captures: list[dict[str, Any]], how: Contrary) -> None:
    """If the bands detect all pairs, only the definition may decide, in any order, partitions and batches."""
    assert grouped(captures, how) == components(captures)


@settings(max_examples=15, deadline=None)
@given(captures=corpora(), how=contrary, members=st.sampled_from([1, 3]))
def test_crowded_buckets_change_nothing(captures: list[dict[str, Any]], how: Contrary, members: int) -> None:
    """Large buckets are divided by rare shingles, which loses no similar pair."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "MAX_MEMBERS", members)
        patch.setattr(chunks, "CHUNK", 10)
        patch.setattr(crowds, "SAMPLE", 5)

        assert grouped(captures, how) == components(captures)


def test_a_chain_of_two_thousand_documents_is_one_group() -> None:
    """Each is similar to its neighbors alone, and the ends share no word."""
    chance = random.Random(1)
    words = prose(chance, 20_100)
    captures = [capture(str(place), " ".join(words[10 * place : 10 * place + 50])) for place in range(2_000)]
    how = Contrary(parts=2, rows=1_000)

    groups_of = grouped(captures, how, similar=Similar(similarity=0.5, ngram=5))

    assert set(groups_of.values()) == {min(one["id"] for one in captures)}
    assert how.rounds <= 2


def pairs_compared(captures: Sequence[dict[str, Any]], similarity: float) -> int:
    steps = group_steps(":leakage", of="documents", similar=Similar(similarity=similarity, ngram=5))
    tables = tables_of(captures, Contrary(parts=1, rows=1_000), steps)
    return sum(tables[f":leakage.{step}.pairs"].num_rows for step in ("nearest", "rest"))


@pytest.mark.parametrize(("shared", "is_grouped"), [(160, True), (115, False)])
def test_a_template_takes_a_comparison_for_each_document(shared: int, is_grouped: bool) -> None:
    """500 pages have 125,000 pairs, similar or not, of which most share a bucket."""
    chance = random.Random(2)
    template = prose(chance, shared)
    texts = [[*template, *(f"own{chance.getrandbits(40)}" for _ in range(200 - shared))] for _ in range(500)]
    captures = [capture(str(number), " ".join(words)) for number, words in enumerate(texts)]

    assert pairs_compared(captures, 0.5) < 3_000
    how = Contrary(parts=1, rows=1_000)
    assert len(set(grouped(captures, how, similar=Similar(0.5, 5)).values())) == (1 if is_grouped else 500)


def test_groups_are_counted_by_size() -> None:
    """The manifest has their number and the largest, wherever batches are cut."""
    chance = random.Random(3)
    captures = []
    for name, size in (("a", 5), ("b", 2), ("c", 2), ("d", 1)):
        text = " ".join(prose(chance, 60))
        captures += [capture(f"{name}{member}", text + f" {member}") for member in range(size)]

    for rows in (1, 7, 1_000):
        how = Contrary(parts=1, rows=rows)
        grouped(captures, how)
        assert {name: n for name, n in how.counters.items() if name.startswith(GROUP_SIZE)} == {
            f"{GROUP_SIZE}5": 1,
            f"{GROUP_SIZE}2": 2,
        }


@settings(max_examples=15, deadline=None)
@given(captures=corpora())
def test_a_group_keeps_its_key_when_the_corpus_grows(captures: list[dict[str, Any]]) -> None:
    """New documents that are similar to none change no split, and a copy only that of a group whose least id it is."""
    chance = random.Random(4)
    others = [capture(f"new {number}", " ".join(prose(chance, 50))) for number in range(5)]
    copy = capture("copy of a-0", captures[0]["text"])

    before, after = grouped(captures, Contrary()), grouped([*captures, *others, copy], Contrary())

    changed = {name for name, key in before.items() if after[name] != key}
    group = {name for name, key in before.items() if key == before[captures[0]["id"]]}
    assert changed <= (group if copy["id"] < min(group) else set())


@settings(max_examples=20, deadline=None)
@given(captures=corpora(), how=contrary, is_grouped=st.booleans())
def test_separated_pairs_are_counted(captures: list[dict[str, Any]], how: Contrary, is_grouped: bool) -> None:
    """The check must notice pairs whose documents are in different splits, and no others."""
    steps = group_steps(":leakage", of="documents", similar=ALL)
    columns = ["id", GROUP] if is_grouped else ["id"]
    census = census_step(":census", of=":leakage", columns=columns, shares=SHARES, by="cluster")
    check = check_steps(":check", census=":census", pairs=steps.pairs)

    tables = how.run([*steps.steps, census, *check], {"documents": table(captures)})

    splits = {place: row["split"] for place, row in enumerate(tables[":census"].to_pylist())}
    pairs = [
        (row[one], row[other])
        for step, (one, other) in steps.pairs
        for row in tables[step].to_pylist()
        if row[one] != row[other]
    ]
    assert how.counters.get(PAIRS, 0) == len(pairs)
    separated = sum(splits[one] != splits[other] for one, other in pairs)
    assert how.counters.get(SEPARATED, 0) == separated
    assert not (is_grouped and separated)


def test_between_steps_go_only_types_that_every_engine_carries() -> None:
    """Unsigned, dictionary and large types are not supported, and keys must not be null."""
    steps = group_steps(":leakage", of="documents", similar=ALL).steps
    inside = [one for step in steps if isinstance(step, Repeat) for one in step.steps]
    allowed = {pa.bool_(), pa.string(), pa.binary(), pa.int64(), pa.float64(), pa.list_(pa.int64())}
    for step in [*inside, *(step for step in steps if not isinstance(step, Repeat))]:
        assert isinstance(step, Exchange | Map)
        schemas = [step.schema, step.moved] if isinstance(step, Exchange) else [step.writes]
        assert {kind for schema in schemas for kind in schema.types} <= allowed
        if isinstance(step, Exchange):
            assert not any(step.moved.field(key).nullable for key in (step.by, *step.order))
