"""All access to the files of a workspace: creating, replacing, listing, locking, hashing and removing.

`open_store` opens a folder or a URL as a `Store`. `write_atomically` and `appearing` write local files elsewhere, so
that they appear completely or not at all.
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
    """Open the store at *place*: a folder (also as ``file://``), or a URL with an fsspec driver.

    A `Store` is returned unchanged, so that functions can accept both. Nothing is read or written: the first write
    creates a missing folder.

    Raises:
        UsageError: The URL does not name a usable store.
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
            raise UsageError(f"not the URL of a folder: {place}", hint="use file:///absolute/path, or only the path")
        return LocalStore(Path(place.removeprefix("file://")))
    # Imported here because importing fsspec takes 50 ms.
    from corpusmill.schemas.storage.objects import ObjectStore

    return ObjectStore(place)


def located(address: str) -> tuple[Store, str]:
    """Return the store and the key of the file at *address*, an absolute path or a URL.

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
