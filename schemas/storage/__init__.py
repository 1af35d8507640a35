"""The one place that creates, replaces, lists, locks, hashes and removes files of a workspace.

`open_store` opens a folder or a URL; both are a `Store`. `write_atomically` and `appearing` write any other local file
whole or not at all.
"""

from __future__ import annotations

import os
from pathlib import Path

from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.storage.attempts import is_alive
from corpusmill.schemas.storage.base import Entry, Lock, Store, StoredFile, Written
from corpusmill.schemas.storage.drafts import appearing, complete_folder, write_atomically
from corpusmill.schemas.storage.local import LocalStore, file_lock, link_or_copy

__all__ = [
    "Entry",
    "LocalStore",
    "Lock",
    "Store",
    "StoredFile",
    "Written",
    "appearing",
    "complete_folder",
    "file_lock",
    "is_alive",
    "is_url",
    "link_or_copy",
    "located",
    "open_store",
    "write_atomically",
]


def open_store(place: Store | str | os.PathLike[str]) -> Store:
    """Open the store at *place*: a folder (also as ``file://``), or a URL that fsspec has a driver for.

    A store is returned as it is, so that a function can take either.

    Nothing is read or written: a folder that is not there is made by the first write.

    Raises:
        UsageError: The URL names no store that can be used.
        MissingExtraError: The store's driver is not installed.

    >>> store = open_store("memory://example")
    >>> store.write("notes/one.txt", "first")
    >>> store.files("notes"), store.read_text("notes/one.txt")
    ([Entry(key='notes/one.txt', size=5)], 'first')
    """
    if isinstance(place, Store):
        return place
    if isinstance(place, os.PathLike) or not is_url(place):
        return LocalStore(Path(place))
    if place.startswith("file://"):
        if not place.startswith("file:///"):
            raise UsageError(f"not the URL of a folder: {place}", hint="file:///absolute/path, or the path alone")
        return LocalStore(Path(place.removeprefix("file://")))
    # Imported here: fsspec costs 50 ms.
    from corpusmill.schemas.storage.objects import ObjectStore

    return ObjectStore(place)


def located(address: str) -> tuple[Store, str]:
    """Return store and key of the file at *address*, an absolute path or a URL.

    >>> located("memory://example/raw/site/site-00000.warc.gz")
    (open_store('memory://example/raw/site'), 'site-00000.warc.gz')
    """
    folder, _, name = address.rpartition("/")
    return open_store(folder if is_url(folder) else Path(folder or "/")), name


def is_url(place: str) -> bool:
    """Return whether *place* is a URL rather than a path.

    >>> is_url("s3://bucket/prefix"), is_url("./corpus")
    (True, False)
    """
    return "://" in place
