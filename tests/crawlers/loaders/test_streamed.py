"""The base of loaders for files with many records."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, ClassVar

from corpusmill.crawlers.loaders.rows import MAX_VALUE_CHARACTERS
from corpusmill.crawlers.loaders.streamed import Broken, Record, Streamed, bounded
from corpusmill.schemas.document import MAX_TEXT_BYTES
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.identity import capture_hash
from tests.crawlers.loaders.reading import rows


class Lines(Streamed):
    """A record is a line: its id, a space, and its text."""

    suffixes: ClassVar[tuple[str, ...]] = (".lines",)

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the lines."""
        for line in stream:
            source_id, _, text = line.decode().strip().partition(" ")
            if source_id == "skip":
                counts["skipped"] += 1
            elif source_id == "bad":
                yield Broken(line, "not_text", f"{name}: a bad line")
            elif source_id == "stop":
                raise DataError("stopped", kind="truncated")
            else:
                whole = "x" * (MAX_TEXT_BYTES + 1) if text == "huge" else text or None
                yield Record(line, whole, source_id if source_id != "-" else None, metadata={"b": "2", "a": ""})


def test_each_record_is_a_row_and_what_is_no_document_is_counted(tmp_path: Path) -> None:
    """Rows have the hash of their bytes; without an id, the hash is the id."""
    path = tmp_path / "a.lines.gz"
    path.write_bytes(gzip.compress(b"1 one\n- two\nskip x\nbad\n3\n4 huge\n"))
    counts: Counter[str] = Counter()

    first, second, bad, empty, huge = rows(Lines(), path)
    list(Lines().read(str(path), name="n", counts=counts))

    assert (first["source_id"], first["text"], first["metadata"]) == ("1", "one", {"b": "2"})
    assert second["source_id"] == second["record_sha256"] == capture_hash(b"- two\n")
    assert (bad["rule"], bad["message"]) == ("error.not_text", "name: a bad line")
    assert (empty["rule"], huge["rule"], huge["text"]) == ("error.no_text", "error.too_large", None)
    assert counts == {"skipped": 1, "ids.given": 3, "ids.missing": 1}


def test_what_comes_before_the_end_of_a_damaged_file_is_read(tmp_path: Path) -> None:
    """The last row names the file and says why the rest is missing."""
    stopped, cut = tmp_path / "a.lines", tmp_path / "b.lines.gz"
    stopped.write_bytes(b"1 one\nstop\n2 two\n")
    cut.write_bytes(gzip.compress(b"1 one\n" + b"2 two\n" * 9)[:-9])

    for path, message in ((stopped, "name: stopped"), (cut, "name: the gzip stream ends in the middle")):
        first, *_, last = rows(Lines(), path)
        assert (first["text"], last["rule"], last["message"]) == ("one", "error.truncated", message)


def test_metadata_is_bounded_in_a_fixed_order() -> None:
    """The same values are left out, whatever the order in which they were found."""
    long = {f"k{index:02}": "x" * MAX_VALUE_CHARACTERS for index in range(20)}

    assert bounded({"b": "1", "a": "x" * (MAX_VALUE_CHARACTERS + 1), "c": ""}) == {"b": "1"}
    assert list(bounded(dict(reversed(long.items())))) == sorted(long)[:15]
