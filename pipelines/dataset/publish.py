"""Publishing: the files of a version appear together, under the name that their content gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.engines.batches import IpcFile
from corpusmill.pipelines.engines.context import final_key
from corpusmill.pipelines.engines.store import StepResult, TaskStore
from corpusmill.schemas.errors import DamagedFileError, UnfinishedError
from corpusmill.schemas.hashing import file_sha256
from corpusmill.schemas.manifest import (
    Counts,
    InputSource,
    ShardFile,
    SideFile,
    StageCounts,
    StepCost,
    VersionManifest,
    schema_as_json,
    version_id,
)
from corpusmill.schemas.storage import Store, link_or_copy, open_store

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class WrittenFile:
    """A file that the last step wrote.

    Args:
        row: Of that step's output.
        store: Where it lies, at *key*.
        task: Beginning of the keys of its task.
    """

    row: Mapping[str, Any]
    store: Store
    key: str
    task: str

    @property
    def name(self) -> str:
        """The name it gets in the version's folder."""
        prefix = self.row["split"] if self.row["kind"] == "shard" else self.row["kind"]
        return f"{prefix}-{self.row['index']:05d}-of-{self.row['count']:05d}.parquet"


def written_files(done: StepResult, store: TaskStore) -> list[WrittenFile]:
    """Give the files that the step *done* wrote."""
    found = []
    for task in done.tasks:
        out = store.out(task.fingerprint)
        for batch in IpcFile(store.store, f"{out}.arrow").batches():
            rows = batch.to_pylist()
            found += [WrittenFile(row, store.store, final_key(out, row["file"]), out) for row in rows]
    return found


def ledger_message(files: list[WrittenFile], rule: str) -> str | None:
    """Return the message of the first row with *rule* in the ledger among *files*, in name order; none without one."""
    for file in sorted((file for file in files if file.row["kind"] == "ledger"), key=lambda file: file.name):
        with pq.ParquetFile(file.store.open(file.key)) as table:
            for batch in table.iter_batches(columns=["rule", "message"]):
                rows = batch.filter(pc.and_(pc.equal(batch["rule"], rule), pc.is_valid(batch["message"])))
                if rows.num_rows:
                    return str(rows["message"][0])
    return None


def shard_files(files: list[WrittenFile]) -> tuple[ShardFile, ...]:
    """Give the entries of the shards among *files*, in name order."""
    facts = ("split", "rows", "bytes", "text_bytes", "sha256", "logical_hash", "first_id", "last_id")
    shards = [file for file in files if file.row["kind"] == "shard"]
    return tuple(
        ShardFile(path=file.name, **{name: file.row[name] for name in facts})
        for file in sorted(shards, key=lambda file: file.name)
    )


def side_files(files: list[WrittenFile]) -> tuple[SideFile, ...]:
    """Give the entries of ledger, signals and origins among *files*, in name order."""
    facts = ("kind", "rows", "bytes", "sha256", "logical_hash")
    sides = [file for file in files if file.row["kind"] != "shard"]
    return tuple(
        SideFile(path=file.name, **{name: file.row[name] for name in facts})
        for file in sorted(sides, key=lambda file: file.name)
    )


def make_manifest(
    files: list[WrittenFile],
    *,
    dataset: str,
    schema: pa.Schema,
    parent: str | None,
    created_at: datetime,
    stages: tuple[StageCounts, ...],
    by_source: dict[str, dict[str, int]],
    recipe: dict[str, Any],
    inputs: tuple[InputSource, ...],
    contents: dict[str, str] | None = None,
    tools: dict[str, str],
    cost: tuple[StepCost, ...],
) -> VersionManifest:
    """Give the manifest of the version that *files* make."""
    shards, sides = shard_files(files), side_files(files)
    published = sum(shard.rows for shard in shards)
    ledger = sum(side.rows for side in sides if side.kind == "ledger")
    created = sum(stage.created for stage in stages)
    return VersionManifest(
        dataset=dataset,
        version=version_id(schema, shards=shards, side_files=sides),
        parent=parent,
        created_at=created_at,
        schema=schema_as_json(schema),
        files=shards,
        side_files=sides,
        counts=Counts(
            read=published + ledger - created,
            created=created,
            published=published,
            ledger=ledger,
            by_source=by_source,
            stages=stages,
        ),
        recipe=recipe,
        inputs=inputs,
        contents=contents or {},
        tools=tools,
        cost=cost,
    )


def publish(
    manifest: VersionManifest,
    files: list[WrittenFile],
    dataset: Store | Path,
    *,
    recipe_text: str,
    describe: Callable[[Path], None],
    check: Callable[[], None] = lambda: None,
) -> tuple[Store, bool]:
    """Publish a version of a data set; give the store of its files, and False if it was the current one before.

    Args:
        dataset: The folder or store of the data set's versions.
        describe: Writes report, card and whatever else into the folder that it gets.
        check: Makes sure that the lock of the data set is still held; called before anybody can see a change.

    Raises:
        DamagedFileError: The version is there already, and is not what it was.
        UnfinishedError: A file that a task wrote is not what it was; the next run writes it again.
    """
    store = open_store(dataset)
    sweep(store)
    target = store.below(manifest.version)
    before = publications.current(store)
    if manifest.version in store.folders():
        _check_published(target, manifest)
    else:
        with store.appearing_folder(manifest.version, last=MANIFEST, check=check) as staging:
            for file in files:
                _add(file, staging / file.name)
            (staging / "recipe.yaml").write_text(recipe_text)
            (staging / MANIFEST).write_text(manifest.json_text())
            describe(staging)
    if before == manifest.version and _is_logged(store, manifest.version):
        return target, False
    check()
    publications.record(store, action="publish", version=manifest.version, parent=before)
    return target, before != manifest.version


def _check_published(version: Store, manifest: VersionManifest) -> None:
    """Compare the files of *version* with its own manifest, and that with what its recipe gave just now."""
    hint = f"remove {version.address()} and run again: it is made anew from the tasks"
    found = publications.read_manifest(version)
    if _content(found) != _content(manifest):
        place = version.address(MANIFEST)
        raise DamagedFileError("the manifest does not tell what this version holds", file=place, hint=hint)
    files: tuple[ShardFile | SideFile, ...] = (*found.files, *found.side_files)
    for file in files:
        if not _is_as_listed(version, file):
            place = version.address(file.path)
            raise DamagedFileError("the file is not what the manifest says", file=place, hint=hint)


def _is_as_listed(version: Store, file: ShardFile | SideFile) -> bool:
    try:
        return version.size(file.path) == file.bytes and version.sha256(file.path) == file.sha256
    except FileNotFoundError:
        return False


def _content(manifest: VersionManifest) -> list[Any]:
    """Give what two manifests of one version have in common, whatever recipe and machine made them."""
    files = [(file.path, file.rows, file.logical_hash) for file in manifest.files]
    return [manifest.version, manifest.counts.read, manifest.counts.published, manifest.counts.ledger, *files]


def _add(file: WrittenFile, target: Path) -> None:
    """Give *file* a second name, *target*, if it is what its task said; a task of a damaged file counts as not done."""
    with file.store.fetched(file.key) as path:
        if file_sha256(path) == file.row["sha256"]:
            link_or_copy(path, target)
            return
    file.store.remove(f"{file.task}.json")
    raise UnfinishedError(
        f"{file.store.address(file.key)}: the output of a task was damaged",
        hint="run the same command again: it computes this task anew",
    )


def _is_logged(dataset: Store, version: str) -> bool:
    return dataset.exists(publications.LOG) and f'"{version}"' in dataset.read_text(publications.LOG)


def sweep(dataset: Store | Path) -> int:
    """Remove what a killed publication left, give the number; the caller holds the lock of the data set."""
    return open_store(dataset).sweep("", last=MANIFEST)
