"""Keys of files in a store: relative POSIX paths that cannot leave it."""

from __future__ import annotations


def checked_key(key: str) -> str:
    """Validate *key*, the name of a file or folder in a store, and return it.

    Raises:
        ValueError: *key* is empty, absolute, contains NUL, or has an empty part, ``.`` or ``..``.

    >>> checked_key("versions/handbook/manifest.json")
    'versions/handbook/manifest.json'
    >>> checked_key("a/../../b")
    Traceback (most recent call last):
    ValueError: not a name in a store: 'a/../../b'
    """
    # Most keys contain no dot or double slash, so their parts need not be checked.
    if not key or "\0" in key or (("." in key or "//" in key or key[0] == "/") and not _has_plain_parts(key)):
        raise ValueError(f"not a name in a store: {key!r}")
    if key[-1] == "/":
        raise ValueError(f"not a name in a store: {key!r}")
    return key


def _has_plain_parts(key: str) -> bool:
    return not {"", ".", ".."}.intersection(key.split("/"))


def joined(prefix: str, key: str) -> str:
    """Return *key* inside the folder *prefix*; an empty prefix or key stands for the folder itself.

    >>> joined("raw", "site"), joined("", "site"), joined("raw", "")
    ('raw/site', 'site', 'raw')
    """
    return f"{prefix}/{key}" if prefix and key else prefix or key
