"""Bring documents, with their texts, into the order of their shards, and rejected ones alongside.

This is the only exchange that moves whole texts. `census_step` gives each living document its split and counts bytes,
which determines the number of shards. `join_step` then moves all captures to their shards, sorted by id, in pieces of
about `PIECE_BYTES` of text, so that several workers can write one shard.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import (
    PLACE,
    Batches,
    ColumnFunction,
    Counters,
    Exchange,
    Function,
    Input,
    Map,
)
from corpusmill.pipelines.engines.batches import only_where
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.stages.domains import Domains
from corpusmill.pipelines.stages.identity import NO_TIME, captured_us
from corpusmill.pipelines.stages.leakage.groups import GROUP
from corpusmill.pipelines.stages.split import partition_numbers, shards_of, splits
from corpusmill.pipelines.stages.word_counts import word_counts
from corpusmill.schemas.document import LEDGER, SPLITS
from corpusmill.schemas.identity import ID_LENGTH, document_id, shard_count
from corpusmill.schemas.optouts import RULE

SAMPLE_CHARACTERS: Final = 600
_SAMPLED_DIGITS: Final = ("0", "1", "2", "3")
"""Rejected documents whose ids begin with one of these digits (one in four) keep the beginning of their text."""
PIECE_BYTES: Final = 32_000_000
"""Mean UTF-8 bytes of text per partition of the join, for full shards."""
MIN_PIECE_BYTES: Final = 8_000_000
"""The same for small shards: a task costs ten milliseconds, and every worker should have one."""
SplitBy = Literal["cluster", "id", "domain"]

_KEYS: Final = pa.schema(
    [
        pa.field(":partition", pa.int64(), nullable=False),
        pa.field(":captured", pa.int64(), nullable=False),
        pa.field(":content", pa.string(), nullable=False),
        pa.field(":url", pa.string(), nullable=False),
    ]
)
_ORDER: Final = ("id", "record_sha256", ":captured", ":content", ":url", PLACE)
FACTS: Final = pa.schema(
    [
        pa.field("char_count", pa.int64()),
        pa.field("word_count", pa.int64()),
        pa.field("domain", pa.string()),
    ]
)
"""Columns computed for published documents when they reach their shard."""
SPLIT: Final = pa.field("split", pa.string())
SAMPLE: Final = pa.field("sample_text", pa.string())


def census_step(name: str, *, of: str, columns: Sequence[str], shares: Mapping[str, float], by: SplitBy) -> Map:
    """Return the step that assigns each living document its `split`, and counts documents and bytes per split."""
    wanted = {"cluster": (GROUP, "cluster_id"), "domain": ("url",), "id": ()}[by]
    read = [name for name in wanted if name in columns]
    return Map(
        name=name,
        of=of,
        function=Census(shares=dict(shares), by=by),
        reads=("id", "rule", "text_bytes", *read),
        writes=pa.schema([SPLIT]),
    )


class Census(ColumnFunction):
    """Assigns living documents their split and counts them. The counters decide the number of shards."""

    version = 2

    shares: dict[str, float]
    by: SplitBy

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        domains = Domains()

        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            alive = np.asarray(pc.is_null(batch["rule"]))
            split = splits(split_keys(batch, by=self.by, domains=domains), self.shares)
            sizes = np.bincount(split[alive], weights=np.asarray(batch["text_bytes"])[alive], minlength=len(SPLITS))
            rows = np.bincount(split[alive], minlength=len(SPLITS))
            for index, name in enumerate(SPLITS):
                task().count(f"census/{name}/bytes", int(sizes[index]))
                task().count(f"census/{name}/documents", int(rows[index]))
            names = pa.array(np.array(SPLITS, dtype=object)[split], pa.string(), mask=~alive)
            return pa.record_batch({"split": names})

        return run


def census_counters(text_bytes: float, shares: Mapping[str, float]) -> Counters:
    """Return the counters of a census of *text_bytes* bytes of text, divided into splits by *shares*."""
    return Counter({f"census/{name}/bytes": round(text_bytes * shares[name]) for name in SPLITS})


def split_keys(batch: pa.RecordBatch, *, by: SplitBy, domains: Domains) -> pa.StringArray:
    """Return the key that decides the split of each document, as 32 hex characters.

    With ``cluster``, the key is the least id of its group of similar documents, or the id of the kept document of its
    cluster, or its own id if it is in neither. With ``domain``, it is the registered domain of its URL, or its own id
    if it has none.
    """
    if by == "cluster":
        names = [name for name in (GROUP, "cluster_id", "id") if name in batch.schema.names]
        return pc.coalesce(*(batch[name] for name in names))
    if by == "domain" and "url" in batch.schema.names:
        names = domains.of(batch["url"]).dictionary_encode()
        keys = pa.array([document_id("domain", name) for name in names.dictionary.to_pylist()], pa.string())
        return pc.coalesce(keys.take(names.indices), batch["id"])
    return batch["id"]


def shards_by_split(counters: Counters, *, shares: Mapping[str, float], target_bytes: int) -> dict[str, int]:
    """Return the number of shards of each split from the *counters* of a census. A split of share 0 has none."""
    return {
        name: shard_count(counters.get(f"census/{name}/bytes", 0), target_bytes) if shares[name] else 0
        for name in SPLITS
    }


def pieces_of(counters: Counters, shards: Mapping[str, int], *, target_bytes: int) -> int:
    """Return the number of join partitions per shard, from the *counters* of a census and the largest shard."""
    largest = max(counters.get(f"census/{name}/bytes", 0) / count for name, count in shards.items() if count)
    return max(1, min(math.ceil(target_bytes / PIECE_BYTES), math.ceil(largest / MIN_PIECE_BYTES)))


class Routed(Function):
    """Base of the functions that route rows to shards by id."""

    census: str
    shares: dict[str, float]
    target_bytes: int
    shards: dict[str, int] | None = None
    pieces: int = 1

    def asks(self) -> tuple[str, ...]:
        return (self.census,)

    def bound(self, counters: Mapping[str, Counters]) -> Self:
        census = counters[self.census]
        shards = shards_by_split(census, shares=self.shares, target_bytes=self.target_bytes)
        return self.model_copy(
            update={"shards": shards, "pieces": pieces_of(census, shards, target_bytes=self.target_bytes)}
        )

    def identity(self) -> dict[str, Any]:
        identity = super().identity()
        params = identity["params"].items()
        identity["params"] = {name: value for name, value in params if name not in ("shards", "pieces")}
        return identity

    @property
    def files(self) -> int:
        """The number of shards of all splits."""
        assert self.shards is not None, "the driver has bound the function to the census"
        return sum(self.shards.values())

    def files_of(self, counters: Mapping[str, Counters]) -> int:
        """Return `files`, computed from the counters of the census."""
        return self.bound(counters).files

    def pieces_of_shard(self, counters: Mapping[str, Counters]) -> int:
        """Return the number of join partitions per shard, computed from the counters of the census."""
        return self.bound(counters).pieces

    def partitions(self, ids: pa.Array, split: npt.NDArray[np.int64]) -> pa.Array:
        """Return the partition of each id."""
        assert self.shards is not None, "the driver has bound the function to the census"
        return pa.array(partition_numbers(ids, split, shards=self.shards, pieces=self.pieces), pa.int64())


class RouteDocuments(Routed):
    """Gives documents their partition and sort keys. Rejected ones keep a sample of their text.

    Args:
        moved: Schema of the exchanged rows, serialized as hexadecimal digits.
    """

    moved: str

    def build(self) -> Callable[[Batches], Batches]:
        schema = schema_from_hex(self.moved)

        def run(batches: Batches) -> Batches:
            for batch in batches:
                yield self._routed(batch, schema)

        return run

    def _routed(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        alive = pc.is_null(batch["rule"])
        split = np.asarray(pc.fill_null(pc.index_in(batch["split"], pa.array(SPLITS)), -1)).astype(np.int64)
        # A rejected document has no split: its ledger row is routed by its id alone.
        split = np.where(split < 0, splits(batch["id"], self.shares), split)
        texts = batch["text"]
        made = {
            ":partition": self.partitions(batch["id"], split),
            ":captured": captured_us(batch["fetched_at"]),
            ":content": pc.fill_null(batch["content_hash"], ""),
            ":url": pc.fill_null(batch["url"], ""),
            "sample_text": sample_texts(batch["id"], texts, has_sample(batch["rule"])),
            "text": only_where(alive, texts),
        }
        there = set(batch.schema.names)
        columns = []
        for field in schema:
            if field.name in made:
                columns.append(made[field.name])
            elif field.name in there:
                columns.append(batch[field.name])
            else:
                columns.append(pa.nulls(batch.num_rows, field.type))
        return pa.RecordBatch.from_arrays(columns, schema=schema)


class RouteCreated(Routed):
    """Turns ledger rows from a side table, which were never records, into routed documents."""

    moved: str

    def build(self) -> Callable[[Batches], Batches]:
        schema = schema_from_hex(self.moved)

        def run(batches: Batches) -> Batches:
            for batch in batches:
                yield self._routed(batch, schema)

        return run

    def _routed(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        rows = batch.num_rows
        split = splits(batch["id"], self.shares)
        made = {
            ":partition": self.partitions(batch["id"], split),
            ":captured": pa.repeat(pa.scalar(NO_TIME, pa.int64()), rows),
            ":content": pa.repeat("", rows),
            ":url": pc.fill_null(batch["url"], ""),
            PLACE: pa.repeat(pa.scalar(-1, pa.int64()), rows),
        }
        there = set(batch.schema.names)
        columns = [
            made[f.name] if f.name in made else batch[f.name] if f.name in there else pa.nulls(rows, f.type)
            for f in schema
        ]
        return pa.RecordBatch.from_arrays(columns, schema=schema)


class RouteSide(Routed):
    """Gives rows of a published side table their partition by the range of their id, one partition per shard."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                ids = pc.fill_null(batch["id"], "0" * ID_LENGTH)  # the engine reports a null with its step
                numbers = pa.array(shards_of(ids, self.files), pa.int64())
                yield batch.append_column(pa.field(":partition", pa.int64(), nullable=False), numbers)

        return run


class Join(Function):
    """Finishes the rows of a partition, which arrive sorted. Published documents get `FACTS`.

    Args:
        is_clustered: Whether a stage groups documents. Documents in no group are then clusters of one.
    """

    version = 3
    depends = ("publicsuffixlist",)

    is_clustered: bool

    def build(self) -> Callable[[Batches], Batches]:
        domains = Domains()

        def run(batches: Batches) -> Batches:
            for batch in batches:
                yield self._joined(batch, domains)

        return run

    def _joined(self, batch: pa.RecordBatch, domains: Domains) -> pa.RecordBatch:
        batch = batch.drop_columns([*_KEYS.names, PLACE])
        alive = pc.is_null(batch["rule"])
        facts = {
            "char_count": pc.utf8_length(batch["text"]).cast(pa.int64()),
            "word_count": word_counts(batch["text"]),
            "domain": domains.of(batch["url"]),
        }
        for field in FACTS:
            batch = batch.append_column(field, facts[field.name])
        if self.is_clustered:
            for name, default in (("cluster_id", batch["id"]), ("cluster_size", pa.scalar(1, pa.int64()))):
                index = batch.schema.get_field_index(name)
                values = pc.if_else(alive, pc.coalesce(batch[name], default), batch[name])
                batch = batch.set_column(index, batch.schema.field(index), values)
        return batch


def join_step(
    name: str,
    *,
    of: str,
    documents: pa.Schema,
    census: str,
    shares: Mapping[str, float],
    target_bytes: int,
    is_clustered: bool,
    absent: Collection[str] = (),
    created: Sequence[Input] = (),
) -> Exchange:
    """Return the step that moves *documents* (the columns needed for publication) to their shards.

    Args:
        absent: Columns of *documents* that no step adds; they are null.
        created: Side tables whose rows go to the ledger without having been records.
    """
    moved = moved_schema(documents)
    routing: dict[str, Any] = {"census": census, "shares": dict(shares), "target_bytes": target_bytes}
    form = schema_as_hex(moved)
    keys = ("id", "rule", "fetched_at", "content_hash", "url", "split", PLACE)
    columns = tuple(name for name in dict.fromkeys((*documents.names, *keys)) if name not in absent)

    def partitions(counters: Mapping[str, Counters]) -> int:
        shards = shards_by_split(counters[census], shares=shares, target_bytes=target_bytes)
        return sum(shards.values()) * pieces_of(counters[census], shards, target_bytes=target_bytes)

    kept = [field for field in moved if field.name not in (*_KEYS.names, PLACE)]
    return Exchange(
        name=name,
        inputs=(
            Input(of, through=RouteDocuments(**routing, moved=form), columns=columns),
            *(
                Input(side.step, through=RouteCreated(**routing, moved=form), side=side.side, columns=side.columns)
                for side in created
            ),
        ),
        by=":partition",
        order=_ORDER,
        function=Join(is_clustered=is_clustered),
        moved=moved,
        schema=pa.schema([*kept, *FACTS]),
        partitions=partitions,
        placement="value",
        asks=(census,),
    )


def has_sample(rules: pa.Array) -> pa.Array:
    """Return whether a sample of the text may be kept: that of a rejected document, unless its page opted out.

    >>> has_sample(pa.array([None, "gopher.word_count", "optout.noai"])).to_pylist()
    [False, True, False]
    """
    return pc.and_(pc.is_valid(rules), pc.invert(pc.fill_null(pc.starts_with(rules, RULE), False)))


def moved_schema(documents: pa.Schema) -> pa.Schema:
    """Return the schema of the rows that the join exchanges."""
    required = {"id", "record_sha256"}
    fields = [field if field.name in required else field.with_nullable(True) for field in documents]
    names = {field.name for field in fields}
    extra = [LEDGER.field(f.name).with_nullable(True) for f in (SAMPLE,) if f.name not in names]
    return pa.schema([*fields, *extra, *_KEYS, pa.field(PLACE, pa.int64(), nullable=False)])


def sample_texts(ids: pa.Array, texts: pa.Array, rejected: pa.BooleanArray) -> pa.StringArray:
    """Return the beginning of the texts of sampled *rejected* rows, null for all others."""
    if not rejected.true_count:
        return pa.nulls(len(texts), pa.string())
    sampled = pc.and_(rejected, pc.is_in(pc.utf8_slice_codeunits(ids, 0, 1), pa.array(_SAMPLED_DIGITS)))
    return pc.utf8_slice_codeunits(only_where(sampled, texts), 0, SAMPLE_CHARACTERS)


def schema_as_hex(schema: pa.Schema) -> str:
    """Serialize *schema* as text, for the parameters of a function."""
    return str(schema.serialize().to_pybytes().hex())


def schema_from_hex(text: str) -> pa.Schema:
    """Parse the output of `schema_as_hex`."""
    return pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(text)))
