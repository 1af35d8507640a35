"""Documents meet the template of their site: its pieces are cut out, and each is told once in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Function, resolve
from corpusmill.pipelines.stages.apply import Law, apply, settle, text_bytes
from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, LearnStage, reject
from corpusmill.pipelines.stages.site_boilerplate.pages import NO_HOST, captured, host_numbers, host_of, text_hashes
from corpusmill.pipelines.stages.site_boilerplate.pieces import has_words, pieces, without
from corpusmill.schemas.document import TEMPLATE
from corpusmill.schemas.identity import capture_hash, document_id, first_64_bits_column

NOTHING_LEFT: Final = "site_boilerplate.nothing_left"
"""Every piece of the document belongs to the template of its site."""
CUT_BYTES: Final = pa.field("site_boilerplate.cut_bytes", pa.int64())
"""UTF-8 bytes that were cut out of the text; null where the site is not known."""
MAX_SHOWN: Final = 10_000
"""Characters of a piece that the ledger shows at most."""

_TEMPLATE, _DOCUMENT = 0, 1
"""Order of the rows of a site: its template, then its documents."""
_LANE_BITS: Final = 4
_LANES: Final = 1 << _LANE_BITS
"""A site's documents are spread over this many keys, by the first digit of their ids, so that no worker has all pages
of a large site; the template goes to all of them."""
_META: Final = (
    pa.field("site_place", pa.int64(), nullable=False),
    pa.field("site_host", pa.int64(), nullable=False),
    pa.field("site_role", pa.int32(), nullable=False),
    pa.field("site_piece", pa.int64(), nullable=False),
    pa.field("site_captured", pa.int64(), nullable=False),
    pa.field("site_text_hash", pa.int64(), nullable=False),
    pa.field("site_pages", pa.int64()),
    pa.field("site_of", pa.int64()),
)
ORDER: Final = ("site_host", "site_role", "site_piece", "id", "site_captured", "record_sha256", "site_text_hash")
BY: Final = "site_place"


def moved_schema(documents: pa.Schema) -> pa.Schema:
    """Give the schema of the exchanged rows: pieces of templates, and documents with the columns of *documents*."""
    required = {"id", "record_sha256"}
    return pa.schema([*(f if f.name in required else f.with_nullable(True) for f in documents), *_META])


class DocumentRows(Function):
    """Gives documents the columns by which they meet the template of their site."""

    version: ClassVar[int] = 1

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: map(_document_rows, batches)


def _document_rows(batch: pa.RecordBatch) -> pa.RecordBatch:
    host = np.asarray(host_numbers(batch["url"]))
    place = first_64_bits_column(batch["id"])
    lane = (place >> np.uint64(64 - _LANE_BITS)).astype(np.int64)
    alone = (place >> np.uint64(4)).astype(np.int64)
    role = np.full(batch.num_rows, _DOCUMENT, np.int32)
    columns = {
        "site_place": pa.array(np.where(host == NO_HOST, alone, _place(host, lane))),
        "site_host": pa.array(host),
        "site_role": pa.array(role),
        "site_piece": pa.array(np.zeros(batch.num_rows, np.int64)),
        "site_captured": captured(batch),
        "site_text_hash": text_hashes(batch["text"]),
    }
    for name, values in columns.items():
        batch = batch.append_column(name, values)
    return batch


def _place(host: Any, lane: Any) -> Any:
    """Give the key of one lane of a site: its number with the lane in the place of its last four bits."""
    return host & ~np.int64(_LANES - 1) | lane


class TemplateRows(Function):
    """Gives each lane of a site the pieces of the site's template."""

    version: ClassVar[int] = 1

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: map(_template_rows, batches)


def _template_rows(batch: pa.RecordBatch) -> pa.RecordBatch:
    rows = pa.array(np.repeat(np.arange(batch.num_rows), _LANES))
    lanes = np.tile(np.arange(_LANES), batch.num_rows)
    batch = batch.take(rows)
    zeros = pa.array(np.zeros(len(rows), np.int64))
    return pa.record_batch(
        {
            "id": batch["id"],
            "record_sha256": pa.repeat("", len(rows)),
            "site_place": pa.array(_place(np.asarray(batch["host"]), lanes)),
            "site_host": batch["host"],
            "site_role": pa.array(np.full(len(rows), _TEMPLATE, np.int32)),
            "site_piece": batch["piece"],
            "site_captured": zeros,
            "site_text_hash": batch["text_hash"],
            "site_pages": batch["pages"],
            "site_of": batch["of"],
        }
    )


@dataclass(slots=True)
class _Template:
    """The template of a site: its pieces with their pages and all pages, and what each witness has still to tell."""

    pieces: dict[int, tuple[int, int]] = field(default_factory=dict)
    witnesses: dict[tuple[str, int], list[int]] = field(default_factory=dict)

    def add(self, rows: pa.RecordBatch) -> None:
        """Take the pieces of *rows* in."""
        for row in rows.select(["id", "site_piece", "site_text_hash", "site_pages", "site_of"]).to_pylist():
            self.pieces[row["site_piece"]] = row["site_pages"], row["site_of"]
            self.witnesses.setdefault((row["id"], row["site_text_hash"]), []).append(row["site_piece"])


_Templates: TypeAlias = dict[tuple[int, int], _Template]
"""Templates by place and number of the site."""


class Cut(Function):
    """Cuts the pieces of templates out of documents, and gives a row of the ledger for each piece.

    What is held is the batch at hand, and the template of the last site.

    Args:
        stage: Name of the stage in the recipe.
        function: Where its class is, as ``module:Class``.
        params: Its parameters as JSON.
    """

    version: ClassVar[int] = 1

    stage: str
    function: str
    params: str

    @classmethod
    def of(cls, name: str, stage: LearnStage) -> Cut:
        """Give the function that cuts for *stage* under *name*."""
        place = f"{type(stage).__module__}:{type(stage).__qualname__}"
        return cls(stage=name, function=place, params=stage.model_dump_json())

    def identity(self) -> dict[str, Any]:
        return {**super().identity(), "stage_version": resolve(self.function).version}

    def distributions(self) -> tuple[str, ...]:
        return ("pyarrow",)

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function over rows sorted by `BY` and `ORDER`."""
        stage: Any = resolve(self.function).model_validate_json(self.params)

        def run(batches: Batches) -> Batches:
            templates: _Templates = {}
            for batch in (batch for batch in batches if batch.num_rows):
                last = _learn(batch, templates)
                documents = batch.filter(pc.equal(batch["site_role"], _DOCUMENT))
                if documents.num_rows:
                    yield from self._cut(documents, templates, stage)
                templates = {key: template for key, template in templates.items() if key == last}

        return run

    def _cut(self, documents: pa.RecordBatch, templates: _Templates, stage: Any) -> Iterator[pa.RecordBatch]:
        told = list(_evidence(documents, templates, stage.share))
        cut = apply(lambda living: _without_templates(living, templates), documents, name=self.stage, stage=stage)
        cut = cut.drop_columns([field.name for field in _META])
        yield cut
        if told:
            schema = pa.schema([field.with_nullable(True) for field in cut.schema])
            yield _created(pa.RecordBatch.from_pylist(told, schema=schema), Law(self.stage), self.stage)


def _learn(batch: pa.RecordBatch, templates: _Templates) -> tuple[int, int]:
    """Put the pieces of templates that *batch* holds into *templates*; give the key of its last row."""
    rows = batch.filter(pc.equal(batch["site_role"], _TEMPLATE))
    keys = _keys(rows)
    starts = [n for n, key in enumerate(keys) if not n or key != keys[n - 1]]
    for start, end in pairwise([*starts, len(keys)]):
        templates.setdefault(keys[start], _Template()).add(rows.slice(start, end - start))
    return _keys(batch.slice(batch.num_rows - 1))[0]


def _keys(batch: pa.RecordBatch) -> list[tuple[int, int]]:
    return list(zip(batch[BY].to_pylist(), batch["site_host"].to_pylist(), strict=True))


def _without_templates(living: pa.RecordBatch, templates: _Templates) -> pa.RecordBatch:
    """Give *living* documents without the templates of their sites, with what was cut; the emptied ones rejected."""
    texts = living["text"]
    shorter: dict[int, str] = {}
    for row, key in enumerate(_keys(living) if templates else ()):
        template = templates.get(key)
        if template is not None and (text := texts[row].as_py()):
            shorter[row] = without(text, pieces(text), template.pieces)
    emptied = np.zeros(living.num_rows, np.bool_)
    emptied[[row for row, text in shorter.items() if not has_words(text) and has_words(texts[row].as_py())]] = True
    if shorter:
        after = [shorter.get(row) for row in range(living.num_rows)]
        changed = pa.array([row in shorter for row in range(living.num_rows)])
        texts = pc.if_else(changed, pa.array(after, pa.string()), texts)
    cut = pc.subtract(_bytes(living["text"]), _bytes(texts))
    index = living.schema.get_field_index("text")
    kept = pc.if_else(pa.array(emptied), living["text"], texts)
    result = living.set_column(index, living.schema.field(index), kept)
    known = pc.not_equal(living["site_host"], NO_HOST)
    result = result.append_column(CUT_BYTES, pc.if_else(known, cut, pa.scalar(None, pa.int64())))
    result = result.append_column(TEXT_ADDED, pa.array(np.zeros(living.num_rows, np.int64)))
    result = result.append_column(TEXT_CUT, pc.if_else(pa.array(emptied), 0, cut))
    return reject(result, emptied, rule=NOTHING_LEFT, value=0.0, threshold=1.0)


def _bytes(texts: pa.Array) -> pa.Array:
    return pc.fill_null(pc.binary_length(texts), 0).cast(pa.int64())


def _evidence(documents: pa.RecordBatch, templates: _Templates, share: float) -> Iterator[dict[str, Any]]:
    """Give the rows that tell the pieces of *templates* whose witness is among *documents*, each once."""
    if not any(template.witnesses for template in templates.values()):
        return
    living = documents.filter(pc.is_null(documents["rule"]))
    names = zip(living["id"].to_pylist(), living["site_text_hash"].to_pylist(), strict=True)
    for row, (key, name) in enumerate(zip(_keys(living), names, strict=True)):
        template = templates.get(key)
        numbers = template.witnesses.pop(name, ()) if template is not None else ()
        if template is None or not numbers:
            continue
        text, url, source = (living[column][row].as_py() for column in ("text", "url", "source"))
        found = {piece.key: text[piece.start : piece.end] for piece in reversed(pieces(text))}
        for number in numbers:
            yield _told(found[number], number, template.pieces[number], url=url, source=source, share=share)


def _told(piece: str, number: int, standing: tuple[int, int], *, url: str, source: str, share: float) -> dict[str, Any]:
    pages, of = standing
    host = host_of(url)
    name = f"{host}#{number & 2**64 - 1:016x}"
    return {
        "id": document_id(source, name),
        "source": source,
        "source_id": name,
        "record_sha256": capture_hash(piece.encode()),
        "url": url,
        "text": piece,
        "rule": TEMPLATE,
        "value": pages / of,
        "threshold": share,
        "message": f"on {pages} of {of} pages of {host}",
    }


def _created(batch: pa.RecordBatch, law: Law, stage: str) -> pa.RecordBatch:
    """Give the rows of pieces without their text, as they lie in the ledger, counted as created and added."""
    shown = pc.utf8_slice_codeunits(batch["text"], 0, MAX_SHOWN)
    law.count("created", batch.num_rows)
    law.count("bytes_added", text_bytes(batch["text"]))
    batch = settle(batch, name=stage, law=law)
    index = batch.schema.get_field_index("sample_text")
    return batch.set_column(index, batch.schema.field(index), shown)
