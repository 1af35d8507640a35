"""Laws of mixtures: exact shares, each a function of the row's number alone."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.schemas.errors import UsageError
from corpusmill.training.data import BatchLoader, PackedDataset, load_tokenizer, merge_states, open_corpus
from corpusmill.training.data.mixture import Part, Shares
from tests.training.corpora import write_corpus

weight_lists = st.lists(st.floats(0, 100), min_size=1, max_size=5).filter(any)


@settings(max_examples=40, deadline=None)
@given(weights=weight_lists, rows=st.integers(1, 40_000))
def test_the_first_rows_have_the_shares_of_the_mixture(weights: list[float], rows: int) -> None:
    """A budget of tokens is kept to within one row for each part, at any moment."""
    shares = Shares.constant(weights)

    counts = np.bincount(shares.of_lane(0, lanes=1, first=0, stop=rows), minlength=len(weights))

    wanted = rows * np.array(weights) / sum(weights)
    assert np.abs(counts - wanted).max() < len(weights)


@settings(max_examples=40, deadline=None)
@given(phases=st.lists(st.tuples(st.integers(1, 9000), st.floats(0.01, 9), st.floats(0, 9)), min_size=1, max_size=4))
def test_shares_that_change_are_kept_in_each_phase(phases: list[tuple[int, float, float]]) -> None:
    """A curriculum shifts weights while a run goes on."""
    starts = [0, *itertools.accumulate(length for length, _, _ in phases)]
    shares = Shares(tuple(starts[:-1]), tuple((first, second) for _, first, second in phases))

    parts = [shares.part(row) for row in range(starts[-1])]

    for start, stop, (_, first, second) in zip(starts, starts[1:], phases, strict=False):
        assert abs(parts[start:stop].count(0) - (stop - start) * first / (first + second)) < 4


@given(weights=weight_lists, lanes=st.integers(1, 7), first=st.integers(0, 9000), count=st.integers(0, 9000))
@settings(max_examples=20, deadline=None)
def test_the_rows_of_a_lane_are_every_nth(weights: list[float], lanes: int, first: int, count: int) -> None:
    """Seeking to a step asks for many rows of a lane, training for single ones."""
    shares = Shares.constant(weights)
    for lane in range(lanes):
        chosen = shares.of_lane(lane, lanes=lanes, first=first, stop=first + count).tolist()
        assert len(chosen) == count
        assert chosen[::1000] == [shares.part(row * lanes + lane) for row in range(first, first + count, 1000)]


@pytest.mark.parametrize("weights", [[], [0.0], [1.0, -1.0], [float("nan")], [float("inf"), 1.0]])
def test_weights_without_a_meaning_are_refused(weights: list[float]) -> None:
    """The error must come when the mixture is described."""
    with pytest.raises(UsageError):
        Shares.constant(weights)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Part]:
    folder = tmp_path_factory.mktemp("parts")
    corpora = [open_corpus(write_corpus(folder / str(seed), train=60, seed=seed)) for seed in range(3)]
    return [Part(corpora[0], 3), Part(corpora[1], 1), Part(corpora[2], 2, epochs=1)]


@pytest.fixture(scope="module")
def make(parts: list[Part], tokenizer_dir: Path) -> Any:
    tokenizer = load_tokenizer(tokenizer_dir)

    def make(**options: Any) -> PackedDataset:
        return PackedDataset(parts, tokenizer, 8, **({"batch_size": 4, "epochs": None, "seed": 5} | options))

    return make


def taken(rows: Any, count: int) -> list[list[int]]:
    return [row.tolist() for row in itertools.islice(rows, count)]


def batches(loader: BatchLoader, count: int) -> list[list[list[int]]]:
    return [batch.tolist() for batch in itertools.islice(loader, count)]


@settings(max_examples=15, deadline=None)
@given(before=st.integers(0, 400))
def test_a_mixture_resumes_exactly(make: Any, before: int) -> None:
    """The state has a cursor for each lane and part; the third part ends during these rows."""
    uninterrupted = taken(make(), 600)
    first, second = make(), make()
    begun = taken(first, before)

    second.load_state_dict(json.loads(json.dumps(first.state_dict())))

    assert begun + taken(second, 600 - before) == uninterrupted


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize(("world", "workers"), [(2, 0), (4, 0), (1, 3)])
def test_ranks_and_workers_do_not_change_a_mixture(make: Any, world: int, workers: int) -> None:
    """Each lane chooses its parts by the numbers of its rows in the global batch."""
    alone = batches(BatchLoader(make()), 30)
    ranks = [batches(BatchLoader(make(rank=rank, world_size=world), num_workers=workers), 30) for rank in range(world)]

    assert [[row for part in zip(*step, strict=True) for row in part] for step in zip(*ranks, strict=True)] == alone


def test_states_of_two_ranks_serve_four(make: Any) -> None:
    """Losing or adding a machine must not change the rows that follow."""
    alone = batches(BatchLoader(make()), 30)
    states = []
    for rank in range(2):
        loader = BatchLoader(make(rank=rank, world_size=2))
        batches(loader, 10)
        states.append(loader.state_dict())
    ranks = []
    for rank in range(4):
        loader = BatchLoader(make(rank=rank, world_size=4))
        loader.load_state_dict(merge_states(states))
        ranks.append(batches(loader, 20))

    assert [[row for part in step for row in part] for step in zip(*ranks, strict=True)] == alone[10:]


def test_a_part_with_bounded_epochs_ends_and_the_others_go_on(
    make: Any, parts: list[Part], tokenizer_dir: Path
) -> None:
    """Its documents are read once; afterwards its rows are shared by the others in proportion."""
    rows = list(itertools.islice(make().rows(), 3000))
    third = [row.tokens.tolist() for row in rows if row.part == 2]
    alone = PackedDataset(parts[2].corpus, load_tokenizer(tokenizer_dir), 8, batch_size=4, seed=5)

    assert sorted(third) == sorted(taken(alone, 3000))
    tail = Counter(row.part for row in rows[-400:])
    assert abs(tail[0] - 300) <= 8
    assert tail[2] == 0


def test_a_mixture_of_bounded_parts_ends(parts: list[Part], tokenizer_dir: Path) -> None:
    """Every row of each part is given once."""
    tokenizer = load_tokenizer(tokenizer_dir)
    bounded = [Part(part.corpus, part.weight, epochs=1) for part in parts]

    rows = taken(PackedDataset(bounded, tokenizer, 8, batch_size=3, epochs=None), 10_000)

    alone = [taken(PackedDataset(part.corpus, tokenizer, 8, batch_size=3), 10_000) for part in parts]
    assert sorted(rows) == sorted(row for one in alone for row in one)


@pytest.mark.parametrize("change", [{"shares": Shares.constant([1, 1, 1])}, {"seed": 6}])
def test_a_state_of_another_mixture_is_refused(make: Any, change: dict[str, Any]) -> None:
    """Otherwise the shares would silently change in the middle of a run."""
    with pytest.raises(UsageError, match="was saved with"):
        make(**change).load_state_dict(make().state_dict())
