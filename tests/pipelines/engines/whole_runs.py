"""Whole runs that every engine must publish as the local engine does: one for each stage that moves rows.

The tests of an engine are in one module (`test_whole_runs_on_spark`, `test_whole_runs_on_beam`), so that one process
starts the engine, once. What a run publishes is tested beside the stage.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeAlias

from corpusmill.pipelines.engines.driver import Engine
from corpusmill.schemas.manifest import VersionManifest
from tests import corpora
from tests.pipelines.running import test_incremental as incremental
from tests.pipelines.stages.dedup import test_levels as levels
from tests.pipelines.stages.dedup.corpus import EPOCH
from tests.pipelines.stages.dedup.laws import SOURCES, texts_of
from tests.pipelines.stages.dedup.pieces import test_run as pieces
from tests.pipelines.stages.dedup.semantic import test_run as semantic
from tests.pipelines.stages.dedup.substrings import test_run as substrings
from tests.pipelines.stages.leakage import test_run as leakage
from tests.pipelines.stages.site_boilerplate import test_run as site_boilerplate
from tests.test_promises import hashes, run_once

Run: TypeAlias = Callable[[Path, Engine | None], VersionManifest]
"""Runs a recipe in a folder on an engine; None: in this process."""
NEAR_DEDUP: Final = """\
dataset: laws
sources:
  - load: {name: wiki, format: jsonl, path: "wiki*.jsonl"}
  - load: {name: books, format: jsonl, path: "books*.jsonl"}
  - load: {name: web, format: jsonl, path: "web*.jsonl"}
stages:
  - near_dedup: {keep: newest, threshold: 0.6, ngram: 2, bands: 16, rows: 1}
split: {train: 1, validation: 0, test: 0}
checks: {max_rejected: 1}
"""


def write_laws(folder: Path, *, files: int = 1, seed: int = 0) -> Path:
    """Write a random corpus with ties, chains, equal sets and empty texts; *seed* shuffles its rows, not its texts."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(77)
    lines: dict[str, list[str]] = {source: [] for source in SOURCES}
    for family in range(12):
        for number, text in enumerate(texts_of(chance, ngram=2)):
            row = {"id": f"{family}-{number}", "text": text.replace("w", f"w{family}x")}
            day = chance.choice([None, 0, 1, 2])
            if day is not None:
                row["fetched_at"] = (EPOCH + timedelta(days=day)).isoformat()
            lines[chance.choice(SOURCES)].append(json.dumps(row))
    for source, rows in lines.items():
        random.Random(seed).shuffle(rows)
        for number in range(files):
            (folder / f"{source}-{(number + seed) % files}.jsonl").write_text("\n".join(rows[number::files]))
    (folder / "recipe.yaml").write_text(NEAR_DEDUP)
    return folder / "recipe.yaml"


def of_project(write: Callable[[Path], Path]) -> Run:
    """Return the run of the recipe that *write* writes."""
    return lambda folder, engine: run_once(write(folder), folder / "corpus", engine=engine)[1]


def of_near_dedup(folder: Path, engine: Engine | None) -> VersionManifest:
    """Run `near_dedup`; on *engine*, with other files, rows in another order, and batches of 7 rows."""
    if engine is None:
        return run_once(write_laws(folder), folder / "corpus")[1]
    recipe = write_laws(folder, files=3, seed=5)
    return run_once(recipe, folder / "corpus", engine=engine, batch_rows=7)[1]


def of_semantic_dedup(stages: str) -> Run:
    """Return the run of a recipe with *stages*, some of which are those of a test."""
    return lambda folder, engine: semantic.run_with(stages, folder, engine=engine).manifest


def of_two_days(folder: Path, engine: Engine | None) -> VersionManifest:
    """Run the first day in this process and the second on *engine*: both need the same steps, and a parent more."""
    project = incremental.Project(folder)
    for day, runs_on in enumerate((None, engine)):
        project.write(f"day{day}", incremental.documents(10, day=day, families=12))
        manifest = project.run(engine=runs_on)
    return manifest


RUNS: Final[dict[str, Run]] = {
    "made": of_project(corpora.write_project),
    "near_dedup": of_near_dedup,
    "incremental": of_two_days,
    "levels": of_project(levels.write_levels),
    "pieces": of_project(pieces.write_project),
    "substrings": of_project(substrings.write_project),
    "embedded": of_semantic_dedup(semantic.EMBEDDED),
    "loaded": of_semantic_dedup(semantic.LOADED),
    "words": of_semantic_dedup(semantic.WORDS),
    "site_boilerplate": of_project(site_boilerplate.write_project),
    "leakage": of_project(functools.partial(leakage.write_project, stages="[normalize]")),
}


def differs_from_local(name: str, folder: Path, engine: Engine) -> bool:
    """Run *name* in this process and on *engine*, and return whether a file of the version differs."""
    one, other = RUNS[name](folder / "local", None), RUNS[name](folder / "other", engine)
    return hashes(one) != hashes(other) or one.kept_pairs != other.kept_pairs
