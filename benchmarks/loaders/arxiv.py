"""Measure the text of papers in TeX: time, and what is left of the commands.

    python benchmarks/loaders/arxiv.py [FILE …]

FILE is an e-print or a bulk tar; by default the sample in the folder that `CORPUSMILL_SHARED` names.

*ms* is the CPU time of a paper, with decompression. *residue* counts commands, braces and dollars per 10,000 words,
outside of formulas. Verbatim text can have them rightly.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import Final

from corpusmill.crawlers.loaders.arxiv import Arxiv

FORMULA: Final = re.compile(r"\$\$.*?\$\$|\$[^$]*\$", re.DOTALL)
RESIDUE: Final = re.compile(r"\\[A-Za-z]+|[{}]|\$|\(\)|\?\?")


def main() -> None:
    """Print a line for each file."""
    sample = Path(os.environ.get("CORPUSMILL_SHARED", "shared")) / "data" / "samples" / "latex" / "1911.02782.gz"
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    for path in [Path(argument) for argument in sys.argv[1:]] or [sample]:
        list(Arxiv().read(str(path), name=path.name))  # imports and caches
        started = time.process_time()
        rows = [row for batch in Arxiv().read(str(path), name=path.name) for row in batch.to_pylist()]
        seconds = time.process_time() - started
        texts = [FORMULA.sub("", row["text"]) for row in rows if row["text"]]
        words = sum(len(text.split()) for text in texts)
        left = [token for text in texts for token in RESIDUE.findall(text)]
        print(
            f"{path.name}: {len(texts)} of {len(rows)} papers, {seconds * 1000 / len(rows):.1f} ms a paper, "
            f"{words:,} words, residue {len(left) * 10_000 / max(words, 1):.1f} {sorted(set(left))[:20]}"
        )


if __name__ == "__main__":
    main()
