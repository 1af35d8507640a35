"""Extract the main text of pages with any extractor; `main_text.py` calls this, in the extractor's environment.

    python -m benchmarks.peers.programs.texts MODULE:FUNCTION DATA COUNT TEXTS

Calls ``function(html: bytes, url: str | None) -> str`` on the first COUNT pages of the Parquet file DATA, writes lines
of `id` and `text` to TEXTS, and prints `{"cpu_s": …}`: CPU seconds of the calls, after a warm-up on the first pages.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

_WARM_UP_PAGES: Final = 25
_BATCH_ROWS: Final = 100


def main() -> None:
    module, _, function = sys.argv[1].partition(":")
    extract = getattr(importlib.import_module(module), function)
    data, count, path = Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    cpu_s, pages = 0.0, 0
    with path.open("w") as file:
        for batch in pq.ParquetFile(data).iter_batches(batch_size=_BATCH_ROWS, columns=["id", "url", "html"]):
            rows = batch.to_pylist()[: count - pages]
            for row in rows[: 0 if pages else _WARM_UP_PAGES]:
                extract(row["html"], row["url"])
            for row in rows:
                started = time.process_time()
                text = extract(row["html"], row["url"])
                cpu_s += time.process_time() - started
                file.write(json.dumps({"id": row["id"], "text": text}) + "\n")
            pages += len(rows)
    print(json.dumps({"cpu_s": cpu_s}))


if __name__ == "__main__":
    main()
