"""Whether columns of a Parquet file are encrypted: pyarrow ends the process when it looks for such a column.

Files with an encrypted footer begin and end with ``PARE`` and raise an error. Those with a plain footer have a field
`encryption_algorithm` in it (parquet.thrift, `FileMetaData`), the first after `created_by` and `column_orders`.
"""

from __future__ import annotations

import io
import re
from typing import Final

_TAIL_BYTES: Final = 8
"""The length of the footer, and ``PAR1``."""
_ENCRYPTED: Final = re.compile(
    rb"\x19(?:[\x0c-\xec]|\xfc[\x80-\xff]*[\x00-\x7f])(?:[\x1c\x2c]\x00\x00)*+\x1c|\x2c", re.DOTALL
)
"""`column_orders`, if it is there, in the compact protocol of Thrift: a list of unions of empty structs; then the
beginning of `encryption_algorithm`."""


def has_encrypted_columns(file: io.BufferedIOBase, created_by: str | None) -> bool:
    """Return whether the Parquet *file*, with the field *created_by* in its plain footer, has encrypted columns."""
    size = file.seek(0, io.SEEK_END)
    file.seek(size - _TAIL_BYTES)
    length = int.from_bytes(file.read(4), "little")
    file.seek(max(size - _TAIL_BYTES - length, 0))
    footer = file.read(length)
    writer = (created_by or "").encode()
    return bool(writer) and _ENCRYPTED.match(footer, footer.rfind(writer) + len(writer)) is not None
