"""Match documents with the template of their site without moving texts, then cut the pieces from each document.

Each piece of a template is recorded once in the ledger, with the text of its witness page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Function
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.stages.apply import Law, settle, text_bytes, total
from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, SideTable, Stage, Transform, reject
from corpusmill.pipelines.stages.identity import captured_us
from corpusmill.pipelines.stages.site_boilerplate.pages import HOST, KEYS, TEXT_HASH, host_of, named
from corpusmill.pipelines.stages.site_boilerplate.pieces import has_words, pieces, without
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD
from corpusmill.schemas.document import LEDGER
from corpusmill.schemas.identity import capture_hash, document_id, first_64_bits_column

NOTHING_LEFT: Final = "site_boilerplate.nothing_left"
"""Every piece of the document is part of the template of its site."""
TEMPLATE: Final = "site_boilerplate.template"
"""Rule of ledger rows for pieces that were cut. They never were documents and count as *created*."""
CUT_BYTES: Final = pa.field("site_boilerplate.cut_bytes", pa.int64())
"""UTF-8 bytes cut from the text; null if the site is unknown."""
MAX_SHOWN: Final = 10_000
"""Maximum number of characters of a piece in the ledger."""
CREATED: Final = "created"
"""The side table of pieces that were cut, as ledger rows."""

_TEMPLATE, _DOCUMENT = 0, 1
"""Sort order of the rows of a site: its template, then its documents."""
_LANE_BITS: Final = 4
_LANES: Final = 1 << _LANE_BITS
"""The documents of a site are spread over this many keys, by the first digit of their ids, so that no worker has all
pages of a large site. The template is sent to all keys."""
_WITNESSED: Final = pa.list_(pa.struct([("piece", pa.int64()), ("pages", pa.int64()), ("of", pa.int64())]))
MOVED: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("site_place", pa.int64(), nullable=False),
        pa.field("site_host", pa.int64(), nullable=False),
        pa.field("site_role", pa.int32(), nullable=False),
        pa.field("site_piece", pa.int64(), nullable=False),
        pa.field("site_captured", pa.int64(), nullable=False),
        pa.field("site_text_hash", pa.int64(), nullable=False),
        pa.field("site_pages", pa.int64()),
        pa.field("site_of", pa.int64()),
        pa.field("keys", pa.list_(pa.int64())),
        PLACE_FIELD,
    ]
)
"""A piece of a template, or a document with the keys of its pieces; `site_role` tells them apart."""
ORDER: Final = ("site_host", "site_role", "site_piece", "id", "site_captured", "site_text_hash", PLACE)
BY: Final = "site_place"
CUT, WITNESSED = "cut", "witnessed"
"""Columns added to documents, prefixed with the stage's name and a dot: the keys of the pieces to cut, and the pieces
for which this document is the witness in the ledger."""


def cuts_schema(stage: str) -> pa.Schema:
    """Return the schema of the output of `Match`."""
    return pa.schema([PLACE_FIELD, (f"{stage}.{CUT}", pa.list_(pa.int64())), (f"{stage}.{WITNESSED}", _WITNESSED)])


class DocumentRows(Function):
    """Turns documents with a known site into `MOVED` rows.

    Args:
        stage: The stage's name.
    """

    version: ClassVar[int] = 2

    stage: str

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (_document_rows(batch, named(self.stage)) for batch in batches)


def _document_rows(batch: pa.RecordBatch, names: dict[str, str]) -> pa.RecordBatch:
    batch = batch.filter(pc.is_valid(batch[names[HOST]]))
    rows = batch.num_rows
    host = np.asarray(batch[names[HOST]])
    lane = (first_64_bits_column(batch["id"]) >> np.uint64(64 - _LANE_BITS)).astype(np.int64)
    columns = {
        "id": batch["id"],
        "site_place": pa.array(_place(host, lane)),
        "site_host": batch[names[HOST]],
        "site_role": pa.array(np.full(rows, _DOCUMENT, np.int32)),
        "site_piece": pa.array(np.zeros(rows, np.int64)),
        "site_captured": captured_us(batch["fetched_at"]),
        "site_text_hash": batch[names[TEXT_HASH]],
        "site_pages": pa.nulls(rows, pa.int64()),
        "site_of": pa.nulls(rows, pa.int64()),
        "keys": batch[names[KEYS]],
        PLACE: batch[PLACE],
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in MOVED.names], schema=MOVED)


def _place(host: Any, lane: Any) -> Any:
    """Return the key of one lane of a site: its number with the last four bits replaced by the lane."""
    return host & ~np.int64(_LANES - 1) | lane


class TemplateRows(Function):
    """Sends the pieces of a site's template to each lane of the site."""

    version: ClassVar[int] = 2

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: map(_template_rows, batches)


def _template_rows(batch: pa.RecordBatch) -> pa.RecordBatch:
    rows = pa.array(np.repeat(np.arange(batch.num_rows), _LANES))
    lanes = np.tile(np.arange(_LANES), batch.num_rows)
    batch = batch.take(rows)
    count = len(rows)
    columns = {
        "id": batch["id"],
        "site_place": pa.array(_place(np.asarray(batch["host"]), lanes)),
        "site_host": batch["host"],
        "site_role": pa.array(np.full(count, _TEMPLATE, np.int32)),
        "site_piece": batch["piece"],
        "site_captured": pa.array(np.zeros(count, np.int64)),
        "site_text_hash": batch["text_hash"],
        "site_pages": batch["pages"],
        "site_of": batch["of"],
        "keys": pa.nulls(count, MOVED.field("keys").type),
        PLACE: pa.array(np.full(count, -1, np.int64)),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in MOVED.names], schema=MOVED)


@dataclass(slots=True)
class _Template:
    """The template of a site: its pieces with their page counts, and the pieces that each witness must record."""

    pieces: dict[int, tuple[int, int]] = field(default_factory=dict)
    witnesses: dict[tuple[str, int], list[int]] = field(default_factory=dict)

    def add(self, rows: pa.RecordBatch) -> None:
        """Add the pieces in *rows*."""
        for row in rows.select(["id", "site_piece", "site_text_hash", "site_pages", "site_of"]).to_pylist():
            self.pieces[row["site_piece"]] = row["site_pages"], row["site_of"]
            self.witnesses.setdefault((row["id"], row["site_text_hash"]), []).append(row["site_piece"])


_Templates: TypeAlias = dict[tuple[int, int], _Template]
"""Templates by place and number of the site."""


class Match(Function):
    """Gives documents the keys of the pieces to cut, and the pieces for which they are the witness.

    Holds the current batch and the template of the current site.

    Args:
        stage: The stage's name.
    """

    version: ClassVar[int] = 2

    stage: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by `BY` and `ORDER`."""

        def run(batches: Batches) -> Batches:
            templates: _Templates = {}
            for batch in (batch for batch in batches if batch.num_rows):
                last = _learn(batch, templates)
                yield self._matched(batch.filter(pc.equal(batch["site_role"], _DOCUMENT)), templates)
                templates = {key: template for key, template in templates.items() if key == last}

        return run

    def _matched(self, documents: pa.RecordBatch, templates: _Templates) -> pa.RecordBatch:
        rows: list[dict[str, Any]] = []
        names = (documents[name].to_pylist() for name in ("id", "site_text_hash", "keys", PLACE))
        for site, document, text_hash, keys, place in zip(_keys(documents), *names, strict=True):
            template = templates.get(site)
            if template is None:
                continue
            cut = [key for key in keys if key in template.pieces]
            shown = template.witnesses.pop((document, text_hash), ())
            if cut or shown:
                pages = [(number, *template.pieces[number]) for number in shown]
                witnessed = [dict(zip(("piece", "pages", "of"), one, strict=True)) for one in pages]
                rows.append({PLACE: place, f"{self.stage}.{CUT}": cut, f"{self.stage}.{WITNESSED}": witnessed or None})
        return pa.RecordBatch.from_pylist(rows, schema=cuts_schema(self.stage))


def _learn(batch: pa.RecordBatch, templates: _Templates) -> tuple[int, int]:
    """Add the template pieces in *batch* to *templates* and return the key of its last row."""
    rows = batch.filter(pc.equal(batch["site_role"], _TEMPLATE))
    keys = _keys(rows)
    starts = [n for n, key in enumerate(keys) if not n or key != keys[n - 1]]
    for start, end in pairwise([*starts, len(keys)]):
        templates.setdefault(keys[start], _Template()).add(rows.slice(start, end - start))
    return _keys(batch.slice(batch.num_rows - 1))[0]


def _keys(batch: pa.RecordBatch) -> list[tuple[int, int]]:
    return list(zip(batch[BY].to_pylist(), batch["site_host"].to_pylist(), strict=True))


class Pass(Function):
    """Returns its input."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: batches


class CutPieces(Stage):
    """Cuts the pieces selected by `Match` from each document.

    Args:
        stage: Name of the stage in the recipe.
        share: The bound recorded in the ledger.
    """

    version: ClassVar[int] = 2

    stage: str
    share: float

    def reads(self) -> tuple[str, ...]:
        """Return the text, and the columns recorded in the ledger."""
        return ("url", "source", *(f"{self.stage}.{name}" for name in (HOST, CUT, WITNESSED)))

    def changes(self) -> tuple[str, ...]:
        """Return the text column."""
        return ("text",)

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the signal that is measured."""
        return (CUT_BYTES,)

    def rules(self) -> tuple[str, ...]:
        """Return both rules."""
        return (NOTHING_LEFT, TEMPLATE)

    def sides(self) -> dict[str, SideTable]:
        """Return the side table of pieces that were cut."""
        return {CREATED: SideTable(LEDGER, is_ledger=True)}

    def build(self) -> Transform:
        """Return the function."""

        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            rows = list(_evidence(batch, self.stage, self.share))
            if rows:
                task().emit(CREATED, _created(rows, self.stage))
            return _without_pieces(batch, self.stage)

        return run


def _without_pieces(living: pa.RecordBatch, stage: str) -> pa.RecordBatch:
    """Return *living* documents without the pieces to cut. Documents that become empty are rejected."""
    texts = living["text"]
    cuts = living[f"{stage}.{CUT}"]
    shorter: dict[int, str] = {}
    for row in np.flatnonzero(np.asarray(pc.is_valid(cuts))).tolist():
        if text := texts[row].as_py():
            shorter[row] = without(text, pieces(text), set(cuts[row].as_py()))
    emptied = np.zeros(living.num_rows, np.bool_)
    emptied[[row for row, text in shorter.items() if not has_words(text) and has_words(texts[row].as_py())]] = True
    if shorter:
        after = [shorter.get(row) for row in range(living.num_rows)]
        changed = pa.array([row in shorter for row in range(living.num_rows)])
        texts = pc.if_else(changed, pa.array(after, pa.string()), texts)
    cut = pc.subtract(text_bytes(living["text"]), text_bytes(texts))
    index = living.schema.get_field_index("text")
    kept = pc.if_else(pa.array(emptied), living["text"], texts)
    result = living.set_column(index, living.schema.field(index), kept)
    known = pc.is_valid(living[f"{stage}.{HOST}"])
    result = result.append_column(CUT_BYTES, pc.if_else(known, cut, pa.scalar(None, pa.int64())))
    result = result.append_column(TEXT_ADDED, pa.array(np.zeros(living.num_rows, np.int64)))
    result = result.append_column(TEXT_CUT, pc.if_else(pa.array(emptied), 0, cut))
    return reject(result, emptied, rule=NOTHING_LEFT, value=0.0, threshold=1.0)


def _evidence(living: pa.RecordBatch, stage: str, share: float) -> Iterator[dict[str, Any]]:
    """Yield the ledger rows of the pieces for which a document of *living* is the witness."""
    shown = living[f"{stage}.{WITNESSED}"]
    for row in np.flatnonzero(np.asarray(pc.is_valid(shown))).tolist():
        text, url, source = (living[column][row].as_py() for column in ("text", "url", "source"))
        texts = {piece.key: text[piece.start : piece.end] for piece in reversed(pieces(text))}
        for one in shown[row].as_py():
            standing = one["pages"], one["of"]
            yield _recorded(texts[one["piece"]], one["piece"], standing, url=url, source=source, share=share)


def _recorded(
    piece: str, number: int, standing: tuple[int, int], *, url: str, source: str, share: float
) -> dict[str, Any]:
    pages, of = standing
    host = host_of(url)
    name = f"{host}#{number & 2**64 - 1:016x}"
    return {
        "id": document_id(source, name),
        "source": source,
        "source_id": name,
        "record_sha256": capture_hash(piece.encode()),
        "url": url,
        "rule": TEMPLATE,
        "value": pages / of,
        "threshold": share,
        "message": f"on {pages} of {of} pages of {host}",
        "sample_text": piece,
        "text_bytes": len(piece.encode()),
    }


def _created(rows: list[dict[str, Any]], stage: str) -> pa.RecordBatch:
    """Return the rows of pieces as ledger rows, counted as created and added."""
    law = Law(stage)
    schema = pa.schema([column.with_nullable(True) for column in LEDGER])
    batch = pa.RecordBatch.from_pylist(rows, schema=schema)
    law.count("created", batch.num_rows)
    law.count("bytes_added", total(batch["text_bytes"]))
    batch = settle(batch, name=stage, law=law)
    index = batch.schema.get_field_index("sample_text")
    shown = pc.utf8_slice_codeunits(batch["sample_text"], 0, MAX_SHOWN)
    return batch.set_column(index, batch.schema.field(index), shown)
