"""How fast each host may be asked: a state machine, without network or sleep.

After each answer, a host has an *extra delay*, which is added to the delay of the recipe or the site:

- An overloaded host (429, 503, no answer in time) doubles it, up to `max_backoff_s`.
- Another failure of the server (5xx, a broken connection) doubles it up to a few seconds only, because it often belongs
  to a single page.
- A slow answer raises it to the time that the answer took.
- Any other answer halves it, until it is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

_MAX_FAILURE_FACTOR: Final = 8
"""Largest extra delay that failures lead to, as a multiple of `backoff_s`."""
_OVERLOADED: Final = frozenset((429, 503))
_TRANSIENT: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Statuses after which a retry may help (RFC 9110 §15; RFC 6585 §4, RFC 8470 §5.2)."""


class Load(Enum):
    """What an answer, or its absence, says about the load of a host."""

    FINE = "fine"
    FAILING = "failing"
    OVERLOADED = "overloaded"


def is_transient(status: int) -> bool:
    """Return whether a retry may help after an answer with *status*."""
    return status in _TRANSIENT


def load_of_status(status: int) -> Load:
    """Return what an answer with *status* says."""
    if status in _OVERLOADED:
        return Load.OVERLOADED
    return Load.FAILING if status >= 500 or is_transient(status) else Load.FINE


def load_of_rule(rule: str) -> Load:
    """Return what a refused answer says, by the *rule* that refused it.

    >>> load_of_rule("http.503"), load_of_rule("error.connection"), load_of_rule("content.not_html")
    (<Load.OVERLOADED: 'overloaded'>, <Load.FAILING: 'failing'>, <Load.FINE: 'fine'>)
    """
    if rule.startswith("http."):
        return load_of_status(int(rule.removeprefix("http.")))
    if rule == "error.timeout":
        return Load.OVERLOADED
    return Load.FAILING if rule == "error.connection" else Load.FINE


@dataclass
class _Host:
    """Times are those of the clock. `delay_s` is what the site asks for."""

    delay_s: float = 0.0
    extra_s: float = 0.0
    ended_at: float = float("-inf")
    not_before: float = float("-inf")


class Pace:
    """The pace of all hosts of a crawl.

    Args:
        delay_s: Delay between two requests to a host, from the recipe.
        backoff_s: First extra delay.
        max_backoff_s: Largest extra delay.
        max_retry_after_s: A host that asks to wait longer is suspended until then.
        slow_s: An answer that took longer is slow.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        *,
        delay_s: float,
        backoff_s: float,
        max_backoff_s: float,
        max_retry_after_s: float,
        slow_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._delay_s = delay_s
        self._backoff_s = backoff_s
        self._max_backoff_s = max_backoff_s
        self._max_retry_after_s = max_retry_after_s
        self._slow_s = slow_s
        self._clock = clock
        self._hosts: dict[str, _Host] = {}

    def set_delay(self, host: str, delay_s: float) -> None:
        """Set the delay that the site asks for. It holds if it is longer than that of the recipe."""
        self._host(host).delay_s = delay_s

    def delay_s(self, host: str) -> float:
        """Return the delay between two requests to *host* as of now."""
        place = self._host(host)
        return max(self._delay_s, place.delay_s) + place.extra_s

    def wait_s(self, host: str) -> float:
        """Return the seconds until the next request to *host* may be sent; 0 if it may be sent now."""
        place = self._host(host)
        return max(0.0, max(place.ended_at + self.delay_s(host), place.not_before) - self._clock())

    def suspended_s(self, host: str) -> float | None:
        """Return for how many seconds *host* asked to be left alone if this is too long to wait; None if it is not."""
        left = self._host(host).not_before - self._clock()
        return left if left > self._max_retry_after_s else None

    @property
    def waiting(self) -> int:
        """Number of hosts with an extra delay, or that asked to wait."""
        now = self._clock()
        return sum(place.extra_s > 0 or place.not_before > now for place in self._hosts.values())

    def answered(self, host: str, load: Load, *, took_s: float, retry_after_s: float = 0.0) -> None:
        """Record an exchange with *host* that ended now.

        Args:
            took_s: Seconds from the request to the end of the answer.
            retry_after_s: What the server asked for; 0 for nothing.
        """
        place = self._host(host)
        place.ended_at = self._clock()
        place.extra_s = self._extra_s(place.extra_s, load, took_s)
        if retry_after_s > 0:
            place.not_before = max(place.not_before, place.ended_at + retry_after_s)

    def _extra_s(self, extra_s: float, load: Load, took_s: float) -> float:
        grown = max(2 * extra_s, self._backoff_s)
        if load is Load.OVERLOADED:
            return min(grown, self._max_backoff_s)
        if load is Load.FAILING:
            bound = min(_MAX_FAILURE_FACTOR * self._backoff_s, self._max_backoff_s)
            return max(extra_s, min(grown, bound))
        if took_s > self._slow_s:
            return min(max(extra_s, took_s), self._max_backoff_s)
        return extra_s / 2 if extra_s >= self._backoff_s else 0.0

    def _host(self, host: str) -> _Host:
        return self._hosts.setdefault(host, _Host())
