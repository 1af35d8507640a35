"""A partition of a crawl, and the hosts that belong to it. Imports no table library: the crawl process uses it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

MAX_PARTITIONS: Final = 1000


@dataclass(frozen=True)
class Partition:
    """The hosts of partition number *index*, from 1 to *count*."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Partition:
        """Parse ``I/N``.

        Raises:
            HintedValueError: It has another form, or *index* is not from 1 to *count*.

        >>> Partition.parse("2/3")
        Partition(index=2, count=3)
        """
        from corpusmill.schemas.problems import HintedValueError  # imports pydantic

        match = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
        if match is None:
            raise HintedValueError("expected the form I/N", instead="1/2")
        partition = cls(int(match[1]), int(match[2]))
        if not 1 <= partition.count <= MAX_PARTITIONS:
            raise HintedValueError(f"the number of partitions must be from 1 to {MAX_PARTITIONS:,}", instead="1/2")
        if not 1 <= partition.index <= partition.count:
            problem = f"the partitions are 1/{partition.count} to {partition.count}/{partition.count}"
            raise HintedValueError(problem, instead=f"1/{partition.count}")
        return partition

    def owns(self, key: str) -> bool:
        """Return whether the host of *key*, as in `owner`, belongs to this partition."""
        return owner(key, self.count) == self.index


class Share(NamedTuple):
    """What this machine does of a crawl: its *partition*, and how long it waits for the others, in seconds."""

    partition: Partition
    wait_s: float = 0


def owner(key: str, count: int) -> int:
    """Return the partition, from 1 to *count*, that crawls the URL *key*: by the first 8 bytes of SHA-256 of its host.

    The port has no influence, because the delay between requests is that of a host. A reference that is no URL belongs
    to a partition as well, so that one ledger has it.

    >>> owner("https://example.org/a", 3) == owner("http://example.org:8080/b", 3)
    True
    """
    return _number("/".join(key.split("/", 3)[:3])) % count + 1


@lru_cache(maxsize=16_384)
def _number(site: str) -> int:
    """Return the number of the host of *site*, a URL without its path: most links of a page have few hosts."""
    try:
        name = urlsplit(site).hostname or site
    except ValueError:
        name = site
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")
