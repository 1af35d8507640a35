"""Publish a version: all its files appear at once, in a folder named by a hash of the content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
    KeptPair,
    ShardFile,
    SideFile,
    SplitGroups,
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
        row: The file's row in the output of that step.
        store: The store of the file, where it has the key *key*.
        task: Prefix of the keys of its task.
    """

    row: Mapping[str, Any]
    store: Store
    key: str
    task: str

    @property
    def name(self) -> str:
        """The name of the file in the version's folder."""
        prefix = self.row["split"] if self.row["kind"] == "shard" else self.row["kind"]
        return f"{prefix}-{self.row['index']:05d}-of-{self.row['count']:05d}.parquet"


def written_files(result: StepResult, store: TaskStore) -> list[WrittenFile]:
    """Return the files that a step with this *result* wrote."""
    files = []
    for task in result.tasks:
        out = store.out(task.fingerprint)
        for batch in IpcFile(store.store, f"{out}.arrow").batches():
            rows = batch.to_pylist()
            files += [WrittenFile(row, store.store, final_key(out, row["file"]), out) for row in rows]
    return files


def ledger_message(files: list[WrittenFile], rule: str) -> str | None:
    """Return the message of the first ledger row with *rule* in *files*, in name order; None without such a row."""
    for file in sorted((file for file in files if file.row["kind"] == "ledger"), key=lambda file: file.name):
        with pq.ParquetFile(file.store.open(file.key)) as table:
            for batch in table.iter_batches(columns=["rule", "message"]):
                rows = batch.filter(pc.and_(pc.equal(batch["rule"], rule), pc.is_valid(batch["message"])))
                if rows.num_rows:
                    return str(rows["message"][0])
    return None


def shard_files(files: list[WrittenFile]) -> tuple[ShardFile, ...]:
    """Return the manifest entries of the shards in *files*, in name order."""
    facts = ("split", "rows", "bytes", "text_bytes", "sha256", "logical_hash", "first_id", "last_id")
    shards = [file for file in files if file.row["kind"] == "shard"]
    return tuple(
        ShardFile(path=file.name, **{name: file.row[name] for name in facts})
        for file in sorted(shards, key=lambda file: file.name)
    )


def side_files(files: list[WrittenFile]) -> tuple[SideFile, ...]:
    """Return the manifest entries of the ledger, signals and origins in *files*, in name order."""
    facts = ("kind", "rows", "bytes", "sha256", "logical_hash")
    sides = [file for file in files if file.row["kind"] != "shard"]
    return tuple(
        SideFile(path=file.name, **{name: file.row[name] for name in facts})
        for file in sorted(sides, key=lambda file: file.name)
    )


def _earlier_captures(inputs: Iterable[InputSource], by_source: Mapping[str, Mapping[str, int]]) -> int:
    """Return the number of captures of recrawled sites that are not of their current pages."""
    recrawled = [source for source in inputs if source.kind == "crawl" and "revisits" in source.counts]
    return sum(max(0, by_source.get(one.source, {}).get("read", 0) - one.counts["pages"]) for one in recrawled)


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
    split_groups: SplitGroups | None = None,
    kept_pairs: tuple[KeptPair, ...] = (),
    tools: dict[str, str],
    cost: tuple[StepCost, ...],
) -> VersionManifest:
    """Return the manifest of the version that consists of *files*."""
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
            earlier=_earlier_captures(inputs, by_source),
            by_source=by_source,
            stages=stages,
        ),
        recipe=recipe,
        inputs=inputs,
        contents=contents or {},
        split_groups=split_groups,
        kept_pairs=kept_pairs,
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
    """Publish a version of a data set; return its store, and whether it became the current version.

    Args:
        dataset: The folder or store of the data set's versions.
        describe: Writes the report, the data card and other descriptions into the folder that is its argument.
        check: Raises if the lock of the data set is no longer held; called before a change becomes visible.

    Raises:
        DamagedFileError: The version exists, and its files have changed.
        UnfinishedError: The output of a task has changed; the next run computes it again.
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
    """Compare the files of *version* with its manifest, and its manifest with that of the run."""
    hint = f"remove {version.address()} and run again: the version is rebuilt from the tasks"
    published = publications.read_manifest(version)
    if _content(published) != _content(manifest):
        place = version.address(MANIFEST)
        raise DamagedFileError("the manifest does not match the content of this version", file=place, hint=hint)
    files: tuple[ShardFile | SideFile, ...] = (*published.files, *published.side_files)
    for file in files:
        if not _is_as_listed(version, file):
            place = version.address(file.path)
            raise DamagedFileError("the file does not match the manifest", file=place, hint=hint)


def _is_as_listed(version: Store, file: ShardFile | SideFile) -> bool:
    try:
        return version.size(file.path) == file.bytes and version.sha256(file.path) == file.sha256
    except FileNotFoundError:
        return False


def _content(manifest: VersionManifest) -> list[Any]:
    """Return the parts of a manifest that are equal in all manifests of a version, on any machine."""
    files = [(file.path, file.rows, file.logical_hash) for file in manifest.files]
    return [manifest.version, manifest.counts.read, manifest.counts.published, manifest.counts.ledger, *files]


def _add(file: WrittenFile, target: Path) -> None:
    """Link *file* to *target* if its hash is right; otherwise mark its task as unfinished and raise."""
    with file.store.fetched(file.key) as path:
        if file_sha256(path) == file.row["sha256"]:
            link_or_copy(path, target)
            return
    file.store.remove(f"{file.task}.json")
    raise UnfinishedError(
        f"{file.store.address(file.key)}: the output of a task was damaged",
        hint="run the same command again: it repeats this task",
    )


def _is_logged(dataset: Store, version: str) -> bool:
    return dataset.exists(publications.LOG) and f'"{version}"' in dataset.read_text(publications.LOG)


def sweep(dataset: Store | Path) -> int:
    """Remove unfinished publications and return their number. The caller holds the lock of the data set."""
    return open_store(dataset).sweep("", last=MANIFEST)
