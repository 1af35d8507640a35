"""Count in how many documents each word occurs, and pass the frequent words on to the steps that weigh words.

Words are counted in the first `SAMPLE` documents in the order of priority. With ``keep: oldest``, documents that are
added later therefore do not change the weights of earlier ones, once there are that many. Three exchanges count:

1. `Cut` finds the last document of the sample. Only priorities and beginnings of ids are exchanged.
2. `SumCounts` adds up the occurrences of each word in the sample.
3. `Publish` counts the most frequent words in counters of its step, from which `Weighing` makes a `words.Rarity`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Counters, Exchange, Function, Input, Value
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.groups import run_starts, whole_groups
from corpusmill.pipelines.stages.dedup.priority import Keep, priorities, priority_columns
from corpusmill.pipelines.stages.dedup.semantic.words import EIGHTHS, Rarity, ratio_eighths, word_counts
from corpusmill.pipelines.stages.verdicts import living

SAMPLE: Final = 20_000
"""Documents in which words are counted. Documents that do not differ in priority and id count as one."""
MAX_WORDS: Final = 2_048
"""Words with a frequency of their own. All others weigh as much as the rarest of these."""
_RARE: Final = 256
"""A word in fewer than one of as many documents is rare: it has no frequency of its own."""
_ID_BYTES: Final = 7
_DOCUMENTS, _PRIORITY, _ID = "documents", "priority", "id"
"""Counters of the sample: its size, and the priority and id of its last document."""
_TEXT_BYTES: Final = 4_000_000

ORDER: Final = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in (_PRIORITY, _ID)])
"""A document in the order of priority; `id` is a number that the id begins with."""
COUNT: Final = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in ("word", "documents")])
"""In how many documents a word is."""
FREQUENT: Final = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in ("all", "negative", "word")])
"""A frequent word with the negative number of its documents, so that the most frequent ones come first."""


def frequency_steps(name: str, *, of: str, keep: Keep, sources: tuple[str, ...]) -> tuple[Exchange, ...]:
    """Return the steps that count words. `Weighing` needs the counters of the first and the last one.

    Args:
        name: Name of the last step; the others are ``name.<suffix>``.
        of: The state of the documents.
    """
    sample, counts = sample_step(name), f"{name}.counts"
    columns = tuple(dict.fromkeys(("id", "rule", *priority_columns(keep))))
    ordered = Ordered(keep=keep, sources=sources)
    sampled = SampledWords(keep=keep, sources=sources, sample=sample)
    return (
        Exchange(
            name=sample,
            inputs=(Input(of, through=ordered, columns=columns),),
            by=_PRIORITY,
            order=(_ID,),
            function=Cut(),
            moved=ORDER,
            schema=ORDER,
            partitions=1,
        ),
        Exchange(
            name=counts,
            inputs=(Input(of, through=sampled, columns=(*columns, "text")),),
            by="word",
            order=("documents",),
            function=SumCounts(sample=sample),
            moved=COUNT,
            schema=COUNT,
        ),
        Exchange(
            name=name,
            inputs=(Input(counts, through=Frequent()),),
            by="all",
            order=("negative", "word"),
            function=Publish(),
            moved=FREQUENT,
            schema=FREQUENT,
            partitions=1,
        ),
    )


def sample_step(name: str) -> str:
    """Return the name of the step that counts the documents of the sample."""
    return f"{name}.sample"


class Ordered(Function):
    """Turns living documents into `ORDER` rows."""

    keep: Keep
    sources: tuple[str, ...] = ()

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        return lambda batches: (ordered(living(batch), keep=self.keep, sources=self.sources) for batch in batches)


def ordered(batch: pa.RecordBatch, *, keep: Keep, sources: tuple[str, ...]) -> pa.RecordBatch:
    """Return the place of each document of *batch* in the order of priority."""
    begins = pc.binary_slice(batch["id"].cast(pa.binary()), 0, _ID_BYTES)
    padded = np.asarray(begins.to_numpy(zero_copy_only=False), f"S{_ID_BYTES}")
    digits = np.zeros((batch.num_rows, 8), np.uint8)
    digits[:, 1:] = padded.view(np.uint8).reshape(batch.num_rows, _ID_BYTES)
    ids = digits.view(">i8").reshape(-1).astype(np.int64)
    return pa.RecordBatch.from_arrays([priorities(batch, keep=keep, sources=sources), pa.array(ids)], schema=ORDER)


class Cut(Function):
    """Selects the last document of the sample, and counts its place in the order and the documents up to it."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over all `ORDER` rows, sorted."""
        return cut


def cut(batches: Batches) -> Iterator[pa.RecordBatch]:
    """Yield the last row of the sample. Rows that are equal to it are in the sample, too."""
    documents = 0
    last: tuple[int, int] | None = None
    for batch in (batch for batch in batches if batch.num_rows):
        if documents < SAMPLE:
            row = min(SAMPLE - documents, batch.num_rows) - 1
            last = (batch[_PRIORITY][row].as_py(), batch[_ID][row].as_py())
            documents += row + 1
            batch = batch.slice(row + 1)
        if documents >= SAMPLE and last is not None:
            documents += int(_is_until(batch, *last).sum())
    if last is None:
        return
    for name, value in ((_DOCUMENTS, documents), (_PRIORITY, last[0]), (_ID, last[1])):
        task().count(name, value)
    yield pa.RecordBatch.from_arrays([pa.array([value], pa.int64()) for value in last], schema=ORDER)


def _is_until(batch: pa.RecordBatch, priority: int, number: int) -> npt.NDArray[np.bool_]:
    """Return whether each `ORDER` row of *batch* is at (*priority*, *number*) or before it."""
    ranks, ids = (np.asarray(batch[column]) for column in (_PRIORITY, _ID))
    is_until: npt.NDArray[np.bool_] = (ranks < priority) | ((ranks == priority) & (ids <= number))
    return is_until


class AsksSample(Value):
    """Base of the functions that need the sample: the number of its documents and its end in the order."""

    sample: str
    documents: int = 0
    priority: int = int(np.iinfo(np.int64).max)
    number: int = int(np.iinfo(np.int64).max)

    def asks(self) -> tuple[str, ...]:
        return (self.sample,)

    def bound(self, counters: Mapping[str, Counters]) -> Self:
        values = counters[self.sample]
        names = {"documents": _DOCUMENTS, "priority": _PRIORITY, "number": _ID}
        return self.model_copy(update={field: values.get(name, 0) for field, name in names.items()})

    def identity(self) -> dict[str, Any]:
        return _without(super().identity(), "documents", "priority", "number")


def _without(identity: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return *identity* without the parameters that follow from counters."""
    identity["params"] = {name: value for name, value in identity["params"].items() if name not in names}
    return identity


class SampledWords(AsksSample, Function):
    """Turns the documents of the sample into `COUNT` rows."""

    keep: Keep
    sources: tuple[str, ...] = ()

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""

        def run(batches: Batches) -> Batches:
            for batch in batches:
                alive = living(batch)
                places = ordered(alive, keep=self.keep, sources=self.sources)
                sampled = alive.filter(pa.array(_is_until(places, self.priority, self.number)))
                for part in bounded([sampled], max_bytes=_TEXT_BYTES):
                    yield from bounded([counted(part["text"].drop_null())])

        return run


def counted(texts: pa.StringArray) -> pa.RecordBatch:
    """Return in how many of *texts* each word is."""
    words, documents = np.unique(word_counts(texts).words, return_counts=True)
    return pa.RecordBatch.from_arrays([pa.array(words), pa.array(documents.astype(np.int64))], schema=COUNT)


class SumCounts(AsksSample, Function):
    """Adds up `COUNT` rows and drops rare words."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by `word`."""
        return lambda batches: (self._frequent(batch) for batch in whole_groups(batches, by="word"))

    def _frequent(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        starts = run_starts(batch["word"])
        sums = np.add.reduceat(np.asarray(batch["documents"]), starts)
        made = pa.RecordBatch.from_arrays([batch["word"].take(pa.array(starts)), pa.array(sums)], schema=COUNT)
        return made.filter(pa.array(sums * _RARE >= self.documents))


class Frequent(Function):
    """Turns `COUNT` rows into `FREQUENT` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        return lambda batches: (
            pa.RecordBatch.from_arrays(
                [pa.array(np.zeros(batch.num_rows, np.int64)), pc.negate(batch["documents"]), batch["word"]],
                schema=FREQUENT,
            )
            for batch in batches
        )


class Publish(Function):
    """Selects the first `MAX_WORDS` rows, and counts the documents of each of their words."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over all `FREQUENT` rows, sorted."""

        def run(batches: Batches) -> Batches:
            left = MAX_WORDS
            for batch in batches:
                chosen = batch.slice(0, left)
                left -= chosen.num_rows
                for word, negative in zip(chosen["word"].to_pylist(), chosen["negative"].to_pylist(), strict=True):
                    task().count(str(word), -negative)
                yield chosen

        return run


class Weighing(Value):
    """Base of the functions that weigh words.

    Args:
        frequencies: The last step of `frequency_steps`; None: the function does not weigh words.
    """

    frequencies: str | None
    words: tuple[int, ...] = ()
    eighths: tuple[int, ...] = ()
    others: int = EIGHTHS

    def asks(self) -> tuple[str, ...]:
        return () if self.frequencies is None else (self.frequencies, sample_step(self.frequencies))

    def bound(self, counters: Mapping[str, Counters]) -> Self:
        if self.frequencies is None:
            return self
        documents = counters[sample_step(self.frequencies)].get(_DOCUMENTS, 0)
        rarity = rarity_of({int(word): count for word, count in counters[self.frequencies].items()}, documents)
        lists = {"words": tuple(rarity.words.tolist()), "eighths": tuple(rarity.eighths.tolist())}
        return self.model_copy(update={**lists, "others": rarity.others})

    def identity(self) -> dict[str, Any]:
        return _without(super().identity(), "words", "eighths", "others")

    def rarity(self) -> Rarity:
        """Return the weights of words."""
        return Rarity(np.array(self.words, np.int64), np.array(self.eighths, np.int64), self.others)


def rarity_of(frequencies: Mapping[int, int], documents: int) -> Rarity:
    """Return the rarity of words, from the number of *documents* of the sample that each frequent word is in.

    >>> rarity = rarity_of({5: 100, 3: 50}, 100)
    >>> rarity.words.tolist(), rarity.eighths.tolist(), rarity.others
    ([3, 5], [16, 8], 61)
    """
    words = sorted(frequencies)
    eighths = [EIGHTHS + ratio_eighths(documents, frequencies[word]) for word in words]
    rarest = EIGHTHS + ratio_eighths(max(1, documents), max(1, documents // _RARE))
    others = max(eighths) if len(words) >= MAX_WORDS else rarest
    return Rarity(np.array(words, np.int64), np.array(eighths, np.int64), others)
