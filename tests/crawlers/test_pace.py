"""The pace of a crawl follows the answers of each host. No test sleeps: the clock is a variable."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.pace import Load, Pace, load_of_rule, load_of_status
from corpusmill.crawlers.retry_after import retry_after_s

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _pace(clock: Clock, *, delay_s: float = 1.0) -> Pace:
    limits = {"backoff_s": 1.0, "max_backoff_s": 60.0, "max_retry_after_s": 300.0, "slow_s": 5.0}
    return Pace(delay_s=delay_s, clock=clock, **limits)


def _delays(pace: Pace, *loads: Load, took_s: float = 0.1) -> list[float]:
    delays = []
    for load in loads:
        pace.answered("a", load, took_s=took_s)
        delays.append(pace.delay_s("a"))
    return delays


def test_an_overloaded_host_gets_fewer_requests_until_it_recovers() -> None:
    """Each such answer doubles the extra delay, each good one halves it."""
    pace = _pace(Clock())

    assert _delays(pace, *[Load.OVERLOADED] * 8) == [2, 3, 5, 9, 17, 33, 61, 61]
    assert _delays(pace, *[Load.FINE] * 8) == [31, 16, 8.5, 4.75, 2.875, 1.9375, 1, 1]


def test_failures_of_pages_slow_a_crawl_less_than_an_overload() -> None:
    """A folder of broken pages must not take a minute for each."""
    pace = _pace(Clock())

    assert _delays(pace, *[Load.FAILING] * 6) == [2, 3, 5, 9, 9, 9]
    assert _delays(pace, Load.OVERLOADED, Load.FAILING) == [17, 17]


def test_a_slow_answer_is_followed_by_a_pause_as_long() -> None:
    """A server that needs long for an answer is busy, whatever its status says."""
    pace = _pace(Clock())

    assert _delays(pace, Load.FINE, took_s=12.0) == [13]
    assert _delays(pace, Load.FINE, Load.FINE, took_s=0.1) == [7, 4]


def test_hosts_do_not_slow_each_other_down() -> None:
    """The pace belongs to a host."""
    clock = Clock()
    pace = _pace(clock)

    pace.answered("a", Load.OVERLOADED, took_s=0.1)
    pace.answered("b", Load.FINE, took_s=0.1)

    assert (pace.wait_s("a"), pace.wait_s("b"), pace.wait_s("new")) == (2, 1, 0)
    assert pace.waiting == 1
    clock.now += 1.5
    assert (pace.wait_s("a"), pace.wait_s("b")) == (0.5, 0)


def test_the_longer_delay_of_site_and_recipe_holds() -> None:
    """A `Crawl-delay` cannot make a crawl faster than its recipe."""
    pace = _pace(Clock(), delay_s=2.0)
    pace.set_delay("slow", 10.0)
    pace.set_delay("fast", 0.5)

    assert (pace.delay_s("slow"), pace.delay_s("fast")) == (10, 2)


def test_retry_after_is_waited_for_up_to_its_limit() -> None:
    """A host that asks for more is left alone; a later answer cannot shorten the pause."""
    clock = Clock()
    pace = _pace(clock)

    pace.answered("a", Load.OVERLOADED, took_s=0.1, retry_after_s=300.0)
    pace.answered("a", Load.OVERLOADED, took_s=0.1, retry_after_s=5.0)
    pace.answered("b", Load.OVERLOADED, took_s=0.1, retry_after_s=300.5)

    assert (pace.wait_s("a"), pace.suspended_s("a"), pace.suspended_s("b")) == (300, None, 300.5)
    clock.now += 299
    assert (pace.wait_s("a"), pace.suspended_s("b")) == (1, None)
    assert pace.waiting == 2


@given(st.lists(st.tuples(st.sampled_from(Load), st.integers(0, 1000), st.integers(0, 1000)), max_size=30))
def test_delays_stay_within_bounds_and_return_to_the_recipe(answers: list[tuple[Load, int, int]]) -> None:
    """No sequence of answers stops a crawl for good, or makes it faster than the recipe."""
    clock = Clock()
    pace = _pace(clock)

    for load, took_s, asked_s in answers:
        clock.now += pace.wait_s("a")
        pace.answered("a", load, took_s=took_s, retry_after_s=asked_s)
        assert 1 <= pace.delay_s("a") <= 61
        assert asked_s <= pace.wait_s("a") <= max(61, asked_s)
    assert _delays(pace, *[Load.FINE] * 8)[-1] == 1


@pytest.mark.parametrize(
    ("status", "load"),
    [(200, "FINE"), (404, "FINE"), (408, "FAILING"), (429, "OVERLOADED"), (500, "FAILING"), (503, "OVERLOADED")],
)
def test_a_status_says_how_busy_its_server_is(status: int, load: str) -> None:
    """An answer whose body was not read has a rule with the same meaning."""
    assert load_of_status(status) is load_of_rule(f"http.{status}") is Load[load]


def test_a_server_that_does_not_answer_is_busy() -> None:
    """A refusal by this crawler says nothing about the server."""
    rules = ("error.timeout", "error.connection", "error.dns", "error.too_large", "address.private")

    loads = [load_of_rule(rule).name for rule in rules]

    assert loads == ["OVERLOADED", "FAILING", "FINE", "FINE", "FINE"]


@pytest.mark.parametrize(
    ("value", "date", "expected"),
    [
        ("120", None, 120),
        ("0", None, 0),
        ("Mon, 30 Nov 2026 12:02:00 GMT", None, 120),
        ("Monday, 30-Nov-26 12:02:00 GMT", None, 120),
        ("Mon Nov 30 12:02:00 2026", None, 120),
        ("Mon, 30 Nov 2026 14:02:00 +0200", None, 120),
        ("Mon, 30 Nov 2026 12:02:00 GMT", "Mon, 30 Nov 2026 12:01:30 GMT", 30),
        ("Mon, 30 Nov 2026 12:02:00 GMT", "yesterday", 120),
        ("Mon, 30 Nov 2026 11:00:00 GMT", None, 0),
        ("9" * 400, None, 1e9),
        ("-5", None, 0),
        ("1.5", None, 0),
        ("\u0663", None, 0),
        ("soon", None, 0),
        ("Mon, 99 Nov 2026 99:99:99 GMT", None, 0),
        ("", None, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, date: str | None, expected: float) -> None:
    """A date is compared with the clock of the server, and anything else asks for nothing."""
    headers = {"retry-after": value} | ({} if date is None else {"date": date})

    assert retry_after_s(headers, now=NOW) == expected
