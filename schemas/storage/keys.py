"""Names of files in a store: relative POSIX paths that cannot leave it."""

from __future__ import annotations


def checked_key(key: str) -> str:
    """Return *key*, the name of a file or folder in a store.

    Raises:
        ValueError: *key* is empty, absolute, holds a NUL, or has an empty part, ``.`` or ``..``.

    >>> checked_key("versions/handbook/manifest.json")
    'versions/handbook/manifest.json'
    >>> checked_key("a/../../b")
    Traceback (most recent call last):
    ValueError: not a name in a store: 'a/../../b'
    """
    # Most keys have neither of the two and need no look at their parts.
    if not key or "\0" in key or (("." in key or "//" in key or key[0] == "/") and not _has_plain_parts(key)):
        raise ValueError(f"not a name in a store: {key!r}")
    if key[-1] == "/":
        raise ValueError(f"not a name in a store: {key!r}")
    return key


def _has_plain_parts(key: str) -> bool:
    return not {"", ".", ".."}.intersection(key.split("/"))


def joined(prefix: str, key: str) -> str:
    """Return the key of *key* below the folder *prefix*; an empty one is the whole store.

    >>> joined("raw", "site"), joined("", "site"), joined("raw", "")
    ('raw/site', 'site', 'raw')
    """
    return f"{prefix}/{key}" if prefix and key else prefix or key
