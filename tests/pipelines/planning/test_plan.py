"""From a recipe to steps: the content of addresses, and the planner's use of stage declarations."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from corpusmill.pipelines.dataset.shards import WriteShard
from corpusmill.pipelines.engines.addresses import fingerprints
from corpusmill.pipelines.engines.base import Exchange, Fold, Map, resolve
from corpusmill.pipelines.engines.plan import units
from corpusmill.pipelines.planning.plan import CorpusPlan, build_plan
from corpusmill.pipelines.planning.scans import SourceInput
from corpusmill.pipelines.registry import STAGES
from corpusmill.pipelines.stages.base import Stage, Transform
from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.raw import RawFile, RawManifest
from corpusmill.schemas.recipe import Recipe

PARAMETERS: dict[str, dict[str, Any]] = {
    "decontaminate": {"against": [__file__]},
    **{"stop_words": {"into": "a"}, "stem": {"into": "b"}, "lemmatize": {"into": "c"}},
}


def made(*stages: tuple[str, Stage], folder: Path, limit: int | None = None) -> CorpusPlan:
    """Return the plan of *stages* over one small file."""
    path = folder / "one.jsonl"
    path.write_text('{"id": 1, "text": "a"}\n')
    manifest = RawManifest(
        source="s",
        kind="load",
        format="jsonl",
        finished=True,
        created_at=datetime.now(UTC),
        definition={},
        files=(RawFile(path=str(path), name="one.jsonl", size=path.stat().st_size, sha256="0" * 64),),
    )
    source = SourceInput("s", manifest, folder, "corpusmill.crawlers.loaders.jsonl:JsonLines", "{}")
    load = {"load": {"name": "s", "format": "jsonl", "path": "one.jsonl"}}
    recipe = Recipe.model_validate({"dataset": "d", "sources": [load], "stages": []}, strict=False)
    return build_plan(recipe, stages, [source], limit=limit)


def stage(name: str) -> Stage:
    value: Stage = resolve(STAGES[name])(**PARAMETERS.get(name, {}))
    return value


@pytest.mark.parametrize("name", list(STAGES))
def test_a_raised_version_moves_the_address_of_every_step_of_the_stage(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 3 of "Bring your own stage": results of an older version must never be reused."""
    value = stage(name)
    plan = made((name, value), folder=tmp_path).plan
    before = fingerprints(plan)
    own = [step.name for step in plan.steps if step.stage == name or step.name == name]
    assert own

    for inner in {type(value), *(type(inner) for _, inner in value.sub_stages())}:
        monkeypatch.setattr(inner, "version", 99)
    after = fingerprints(made((name, value), folder=tmp_path).plan)

    assert [step for step in own if before[step] == after[step]] == []


def test_maps_between_two_exchanges_run_as_one_task_a_slice(tmp_path: Path) -> None:
    """Normalizing, judging, masking and hashing must read a slice only once."""
    names = ("normalize", "language", "quality", "pii", "exact_dedup", "near_dedup")

    plan = made(*((name, stage(name)) for name in names), folder=tmp_path).plan

    found = [[step.name for step in unit.steps] for unit in units(plan, plan.steps)]
    maps = ["normalize", "language.measure", "language", "quality.measure", "quality", "pii", ":hash"]
    assert found[:2] == [[":read"], maps]
    assert [unit for unit in found if len(unit) > 1] == [maps]


def test_whole_texts_are_written_by_those_who_change_them_and_by_one_exchange(tmp_path: Path) -> None:
    """Other computations move ids and numbers; a text is written only when it changes, and moved once."""
    names = ("site_boilerplate", "normalize", "language", "quality", "pii", "exact_dedup", "near_dedup")

    plan = made(*((name, stage(name)) for name in names), folder=tmp_path).plan

    writers = [step.name for step in plan.steps if isinstance(step, Map) and "text" in step.writes.names]
    movers = [step.name for step in plan.steps if isinstance(step, Exchange) and "text" in step.moved.names]
    assert writers == ["site_boilerplate", "normalize", "pii"]
    assert movers == [":join"]


def test_a_moved_threshold_leaves_the_measuring_alone(tmp_path: Path) -> None:
    """Signals are stored, so judging reads them instead of the text."""
    quality = resolve(STAGES["quality"])
    one = made(("quality", quality()), folder=tmp_path).plan
    other = made(("quality", quality(without=("gopher.word_count",))), folder=tmp_path).plan

    same = {name for name, print in fingerprints(one).items() if fingerprints(other).get(name) == print}

    assert {":read", "quality.measure"} <= same
    assert "quality" not in same
    assert "text" not in next(step.reads for step in one.steps if isinstance(step, Map) and step.name == "quality")


def test_the_limit_is_a_counter_that_the_reading_step_asks_for(tmp_path: Path) -> None:
    """A different limit must change the address of what is read."""
    few, more = (made(folder=tmp_path, limit=limit).plan for limit in (3, 4))

    assert fingerprints(few)[":limit.ids"] == fingerprints(more)[":limit.ids"]
    assert fingerprints(few)[":read"] != fingerprints(more)[":read"]


class Reads(Stage):
    """Reads a column that no stage adds."""

    version: ClassVar[int] = 1

    def reads(self) -> tuple[str, ...]:
        return ("lemmas",)

    def adds(self) -> tuple[pa.Field, ...]:
        return (pa.field("reads.length", pa.int64()),)

    def build(self) -> Transform:
        return lambda batch: batch


def test_a_column_that_no_stage_adds_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """The error names column and stage, before the first task runs."""
    with pytest.raises(RecipeError, match="stage `reads` reads the column `lemmas`, which no earlier stage adds"):
        made(("reads", Reads()), folder=tmp_path)


def test_samples_of_rejected_texts_pass_every_stage_that_masks(tmp_path: Path) -> None:
    """With two stages of one kind each, addresses masked by the second once remained in the ledger."""
    pii = resolve(STAGES["pii"])
    stages = (("pii", pii(kinds=("card",))), ("pii_2", pii(kinds=("email",))))

    plan = made(*stages, folder=tmp_path).plan

    (writer,) = [step.function for step in plan.steps if isinstance(step, Fold)]
    assert isinstance(writer, WriteShard)
    assert [json.loads(params)["kinds"] for _, params in writer.masks] == [["card"], ["email"]]
