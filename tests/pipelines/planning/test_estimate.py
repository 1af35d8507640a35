"""The estimate of disk space, compared with what runs use."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from corpusmill import acquisition
from corpusmill.pipelines.api import run_recipe
from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.planning.estimate import DiskEstimate, estimate_disk
from corpusmill.pipelines.planning.explain import explain_plan
from corpusmill.pipelines.planning.loaded import planned
from corpusmill.pipelines.planning.plan import build_plan
from corpusmill.pipelines.planning.reading import read_recipe
from corpusmill.pipelines.planning.sources import source_input
from corpusmill.pipelines.registry import STAGES
from corpusmill.pipelines.running.sources import acquire
from corpusmill.pipelines.stages.base import Stage, Transform
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UnfinishedError

DOCUMENTS = 2_400
RECIPE_STAGES = "[normalize, quality, exact_dedup, near_dedup]"
QUARTER = pytest.approx(1.0, abs=0.25)


def lines() -> list[dict[str, Any]]:
    """Return texts of English function words and invented words; every third is too short for `quality`."""
    chance = random.Random(7)
    words = "the of and to in a is that it for was on with as be at by this have from".split() * 20
    words += ["".join(chance.choices("abcdefghijklmnoprstuvwy", k=chance.randint(3, 9))) for _ in range(4_000)]
    rows = []
    for index in range(DOCUMENTS):
        texts = [" ".join(chance.choices(words, k=14)).capitalize() + "." for _ in range(chance.randint(15, 50))]
        rows.append({"id": f"doc{index}", "text": " ".join(texts if index % 3 else texts[:2] * 9)})
    return rows


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the same records in every input format."""
    folder = tmp_path_factory.mktemp("files")
    rows = lines()
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / "all.jsonl").write_bytes(data)
    (folder / "all.jsonl.gz").write_bytes(gzip.compress(data))
    (folder / "all.jsonl.zst").write_bytes(zstandard.compress(data))
    pq.write_table(pa.Table.from_pylist(rows), folder / "all.parquet", row_group_size=500)
    return folder


def recipe(folder: Path, file: Path, *, stages: str = RECIPE_STAGES, name: str = "recipe") -> Path:
    path = folder / f"{name}.yaml"
    kind = "parquet" if file.suffix == ".parquet" else "jsonl"
    path.write_text(
        f"dataset: d\nsources:\n  - load: {{name: s, format: {kind}, path: {file}}}\n"
        f"stages: {stages}\nshards: {{target_bytes: 64MB}}\n"
    )
    return path


def run(path: Path, workspace: Path, **options: Any) -> Any:
    return run_recipe(
        path, workspace=Workspace(workspace), acquisition=acquisition(), workers=0, accept=True, **options
    )


class Copied(Stage):
    """A stage of another distribution that adds a column as large as the text."""

    def adds(self) -> tuple[pa.Field, ...]:
        return (pa.field("copy", pa.string()),)

    def build(self) -> Transform:
        return lambda batch: batch.append_column("copy", batch["text"])


def estimate(path: Path, workspace: Path, *more: Stage, **options: Any) -> DiskEstimate:
    parts, place = acquisition(), Workspace(workspace)
    loaded = read_recipe(path, place, parts)
    place.make()
    sources = loaded.recipe.sources
    inputs = [source_input(loaded, s, acquire(loaded, s, place, parts), place, parts.loaders) for s in sources]
    if more:
        plan = build_plan(loaded.recipe, [(type(stage).__name__, stage) for stage in more], inputs)
    else:
        plan = planned(loaded, inputs, place, limit=options.get("limit"))
    return estimate_disk(plan, inputs, place.tasks, **options)


def disk_bytes(workspace: Path) -> int:
    """Return the bytes of tasks, steps and versions, hard links counted once."""
    blocks: dict[int, int] = {}
    for name in ("tasks", "steps", "versions"):
        for folder, folders, files in os.walk(workspace / name):  # unlike rglob, it ignores folders that disappear
            for file in (*folders, *files):
                with contextlib.suppress(FileNotFoundError):
                    state = Path(folder, file).lstat()
                    blocks[state.st_ino] = state.st_blocks * 512
    return sum(blocks.values())


class Watched:
    """Measures the peak of a workspace's disk space during a block."""

    def __init__(self, workspace: Path) -> None:
        self.peak = 0
        self._workspace = workspace
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            self.peak = max(self.peak, disk_bytes(self._workspace))

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.peak = max(self.peak, disk_bytes(self._workspace))


@pytest.fixture(scope="module")
def finished(files: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, int]:
    """Return a recipe, the workspace in which it ran, and the peak of its disk space."""
    folder = tmp_path_factory.mktemp("run")
    path, workspace = recipe(folder, files / "all.jsonl"), folder / "workspace"
    with Watched(workspace) as watched:
        run(path, workspace)
    return path, workspace, watched.peak


@pytest.mark.parametrize("file", ["all.jsonl", "all.jsonl.gz", "all.jsonl.zst", "all.parquet"])
def test_the_estimate_is_within_a_quarter_of_what_the_run_took(
    file: str, files: Path, finished: tuple[Path, Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The estimate must hold for every format, although a third of the records is rejected."""
    _, workspace, peak = finished
    monkeypatch.setattr("corpusmill.pipelines.planning.sizes.SMALL_BYTES", 2**20)

    found = estimate(recipe(tmp_path, files / file), tmp_path / "workspace")

    assert found.peak_bytes / peak == QUARTER
    assert found.kept_bytes / disk_bytes(workspace) == QUARTER
    assert 0 < found.spill_bytes < found.peak_bytes


def write_small_shards(folder: Path) -> Path:
    """Shards of a few documents consist mostly of footers."""
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines()[:600]))
    path = recipe(folder, folder / "a.jsonl")
    path.write_text(path.read_text().replace("64MB", "20kB"))
    return path


def write_broken_records(folder: Path) -> Path:
    """Write short lines of which only one in 200 is a record."""
    rows = lines()[:300]
    broken = [f"no record {number} but a line" for number in range(59_700)]
    mixed = [line for number, row in enumerate(rows) for line in (json.dumps(row), *broken[number * 199 :][:199])]
    (folder / "a.jsonl").write_text("\n".join(mixed))
    return recipe(folder, folder / "a.jsonl")


def write_other_fields(folder: Path) -> Path:
    """Write records that consist mostly of fields other than the text, which become metadata."""
    chance = random.Random(5)
    rows = ({"text": f"A short text, {number}.", "raw": chance.randbytes(500).hex()} for number in range(3_000))
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return recipe(folder, folder / "a.jsonl")


@pytest.mark.parametrize("write", [write_small_shards, write_broken_records, write_other_fields])
def test_inputs_that_are_mostly_not_text_are_estimated_as_well(
    write: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data besides the texts must count, so that too little disk space is refused before work starts."""
    monkeypatch.setattr("corpusmill.pipelines.planning.sizes.SMALL_BYTES", 2**19)
    path, workspace = write(tmp_path), tmp_path / "workspace"
    found = estimate(path, workspace)
    before = disk_bytes(workspace)

    with Watched(workspace) as watched:
        run(path, workspace)

    assert found.kept_bytes / (disk_bytes(workspace) - before) == QUARTER
    assert found.peak_bytes > 0.75 * (watched.peak - before)  # a spill may exist only between two samples


def test_a_stage_that_rejects_most_documents_needs_less_disk(files: Path, tmp_path: Path) -> None:
    """Every stage runs on the sample, and rejected texts are not moved."""
    strict = "[normalize, {language: {keep: [de]}}]"

    everything = estimate(recipe(tmp_path, files / "all.jsonl", stages="[normalize]"), tmp_path / "workspace")
    little = estimate(recipe(tmp_path, files / "all.jsonl", stages=strict), tmp_path / "workspace")

    assert little.spill_bytes < everything.spill_bytes / 4
    assert little.peak_bytes < everything.peak_bytes * 0.7


def test_a_stage_of_another_distribution_counts_by_what_it_adds(
    finished: tuple[Path, Path, int], tmp_path: Path
) -> None:
    """The estimate must not depend on a list of built-in stages."""
    path, _, _ = finished

    plain = estimate(path, tmp_path / "workspace", resolve(STAGES["normalize"])())
    copied = estimate(path, tmp_path / "workspace", resolve(STAGES["normalize"])(), Copied())

    assert copied.spill_bytes / plain.spill_bytes == pytest.approx(2, rel=0.1)
    assert copied.kept_bytes / plain.kept_bytes == pytest.approx(2, rel=0.15)


def test_pages_are_counted_by_their_text(tmp_path: Path) -> None:
    """A page is mostly markup, which is not kept after extraction."""
    words = lines()
    for index in range(120):
        text = "".join(f"<p>{row['text']}</p>" for row in words[index * 4 : index * 4 + 2])
        page = (
            f"<html><head><style>{'.a{color:red}' * 3000}</style></head><body><article>{text}</article></body></html>"
        )
        (tmp_path / f"{index}.html").write_text(page)
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "dataset: d\nsources:\n  - load: {name: s, format: html, path: '*.html'}\nstages: [extract, normalize]\n"
    )
    raw_bytes = sum(file.stat().st_size for file in tmp_path.glob("*.html"))
    found = estimate(path, tmp_path / "workspace")

    with Watched(tmp_path / "workspace") as watched:
        run(path, tmp_path / "workspace")

    assert found.peak_bytes / watched.peak == pytest.approx(1.0, abs=0.35)
    assert found.peak_bytes < raw_bytes


def test_members_that_are_set_aside_do_not_prevent_the_estimate(tmp_path: Path) -> None:
    """A run on a small disk ended at the first member of an archive whose path leads out of it."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("good.txt", "good text " * 100)
        archive.writestr("../evil.txt", "evil")
    path = tmp_path / "recipe.yaml"
    path.write_text('dataset: d\nsources:\n  - load: {name: s, format: text, path: "a.zip!/**/*.txt"}\nstages: []\n')

    assert estimate(path, tmp_path / "workspace").peak_bytes > 0


def test_a_source_with_deletions_has_an_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that reads the deletions reads no documents: a sample of it ended the run with an error."""
    citation = "<PubmedArticle><MedlineCitation><PMID>{}</PMID><Article><Abstract><AbstractText>{}</AbstractText>"
    citation += "</Abstract></Article></MedlineCitation></PubmedArticle>"
    abstracts = "".join(citation.format(index, "words " * 200) for index in range(10))
    deleted = "<DeleteCitation><PMID>3</PMID></DeleteCitation>"
    monkeypatch.setattr("corpusmill.pipelines.planning.sizes.SMALL_BYTES", 0)
    (tmp_path / "a.xml").write_text(f"<PubmedArticleSet>{abstracts}{deleted}</PubmedArticleSet>")
    path = tmp_path / "recipe.yaml"
    path.write_text("dataset: d\nsources:\n  - load: {name: s, format: medline, path: a.xml}\nstages: [extract]\n")

    found = estimate(path, tmp_path / "workspace")

    assert found.peak_bytes > 0


def test_no_stage_runs_on_a_small_source(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planning ten documents must stay fast, with an estimate of the right order of magnitude."""
    small = tmp_path / "ten.jsonl"
    small.write_text("".join(json.dumps(row) + "\n" for row in lines()[:10]))
    path = recipe(tmp_path, small)
    monkeypatch.setattr("corpusmill.pipelines.planning.sizes._measured", None)

    found = estimate(path, tmp_path / "workspace")
    run(path, tmp_path / "workspace")

    assert (found.read, found.compared) == (10, 10)
    assert 0.4 < found.peak_bytes / disk_bytes(tmp_path / "workspace") < 2.5


def test_what_was_computed_needs_no_disk_again(finished: tuple[Path, Path, int], files: Path, tmp_path: Path) -> None:
    """A finished run needs no space; a changed bound repeats the judging only."""
    path, workspace, peak = finished
    changed = recipe(
        tmp_path, files / "all.jsonl", stages=f"{RECIPE_STAGES[:-1]}, {{stop_words: {{into: content_words}}}}]"
    )

    again = explain_plan(path, workspace=Workspace(workspace), acquisition=acquisition())
    more = estimate(changed, workspace)

    assert (again["disk_bytes"], again["disk_kept_bytes"]) == (0, 0)
    assert estimate(path, workspace) == DiskEstimate()
    assert 0 < more.peak_bytes < peak * 0.8


def test_the_tasks_of_a_run_that_was_stopped_need_no_disk_again(
    finished: tuple[Path, Path, int], tmp_path: Path
) -> None:
    """Stored tasks of an unfinished step must not make the check refuse a run that would fit."""
    path, workspace, _ = finished
    copy = tmp_path / "workspace"
    shutil.copytree(workspace, copy)
    shutil.rmtree(copy / "steps")
    read = [step["bytes"] for step in costs(copy) if step["step"] == ":read"]

    left = estimate(path, copy)

    assert left.kept_bytes == pytest.approx(estimate(path, tmp_path / "empty").kept_bytes - read[0], rel=0.02)


def costs(workspace: Path) -> list[dict[str, Any]]:
    (manifest,) = (workspace / "versions" / "d").glob("*/manifest.json")
    found: list[dict[str, Any]] = json.loads(manifest.read_text())["cost"]
    return found


def test_a_limit_needs_the_disk_of_so_many_documents(finished: tuple[Path, Path, int], tmp_path: Path) -> None:
    """All ids are read to select the smallest."""
    path, _, peak = finished

    found = estimate(path, tmp_path / "workspace", limit=100)

    assert found.peak_bytes < peak / 5


def test_the_same_files_give_the_same_estimate(finished: tuple[Path, Path, int], tmp_path: Path) -> None:
    """The sample is not random."""
    path, _, _ = finished

    assert estimate(path, tmp_path / "a") == estimate(path, tmp_path / "b")


def test_too_little_disk_is_refused_before_work_starts(
    finished: tuple[Path, Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 5 with both numbers, before anything is computed."""
    path, _, peak = finished
    monkeypatch.setattr(Workspace, "free_bytes", lambda self: peak // 2)

    with pytest.raises(UnfinishedError, match=r"needs about \d+ MB, but \d+ MB are free") as refused:
        run(path, tmp_path / "workspace")

    assert refused.value.hint is not None
    assert "corpusmill gc" in refused.value.hint
    assert not (tmp_path / "workspace" / "tasks").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("only root may mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_small_is_refused_and_a_small_run_is_not(
    small_disk: Path, finished: tuple[Path, Path, int], tmp_path: Path
) -> None:
    """The same check on a real file system."""
    path, _, _ = finished
    few = tmp_path / "few.jsonl"
    few.write_text("".join(json.dumps(row) + "\n" for row in lines()[:50]))

    with pytest.raises(UnfinishedError, match="are free at"):
        run(path, small_disk / "workspace")
    assert not (small_disk / "workspace" / "tasks").exists()

    assert run(recipe(tmp_path, few), small_disk / "other")["status"] == "published"
