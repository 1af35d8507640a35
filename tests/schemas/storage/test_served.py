"""Files of stores for DuckDB, whose threads share open files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from corpusmill.schemas.storage import StoredFile, open_store
from corpusmill.schemas.storage.served import ServedFiles, served_name


def test_threads_that_share_a_file_have_their_own_positions() -> None:
    """One thread can seek between another thread's seek and read."""
    store = open_store("memory://shared")
    content = bytes(range(250)) * 4000
    store.write("a", content)
    stored = StoredFile(store, "a", len(content))
    opened = ServedFiles([stored]).open(served_name(stored))
    starts = range(0, len(content) - 100, 1999)
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        for start in starts:
            one.submit(opened.seek, start).result()
            other.submit(opened.seek, len(content) - start - 100).result()
            assert one.submit(opened.read, 100).result() == content[start : start + 100]
            assert other.submit(opened.read, 50).result() == content[len(content) - start - 100 :][:50]
