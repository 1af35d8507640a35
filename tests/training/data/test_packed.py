"""Laws of `PackedDataset`: every token once, the same for any number of ranks and workers, exact after a resume."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from corpusmill.schemas.errors import SourceError, UsageError
from corpusmill.training.data import BatchLoader, PackedDataset, load_tokenizer, merge_states, open_corpus
from corpusmill.training.data.tokenizer import end_of_text
from tests.training.corpora import write_corpus, write_shard

LENGTH = 8


@pytest.fixture(scope="module")
def make(corpus_dir: Path, tokenizer_dir: Path) -> Any:
    """Open footers once, because the laws create hundreds of data sets."""
    corpus, tokenizer = open_corpus(corpus_dir), load_tokenizer(tokenizer_dir)

    def make(*, length: int = LENGTH, **options: Any) -> PackedDataset:
        return PackedDataset(corpus, tokenizer, length, **options)

    return make


def taken(rows: Any, count: int) -> list[list[int]]:
    return [row.tolist() for row in itertools.islice(rows, count)]


def batches(loader: BatchLoader, count: int) -> list[list[list[int]]]:
    return [batch.tolist() for batch in itertools.islice(loader, count)]


def stored(state: dict[str, Any]) -> dict[str, Any]:
    """Return *state* after writing and reading it as a checkpoint does."""
    loaded: dict[str, Any] = json.loads(json.dumps(state))
    return loaded


@settings(max_examples=25, deadline=None)
@given(lanes=st.integers(1, 12), seed=st.integers(0, 5), epoch=st.integers(0, 3), length=st.integers(1, 40))
def test_an_epoch_gives_each_document_once(
    make: Any, corpus_dir: Path, tokenizer_dir: Path, lanes: int, seed: int, epoch: int, length: int
) -> None:
    """The rows of a lane are whole documents in sequence, up to an incomplete last row."""
    tokenizer = load_tokenizer(tokenizer_dir)
    end = end_of_text(tokenizer)
    texts = [text for batch in open_corpus(corpus_dir).batches(("text",)) for text in batch.column(0).to_pylist()]
    wanted = Counter(tuple(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts)
    streams: dict[int, list[int]] = {lane: [] for lane in range(lanes)}

    for row in make(length=length, batch_size=lanes, seed=seed, epoch=epoch).rows():
        streams[row.lane] += row.tokens.tolist()

    given = sum(map(len, streams.values()))
    total = sum((len(document) + 1) * times for document, times in wanted.items())
    assert total - given <= lanes * (length - 1)
    found: Counter[tuple[int, ...]] = Counter()
    for stream in streams.values():
        *whole, rest = split(stream, end)
        found.update(whole)
        assert any(document[: len(rest)] == rest for document in wanted)
    assert found <= wanted


def split(stream: list[int], end: int) -> list[tuple[int, ...]]:
    parts: list[list[int]] = [[]]
    for token in stream:
        if token == end:
            parts.append([])
        else:
            parts[-1].append(token)
    return [tuple(part) for part in parts]


@settings(max_examples=25, deadline=None)
@given(before=st.integers(0, 90), lanes=st.integers(1, 6), epochs=st.sampled_from([1, 2, None]), targets=st.booleans())
def test_a_resumed_data_set_yields_what_the_uninterrupted_one_would(
    make: Any, before: int, lanes: int, epochs: int | None, targets: bool
) -> None:
    """This includes states within a batch, at the end of an epoch and after it."""
    options = {"batch_size": lanes, "epochs": epochs, "targets": targets, "seed": 4}
    uninterrupted = taken(make(**options), 300)
    first = make(**options)
    begun = taken(first, before)

    second = make(**options)
    second.load_state_dict(stored(first.state_dict()))

    assert begun + taken(second, 300 - len(begun)) == uninterrupted


@settings(max_examples=10, deadline=None)
@given(world=st.sampled_from([1, 2, 4]), seed=st.integers(0, 9))
def test_any_number_of_ranks_gives_the_same_global_batches(make: Any, world: int, seed: int) -> None:
    """A run must give the same result on one machine and on four."""
    options = {"batch_size": 4, "seed": seed, "epochs": None}
    alone = batches(BatchLoader(make(**options)), 20)

    ranks = [batches(BatchLoader(make(**options, rank=rank, world_size=world)), 20) for rank in range(world)]

    assert [[row for part in zip(*parts, strict=True) for row in part] for parts in zip(*ranks, strict=True)] == alone


@settings(max_examples=10, deadline=None)
@given(saved=st.sampled_from([1, 2, 4]), resumed=st.sampled_from([1, 2, 4]), before=st.integers(0, 25))
def test_other_ranks_take_over(make: Any, saved: int, resumed: int, before: int) -> None:
    """Losing or adding a machine must not change the rows that follow."""
    options = {"batch_size": 4, "epochs": None}
    alone = batches(BatchLoader(make(**options)), before + 10)
    states = []
    for rank in range(saved):
        loader = BatchLoader(make(**options, rank=rank, world_size=saved))
        batches(loader, before)
        states.append(stored(loader.state_dict()))

    ranks = []
    for rank in range(resumed):
        loader = BatchLoader(make(**options, rank=rank, world_size=resumed))
        loader.load_state_dict(merge_states(states))
        ranks.append(batches(loader, 10))

    whole = [[row for part in zip(*parts, strict=True) for row in part] for parts in zip(*ranks, strict=True)]
    assert whole == alone[before:]


def test_workers_change_nothing_and_their_reading_ahead_is_not_in_the_state(make: Any) -> None:
    """A state must describe what was trained on, not what a worker has prepared."""
    options = {"batch_size": 4, "epochs": None}
    alone = batches(BatchLoader(make(**options)), 12)
    loader = BatchLoader(make(**options), num_workers=2)

    begun = batches(loader, 5)
    resumed = BatchLoader(make(**options))
    resumed.load_state_dict(stored(loader.state_dict()))

    assert begun == alone[:5]
    assert batches(resumed, 7) == alone[5:]


def test_torchs_own_loader_gives_the_rows_in_the_same_order(make: Any) -> None:
    """`PackedDataset` is an ordinary `IterableDataset`: its workers share the lanes."""
    options = {"batch_size": 4, "epochs": None}
    loader = DataLoader(make(**options), batch_size=None, num_workers=2, multiprocessing_context="spawn")

    assert taken(loader, 20) == taken(make(**options), 20)


@pytest.mark.parametrize("epochs", [1, None])
def test_the_lanes_need_not_be_shared_equally_by_the_workers(make: Any, epochs: int | None) -> None:
    """Five lanes on two workers: one has three. At the end of an epoch, workers finish at different times."""
    options = {"batch_size": 5, "epochs": epochs}

    assert batches(BatchLoader(make(**options), num_workers=2), 200) == batches(BatchLoader(make(**options)), 200)


def test_workers_resume_within_a_batch(make: Any) -> None:
    """One worker's lanes are all ahead of the other's, so its first turn is empty."""
    options = {"batch_size": 4, "epochs": None}
    dataset = make(**options)
    taken(dataset, 6)
    state = stored(dataset.state_dict())
    loaders = [BatchLoader(make(**options), num_workers=workers) for workers in (0, 2)]
    for loader in loaders:
        loader.load_state_dict(state)

    alone, shared = (batches(loader, 4) for loader in loaders)

    assert shared == alone
    assert [len(batch) for batch in alone] == [2, 4, 4, 4]


def test_seed_and_epoch_decide_the_order(make: Any) -> None:
    """Equal seeds repeat, others shuffle anew, and so does each epoch."""
    first = taken(make(batch_size=2), 50)

    assert taken(make(batch_size=2), 50) == first
    assert taken(make(batch_size=2, seed=1), 50) != first
    assert taken(make(batch_size=2, epoch=1), 50) != first


def test_a_lane_flows_on_into_the_next_epoch(make: Any) -> None:
    """With one lane, two epochs are read one after the other without losing a token."""
    ends = [make(length=1, epoch=epoch) for epoch in (0, 1)]
    both = [token for data in ends for row in data for token in row.tolist()]

    assert [token for row in make(length=1, epochs=2) for token in row.tolist()] == both


def test_rows_are_tensors_of_int64(make: Any) -> None:
    """Embeddings and cross entropy accept them without conversion."""
    row = next(iter(make()))

    assert (row.dtype, row.shape) == (torch.int64, (LENGTH,))
    assert next(iter(make(targets=True))).shape == (LENGTH + 1,)


@pytest.mark.parametrize("change", [{"seed": 9}, {"batch_size": 8}])
def test_a_state_of_another_run_is_refused(make: Any, change: dict[str, int]) -> None:
    """Otherwise training would silently resume at another position."""
    state = make(batch_size=4).state_dict()

    with pytest.raises(UsageError, match="was saved with"):
        make(**({"batch_size": 4} | change)).load_state_dict(state)


def test_a_state_of_one_rank_of_two_is_not_enough_for_one(make: Any) -> None:
    """Half of the lanes would start again."""
    state = make(batch_size=4, rank=0, world_size=2).state_dict()

    with pytest.raises(UsageError, match=r"lacks the lanes \[1, 3\]"):
        make(batch_size=4).load_state_dict(state)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 0},
        {"length": 0},
        {"batch_size": 3, "world_size": 2},
        {"rank": 2, "world_size": 2, "batch_size": 2},
    ],
)
def test_numbers_that_do_not_fit_are_refused(make: Any, options: dict[str, int]) -> None:
    """The error must come when the data set is created, not after a day."""
    with pytest.raises(UsageError):
        make(**options)


def test_fewer_documents_than_lanes_still_feed_every_lane(tmp_path: Path, tokenizer_dir: Path) -> None:
    """A tiny corpus must neither hang nor starve a lane: later epochs deal it documents."""
    path = write_shard(tmp_path / "one.parquet", ["a crawl of each page", "every shard"])
    dataset = PackedDataset(path, tokenizer_dir, 4, batch_size=5, epochs=None)

    assert len(batches(BatchLoader(dataset), 3)[-1]) == 5


@pytest.mark.parametrize("texts", [[], [None, None]])
def test_a_split_without_text_ends_in_an_error(tmp_path: Path, tokenizer_dir: Path, texts: list[None]) -> None:
    """Otherwise the loop would never end."""
    path = write_shard(tmp_path / "one.parquet", texts)

    with pytest.raises(SourceError, match=r"has no (documents|text)"):
        next(iter(PackedDataset(path, tokenizer_dir, 4, batch_size=2, epochs=None)))


def test_a_version_with_other_files_is_another_version(tmp_path: Path, tokenizer_dir: Path) -> None:
    """Parquet without a manifest has no id, so names, sizes and rows identify it."""
    first, second = (write_corpus(tmp_path / str(seed), seed=seed) for seed in (1, 2))
    state = PackedDataset(first, tokenizer_dir, 4).state_dict()

    with pytest.raises(UsageError, match="version"):
        PackedDataset(second, tokenizer_dir, 4).load_state_dict(state)
