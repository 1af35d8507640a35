"""Run datatrove over a WARC file, in an environment that has it; `html_to_shard.py` calls this.

    python -m benchmarks.peers.programs.datatrove_pages ARCHIVE FOLDER LANGUAGE_MODEL MORE_RULES

FOLDER gets Parquet in `published/`. LANGUAGE_MODEL is the file of lid.176, which datatrove would download. MORE_RULES
is 1 to add the filters of C4 and FineWeb. Prints `{"kept": …}`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.writers import JsonlWriter, ParquetWriter
from datatrove.utils.lid import FT176LID

_MIN_LANGUAGE_SCORE: Final = 0.1
"""As the recipe of the comparison has it."""
_PAGE_TIMEOUT_S: Final = 30.0


def main() -> None:
    archive, folder, model, more_rules = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4] == "1"
    FT176LID.MODEL_URL = model
    config = MinhashConfig()
    texts, signatures, buckets, removed, published = (
        str(folder / name) for name in ("texts", "signatures", "buckets", "removed", "published")
    )
    _run(folder, "texts", [*clean(archive, more_rules=more_rules), JsonlWriter(texts)])
    _run(folder, "signatures", [JsonlReader(texts), MinhashDedupSignature(signatures, config=config)])
    _run(folder, "buckets", [MinhashDedupBuckets(signatures, buckets, config=config)], tasks=config.num_buckets)
    _run(folder, "clusters", [MinhashDedupCluster(buckets, removed, config=config)])
    last = [JsonlReader(texts), MinhashDedupFilter(removed), PIIFormatter(), ParquetWriter(published)]
    _run(folder, "published", last)
    print(json.dumps({"kept": sum(pq.read_metadata(file).num_rows for file in Path(published).rglob("*.parquet"))}))


def clean(archive: Path, *, more_rules: bool) -> list[Any]:
    """Return the steps from page to kept text, in the order of datatrove's example for FineWeb."""
    return [
        WarcReader(str(archive.parent), glob_pattern=archive.name),
        Trafilatura(favour_precision=True, timeout=_PAGE_TIMEOUT_S),
        LanguageFilter(language_threshold=_MIN_LANGUAGE_SCORE),
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        *([C4QualityFilter(filter_no_terminal_punct=False), FineWebQualityFilter()] if more_rules else []),
    ]


def _run(folder: Path, name: str, steps: list[Any], *, tasks: int = 1) -> None:
    LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=str(folder / "logs" / name)).run()


if __name__ == "__main__":
    main()
