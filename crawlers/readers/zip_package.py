"""Documents that are zip archives of XML, such as EPUB, DOCX and ODT: parts by name, bounded in size."""

from __future__ import annotations

import io
import posixpath
import unicodedata
import zipfile
import zlib
from typing import Final
from urllib.parse import unquote

from corpusmill.crawlers.readers.xml import MAX_RECORD_BYTES
from corpusmill.schemas.errors import DataError

MAX_PARTS_BYTES: Final = 256_000_000
"""All parts that are read of one document; more is `error.too_large`. Images are not read."""
MAX_MEMBERS: Final = 100_000
_ZIP: Final = b"PK\x03\x04"
_EMPTY_ZIP: Final = b"PK\x05\x06"


class Package:
    """The parts of the zip archive *data*.

    Args:
        data: The archive.
        what: What it should be, for messages: ``an EPUB``.

    Raises:
        DataError: ``wrong_format``, ``truncated`` or ``damaged``.
    """

    def __init__(self, data: bytes, *, what: str) -> None:
        if not data.startswith((_ZIP, _EMPTY_ZIP)):
            raise DataError(f"not {what}: the file is not a zip archive", kind="wrong_format")
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
            members = self._archive.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeError, EOFError) as error:
            kind = "damaged" if b"PK\x05\x06" in data[-66_000:] else "truncated"
            raise DataError(f"the zip archive cannot be read: {error}", kind=kind) from error
        if len(members) > MAX_MEMBERS:
            raise DataError(f"the archive has {len(members):,} members, more than {MAX_MEMBERS:,}", kind="too_large")
        self._members = {_normal(_name(member)): member for member in members if not member.is_dir()}
        self._folded = {_folded(name): name for name in reversed(self._members)}
        self._left = MAX_PARTS_BYTES

    @property
    def names(self) -> list[str]:
        """The names of the parts, in the order of the archive."""
        return list(self._members)

    def find(self, name: str, *, base: str = "") -> str | None:
        """Return the part that the reference *name*, relative to the part *base*, means; None if there is none.

        Percent-encoding, upper and lower case, and fragments are no difference. A name that begins with ``/`` is
        relative to the archive.
        """
        for reference in (name, unquote(name), unquote(name.partition("#")[0].partition("?")[0])):
            path = _normal(
                reference if reference.startswith("/") else posixpath.join(posixpath.dirname(base), reference)
            )
            if found := path if path in self._members else self._folded.get(_folded(path)):
                return found
        return None

    def read(self, name: str) -> bytes:
        """Return the part *name*, one of `names`.

        Raises:
            DataError: ``encrypted``, ``damaged``, or ``too_large``: it has more than 64 MB, or all parts more than
                256 MB.
        """
        member = self._members[name]
        if member.flag_bits & 1:
            raise DataError(f"`{name}` in the archive is encrypted", kind="encrypted")
        bound = min(MAX_RECORD_BYTES, self._left)
        try:
            with self._archive.open(member) as stream:
                data = stream.read(bound + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
            raise DataError(f"`{name}` in the archive cannot be read: {error}", kind="damaged") from error
        if len(data) > bound:
            raise DataError(f"`{name}` expands to more than {bound:,} bytes", kind="too_large")
        self._left -= len(data)
        return data


def _name(member: zipfile.ZipInfo) -> str:
    """Return the name of *member*; many programs write UTF-8 without saying so."""
    if member.flag_bits & 0x800 or member.filename.isascii():
        return member.filename
    try:
        return member.filename.encode("cp437").decode()
    except UnicodeError:
        return member.filename


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _normal(path: str) -> str:
    return posixpath.normpath("/" + path.replace("\\", "/")).lstrip("/")
