"""Write a small version with all files of a publication, from generated text. The result is always the same."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.schemas.document import DOCUMENT, LEDGER, ORIGIN
from corpusmill.schemas.hashing import LogicalHash, file_sha256
from corpusmill.schemas.identity import capture_hash, content_hash, document_id, shard_of
from corpusmill.schemas.manifest import (
    Counts,
    InputFile,
    InputSource,
    ShardFile,
    SideFile,
    StageCounts,
    StepCost,
    VersionManifest,
    schema_as_json,
    version_id,
)

STAGES = ("read", "extract", "normalize", "language", "quality", "pii", "identity", "exact_dedup", "near_dedup")
SIGNALS = ("gopher.word_count", "gopher.alphabetic_words", "gopher.stop_words", "pii.email", "pii.ip")
SPANS = pa.schema([("id", pa.string()), ("start", pa.int64()), ("words", pa.list_(pa.string()))])
CREATED = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = "<script>alert('owned')</script>"
_WORDS = """
    archive band batch bucket canonical capture cluster column corpus crawl document engine exchange
    field filter fingerprint frontier hash header ledger license manifest measure model order page
    parquet profile quality query record recipe row run schema sequence shard shingle signal
    signature source split stage step text token version
""".split()


@dataclass(frozen=True)
class Capture:
    """One capture, and its verdict."""

    source: str
    source_id: str
    text: str
    title: str | None = None
    url: str | None = None
    language: str | None = "en"
    license: str | None = None
    published_at: datetime | None = None
    stage: str | None = None
    rule: str | None = None
    value: float | None = None
    threshold: float | None = None
    duplicate_of: str | None = None
    message: str | None = None
    cluster_size: int = 1
    signals: dict[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return document_id(self.source, self.source_id)

    @property
    def bytes(self) -> int:
        return len(self.text.encode())

    @property
    def split(self) -> str:
        place = int(self.id[-4:], 16) / 65536
        return "train" if place < 0.8 else "validation" if place < 0.9 else "test"


def sentence(words: random.Random, count: int) -> str:
    """Return *count* words as text with some punctuation."""
    chosen = [words.choice(_WORDS) for _ in range(count)]
    return " ".join(word if index % 12 else word.capitalize() for index, word in enumerate(chosen)) + "."


def measured(capture: Capture) -> Capture:
    """Return *capture* with signals that match its text."""
    words = capture.text.split()
    alphabetic = sum(any(c.isalpha() for c in word) for word in words) / max(1, len(words))
    signals = {
        "gopher.word_count": float(len(words)),
        "gopher.alphabetic_words": round(alphabetic, 4),
        "gopher.stop_words": float(len(words) % 7),
        "pii.email": float(capture.text.count("[EMAIL]")),
        "pii.ip": float(capture.text.count("[IP]")),
    }
    return replace(capture, signals=signals)


def captures() -> list[Capture]:
    """Return 400 captures of three sources: 250 are published, 150 are rejected by seven stages."""
    random_words = random.Random(7)
    pages = list(_pages(random_words))
    readmes = list(_readmes(random_words))
    licenses = list(_licenses(random_words))
    return [*pages, *readmes, *licenses, *_rejected(random_words, pages, licenses)]


def _pages(words: random.Random) -> Iterator[Capture]:
    for index in range(150):
        text = sentence(words, 51 + index * 3) + (" Write to [EMAIL] or [EMAIL]." if index % 10 == 0 else "")
        title = f"Module {HOSTILE}" if index == 149 else f"Module {index}"
        yield measured(
            Capture(
                "site",
                f"https://docs.example.org/{index}",
                text,
                title=title,
                url=f"https://docs.example.org/{index}?a=1&b=2",
                language="en" if index % 30 else "fr",
                published_at=datetime(2019 + index % 6, 1 + index % 12, 3, tzinfo=UTC),
            )
        )


def _readmes(words: random.Random) -> Iterator[Capture]:
    licenses = ("MIT", "Apache-2.0", "CC-BY-NC-4.0", None)
    for index in range(90):
        url = f"https://pypi.example.net/{index}" if index else "javascript:alert(1)"
        yield measured(
            Capture("readmes", f"package-{index}", sentence(words, 80 + index), title=f"package-{index}", url=url,
                    license=licenses[index % 4])
        )  # fmt: skip


def _licenses(words: random.Random) -> Iterator[Capture]:
    for index in range(10):
        size = {0: 21, 1: 11}.get(index, 1)
        text = sentence(words, 200 + index)
        yield measured(Capture("licences", f"LICENSE-{index}", text, license="MIT", cluster_size=size))


def _rejected(words: random.Random, pages: list[Capture], licenses: list[Capture]) -> Iterator[Capture]:
    for index in range(5):
        message = f"<b>not</b> UTF-8 at byte {index}"
        yield Capture("readmes", f"broken-{index}", "", stage="read", rule="error.encoding", message=message)
    for index in range(25):
        yield Capture("site", f"de-{index}", sentence(words, 90), url=f"https://docs.example.org/de/{index}",
                      stage="language", rule="language.not_kept", value=0.9, message="de")  # fmt: skip
    for index in range(60):
        short = measured(
            Capture("site", f"short-{index}", sentence(words, 1 + index % 49), url=f"https://x.example/{index}")
        )
        yield replace(short, stage="quality", rule="gopher.word_count", value=short.signals["gopher.word_count"],
                      threshold=50.0)  # fmt: skip
    for index in range(20):
        text = sentence(words, 60) + " 12345" * (20 + index)
        dull = measured(Capture("readmes", f"numbers-{index}", text))
        yield replace(dull, stage="quality", rule="gopher.alphabetic_words",
                      value=dull.signals["gopher.alphabetic_words"], threshold=0.8)  # fmt: skip
    for index in range(10):
        same = replace(pages[index], source="readmes", source_id=f"copy-{index}")
        yield replace(same, stage="exact_dedup", rule="exact_dedup.duplicate", duplicate_of=pages[index].id)
    for index in range(30):
        kept = licenses[0 if index < 20 else 1]
        near = measured(Capture("licences", f"NEAR-{index}", kept.text + f" Copyright {index}"))
        yield replace(near, stage="near_dedup", rule="near_dedup.duplicate", value=0.8 + index / 200, threshold=0.8,
                      duplicate_of=kept.id)  # fmt: skip


def make_version(
    folder: Path,
    items: Iterable[Capture] | None = None,
    *,
    signals: bool = True,
    near_dedup: bool = True,
    licenses: bool = True,
    views: bool = True,
    spans: bool = False,
) -> Path:
    """Write the version of *items* (by default `captures`) to the new folder *folder*, and return it.

    Args:
        signals: Whether the recipe measured signals.
        near_dedup: Whether near duplicates are removed and clustered.
        licenses: Whether documents have licenses.
        views: Add the string column `lemmas` to the shards.
        spans: Add the side table `shouting.spans`, in two files.
    """
    folder.mkdir(parents=True)
    chosen = list(captures() if items is None else items)
    if not near_dedup:
        chosen = [_without_clusters(c) for c in chosen]
    if not licenses:
        chosen = [replace(c, license=None) for c in chosen]
    chosen.sort(key=lambda c: (c.id, capture_hash(c.text.encode())))
    living, dead = [c for c in chosen if c.rule is None], [c for c in chosen if c.rule is not None]
    schema = pa.schema([*DOCUMENT, *([pa.field("lemmas", pa.string())] if views else [])])
    shards = [
        file for split in ("train", "validation", "test") for file in _shards(folder, living, split, schema, near_dedup)
    ]
    sides = [
        _side(folder, "ledger", LEDGER, [_ledger_row(c) for c in dead]),
        _side(folder, "origin", ORIGIN, [_origin_row(c) for c in chosen]),
    ]
    if signals:
        kinds = pa.schema([pa.field("id", pa.string(), nullable=False), *(pa.field(n, pa.float32()) for n in SIGNALS)])
        rows = [{"id": c.id, **c.signals} for c in chosen if c.signals]
        sides.append(_side(folder, "signals", kinds, rows))
    if spans:
        sides += _spans(folder, living)
    manifest = _manifest(schema, shards, sides, chosen, near_dedup=near_dedup, signals=signals)
    (folder / "manifest.json").write_text(manifest.json_text())
    (folder / "recipe.yaml").write_text("dataset: handbook\n")
    return folder


def _without_clusters(capture: Capture) -> Capture:
    if capture.stage != "near_dedup":
        return replace(capture, cluster_size=1)
    return replace(capture, stage=None, rule=None, value=None, threshold=None, duplicate_of=None)


def _shards(folder: Path, living: list[Capture], split: str, schema: pa.Schema, clusters: bool) -> Iterator[ShardFile]:
    mine = [c for c in living if c.split == split]
    count = 2 if split == "train" else 1
    for index in range(count):
        part = [c for c in mine if shard_of(c.id, count) == index]
        rows = [_document_row(c, clusters=clusters) for c in part]
        path = folder / f"{split}-{index:05d}-of-{count:05d}.parquet"
        facts = _write(path, schema, rows)
        first, last = (part[0].id, part[-1].id) if part else (None, None)
        text_bytes = sum(c.bytes for c in part)
        yield ShardFile(path=path.name, split=split, text_bytes=text_bytes, first_id=first, last_id=last, **facts)


def _spans(folder: Path, living: list[Capture]) -> Iterator[SideFile]:
    for index in range(2):
        rows = [
            {"id": c.id, "start": place, "words": [word]}
            for c in living
            if shard_of(c.id, 2) == index
            for place, word in enumerate(c.text.split()[:2])
        ]
        path = folder / f"shouting.spans-{index:05d}-of-00002.parquet"
        yield SideFile(path=path.name, kind="shouting.spans", **_write(path, SPANS, rows))


def _side(folder: Path, kind: str, schema: pa.Schema, rows: list[dict[str, Any]]) -> SideFile:
    path = folder / f"{kind}-00000-of-00001.parquet"
    return SideFile(path=path.name, kind=kind, **_write(path, schema, rows))


def _write(path: Path, schema: pa.Schema, rows: list[dict[str, Any]]) -> dict[str, Any]:
    table = pa.Table.from_pylist(rows, schema=schema)
    pq.write_table(table, path, compression="zstd", write_page_index=True)
    logical = LogicalHash(schema)
    for batch in table.to_batches():
        logical.update(batch)
    return {
        "rows": len(rows),
        "bytes": path.stat().st_size,
        "sha256": file_sha256(path),
        "logical_hash": logical.hexdigest(),
    }


def _document_row(capture: Capture, *, clusters: bool) -> dict[str, Any]:
    return {
        "id": capture.id,
        "text": capture.text,
        "source": capture.source,
        "source_id": capture.source_id,
        "content_hash": content_hash(capture.text),
        "record_sha256": capture_hash(capture.text.encode()),
        "split": capture.split,
        "title": capture.title,
        "url": capture.url,
        "domain": "example.org" if "example.org" in (capture.url or "") else None,
        "language": capture.language,
        "license": capture.license,
        "license_source": "field:license" if capture.license else None,
        "language_score": 0.98,
        "published_at": capture.published_at,
        "fetched_at": CREATED - timedelta(days=1) if capture.source == "site" else None,
        "char_count": len(capture.text),
        "word_count": len(capture.text.split()),
        "cluster_size": capture.cluster_size if clusters else None,
        "cluster_id": capture.id if clusters else None,
        "metadata": [{"key": "kind", "value": "test"}],
        "lemmas": capture.text.lower(),
    }


def _ledger_row(capture: Capture) -> dict[str, Any]:
    return {
        "id": capture.id,
        "record_sha256": capture_hash(capture.text.encode()),
        "url": capture.url,
        "source": capture.source,
        "stage": capture.stage,
        "rule": capture.rule,
        "value": capture.value,
        "threshold": capture.threshold,
        "duplicate_of": capture.duplicate_of,
        "sample_text": capture.text[:500] if int(capture.id[0], 16) < 8 else None,
        "message": capture.message,
        "source_id": capture.source_id,
        "text_bytes": capture.bytes,
    }


def _origin_row(capture: Capture) -> dict[str, Any]:
    digest = capture_hash(capture.text.encode())
    return {"id": capture.id, "record_sha256": digest, "file": f"{capture.source}.jsonl", "offset": 0, "length": 1}


def _manifest(
    schema: pa.Schema,
    shards: list[ShardFile],
    sides: list[SideFile],
    chosen: list[Capture],
    *,
    near_dedup: bool,
    signals: bool,
) -> VersionManifest:
    stages = [name for name in STAGES if near_dedup or name != "near_dedup"]
    published = sum(shard.rows for shard in shards)
    entries: list[Any] = ["extract", "normalize", {"language": {"keep": ["en", "fr"]}}]
    entries += [{"quality": {"profile": "gopher"}}, {"pii": {"action": "mask"}}] if signals else []
    entries += ["exact_dedup", *([{"near_dedup": {"threshold": 0.8}}] if near_dedup else [])]
    return VersionManifest(
        dataset="handbook",
        version=version_id(schema, shards=shards, side_files=sides),
        parent=None,
        created_at=CREATED,
        schema=schema_as_json(schema),
        files=tuple(shards),
        side_files=tuple(sides),
        counts=Counts(
            read=len(chosen),
            published=published,
            ledger=len(chosen) - published,
            by_source=_by_source(chosen),
            stages=tuple(_stage_counts(chosen, stages)),
        ),
        recipe={
            "dataset": "handbook",
            "sources": [],
            "stages": entries,
            "split": {"train": 0.8, "validation": 0.1, "test": 0.1, "by": "cluster"},
            "shards": {"target_bytes": 1_000_000},
        },
        inputs=tuple(_input(name) for name in ("licences", "readmes", "site")),
        tools={"python": "3.11.2", "corpusmill": "0.1.0", "pyarrow": "23.0.0"},
        cost=tuple(
            StepCost(step=name, cpu_s=1.5 + index, wall_s=1.0 + index, peak_mb=100.0 + 10 * index, bytes=1000 * index)
            for index, name in enumerate(stages)
        ),
    )


def _by_source(chosen: list[Capture]) -> dict[str, dict[str, int]]:
    names = sorted({c.source for c in chosen})
    return {
        name: {
            "read": sum(c.source == name for c in chosen),
            "published": sum(c.source == name and c.rule is None for c in chosen),
            "ledger": sum(c.source == name and c.rule is not None for c in chosen),
        }
        for name in names
    }


def _stage_counts(chosen: list[Capture], stages: list[str]) -> Iterator[StageCounts]:
    left = chosen
    for name in stages:
        gone = [c for c in left if c.stage == name]
        stay = [c for c in left if c.stage != name]
        rules = {rule: sum(c.rule == rule for c in gone) for rule in sorted({str(c.rule) for c in gone})}
        came = sum(c.bytes for c in left)
        yield StageCounts(
            name=name,
            documents_in=len(left),
            documents_out=len(stay),
            ledger=len(gone),
            bytes_in=0 if name == "read" else came,
            bytes_added=came if name == "read" else 0,
            bytes_out=sum(c.bytes for c in stay),
            bytes_ledger=sum(c.bytes for c in gone),
            rules=rules,
        )
        left = stay


def _input(name: str) -> InputSource:
    file = InputFile(path=f"/data/{name}.jsonl", name=f"{name}.jsonl", size=1234, sha256=capture_hash(name.encode()))
    kind, form = ("crawl", "warc") if name == "site" else ("load", "jsonl")
    return InputSource(source=name, kind=kind, format=form, created_at=CREATED, files=(file,), counts={})
