"""Parts of zip archives: bounded in memory."""

from __future__ import annotations

import tracemalloc

import pytest

from corpusmill.crawlers.readers import zip_package
from corpusmill.crawlers.readers.zip_package import Package
from corpusmill.schemas.errors import DataError
from tests.crawlers.loaders.books.packages import zipped


def test_a_bomb_is_expanded_up_to_the_bound_only() -> None:
    """A part of 200 MB takes less memory than that."""
    package = Package(zipped({"bomb.xml": bytes(200_000_000)}), what="a test")
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"`bomb.xml` expands to more than 64,000,000 bytes"):
            package.read("bomb.xml")
        assert tracemalloc.get_traced_memory()[1] < 150_000_000
    finally:
        tracemalloc.stop()


def test_many_parts_share_one_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many parts below the bound of one are refused together."""
    monkeypatch.setattr(zip_package, "MAX_PARTS_BYTES", 10_000_000)
    package = Package(zipped({f"{number}.xml": bytes(4_000_000) for number in range(3)}), what="a test")
    assert [len(package.read(f"{number}.xml")) for number in range(2)] == [4_000_000, 4_000_000]
    with pytest.raises(DataError) as raised:
        package.read("2.xml")
    assert raised.value.kind == "too_large"


def test_a_damaged_part_is_named() -> None:
    """Others can be read."""
    data = zipped({"a.xml": b"first part, compressed", "b.xml": b"second"})
    place = data.index(b"a.xml") + 5
    package = Package(data[:place] + b"\xff" * 8 + data[place + 8 :], what="a test")
    with pytest.raises(DataError, match=r"`a\.xml`") as raised:
        package.read("a.xml")
    assert raised.value.kind == "damaged"
    assert package.read("b.xml") == b"second"
