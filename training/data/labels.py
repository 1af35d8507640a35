"""Label the rows of a corpus by a column or a signal, so that a mixture can take them in parts.

A text column (`source`, `language`) gives one label for each of its values; a number (`word_count`, or a signal such as
`gopher.word_count`) gives one for each bucket between its quantiles.
"""

from __future__ import annotations

import itertools
import posixpath
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.schemas.errors import SourceError, UsageError
from corpusmill.schemas.storage import StoredFile, open_store
from corpusmill.training.data.reading import reading
from corpusmill.training.data.selection import Labels, Selection
from corpusmill.training.data.shards import Corpus, Shard

MAX_LABELS: Final = 1000
_NO_VALUE: Final = ""
"""Name of the label of rows without a value."""


@dataclass(frozen=True, eq=False)
class Labeled:
    """A corpus with one label for each row.

    Attributes:
        by: The column or signal.
        names: What each label means: ``source: wiki``, or a bucket such as ``word_count: 250 to 900``.
        labels: The label of each row, by the key of its file.
        sizes: UTF-8 bytes of the texts with each label.
    """

    by: str
    names: tuple[str, ...]
    labels: dict[str, Labels]
    sizes: tuple[int, ...]

    def value(self, label: int) -> str:
        """Return the value or bucket that *label* means, without the name of the column."""
        return self.names[label].removeprefix(f"{self.by}: ")

    def selection(self, label: int) -> Selection:
        """Return the selection of the rows with *label*."""
        return Selection(self.names[label], self.labels, label)


def label_rows(corpus: Corpus, by: str, *, buckets: int = 4) -> Labeled:
    """Label the rows of *corpus* by the column or signal *by*.

    Memory: two bytes a row, and while numbers are sorted into buckets, eight more.

    Args:
        buckets: Number of buckets for numbers; buckets that would be equal are merged. Rows without a number form a
            bucket of their own.

    Raises:
        UsageError: There is no such column or signal, it is neither text nor a number, or it has too many values.
        DamagedFileError: A file is missing or cannot be read.
        UnfinishedError: The store refuses access or does not respond.
    """
    values = {shard.file.key: _values(corpus, shard, by) for shard in corpus.shards}
    kinds = {column.type for column in values.values()}
    if all(pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in kinds):
        names, labels = _by_value(by, values)
    elif all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
        names, labels = _by_bucket(values, buckets=buckets)
    else:
        raise UsageError(f"`{by}` is {next(iter(kinds))}, neither text nor a number", hint="name another column")
    named = tuple(f"{by}: {name}" for name in names)
    return Labeled(by, named, labels, _sizes(corpus, labels, count=len(names)))


def crossed(corpus: Corpus, values: Labeled, buckets: Labeled) -> Labeled:
    """Return the labels of all pairs: the one of value v and bucket b is v times the number of buckets, plus b.

    Raises:
        UsageError: There are too many pairs.
    """
    count = len(buckets.names)
    if len(values.names) * count > np.iinfo(np.int16).max:
        reason = f"`{values.by}` and `{buckets.by}` have {len(values.names) * count:,} pairs of values"
        raise UsageError(reason, hint="use fewer `buckets`, or another column")
    names = tuple(f"{value}; {bucket}" for value in values.names for bucket in buckets.names)
    labels = {key: (own * count + buckets.labels[key]).astype(np.int16) for key, own in values.labels.items()}
    return Labeled(f"{values.by}; {buckets.by}", names, labels, _sizes(corpus, labels, count=len(names)))


def _values(corpus: Corpus, shard: Shard, by: str) -> pa.ChunkedArray:
    with reading(shard.file) as opened:
        names = opened.schema_arrow.names
        if by in names:
            return opened.read(columns=[by], use_threads=False).column(0)
        ids = opened.read(columns=["id"], use_threads=False).column(0) if "id" in names else None
    signals = _signal_files(corpus)
    known = sorted({name for file in signals for name in _names(file)} - {"id"})
    if ids is None or by not in known:
        found = f"columns: {', '.join(names)}" + (f"; signals: {', '.join(known)}" if known else "")
        raise UsageError(f"{corpus.path} has no column or signal `{by}`", hint=found)
    return _joined(ids, signals, by)


def _joined(ids: pa.ChunkedArray, signals: list[StoredFile], by: str) -> pa.ChunkedArray:
    """Return the signal *by* of each of *ids*, null for documents that were not measured."""
    found = pa.nulls(len(ids), pa.float64())
    for file in signals:
        with reading(file) as opened:
            for batch in opened.iter_batches(batch_size=1 << 16, columns=["id", by], use_threads=False):
                places = pc.index_in(ids, value_set=batch.column("id"))
                found = pc.coalesce(found, batch.column(by).cast(pa.float64()).take(places.combine_chunks()))
    return pa.chunked_array([found]) if isinstance(found, pa.Array) else found


def _signal_files(corpus: Corpus) -> list[StoredFile]:
    store = open_store(corpus.path) if not corpus.path.endswith(".parquet") else None
    if store is None:
        return []
    return [
        StoredFile(store, entry.key, entry.size)
        for entry in sorted(store.files())
        if posixpath.basename(entry.key).startswith("signals-") and entry.key.endswith(".parquet")
    ]


def _names(file: StoredFile) -> list[str]:
    with reading(file) as opened:
        names: list[str] = opened.schema_arrow.names
        return names


def _by_value(by: str, values: dict[str, pa.ChunkedArray]) -> tuple[tuple[str, ...], dict[str, Labels]]:
    found = sorted({value or _NO_VALUE for column in values.values() for value in pc.unique(column).to_pylist()})
    if len(found) > MAX_LABELS:
        raise UsageError(f"`{by}` has {len(found):,} values, more than {MAX_LABELS:,}", hint="name another column")
    known = pa.array(found, pa.string())
    labels = {
        key: pc.index_in(pc.fill_null(column.cast(pa.string()), _NO_VALUE), value_set=known).to_numpy().astype(np.int16)
        for key, column in values.items()
    }
    return tuple(found), labels


def _by_bucket(values: dict[str, pa.ChunkedArray], *, buckets: int) -> tuple[tuple[str, ...], dict[str, Labels]]:
    numbers = {key: column.cast(pa.float64()).to_numpy() for key, column in values.items()}
    known = np.concatenate([column[~np.isnan(column)] for column in numbers.values()])
    if not len(known):
        raise SourceError("no row has a number to make buckets of")
    # Quantiles that are values of the column, so that bounds do not depend on how numbers are interpolated.
    inner = np.quantile(known, np.arange(1, buckets) / buckets, method="lower") if buckets > 1 else np.empty(0)
    bounds = np.unique(inner[inner < known.max()])
    edges = [known.min(), *bounds, known.max()]
    names = [f"{_shown(low)} to {_shown(high)}" for low, high in itertools.pairwise(edges)]
    labels = {}
    for key, column in numbers.items():
        missing = np.isnan(column)
        labels[key] = np.where(missing, len(names), np.searchsorted(bounds, column, side="left")).astype(np.int16)
    if any((one == len(names)).any() for one in labels.values()):
        names.append("no value")
    return tuple(names), labels


def _shown(number: float) -> str:
    return f"{number:.10g}"


def _sizes(corpus: Corpus, labels: dict[str, Labels], *, count: int) -> tuple[int, ...]:
    total: Counter[int] = Counter()
    for shard in corpus.shards:
        first = 0
        with reading(shard.file) as opened:
            for batch in opened.iter_batches(batch_size=1 << 14, columns=[corpus.text_column], use_threads=False):
                lengths: npt.NDArray[Any] = pc.fill_null(pc.binary_length(batch.column(0)), 0).to_numpy()
                own = labels[shard.file.key][first : first + len(lengths)]
                sums = np.bincount(own, weights=lengths, minlength=count)
                total.update({label: int(size) for label, size in enumerate(sums)})
                first += len(lengths)
    return tuple(total[label] for label in range(count))
