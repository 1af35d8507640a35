"""Documents whose license is unknown, and the warning about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.dataset.version import Version

_SHOWN: Final = 3
_COUNTS: Final = pa.struct([("values", pa.string()), ("counts", pa.int64())])


def unknown_licenses(version: Version) -> dict[str, int]:
    """Return the number of documents without a license, by source, the largest first.

    Reads two small columns of all documents.
    """
    unknown: dict[str, int] = {}
    for batch in version.batches("shard", columns=["source", "license"]):
        if batch["license"].null_count:
            counts = pc.value_counts(batch["source"].filter(pc.is_null(batch["license"]))).cast(_COUNTS)
            for row in counts.to_pylist():
                unknown[row["values"]] = unknown.get(row["values"], 0) + row["counts"]
    return dict(sorted(unknown.items(), key=lambda item: (-item[1], item[0])))


def license_warning(unknown: Mapping[str, int]) -> str | None:
    """Return the warning about documents of *unknown* license, by source; None if there are none.

    >>> license_warning({"site": 150, "notes": 2})
    'the license of 152 documents is unknown: `site` (150), `notes` (2); if you know it, set `license` of the source'
    """
    if not unknown:
        return None
    total = sum(unknown.values())
    noun = "1 document" if total == 1 else f"{total:,} documents"
    sources = [f"`{source}` ({number:,})" for source, number in list(unknown.items())[:_SHOWN]]
    others = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    return (
        f"the license of {noun} is unknown: {', '.join(sources)}{others}; if you know it, set `license` of the source"
    )
