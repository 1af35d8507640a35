"""Speed of a stream of rows, and what it loses when it is stopped and resumed. Imports no other tool."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from benchmarks.peers.counting import difference


class Stream(Protocol):
    """Rows of tokens that can be left in the middle and entered there again."""

    def __iter__(self) -> Iterator[Any]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


def measured(open_stream: Callable[[], Stream], as_bytes: Callable[[Any], bytes]) -> dict[str, float]:
    """Read a stream to its end, then again with a stop in the middle.

    The stopped stream gives its state, which passes through JSON into a new stream. Each row is compared by its bytes.

    Args:
        open_stream: Opens the stream at its beginning, always in the same order.
        as_bytes: Returns the bytes of a row.

    Returns:
        `rows`, `cpu_s` of the whole pass with the opening, and the rows `lost` and `repeated` by the resumed one.
    """
    started = time.process_time()
    whole = list(_digests(open_stream(), as_bytes))
    cpu_s = time.process_time() - started
    stopped = open_stream()
    begun = list(itertools.islice(_digests(stopped, as_bytes), len(whole) // 2))
    resumed = open_stream()
    resumed.load_state_dict(json.loads(json.dumps(stopped.state_dict())))
    lost, repeated = difference(whole, [*begun, *_digests(resumed, as_bytes)])
    return {"rows": len(whole), "cpu_s": cpu_s, "lost": lost, "repeated": repeated}


def _digests(stream: Stream, as_bytes: Callable[[Any], bytes]) -> Iterator[bytes]:
    return (hashlib.blake2b(as_bytes(row), digest_size=16).digest() for row in stream)
