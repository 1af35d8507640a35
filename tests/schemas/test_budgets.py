"""Budgets of a crawl are written as sizes and durations, and can be raised."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from corpusmill.schemas.budgets import CrawlBudgets


def test_sizes_and_durations_become_numbers() -> None:
    """The serialized form has the numbers, and is read again as the same budgets."""
    budgets = CrawlBudgets.model_validate({"bytes": "10MB", "seconds": "8h", "per_host": {"seconds": 90, "bytes": 5}})

    assert (budgets.bytes, budgets.seconds) == (10_000_000, 28_800)
    assert (budgets.per_host.seconds, budgets.per_host.bytes) == (90, 5)
    assert CrawlBudgets.model_validate_json(budgets.model_dump_json()) == budgets


@pytest.mark.parametrize(
    "fields",
    [{"bytes": "ten"}, {"bytes": 0}, {"seconds": "never"}, {"seconds": 1.5}, {"pages": 5}, {"per_host": {"depth": 1}}],
)
def test_other_values_are_refused(fields: dict[str, object]) -> None:
    """Without a limit, the field is left out; `max_pages` and `max_depth` are fields of the crawl."""
    with pytest.raises(ValidationError):
        CrawlBudgets.model_validate(fields)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, True),
        ({"bytes": 10}, {"bytes": 10}, True),
        ({"bytes": 10}, {"bytes": 11}, True),
        ({"bytes": 10}, {}, True),
        ({"bytes": 10}, {"bytes": 9}, False),
        ({}, {"bytes": 9}, False),
        ({"per_host": {"pages": 3}}, {"per_host": {"pages": 4}}, True),
        ({"per_host": {"pages": 3}}, {"per_host": {"pages": 2}}, False),
    ],
)
def test_budgets_cover_lower_ones(before: dict[str, object], after: dict[str, object], expected: bool) -> None:
    """A crawl can only go on with budgets that it has not used up differently."""
    assert CrawlBudgets.model_validate(after).covers(CrawlBudgets.model_validate(before)) is expected
