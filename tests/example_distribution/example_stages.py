"""Stages as another distribution brings them.

Maps with a side table, an extractor, one that masks, one that compares in rounds, one that reads a published version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input, Repeat, Step
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.groups import group_numbers, run_starts, whole_groups
from corpusmill.pipelines.stages.base import (
    TEXT_ADDED,
    TEXT_CUT,
    Documents,
    Judgment,
    PersonalData,
    SideTable,
    Stage,
    TableInput,
    Transform,
    reject,
)
from corpusmill.pipelines.stages.verdicts import DECISION, PLACE_FIELD, decided, living, verdict_step


class Shouting(Stage):
    """Measure capital letters, list the words that shout, and leave out documents with too many of them."""

    version: ClassVar[int] = 1
    depends: ClassVar[tuple[str, ...]] = ("corpusmill-example-stages",)
    card_line: ClassVar[str | None] = "rejects documents that shout"

    max_share: float = Field(default=0.3, ge=0, le=1, description="Greatest share of capital letters.")

    def adds(self) -> tuple[pa.Field, ...]:
        return (
            pa.field("shouting.share", pa.float64()),
            pa.field("shouting.is_loud", pa.bool_()),
            pa.field("loud_words", pa.list_(pa.string())),
            pa.field("first_word", pa.struct([("word", pa.string()), ("at", pa.int32())])),
        )

    def rules(self) -> tuple[str, ...]:
        return ("shouting.share",)

    def judges(self) -> tuple[Judgment, ...]:
        return (Judgment("shouting.share", "shouting.share", max=self.max_share),)

    def notes(self) -> Mapping[str, str]:
        return {"first_word": "it begins with {value[word]}"}

    def sides(self) -> Mapping[str, SideTable]:
        schema = pa.schema([pa.field("id", pa.string()), pa.field("start", pa.int64()), pa.field("word", pa.string())])
        return {"spans": SideTable(schema, order=("start",), is_published=True)}

    def build(self) -> Transform:
        return self._apply

    def _apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = batch["text"].to_pylist()
        found = [[(m.start(), m[0]) for m in re.finditer(r"\b[A-Z]{3,}\b", text)] for text in texts]
        spans = [(id, *span) for id, row in zip(batch["id"].to_pylist(), found, strict=True) for span in row]
        columns = zip(("id", "start", "word"), zip(*spans, strict=True), strict=True) if spans else ()
        if spans:
            task().emit("spans", pa.record_batch({name: list(values) for name, values in columns}))
        share = pa.array([sum(map(str.isupper, text)) / max(1, len(text)) for text in texts], pa.float64())
        first = [re.search(r"\w+", text) for text in texts]
        added = {
            "shouting.share": share,
            "shouting.is_loud": pc.greater(share, self.max_share),
            "loud_words": pa.array([[word for _, word in row] for row in found], pa.list_(pa.string())),
            "first_word": pa.array(
                [None if match is None else {"word": match[0], "at": match.start()} for match in first],
                pa.struct([("word", pa.string()), ("at", pa.int32())]),
            ),
        }
        for name, values in added.items():
            batch = batch.append_column(name, values)
        loud = pc.greater(share, self.max_share)
        return reject(batch, loud, rule="shouting.share", value=share, threshold=self.max_share)


class PlainHtml(Stage):
    """Take all text between tags."""

    def reads(self) -> tuple[str, ...]:
        return ("content",)

    def changes(self) -> tuple[str, ...]:
        return ("text", "content")

    def build(self) -> Transform:
        return self._apply

    def _apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        pages = zip(batch["content"].to_pylist(), batch["text"].to_pylist(), strict=True)
        texts = [text if page is None else re.sub(r"<[^>]*>", "", page.decode()).strip() for page, text in pages]
        return _with_text(batch, pa.array(texts, pa.string())).set_column(
            batch.schema.get_field_index("content"), "content", pa.nulls(batch.num_rows, pa.binary())
        )


class MaskNames(Stage):
    """Write <NAME> in the place of names."""

    masks: ClassVar[bool] = True
    personal_data: ClassVar[PersonalData | None] = PersonalData(signals="names.")

    names: tuple[str, ...] = Field(min_length=1, examples=[["Ada", "Grace"]], description="What to mask.")

    def changes(self) -> tuple[str, ...]:
        return ("text",)

    def adds(self) -> tuple[pa.Field, ...]:
        return (pa.field("names.given", pa.int64()),)

    def mask_column(self, texts: pa.StringArray) -> pa.StringArray:
        return pc.replace_substring_regex(texts, self._pattern(), "<NAME>")

    def _pattern(self) -> str:
        return "|".join(map(re.escape, self.names))

    def build(self) -> Transform:
        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            given = pc.count_substring_regex(batch["text"], self._pattern()).cast(pa.int64())
            return _with_text(batch, self.mask_column(batch["text"])).append_column("names.given", given)

        return run


def _with_text(batch: pa.RecordBatch, texts: pa.StringArray) -> pa.RecordBatch:
    """Return *batch* with *texts*, and the account of what they added and cut."""
    before, after = (np.asarray(pc.fill_null(pc.binary_length(column), 0)) for column in (batch["text"], texts))
    index = batch.schema.get_field_index("text")
    batch = batch.set_column(index, batch.schema.field(index), texts)
    batch = batch.append_column(TEXT_ADDED, pa.array(np.maximum(after - before, 0), pa.int64()))
    return batch.append_column(TEXT_CUT, pa.array(np.maximum(before - after, 0), pa.int64()))


class Shards(Stage):
    """Count letters."""

    def adds(self) -> tuple[pa.Field, ...]:
        return (pa.field("shards.letters", pa.int32()),)

    def build(self) -> Transform:
        return lambda batch: batch.append_column("shards.letters", pc.utf8_length(batch["text"]).cast(pa.int32()))


class LimitWords(Stage):
    """Leave out documents of more than *words* words."""

    words: int = Field(default=1000, ge=1, description="Greatest number of words.")

    def adds(self) -> tuple[pa.Field, ...]:
        return (pa.field("limit_words.count", pa.int64()),)

    def rules(self) -> tuple[str, ...]:
        return ("limit_words.too_many",)

    def judges(self) -> tuple[Judgment, ...]:
        return (Judgment("limit_words.too_many", "limit_words.count", max=self.words),)

    def build(self) -> Transform:
        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            count = pc.list_value_length(pc.utf8_split_whitespace(batch["text"])).cast(pa.int64())
            batch = batch.append_column("limit_words.count", count)
            too_many = pc.greater(count, self.words)
            return reject(batch, too_many, rule="limit_words.too_many", value=count, threshold=self.words)

        return run


# -- a stage that compares documents, in rounds

_ENDS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("line", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        PLACE_FIELD,
        pa.field("text_bytes", pa.int64(), nullable=False),
    ]
)
"""The first or the last line of a document, and the least id of the documents it is known to hang together with."""
_LEAST = pa.schema([*_ENDS, pa.field("least", pa.string(), nullable=False)])


class Chained(Stage):
    """Keep one of all documents that hang together by first and last lines: the one with the least id."""

    removes_copies: ClassVar[Literal["exact", "near"] | None] = "near"

    def rules(self) -> tuple[str, ...]:
        return ("chained.member",)

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        ends, groups, decisions = f"{name}.ends", f"{name}.groups", f"{name}.decisions"
        columns = ("id", "text", "rule", "text_bytes", PLACE)
        meet = Exchange(
            name=f"{name}.meet",
            inputs=(Input(groups),),
            by="line",
            order=("label", "id"),
            function=Least(),
            moved=_ENDS,
            schema=_LEAST,
        )
        settle = Exchange(
            name=f"{name}.settle",
            inputs=(Input(meet.name),),
            by="id",
            order=("line", "least"),
            function=Settle(),
            moved=_LEAST,
            schema=_ENDS,
        )
        return (
            Exchange(
                name=ends,
                inputs=(Input(documents.state, through=Ends(), columns=columns),),
                by="id",
                order=("line",),
                function=Pass(),
                moved=_ENDS,
                schema=_ENDS,
            ),
            Repeat(name=groups, start=ends, steps=(meet, settle), until="changed"),
            Exchange(
                name=decisions,
                inputs=(Input(groups),),
                by="id",
                order=("line",),
                function=Decide(),
                moved=_ENDS,
                schema=DECISION,
            ),
            verdict_step(name, decisions=decisions, of=documents.state),
        )


class Pass(Function):
    """Returns what it gets."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: batches


class Ends(Function):
    """Living documents to `_ENDS` rows: one for the first line, one for the last, if that is another one."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                yield pa.RecordBatch.from_pylist(list(self._rows(batch)), schema=_ENDS)

        return run

    def _rows(self, batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
        for row in batch.filter(pc.is_null(batch["rule"])).to_pylist():
            lines = row["text"].strip().split("\n")
            for line in {lines[0], lines[-1]}:
                same = {"id": row["id"], "label": row["id"], "text_bytes": row["text_bytes"]}
                yield {**same, "line": line, PLACE: row[PLACE]}


class Least(Function):
    """Gives every document at a line the least label that arrives there."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            line, least = None, ""
            for batch in batches:
                rows = batch.to_pylist()
                for row in rows:
                    if row["line"] != line:
                        line, least = row["line"], row["label"]
                    row["least"] = least
                yield pa.RecordBatch.from_pylist(rows, schema=_LEAST)

        return run


class Settle(Function):
    """Takes the least label of both lines of a document, and counts the documents whose label changed."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            documents: dict[str, list[dict[str, Any]]] = {}
            for batch in batches:
                for row in batch.to_pylist():
                    documents.setdefault(row["id"], []).append(row)
            for rows in documents.values():
                label = min(row["least"] for row in rows)
                task().count("changed", int(any(row["label"] != label for row in rows)))
                for row in rows:
                    row["label"] = label
            rows = [row for one in documents.values() for row in one]
            yield pa.RecordBatch.from_pylist([{name: row[name] for name in _ENDS.names} for row in rows], schema=_ENDS)

        return run


class Decide(Function):
    """Rejects the documents whose label is another document."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            seen: dict[str, dict[str, Any]] = {}
            for batch in batches:
                for row in batch.to_pylist():
                    seen[row["id"]] = row
            rejected = [row for row in seen.values() if row["label"] != row["id"]]
            rows = [
                {
                    PLACE: row[PLACE],
                    "text_bytes": row["text_bytes"],
                    "rule": "chained.member",
                    "duplicate_of": row["label"],
                }
                for row in rejected
            ]
            yield pa.RecordBatch.from_pylist(rows, schema=DECISION)

        return run


# -- a stage that reads a table of a published version

_PUBLISHED = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("content_hash", pa.string())])
_MET = pa.schema(
    [
        pa.field("content_hash", pa.string(), nullable=False),
        PLACE_FIELD,
        pa.field("known", pa.string(), nullable=False),
        pa.field("text_bytes", pa.int64(), nullable=False),
    ]
)
"""A living document, with an empty `known`; or, before these, one of the published version, with its id."""


class Seen(Stage):
    """Leave out documents whose text a published version has."""

    of: str | None = Field(default=None, description="The version; by default what the data set shows.")

    def reads(self) -> tuple[str, ...]:
        return ("content_hash",)

    def rules(self) -> tuple[str, ...]:
        return ("seen.before",)

    def inputs(self) -> tuple[TableInput, ...]:
        return (TableInput("published", self.of, "shard", _PUBLISHED),)

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        columns = ("content_hash", "rule", "text_bytes", PLACE)
        decisions = Exchange(
            name=f"{name}.decisions",
            inputs=(
                Input(documents.state, through=Living(), columns=columns),
                Input(documents.tables["published"], through=Known()),
            ),
            by="content_hash",
            order=(PLACE, "known"),
            function=DecideSeen(),
            moved=_MET,
            schema=DECISION,
        )
        return (decisions, verdict_step(name, decisions=decisions.name, of=documents.state))


class Living(Function):
    """Living documents to `_MET` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in map(living, batches):
                unknown = pa.repeat(pa.scalar(""), batch.num_rows)
                columns = [batch["content_hash"], batch[PLACE], unknown, batch["text_bytes"]]
                yield pa.RecordBatch.from_arrays(columns, names=_MET.names)

        return run


class Known(Function):
    """Documents of the published version to `_MET` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                rows = batch.num_rows
                before, none = pa.array(np.full(rows, -1)), pa.array(np.zeros(rows, np.int64))
                columns = [batch["content_hash"], before, batch["id"], none]
                yield pa.RecordBatch.from_arrays(columns, names=_MET.names)

        return run


class DecideSeen(Function):
    """Reject the documents that come behind a published one with their text."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: map(self._decided, whole_groups(batches, by="content_hash"))

    def _decided(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        starts = run_starts(batch["content_hash"])
        first = batch["known"].take(pa.array(starts[group_numbers(starts, rows=batch.num_rows)]))
        again = pc.and_(pc.not_equal(first, ""), pc.equal(batch["known"], ""))
        return decided(batch, np.asarray(again), DECISION, rule="seen.before", duplicate_of=first)
