"""Entries of an archive, and the bounds that they must keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

MAX_RATIO: Final = 250
"""Largest expansion of an archive and of each member; texts reach 20, and deflate ends at about 1,030."""
MIN_JUDGED_BYTES: Final = 64 << 20
"""An expansion to less than this is harmless at any ratio."""


@dataclass(frozen=True)
class Entry:
    """A member of an archive.

    Args:
        name: Its path, with ``/``, without ``./`` at the beginning.
        size: Bytes of its content.
        offset: Where its content begins in a plain tar; None in a zip.
        key: What the reader of the archive needs to open it.
        kind: Why it cannot be read, as in ``error.<kind>``; None if it can.
        message: The reason in words.
    """

    name: str
    size: int
    offset: int | None = None
    key: Any = None
    kind: str | None = None
    message: str | None = None

    def refused(self, kind: str, message: str) -> Entry:
        """Return the entry as one that cannot be read."""
        return replace(self, kind=kind, message=message)


def cleaned(name: str) -> str:
    """Return *name* with ``/`` between its parts and without ``./``.

    >>> cleaned("./a/./b.txt"), cleaned("a\\\\b.txt")
    ('a/b.txt', 'a/b.txt')
    """
    parts = name.replace("\\", "/").split("/")
    kept = [part for index, part in enumerate(parts) if part not in {"", "."} or (index == 0 and not part)]
    return "/".join(kept)


def is_unsafe(name: str) -> bool:
    """Return whether the path *name* leads out of its archive.

    >>> is_unsafe("../a"), is_unsafe("/etc/a"), is_unsafe("C:/a"), is_unsafe("a..b/c")
    (True, True, True, False)
    """
    return name.startswith("/") or ".." in name.split("/") or name[1:3] == ":/" or "\0" in name or "!/" in name


def expands_too_far(size: int, packed: int) -> bool:
    """Return whether *packed* bytes that expand to *size* bytes are a bomb rather than a file."""
    return size > MIN_JUDGED_BYTES and size > MAX_RATIO * max(packed, 1)


def judged(entries: Iterable[Entry]) -> list[Entry]:
    """Refuse the entries whose paths leave the archive or repeat the path of an earlier one."""
    seen: set[str] = set()
    result = []
    for entry in entries:
        if entry.kind is None and is_unsafe(entry.name):
            entry = entry.refused("unsafe_path", "its path leads out of the archive")
        elif entry.kind is None and entry.name in seen:
            entry = entry.refused("duplicate_name", "the archive has an earlier member with this path")
        seen.add(entry.name)
        result.append(entry)
    return result
