"""Check that no verified pair stands in different splits: each pair meets the splits of both of its documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.runs import with_first_of_run
from corpusmill.pipelines.stages.leakage.groups import GROUP
from corpusmill.schemas.document import SPLITS

PAIRS: Final = "pairs"
"""Counter of the verified pairs."""
SEPARATED: Final = "separated"
"""Counter of those whose documents are in different splits."""
_NOWHERE: Final = -1
_DOCUMENT, _PAIR = 0, 1

END: Final = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in ("place", "kind", "other", "split")])
"""A document with its split (an index into `SPLITS`), or a pair: the place of one document, and that of the other."""


def check_steps(name: str, *, census: str, pairs: Sequence[tuple[str, tuple[str, str]]]) -> tuple[Exchange, ...]:
    """Return the steps that count separated pairs.

    Args:
        name: The last step, which counts; the other one is ``name.<suffix>``.
        census: The state of the documents in which they have a split.
        pairs: Steps with verified pairs, and their columns with the places of both documents.
    """
    ends = f"{name}.ends"
    documents = Input(census, through=DocumentEnds(), columns=("split", GROUP, PLACE), where=GROUP)
    both = (Input(step, through=PairEnds(columns=columns)) for step, columns in pairs)
    return (
        _step(ends, (documents, *both), PassOn()),
        _step(name, (documents, Input(ends)), CountSeparated()),
    )


def _step(name: str, inputs: tuple[Input, ...], function: Function) -> Exchange:
    order = ("kind", "other", "split")
    return Exchange(name=name, inputs=inputs, by="place", order=order, function=function, moved=END, schema=END)


class DocumentEnds(Function):
    """Turns documents in groups into `END` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `split`, `GROUP`, `PLACE`."""
        return lambda batches: (_document_ends(batch.filter(pc.is_valid(batch[GROUP]))) for batch in batches)


def _document_ends(batch: pa.RecordBatch) -> pa.RecordBatch:
    split = pc.fill_null(pc.index_in(batch["split"], pa.array(SPLITS)), _NOWHERE).cast(pa.int64())
    return _ends(batch[PLACE], kind=_DOCUMENT, split=split)


class PairEnds(Function):
    """Turns pairs of different documents, whose places are in two *columns*, into `END` rows."""

    columns: tuple[str, str]

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        return lambda batches: (self._rows(*(batch[name] for name in self.columns)) for batch in batches)

    def _rows(self, place: pa.Int64Array, other: pa.Int64Array) -> pa.RecordBatch:
        is_pair = pc.not_equal(place, other)
        return _ends(place.filter(is_pair), kind=_PAIR, other=other.filter(is_pair))


def _ends(place: pa.Int64Array, *, kind: int, **columns: pa.Int64Array) -> pa.RecordBatch:
    nowhere = pa.repeat(pa.scalar(_NOWHERE, pa.int64()), len(place))
    columns = {"place": place, "kind": pa.repeat(pa.scalar(kind, pa.int64()), len(place)), **columns}
    return pa.RecordBatch.from_arrays([columns.get(name, nowhere) for name in END.names], schema=END)


class PassOn(Function):
    """Sends the split of the one document of each pair to the other one."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `END` rows sorted by (`place`, `kind`)."""

        def run(batches: Batches) -> Batches:
            for rows in with_first_of_run(batches, by=("place",), of=("split",)):
                batch = rows.batch.set_column(3, END.field("split"), rows.first["split"])
                pairs = batch.filter(pc.equal(batch["kind"], _PAIR))
                yield _ends(pairs["other"], kind=_PAIR, other=pairs["place"], split=pairs["split"])

        return run


class CountSeparated(Function):
    """Counts pairs and separated pairs. It returns no rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `END` rows sorted by (`place`, `kind`)."""

        def run(batches: Batches) -> Batches:
            for rows in with_first_of_run(batches, by=("place",), of=("split",)):
                is_pair = np.asarray(rows.batch["kind"]) == _PAIR
                split, other = np.asarray(rows.first["split"]), np.asarray(rows.batch["split"])
                is_together = (split == other) & (split != _NOWHERE) & ~(rows.is_first & is_pair)
                task().count(PAIRS, int(is_pair.sum()))
                task().count(SEPARATED, int((is_pair & ~is_together).sum()))
                yield rows.batch.slice(0, 0)

        return run
