"""The order of training."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corpusmill.schemas.splitmix import GAMMA, splitmix64
from corpusmill.training.data.order import lane_windows, permutation

keys = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3)


@given(size=st.integers(0, 300), key=keys)
def test_a_permutation_holds_each_number_once(size: int, key: list[int]) -> None:
    """Otherwise one document would be read twice and another never."""
    assert sorted(permutation(size, *key).tolist()) == list(range(size))


@given(windows=st.integers(0, 60), lanes=st.integers(1, 9), seed=st.integers(0, 99), epoch=st.integers(0, 9))
def test_the_lanes_share_the_windows(windows: int, lanes: int, seed: int, epoch: int) -> None:
    """Each window goes to one lane, and lanes differ by one window at most."""
    dealt = [lane_windows(windows, lanes=lanes, lane=lane, seed=seed, epoch=epoch).tolist() for lane in range(lanes)]

    assert sorted(window for lane in dealt for window in lane) == list(range(windows))
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


def test_the_order_is_the_same_for_ever() -> None:
    """Checkpoints contain positions in this order, so a change would resume them elsewhere."""
    assert permutation(10, 1, 2).tolist() == PINNED
    assert permutation(10, 1, 3).tolist() != PINNED


def test_the_draws_are_those_of_the_shared_generator() -> None:
    """The fast form over arrays has to be the function that the rest of the project uses."""
    start = splitmix64(0 ^ splitmix64(5))
    draws = [splitmix64((start + GAMMA * number) % 2**64) for number in range(50)]

    assert permutation(50, 5).tolist() == sorted(range(50), key=draws.__getitem__)


PINNED = [7, 5, 2, 8, 0, 6, 3, 9, 1, 4]
