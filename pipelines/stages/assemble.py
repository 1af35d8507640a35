"""The one exchange in which whole texts move: documents meet their fates, in the order of their shards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Counters, Exchange, Function, Input, Map, Step
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.groups import whole_groups
from corpusmill.pipelines.stages.apply import Law, sample_texts
from corpusmill.pipelines.stages.fates import FATE, NO_TIME
from corpusmill.pipelines.stages.identity import content_hashes
from corpusmill.pipelines.stages.split import shard_numbers, splits
from corpusmill.schemas.document import SPLITS, TIMESTAMP, VERDICT
from corpusmill.schemas.errors import ConservationError
from corpusmill.schemas.identity import shard_count

_FATE, _LIVING, _DEAD = 0, 1, 2
"""Order of the rows of one capture: its fates, then as many living captures, then those that were rejected before."""
_KEYS: Final = ("shard", "id", "record_sha256", "captured", "text_hash", "tag")
_PREFIX: Final = "fate_"
_FATE_FIELDS: Final = tuple(field for field in FATE if field.name not in ("id", "record_sha256", "captured", "bytes"))
JOINED: Final = pa.schema(
    [
        pa.field("content_hash", pa.string()),
        pa.field("cluster_id", pa.string()),
        pa.field("cluster_size", pa.int64()),
        pa.field("split", pa.string()),
    ]
)
"""The columns that documents get here."""


class Census(Function):
    """Counts the surviving bytes of each split, and the rejected ones of each stage; gives no rows.

    The driver reads the counters to number the shards.
    """

    shares: dict[str, float]

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                alive = pc.is_null(batch["rule"])
                living = batch.filter(alive)
                _count_rejected(batch.filter(pc.invert(alive)))
                part = splits(living["id"], self.shares)
                sizes = np.bincount(part, weights=np.asarray(living["bytes"], float), minlength=len(SPLITS))
                rows = np.bincount(part, minlength=len(SPLITS))
                for index, name in enumerate(SPLITS):
                    task().count(f"census/{name}/bytes", int(sizes[index]))
                    task().count(f"census/{name}/documents", int(rows[index]))
            yield from ()

        return run


def _count_rejected(dead: pa.RecordBatch) -> None:
    groups = pa.Table.from_batches([dead]).group_by(["stage", "rule"]).aggregate([("bytes", "sum"), ("bytes", "count")])
    for group in groups.to_pylist():
        law = Law(group["stage"])
        law.count("ledger", group["bytes_count"])
        law.count("bytes_ledger", group["bytes_sum"])
        law.count(f"rule/{group['rule']}", group["bytes_count"])


def shards_by_split(counters: Counters, *, shares: Mapping[str, float], target_bytes: int) -> dict[str, int]:
    """Give the number of shards of each split from the *counters* of a census; a split of share 0 has none."""
    return {
        name: shard_count(counters.get(f"census/{name}/bytes", 0), target_bytes) if shares[name] else 0
        for name in SPLITS
    }


class _Routed(Function):
    """What both inputs of the join share: how a row finds its shard."""

    census: str
    shares: dict[str, float]
    target_bytes: int
    shards: dict[str, int] | None = None

    def bound(self, counters: Mapping[str, Counters]) -> Self:
        shards = shards_by_split(counters[self.census], shares=self.shares, target_bytes=self.target_bytes)
        return self.model_copy(update={"shards": shards})

    def identity(self) -> dict[str, Any]:
        identity = super().identity()
        identity["params"] = {name: value for name, value in identity["params"].items() if name != "shards"}
        return identity

    def shard(self, ids: pa.Array) -> pa.Array:
        """Give the shard of each id."""
        assert self.shards is not None, "the driver binds the function to the census"
        return pa.array(shard_numbers(ids, shares=self.shares, shards=self.shards), pa.int64())


class RouteDocuments(_Routed):
    """Gives documents the columns by which they are joined with their fates."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                alive = pc.is_null(batch["rule"])
                yield _with(
                    batch,
                    shard=self.shard(batch["id"]),
                    captured=pc.fill_null(batch["fetched_at"].cast(pa.int64()), NO_TIME),
                    text_hash=content_hashes(pc.fill_null(batch["text"], "")),
                    tag=pc.if_else(alive, _LIVING, _DEAD).cast(pa.int64()),
                )

        return run


class RouteFates(_Routed):
    """Gives fates the columns by which they are joined with their documents."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                keys = {name: batch[name] for name in ("id", "record_sha256", "captured")}
                fate = {f"{_PREFIX}{field.name}": batch[field.name] for field in _FATE_FIELDS}
                tags = pa.array(np.full(batch.num_rows, _FATE), pa.int64())
                keys["text_hash"] = batch["content_hash"]
                yield pa.record_batch({**keys, "shard": self.shard(batch["id"]), "tag": tags, **fate})

        return run


class Join(Function):
    """Gives each living capture its fate: verdict, cluster, split, and when its text was first seen."""

    version = 2

    columns: tuple[str, ...]
    """Columns of the documents, as they come in."""
    shares: dict[str, float]

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in whole_groups(batches, by="id"):
                yield self._joined(batch)

        return run

    def _joined(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        tags = np.asarray(batch["tag"])
        fates = fate_rows(batch, tags)
        documents = np.flatnonzero(tags != _FATE)
        wide = batch.take(pa.array(documents))
        fate = batch.take(pa.array(fates[documents], mask=fates[documents] < 0))
        met = pc.is_valid(fate["id"])
        changes = {
            name: pc.if_else(met, fate[f"{_PREFIX}{name}"], wide[name])
            for name in VERDICT.names
            if f"{_PREFIX}{name}" in fate.schema.names
        }
        rejected = pc.and_(met, pc.is_valid(fate[f"{_PREFIX}rule"]))
        lengths = pc.binary_length(wide["text"]).cast(pa.int64())
        changes["sample_text"] = sample_texts(wide, rejected)
        changes["text_bytes"] = pc.if_else(rejected, lengths, wide["text_bytes"])
        changes["text"] = pc.if_else(rejected, pa.scalar(None, pa.string()), wide["text"])
        first = fate[f"{_PREFIX}first_seen"]
        first = pc.if_else(pc.equal(first, NO_TIME), pa.scalar(None, pa.int64()), first).cast(TIMESTAMP)
        changes["fetched_at"] = pc.if_else(met, first, wide["fetched_at"])
        names = np.array(SPLITS, dtype=object)[splits(wide["id"], self.shares)]
        added = {
            **{name: fate[f"{_PREFIX}{name}"] for name in ("content_hash", "cluster_id", "cluster_size")},
            "split": pa.array(names, pa.string()),
        }
        kept = {name: changes.get(name, wide[name]) for name in self.columns if name not in added}
        return pa.record_batch({**kept, **added})


def fate_rows(batch: pa.RecordBatch, tags: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give for each row the row of its fate, -1 for rows without one.

    Rows are sorted by capture, text and tag. Equal captures with equal texts are interchangeable, so the first of them
    takes the first fate.

    Raises:
        ConservationError: A capture has not as many fates as living rows.
    """
    starts = np.flatnonzero(_changes(batch))
    sizes = np.diff(np.append(starts, batch.num_rows))
    group = np.repeat(np.arange(len(starts)), sizes)
    fates = np.bincount(group[tags == _FATE], minlength=len(starts))
    living = np.bincount(group[tags == _LIVING], minlength=len(starts))
    if not np.array_equal(fates, living):
        first = batch["id"][int(starts[np.flatnonzero(fates != living)[0]])].as_py()
        raise ConservationError(f"document {first}: a capture and its fate did not meet")
    rows = np.arange(batch.num_rows) - fates[group]
    rows[tags != _LIVING] = -1
    return rows


def _changes(batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Tell for each row whether it begins a new capture."""
    changed = np.zeros(batch.num_rows, np.bool_)
    changed[:1] = True
    for name in ("id", "record_sha256", "captured", "text_hash"):
        column = batch[name]
        if batch.num_rows > 1:
            changed[1:] |= np.asarray(pc.not_equal(column.slice(1), column.slice(0, batch.num_rows - 1)))
    return changed


def _with(batch: pa.RecordBatch, **columns: pa.Array) -> pa.RecordBatch:
    for name, values in columns.items():
        batch = batch.append_column(name, values)
    return batch


def moved_schema(documents: pa.Schema) -> pa.Schema:
    """Give the schema of the rows that the join exchanges."""
    required = {"id", "record_sha256"}
    fields = [field if field.name in required else field.with_nullable(True) for field in documents]
    keys = [pa.field(name, pa.int64(), nullable=False) for name in ("shard", "captured", "tag")]
    keys.append(pa.field("text_hash", pa.string(), nullable=False))
    return pa.schema([*fields, *keys, *(pa.field(f"{_PREFIX}{f.name}", f.type) for f in _FATE_FIELDS)])


def joined_schema(documents: pa.Schema) -> pa.Schema:
    """Give the schema of the documents after the join."""
    return pa.schema([*(field for field in documents if field.name not in JOINED.names), *JOINED])


def assemble_steps(
    name: str, *, documents: str, schema: pa.Schema, fates: str, shares: Mapping[str, float], target_bytes: int
) -> tuple[Step, ...]:
    """Give the steps that join the *documents* (columns of *schema*) with their *fates*; the last is called *name*.

    Its partitions are the shards, in the order of `SPLITS`; inside, rows are sorted by (id, record_sha256).
    """
    census = f"{name}.census"
    routing: dict[str, Any] = {"census": census, "shares": dict(shares), "target_bytes": target_bytes}

    def parts(counters: Mapping[str, Counters]) -> int:
        return sum(shards_by_split(counters[census], shares=shares, target_bytes=target_bytes).values())

    return (
        Map(
            census,
            (Input(fates, columns=("id", "bytes", "stage", "rule")),),
            Census(shares=dict(shares)),
            pa.schema([("id", pa.string())]),
        ),
        Exchange(
            name,
            (Input(documents, through=RouteDocuments(**routing)), Input(fates, through=RouteFates(**routing))),
            by="shard",
            order=_KEYS[1:],
            function=Join(columns=tuple(schema.names), shares=dict(shares)),
            moved=moved_schema(schema),
            schema=joined_schema(schema),
            parts=parts,
            placement="value",
        ),
    )
