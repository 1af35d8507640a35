"""Similar documents in different splits are an internal error, and a large group is a warning."""

from __future__ import annotations

import pytest

from corpusmill.pipelines.planning.plan import LEAKAGE_CHECK, LEAKAGE_KEYS
from corpusmill.pipelines.running.leakage import large_group, split_groups
from corpusmill.pipelines.stages.leakage.check import PAIRS, SEPARATED
from corpusmill.pipelines.stages.leakage.groups import GROUP_SIZE
from corpusmill.schemas.errors import WorkError
from corpusmill.schemas.manifest import SplitGroups
from tests.pipelines.running.test_conservation import step

SIZES = step(LEAKAGE_KEYS, {f"{GROUP_SIZE}2": 3, f"{GROUP_SIZE}7": 1}, {f"{GROUP_SIZE}2": 1})
GROUPS = SplitGroups(similarity=0.5, pairs=10, groups=5, documents=15, largest=7)


def test_groups_are_described_by_the_counters_of_all_tasks() -> None:
    """Tasks count the groups of their partitions."""
    checked = step(LEAKAGE_CHECK, {PAIRS: 4}, {PAIRS: 6, SEPARATED: 0})

    assert split_groups({LEAKAGE_KEYS: SIZES, LEAKAGE_CHECK: checked}, similarity=0.5) == GROUPS


def test_a_separated_pair_is_an_error() -> None:
    """The recipe promises that there is none, so nothing is published."""
    checked = step(LEAKAGE_CHECK, {PAIRS: 4}, {PAIRS: 6, SEPARATED: 1})

    with pytest.raises(WorkError, match=r"separates 1 of 10 pairs of documents with a similarity of 0\.5 or more"):
        split_groups({LEAKAGE_KEYS: SIZES, LEAKAGE_CHECK: checked}, similarity=0.5)


def test_without_a_comparison_there_are_no_groups() -> None:
    """Most recipes have no `similarity`, or `near_dedup` left no similar documents."""
    assert split_groups({}, similarity=None) is None
    assert split_groups({}, similarity=0.8) is None


@pytest.mark.parametrize(("published", "warnings"), [(13, 1), (14, 0), (15, 0)])
def test_a_group_of_more_than_half_of_the_documents_is_a_warning(published: int, warnings: int) -> None:
    """All of it is in one split."""
    assert len(large_group(GROUPS, published=published)) == warnings
    assert large_group(None, published=published) == []
