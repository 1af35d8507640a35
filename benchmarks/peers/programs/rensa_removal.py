"""Remove near duplicates with rensa, in an environment that has it; `near_duplicates.py` calls this.

    python -m benchmarks.peers.programs.rensa_removal FOLDER REMOVED THRESHOLD BANDS ROWS

Reads `id` and `text` of the Parquet files in FOLDER and writes the names of the removed documents to REMOVED, as JSON.
Shingles are word 5-grams in lower case, as those of the true pairs.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
from rensa import RMinHash, RMinHashDeduplicator

_WORD: Final = re.compile(r"\w+")
_SHINGLE_WORDS: Final = 5
_BATCH_ROWS: Final = 1_000
_SEED: Final = 42


def main() -> None:
    folder, path, threshold = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    bands, rows = int(sys.argv[4]), int(sys.argv[5])
    deduplicator = RMinHashDeduplicator(threshold, bands * rows, True, bands, _SEED)
    removed: list[str] = []
    for file in sorted(folder.glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(batch_size=_BATCH_ROWS, columns=["id", "text"]):
            names, texts = batch["id"].to_pylist(), batch["text"].to_pylist()
            signatures = RMinHash.from_token_sets(list(map(shingles, texts)), bands * rows, _SEED)
            is_kept = deduplicator.add_pairs(list(zip(names, signatures, strict=True)))
            removed += [name for name, kept in zip(names, is_kept, strict=True) if not kept]
    path.write_text(json.dumps(removed))


def shingles(text: str) -> list[str]:
    """Return the distinct shingles of *text*; one that is shorter than a shingle is one itself."""
    words = _WORD.findall(text.lower())
    if len(words) < _SHINGLE_WORDS:
        return [" ".join(words)]
    return list({" ".join(words[place : place + _SHINGLE_WORDS]) for place in range(len(words) - _SHINGLE_WORDS + 1)})


if __name__ == "__main__":
    main()
