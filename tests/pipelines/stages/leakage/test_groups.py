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
from corpusmill.pipelines.stages.dedup import buckets, crowds
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


@settings(max_examples=40, deadline=None)
@given(captures=corpora(), how=contrary)
def test_groups_are_the_components_of_all_pairs(captures: list[dict[str, Any]], how: Contrary) -> None:
    """If the bands detect all pairs, only the definition may decide, in any order, partitions and batches."""
    assert grouped(captures, how) == components(captures)
