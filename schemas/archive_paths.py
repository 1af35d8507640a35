"""Paths of members of archives: ``archive.zip!/folder/file.txt``, also in patterns and behind a URL."""

from __future__ import annotations

import re
from typing import Final

SEPARATOR: Final = "!/"
MAX_NESTING: Final = 2
"""An archive may lie in an archive, but not deeper."""
ARCHIVE_SUFFIXES: Final = (
    *(".zip", ".jar", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst"),
    *(".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"),
)
_ARCHIVE: Final = re.compile(
    rf"({'|'.join(re.escape(suffix) for suffix in sorted(ARCHIVE_SUFFIXES, key=len, reverse=True))}){SEPARATOR}",
    re.IGNORECASE,
)


def is_member(address: str) -> bool:
    """Return whether *address* is that of a member of an archive, or a pattern for members."""
    return SEPARATOR in address and _ARCHIVE.search(address) is not None


def split_archive(address: str) -> tuple[str, str]:
    """Split *address* into the address of the outermost archive and the path in it.

    >>> split_archive("/data/a.zip!/b.tar!/c.txt")
    ('/data/a.zip', 'b.tar!/c.txt')
    """
    match = _ARCHIVE.search(address)
    assert match is not None, "the address is that of a member"
    return address[: match.end() - len(SEPARATOR)], address[match.end() :]


def split_member(address: str) -> tuple[str, str]:
    """Split *address* into the address of the innermost archive and the path in it.

    >>> split_member("/data/a.zip!/b.tar!/c.txt")
    ('/data/a.zip!/b.tar', 'c.txt')
    """
    last = list(_ARCHIVE.finditer(address))[-1]
    return address[: last.end() - len(SEPARATOR)], address[last.end() :]


def is_archive(name: str) -> bool:
    """Return whether a file with this *name* is an archive whose members can be read."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)
