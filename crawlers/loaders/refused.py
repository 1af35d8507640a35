"""The row of a file that was already found unreadable when it was registered, such as an encrypted member of a zip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from corpusmill.crawlers.loaders.base import Loader, Offers
from corpusmill.schemas.identity import capture_hash


class Refused(Loader):
    """One row with a rule and a message; the file is not opened."""

    rule: str
    message: str

    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the row."""
        offers = Offers()
        digest = capture_hash(f"{name}\0{self.message}".encode())
        list(offers.add(source_id=name, record_sha256=digest, rule=self.rule, message=f"{name}: {self.message}"))
        yield from offers.rest()
