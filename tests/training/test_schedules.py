"""The learning rate by step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corpusmill.training.schedules import cosine_with_warm_up


@given(steps=st.integers(1, 200), warm_up=st.integers(0, 199), final=st.floats(0, 1))
def test_the_rate_rises_to_one_and_falls_to_its_final_fraction(steps: int, warm_up: int, final: float) -> None:
    """A rate above the configured one, or one that rises again, would be a silent other experiment."""
    warm_up = min(warm_up, steps - 1)

    rates = [
        cosine_with_warm_up(step, steps=steps, warm_up_steps=warm_up, final_fraction=final) for step in range(steps)
    ]

    assert all(0 <= rate <= 1 for rate in rates)
    assert rates[:warm_up] == sorted(rates[:warm_up])
    assert rates[warm_up:] == sorted(rates[warm_up:], reverse=True)
    assert rates[warm_up] == 1
    if steps - warm_up > 1:
        assert abs(rates[-1] - final) < 1e-9
