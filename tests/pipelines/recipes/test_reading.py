"""Reading recipes: all problems are reported with their lines, and the resolved form reads back equal."""

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.recipes.json_schema import recipe_schema
from corpusmill.pipelines.recipes.paths import absolute_pattern
from corpusmill.pipelines.recipes.reading import (
    PLANNED_FORMATS,
    PLANNED_STAGES,
    LoadedRecipe,
    load_recipe,
    resolved_yaml,
    stage_table,
)
from corpusmill.pipelines.registry import STAGES
from corpusmill.schemas.errors import RecipeError, RecipeErrors
from corpusmill.schemas.recipe import LoadSource

HERE = "tests.pipelines.example_stages"
TABLES: dict[str, dict[str, str]] = {
    "stages": {"mark": f"{HERE}:Mark", "near_dedup": f"{HERE}:Mark"},
    "loaders": {"jsonl": f"{HERE}:Lines", "html": f"{HERE}:Plain"},
}
GOOD = """\
dataset: handbook
sources:
  - crawl: {name: site, start_urls: ["https://example.org/"], contact: "mailto:data@example.org", refresh: 7d}
  - load:
      name: notes
      format: jsonl
      path: notes/*.jsonl
stages:
  - mark: {threshold: 0.65}
  - near_dedup
  - mark
"""


def load(folder: Path, text: str = GOOD, **options: Any) -> LoadedRecipe:
    (folder / "notes").mkdir(exist_ok=True)
    (folder / "notes" / "a.jsonl").write_text('{"text": "one"}\n')
    (folder / "recipe.yaml").write_text(text)
    return load_recipe(folder / "recipe.yaml", **TABLES, **options)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(RecipeErrors) as caught:
        load(folder, text)
    return [f"{error}; {error.hint}".removeprefix(f"{folder}/") for error in caught.value.errors]


def test_a_good_recipe_gives_its_stages_and_loaders_as_values(tmp_path: Path) -> None:
    """A run uses the validated values."""
    loaded = load(tmp_path)

    assert [stage.id for stage in loaded.recipe.stages] == ["mark", "near_dedup", "mark_2"]
    assert [stage.model_dump()["threshold"] for stage in loaded.stages] == [0.65, 0.5, 0.5]
    assert loaded.loaders["notes"].model_dump() == {"text_field": "text", "encoding": "utf-8"}
    source = loaded.recipe.source("notes")
    assert isinstance(source, LoadSource)
    assert [absolute_pattern(path, base=loaded.path.parent) for path in source.paths] == [f"{tmp_path}/notes/*.jsonl"]


def test_the_resolved_recipe_holds_every_default(tmp_path: Path) -> None:
    """The recipe of a version must not depend on the defaults of a release."""
    resolved = resolved_yaml(load(tmp_path).recipe)

    for line in ("delay: 1.0", "text_field: text", "encoding: utf-8", "mode: fast", "max_error_rate: null"):
        assert line in resolved


shares = st.integers(0, 100).flatmap(lambda train: st.tuples(st.just(train), st.integers(0, 100 - train)))
marks = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["fast", "slow"]),
        "languages": st.lists(st.sampled_from(["en", "no", "1e3", "null", ""]), max_size=3),
        "threshold": st.floats(0, 1),
        "bounds": st.fixed_dictionaries({"lowest": st.integers()}),
        "into": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    },
)
recipes = st.fixed_dictionaries(
    {
        "dataset": st.from_regex(r"[a-z0-9][a-z0-9_-]{0,10}", fullmatch=True),
        "sources": st.just([{"load": {"name": "notes", "format": "jsonl", "path": "notes/*.jsonl", "refresh": "90m"}}]),
        "stages": st.lists(st.just("near_dedup") | st.builds(lambda mark: {"mark": mark}, marks), max_size=4),
        "split": shares.map(lambda pair: {"train": pair[0] / 100, "validation": pair[1] / 100})
        .map(lambda split: split | {"test": 1 - split["train"] - split["validation"]})
        .filter(lambda split: split["test"] >= 0),
    },
    optional={
        "shards": st.integers(1_000, 10**12).map(lambda size: {"target_bytes": size}),
        "checks": st.fixed_dictionaries({"max_rejected": st.none() | st.floats(0, 1)}),
    },
)


@given(recipe=recipes)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_resolved_recipe_reads_back_as_an_equal_recipe(tmp_path: Path, recipe: dict[str, Any]) -> None:
    """A version can be reproduced from the recipe in its folder."""
    loaded = load(tmp_path, json.dumps(recipe))

    again = load(tmp_path, resolved_yaml(loaded.recipe))

    assert again.recipe == loaded.recipe
    assert again.stages == loaded.stages
    assert again.loaders == loaded.loaders


def test_all_problems_are_reported_at_once_in_order_of_lines(tmp_path: Path) -> None:
    """Users should not need one attempt per mistake."""
    text = """\
dataset: Hand book
sources:
  - crawl: {name: site, start_url: x, contact: me}
  - load:
      name: site
      format: jsnl
      path: nots/*.jsonl
stagse: []
stages:
  - mrak
  - mark: {thresold: 1, mode: fst, languages: en}
split: {train: 0.9}
"""
    expected = problems(tmp_path, text)

    assert expected == [
        "recipe.yaml:1: field `dataset`: expected a name of lower-case letters, digits, `_` and `-`, at most 64 "
        "characters, got `Hand book`; use `dataset: hand-book`",
        "recipe.yaml:3: source 1 (`site`): field `contact`: not a contact: write mailto:you@example.org or the "
        "https:// address of a page, got `me`; for example `contact: mailto:you@example.org`",
        "recipe.yaml:3: source 1 (`site`): unknown field `start_url`; did you mean `start_urls`?; fields: name, "
        "start_urls, sitemaps, feeds, urls, contact, allow, deny, max_pages, max_depth, budgets, delay, allow_private, "
        "cookies, license, respect, select, drop, render, refresh, recrawl",
        "recipe.yaml:4: source 2: the name `site` is used by the source in line 3; give each source its own name",
        "recipe.yaml:6: source 2 (`site`): unknown format `jsnl`; did you mean `jsonl`?; formats: jsonl, html",
        "recipe.yaml:7: source 2 (`site`): field `path`: no such file, got `nots/*.jsonl`; "
        f"looked for {tmp_path}/nots/*.jsonl; did you mean `notes`?",
        "recipe.yaml:8: unknown field `stagse`; did you mean `stages`?; fields: dataset, sources, stages, split, "
        "shards, checks, incremental",
        "recipe.yaml:10: stage 1: unknown stage `mrak`; did you mean `mark`?; stages: mark, near_dedup",
        "recipe.yaml:11: stage 2 (`mark`): field `mode`: `fst` is not allowed; did you mean `fast`?; "
        "allowed: fast, slow",
        'recipe.yaml:11: stage 2 (`mark`): field `languages`: expected a list, got `"en"`; write a list: '
        "`languages: [en]`",
        "recipe.yaml:11: stage 2 (`mark`): unknown field `thresold`; did you mean `threshold`?; fields: mode, "
        "languages, threshold, bounds, into",
        "recipe.yaml:12: field `split`: train, validation and test add up to 0.92, not 1; "
        "use `split: {train: 0.9, validation: 0.05, test: 0.05}`",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("refresh: 7d", "refresh: soon"), "3: source 1 (`site`): field `refresh`: not a duration"),
        (
            ("refresh: 7d", "delay: fast"),
            '3: source 1 (`site`): field `delay`: expected a number from 0 to 3600, got `"fast"`; '
            "for example `delay: 1.0`",
        ),
        (("refresh: 7d", "urls: [no.txt]"), "3: source 1 (`site`): field `urls`: no such file, got `no.txt`"),
        (
            ("refresh: 7d", "sitemaps: example.org/s"),
            "3: source 1 (`site`): field `sitemaps`: expected `true` or a list",
        ),
        (
            ('start_urls: ["https://example.org/"]', "sitemaps: true, feeds: false"),
            "3: source 1 (`site`): no address to start at: `start_urls` is missing, and `sitemaps`, `feeds` and `urls`",
        ),
        (("format: jsonl", "format: html\n      text_field: x"), "7: source 2 (`notes`), format `html`: unknown field"),
        (("format: jsonl", "encoding: latin-2\n      format: jsonl"), "6: source 2 (`notes`), format `jsonl`: field"),
        (("format: jsonl", "format: sitemap"), "6: source 2 (`notes`): the format `sitemap` is not implemented"),
        (("path: notes/*.jsonl", "path: ${NOT_SET_HERE}/x"), "7: source 2 (`notes`): field `path`: the environment"),
        (("path: notes/*.jsonl", "path: 3"), "7: source 2 (`notes`): field `path`: expected a text or a list, got `3`"),
        (("  - load:\n      name: notes", "  - load:\n    name: notes"), "not YAML"),
        (("- load:", "- laod:"), "4: source 2: unknown kind of source `laod`"),
        (("sources:", "source:"), "1: field `sources` is missing"),
        (("- near_dedup", "- near-dedup"), "10: stage 2: unknown stage `near-dedup`; did you mean `near_dedup`?"),
        (("- near_dedup", "- augment"), "10: stage 2: the stage `augment` is not implemented"),
        (("- near_dedup", "- split"), "10: stage 2: unknown stage `split`; `split` is a top-level field"),
        (
            ("- near_dedup", "- near_dedup: {incremental: true}"),
            "10: stage 2 (`near_dedup`): unknown field `incremental`; `incremental` is a top-level field",
        ),
        (
            ("format: jsonl", "incremental: true\n      format: jsonl"),
            "6: source 2 (`notes`), format `jsonl`: unknown field `incremental`; `incremental` is a top-level field",
        ),
        (("- near_dedup", "- near_dedup: 0.8"), "10: stage 2: parameters are fields with values"),
        (("- near_dedup", "- near_dedup:\n    threshold: 1"), "10: stage 2: a stage has one name"),
        (
            ("- near_dedup", "- near_dedup: {bounds: {hihgest: 1}}"),
            "10: stage 2 (`near_dedup`): unknown field `bounds.",
        ),
        (
            ("- near_dedup", "- near_dedup: {threshold: 2}"),
            "10: stage 2 (`near_dedup`): field `threshold`: expected a number from 0 to 1, got `2`",
        ),
        (("- near_dedup", "- [near_dedup]"), "10: stage 2: a stage is a name"),
        (
            ("dataset: handbook", "dataset: handbook\nincremental: often"),
            "2: field `incremental`: expected true or false",
        ),
        (
            ("dataset: handbook", "dataset: 2024"),
            "1: field `dataset`: expected a name of lower-case letters, digits, `_` and `-`, at most 64 characters, "
            "got `2024`; put it in quotes: `dataset: '2024'`",
        ),
        (("dataset: handbook", "dataset: a\ndataset: b"), "2: field `dataset` occurs twice, first in line 1"),
    ],
)
def test_each_problem_has_its_line_and_a_hint(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    """Users rely on the form of an error: file, line, field, value, hint."""
    text = GOOD.replace(*change)
    assert text != GOOD

    try:
        reported = problems(tmp_path, text)
    except RecipeError as error:  # the file could not be read at all
        reported = [f"{error}; {error.hint}"]

    assert any(expected in problem for problem in reported), reported


@pytest.mark.parametrize("name", ["sitemap", "xml"])
def test_a_format_that_is_not_implemented_is_one_problem(tmp_path: Path, name: str) -> None:
    """Problems with files and fields of such a format do not help users."""
    text = GOOD.replace("format: jsonl", f"format: {name}\n      pages: 3").replace("notes/*.jsonl", "nowhere/*.bz2")

    (problem,) = problems(tmp_path, text)

    assert f"6: source 2 (`notes`): the format `{name}` is not implemented" in problem


def test_a_misspelled_format_hides_no_other_problem(tmp_path: Path) -> None:
    """All mistakes of a recipe are reported at once."""
    text = GOOD.replace("format: jsonl", "format: jsonn").replace("path: notes/*.jsonl", "path: 3")

    assert len(problems(tmp_path, text)) == 2


def test_an_error_carries_its_parts_for_programs(tmp_path: Path) -> None:
    """`--json` prints code, message, hint, file, line and field."""
    with pytest.raises(RecipeErrors) as caught:
        load(tmp_path, GOOD.replace("threshold: 0.65", "threshold: high"))

    error = caught.value
    assert (error.exit_code, error.code) == (2, "recipe")
    assert (error.file, error.line, error.field) == (f"{tmp_path}/recipe.yaml", 9, "stages.0.mark.threshold")
    assert error.value == "high"


def test_files_of_sources_in_the_workspace_need_not_exist(tmp_path: Path) -> None:
    """After `load --copy`, the originals may be deleted."""
    text = GOOD.replace("notes/*.jsonl", "gone/*.jsonl")

    with pytest.raises(RecipeErrors):
        load(tmp_path, text)

    assert load(tmp_path, text, present={"notes"}).recipe.dataset == "handbook"
    assert load(tmp_path, text, check_inputs=False).recipe.dataset == "handbook"


def test_a_path_that_is_not_a_regular_file_is_a_problem(tmp_path: Path) -> None:
    """Reading a pipe or a device may never end."""
    os.mkfifo(tmp_path / "pipe.jsonl")

    for path in ("pipe.jsonl", "/dev/zero"):
        assert problems(tmp_path, GOOD.replace("notes/*.jsonl", path)) == [
            f"recipe.yaml:7: source 2 (`notes`): field `path`: not a regular file, got `{path}`; name a file"
        ]
    assert "no such file" in problems(tmp_path, GOOD.replace("notes/*.jsonl", "pip*.jsonl"))[0]


def test_only_paths_use_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths differ between machines, but the result of a recipe must not."""
    monkeypatch.setenv("NOTES", f"{tmp_path}/notes")

    loaded = load(tmp_path, GOOD.replace("notes/*.jsonl", "${NOTES}/*.jsonl"))

    source = loaded.recipe.source("notes")
    assert isinstance(source, LoadSource)
    assert source.path == "${NOTES}/*.jsonl"
    assert [absolute_pattern(path, base=loaded.path.parent) for path in source.paths] == [f"{tmp_path}/notes/*.jsonl"]
    assert problems(tmp_path, GOOD.replace("handbook", "${NOTES}"))


def test_the_json_schema_allows_what_the_reader_allows(tmp_path: Path) -> None:
    """Editors that use the schema should show the same mistakes."""
    schema = recipe_schema(**TABLES)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    resolved = load(tmp_path).recipe.model_dump(mode="json")

    assert not list(validator.iter_errors(resolved))
    lines = {"name": "a", "format": "jsonl", "path": "x", "text": "{title}: {body}"}
    assert not list(validator.iter_errors(resolved | {"sources": [{"load": lines}]}))
    for broken in (
        resolved | {"sources": [{"load": lines | {"text_field": "body"}}]},
        resolved | {"sources": [{"load": lines | {"format": "html"}}]},
        resolved | {"stagse": []},
        resolved | {"stages": ["mrak"]},
        resolved | {"stages": [{"mark": {"threshold": 2}}]},
        resolved | {"sources": [{"load": {"name": "a", "format": "html", "path": "x", "text_field": "y"}}]},
        resolved | {"sources": [{"load": {"name": "a", "format": "jsnl", "path": "x"}}]},
        resolved | {"sources": [{"crawl": {"name": "a"}}]},
        resolved | {"shards": {"target_bytes": "256 apples"}},
    ):
        assert list(validator.iter_errors(broken)), broken


def test_stages_of_other_distributions_join_the_table() -> None:
    """Third-party stages are used by name, like built-in ones."""
    assert list(stage_table())[: len(STAGES)] == list(STAGES)


def test_planned_names_are_not_in_the_tables() -> None:
    """An implemented stage must not be refused."""
    assert not set(PLANNED_STAGES) & set(STAGES)
    assert not set(PLANNED_FORMATS) & set(LOADERS)
    assert len(set(PLANNED_FORMATS)) == len(PLANNED_FORMATS)


@pytest.mark.parametrize("name", ["read", "identity", ":shards", "my.stage", "Upper"])
def test_a_reserved_stage_name_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    """The name of a step of the engine, or a stage of the ledger, would be ambiguous."""
    path = tmp_path / "r.yaml"
    path.write_text(f"dataset: d\nsources:\n  - load: {{name: s, format: jsonl, path: .}}\nstages:\n  - '{name}'\n")
    tables = {"stages": {name: TABLES["stages"]["mark"]}, "loaders": LOADERS}

    with pytest.raises(RecipeErrors, match=rf"stage 1 \(`{re.escape(name)}`\): not a valid name of a stage"):
        load_recipe(path, **tables, check_inputs=False)


@pytest.mark.parametrize(
    ("split", "stages", "message"),
    [
        ("{by: cluster, similarity: 0.2}", "[near_dedup]", "expected a number from 0.3 to 1 or null, got `0.2`"),
        ("{by: id, similarity: 0.9}", "[near_dedup]", "`similarity` needs `by: cluster`"),
        ("{by: hash}", "[]", "by"),
    ],
)
def test_a_similarity_of_splits_that_cannot_be_kept_is_refused(
    tmp_path: Path, split: str, stages: str, message: str
) -> None:
    """The field prevents near-duplicates across splits, so it must not be accepted and ignored."""
    path = tmp_path / "r.yaml"
    path.write_text(
        f"dataset: d\nsources:\n  - load: {{name: s, format: jsonl, path: .}}\nstages: {stages}\nsplit: {split}\n"
    )

    with pytest.raises(RecipeErrors, match=message):
        load_recipe(path, loaders=LOADERS, check_inputs=False)


@pytest.mark.parametrize(
    "split", ["{by: cluster, similarity: 0.8}", "{by: cluster, similarity: 0.5}", "{by: cluster}", "{by: domain}"]
)
def test_splits_that_can_be_kept_are_read(tmp_path: Path, split: str) -> None:
    """Documents are grouped if similar ones may be left."""
    path = tmp_path / "r.yaml"
    path.write_text(
        f"dataset: d\nsources:\n  - load: {{name: s, format: jsonl, path: .}}\nstages: [near_dedup]\nsplit: {split}\n"
    )

    assert load_recipe(path, loaders=LOADERS, check_inputs=False).recipe.split.shares["train"] == 0.98


@pytest.mark.parametrize(
    ("section", "problem", "hint"),
    [
        ("sources: {load: {name: a}}", "`sources` is a list with at least one entry", "`sources: [{load: {name: a}}]`"),
        ("sources: []", "`sources` is a list with at least one entry, got `[]`", "for example `sources: [{load: "),
        ("sources: [3]", "source 1: a source is `crawl: {…}` or `load: {…}`, got `3`", "for example `{load: {format: "),
        (
            "sources: [{name: a, path: x}]",
            "source 1: a source is",
            "put the fields below `load:`, indented further: `load: {name: a, path: x}`",
        ),
        ("sources: [{start_urls: x, delay: 1}]", "source 1: a source is", "put the fields below `crawl:`"),
        ("sources: [{load: {name: a}, crawl: {name: b}}]", "source 1: a source is", "its own `- `"),
        ("stages: extract", "`stages` is a list, got `extract`", "write a list: `stages: [extract]`"),
        ("stages: 3", "`stages` is a list, got `3`", "for example `stages: [normalize, exact_dedup]`"),
        ("stages: [[mark]]", "stage 1: a stage is a name", "remove the brackets: `mark`"),
        ("stages: [null]", "stage 1: a stage is a name", "for example `mark`; stages: mark, near_dedup"),
        ("stages: [{mark: 3}]", "stage 1: parameters are fields with values", "for example `mark: {mode: fast}`"),
        ("stages: [{mark: {}, near_dedup: {}}]", "stage 1: a stage is a name", "its own `- `"),
        ("stages: [.nan]", "a number must be finite, got `.nan`", "write a number"),
    ],
)
def test_a_list_of_another_form_is_refused_once_with_the_right_one(
    tmp_path: Path, section: str, problem: str, hint: str
) -> None:
    """New users often write these lists incorrectly."""
    rest = "" if section.startswith("sources") else "sources: [{load: {name: notes, format: jsonl, path: notes}}]\n"

    (error,) = problems(tmp_path, f"dataset: d\n{rest}{section}\n")

    message, _, shown_hint = error.partition("; ")
    assert problem in message
    assert hint in shown_hint
