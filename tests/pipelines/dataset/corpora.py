"""Publish versions of a few documents without a run, with the functions that a run uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.catalog import index_version
from corpusmill.pipelines.dataset.publish import WrittenFile, make_manifest, publish
from corpusmill.pipelines.dataset.shards import ParquetFile
from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.stages.split import partition_numbers, splits
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.document import DOCUMENT, LEDGER, ORIGIN, SPLITS
from corpusmill.schemas.hashing import file_sha256
from corpusmill.schemas.identity import capture_hash, content_hash, document_id
from corpusmill.schemas.manifest import InputSource, StageCounts
from corpusmill.schemas.raw import RawFile, RawManifest
from corpusmill.schemas.storage import LocalStore

SHARES = {"train": 0.5, "validation": 0.25, "test": 0.25}
SHARDS = {"train": 2, "validation": 1, "test": 1}
STAGES = ("read", "extract", "language", "quality.measure", "quality", "identity", "exact_dedup", "near_dedup")
RECIPE_STAGES: tuple[Any, ...] = (
    "extract",
    {"language": {"keep": ["en"], "min_score": 0.5}},
    {"quality": {"profile": "gopher", "bounds": {"gopher.word_count": {"min": 5.0}}}},
    "exact_dedup",
    {"near_dedup": {"threshold": 0.8}},
)
SIGNALS = ("gopher.word_count", "gopher.mean_word_length", "pii.email")
FETCHED = datetime(2026, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Doc:
    """One capture, which is rejected if it has a rule."""

    source_id: str
    text: str = "some words of a text"
    source: str = "docs"
    title: str | None = None
    url: str | None = None
    license: str | None = "CC-BY-4.0"
    views: dict[str, str] = field(default_factory=dict)
    stage: str | None = None
    rule: str | None = None
    value: float | None = None
    threshold: float | None = None
    duplicate_of: str | None = None
    is_measured: bool = True
    is_created: bool = False
    """Whether a stage created it, such as a piece of cut text. Then it has no origin."""

    @property
    def id(self) -> str:
        return document_id(self.source, self.source_id)

    @property
    def record_sha256(self) -> str:
        return capture_hash(self.text.encode())

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "text": self.text,
            "source": self.source,
            "source_id": self.source_id,
            "content_hash": content_hash(self.text),
            "record_sha256": self.record_sha256,
            "title": self.title,
            "url": self.url,
            "language": "en",
            "language_score": 0.9,
            "license": self.license,
            "license_source": "recipe" if self.license else None,
            "fetched_at": FETCHED,
            "char_count": len(self.text),
            "word_count": len(self.text.split()),
            "cluster_size": 1,
            "cluster_id": self.id,
            "metadata": [{"key": "kind", "value": "test"}],
            **self.views,
        }

    def ledger(self) -> dict[str, Any]:
        same = {name: getattr(self, name) for name in LEDGER.names if hasattr(self, name)}
        return {**same, "sample_text": self.text[:100], "text_bytes": len(self.text.encode())}

    def origin(self) -> dict[str, Any]:
        where = {"file": f"/somewhere/{self.source}", "offset": 7, "length": len(self.text)}
        return {"id": self.id, "record_sha256": self.record_sha256, **where}

    def signals(self) -> dict[str, Any]:
        words = self.text.split()
        mean = sum(map(len, words)) / max(1, len(words))
        return {"id": self.id, "gopher.word_count": len(words), "gopher.mean_word_length": mean, "pii.email": 0}


def docs(names: Iterable[int], **changes: Any) -> list[Doc]:
    """Return distinct documents."""
    return [Doc(f"{n}.md", text=f"document {n} has words of its own", title=f"Title {n}", **changes) for n in names]


def publish_version(
    workspace: Workspace,
    captures: Sequence[Doc],
    *,
    dataset: str = "my-docs",
    views: Sequence[str] = (),
    stages: Sequence[Any] = RECIPE_STAGES,
    checks: dict[str, Any] | None = None,
    kinds: dict[str, str] | None = None,
    at: datetime = datetime(2026, 6, 1, tzinfo=UTC),
    is_indexed: bool = False,
    is_old: bool = False,
) -> Version:
    """Publish *captures* as a version, as a run does: files, manifest, log, catalog.

    With *is_old*, `metadata` is a map, as in format 1.
    """
    workspace.make()
    folder = workspace.dataset(dataset)
    schema = _old(_schema(views)) if is_old else _schema(views)
    files = list(_written(workspace.root / "written", captures, schema))
    dead = [capture for capture in captures if capture.rule is not None]
    sources = sorted({capture.source for capture in captures})
    manifest = make_manifest(
        files,
        dataset=dataset,
        schema=schema,
        parent=publications.current(folder),
        created_at=at,
        stages=tuple(_counts(captures)),
        by_source={
            name: {"read": 0, "published": 0, "ledger": sum(capture.source == name for capture in dead)}
            for name in sources
        },
        recipe={"dataset": dataset, "stages": list(stages), "checks": checks or {}},
        inputs=tuple(
            InputSource(source=name, kind=(kinds or {}).get(name, "load"), format="markdown", created_at=at, files=())
            for name in sources
        ),
        tools={},
        cost=(),
    )
    if is_old:
        manifest = manifest.model_copy(update={"format_version": 1})
    store, _ = publish(manifest, files, folder, recipe_text="", describe=lambda _: None)
    version = version_in(store)
    assert not is_indexed or index_version(workspace, version)
    return version


def _schema(views: Sequence[str]) -> pa.Schema:
    return pa.schema([*DOCUMENT, *(pa.field(name, pa.string()) for name in views)])


def _old(schema: pa.Schema) -> pa.Schema:
    place = schema.get_field_index("metadata")
    return schema.set(place, pa.field("metadata", pa.map_(pa.string(), pa.string())))


def _counts(captures: Sequence[Doc]) -> Iterable[StageCounts]:
    living = sum(not capture.is_created for capture in captures)
    for name in STAGES:
        here = [capture for capture in captures if capture.stage == name]
        rules = [capture.rule for capture in here if capture.rule is not None]
        created = sum(capture.is_created for capture in here)
        yield StageCounts(
            name=name,
            documents_in=living,
            created=created,
            documents_out=living + created - len(rules),
            ledger=len(rules),
            bytes_in=0,
            bytes_out=0,
            bytes_ledger=0,
            rules={rule: rules.count(rule) for rule in sorted(set(rules))},
        )
        living += created - len(rules)


def _written(folder: Path, captures: Sequence[Doc], schema: pa.Schema) -> Iterable[WrittenFile]:
    """Write the files of each shard and of its side tables, as the last step of a plan does."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(captures, key=lambda capture: (capture.id, capture.record_sha256))
    ids = pa.array([capture.id for capture in ordered], pa.string())
    split = splits(ids, SHARES)
    places = partition_numbers(ids, split, shards=SHARDS, pieces=1).tolist() if ordered else []
    parts = splits(ids, SHARES).tolist() if ordered else []
    signals = pa.schema([pa.field("id", pa.string(), nullable=False), *((name, pa.float64()) for name in SIGNALS)])
    number = 0
    for split in SPLITS:
        for index in range(SHARDS[split]):
            here = [
                (capture, SPLITS[part])
                for capture, place, part in zip(ordered, places, parts, strict=True)
                if place == number
            ]
            tables = {
                "shard": ([{**c.document(), "split": name} for c, name in here if c.rule is None], schema),
                "ledger": ([c.ledger() for c, _ in here if c.rule is not None], LEDGER),
                "signals": ([c.signals() for c, _ in here if c.is_measured], signals),
                "origin": ([c.origin() for c, _ in here if not c.is_created], ORIGIN),
            }
            for kind, (rows, columns) in tables.items():
                path = folder / f"{number}-{kind}-{len(list(folder.iterdir()))}.parquet"
                file = ParquetFile(path, columns)
                file.write(_batch(rows, columns))
                file.close()
                place = {"split": split, "index": index, "count": SHARDS[split]}
                if kind != "shard":
                    place = {"split": None, "index": number, "count": sum(SHARDS.values())}
                row = {"kind": kind, "file": path.name, **file.facts(), **place}
                yield WrittenFile(row, LocalStore(folder), path.name, path.stem)
            number += 1


def _batch(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch of *rows*; entries of `metadata` become pairs if the column is a map."""
    if "metadata" in schema.names and pa.types.is_map(schema.field("metadata").type):
        rows = [{**row, "metadata": [(entry["key"], entry["value"]) for entry in row["metadata"]]} for row in rows]
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def write_raw(workspace: Workspace, source: str, files: Sequence[Path], *, kind: str = "load", **more: Any) -> None:
    """Write the raw manifest of a source over *files*."""
    manifest = RawManifest(
        source=source,
        kind=kind,  # type: ignore[arg-type]
        format="warc" if kind == "crawl" else "text",
        finished=True,
        created_at=FETCHED,
        definition={"name": source, "respect": "all"},
        files=tuple(
            RawFile(path=str(path), name=path.name, size=path.stat().st_size, sha256=file_sha256(path))
            for path in files
        ),
        **more,
    )
    workspace.raw(source).write("manifest.json", manifest.model_dump_json())
