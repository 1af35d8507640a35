"""Recipe models: allowed values, defaults, and the round trip through the written form."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.quantities import format_duration, parse_duration, parse_size
from corpusmill.schemas.recipe import Checks, LoadSource, Recipe, Split, number_stages

CRAWL = {"name": "site", "start_urls": ["https://example.org/docs/"], "contact": "mailto:data@example.org"}
LOAD = {"name": "wiki", "format": "jsonl", "path": "dumps/*.jsonl"}
RECIPE: dict[str, Any] = {
    "dataset": "handbook",
    "sources": [{"crawl": CRAWL}, {"load": LOAD}],
    "stages": ["extract", {"normalize": {"lowercase": False}}, {"near_dedup": None}],
}


def read(value: Any) -> Recipe:
    return Recipe.model_validate_json(json.dumps(value), strict=True)


def test_a_recipe_names_its_sources_and_stages_in_order() -> None:
    """The order of stages decides the result, so it is kept."""
    recipe = read(RECIPE)

    assert [source.kind for source in recipe.sources] == ["crawl", "load"]
    assert [stage.name for stage in recipe.stages] == ["extract", "normalize", "near_dedup"]
    assert recipe.stages[1].params == {"lowercase": False}
    assert recipe.source("wiki").format == "jsonl"


def test_defaults_are_those_of_the_contract() -> None:
    """A short recipe must mean what the documentation says."""
    recipe = read(RECIPE)

    assert recipe.split == Split(train=0.98, validation=0.01, test=0.01, by="cluster")
    assert recipe.shards.target_bytes == 256_000_000
    assert recipe.checks == Checks()
    assert recipe.checks.model_dump() == {"max_rejected": None, "min_documents": 1, "max_error_rate": None}
    crawl = recipe.source("site")
    assert isinstance(crawl, CrawlSource)
    assert (crawl.delay, crawl.allow_private, crawl.respect, crawl.refresh) == (1.0, False, "all", None)


def test_the_written_form_gives_the_recipe_back() -> None:
    """A version's resolved recipe can be run again."""
    recipe = read(RECIPE)

    assert read(recipe.model_dump(mode="json")) == recipe


def test_fields_that_only_a_loader_knows_are_its_options() -> None:
    """Each format has parameters of its own; the recipe models do not list them."""
    source = LoadSource.model_validate(LOAD | {"text_field": "body", "encoding": "latin-1"})

    assert source.options == {"encoding": "latin-1"}
    assert source.loader_params == {"text_field": "body", "encoding": "latin-1"}
    assert source.paths == ("dumps/*.jsonl",)


def test_a_stage_listed_again_has_an_id_of_its_own() -> None:
    """Two steps of a plan never share a name."""
    assert [stage.id for stage in number_stages(["stem", "stem", "pii", "stem"])] == ["stem", "stem_2", "pii", "stem_3"]


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "Handbook"},
        {"dataset": "../etc"},
        {"dataset": "a" * 65},
        {"sources": []},
        {"sources": [{"crawl": CRAWL}, {"load": LOAD | {"name": "site"}}]},
        {"sources": [{"crawl": CRAWL, "load": LOAD}]},
        {"sources": [{"crawl": CRAWL | {"contact": "me"}}]},
        {"sources": [{"crawl": CRAWL | {"start_urls": ["ftp://example.org"]}}]},
        {"sources": [{"crawl": CRAWL | {"start_urls": []}}]},
        {"sources": [{"crawl": CRAWL | {"allow": ["("]}}]},
        {"sources": [{"crawl": CRAWL | {"max_pages": 0}}]},
        {"sources": [{"crawl": CRAWL | {"delay": -1}}]},
        {"sources": [{"crawl": CRAWL | {"delay": True}}]},
        {"sources": [{"crawl": CRAWL | {"respect": "some"}}]},
        {"sources": [{"crawl": CRAWL | {"respect": ["noai", "nofollow"]}}]},
        {"sources": [{"crawl": CRAWL | {"respect": []}}]},
        {"sources": [{"crawl": CRAWL | {"refresh": "soon"}}]},
        {"sources": [{"load": LOAD | {"path": []}}]},
        {"sources": [{"load": LOAD | {"path": ""}}]},
        {"stages": [{"extract": {}, "normalize": {}}]},
        {"stages": [["extract"]]},
        {"split": {"train": 0.9}},
        {"split": {"train": 1.5, "validation": -0.25, "test": -0.25}},
        {"split": {"by": "url"}},
        {"shards": {"target_bytes": 0}},
        {"shards": {"target_bytes": "256 apples"}},
        {"checks": {"max_rejected": 60}},
        {"checks": {"min_documents": 1.5}},
        {"incremental": "no"},
        {"unknown": 1},
    ],
)
def test_invalid_recipes_are_refused(change: dict[str, Any]) -> None:
    """A mistake that is reported now costs a second; after a crawl it costs a day."""
    with pytest.raises(ValidationError):
        read(RECIPE | change)


@given(minutes=st.integers(1, 999_999))
def test_a_duration_is_written_as_it_is_read(minutes: int) -> None:
    """The resolved recipe holds the same duration, in its largest unit."""
    duration = timedelta(minutes=minutes)

    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5h", "7 d", "7y", "Never", "٣d", "1d\n"])
def test_other_durations_are_refused(text: str) -> None:
    """Only one form is allowed, because `1m` could be a minute or a month."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", None),
        ("1B", 1),
        ("500kB", 500_000),
        ("256MB", 256_000_000),
        ("1.5 GB", 1_500_000_000),
        ("2TB", 2 * 10**12),
    ],
)
def test_a_size_counts_in_powers_of_ten(text: str, size: int | None) -> None:
    """1 MB is 10^6 bytes everywhere in a recipe; a bare number is written without quotes."""
    if size is None:
        with pytest.raises(ValueError, match="not a size"):
            parse_size(text)
    else:
        assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "1MiB", "1e3MB", "0.0001kB", "1.5B", "1 MB "])
def test_other_sizes_are_refused(text: str) -> None:
    """A size that is not a whole number of bytes is a mistake."""
    with pytest.raises(ValueError, match="not a"):
        parse_size(text)


@given(train=st.floats(0, 1), rest=st.floats(0, 1))
def test_shares_that_add_up_to_one_are_allowed_and_no_others(train: float, rest: float) -> None:
    """A missing share would be missing documents."""
    validation = (1 - train) * rest
    shares = {"train": train, "validation": validation, "test": 1 - train - validation}

    if min(shares.values()) >= 0:
        assert Split(**shares).shares == shares
    with pytest.raises(ValidationError, match=r"add up|less than or equal|greater than or equal"):
        Split(**shares | {"train": train + 0.01})
